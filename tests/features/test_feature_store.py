import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest

from skcfgp.features.store import OVERHEAD, DiskStore, MemoryStore, look_up


def vectors(keys):
    return {f"{k}": np.full(4, k, dtype=np.float32) for k in keys}


@pytest.mark.parametrize("make", [lambda folder: MemoryStore(), DiskStore])
def test_get_what_was_put(make, tmp_path):
    store = make(tmp_path)
    store.put("net/layer", vectors(range(1000)))
    for n in (3, 900):
        found = store.get("net/layer", [*map(str, range(n)), "unknown"])
        assert sorted(found) == sorted(map(str, range(n)))
        np.testing.assert_array_equal(found["2"], [2, 2, 2, 2])
    assert store.get("other/layer", ["2"]) == {}


def test_memory_is_bounded():
    store = MemoryStore(max_bytes=(16 + OVERHEAD) * 10)
    store.put("s", vectors(range(10)))
    store.get("s", ["0"])
    store.put("s", vectors([10]))
    found = store.get("s", map(str, range(11)))
    assert "0" in found
    assert "1" not in found
    assert len(found) == 10
    store.put("s", dict(zip("abc", np.ones((3, 4), dtype=np.float32), strict=True)))
    assert store.get("s", ["a"])["a"].base is None  # which no bound would count


def test_disk_store_outlives_the_object(tmp_path):
    DiskStore(tmp_path / "a" / "b").put("s", vectors([1]))
    assert "1" in DiskStore(tmp_path / "a" / "b").get("s", ["1"])


def test_looking_up_many_does_not_read_the_whole_store(tmp_path):
    """A look-up takes time in proportion to what is asked for, not to what is there."""
    store = DiskStore(tmp_path)
    store.put("s", {str(k): np.zeros(32, np.float32) for k in range(100_000)})

    def seconds(n):
        def once():
            start = time.perf_counter()
            assert len(store.get("s", map(str, range(n)))) == n
            return time.perf_counter() - start

        return min(once() for _ in range(3))

    assert seconds(600) < seconds(100_000) / 5


def test_stores_are_looked_up_in_order(tmp_path):
    first, second = MemoryStore(), DiskStore(tmp_path)
    first.put("s", vectors([1]))
    second.put("s", vectors([2]))
    assert sorted(look_up([first, second], "s", ["1", "2", "3"])) == ["1", "2"]
    assert sorted(first.get("s", ["1", "2", "3"])) == ["1", "2"]  # it keeps what the other had
    first.clear()
    assert first.get("s", ["1"]) == {}


# Processes are forked by one that has imported the store, since an import takes seconds.
WRITERS = """
import os, signal, sys, time
import numpy as np
from skcfgp.features.store import DiskStore

def fork(write):
    if not (process := os.fork()):
        write()
        os._exit(0)
    return process

"""


def run_writers(code, folder):
    command = [sys.executable, "-W", "ignore", "-c", WRITERS + code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_several_processes_write_at_once(tmp_path):
    code = """
def write_many(start):
    for k in range(start, start + 50):
        DiskStore(sys.argv[1]).put("s", {str(k): np.full(4, k, np.float32)})

writers = [fork(lambda start=start: write_many(start)) for start in (0, 50, 100)]
for writer in writers:
    assert os.waitpid(writer, 0)[1] == 0
"""
    run_writers(code, tmp_path)
    found = DiskStore(tmp_path).get("s", map(str, range(150)))
    assert len(found) == 150
    assert all((vector == float(key)).all() for key, vector in found.items())


@pytest.mark.posix
def test_kill_during_a_write(tmp_path):
    """A writer killed at any moment leaves whole vectors and a store that works."""
    code = """
def write(pipe):
    store, k = DiskStore(sys.argv[1]), 0
    while True:
        store.put("s", {str(i): np.full(1000, i, np.float32) for i in range(k, k + 50)})
        os.write(pipe, f"{(k := k + 50)} ".encode())

for delay in (0.0, 0.003, 0.01, 0.03):
    read, pipe = os.pipe()
    writer = fork(lambda: write(pipe))
    os.close(pipe)
    acknowledged = os.read(read, 9)
    time.sleep(delay)
    os.kill(writer, signal.SIGKILL)
    while more := os.read(read, 4096):
        acknowledged += more
    done = int(acknowledged.split()[-1])
    found = DiskStore(sys.argv[1]).get("s", map(str, range(done + 1000)))
    assert len(found) >= done
    assert all((vector == float(key)).all() for key, vector in found.items())
    assert all(len(vector) == 1000 for vector in found.values())
    print(done)
"""
    acknowledged = list(map(int, run_writers(code, tmp_path).split()))
    assert len(acknowledged) == 4
    assert min(acknowledged) >= 50


def test_unusable_folder(tmp_path):
    (tmp_path / "features.sqlite").write_text("this is not a database, but long enough" * 50)
    with pytest.raises(OSError, match=r"features.sqlite cannot be used"):
        DiskStore(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        DiskStore(tmp_path / "file")


@pytest.mark.parametrize("blob", ["text", 7, None, b"", b"abc", np.float32("nan").tobytes()])
def test_a_damaged_vector_is_not_taken(tmp_path, blob):
    store = DiskStore(tmp_path)
    store.put("s", vectors([1]))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE vectors SET vector = ?", [blob])
    with pytest.raises(OSError, match=r"features\.sqlite is damaged"):
        store.get("s", ["1"])


@pytest.mark.network
def test_a_vector_of_another_width_is_not_taken(salt, tmp_path):
    from skcfgp import MEGNetFeaturizer
    from skcfgp.features.store import memory

    featurizer = MEGNetFeaturizer("formation_energy_1800", cache_dir=tmp_path, verbose=0)
    featurizer.fit_transform([salt])
    memory.clear()
    with closing(sqlite3.connect(tmp_path / "features.sqlite")) as connection, connection:
        connection.execute("UPDATE vectors SET vector = ?", [np.ones(3, np.float32).tobytes()])
    with pytest.raises(OSError, match="a vector has not 32 numbers"):
        featurizer.transform([salt])
    memory.clear()
