"""Measure how processor time and memory grow with the number of labels and the size of the pool.

    python docs/scripts/growth.py [--labels 500 ... --pools 1000 ... --out docs/images/growth]

Writes a figure (``.png``) and the numbers (``.csv``). Each point is a process of its own with one
BLAS thread; time is processor time, the least of the repeats, and memory is the peak of the process
less what it took after the imports: data, process and work. The latent vectors are synthetic: 32
wide, clustered. Exponents are least-squares slopes, in logarithms, over the larger half of the
sizes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from skcfgp import GaussianProcessRegressor
from skcfgp.kernels import Laplacian
from skcfgp.query import plan
from skcfgp.reproduction.learning import synthetic_vectors

KERNEL = Laplacian(0.4281, 2.3997)
N_LABELS = 1800  # while the pool grows
WORK = {
    "fit": ("fit, with hyper-parameters", "labels"),
    "partial_fit": ("partial_fit of one row", "labels"),
    "predict": ("predict 1,000 with std", "labels"),
    "predict_pool": ("predict the pool with std", "pool"),
    "plan": ("plan 100 queries", "pool"),
}


def memory(key):
    """Return a figure of this process (VmHWM, VmRSS), in GB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(key + ":")[1].split()[0]) / 1e6


def measure(work, size, repeats):
    """Do the work, print seconds and gigabytes."""
    before = memory("VmRSS")
    n, extra = (size, 1000 + repeats) if WORK[work][1] == "labels" else (N_LABELS, size)
    X, y = synthetic_vectors(n + extra)
    labelled, rest = (X[:n], y[:n]), X[n:]
    gp = GaussianProcessRegressor(KERNEL, optimizer=None)
    if work == "fit":
        gp.set_params(optimizer="fmin_l_bfgs_b")
    else:
        gp.fit(*labelled)
    if work == "partial_fit":
        gp.partial_fit(rest[-1:], y[-1:])  # the storage grows once in a while, not each time
    run = {
        "fit": lambda k: gp.fit(*labelled),
        "partial_fit": lambda k: gp.partial_fit(rest[k : k + 1], y[n + k : n + k + 1]),
        "predict": lambda k: gp.predict(rest[:1000], return_std=True),
        "predict_pool": lambda k: gp.predict(rest, return_std=True),
        "plan": lambda k: plan(gp, rest, 100),
    }[work]
    seconds = []
    for k in range(repeats):
        start = time.process_time()
        run(k)
        seconds.append(time.process_time() - start)
    print(json.dumps({"cpu_s": min(seconds), "peak_gb": memory("VmHWM") - before}))


def slope(sizes, values):
    """Fit the exponent over the larger half of the sizes."""
    half = min(len(sizes) // 2, len(sizes) - 2)
    return np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)[0]


def figure(table, path):
    fig, axes = plt.subplots(2, 2, figsize=(9, 7.5), sharex="col", layout="constrained")
    for column, kind in enumerate(["labels", "pool"]):
        for row, values in enumerate(["cpu_s", "peak_gb"]):
            axis = axes[row, column]
            for work, part in table[table.grows == kind].groupby("work", sort=False):
                exponent = slope(part["size"].to_numpy(), part[values].to_numpy())
                text = f"{WORK[work][0]}: exponent {exponent:.2f}"
                axis.loglog(part["size"], part[values], "o-", label=text)
            axis.grid(alpha=0.3)
            low, high = axis.get_ylim()
            axis.set_ylim(low, high * (high / low) ** 0.35)  # room for the legend
            axis.legend(loc="upper left", fontsize=9)
    axes[0, 0].set_ylabel("processor time, one thread (s)")
    axes[1, 0].set_ylabel("peak memory (GB)")
    axes[1, 0].set_xlabel("labels")
    axes[1, 1].set_xlabel(f"points in the pool, {N_LABELS:,} labels")
    sizes = sorted(set(table["size"][table.grows == "labels"]))
    axes[1, 0].set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes[1, 0].minorticks_off()
    fig.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, nargs="+", default=[500, 1000, 2000, 4000, 8000])
    pools = [1000, 3000, 10_000, 30_000, 100_000, 300_000]
    parser.add_argument("--pools", type=int, nargs="+", default=pools)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "images" / "growth")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        work, size, repeats = arguments.measure
        warnings.simplefilter("ignore")
        return measure(work, int(size), int(repeats))
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(threads, "1")
    rows = []
    for work, (_, kind) in WORK.items():
        for size in arguments.labels if kind == "labels" else arguments.pools:
            repeats = 5 if work == "partial_fit" else 3 if size <= 3000 else 1
            command = [sys.executable, __file__, "--measure", work, str(size), str(repeats)]
            output = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
            rows.append({"work": work, "grows": kind, "size": size, **json.loads(output.stdout)})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(arguments.out.with_suffix(".csv"), index=False, float_format="%.4g")
    figure(table, arguments.out.with_suffix(".png"))
    return None


if __name__ == "__main__":
    main()
