"""Tables of a campaign: predictions, the plan, and everything."""

import json

import numpy as np

from ..structures.io import atomic_write
from .crystals import details
from .monitoring import rescaling
from .store import append_event

__all__ = [
    "export_table",
    "plan_table",
    "prediction_table",
    "record_predictions",
    "write_table",
]


def record_predictions(connection, state, events, predictions):
    """Put predictions on record, unless nothing has changed since those that are there.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of a transaction.
    state : State
    events : list of Event
    predictions : (rows, mean, std)
        See `Engine.predict`.
    """
    last = state.predicted_at or 0
    if last and not any(e.verb in ("tell", "undo", "add") for e in events if e.number > last):
        return
    number = append_event(connection, "predict", {"n": len(predictions[0])})
    columns = (column.tolist() for column in predictions)
    connection.executemany(
        "INSERT INTO predictions VALUES (?, ?, ?, ?)",
        [(number, *row) for row in zip(*columns, strict=True)],
    )


def prediction_table(connection, engine, rescale=False):
    """Make the table of `Campaign.predict`."""
    table = export_table(connection, engine, rescale)
    columns = ["id", "formula", "status", "prediction", "std", "unit"]
    return table.loc[table["status"] != "labelled", columns].reset_index(drop=True)


def export_table(connection, engine, rescale=False):
    """Make the table of `Campaign.export`."""
    import pandas as pd

    state = engine.state
    factor = 1.0
    if rescale and (factor := rescaling(state.estimates)) is None:
        raise ValueError("there are too few labels with a prediction before them to rescale by.")
    n = len(state.ids)
    mean, std = np.full((2, n), np.nan)
    if engine.can_predict:
        rows, *columns = engine.predict()
        mean[rows], std[rows] = columns
    for id_, comparison in state.comparisons.items():
        row = engine.row[id_]
        mean[row], std[row] = comparison["prediction"], comparison["std"]
    known = details(connection)
    return pd.DataFrame(
        {
            "id": state.ids,
            "formula": [known[id_]["formula"] for id_ in state.ids],
            "status": [state.status_of(id_) for id_ in state.ids],
            "value": [state.labels.get(id_, np.nan) for id_ in state.ids],
            "prediction": mean,
            "std": std * factor,
            "unit": state.settings["unit"],
            "arm": [state.arms.get(id_, "") for id_ in state.ids],
            "cost": [known[id_]["cost"] for id_ in state.ids],
            "reason": [state.failures.get(id_, "") for id_ in state.ids],
        }
    )


def plan_table(connection, engine, n):
    """Make the table of `Campaign.plan`."""
    import pandas as pd

    state = engine.state
    n_pool = state.counts()["pool"]
    if not 1 <= n <= n_pool:
        raise ValueError(f"n must be between 1 and the size of the pool, {n_pool}, got {n}.")
    seed = [state.settings["random_state"], state.n_suggested, 1]
    steps, known = engine.plan(n, state.settings["strategy"], seed), details(connection)
    ids = [state.ids[step.pop("row")] for step in steps]
    formulas = [known[id_]["formula"] for id_ in ids]
    names = ("std", "max_std", "mean_std", "expected_error")
    columns = {name: [step.get(name) for step in steps] for name in names}
    return pd.DataFrame({"id": ids, "formula": formulas} | columns)


def write_table(table, path):
    """Write a table as CSV or JSON; the file is there altogether or not at all.

    Parameters
    ----------
    table : pandas.DataFrame
    path : Path
        Its suffix is the format.
    """
    if path.suffix.lower() == ".csv":
        text = table.to_csv(index=False, lineterminator="\n")
    elif path.suffix.lower() == ".json":
        records = table.astype(object).where(table.notna(), None).to_dict("records")
        text = json.dumps(records, indent=1, allow_nan=False)
    else:
        raise ValueError(f"the name of a table must end in .csv or .json, got {path.name!r}.")
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")
