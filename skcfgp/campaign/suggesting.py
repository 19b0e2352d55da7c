"""The verb `suggest`: choices, their files and their event."""

import math

from .crystals import details, read_structures
from .settings import versions
from .stopping import expected_error, parse_rule, reasons_to_stop
from .store import append_event

__all__ = ["StoppedError", "rules_met", "spent", "suggest"]


class StoppedError(RuntimeError):
    """A rule to stop is met, so that nothing was suggested."""


def suggest(connection, engine, n, out, fmt, anyway):
    """Choose crystals and mark them pending, in a transaction; see `Campaign.suggest`.

    Returns
    -------
    picks : list of dict
    met : list of str
        Rules to stop, because of which there are no picks.
    """
    state = engine.state
    n_pool = state.counts()["pool"]
    if not 1 <= n <= n_pool:
        raise ValueError(
            f"the pool has {n_pool} crystals left: n must be between 1 and that, got {n}."
            if n_pool
            else "the pool is empty: there is nothing left to suggest."
        )
    if not anyway and (met := rules_met(connection, state)):  # those that need no model
        return [], met
    settings = state.settings
    quota = math.floor(settings["random_fraction"] * (state.n_suggested + n) + 1e-9)
    n_random = min(n, max(0, quota - state.n_random))
    seed = [settings["random_state"], state.n_suggested]
    picks, curve = engine.suggest(n, settings["strategy"], n_random, seed)
    gain = engine.gain() if curve else None
    met = [] if anyway else rules_met(connection, state, curve, gain or state.gain)
    if not met or curve not in state.curve[-1:]:  # an end is put on record once
        append_event(connection, "suggest", _content([] if met else picks, curve, gain, engine))
    if met:
        return [], met
    known = details(connection)
    picks = [{"id": p["id"], **known[p["id"]]} | p for p in picks]
    if out is not None:
        from .job_files import job_path, write_job

        for pick, structure in zip(
            picks, read_structures(connection, [p["id"] for p in picks]), strict=True
        ):
            pick["file"] = str(job_path(out, pick["id"], fmt))
            write_job(structure, job_path(out, pick["id"], fmt), pick["id"])
    return picks, []


def rules_met(connection, state, curve=None, gain=None):
    """List the rules to stop that are met.

    Parameters
    ----------
    connection : sqlite3.Connection
    state : State
    curve, gain : dict, default=None
        Standard deviations and gain, where the rules about them are to be looked at.

    Returns
    -------
    list of str
    """
    if not state.settings["until"]:
        return []
    values = {"labels": len(state.labels), "cost": spent(connection, state), "no-gain": gain}
    if curve:
        values |= {"max-std": curve["max_std"], "mean-std": curve["mean_std"]}
        values["expected-error"] = expected_error(curve["mean_std"], state.estimates)
    return reasons_to_stop([parse_rule(rule) for rule in state.settings["until"]], values)


def spent(connection, state):
    """Add up the costs of the crystals that were suggested, whatever came of them.

    Pending ones count, so that a budget is not overdrawn by what runs; those that were released do
    not.
    """
    return sum(
        cost
        for id_, cost in connection.execute("SELECT id, cost FROM crystals")
        if id_ in state.arms and state.status_of(id_) != "pool"
    )


def _content(picks, curve, gain, engine):
    model = None
    if curve:
        model = {"kernel": repr(engine.gp.kernel_), "theta": engine.gp.kernel_.theta.tolist()}
    return {"picks": picks, "curve": curve, "gain": gain, "model": model, "versions": versions()}
