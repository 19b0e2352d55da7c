"""The process that feeds two workers: what it does for a chunk, and its memory."""

import gc
import time

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skcfgp import make_cfgp
from skcfgp.datasets import load_formation_energy
from skcfgp.screening import predict_pool


@pytest.fixture(scope="module")
def train():
    return load_formation_energy(split="train", structures="arrays")


def write_pool(path, crystals, times=1):
    table = pa.table(
        {
            "lattice": [s.lattice.ravel() for s in crystals],
            "frac_coords": [s.frac_coords.ravel() for s in crystals],
            "atomic_numbers": [np.asarray(s.atomic_numbers) for s in crystals],
        }
    )
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(times):
            writer.write_table(table)
    return path


def test_feeding_a_chunk(train, tmp_path, benchmark):
    """Chunks of one crystal, so that the process waits for nothing; the start is not counted."""
    model = make_cfgp(recipe="composition").fit(train.structures[:50], train.target[:50])
    pool, seconds = write_pool(tmp_path / "pool.parquet", train.structures[:1000]), []
    options = {"n_workers": 2, "chunk_size": 1}
    options["progress"] = lambda n: seconds.append(time.process_time())
    benchmark.pedantic(predict_pool, (model, pool, tmp_path / "out"), options, rounds=1)
    half = len(seconds) // 2
    of_one = (seconds[-1] - seconds[half]) / (len(seconds) - 1 - half)
    benchmark.extra_info |= {"ours_cpu_s": round(of_one, 4), "crystals_per_s": round(500 / of_one)}
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    assert of_one < 0.05


def test_feeding_takes_the_same_memory_for_any_pool(train, tmp_path, benchmark):
    model = make_cfgp("formation_energy_1800", recipe="paper values")
    model.fit(train.structures[:200], train.target[:200])
    pool, n_crystals = write_pool(tmp_path / "pool.parquet", train.structures, 25), 25 * 1800
    process, memory, start = psutil.Process(), [], time.perf_counter()

    def progress(n):
        gc.collect()
        memory.append(process.memory_info().rss / 2**20)

    options = {"n_workers": 2, "progress": progress}
    benchmark.pedantic(predict_pool, (model, pool, tmp_path / "out"), options, rounds=1)
    wall = time.perf_counter() - start
    quarter = len(memory) // 4
    grown = max(memory) - max(memory[:quarter])
    benchmark.extra_info |= {"peak_gb": round(max(memory) * 2**20 / 1e9, 2)}
    benchmark.extra_info |= {"grown_mib": round(grown), "crystals_per_s": round(n_crystals / wall)}
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    assert grown < 30
