"""Tables of crystals: one crystal, or formula, of each row, and the other columns beside it.

A column ``structure`` holds the crystal itself: an object, a dictionary, the text of a CIF or of
JSON. ``atoms`` (JARVIS), ``attributes`` (OPTIMADE), or ``lattice``, ``frac_coords`` and
``atomic_numbers`` do the same. ``file`` (or ``path``) holds the path of a file, absolute or
relative to the table, ``formula`` (or ``composition``) a formula. A row with an id alone means the
file of that name beside the table.
"""

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from .checking import as_crystal
from .files import is_structure_file
from .ids import KEYS, IdFinder, own_id, stem
from .keys import FORMULA_KEYS, MATERIAL_KEYS, PATH_KEYS, is_empty, is_missing
from .outcomes import object_array, reason_of
from .records import ARRAYS, has_crystal
from .tables import Refusal, read_table

__all__ = [
    "NOT_NUMBERS",
    "CrystalRow",
    "CrystalTable",
    "FilesBeside",
    "check_columns",
    "find_content",
    "find_crystals",
    "read_crystals",
]

#: Columns whose numbers are those of an id, a crystal, a label or a prediction.
NOT_NUMBERS = {*KEYS, *PATH_KEYS, *MATERIAL_KEYS, *FORMULA_KEYS, *ARRAYS}
NOT_NUMBERS |= {"unit", "split", "failed", "label_std", "cost"}
NOT_NUMBERS |= {"prediction", "std", "lower", "upper", "df", "error"}


class CrystalRow(NamedTuple):
    """A row: its line, its id, its crystal (None if it is known) and all fields by column.

    The crystal is a `Crystal`, a ``Composition`` if formulas were asked for, or what holds it.
    """

    line: int | None
    id: str
    crystal: object
    fields: dict


class CrystalTable(NamedTuple):
    """The columns of a table, the rows that can be used and the refusals of the others."""

    columns: list
    rows: list
    refused: list

    def in_order(self):
        """Return all rows by line; those refused have the error, with its line, as crystal."""
        refused = [CrystalRow(r.line, r.id, ValueError(_with_line(r)), {}) for r in self.refused]
        return sorted([*self.rows, *refused], key=_by_line)

    def frame(self, columns=()):
        """Return a DataFrame of ``structure`` and `columns`, whose values stay what they are.

        `skcfgp.structures.check_structures` passes on the errors that are in it.
        """
        rows = self.in_order()
        values = {name: [row.fields.get(name) for row in rows] for name in columns}
        frame = pd.DataFrame(values, index=[row.id for row in rows], dtype=object)
        frame.insert(0, "structure", object_array([row.crystal for row in rows]))
        return frame


def check_columns(name, table, named, target=None):
    """Refuse a table without a named column; warn of numbers that nobody named."""
    if missing := [column for column in named if table.columns and column not in table.columns]:
        raise ValueError(f"{name}: expected a column {missing[0]!r}, got {table.columns}.")
    others = [column for column in table.columns if column not in {*NOT_NUMBERS, *named, target}]
    if unused := [c for c in others if _are_numbers([row.fields.get(c) for row in table.rows])]:
        warnings.warn(
            f"{name}: the columns {unused} of numbers are not used. To use them, name them with "
            "--estimates or --columns.",
            stacklevel=3,
        )


def _are_numbers(values):
    try:
        return bool([float(value) for value in values if not is_missing(value)])
    except (TypeError, ValueError):
        return False


def find_crystals(source, known=()):
    """Read a table without opening its crystals: columns, rows and refusals.

    The crystal of a row is what `as_crystal` takes, or None for `known` ids. The id is
    ``material_id``, ``id`` or ``jid``, else the name of the file without its suffix.
    """
    table, refused = read_table(source)
    columns = list(table[0][1]) if table else []
    wanted = {*MATERIAL_KEYS, *PATH_KEYS, *FORMULA_KEYS, *KEYS, *ARRAYS}
    name, folder = "the table", Path()
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        name, folder = path.name, path if path.is_dir() else path.parent
    if table and not (set(columns) & wanted or has_crystal(dict.fromkeys(columns, 1))):
        raise ValueError(
            f"{name}: expected a column 'structure', 'file', 'formula' or 'id', got {columns}."
        )
    beside, rows = FilesBeside(folder), []
    known = IdFinder(known) if known else None
    for number, (line, fields) in enumerate(table):
        id_, content = find_content(fields, beside, f"{Path(name).stem}:{number}", known)
        if isinstance(content, Exception):
            refused.append(Refusal(line, id_, str(content)))
        else:
            rows.append(CrystalRow(line, id_, content, fields))
    return CrystalTable(columns, rows, refused)


def find_content(fields, beside, name, known=None):
    """Return the id of a row and what holds its crystal, None if the id is known, or the error.

    `name` is the id of a row that has none, `known` an `IdFinder`. The content is the row's fields,
    among them the path of a file as ``structure``.
    """
    file = next((str(fields[k]) for k in PATH_KEYS if not is_missing(fields.get(k))), "")
    own = own_id(fields)
    id_ = own or stem(Path(file).name) or name
    if known is not None and (match := known(own or file)) is not None:
        return match, None
    full = {key: value for key, value in fields.items() if not is_empty(value)}
    try:
        if has_crystal(full):
            return id_, full
        path = beside.folder / Path(file).expanduser() if file else beside.file(id_)
        if path is not None:
            return id_, full | {"structure": path}
    except ValueError as error:
        return id_, error
    if set(FORMULA_KEYS) & set(full):
        return id_, full
    return id_, ValueError(
        "there is neither a file nor a structure, and no structure file beside the table has this "
        "name"
    )


def read_crystals(source, known=(), *, formulas=False):
    """Read a table of crystals; a row whose crystal cannot be used is refused.

    The source is what `read_table` takes. The crystals of `known` ids, which a row may also name by
    file or path, are not read, and may be missing. With `formulas` a row may have a formula.
    """
    found, rows, refused = find_crystals(source, known), [], []
    for row in found.rows:
        try:
            crystal = None
            if row.crystal is not None:
                crystal = as_crystal(row.crystal, row.id, formulas=formulas)
        except Exception as error:  # whatever a crystal does, it costs no other
            refused.append(Refusal(row.line, row.id, reason_of(error)))
        else:
            rows.append(row._replace(crystal=crystal))
    refused = sorted([*found.refused, *refused], key=_by_line)
    return CrystalTable(found.columns, rows, refused)


def _by_line(row):
    return (row.line is None, row.line or 0)


def _with_line(refusal):
    return refusal.reason if refusal.line is None else f"line {refusal.line}: {refusal.reason}"


class FilesBeside:
    """The structure files beside a table, by name and by stem."""

    def __init__(self, folder):
        self.folder = folder
        self._found = None

    def file(self, id_):
        """Return the only file that an id means, or None; ValueError if there are several."""
        if self._found is None:
            self._found = {}
            for path in sorted(self.folder.iterdir()):
                if is_structure_file(path) and path.is_file():
                    for name in {path.name, stem(path.name)}:
                        self._found.setdefault(name, []).append(path)
        found = self._found.get(id_, [])
        if len(exact := [path for path in found if path.name == id_]) == 1:
            return exact[0]
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ValueError(f"several files have this name: {names}; name one in a column 'file'.")
        return found[0] if found else None
