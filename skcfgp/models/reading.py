"""The crystals that the commands take, from files, folders and tables."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..structures import Failure, Structures, check_structures, object_array
from ..structures.crystal_tables import CrystalRow, CrystalTable, check_columns, read_crystals
from ..structures.files import is_poscar, structure_files
from ..structures.ids import Name, all_ids
from ..structures.tables import is_table_file


@dataclass(frozen=True)
class Found:
    """What files hold, row by row: crystals, and beside them the fields of tables.

    Attributes
    ----------
    crystals : Structures
        `Crystal` or, of a formula, ``Composition``; and why the others cannot be used.
    fields : list of dict
        Fields of the table's row by column; empty if the row comes from no table.
    lines : list of int or None
        Line of the table.
    columns : sequence of str
        Columns of numbers that were asked for.
    """

    crystals: Structures
    fields: list
    lines: list
    columns: tuple = ()

    def __len__(self):
        return len(self.fields)

    def known(self):
        """Return id, crystal (or None) and fields of each row."""
        ids = map(str, self.crystals.ids)
        return list(zip(ids, self.crystals.structures, self.fields, strict=True))

    def named(self, names):
        """Return the same of all rows, among which those are that the names may mean."""
        return self.known()

    def part(self, start, stop):
        """Return what a model takes of some rows: `Structures`, or a DataFrame with the columns."""
        crystals, ids, failures = self.crystals
        some = [self._with_line(f) for f in failures if start <= f.index < stop]
        rows = slice(start, stop)
        if not self.columns:
            moved = [Failure(f.index - start, f.id, f.reason) for f in some]
            return Structures(crystals[rows], ids[rows], moved)
        items = list(crystals[rows])
        for failure in some:
            items[failure.index - start] = ValueError(failure.reason)
        beside = {name: [f.get(name) for f in self.fields[rows]] for name in self.columns}
        return pd.DataFrame({"structure": object_array(items)} | beside, ids[rows], dtype=object)

    def _with_line(self, failure):
        line = self.lines[failure.index]
        reason = failure.reason if line is None else f"line {line}: {failure.reason}"
        return failure._replace(reason=reason)


def read_files(paths, columns=(), taken=()):
    """Read the crystals in files, folders and tables, with the reasons of those that are unusable.

    A table of formulas gives ``Composition`` objects, and so does text in place of a path. With
    `columns` a file of JSON is a table too, and a crystal that comes from no table has no numbers;
    a ValueError says if there is no such column. Ids that are equal are told apart; a POSCAR whose
    name is `taken` has its path as id.
    """
    is_table = _has_columns if columns else is_table_file
    if columns and not any(map(is_table, paths)):
        raise ValueError(
            f"{paths[0]} has no columns {list(columns)}: expected a table of crystals (.csv, "
            ".parquet, .json, .jsonl), with a column 'file' or 'structure' and these columns."
        )
    parts, files = [], []
    for path in paths:
        if isinstance(path, Path) and is_table(path):
            parts += [*_read_plain(files, taken), _read_table(path)]
            files = []
        elif isinstance(path, Path) and path.is_dir():
            files += structure_files(path)
        else:
            files.append(path)
    found = _joined([*parts, *_read_plain(files, taken)], tuple(columns))
    if columns:
        rows = [CrystalRow(None, "", None, fields) for fields in found.fields]
        names = list(dict.fromkeys(name for row in rows for name in row.fields))
        check_columns(
            ", ".join(path.name for path in paths), CrystalTable(names, rows, []), columns
        )
    return found


def _has_columns(path):
    return is_table_file(path) or path.suffix.lower() in (".json", ".jsonl", ".ndjson")


def _read_plain(files, taken):
    """Read files that are no tables; a POSCAR in a folder of its own says little by its name."""
    known = [f for f in files if isinstance(f, Path) and is_poscar(f) and f.name in taken]
    others = [file for file in files if file not in known]
    for some in (others, {str(path): path for path in known}):
        found = check_structures(some, on_error="nan", formulas=True)
        n = len(found.ids)
        yield Found(found, [{}] * n, [None] * n)


def _read_table(path):
    """Read a table; one that cannot be used as a whole is one row with the reason."""
    try:
        table = read_crystals(path, formulas=True)
    except (ValueError, OSError) as error:
        bad = pd.Series([error], [path.name], dtype=object)
        return Found(check_structures(bad, on_error="nan"), [{}], [None])
    rows = table.in_order()
    items = pd.Series([row.crystal for row in rows], [row.id for row in rows], dtype=object)
    found = check_structures(items, on_error="nan", formulas=True)
    return Found(found, [row.fields for row in rows], [row.line for row in rows])


def _joined(parts, columns):
    """Put several parts one after another, and tell equal ids apart."""
    parts = [part for part in parts if len(part)]
    labels = [str(id_) for part in parts for id_ in part.crystals.ids]
    ids = all_ids([Name(label=label) for label in labels]) if len(parts) > 1 else labels
    structures, failures, fields, lines = [], [], [], []
    for part in parts:
        first = len(fields)
        rows = [(first + failure.index, failure.reason) for failure in part.crystals.failures]
        failures += [Failure(row, ids[row], reason) for row, reason in rows]
        structures += list(part.crystals.structures)
        fields += part.fields
        lines += part.lines
    found = Structures(object_array(structures), object_array(ids), failures)
    return Found(found, fields, lines, columns)
