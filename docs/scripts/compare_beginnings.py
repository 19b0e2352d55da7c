"""Compare ways to begin without a label, by the labels that they save on a fixed test set.

    python docs/scripts/compare_beginnings.py [--out docs/data] [--seeds 20] [--draws 1]
        [--oxides oxides_10455.npz]

Features and process of the recommended pipeline, standardised over the candidates; the process is
fitted to the labels alone, and again whenever they have grown by half. Every seed is another split
into four fifths of candidates and a fifth to test, but for formation energies, whose candidates are
the 1,427 crystals that the bundled network has not seen, in another order, and whose test set is
fixed. Every draw is another random order of the candidates.

``--oxides`` adds the PBE gaps and the formation energies of 10,455 oxides of the Materials Project,
in a file that is not part of this repository, with its own test set; every seed has other four
fifths of the rest as candidates. The published network has seen formation energies of many of them.
So these are learnt with the vectors of the bundled one, without the crystals whose formulas it has
seen.

Writes the error at each number of labels to ``beginnings.csv``, and goes on from there if the file
exists. Prints for each way how many times as many random labels give the same error. A quarter of
an hour of one core, and as much again for the oxides.
"""

import argparse
import warnings
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from pymatgen.core import Lattice
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, CompositionFeaturizer, MEGNetFeaturizer, make_cfgp
from skcfgp.datasets import load_dielectric, load_elastic, load_formation_energy
from skcfgp.network import use_one_thread
from skcfgp.query import greedy_k_center, greedy_max_std, initial_design, integrated_variance
from skcfgp.query.design import N_FIRST
from skcfgp.structures import Crystal

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
SIZES = (10, 20, 40, 80, 160, 320)
RANDOM_SIZES = (5, 7, 10, 14, 20, 28, 40, 57, 80, 113, 160, 226, 320, 452, 640)
GROWTH = 1.5
KEY = ["property", "seed", "way", "draw", "n_labels"]

OXIDES = {"oxides, band gap": "band_gap", "oxides, formation energy": "formation_energy_per_atom"}
#: Crystals over which the variance is averaged where there are many candidates.
N_TARGETS = 1000


def load(name, file=None):
    """Return features, labels and parts of a property, of the oxides from a file."""
    use_one_thread()
    if name in OXIDES:
        crystals, y, split = read_oxides(file, OXIDES[name])
    else:
        loader, options, logarithm = PROPERTIES[name]
        data = loader(structures="arrays", **options)
        y = np.log10(data.target) if logarithm else data.target
        crystals, split = data.structures, data.get("split")
    weights = "formation_energy_1800" if name.endswith(FORMATION) else "Eform_MP_2019"
    network = MEGNetFeaturizer(weights, "set2set", verbose=0)
    X = [CompositionFeaturizer().fit_transform(crystals), network.fit_transform(crystals)]
    return SimpleNamespace(name=name, X=np.hstack(X), y=y, split=split)


def read_oxides(file, target):
    """Return crystals, labels, and whether each is to test."""
    with np.load(file) as arrays:
        table = dict(arrays)
    ends = np.cumsum(table["n_sites"], dtype=int)
    crystals = np.empty(len(ends), dtype=object)
    for i, (start, end) in enumerate(zip(ends - table["n_sites"], ends, strict=True)):
        crystals[i] = Crystal(
            Lattice.from_parameters(*table["cell"][i]).matrix,
            table["frac_coords_1e5"][start:end] / 1e5,
            table["atomic_numbers"][start:end],
            {"material_id": str(table["material_id"][i])},
        )
    kept = np.full(len(crystals), True)
    if target == "formation_energy_per_atom":
        seen = load_formation_energy(split="train", structures="arrays").structures
        seen = {formula(crystal) for crystal in seen}
        kept = np.array([formula(crystal) not in seen for crystal in crystals])
    split = np.where(table["part"] == "test", "test", "pool")
    return crystals[kept], table[target][kept].astype(float), split[kept]


