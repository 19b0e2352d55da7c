"""What a campaign is begun with: crystals from files and tables, and labels that are known."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from .results_file import ID_COLUMNS, Refusal, find_value_column, read_table

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
    """

    ids: list = field(default_factory=list)
    structures: list = field(default_factory=list)
    columns: list = field(default_factory=list)
    refused: list = field(default_factory=list)

    def append(self, id_, structure, columns=None):
        """Add a crystal; its id becomes text, and one that is there already is refused."""
        id_ = str(id_)
        if not id_.strip() or id_ != id_.strip() or "\n" in id_:
            self.refused.append(Refusal(None, id_, "an id must be text on one line"))
        elif id_ in self._known:
            self.refused.append(Refusal(None, id_, "there are two crystals of this id"))
        else:
            self._known.add(id_)
            self.ids.append(id_)
            self.structures.append(structure)
            self.columns.append(columns or {})

    def __post_init__(self):
        self._known = set(self.ids)


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
    pool = Pool()
    pool._known.update(known)
    if isinstance(source, str | Path):
        source = [source]
    if hasattr(source, "columns") and "structure" in source.columns:
        _read_frame(source, pool)
    elif isinstance(source, list | tuple) and all(isinstance(s, str | Path) for s in source):
        for path in map(Path, source):
            if path.name.lower().endswith(TABLES):
                _read_table(path, pool)
            else:
                _take(path if path.is_dir() else [path], pool)
    else:
        _take(source, pool)
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
    from .results_file import Result, check_results
    from .state import State

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
            id_ = _row_id(row)
            if id_ not in pool._known and _row_path(row):
                refused += _take_row(path, line, row, pool)
            unit_told = row.get("unit") or None
            results.append(Result(line, id_, row[value_column], unit_told, row.get("failed", "")))
    else:
        path, refused = "labelled", []
        results = [Result(None, str(id_), value) for id_, value in source.items()]
    state = State(ids=pool.ids, settings={"unit": unit})
    new, failed, _, more = check_results(results, state)
    told = {refusal.line for refusal in refused}
    refused += [r for r in more if r.line is None or r.line not in told]
    refused += [Refusal(None, id_, f"it has failed: {reason}") for id_, reason in failed]
    if refused:
        lines = "\n".join(f"  {refusal}" for refusal in refused[:20])
        raise ValueError(f"{path}: {len(refused)} rows cannot be used:\n{lines}")
    return new


def _read_frame(frame, pool):
    name = next((name for name in ID_COLUMNS if name in frame.columns), None)
    ids = frame.index if name is None else frame[name]
    others = [column for column in frame.columns if column not in ("structure", name)]
    records = frame[others].to_dict("records")
    found = _check(list(frame["structure"]))
    _append_found(pool, found, [str(id_) for id_ in ids], records)


def _read_table(path, pool):
    rows, refused = read_table(path)
    pool.refused += [r._replace(id=f"{path.name}: {r.id}") for r in refused]
    if rows and _row_path(rows[0][1]) is None:
        raise ValueError(
            f"{path}: expected a column 'file' with the paths of crystals, got the columns "
            f"{list(rows[0][1])}."
        )
    for line, row in rows:
        pool.refused += _take_row(path, line, row, pool)


def _take_row(table, line, row, pool):
    """Add the crystal of one row of a CSV; return why not, if so."""
    path, id_ = Path(_row_path(row) or ""), _row_id(row)
    found = _check([table.parent / path])
    n_before = len(pool.refused)
    if len(found.ids) != 1:
        return [Refusal(line, id_, f"{path} holds {len(found.ids)} crystals; one is needed")]
    _append_found(pool, found, [id_], [row])
    news = pool.refused[n_before:]
    del pool.refused[n_before:]
    return [refusal._replace(line=line) for refusal in news]


def _row_path(row):
    return next((row[name] for name in PATH_COLUMNS if name in row), None)


def _row_id(row):
    name = next((row[name] for name in ID_COLUMNS if row.get(name)), None)
    return name or Path(_row_path(row) or "").name


def _take(source, pool):
    from ..structures import Structures

    found = source if isinstance(source, Structures) else _check(source)
    ids = [str(id_) for id_ in found.ids]
    if isinstance(source, list | tuple) and len(source) == 1 and ids and ids[0] in pool._known:
        ids = [str(source[0])]  # POSCAR in several folders
    _append_found(pool, found, ids, [None] * len(ids))


def _append_found(pool, found, ids, records):
    failed = {failure.index: failure for failure in found.failures}
    for index, id_ in enumerate(ids):
        if index in failed:
            pool.refused.append(Refusal(None, id_, " ".join(failed[index].reason.split())))
        else:
            pool.append(id_, found.structures[index], records[index])


def _check(source):
    from ..structures import check_structures

    with warnings.catch_warnings():
        # Digits and symmetries that the writer of a CIF left out, and what is refused by name.
        for about in ("Issues encountered while", "No _symmetry_equiv_pos", "No structure parsed"):
            warnings.filterwarnings("ignore", about)
        return check_structures(source, on_error="collect")
