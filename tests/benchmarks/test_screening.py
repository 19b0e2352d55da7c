"""The memory of the process that feeds the workers does not grow with the pool."""

import gc

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from skcfgp import make_cfgp
from skcfgp.datasets import load_formation_energy
from skcfgp.screening import predict_pool


def test_feeding_takes_the_same_memory_for_any_pool(tmp_path):
    train = load_formation_energy(split="train", structures="arrays")
    model = make_cfgp("formation_energy_1800", recipe="paper values")
    model.fit(train.structures[:200], train.target[:200])
    table = pa.table(
        {
            "lattice": [s.lattice.ravel() for s in train.structures],
            "frac_coords": [s.frac_coords.ravel() for s in train.structures],
            "atomic_numbers": [np.asarray(s.atomic_numbers) for s in train.structures],
        }
    )
    with pq.ParquetWriter(tmp_path / "pool.parquet", table.schema) as writer:
        for _ in range(25):
            writer.write_table(table)
    process, memory = psutil.Process(), []

    def progress(n):
        gc.collect()
        memory.append(process.memory_info().rss / 2**20)

    predict_pool(model, tmp_path / "pool.parquet", tmp_path / "out", n_workers=2, progress=progress)
    quarter = len(memory) // 4
    grown = max(memory) - max(memory[:quarter])
    print(
        f"\n{25 * len(table)} crystals: {max(memory):.0f} MiB, {grown:.0f} after the first quarter"
    )
    assert grown < 30
