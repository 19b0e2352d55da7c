"""Compare ways to begin without a label, by the labels that they save on a fixed test set.

    python docs/scripts/compare_beginnings.py [--out docs/data] [--jobs 2] [--seeds 5]

Features and process of the recommended pipeline, standardised over the candidates; the process is
fitted to the labels alone, and again whenever they have grown by half. Every seed is another split
into four fifths of candidates and a fifth to test, but for formation energies, whose candidates are
the 1,427 crystals that the bundled network has not seen, in another order, and whose test set is
fixed. Writes the error at each number of labels to ``beginnings.csv`` and prints for each way how
many times as many random labels give the same error. A quarter of an hour of one core.
"""

import argparse
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, CompositionFeaturizer, MEGNetFeaturizer, make_cfgp
from skcfgp.datasets import load_dielectric, load_elastic, load_formation_energy
from skcfgp.network import use_one_thread
from skcfgp.query import greedy_k_center, greedy_max_std, initial_design, integrated_variance
from skcfgp.query.design import N_FIRST

FORMATION = "formation energy"
#: Property: loader, options, whether its logarithm is learnt.
PROPERTIES = {
    "log10 K_VRH": (load_elastic, {"target": "K_VRH"}, True),
    "log10 G_VRH": (load_elastic, {"target": "G_VRH"}, True),
    "log10 refractive index": (load_dielectric, {"target": "refractive_index"}, True),
    "log10 poly_total": (load_dielectric, {"target": "poly_total"}, True),
    "band gap": (load_dielectric, {"target": "band_gap"}, False),
    FORMATION: (load_formation_energy, {"split": "paper"}, False),
}
SIZES = (10, 20, 40, 80, 160)
RANDOM_SIZES = (5, 7, 10, 14, 20, 28, 40, 57, 80, 113, 160, 226, 320, 452)
GROWTH = 1.5


def load(name):
    """Return features, labels and parts of a property."""
    use_one_thread()
    loader, options, logarithm = PROPERTIES[name]
    data = loader(structures="arrays", **options)
    weights = "formation_energy_1800" if name == FORMATION else "Eform_MP_2019"
    network = MEGNetFeaturizer(weights, "set2set", verbose=0)
    X = np.hstack(
        [
            CompositionFeaturizer().fit_transform(data.structures),
            network.fit_transform(data.structures),
        ]
    )
    y = np.log10(data.target) if logarithm else data.target
    return SimpleNamespace(name=name, X=X, y=y, split=data.get("split"))


def divide(task, seed):
    """Return candidates and test set, and the features standardised over the candidates."""
    rng = np.random.default_rng(seed)
    if task.name == FORMATION:
        candidates = rng.permutation(np.flatnonzero(task.split == "pool"))
        test = np.flatnonzero(task.split == "test")
    else:
        order = rng.permutation(len(task.y))
        candidates, test = np.split(order, [round(0.8 * len(order))])
    return candidates, test, StandardScaler().fit(task.X[candidates]).transform(task.X)


def process():
    """Make the process of the recommended pipeline."""
    return make_cfgp()["gp"]


def go_on(strategy, X, y, first, candidates, n_labels):
    """Choose labels by a strategy of a process that is fitted again at each growth by half.

    Between two fits a batch is chosen, each crystal given those before, which is the same as one at
    a time.
    """
    labelled = [*first]
    while len(labelled) < n_labels:
        gp = process().fit(X[labelled], y[labelled])
        n = min(n_labels, int(np.ceil(GROWTH * len(labelled)))) - len(labelled)
        left = np.setdiff1d(candidates, labelled)
        labelled += left[strategy(gp, X[left], n)[0]].tolist()
    return np.array(labelled)


def errors_of(task, seed, n_draws):
    """Return the errors of all ways, one split."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is no news here
    candidates, test, X = divide(task, seed)
    y, n_labels, found = task.y, max(SIZES), []

    def measure(way, labelled, sizes=SIZES, draw=0):
        for n in sizes:
            if n <= len(labelled):
                gp = process().fit(X[labelled[:n]], y[labelled[:n]])
                mae = np.abs(gp.predict(X[test]) - y[test]).mean()
                found.append((task.name, seed, way, draw, n, mae))

    first, _ = initial_design(X[candidates], N_FIRST, estimator=process())
    first = candidates[first]
    labelled = go_on(integrated_variance, X, y, first, candidates, n_labels)
    measure("design + integrated variance", labelled)
    farthest, _ = greedy_k_center(ActiveLearner(process()), X[candidates], n_labels)
    measure("farthest points", candidates[farthest])
    for draw in range(n_draws):
        order = np.random.default_rng([seed, draw]).permutation(candidates)
        most = RANDOM_SIZES if draw == 0 else [n for n in RANDOM_SIZES if n <= n_labels]
        measure("random", order, most, draw)
        for way, strategy in (
            ("random + integrated variance", integrated_variance),
            ("random + max-std", greedy_max_std),
        ):
            if draw == 0:
                first = order[:N_FIRST]
                measure(way, go_on(strategy, X, y, first, candidates, n_labels))
    return found


def labels_saved(table):
    """How many times as many random labels give the same error, from the means over the splits."""
    mean = table.groupby(["property", "way", "n_labels"], sort=False)["mae_test"].mean()
    saved = {}
    for (name, way, n), mae in mean.items():
        if way != "random":
            random = mean[name, "random"]
            falling = np.minimum.accumulate(random.to_numpy())[::-1]
            sizes = np.log(random.index.to_numpy()[::-1])
            saved[name, way, n] = np.exp(np.interp(np.log(mae), np.log(falling), sizes)) / n
    return pd.Series(saved).rename_axis(mean.index.names).unstack()


def main():
    """Write the errors, print means and labels saved."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--properties", nargs="+", default=list(PROPERTIES))
    arguments = parser.parse_args()
    tasks = [load(name) for name in arguments.properties]
    jobs = [
        delayed(errors_of)(task, seed, arguments.draws)
        for seed in range(arguments.seeds)
        for task in tasks
    ]
    columns = ["property", "seed", "way", "draw", "n_labels", "mae_test"]
    found = []
    for rows in Parallel(n_jobs=arguments.jobs, return_as="generator")(jobs):
        found += rows
        table = pd.DataFrame(found, columns=columns)
        table.to_csv(arguments.out / "beginnings.csv", index=False, float_format="%.5f")
    means = table.groupby(["property", "way", "n_labels"], sort=False)["mae_test"].mean()
    print(means.unstack()[list(SIZES)].round(4).to_string())
    print(labels_saved(table).round(2).to_string())


if __name__ == "__main__":
    main()
