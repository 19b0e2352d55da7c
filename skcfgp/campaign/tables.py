"""Tables of a campaign: predictions, the plan, and everything."""

import json

import numpy as np

from ..structures.io import atomic_write, check_writable, csv_text
from .keeping import details
from .prequential import ALARM_MIN, rescaling
from .scale import in_unit
from .suggestion import check_n


def predict_all(ledger, engine, rescale=False, coverage=0.95):
    """Predict what `Campaign.predict` returns; the second result is what is to be recorded.

    That is None if nothing has changed since the predictions that are on record.
    """
    table = export_table(ledger, engine, rescale, coverage)
    unused = ("value", "label_std", "arm", "cost", "reason")
    columns = [name for name in table.columns if name not in unused]
    table = table.loc[table["status"] != "labelled", columns].reset_index(drop=True)
    rows, mean, std = engine.predictions
    last = engine.state.predicted_at or 0
    changes = ("tell", "undo", "add")
    if last and not any(e.verb in changes for e in ledger.events if e.number > last):
        return table, None, None
    return table, list(zip(rows.tolist(), mean.tolist(), std.tolist(), strict=True)), engine.df


def record_predictions(ledger, found):
    """Put predictions on record, in a transaction; return their table."""
    table, rows, df = found
    if rows is not None:
        number = ledger.append("predict", {"n": len(rows), "df": df})
        ledger.connection.executemany(
            "INSERT INTO predictions VALUES (?, ?, ?, ?)", [(number, *row) for row in rows]
        )
    return table


def export_table(ledger, engine, rescale=False, coverage=0.95):
    """Make the table of `Campaign.export`."""
    import pandas as pd

    state = engine.state
    factor = 1.0
    if rescale and (factor := rescaling(state.estimates)) is None:
        raise ValueError(
            f"rescaling needs {ALARM_MIN} labels that were predicted before they came; there are "
            "too few labels of this kind."
        )
    names = ["prediction", "std", "lower", "upper", "df"]
    names += ["std_log10"] * bool(state.settings.get("log"))
    found = {name: np.full(len(state.ids), np.nan) for name in names}

    def fill(rows, mean, std, df):
        numbers = in_unit(mean, std * factor, df, state.settings, coverage)
        for name, values in (numbers | {"df": df or np.inf}).items():
            found[name][rows] = values

    if engine.can_predict:
        fill(*engine.predictions, engine.df)
    for id_, record in state.comparisons.items():
        fill(engine.row[id_], record["prediction"], record["std"], record.get("df"))
    known = details(ledger.connection)
    return pd.DataFrame(
        {
            "id": state.ids,
            "formula": [known[id_]["formula"] for id_ in state.ids],
            "status": [state.status_of(id_) for id_ in state.ids],
            "value": [state.labels.get(id_, np.nan) for id_ in state.ids],
            "label_std": [state.label_std.get(id_, np.nan) for id_ in state.ids],
            **found,
            "unit": state.settings["unit"],
            "arm": [state.arms.get(id_, "") for id_ in state.ids],
            "cost": [known[id_]["cost"] for id_ in state.ids],
            "reason": [state.failures.get(id_, "") for id_ in state.ids],
        }
    )


def plan_table(ledger, engine, n):
    """Make the table of `Campaign.plan`."""
    import pandas as pd

    state = engine.state
    check_n(n, state)
    steps = engine.plan(n)
    ids = [state.ids[step.pop("row")] for step in steps]
    known = details(ledger.connection, ids)
    formulas = [known[id_]["formula"] for id_ in ids]
    names = ("std", "max_std", "mean_std", "expected_error")
    columns = {name: [step.get(name) for step in steps] for name in names}
    unit = {"unit": state.settings["unit"]}
    return pd.DataFrame({"id": ids, "formula": formulas} | columns | unit)


def check_table(path):
    """Raise unless a table can be written at a path; to be asked before the work."""
    if path.suffix.lower() not in (".csv", ".json"):
        raise ValueError(f"the name of a table must end in .csv or .json, got {path.name!r}.")
    check_writable(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}.")


def write_table(table, path):
    """Write a table whole or not at all, as CSV or JSON by the suffix of the path."""
    check_table(path)
    if path.suffix.lower() == ".csv":
        text = csv_text(table)
    else:
        records = table.astype(object).where(table.notna(), None).to_dict("records")
        text = json.dumps(records, indent=1, allow_nan=False)
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8", newline="")
