"""Pools of crystals on disk that are read a chunk at a time.

The reader cuts the pool into records and opens as little as it can: lines of text, rows of Parquet,
names of files. Making crystals of them is slow and left to `read_records`, which a worker calls.
"""

import hashlib
import itertools
import json
import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from ..structures import Crystal, Failure, Structures, object_array
from ..structures.ase import read_ase_database
from ..structures.checking import as_crystal
from ..structures.dictionaries import escaped
from ..structures.files import is_structure_file, read_structure_file

__all__ = ["Pool", "read_records"]

ARRAYS = ("lattice", "frac_coords", "atomic_numbers")
IDS = ("material_id", "id")

#: Rows of a Parquet file that are held, and bytes of a column that are read, at a time.
BATCH, BUFFER = 1000, 2**20


class Pool:
    r"""A pool of crystals in a file or a folder.

    Parameters
    ----------
    path : str or Path
        File of JSON lines (``.jsonl``), Parquet (``.parquet``), a database of ASE (``.db``), or any
        other structure file; or a folder of such files, which are read in the order of their
        names. Only the names of the files of a folder are held in memory.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a folder holds no structure file, or the format of a file is not known.

    Notes
    -----
    Parquet has a column ``structure`` (the text of pymatgen's ``Structure.as_dict()`` in JSON), or
    the columns ``lattice``, ``frac_coords`` (both in rows of three numbers, or flat) and
    ``atomic_numbers``. The id is in ``material_id`` or ``id``; without one it is the name of the
    file and the row, counted from 0.

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

    def __init__(self, path):
        self.path = Path(path).expanduser().resolve()
        if not self.path.exists():
            raise FileNotFoundError(f"there is no file or folder {path}.")
        if self.path.is_dir():
            names = sorted(entry.name for entry in os.scandir(self.path) if entry.is_file())
            self._names = [name for name in names if _is_known(name)]
            if not self._names:
                raise ValueError(f"the folder {self.path} holds no structure file.")
        elif _is_known(self.path.name):
            self._names = None
        else:
            raise ValueError(
                f"the format of {self.path.name} is not known: expected .jsonl, .parquet, .db or "
                "another structure file."
            )

    def digest(self):
        """Compute a digest of the names, sizes and times of change of the files.

        Returns
        -------
        str
        """
        digest = hashlib.blake2b(digest_size=16)
        for path in self._paths():
            stat = path.stat()
            digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def count(self):
        """Count the records; a structure file that is not read in rows is one record."""
        total = 0
        for path in self._paths():
            count = _COUNTS.get(path.suffix.lower())
            with _naming(path):
                total += 1 if count is None else count(path)
        return total

    def chunks(self, size):
        """Cut the pool into chunks of at most `size` records.

        Parameters
        ----------
        size : int
            Number of records in a chunk.

        Yields
        ------
        number : int
            Position of the chunk, counted from 0.
        records : list of (str, object)
            Id and record, for `read_records`.
        """
        records = self._records()
        for number in itertools.count():
            chunk = list(itertools.islice(records, size))
            if not chunk:
                return
            yield number, chunk

    def _paths(self):
        return [self.path] if self._names is None else (self.path / n for n in self._names)

    def _records(self):
        for path in self._paths():
            stream = _stream_of(path.name)
            if stream is None:
                yield path.name, path
                continue
            with _naming(path):
                yield from stream(path)


@contextmanager
def _naming(path):
    """Name the file that SQLite or Arrow could not read."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path} could not be read: {error}") from error


def read_records(records):
    """Make `Structures` of the records of a chunk; a file may hold several crystals."""
    crystals, ids, failures = [], [], []
    for id_, item in (row for record in records for row in _open(*record)):
        id_ = escaped(str(id_))
        try:
            if isinstance(item, Exception):
                raise item
            crystals.append(as_crystal(item, id_))
        except Exception as error:  # the parsers raise anything
            reason = escaped(str(error) or type(error).__name__)
            failures.append(Failure(len(ids), id_, reason))
            crystals.append(None)
        ids.append(id_)
    return Structures(object_array(crystals), object_array(ids), failures)


def _open(id_, record):
    """Yield (id, crystal or error) for each crystal of a record."""
    try:
        if isinstance(record, Path):
            yield from read_structure_file(record, id_)
        elif isinstance(record, str | bytes):
            content = json.loads(record)
            if not isinstance(content, dict):
                raise ValueError(f"expected an object in JSON, got {type(content).__name__}.")
            yield next((content[name] for name in IDS if content.get(name)), id_), content
        elif isinstance(record, dict):
            lattice, coords, numbers = (record[name] for name in ARRAYS)
            yield id_, Crystal(_rows_of_three(lattice), _rows_of_three(coords), numbers)
        else:
            yield id_, record
    except Exception as error:  # the parsers raise anything
        yield id_, error


def _rows_of_three(values):
    values = np.array(list(values), dtype=float)
    return values.reshape(-1, 3) if values.ndim == 1 else values


def _read_json_lines(path):
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if not line.isspace():
                yield f"{path.name}:{number}", line


def _read_parquet(path):
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:  # else it is kept whole
        names = file.schema_arrow.names
        id_column = next((name for name in IDS if name in names), None)
        columns = ["structure"] if "structure" in names else list(ARRAYS)
        if missing := [name for name in columns if name not in names]:
            raise ValueError(
                f"{path} needs a column 'structure', or {', '.join(ARRAYS)}: {missing} are "
                f"missing; it has {names}."
            )
        wanted, number = [*columns, *([id_column] if id_column else [])], 0
        for batch in file.iter_batches(BATCH, columns=wanted):
            for row in batch.to_pylist():
                id_ = row.pop(id_column) if id_column else None
                yield (
                    f"{path.name}:{number}" if id_ is None else str(id_),
                    row["structure"] if columns == ["structure"] else row,
                )
                number += 1


def _count_lines(path):
    with path.open("rb") as file:
        return sum(not line.isspace() for line in file)


def _count_parquet(path):
    from pyarrow.parquet import read_metadata

    return read_metadata(path).num_rows


def _count_database(path):
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM systems").fetchone()[0]


_COUNTS = {".jsonl": _count_lines, ".parquet": _count_parquet, ".db": _count_database}
_STREAMS = {".jsonl": _read_json_lines, ".parquet": _read_parquet, ".db": read_ase_database}


def _stream_of(name):
    """Return the reader of a file that is read in rows, or None."""
    return _STREAMS.get(Path(name).suffix.lower())


def _is_known(name):
    return _stream_of(name) is not None or is_structure_file(Path(name))
