"""Measure the speed of `predict_pool` and its memory as the pool and the workers grow.

Run in the root of the checkout:

    python docs/scripts/measure_screening.py FOLDER 10000,1 100000,1 10000,2 100000,2 300000,2
    python docs/scripts/measure_screening.py FOLDER tables

Each pair is a number of crystals and of workers; 1 is this process without Dask. A pair that stands
in docs/data/screening_growth.csv already is left out, so a run that was stopped goes on. The second
command draws the figure and writes the tables of docs/scale.rst. The pools, which stay in FOLDER,
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

DATA = Path("docs/data")
TABLE = DATA / "screening_growth.csv"
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
    written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
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
        "pool_bytes": pool.stat().st_size,
        "predictions_bytes": written,
    }


def processor_seconds():
    """Time on the processor of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


#: Columns of the table in the docs.
COLUMNS = {
    "crystals": "crystals",
    "workers": "workers",
    "seconds": "seconds",
    "first_chunk_s": "first chunk after (s)",
    "crystals_per_s": "crystals per second",
    "processor_s": "processor time (s)",
    "peak_mib_here": "peak memory here (MiB)",
    "peak_mib_largest_worker": "largest worker (MiB)",
}


def read():
    with TABLE.open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def write_tables(rows):
    """Write the table of growth, and what its largest run with two workers says of larger pools."""
    rows = sorted(rows, key=lambda row: (row["workers"], row["crystals"]))
    with (DATA / "screening_table.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS.values())
        table.writerows([f"{row[key]:,.12g}" for key in COLUMNS] for row in rows)
    last = max((row for row in rows if row["workers"] == 2), key=lambda row: row["crystals"])
    names = ("processor_s", "pool_bytes", "predictions_bytes")
    seconds, pool, predictions = (last[name] / last["crystals"] for name in names)
    with (DATA / "screening_extrapolation.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["crystals", "core hours", "hours on 1000 cores", "pool", "predictions"])
        for power in (9, 11):
            hours = seconds * 10**power / 3600
            sizes = [f"{size * 10**power / 1e12:.2g} TB" for size in (pool, predictions)]
            table.writerow(
                [f":math:`10^{{{power}}}`", f"{hours:,.0f}", f"{hours / 1000:,.1f}", *sizes]
            )


def draw(rows):
    """Draw the figure."""
    import matplotlib.pyplot as plt

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
    if pairs == ["tables"]:
        write_tables(read())
        draw(read())
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
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
