"""Pools of crystals on disk that are read a chunk at a time.

The pool is cut into chunks, which say where their records stand: lines of text, rows of Parquet,
names of files. Reading them and making crystals of them is left to whoever uses the chunk.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..models.reading import Found
from ..structures import Failure, Structures, object_array
from ..structures.ase import read_ase_database
from ..structures.bounds import check_regular, expanded_name
from ..structures.checking import as_crystal, id_of
from ..structures.crystal_tables import find_crystals
from ..structures.documents import read_json_lines
from ..structures.files import is_structure_file, read_structure_file, structure_files
from ..structures.ids import Name, aliases, all_ids
from ..structures.io import escaped
from ..structures.outcomes import reason_of
from ..structures.tables import CSV, HEADERLESS, PARQUET, read_table
from ..structures.typing import FilePath
from .parts import BATCH, Lines, Rows, TableRow, cut_lines, cut_records, cut_rows, filled, of_table

#: Formats whose crystals have no id of their own.
NAMELESS = (".cif", ".mcif", ".vasp", ".poscar")


class Chunk:
    """Some records of a pool: where they stand, or the records themselves.

    Iterating reads and yields the id and the record of each.
    """

    def __init__(self, items, columns):
        self._items, self._columns = items, columns

    def __len__(self):
        return sum(_size(item) for item in self._items)

    def __iter__(self):
        for item in self._items:
            if isinstance(item, Lines | Rows):
                with _naming(item.path):
                    yield from item.read(self._columns)
            else:
                yield item

    def read(self):
        """Return a chunk that holds all its records, for who cannot read the files."""
        return Chunk(list(self), self._columns)


def _size(item):
    return item.n if isinstance(item, Lines | Rows) else 1


class Pool:
    r"""A pool of crystals in a file or a folder.

    Parameters
    ----------
    path : str or Path
        File of JSON lines (``.jsonl``), Parquet (``.parquet``), CSV (``.csv``), a database of ASE
        (``.db``), or any other structure file; or a folder of such files, which are read in the
        order of their names, or with an ``id_prop.csv`` by its rows. Only the names of the files of
        a folder, and the rows of a CSV, are held in memory.
    columns : sequence of str, default=()
        Columns of numbers beside the crystals that are read too.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a folder holds no structure file, or the format of a file is not known.

    Notes
    -----
    Parquet and CSV have a column ``structure`` (the text of a CIF, or of pymatgen's
    ``Structure.as_dict()`` in JSON), ``file`` (a path) or ``formula``; Parquet also ``lattice``,
    ``frac_coords`` (both in rows of three numbers, or flat) and ``atomic_numbers``. The id is in
    ``material_id``, ``id`` or ``jid``; without one it is the name of the file without its suffix
    and the row, counted from 0. A pool is not held in memory: ids that are in it twice are told
    apart by `predict_pool`, once all predictions are written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skcfgp.screening import Pool
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pool.jsonl")
    ...     _ = path.write_text('{"id": "a"}\n{"id": "b"}\n{"id": "c"}\n')
    ...     [(number, len(records)) for number, records in Pool(path).chunks(2)]
    [(0, 2), (1, 1)]
    """

    def __init__(self, path: FilePath, columns: Sequence[str] = ()) -> None:
        self.columns = tuple(columns)
        self.path = Path(path).expanduser().resolve()
        if not self.path.exists():
            raise FileNotFoundError(f"there is no file or folder {path}.")
        if (self.path / HEADERLESS).is_file():
            self._paths = [self.path / HEADERLESS]
        elif self.path.is_dir():
            self._paths = structure_files(self.path, _is_known_in_folder)
        elif _is_known(self.path):
            check_regular(self.path)
            self._paths = [self.path]
        else:
            raise ValueError(
                f"the format of {self.path.name} is not known: expected .jsonl, .parquet, .csv, "
                ".db or another structure file."
            )

    def digest(self) -> str:
        """Compute a digest of the names, sizes and times of change of the files.

        Returns
        -------
        str
        """
        digest = hashlib.blake2b(digest_size=16)
        for path in self._paths:
            stat, name = path.stat(), path.relative_to(self.path.parent)
            digest.update(f"{escaped(str(name))} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def read_in_rows(self) -> list[tuple[Path, int]]:
        """Return the files that chunks refer to, and their sizes in bytes."""
        files = [path for path in self._paths if _stream_of(path) in _CUT]
        return [(path, path.stat().st_size) for path in files]

    def count(self) -> int:
        """Count the records; a structure file that is not read in rows is one record."""
        total = 0
        for path in self._paths:
            stream = _stream_of(path)
            with _naming(path):
                total += 1 if stream is None else stream[1](path)
        return total

    def chunks(self, size: int) -> Iterator[tuple[int, Chunk]]:
        """Cut the pool into chunks of at most `size` records.

        Parameters
        ----------
        size : int
            Number of records in a chunk.

        Yields
        ------
        number : int
            Position of the chunk, counted from 0.
        records : Chunk
            Iterable of ids and records, for `read_records`. Those in files of Parquet and JSON
            lines are read by whoever iterates.
        """
        chunk, number, missing = [], 0, size
        for take, path in self._cut():
            while True:
                with _naming(path):
                    found = take(missing)
                if not found:
                    break
                chunk += found
                missing -= sum(map(_size, found))
                if not missing:
                    yield number, Chunk(chunk, self.columns)
                    chunk, number, missing = [], number + 1, size
        if chunk:
            yield number, Chunk(chunk, self.columns)

    def named(self, names: Sequence[str]) -> list[tuple[str, Any, dict[str, Any]]]:
        """Find all crystals that some names may mean.

        Parameters
        ----------
        names : list of str
            Ids, or names, stems or paths of files.

        Returns
        -------
        list of (str, object, dict)
            Id, crystal and numbers by column. The crystal is None where it cannot be used, or two
            have its id.
        """
        wanted, found = set().union(*map(aliases, names)), {}
        for id_, record in self._records():
            if isinstance(record, Path) and record.suffix.lower() in NAMELESS:
                if not aliases(id_) & wanted:
                    continue
            elif isinstance(record, TableRow | Exception) and not aliases(id_) & wanted:
                continue
            for own, crystal, fields in find_records([(id_, record)], self.columns).known():
                if aliases(own) & wanted:
                    found[own] = (None if own in found else crystal, fields)
        return [(id_, *rest) for id_, rest in found.items()]

    def _records(self):
        return itertools.chain.from_iterable(chunk for _, chunk in self.chunks(BATCH))

    def _cut(self):
        """Yield for each file the function that takes its next records, and its path."""
        names = all_ids([Name(path=path) for path in self._paths])
        files = []
        for name, path in zip(names, self._paths, strict=True):
            stream = _stream_of(path)
            if stream is None:
                files.append((name, path))
                continue
            if files:
                yield _take_from(files), files[0][1]
                files = []
            with _naming(path):
                take = stream[0](path, name, self.columns)
            yield take, path
        if files:
            yield _take_from(files), files[0][1]


def _take_from(records):
    records = iter(records)
    return lambda n: list(itertools.islice(records, n))


@contextmanager
def _naming(path):
    """Name the file that SQLite or Arrow could not read."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path} could not be read: {error}") from error


