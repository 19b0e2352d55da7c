"""Reading labels as they come from a laboratory: row by row, each with its line."""

import math
from pathlib import Path
from typing import NamedTuple

from ..structures.tables import Refusal, read_table

__all__ = ["Result", "check_results", "read_results"]

ID_COLUMNS = ("id", "material_id")
OTHER_COLUMNS = {*ID_COLUMNS, "unit", "failed", "formula", "prediction", "std", "cost"}
OTHER_COLUMNS |= {"file", "path", "structure"}

#: Squares of larger values, of which a model takes sums, overflow. They mark what is missing.
LARGEST = 1e100


class Result(NamedTuple):
    """One row as it was written.

    Attributes
    ----------
    line : int or None
        Of the file.
    id : str
    value : object
        Text or number; ``""`` or None if there is none.
    unit : str or None
        None if nothing was said.
    failed : str
        Why there is no value, or ``""``.
    """

    line: int | None
    id: str
    value: object
    unit: str | None = None
    failed: str = ""


def read_results(path, target):
    """Read a CSV of results.

    Parameters
    ----------
    path : str or Path
        With a header line. Columns: ``id``; the values, as ``value``, under the name of the target
        or as the only other column; if wanted ``unit`` and ``failed``, a reason why there is no
        value.
    target : str

    Returns
    -------
    results : list of Result
    refused : list of Refusal
        Lines that are not rows of the table.

    Raises
    ------
    ValueError
        If a column is missing, or the file is not a CSV in UTF-8.
    """
    path = Path(path)
    rows, refused = read_table(path)
    columns = list(rows[0][1]) if rows else []
    if not rows:
        if refused:
            return [], refused
        raise ValueError(f"{path} holds no results.")
    id_column = next((name for name in ID_COLUMNS if name in columns), None)
    if id_column is None:
        raise ValueError(f"{path}: expected a column 'id', got the columns {columns}.")
    value_column = find_value_column(path, columns, target)
    return [result_of_row(line, row[id_column], row, value_column) for line, row in rows], refused


def result_of_row(line, id_, row, value_column):
    """Take a `Result` from a row of a CSV, some of whose columns may not be there."""
    unit = row.get("unit") or None
    return Result(line, id_, row.get(value_column, ""), unit, row.get("failed", ""))


def find_value_column(path, columns, target):
    """Find the column of values; None if there is only ``failed``."""
    for name in ("value", target):
        if name in columns:
            return name
    others = [name for name in columns if name not in OTHER_COLUMNS]
    if len(others) == 1:
        return others[0]
    if not others and "failed" in columns:
        return None
    raise ValueError(
        f"{path}: expected a column 'value' or {target!r} with the values, got the columns "
        f"{columns}."
    )


def check_results(results, state, replace=False):
    """Sort results into what is new, what is known and what is refused.

    Parameters
    ----------
    results : list of Result
    state : State
    replace : bool, default=False
        Whether a value may take the place of another one.

    Returns
    -------
    new : list of (str, float)
    failed : list of (str, str)
        Id and reason.
    repeated : list of str
        Ids whose value, or failure, is known already.
    refused : list of Refusal
    """
    new, failed, repeated, refused = {}, {}, [], []
    known_ids = set(state.ids)
    for result in results:
        try:
            if result.id not in known_ids:
                raise ValueError(_unknown(result.id, state.ids))
            if result.failed:
                if _is_number(result.value):
                    raise ValueError(f"it has a value, {result.value}, and has failed")
                if result.id in new or (result.id in state.labels and not replace):
                    value = new.get(result.id, state.labels.get(result.id))
                    raise ValueError(
                        f"it has the value {value!r} and is now told to have failed; to take the "
                        "value back, use --replace"
                    )
                if state.failures.get(result.id) == result.failed or result.id in failed:
                    repeated.append(result.id)
                else:
                    failed[result.id] = result.failed
                continue
            value = _number(result, state.settings["unit"])
            if result.id in failed:
                raise ValueError(f"it has failed ({failed[result.id]}) further up, and has a value")
            known = new.get(result.id, state.labels.get(result.id))
            if known == value:
                repeated.append(result.id)
            elif known is not None and (result.id in new or not replace):
                raise ValueError(
                    f"the value {value!r} contradicts the known one, {known!r}"
                    + (", further up" if result.id in new else "; to replace it, use --replace")
                )
            else:
                new[result.id] = value
        except ValueError as error:
            refused.append(Refusal(result.line, result.id, str(error)))
    return list(new.items()), list(failed.items()), repeated, refused


def _number(result, unit):
    if result.unit is not None and result.unit != unit:
        raise ValueError(f"the unit is {result.unit!r}, and this campaign has {unit!r}")
    try:
        value = float(result.value)
    except (TypeError, ValueError, OverflowError):
        problem = f"{result.value!r} is no number"
        if result.value is None or str(result.value) == "":
            problem = "there is no value"
        raise ValueError(problem) from None
    if not math.isfinite(value):
        raise ValueError(f"the value {result.value!r} is not finite")
    if abs(value) > LARGEST:
        raise ValueError(f"the value {result.value!r} is too large to be one")
    return value


def _is_number(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _unknown(id_, ids):
    """Say that there is no such id; another case or suffix is the usual reason."""
    asked = id_.lower()
    for known in ids:
        name = known.lower()
        if name == asked or name.startswith(f"{asked}.") or asked.startswith(f"{name}."):
            return f"there is no such id; did you mean {known!r}?"
    return "there is no such id"
