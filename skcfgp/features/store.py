"""Stores of computed vectors, in memory and optionally on disk.

A space names the network (by digest) and the layers; a key is the digest of a crystal.
"""

import json
import sqlite3
from collections import OrderedDict
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

import numpy as np

#: Bytes of a vector in memory besides its numbers: array, key and entry of the dictionary.
OVERHEAD = 360


class MemoryStore:
    """The most recently used vectors, up to a number of bytes; safe to use in several threads."""

    def __init__(self, max_bytes=2**28):
        self.max_bytes = max_bytes
        self._vectors, self._bytes, self._lock = OrderedDict(), 0, Lock()

    def get(self, space, keys):
        """Return the stored vectors among `keys`, as a dict of str to ndarray."""
        found = {}
        with self._lock:
            for key in keys:
                if (vector := self._vectors.get((space, key))) is not None:
                    self._vectors.move_to_end((space, key))
                    found[key] = vector
        return found

    def put(self, space, vectors):
        """Store a dict of str to 1-D ndarray; drop the least recently used vectors."""
        with self._lock:
            for key, vector in vectors.items():
                if (space, key) not in self._vectors:
                    self._vectors[space, key] = vector.copy()  # a view would keep its whole array
                    self._bytes += vector.nbytes + OVERHEAD
            while self._bytes > self.max_bytes:
                self._bytes -= self._vectors.popitem(last=False)[1].nbytes + OVERHEAD

    def clear(self):
        """Remove all vectors."""
        with self._lock:
            self._vectors.clear()
            self._bytes = 0


#: The store of this process; its ``max_bytes`` can be set.
memory = MemoryStore()


class DiskStore:
    """Vectors in ``features.sqlite`` in a folder, which is created if needed.

    Several processes may use it at once, and may be killed: each write is a transaction. OSError if
    it cannot be used.
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
        """Yield a connection for one transaction; errors name the file."""
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
                connection.execute("BEGIN")
                yield connection
        except sqlite3.Error as error:
            raise OSError(f"the feature store {self.path} cannot be used: {error}.") from error

    def get(self, space, keys):
        """Return the stored vectors among `keys`, as a dict of str to ndarray."""
        query = (
            "SELECT key, vector FROM vectors "
            "WHERE space = ? AND key IN (SELECT value FROM json_each(?))"
        )
        with self._transaction() as connection:
            rows = connection.execute(query, (space, json.dumps(list(keys)))).fetchall()
        return {key: self._vector(blob) for key, blob in rows}

    def _vector(self, blob):
        """Read a vector; OSError if it is not one, as in a file that was damaged or edited."""
        if isinstance(blob, bytes) and blob and len(blob) % 4 == 0:
            vector = np.frombuffer(blob, dtype=np.float32)
            if np.isfinite(vector).all():
                return vector
        raise OSError(
            f"the feature store {self.path} is damaged: it holds what is not a vector. Remove the "
            "file; the vectors are computed again."
        )

    def put(self, space, vectors):
        """Store a dict of str to 1-D float32 ndarray."""
        rows = [
            (space, key, np.ascontiguousarray(vector, dtype=np.float32).tobytes())
            for key, vector in vectors.items()
        ]
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)


def look_up(stores, space, keys):
    """Get each vector from the first store that has it, and put it into the stores before."""
    vectors, missing = {}, set(keys)
    for position, store in enumerate(stores):
        found = store.get(space, missing) if missing else {}
        for earlier in stores[:position]:
            earlier.put(space, found)
        vectors |= found
        missing -= set(found)
    return vectors
