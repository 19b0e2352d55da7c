import multiprocessing
import signal
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


def write_many(folder, start):
    for k in range(start, start + 50):
        DiskStore(folder).put("s", vectors([k]))


def test_several_processes_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=write_many, args=(tmp_path, 50 * i)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert len(DiskStore(tmp_path).get("s", map(str, range(150)))) == 150


@pytest.mark.posix
def test_kill_during_a_write(tmp_path):
    """A writer killed at any moment leaves whole vectors and a store that works."""
    code = (
        "import sys, numpy as np; from skcfgp.features.store import DiskStore\n"
        "store = DiskStore(sys.argv[1]); k = 0\n"
        "while True:\n"
        "    store.put('s', {str(i): np.full(1000, i, np.float32) for i in range(k, k + 50)})\n"
        "    print(k := k + 50, flush=True)\n"
    )
    done = 0
    for delay in (0.0, 0.003, 0.01, 0.03):
        command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            acknowledged = [50, *map(int, process.stdout.read().split())][-1]
        done = max(done, acknowledged)
        found = DiskStore(tmp_path).get("s", map(str, range(done + 1000)))
        assert len(found) >= done
        assert all((vector == float(key)).all() for key, vector in found.items())
        assert all(len(vector) == 1000 for vector in found.values())


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
