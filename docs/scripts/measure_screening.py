"""Measure how fast `screen_pool` is, and how much memory it takes.

Run in the root of the checkout: python docs/scripts/measure_screening.py [crystals] [workers]

The pool is made: crystals of the bundled formation energies with one element replaced by another
one of the data, volumes as they are. They are no crystals that anybody would look for.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skcfgp import make_cfgp
from skcfgp.datasets import load_formation_energy
from skcfgp.screening import screen_pool


def make_pool(path, prototypes, n, rng):
    """Write n crystals, a thousand at a time."""
    elements = np.unique(np.concatenate([s.atomic_numbers for s in prototypes]))
    writer = None
    for start in range(0, n, 1000):
        rows = []
        for i in range(start, min(start + 1000, n)):
            crystal = prototypes[rng.integers(len(prototypes))]
            numbers = np.array(crystal.atomic_numbers)
            numbers[numbers == rng.choice(numbers)] = rng.choice(elements)
            rows.append(
                {
                    "id": f"made-{i}",
                    "lattice": crystal.lattice.ravel().tolist(),
                    "frac_coords": crystal.frac_coords.ravel().tolist(),
                    "atomic_numbers": numbers.tolist(),
                }
            )
        table = pa.Table.from_pylist(rows)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def main():
    n, n_workers = (int(value) for value in [*sys.argv[1:], "10000", "1"][:2])
    train = load_formation_energy(split="train", structures="arrays")
    model = make_cfgp("formation_energy_1800", recipe="paper values")
    model.fit(train.structures, train.target)
    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder, "pool.parquet")
        make_pool(pool, train.structures, n, np.random.default_rng(0))
        start, times = time.perf_counter(), []
        found = screen_pool(
            model,
            pool,
            Path(folder, "out"),
            n_workers=n_workers,
            progress=lambda _: times.append(time.perf_counter()),
        )
        seconds = time.perf_counter() - start
        failed = sum(1 for _ in found.failures())
        own, children = (
            resource.getrusage(who).ru_maxrss / 1024
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
    print(
        f"{n} crystals, {failed} not used, {n_workers} workers: {n / seconds:.0f} crystals/s, "
        f"first chunk after {times[0] - start:.1f} s; peak memory {own:.0f} MiB here, "
        f"{children:.0f} MiB in the largest worker; processor time "
        f"{time.process_time():.0f} s here"
    )


if __name__ == "__main__":
    main()
