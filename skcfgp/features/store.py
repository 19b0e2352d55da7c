"""Stores of vectors that were computed: in memory for this process, and on disk if wanted.

A space names the network (by digest) and the layers; a key is the digest of a crystal.
"""

import json
import sqlite3
from collections import OrderedDict
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

import numpy as np

__all__ = ["DiskStore", "MemoryStore", "look_up", "memory"]

#: Bytes that Python needs for a vector besides its numbers: array, key and place in the dictionary.
OVERHEAD = 360


class MemoryStore:
    """The vectors used last, up to a number of bytes; shared by the threads of one process."""

    def __init__(self, max_bytes=2**28):
        self.max_bytes = max_bytes
        self._vectors, self._bytes, self._lock = OrderedDict(), 0, Lock()

    def get(self, space, keys):
        """Return the vectors that are there, as a dict of str to ndarray."""
        found = {}
        with self._lock:
            for key in keys:
                if (vector := self._vectors.get((space, key))) is not None:
                    self._vectors.move_to_end((space, key))
                    found[key] = vector
        return found

    def put(self, space, vectors):
        """Keep vectors, a dict of str to 1-D ndarray; drop the least recently used."""
        with self._lock:
            for key, vector in vectors.items():
                vector = vector.copy()  # a view of a row would keep the whole array
                if (old := self._vectors.pop((space, key), None)) is not None:
                    self._bytes -= old.nbytes + OVERHEAD
                self._vectors[space, key] = vector
                self._bytes += vector.nbytes + OVERHEAD
            while self._bytes > self.max_bytes:
                self._bytes -= self._vectors.popitem(last=False)[1].nbytes + OVERHEAD

    def clear(self):
        """Forget all vectors."""
        with self._lock:
            self._vectors.clear()
            self._bytes = 0


#: The store of this process; its ``max_bytes`` can be set.
memory = MemoryStore()


class DiskStore:
    """Vectors in one SQLite file, ``features.sqlite``, of a folder, which is made if needed.

    Several processes may use the folder at once, and one may be killed at any moment: each write is
    a transaction. OSError if it cannot be used.
    """

    def __init__(self, folder):
        self.path = Path(folder).expanduser() / "features.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors "
                "(space TEXT, key TEXT, vector BLOB, PRIMARY KEY (space, key)) WITHOUT ROWID"
            )

    @contextmanager
    def _transaction(self):
        """Yield a connection for one transaction; an error of SQLite names the file."""
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
                connection.execute("BEGIN")
                yield connection
        except sqlite3.Error as error:
            raise OSError(f"the feature store {self.path} cannot be used: {error}.") from error

    def get(self, space, keys):
        """Return the vectors that are there, as a dict of str to ndarray."""
        query = (
            "SELECT key, vector FROM vectors "
            "WHERE space = ? AND key IN (SELECT value FROM json_each(?))"
        )
        with self._transaction() as connection:
            rows = connection.execute(query, (space, json.dumps(list(keys)))).fetchall()
        return {key: np.frombuffer(blob, dtype=np.float32) for key, blob in rows}

    def put(self, space, vectors):
        """Keep vectors, a dict of str to 1-D float32 ndarray."""
        rows = [
            (space, key, np.ascontiguousarray(vector, dtype=np.float32).tobytes())
            for key, vector in vectors.items()
        ]
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)


def look_up(stores, space, keys):
    """Get vectors from the first store that has each, and keep them in the stores before it."""
    vectors, missing = {}, set(keys)
    for position, store in enumerate(stores):
        found = store.get(space, missing) if missing else {}
        for earlier in stores[:position]:
            earlier.put(space, found)
        vectors |= found
        missing -= set(found)
    return vectors
