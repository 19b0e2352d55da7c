"""Where the records of a chunk stand, so that whoever needs them can read them.

To cut a file of Parquet takes its metadata, and one of JSON lines a look for the ends of lines. A
worker then reads its own rows or bytes, and nothing passes through the process that cuts. Other
files are small, or are read as a whole, and their records are in the chunk.
"""

import threading
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..structures.agreement import TOLD
from ..structures.bounds import bounded_lines
from ..structures.crystal_tables import FilesBeside, find_content
from ..structures.ids import own_id
from ..structures.keys import ARRAYS, KEYS, MATERIAL_KEYS, PATH_KEYS
from ..structures.tables import INDEX

#: Rows of a Parquet file that are held, and bytes of a column that are read, at a time.
BATCH, BUFFER = 1000, 2**20

#: Columns of Parquet that are read.
CONTENT = {*KEYS, *MATERIAL_KEYS, *PATH_KEYS, *ARRAYS, *TOLD, INDEX}

#: The file of Parquet that a thread read last, since it will go on there.
_OPEN = threading.local()


class TableRow(NamedTuple):
    """A row of a table: its content, which `as_crystal` takes, and all its fields."""

    content: object
    fields: dict


def of_table(id_, content, fields):
    """Return the id and the record of a row, of which the content may be an error."""
    return id_, content if isinstance(content, Exception) else TableRow(content, fields)


class Lines(NamedTuple):
    """`n` lines of a file, blank ones not counted, from the line `first` on, at a byte."""

    path: Path
    name: str
    first: int
    n: int
    start: int

    def read(self, columns):
        """Yield id and text of each line."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            for number, line in enumerate(islice(filled(file), self.n), self.first):
                yield f"{self.name}:{number}", line


class Rows(NamedTuple):
    """`n` rows of a file of Parquet from the row `first` on."""

    path: Path
    name: str
    first: int
    n: int

    def read(self, columns):
        """Yield id and content of each row."""
        stat = self.path.stat()
        key = self.path, stat.st_size, stat.st_mtime_ns, tuple(columns)
        file = getattr(_OPEN, "file", None)
        if file is None or file.key != key:
            _OPEN.file = file = _Parquet(key, self.path, columns)
        beside = FilesBeside(self.path.parent)
        for number, row in enumerate(file.rows(self.first, self.n), self.first):
            if INDEX in row and own_id(row) is None:
                row["id"] = row[INDEX]
            yield of_table(*find_content(row, beside, f"{self.name}:{number}"), row)
        if self.first + self.n == file.starts[-1]:
            _OPEN.file = None
            file.close()


class _Parquet:
    """An open file of Parquet that goes on where it was, or at the row group of a row."""

    def __init__(self, key, path, columns):
        from pyarrow.parquet import ParquetFile

        self.key = key
        self._file = ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)  # else it is kept
        names, metadata = self._file.schema_arrow.names, self._file.metadata
        self._columns = [name for name in names if name in CONTENT]
        if not self._columns:
            raise ValueError(
                f"{path} needs a column 'structure', 'file', 'formula' or 'id', or {ARRAYS}; it "
                f"has {names}."
            )
        self._columns += [c for c in names if c in columns and c not in self._columns]
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self.starts = np.cumsum([0, *sizes])
        self._batch, self._row, self._batches = None, -1, iter(())

    def close(self):
        self._batch, self._batches = None, iter(())
        self._file.close()

    def rows(self, first, n):
        """Yield so many rows, each as a dict."""
        group = int(np.searchsorted(self.starts, first, side="right")) - 1
        if not max(self.starts[group], 0) <= self._row <= first:
            groups = range(group, len(self.starts) - 1)
            self._batches = self._file.iter_batches(BATCH, row_groups=groups, columns=self._columns)
            self._batch, self._row = None, int(self.starts[group])
        while n:
            if self._batch is None:
                self._batch = next(self._batches)
            skipped = first - self._row
            some = self._batch.slice(skipped, n)
            yield from some.to_pylist()
            first, n = first + len(some), n - len(some)
            if first >= self._row + len(self._batch):
                self._row, self._batch = self._row + len(self._batch), None


def cut_rows(path, name, columns):
    """Return a function that takes the next records of a file of Parquet, at most so many."""
    file, first = _Parquet(None, path, columns), 0
    n_rows = int(file.starts[-1])
    file.close()

    def take(n):
        nonlocal first
        part = Rows(path, name, first, min(n, n_rows - first))
        first += part.n
        return [part] if part.n else []

    return take


def cut_lines(path, name, columns):
    """Return a function that takes the next records of a file of JSON lines, at most so many."""
    first, start = 0, 0

    def take(n):
        nonlocal first, start
        with path.open("rb") as file:
            file.seek(start)
            found = sum(1 for _ in islice(filled(file), n))
            part = Lines(path, name, first, found, start)
            first, start = first + found, file.tell()
        return [part] if found else []

    return take


def cut_records(read):
    """Return what makes such a function of a generator of ids and records."""

    def cut(path, name, columns):
        records = read(path, name, columns)
        return lambda n: list(islice(records, n))

    return cut


def filled(file):
    """Yield the lines of a binary file that are not blank."""
    return (line for line in bounded_lines(file) if not line.isspace())
