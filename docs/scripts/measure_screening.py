"""Measure the speed of `predict_pool` and its memory as the pool and the workers grow.

Run in the root of the checkout:

    python docs/scripts/measure_screening.py FOLDER 10000,1 10000,2 100000,2
    python docs/scripts/measure_screening.py FOLDER figure
    python docs/scripts/measure_screening.py FOLDER feeding 2000

Each pair is a number of crystals and of workers; 1 is this process without Dask. A pair that stands
in docs/data/screening_growth.csv already is left out, so a run that was stopped goes on. The last
one measures the process that hands out chunks, beside two workers. The pools, which stay in FOLDER,
are made: crystals of the bundled formation energies with one element replaced by another one of the
data, volumes as they are. They are no crystals that anybody would look for.
"""

import csv
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skcfgp import make_cfgp
from skcfgp.datasets import load_formation_energy
from skcfgp.screening import Pool, predict_pool

TABLE = Path("docs/data/screening_growth.csv")
FIGURE = Path("docs/images/screening_growth.png")


def make_pool(path, prototypes, n, rng):
    """Write n crystals, a thousand at a time."""
    elements = np.unique(np.concatenate([s.atomic_numbers for s in prototypes]))
    writer, part = None, path.with_suffix(".part")
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
        writer = writer or pq.ParquetWriter(part, table.schema)
        writer.write_table(table)
    writer.close()
    part.rename(path)


def measure(folder, n, n_workers):
    """Screen one pool from the start; return a row of the table."""
    train = load_formation_energy(split="train", structures="arrays")
    pool, out = folder / f"pool-{n}.parquet", folder / f"out-{n}-{n_workers}"
    if not pool.exists():
        make_pool(pool, train.structures, n, np.random.default_rng(0))
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    n_read = sum(len(records) for _, records in Pool(pool).chunks(500))
    reading = time.perf_counter() - start
    model = make_cfgp("formation_energy_1800", recipe="paper values")
    model.fit(train.structures, train.target)
    begun = processor_seconds()
    start, times = time.perf_counter(), []
    found = predict_pool(
        model,
        pool,
        out,
        n_workers=n_workers,
        progress=lambda _: times.append(time.perf_counter()),
    )
    seconds = time.perf_counter() - start
    busy = processor_seconds() - begun
    own, largest = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    failed = sum(1 for _ in found.failures())
    shutil.rmtree(out)
    return {
        "crystals": n,
        "workers": n_workers,
        "not_used": failed,
        "seconds": round(seconds, 1),
        "first_chunk_s": round(times[0] - start, 1),
        "crystals_per_s": round(n / seconds),
        "after_first_chunk_per_s": round((n - 500) / (times[-1] - times[0])),
        "processor_s": round(busy, 1),
        "read_only_per_s": round(n_read / reading),
        "peak_mib_here": round(own),
        "peak_mib_largest_worker": round(largest) if n_workers > 1 else 0,
    }


def measure_feeding(folder, n):
    """Say what this process does for each chunk: of one crystal, so that it waits for nothing."""
    train = load_formation_energy(split="train", structures="arrays")
    pool, out, seconds = folder / f"pool-{n}.parquet", folder / "out-feeding", []
    if not pool.exists():
        make_pool(pool, train.structures, n, np.random.default_rng(0))
    model = make_cfgp(recipe="composition").fit(train.structures[:50], train.target[:50])
    shutil.rmtree(out, ignore_errors=True)
    begun = time.process_time()
    n_chunks = sum(1 for _ in Pool(pool).chunks(1))
    cutting = (time.process_time() - begun) / n_chunks
    options = {"n_workers": 2, "chunk_size": 1}
    predict_pool(
        model, pool, out, **options, progress=lambda _: seconds.append(time.process_time())
    )
    shutil.rmtree(out)
    half = len(seconds) // 2  # the workers import before
    a_chunk = (seconds[-1] - seconds[half]) / (len(seconds) - 1 - half)
    print(
        f"{1000 * a_chunk:.2f} ms of this process for a chunk, of which {1000 * cutting:.3f} ms to "
        f"cut the pool: with chunks of 500, {500 / a_chunk:,.0f} crystals a second"
    )


def processor_seconds():
    """Time on the processor of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def draw():
    """Draw the table."""
    import matplotlib.pyplot as plt

    with TABLE.open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    figure, (speed, memory) = plt.subplots(1, 2, figsize=(8, 3.2), constrained_layout=True)
    for n_workers, marker in ((1, "o"), (2, "s"), (4, "^")):
        some = sorted((r for r in rows if r["workers"] == n_workers), key=lambda r: r["crystals"])
        if not some:
            continue
        n = [row["crystals"] for row in some]
        label = f"{n_workers} worker{'s' if n_workers > 1 else ''}"
        busy = [1000 * r["processor_s"] / r["crystals"] for r in some]
        speed.plot(n, busy, marker=marker, label=label)
        total = [r["peak_mib_here"] + n_workers * r["peak_mib_largest_worker"] for r in some]
        memory.plot(n, np.divide(total, 1024), marker=marker, label=label)
    speed.set(
        ylabel="processor time a crystal (ms),\nstart of the workers included", ylim=(0, None)
    )
    memory.set(ylabel="peak memory, all processes (GiB)", ylim=(0, None))
    for axes in (speed, memory):
        axes.set(xscale="log", xlabel="crystals in the pool")
        axes.spines[["top", "right"]].set_visible(False)
    speed.legend(frameon=False)
    figure.savefig(FIGURE, dpi=150)


def main():
    folder, *pairs = sys.argv[1:]
    if pairs == ["figure"]:
        draw()
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if pairs[:1] == ["feeding"]:
        measure_feeding(folder, int(pairs[1]))
        return
    if "SKCFGP_MEASURE_ONE" in os.environ:  # a process of its own for each: its peak is its own
        row = measure(folder, *map(int, pairs[0].split(",")))
        new = not TABLE.exists()
        with TABLE.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)
        return
    for pair in pairs:
        done = TABLE.read_text().splitlines() if TABLE.exists() else []
        if not any(line.startswith(pair + ",") for line in done):
            subprocess.run(
                [sys.executable, __file__, str(folder), pair],
                env=os.environ | {"SKCFGP_MEASURE_ONE": "1"},
                check=True,
            )


if __name__ == "__main__":
    main()
