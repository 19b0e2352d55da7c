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

from pymatgen.core import Composition

from .checking import as_crystal
from .compositions import check_same_compound
from .files import file_beside, is_structure_file
from .ids import IdFinder, name_of, own_id, path_in, stem
from .keys import (
    ARRAYS,
    FORMULA_KEYS,
    KEYS,
    MATERIAL_KEYS,
    NOT_NUMBERS,
    PATH_KEYS,
    is_empty,
    is_missing,
)
from .numbers import is_numeric
from .outcomes import reason_of
from .records import has_crystal
from .tables import Refusal, read_table


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
        """Return all rows by line; those refused have the error as crystal."""
        refused = [CrystalRow(r.line, r.id, ValueError(r.reason), {}) for r in self.refused]
        return sorted([*self.rows, *refused], key=by_line)


def check_columns(name, table, named, target=None):
    """Refuse a table without a named column; warn of numbers that nobody named."""
    if missing := [column for column in named if table.columns and column not in table.columns]:
        raise ValueError(f"{name}: expected a column {missing[0]!r}, got {table.columns}.")
    known = {*NOT_NUMBERS, *named, target, "", "Unnamed: 0"}  # the last two are pandas' index
    others = [column for column in table.columns if column not in known]
    if unused := [c for c in others if _are_numbers(row.fields.get(c) for row in table.rows)]:
        warnings.warn(
            f"{name}: the columns {unused} of numbers are not used. To use them, name them with "
            "--estimates or --columns.",
            stacklevel=3,
        )


def _are_numbers(values):
    values = [value for value in values if not is_missing(value)]
    return bool(values) and all(map(is_numeric, values))


def find_crystals(source):
    """Read a table without opening its crystals: columns, rows and refusals.

    The crystal of a row is what `as_crystal` takes. The id is ``material_id``, ``id`` or ``jid``,
    else the name of the file without its suffix.
    """
    columns, found, refused = _contents(source)
    rows = [row for row in found if not isinstance(row.crystal, Exception)]
    bad = [row for row in found if isinstance(row.crystal, Exception)]
    refused += [Refusal(row.line, row.id, str(row.crystal)) for row in bad]
    return CrystalTable(columns, rows, refused)


def _contents(source):
    """Return the columns of a table, its rows, whose crystal is as `find_content` has it, and more.

    The last are the lines that are no rows.
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
    for number, (line, fields) in enumerate(table):
        found = find_content(fields, beside, f"{Path(name).stem}:{number}")
        rows.append(CrystalRow(line, *found, fields))
    return columns, rows, refused


def find_content(fields, beside, name):
    """Return the id of a row and what holds its crystal, or the error.

    `name` is the id of a row that has none. The content is the row's fields, among them the path of
    a file as ``structure``.
    """
    file = path_in(fields)
    id_ = own_id(fields) or stem(Path(file).name) or name
    full = {key: value for key, value in fields.items() if not is_empty(value)}
    try:
        if has_crystal(full):
            return id_, full | file_beside(full, beside.folder)
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

    The source is what `read_table` takes. With `formulas` a row may have a formula. `known` are
    ids, or crystals by id, which a row may name by id, file or path; such a row has the known id,
    and needs no crystal of its own: it is None then.
    """
    columns, found, refused = _contents(source)
    finder, rows = IdFinder(known) if known else None, []
    for row in found:
        match = None if finder is None else finder(name_of(row.fields))
        try:
            crystal = _own_crystal(row, formulas, None if match is None else (match, known))
        except Exception as error:  # whatever a crystal does, it costs no other
            reason = reason_of(error)
            if finder is not None and isinstance(row.crystal, Exception):
                reason += ", nor has any of the other crystals"
            refused.append(Refusal(row.line, row.id, reason))
        else:
            rows.append(row._replace(id=row.id if match is None else match, crystal=crystal))
    return CrystalTable(columns, rows, sorted(refused, key=by_line))


def names_alone(source, formulas=False):
    """Return how a table names the crystals that it has not, or only as formulas."""
    return [name_of(row.fields) for row in _contents(source)[1] if _is_alone(row, formulas)]


def _is_alone(row, formulas):
    """Whether a row has no crystal of its own."""
    if isinstance(row.crystal, Exception):
        return True
    if isinstance(path := row.crystal.get("structure"), Path):
        return not path.exists()
    return not formulas and not has_crystal(row.crystal)


def _own_crystal(row, formulas, known):
    """Return the crystal of a row; None if it has none, and is known."""
    if known is not None and _is_alone(row, formulas=True):
        return None
    if isinstance(row.crystal, Exception):
        raise row.crystal
    crystal = as_crystal(row.crystal, row.id, formulas=formulas or known is not None)
    if formulas or not isinstance(crystal, Composition):
        return crystal
    id_, crystals = known
    if isinstance(crystals, dict):
        check_same_compound(crystal, crystals[id_])
    return None


def by_line(row):
    """Sort rows and refusals by their line, those without one last."""
    return (row.line is None, row.line or 0)


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
