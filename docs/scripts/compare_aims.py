"""Look for the largest label by several strategies, from no label on.

    python docs/scripts/compare_aims.py [--out docs/data] [--seeds 5] [--labels 80]
        [--oxides oxides_10455.npz]

The candidates are those of ``compare_beginnings.py``, others for each seed; of the formation
energies of the oxides the smallest is looked for. The first ten labels are those of the initial
design, and the process is fitted again whenever the labels have grown by half. What random choice
finds follows from the number of candidates. Writes how many of the ten best were found, and after
how many labels the best was, to ``aims.csv``, and goes on from there if the file exists. Ten
minutes of one core, and as much again for the oxides.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from compare_beginnings import FORMATION, OXIDES, divide, load, process
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from skcfgp import simulate
from skcfgp.query import (
    expected_improvement,
    thompson_sampling,
    upper_confidence_bound,
)

PROPERTIES = ("log10 K_VRH", "log10 G_VRH", "log10 refractive index", "band gap")
STRATEGIES = {
    "expected improvement": expected_improvement,
    "upper confidence bound": upper_confidence_bound,
    "Thompson sampling": thompson_sampling,
}
SIZES = (20, 40, 80)
N_TOP = 10


def find(task, seed, label, n_labels):
    """Return a row: how many of the top ten were found when, and when the best was."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is no news here
    candidates, _, X = divide(task, seed)
    mode = "min" if task.name.endswith(FORMATION) else "max"
    y = task.y[candidates] if mode == "min" else -task.y[candidates]
    top = candidates[np.argsort(y, kind="stable")[:N_TOP]]
    n = len(candidates)
    row = {"property": task.name, "seed": seed, "strategy": label, "n_candidates": n}
    if label == "random":
        return row | {f"top_{size}": N_TOP * size / n for size in SIZES} | {"best": (n + 1) / 2}
    table = simulate(
        process(),
        X,
        task.y,
        initial=[],
        pool=candidates,
        n_cycles=n_labels,
        query_strategy=partial(STRATEGIES[label], mode=mode),
        random_state=seed,
    )
    order = np.concatenate([np.array(rows, dtype=int) for rows in table["indices"]])
    found = {f"top_{size}": np.isin(order[:size], top).sum() for size in SIZES}
    place = np.flatnonzero(order == top[0])
    return row | found | {"best": place[0] + 1 if len(place) else np.nan}


def main():
    """Write the table, print its means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=max(SIZES))
    parser.add_argument("--properties", nargs="+", default=list(PROPERTIES))
    parser.add_argument("--oxides", type=Path, help="file of the oxides, to look there too")
    arguments = parser.parse_args()
    names = [*arguments.properties, *(OXIDES if arguments.oxides else ())]
    file, key = arguments.out / "aims.csv", ["property", "seed", "strategy"]
    table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=key)
    done = set(table[key].itertuples(index=False, name=None))
    tasks = [load(name, arguments.oxides) for name in names]
    jobs = [
        delayed(find)(task, seed, label, arguments.labels)
        for seed in range(arguments.seeds)
        for task in tasks
        for label in ("random", *STRATEGIES)
        if (task.name, seed, label) not in done
    ]
    rows = table.to_dict("records")
    for row in Parallel(n_jobs=arguments.jobs, return_as="generator")(jobs):
        rows.append(row)
        table = pd.DataFrame(rows)
        table.to_csv(file, index=False, float_format="%.2f")
    groups = table.groupby(["property", "strategy"], sort=False)
    means = groups[[f"top_{size}" for size in SIZES]].mean()
    means["best, median"] = groups["best"].apply(lambda best: best.fillna(np.inf).median())
    means["best found"] = groups["best"].count()
    print(means.round(1).to_string())


if __name__ == "__main__":
    main()
