"""A suggestion: what is chosen, what is put on record, and the files of the jobs."""

import math
from pathlib import Path

from .jobs import Batch, job_names
from .keeping import details, read_structures
from .monitoring import rules_met
from .scale import in_unit
from .settings import versions


def check_n(n, state):
    """Raise if the pool has not that many crystals."""
    n_pool = state.counts()["pool"]
    if not n_pool:
        raise ValueError("the pool is empty: there is nothing left to suggest.")
    if not 1 <= n <= n_pool:
        raise ValueError(
            f"the pool has {n_pool} crystals left: n must be between 1 and {n_pool}, got {n}."
        )


def make_suggestion(ledger, engine, n, out, fmt, anyway):
    """Choose what `Campaign.suggest` returns, and what is to be recorded and written then.

    The result is the picks, the rules to stop that are met, the content of the event (None if there
    is none) and the `Batch` of files (None without a folder).
    """
    state, settings = engine.state, engine.state.settings
    check_n(n, state)
    if not anyway and (met := rules_met(ledger)):  # those that need no model
        return [], met, None, None
    quota = math.floor(settings["random_fraction"] * (state.n_suggested + n) + 1e-9)
    picks, curve = engine.suggest(n, min(n, max(0, quota - state.n_random)))
    gain, outlook = (engine.gain(), engine.outlook()) if curve else (None, None)
    met = [] if anyway else rules_met(ledger, curve, gain or state.gain, outlook)
    picks = [] if met else picks
    content = {"picks": picks, "curve": curve, "gain": gain, "outlook": outlook}
    content |= {"df": engine.df, "model": None, "versions": versions()}
    if curve:
        kernel = engine.gp.kernel_
        content["model"] = {"kernel": repr(kernel), "theta": kernel.theta.tolist()}
    if met and curve in state.curve[-1:]:  # an end is put on record once
        content = None
    known, batch = details(ledger.connection, [pick["id"] for pick in picks]), None
    picks = [{"id": pick["id"], **known[pick["id"]]} | pick for pick in picks]
    for pick in picks:
        pick |= {"lower": None, "upper": None}
        if pick["std"] is not None:
            found = in_unit(pick["prediction"], pick["std"], engine.df, settings)
            pick |= {name: float(value) for name, value in found.items()}
    if out is not None:
        batch, names = Batch(Path(out), fmt, state.n_events + 1), job_names(state.ids)
        structures = read_structures(ledger, [pick["id"] for pick in picks])
        for pick, structure in zip(picks, structures, strict=True):
            if (file := batch.add(names[pick["id"]], pick, structure)) is not None:
                pick["file"] = str(file)
    return picks, met, content, batch


def record_suggestion(ledger, suggestion):
    """Record what `make_suggestion` found and write its files, in a transaction."""
    picks, met, content, batch = suggestion
    if content is not None:
        ledger.append("suggest", content)
    if batch is not None:
        table = batch.write()
        picks = [pick | {"table": str(table)} for pick in picks]
    return picks, met