def read_records(records):
    """Make `Structures` of the records of a chunk; a file may hold several crystals."""
    return find_records(records).crystals


def find_records(records, columns=()):
    """Make `Found` of the records of a chunk: crystals, and columns beside them."""
    crystals, ids, failures, fields = [], [], [], []
    for id_, item, beside in (row for record in records for row in _open(*record)):
        try:
            if isinstance(item, Exception):
                raise item
            crystals.append(as_crystal(item, id_, formulas=True))
        except Exception as error:  # the parsers raise anything
            failures.append(Failure(len(ids), id_, reason_of(error)))
            crystals.append(None)
        ids.append(id_)
        fields.append({name: beside[name] for name in columns if name in beside})
    found = Structures(object_array(crystals), object_array(ids), failures)
    return Found(found, fields, [None] * len(ids), tuple(columns))


def _open(id_, record):
    """Yield the id, the record or the error, and the fields of each crystal of a record."""
    beside = None
    if isinstance(record, TableRow):
        found, beside = [(None, record.content)], record.fields
    elif isinstance(record, Path):
        found = _rows(lambda: read_structure_file(record))
    elif isinstance(record, bytes):
        found = _rows(lambda: read_json_lines(record.decode("utf-8-sig", "replace")))
    else:
        found = [(None, record)]
    for position, (own, item) in enumerate(found):
        within = id_ if len(found) == 1 else f"{id_}:{position}"
        own = id_of(item) if own is None and beside is None else own
        fields = item if beside is None and isinstance(item, dict) else beside or {}
        yield escaped(str(within if own is None else own)), item, fields


def _rows(read):
    """Read the rows of a file; an error ends them, and is the last."""
    found = []
    try:
        found.extend(read())
    except Exception as error:  # the parsers raise anything
        found.append((None, error))
    return found


def _read_database(path, name, columns):
    return read_ase_database(path)


def _read_csv(path, name, columns):
    for row in find_crystals(path).in_order():
        yield of_table(row.id, row.crystal, row.fields)


def _count_csv(path):
    return sum(map(len, read_table(path)))


def _count_lines(path):
    with path.open("rb") as file:
        return sum(1 for _ in filled(file))


def _count_parquet(path):
    from pyarrow.parquet import read_metadata

    return read_metadata(path).num_rows


def _count_database(path):
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM systems").fetchone()[0]


#: What cuts files that are read in rows, and what counts the rows, by the end of the name.
_STREAMS = {".db": (cut_records(_read_database), _count_database)}
_STREAMS |= dict.fromkeys((".jsonl", ".ndjson"), (cut_lines, _count_lines))
_STREAMS |= dict.fromkeys(PARQUET, (cut_rows, _count_parquet))
_STREAMS |= dict.fromkeys(CSV, (cut_records(_read_csv), _count_csv))

#: Those that workers read for themselves.
_CUT = ((cut_lines, _count_lines), (cut_rows, _count_parquet))


def _stream_of(path):
    """Return what cuts and what counts a file that is read in rows, or None."""
    name = _name(path)
    return next((found for end, found in _STREAMS.items() if name.endswith(end)), None)


def _name(path):
    """Return the name of a file in lower case; a CSV, which is read whole, may be compressed."""
    name = expanded_name(path).lower()
    return name if name.endswith(CSV) else path.name.lower()


def _is_known_in_folder(path):
    return not _name(path).endswith(CSV) and _is_known(path)  # labels, perhaps, beside crystals


def _is_known(path):
    return _stream_of(path) is not None or is_structure_file(path)
