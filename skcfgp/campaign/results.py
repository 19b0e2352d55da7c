"""Labels as they come from a laboratory: read row by row, each with its line, and checked."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..structures.ids import IdFinder, name_of
from ..structures.keys import (
    ARRAYS,
    FORMULA_KEYS,
    KEYS,
    MATERIAL_KEYS,
    NOT_NUMBERS,
    PATH_KEYS,
    is_missing,
)
from ..structures.numbers import is_numeric, read_std, read_value
from ..structures.tables import Refusal, read_table

#: Columns that name the crystal of a row.
NAMES = (*KEYS, *PATH_KEYS)

#: Columns that are none of values, also those of the tables that a campaign writes.
NOT_VALUES = {*NOT_NUMBERS, "status", "arm", "reason"}


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
    label_std : object
        Standard error of the value, as text or number; ``""`` or None if there is none.
    formula : str
        Formula of the crystal, as the row has it; ``""`` if it has none.
    """

    line: int | None
    id: str
    value: object
    unit: str | None = None
    failed: str = ""
    label_std: object = None
    formula: str = ""


class Checked(NamedTuple):
    """What `check_results` found: values, standard errors and reasons by id, ids, and refusals."""

    labels: dict
    label_std: dict
    failed: dict
    repeated: list
    refused: list


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

    labelled: list[str]
    failed: list[str]
    repeated: list[str]
    refused: list[Refusal]
    alarm: str | None


class RefusedRowsError(ValueError):
    """Some rows were refused; the others were taken in.

    Attributes
    ----------
    told : TellResult
    """

    def __init__(self, told: TellResult) -> None:
        self.told = told
        rows = "".join(f"\n  {refusal}" for refusal in told.refused)
        super().__init__(f"{len(told.refused)} rows were refused:{rows}")


def read_results(path, target):
    """Read a CSV of results; return them and the `Refusal` of each line that is not a row.

    Columns are ``id`` (or ``file``); the values, under the name of the target, as ``value`` or as
    the only other column; optionally ``label_std``, standard errors of the values, ``unit`` and
    ``failed``, a reason why there is no value.
    """
    path = Path(path)
    rows, refused = read_table(path)
    if not rows and not refused:
        raise ValueError(f"{path} holds no results.")
    if not rows:
        return [], refused
    columns = list(rows[0][1])
    if not set(NAMES) & set(columns):
        raise ValueError(f"{path}: expected a column 'id' or 'file', got the columns {columns}.")
    value_column = find_value_column(path, columns, target)
    results = []
    for line, row in rows:
        id_ = name_of(row)
        try:
            result = result_of_row(line, id_, row, value_column)
            results.append(result._replace(formula=_formula_of_crystal(row) or result.formula))
        except ValueError as error:
            refused.append(Refusal(line, id_, str(error)))
    return results, refused


def _formula_of_crystal(row):
    """Return the formula of the crystal of a row, which agrees with all else there, or None."""
    if set(row).isdisjoint((*MATERIAL_KEYS, *ARRAYS)):
        return None
    from ..structures.checking import as_crystal
    from ..structures.records import has_crystal

    if not has_crystal(row):
        return None
    crystal = as_crystal(row, formulas=True)
    return getattr(crystal, "composition", crystal).formula


def result_of_row(line, id_, row, value_column):
    """Make a `Result` from a row of a CSV, which may lack some columns."""
    unit, failed = (
        None if is_missing(row.get(name)) else str(row[name]) for name in ("unit", "failed")
    )
    if failed is not None and failed.strip().lower() == "false":  # a column of truth values
        failed = None
    value = row.get(value_column, "")
    formula = next((_text(row[k]) for k in FORMULA_KEYS if not is_missing(row.get(k))), "")
    return Result(line, id_, value, unit, failed or "", row.get("label_std"), formula)


def _text(formula):
    """Write a formula as text, also one of amounts by symbol, as Materials Project has it."""
    from ..structures.compositions import formula_of

    if isinstance(formula, dict):
        with suppress(ValueError):  # Parquet has None for the elements of other rows
            return formula_of({k: n for k, n in formula.items() if not is_missing(n)}).formula
    return str(formula)


def results_of(values, label_std=None):
    """Make a `Result` of each of some values by id, with their standard errors by id."""
    label_std = {} if label_std is None else {str(id_): std for id_, std in label_std.items()}
    results = [
        Result(None, str(id_), value, label_std=label_std.pop(str(id_), None))
        for id_, value in values.items()
    ]
    if label_std:
        raise ValueError(f"there is a standard error, and no value, of {sorted(label_std)[0]!r}.")
    return results


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


def check_results(results, state, replace=False, formulas=dict):
    """Sort results into new values, new failures, what is known already and what is refused.

    With `replace` a value, or its standard error, may take the place of another one. `formulas`
    returns those of the crystals, by id, which a result with a formula must have.
    """
    new, label_std, failed, repeated, refused = {}, {}, {}, [], []
    find = IdFinder(state.ids)
    formulas = formulas() if any(result.formula for result in results) else {}
    for result in results:
        id_ = find(result.id)
        try:
            if id_ is None:
                raise ValueError(_unknown(result.id, state.ids))
            result = result._replace(id=id_)
            _check_formula(result.formula, formulas.get(id_))
            if result.failed:
                if is_numeric(result.value):
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
            value, std = _number(result, state.settings), read_std(result.label_std)
            if result.id in failed:
                raise ValueError(f"it has failed ({failed[result.id]}) further up, and has a value")
            known = new.get(result.id, state.labels.get(result.id))
            known_std = (label_std if result.id in new else state.label_std).get(result.id, 0.0)
            if known == value and std in (None, known_std):
                repeated.append(result.id)
            elif known is not None and (result.id in new or not replace):
                what = f"value {value!r} contradicts the known one, {known!r}"
                if known == value:
                    what = f"label_std {std!r} contradicts the known one, {known_std!r}"
                where = ", further up" if result.id in new else "; to replace it, use --replace"
                raise ValueError(f"the {what}{where}")
            else:
                new[result.id], label_std[result.id] = value, std or 0.0
        except ValueError as error:
            refused.append(Refusal(result.line, result.id, str(error)))
    return Checked(new, label_std, failed, repeated, refused)


def _check_formula(formula, known):
    """Refuse a formula, if it is one, that is another than that of the crystal."""
    if known is None or formula in ("", known):
        return
    from ..structures.compositions import check_same_compound, formula_of

    try:
        own = formula_of(formula)
    except ValueError:  # a name, or an expression for a group of atoms
        return
    check_same_compound(own, formula_of(known))


def _number(result, settings):
    unit = settings["unit"]
    if result.unit is not None and result.unit != unit:
        raise ValueError(f"the unit is {result.unit!r}, and this campaign has {unit!r}")
    return read_value(result.value, settings.get("log"))


def _unknown(id_, ids):
    """Say that there is no such id; another case or suffix is the usual reason."""
    if not id_:
        return "it has no id"
    asked = id_.lower()
    for known in ids:
        name = known.lower()
        if name == asked or name.startswith(f"{asked}.") or asked.startswith(f"{name}."):
            return f"there is no such id; did you mean {known!r}?"
    return "there is no such id"