def formula(crystal):
    """Return the reduced formula of a crystal."""
    numbers, counts = np.unique(crystal.atomic_numbers, return_counts=True)
    return tuple(zip(numbers.tolist(), (counts // np.gcd.reduce(counts)).tolist(), strict=True))


def divide(task, seed):
    """Return candidates and test set, and the features standardised over the candidates."""
    rng = np.random.default_rng(seed)
    if task.split is None:
        order = rng.permutation(len(task.y))
        candidates, test = np.split(order, [round(0.8 * len(order))])
    else:
        candidates = rng.permutation(np.flatnonzero(task.split == "pool"))
        test = np.flatnonzero(task.split == "test")
        if task.name in OXIDES:
            candidates = candidates[: round(0.8 * len(candidates))]
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


def ways(n_draws):
    """Return each way with each of its draws and the numbers of labels to measure at."""
    most = max(SIZES)
    for draw in range(n_draws):
        sizes = [n for n in RANDOM_SIZES if draw == 0 or n <= most]  # the last ones only once
        yield "random", draw, sizes
        yield "random + integrated variance", draw, SIZES
        yield "random + max-std", draw, SIZES
    yield "design + integrated variance", 0, SIZES
    yield "farthest points", 0, SIZES


def labels_of(way, draw, X, y, candidates, seed):
    """Return the candidates in the order in which a way labels them."""
    n_labels = max(SIZES)
    order = np.random.default_rng([seed, draw]).permutation(candidates)
    if way == "random":
        return order
    if way == "farthest points":
        farthest, _ = greedy_k_center(ActiveLearner(process()), X[candidates], n_labels)
        return candidates[farthest]
    first = order[:N_FIRST]
    if way.startswith("design"):
        first = candidates[initial_design(X[candidates], N_FIRST, estimator=process())[0]]
    strategy = integrated_variance
    if way.endswith("max-std"):
        strategy = greedy_max_std
    elif len(candidates) > 2 * N_TARGETS:
        strategy = partial(strategy, X_target=X[candidates[:N_TARGETS]])
    return go_on(strategy, X, y, first, candidates, n_labels)


def errors_of(task, seed, way, draw, sizes):
    """Return the errors of one way on one split at some numbers of labels."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is no news here
    candidates, test, X = divide(task, seed)
    labelled = labels_of(way, draw, X, task.y, candidates, seed)
    rows = []
    for n in sizes:
        gp = process().fit(X[labelled[:n]], task.y[labelled[:n]])
        mae = np.abs(gp.predict(X[test]) - task.y[test]).mean()
        rows.append((task.name, seed, way, draw, n, mae))
    return rows


def labels_saved(table):
    """How many times as many random labels give the same error, from the means over the splits."""
    mean = table.groupby(["property", "way", "n_labels"])["mae_test"].mean()
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
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--properties", nargs="+", default=list(PROPERTIES))
    parser.add_argument("--oxides", type=Path, help="file of the oxides, to compare on them too")
    arguments = parser.parse_args()
    names = [*arguments.properties, *(OXIDES if arguments.oxides else ())]
    file, columns = arguments.out / "beginnings.csv", [*KEY, "mae_test"]
    table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=columns)
    done = set(table[KEY].itertuples(index=False, name=None))
    tasks = [load(name, arguments.oxides) for name in names]
    jobs = []
    for seed, task in product(range(arguments.seeds), tasks):
        for way, draw, sizes in ways(arguments.draws):
            left = [n for n in sizes if (task.name, seed, way, draw, n) not in done]
            if left:
                jobs.append(delayed(errors_of)(task, seed, way, draw, left))
    found = list(table.itertuples(index=False, name=None))
    for rows in Parallel(n_jobs=arguments.jobs, return_as="generator")(jobs):
        found += rows
        table = pd.DataFrame(found, columns=columns)
        table.to_csv(file, index=False, float_format="%.5f")
    means = table.groupby(["property", "way", "n_labels"], sort=False)["mae_test"].mean()
    print(means.unstack()[list(SIZES)].round(4).to_string())
    print(labels_saved(table).round(2).to_string())


if __name__ == "__main__":
    main()
