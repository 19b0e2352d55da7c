"""Tables of crystals in CSV files, read row by row, each with its line.

A column ``structure`` holds the crystal itself, as the text of a CIF or of JSON; ``file`` (or
``path``) holds the path of a file, absolute or relative to the table.
"""

import re
import warnings
from pathlib import Path
from typing import NamedTuple

from .ids import IdFinder, stem
from .io import from_cell

__all__ = [
    "CrystalRow",
    "CrystalTable",
    "Refusal",
    "find_target",
    "finite_value",
    "read_crystals",
    "read_labelled",
    "read_numbers",
    "read_table",
]

ID_COLUMNS = ("material_id", "id")
PATH_COLUMNS = ("file", "path")

#: Columns that never hold the property.
NOT_VALUES = {*ID_COLUMNS, *PATH_COLUMNS, "structure", "formula", "unit", "split"}
NOT_VALUES |= {"failed", "prediction", "std", "cost"}

_FIELD = re.compile(r'"([^"]*(?:""[^"]*)*)"|([^",\r\n][^,\r\n]*|)')
_LINE_END = re.compile(r"\r\n|\n|\r")


class Refusal(NamedTuple):
    """A row that was not taken in.

    Attributes
    ----------
    line : int or None
    id : str
    reason : str
    """

    line: int | None
    id: str
    reason: str

    def __str__(self):
        return f"{'' if self.line is None else f'line {self.line}: '}{self.id}: {self.reason}"


class CrystalRow(NamedTuple):
    """A row: its line, its id, its `Crystal` (None if it is known) and all fields by column."""

    line: int
    id: str
    crystal: object
    fields: dict


class CrystalTable(NamedTuple):
    """The columns of a table, the rows that can be used and the refusals of the others."""

    columns: list
    rows: list
    refused: list


def read_table(path):
    """Read a CSV with a header: pairs of line and fields by column, and a list of refusals."""
    try:
        records = [
            (line, fields)
            for line, fields in _records(path.read_bytes().decode("utf-8-sig"))
            if any(fields)
        ]
    except ValueError as error:  # not UTF-8, or not a CSV
        raise ValueError(f"{path} is not a UTF-8 CSV file: {error}") from error
    if not records:
        return [], []
    (_, header), *records = records
    if len(set(header)) < len(header):
        raise ValueError(f"{path}: two columns have one name: {header}.")
    rows, refused = [], []
    for line, fields in records:
        if len(fields) == len(header):
            rows.append((line, dict(zip(header, fields, strict=True))))
        else:
            reason = f"{len(fields)} fields where the header has {len(header)}"
            refused.append(Refusal(line, fields[0], reason))
    return rows, refused


def read_crystals(path, known=()):
    """Read a CSV of crystals; a row whose crystal cannot be used is refused.

    The id is ``material_id`` or ``id``, else the name of the file without its suffix. The crystals
    of `known` ids, which a row may also name by file or path, are not read, and may be missing in
    the table.
    """
    table, refused = read_table(path)
    columns = list(table[0][1]) if table else []
    wanted = ("structure", *PATH_COLUMNS, *(ID_COLUMNS if known else ()))
    if table and not set(columns) & set(wanted):
        raise ValueError(f"{path}: expected a column 'file' or 'structure', got {columns}.")
    rows, find = [], IdFinder(known)
    for line, fields in table:
        file = next((fields[name] for name in PATH_COLUMNS if fields.get(name)), "")
        named = next((fields[name] for name in ID_COLUMNS if fields.get(name)), "")
        match = find(named or file) if known else None
        id_ = match or named or stem(Path(file).name) or f"{path.name}:{line}"
        try:
            crystal = None if match else _crystal(path.parent, fields, file, id_)
        except (ValueError, OSError) as error:
            refused.append(Refusal(line, id_, str(error)))
        else:
            rows.append(CrystalRow(line, id_, crystal, fields))
    return CrystalTable(columns, rows, sorted(refused))


def find_target(path, columns, target=None, named=()):
    """Return the column of the property: `target`, or the only one that can be, not `named`."""
    values = [name for name in columns if name not in NOT_VALUES | set(named)]
    if target is None and len(values) == 1:
        target = values[0]
    if target not in values:
        raise ValueError(f"{path}: name the column of values with --target; there are {values}.")
    return target


