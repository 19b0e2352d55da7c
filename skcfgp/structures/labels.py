"""Labels in a table of crystals: one form of it, whatever reads it.

A row has a crystal (see `skcfgp.structures.crystal_tables`) and a value, in the column that is
named, in ``value`` or in the only other one with numbers; where there is one, the standard error of
the value in ``label_std``, its unit in ``unit``, and in ``failed`` the reason why it has none.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .compositions import digest_of
from .crystal_tables import CrystalTable, by_line, check_columns, names_alone, read_crystals
from .keys import NOT_NUMBERS, is_missing
from .numbers import is_numeric, read_number, read_std, read_value
from .outcomes import object_array
from .tables import Refusal


class Labelled(NamedTuple):
    """Labelled crystals of a table, and what is not among them.

    Attributes
    ----------
    ids : list of str
    X : ndarray of shape (n_samples,), dtype object, or DataFrame
        `Crystal`, or ``Composition`` where formulas were asked for; with columns, a DataFrame of
        these as ``structure`` and the numbers beside them, indexed by id.
    y : ndarray of shape (n_samples,)
    label_std : ndarray of shape (n_samples,) or None
        Standard errors of the labels; 0 where the row has none.
    target, unit : str or None
        Column of the values, and their unit if the table has a column of it.
    refused : list of Refusal
        Rows that cannot be used.
    failed, repeated : list of str
        Ids without a value since it could not be had, and of rows that say the same again.
    doubts : list of str
        Pairs of rows with equal crystals, different ids and different values.
    """

    ids: list
    X: object
    y: np.ndarray
    label_std: np.ndarray | None
    target: str
    unit: str | None
    refused: list
    failed: list
    repeated: list
    doubts: list


def find_target(path, columns, target=None, named=(), rows=()):
    """Return the column of the property: `target`, or ``value``, or the only one that can be.

    `named` are columns that are used otherwise. `rows` are fields by column; a column without a
    number in any of them is none of values.
    """
    values = [name for name in columns if name not in NOT_NUMBERS | set(named)]
    if target is None and rows:
        numbers = [name for name in values if any(is_numeric(row.get(name)) for row in rows)]
        values = numbers or values
    if target is None and len(values) == 1:
        return values[0]
    if "value" in values and target not in values:
        return "value"
    if target not in values:
        problem = "name the column of values with --target"
        if target is not None:
            problem = f"--target names {target!r}, and no column of values has this name"
        raise ValueError(f"{path}: {problem}; there are {values}.")
    return target


def read_labelled(
    source, target=None, *, columns=(), unit=None, formulas=False, log=False, pool=None
):
    """Read a table of labelled crystals; a row that cannot be used is refused.

    A row without a crystal may name one of `pool`: a function of the names of such rows, to triples
    of id, crystal (or None) and fields by column, with all that the names may mean. `columns` are
    numbers beside the crystals, which every row, or the pool, must have. With `log` a value that is
    not positive refuses its row, since the logarithm is learnt. ValueError if fewer than 2 rows can
    be used, or the table as a whole cannot.
    """
    name = Path(source).name if isinstance(source, str | os.PathLike) else "the table"
    table = _with_crystals_of(pool, source, columns, formulas)
    if table.rows:
        fields = [row.fields for row in table.rows]
        target = find_target(name, table.columns, target, columns, fields)
        check_columns(name, table, columns, target)
    taken, refused, failed, repeated = {}, list(table.refused), [], []
    for row in table.rows:
        try:
            value = row.fields.get(target)
            if not is_missing(row.fields.get("failed")):
                if is_numeric(value):
                    raise ValueError(f"it has a value, {value}, and has failed; remove one of them")
                failed.append(row.id)
                continue
            unit = _unit(row.fields, unit)
            numbers = (
                read_value(row.fields[target], log),
                read_std(row.fields.get("label_std")) or 0.0,
                *(read_number(row.fields.get(column), column) for column in columns),
            )
            if row.id not in taken:
                taken[row.id] = row, numbers
                continue
            first, known = taken[row.id]
            if numbers != known or digest_of(row.crystal) != digest_of(first.crystal):
                raise ValueError(_contradiction(first, known[0], numbers[0]))
            repeated.append(row.id)
        except ValueError as error:
            refused.append(Refusal(row.line, row.id, str(error)))
    refused.sort(key=by_line)
    if len(taken) < 2:
        shown = "; ".join(_by_reason(refused)[:10])
        raise ValueError(
            f"{name}: expected at least 2 labelled crystals, got {len(taken)}"
            + (f"; {len(refused)} rows cannot be used: {shown}." if refused else ".")
        )
    rows = [row for row, _ in taken.values()]
    y, label_std, *numbers = np.transpose([numbers for _, numbers in taken.values()])
    X = object_array([row.crystal for row in rows])
    if columns:
        crystals, X = X, pd.DataFrame(dict(zip(columns, numbers, strict=True)), index=list(taken))
        X.insert(0, "structure", crystals)
    has_std = "label_std" in table.columns
    return Labelled(
        list(taken),
        X,
        y,
        label_std if has_std else None,
        target,
        unit,
        refused,
        failed,
        repeated,
        _doubts(rows, y),
    )


def _by_reason(refused):
    """Write refusals as text, each reason once, with the first row that has it."""
    rows = {}
    for refusal in refused:
        rows.setdefault(refusal.reason, []).append(refusal)
    return [
        str(first).rstrip(".") + (f" (and {len(more)} rows more)" if more else "")
        for first, *more in rows.values()
    ]


def _with_crystals_of(pool, source, columns, formulas):
    """Read a table; a row without a crystal has that of its id in a pool, and the columns there."""
    names = [] if pool is None else names_alone(source, formulas)
    triples = pool(names) if names else ()
    known = {id_: (crystal, fields) for id_, crystal, fields in triples if crystal is not None}
    crystals = {id_: crystal for id_, (crystal, _) in known.items()}
    table, rows = read_crystals(source, crystals, formulas=formulas), []
    for row in table.rows:
        crystal, fields = known.get(row.id, (None, {}))
        beside = {name: fields[name] for name in columns if name in fields}
        crystal = crystal if row.crystal is None else row.crystal
        rows.append(row._replace(crystal=crystal, fields=beside | row.fields))
    names = dict.fromkeys([*table.columns, *(name for row in rows for name in row.fields)])
    return CrystalTable(list(names), rows, table.refused)


def _unit(fields, unit):
    """Return the unit of a row, which must be that of the rows before."""
    given = fields.get("unit")
    if is_missing(given) or str(given) == unit:
        return unit
    if unit:
        raise ValueError(f"the unit is {given!r}, and the others have {unit!r}")
    return str(given)


def _contradiction(first, known, value):
    where = "further up" if first.line is None else f"on line {first.line}"
    if value == known:
        return f"this id stands {where} too, with another crystal or other numbers"
    return f"the value {value!r} contradicts the known one, {known!r}, {where}"


def _doubts(rows, y):
    """Say which crystals are equal and have different values."""
    seen, doubts = {}, []
    for row, value in zip(rows, y.tolist(), strict=True):
        first = seen.setdefault(digest_of(row.crystal), (row.id, value))
        if value != first[1]:
            doubts.append(f"{first[0]} and {row.id} are equal and have {first[1]:g} and {value:g}")
    return doubts
