"""Labels as they come from a laboratory: read row by row, each with its line, and checked."""

import math
import warnings
from pathlib import Path
from typing import NamedTuple

from ..structures.ids import KEYS, IdFinder
from ..structures.keys import FORMULA_KEYS, MATERIAL_KEYS, PATH_KEYS
from ..structures.tables import Refusal, read_table

__all__ = ["RefusedRowsError", "Result", "TellResult", "check_results", "read_results"]

#: Columns that name the crystal of a row, the first one first.
NAMES = (*KEYS, *PATH_KEYS)

#: Columns that are none of values, also those of the tables that a campaign writes.
NOT_VALUES = {*NAMES, *MATERIAL_KEYS, *FORMULA_KEYS, "unit", "failed", "label_std", "cost", "split"}
NOT_VALUES |= {"prediction", "std", "lower", "upper", "df", "status", "arm", "reason", "error"}

#: Larger values mark what is missing, and the fourth powers that a choice needs overflow.
LARGEST = 1e30


class Result(NamedTuple):
    """One row as it was written.

    Attributes
    ----------
    line : int or None
        Line of the file.
    id : str
    value : object
        Text or number; ``""`` or None if there is none.
    unit : str or None
        Unit of the value; None if the row has none.
    failed : str
        Reason why there is no value, or ``""``.
    """

    line: int | None
    id: str
    value: object
    unit: str | None = None
    failed: str = ""


class TellResult(NamedTuple):
    """What `Campaign.tell` did.

    Attributes
    ----------
    labelled, failed, repeated : list of str
        Ids with a new label, with a new failure, and with one that was known.
    refused : list of Refusal
        ``line``, ``id`` and ``reason``.
    alarm : str or None
        What is wrong with the error bars, and what to do.
    """

    labelled: list
    failed: list
    repeated: list
    refused: list
    alarm: str | None


class RefusedRowsError(ValueError):
    """Some rows were refused; the others were taken in.

    Attributes
    ----------
    told : TellResult
    """

    def __init__(self, told):
        self.told = told
        rows = "".join(f"\n  {refusal}" for refusal in told.refused)
        super().__init__(f"{len(told.refused)} rows were refused:{rows}")


def read_results(path, target):
    """Read a CSV of results; return them and the `Refusal` of each line that is not a row.

    Columns are ``id`` (or ``file``); the values, under the name of the target, as ``value`` or as
    the only other column; optionally ``unit`` and ``failed``, a reason why there is no value.
    """
    path = Path(path)
    rows, refused = read_table(path)
    if not rows and not refused:
        raise ValueError(f"{path} holds no results.")
    if not rows:
        return [], refused
    columns = list(rows[0][1])
    id_column = next((name for name in NAMES if name in columns), None)
    if id_column is None:
        raise ValueError(f"{path}: expected a column 'id' or 'file', got the columns {columns}.")
    warn_of_unused(path, columns)
    value_column = find_value_column(path, columns, target)
    return [result_of_row(line, row[id_column], row, value_column) for line, row in rows], refused


def warn_of_unused(path, columns):
    """Warn of a column of standard errors."""
    if "label_std" in columns:
        warnings.warn(
            f"{path}: a campaign does not use the column 'label_std'; all labels count alike.",
            stacklevel=5,
        )


def result_of_row(line, id_, row, value_column):
    """Make a `Result` from a row of a CSV, which may lack some columns."""
    unit = row.get("unit") or None
    return Result(line, id_, row.get(value_column, ""), unit, row.get("failed", ""))


def find_value_column(path, columns, target):
    """Find the column of values; None if there is only ``failed``."""
    for name in (target, "value"):
        if name in columns:
            return name
    others = [name for name in columns if name not in NOT_VALUES]
    if len(others) == 1:
        warnings.warn(
            f"{path}: there is no column {target!r} or 'value'; the only other column, "
            f"{others[0]!r}, is taken for it.",
            stacklevel=5,
        )
        return others[0]
    if not others and "failed" in columns:
        return None
    raise ValueError(
        f"{path}: expected a column {target!r} or 'value' with the values, got the columns "
        f"{columns}."
    )


def check_results(results, state, replace=False):
    """Sort results into new values, new failures, what is known already and what is refused.

    Returns values by id, reasons by id, ids and a list of `Refusal`. With `replace` a value may
    take the place of another one.
    """
    new, failed, repeated, refused = {}, {}, [], []
    find = IdFinder(state.ids)
    for result in results:
        id_ = find(result.id)
        try:
            if id_ is None:
                raise ValueError(_unknown(result.id, state.ids))
            result = result._replace(id=id_)
            if result.failed:
                if _is_number(result.value):
                    raise ValueError(f"it has a value, {result.value}, and has failed")
                if result.id in new or (result.id in state.labels and not replace):
                    value = new.get(result.id, state.labels.get(result.id))
                    raise ValueError(
                        f"it has the value {value!r} and is now reported as failed; to take the "
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
    return new, failed, repeated, refused


def _number(result, unit):
    if result.unit is not None and result.unit != unit:
        raise ValueError(f"the unit is {result.unit!r}, and this campaign has {unit!r}")
    try:
        value = float(result.value)
    except (TypeError, ValueError, OverflowError):
        missing = result.value is None or str(result.value) == ""
        problem = "there is no value" if missing else f"{result.value!r} is not a number"
        raise ValueError(problem) from None
    if not math.isfinite(value):
        raise ValueError(f"the value {result.value!r} is not finite")
    if abs(value) > LARGEST:
        raise ValueError(
            f"the value {result.value!r} is not between -{LARGEST:g} and {LARGEST:g} {unit};"
            " values as large as this need a larger unit"
        )
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
