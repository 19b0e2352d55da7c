"""The page of a campaign: one HTML file with everything in it."""

import html
import json
import re
from importlib.resources import files

import numpy as np
from pymatgen.core import Composition

from ..structures.io import atomic_write
from .goals import best_so_far
from .keeping import read_structures
from .prequential import alarm, compared, learnt_labels, pit_values
from .scale import learnt_unit
from .settings import versions
from .tables import export_table
from .wording import estimate_rows, goal_lines, what_happened, why

#: Number of crystals in the queue, and of those in it that would be suggested next.
N_QUEUE, N_NEXT = 100, 10

#: Number of events that are listed.
N_HISTORY = 500

#: Number of labels in the forecast, after the pending ones.
N_FORECAST = 50


#: Coverage of the bars, which are of two standard deviations.
TWO_SIGMA = 0.9544997361036416

_NUMBERS = ("value", "prediction", "std", "lower", "upper")


def write_report(ledger, engine, path):
    """Write the page; see `Campaign.report`."""
    state = engine.state
    xy, variance = _map(engine.X)
    table = export_table(ledger, engine, coverage=TWO_SIGMA)
    content = _content(ledger, engine, table) | _queue(ledger, engine, table.set_index("id"))
    content["crystals"] |= {"x": _numbers(xy[:, 0]), "y": _numbers(xy[:, 1])}
    page = files(__package__) / "page"
    filled = {
        "title": html.escape(f"{state.settings['target']}: {len(state.ids)} crystals"),
        "map": (
            "The crystals in the space of the features, by principal component analysis: "
            f"{variance:.0%} of the variance."
        ),
        "style": (page / "report.css").read_text(encoding="utf-8"),
        "script": (page / "report.js").read_text(encoding="utf-8"),
        # No text in the data can end the element that it is in.
        "data": json.dumps(content, allow_nan=False).replace("<", "\\u003c"),
    }
    text = (page / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], text)
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def _content(ledger, engine, table):
    state, events = engine.state, ledger.events
    columns = {name: table[name].tolist() for name in ("id", "formula", "status", "arm")}
    columns |= {name: _numbers(table[name]) for name in _NUMBERS}
    settings = state.settings
    counts = state.counts()
    return {
        "unit": settings["unit"],
        "learnt": learnt_unit(settings),
        "summary": (
            f"Event {state.n_events}, {events[-1].time[:16].replace('T', ' ')} UTC, by "
            f"{events[-1].who}. "
            f"{len(state.refused)} crystals did not come in."
            + "".join(f" {line[0].upper()}{line[1:]}." for line in _goal_lines(engine))
        ),
        "counts": counts,
        "alarm": alarm(state.estimates),
        "crystals": columns,
        "comparisons": [engine.row[id_] for id_ in state.labels if id_ in state.comparisons],
        "curve": state.curve,
        "forecast": _forecast(engine),
        "calibration": _calibration(state),
        "estimates": estimate_rows(state.estimates),
        "failures": [
            *([id_, "failed", reason] for id_, reason in state.failures.items()),
            *([row["name"], "did not come in", row["reason"]] for row in state.refused),
        ],
        "settings": [[name, str(value)] for name, value in (settings | versions()).items()],
        "history": [
            [event.number, event.time, event.who, what_happened(event)[:300]]
            for event in reversed(events[-N_HISTORY:])
        ],
    }


def _goal_lines(engine):
    """How far the campaign is from its goal, with the labels of now."""
    state = engine.state
    if engine.goal is None:
        return []
    best, found = best_so_far(engine.goal, state.labels), engine.outlook()
    lines = goal_lines(best, found, state.settings)
    return [line.removeprefix("at the last suggestion: ") for line in lines]


def _queue(ledger, engine, table):
    """Pending crystals and the next ones, with structures."""
    state = engine.state
    reasons = {
        pick["id"]: why(pick)
        for event in ledger.events
        if event.verb == "suggest"
        for pick in event.content["picks"]
    }
    queue = [(id_, "pending", reasons.get(id_, "")) for id_ in state.pending][: N_QUEUE - N_NEXT]
    n_next = min(N_NEXT, state.counts()["pool"])
    if n_next:
        picks, _ = engine.suggest(n_next)
        queue += [(pick["id"], "next", why(pick)) for pick in picks]
    elements, rows = {}, []
    for (id_, what, reason), structure in zip(
        queue, read_structures(ledger, [id_ for id_, *_ in queue]), strict=True
    ):
        row = table.loc[id_]
        rows.append(
            {
                "id": id_,
                "formula": row["formula"],
                "state": what,
                "prediction": _number(row["prediction"]),
                "std": _number(row["std"]),
                "why": reason,
                "structure": _drawable(structure, elements),
            }
        )
    return {"queue": rows, "elements": elements}


def _forecast(engine):
    """List the standard deviations that remain with the pending labels and so many more."""
    state = engine.state
    n = min(N_FORECAST, state.counts()["pool"] - 1)
    if not engine.can_predict or n < 1:
        return []
    return [
        {"n_labels": n_labels, "max_std": step["max_std"], "mean_std": step["mean_std"]}
        for n_labels, step in enumerate(engine.plan(n), len(state.labels) + len(state.pending) + 1)
    ]


def _drawable(structure, elements):
    """Cell, atoms with those on the opposite faces, and bonds; None for a formula."""
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors

    if isinstance(structure, Composition):
        return None
    coords, symbols = [], []
    for site in structure:
        symbol, z = site.specie.symbol, site.specie.Z
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in jmol_colors[z])
        elements[symbol] = {"colour": colour, "radius": float(covalent_radii[z])}
        frac = np.mod(site.frac_coords + 1e-4, 1.0) - 1e-4
        copies = np.array(np.meshgrid(*[(0, 1) if f < 0.02 else (0,) for f in frac]))
        for shift in copies.reshape(3, -1).T:
            coords.append((frac + shift) @ structure.lattice.matrix)
            symbols.append(symbol)
    coords = np.array(coords)
    radii = np.array([elements[symbol]["radius"] for symbol in symbols])
    distance = np.linalg.norm(coords[:, None] - coords, axis=-1)
    i, j = np.nonzero(np.triu(distance < 1.15 * (radii[:, None] + radii), 1))
    return {
        "cell": np.round(structure.lattice.matrix, 3).tolist(),
        "atoms": [
            [symbol, *row] for symbol, row in zip(symbols, coords.round(3).tolist(), strict=True)
        ],
        "bonds": np.column_stack([i, j]).tolist(),
    }


def _map(X):
    """First two principal components, and their part of the variance."""
    from sklearn.decomposition import PCA

    if np.ptp(X, axis=0).max() == 0:
        return np.zeros((len(X), 2)), 1.0
    pca = PCA(min(2, *X.shape), svd_solver="full")  # another one may draw at random
    xy = pca.fit_transform(X)
    return np.column_stack([xy[:, 0], xy[:, -1]]), float(pca.explained_variance_ratio_.sum())


def _calibration(state):
    """Fraction of the labels in central intervals, by their probability; empty without labels."""
    columns = compared(state.comparisons, learnt_labels(state.labels, state.settings))
    if columns is None:
        return [[], []]
    level = np.linspace(0, 1, 101)
    inside = np.abs(2 * pit_values(*columns) - 1)
    return [level.tolist(), np.mean(inside <= level[:, None], axis=1).tolist()]


def _numbers(column):
    return [_number(value) for value in column]


def _number(value):
    return float(f"{value:.7g}") if np.isfinite(value) else None
