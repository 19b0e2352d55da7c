"""What a campaign is begun with: crystals from files and tables, and labels that are known."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from ..structures import Structures, check_structures
from .results import (
    ID_COLUMNS,
    Refusal,
    Result,
    check_results,
    find_value_column,
    read_table,
    result_of_row,
)
from .state import State

__all__ = ["Pool", "read_labelled", "read_pool"]

TABLES = (".csv", ".csv.txt")
PATH_COLUMNS = ("file", "path", "structure")


@dataclass
class Pool:
    """Crystals that can be used, and what was said of those that cannot.

    Attributes
    ----------
    ids : list of str
    structures : list of Structure or Crystal
    columns : list of dict
        Other columns of the table that each came from.
    refused : list of Refusal
    taken : set of str
        Ids that no other crystal may have.
    """

    ids: list = field(default_factory=list)
    structures: list = field(default_factory=list)
    columns: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    taken: set = field(default_factory=set)

    def append(self, id_, structure, columns=None, line=None):
        """Add a crystal; its id becomes text, and one that is there already is refused."""
        id_ = str(id_)
        as_stored = id_.encode(errors="replace").decode()
        if not id_.strip() or id_ != id_.strip() or "\n" in id_ or id_ != as_stored:
            self.refuse(id_, "an id must be Unicode text on one line", line)
        elif id_ in self.taken:
            self.refuse(id_, "there are two crystals of this id", line)
        else:
            self.taken.add(id_)
            self.ids.append(id_)
            self.structures.append(structure)
            self.columns.append(columns or {})

    def refuse(self, id_, reason, line=None):
        """List what cannot be used."""
        self.refused.append(Refusal(line, str(id_), " ".join(reason.split())))

    def refuse_rows(self, reasons):
        """Move crystals that came in, by position, to what cannot be used."""
        for row in sorted(reasons):
            self.refuse(self.ids[row], reasons[row])
        for name in ("ids", "structures", "columns"):
            left = [x for row, x in enumerate(getattr(self, name)) if row not in reasons]
            setattr(self, name, left)

    def check_not_empty(self):
        """Raise if no crystal can be used, and say why."""
        if not self.ids:
            reasons = "".join(f"\n  {refusal}" for refusal in self.refused[:20])
            raise ValueError(f"there is no crystal that can be used.{reasons}")


def read_pool(source, known=()):
    """Read crystals.

    Parameters
    ----------
    source : DataFrame, Structures or sequence of str, Path, Structure, ...
        A DataFrame with a column ``structure``; or a list of files and folders, among them CSV
        files with a column ``file``, ``path`` or ``structure`` of paths relative to the CSV; or
        whatever else `skcfgp.structures.check_structures` takes.
    known : sequence of str
        Ids that are taken.

    Returns
    -------
    Pool
        Without the crystals that cannot be used, which it lists.
    """
    pool = Pool(taken=set(known))
    if isinstance(source, str | Path):
        source = [source]
    if hasattr(source, "columns") and "structure" in source.columns:
        _read_frame(source, pool)
    elif isinstance(source, list | tuple) and all(isinstance(s, str | Path) for s in source):
        for path in map(Path, source):
            if path.name.lower().endswith(TABLES):
                _read_table(path, pool)
                continue
            found = _check(path if path.is_dir() else [path])
            if found.ids.tolist() == [path.name] and path.name in pool.taken:
                found = found._replace(ids=[str(path)])  # POSCAR in several folders
            _append_found(pool, found)
    else:
        _append_found(pool, source if isinstance(source, Structures) else _check(source))
    return pool


def read_labelled(source, pool, target, unit):
    """Read the labels that are known at the beginning.

    Parameters
    ----------
    source : Path, str, dict or Series
        A CSV with a column ``id``, one of values and, where the crystals are not in the pool, one
        of paths; or values by id.
    pool : Pool
        Crystals of the labels that it does not hold are added to it.
    target, unit : str

    Returns
    -------
    list of (str, float)

    Raises
    ------
    ValueError
        Naming each row that cannot be used.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        rows, refused = read_table(path)
        columns = list(rows[0][1]) if rows else []
        if not rows and not refused:
            raise ValueError(f"{path} holds no labels.")
        if not set(columns) & {*ID_COLUMNS, *PATH_COLUMNS}:
            raise ValueError(f"{path}: expected a column 'id' or 'file', got {columns}.")
        value_column = find_value_column(path, columns, target)
        results = []
        for line, row in rows:
            if _row_id(row) not in pool.taken and _row_path(row):
                _append_row(pool, path, line, row)
            results.append(result_of_row(line, _row_id(row), row, value_column))
    else:
        path, refused = "labelled", []
        results = [Result(None, str(id_), value) for id_, value in source.items()]
    reasons = {r.id: r.reason for r in pool.refused if r.id not in pool.taken}
    refused += [Refusal(r.line, r.id, reasons[r.id]) for r in results if r.id in reasons]
    results = [result for result in results if result.id not in reasons]
    new, failed, _, more = check_results(results, State(ids=pool.ids, settings={"unit": unit}))
    refused += more
    refused += [Refusal(None, id_, f"it has failed: {reason}") for id_, reason in failed]
    if refused:
        lines = "\n".join(f"  {refusal}" for refusal in refused[:20])
        raise ValueError(f"{path}: {len(refused)} rows cannot be used:\n{lines}")
    return new


def _read_frame(frame, pool):
    name = next((name for name in ID_COLUMNS if name in frame.columns), None)
    ids = frame.index if name is None else frame[name]
    others = [column for column in frame.columns if column not in ("structure", name)]
    for id_, row in zip(ids, frame.to_dict("records"), strict=True):
        _append_one(pool, id_, row["structure"], {column: row[column] for column in others})


def _read_table(path, pool):
    rows, refused = read_table(path)
    pool.refused += [r._replace(id=f"{path.name}: {r.id}") for r in refused]
    if rows and _row_path(rows[0][1]) is None:
        raise ValueError(
            f"{path}: expected a column 'file' with the paths of crystals, got the columns "
            f"{list(rows[0][1])}."
        )
    for line, row in rows:
        _append_row(pool, path, line, row)


def _append_row(pool, table, line, row):
    _append_one(pool, _row_id(row), table.parent / _row_path(row), row, line)


def _append_one(pool, id_, item, columns, line=None):
    """Add the crystal of a row, of which a file must hold no other."""
    found = _check([item])
    if len(found.ids) != 1:
        pool.refuse(id_, f"{item} holds {len(found.ids)} crystals; one is needed", line)
    elif found.failures:
        pool.refuse(id_, found.failures[0].reason, line)
    else:
        pool.append(id_, found.structures[0], columns, line)


def _append_found(pool, found):
    reasons = {failure.index: failure.reason for failure in found.failures}
    for index, (id_, structure) in enumerate(zip(found.ids, found.structures, strict=True)):
        if index in reasons:
            pool.refuse(id_, reasons[index])
        else:
            pool.append(id_, structure)


def _row_path(row):
    return next((row[name] for name in PATH_COLUMNS if name in row), None)


def _row_id(row):
    name = next((row[name] for name in ID_COLUMNS if row.get(name)), None)
    return name or Path(_row_path(row) or "").name


def _check(source):
    with warnings.catch_warnings():
        # Digits and symmetries that the writer of a CIF left out, and what is refused by name.
        for about in ("Issues encountered while", "No _symmetry_equiv_pos", "No structure parsed"):
            warnings.filterwarnings("ignore", about)
        return check_structures(source, on_error="nan")