def read_labelled(path, target=None, columns=()):
    """Read a CSV of labelled crystals as X and an array of labels; None if there is no path.

    `target` names the column of values if there are several. X is an array of crystals or, with
    `columns`, a DataFrame of a column ``structure`` and these numbers. A ValueError names the lines
    that cannot be used.
    """
    import numpy as np
    import pandas as pd

    from .checking import object_array

    if path is None:
        return None
    header, rows, refused = read_crystals(path)
    if header:
        target = find_target(path, header, target, columns)
        _check_columns(path, header, rows, columns, target)
    values = []
    for row in rows:
        try:
            values.append([finite_value(row.fields[name]) for name in (target, *columns)])
        except ValueError as error:
            refused.append(Refusal(row.line, row.id, str(error)))
    if refused:
        shown = "; ".join(str(refusal).rstrip(".") for refusal in sorted(refused)[:10])
        raise ValueError(f"{path}: {len(refused)} rows cannot be used: {shown}.")
    if len(rows) < 2:
        raise ValueError(f"{path}: expected at least 2 labelled crystals, got {len(rows)}.")
    crystals = object_array([row.crystal for row in rows])
    y, *numbers = np.transpose(values)
    if not columns:
        return crystals, y
    table = pd.DataFrame(dict(zip(columns, numbers, strict=True)), index=[row.id for row in rows])
    table.insert(0, "structure", crystals)
    return table, y


def read_numbers(path, columns):
    """Read a CSV of crystals with columns beside them, as a DataFrame indexed by id.

    A crystal that cannot be used is the ValueError that says why, in the column ``structure``;
    `skcfgp.structures.check_structures` passes its reason on. The numbers stay text.
    """
    import pandas as pd

    from .checking import object_array

    header, rows, refused = read_crystals(path)
    _check_columns(path, header, rows, columns)
    rows = [*rows, *(CrystalRow(r.line, r.id, ValueError(r.reason), {}) for r in refused)]
    rows.sort(key=lambda row: row.line)
    numbers = {name: [row.fields.get(name) for row in rows] for name in columns}
    table = pd.DataFrame(numbers, index=[row.id for row in rows], dtype=object)
    table.insert(0, "structure", object_array([row.crystal for row in rows]))
    return table


def _check_columns(path, header, rows, named, target=None):
    """Refuse a table without a named column; warn of numbers that nobody named."""
    if missing := [name for name in named if name not in header]:
        raise ValueError(f"{path}: expected a column {missing[0]!r}, got {header}.")
    others = [name for name in header if name not in {*NOT_VALUES, *named, target}]
    if unused := [name for name in others if _holds_numbers([r.fields[name] for r in rows])]:
        warnings.warn(
            f"{path}: the columns {unused} of numbers are not used. To use them, name them with "
            "--estimates or --columns.",
            stacklevel=3,
        )


def _holds_numbers(texts):
    try:
        return bool([float(text) for text in texts if text])
    except ValueError:
        return False


def _records(text):
    """Yield the line on which each record of a CSV begins, and its fields without outer blanks.

    Python's ``csv`` refuses a field of 131,073 characters, which a large crystal has, unless its
    limit is changed for the whole process.
    """
    fields, line, start, position = [], 1, 1, 0
    while position <= len(text):
        match = _FIELD.match(text, position)
        quoted, plain = match.groups()
        end = _LINE_END.match(text, match.end())
        position = end.end() if end else match.end() + 1
        separator = text[match.end() : position]
        if not end and separator not in (",", ""):
            raise ValueError(f"line {line}: a field that begins with a quote does not end with one")
        field = plain if quoted is None else quoted.replace('""', '"')
        fields.append(from_cell(field.strip()))
        line += len(_LINE_END.findall(match[0])) + bool(end)
        if separator != ",":
            yield start, fields
            fields, start = [], line


def _crystal(folder, fields, file, id_):
    """Read the one crystal of a row."""
    from .checking import check_structures
    from .files import read_structure_text

    if text := _LINE_END.sub("\n", fields.get("structure", "")):
        source, items = "the column 'structure'", dict(enumerate(read_structure_text(text)))
        if len(items) == 1:
            items = {id_: items[0]}
    elif file:
        source, items = file, {id_: folder / file}
    else:
        raise ValueError("there is neither a file nor a structure")
    found = check_structures(items, on_error="nan")
    if len(found.ids) != 1:
        raise ValueError(f"{source} holds {len(found.ids)} crystals; one is needed.")
    if found.failures:
        raise ValueError(found.failures[0].reason)
    return found.structures[0]


def finite_value(text):
    """Read a number, or say why it is none."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"the value {text!r} is not a number") from None
    if abs(value) == float("inf") or value != value:
        raise ValueError(f"the value {text!r} is not finite")
    return value
