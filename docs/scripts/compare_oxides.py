"""Begin without a label, and look for the widest gap, on the 10,455 oxides of the paper's scale.

    python docs/scripts/compare_oxides.py oxides_10455.npz [--out docs/data]

The file is not part of this repository: crystals and PBE gaps of the Materials Project, with the
parts train, pool and test. The 8,995 crystals of the first two are the candidates. The published
network has seen the formation energies of many of them, but no gaps. Otherwise as
``compare_beginnings.py`` and ``compare_aims.py``, with one order of the candidates for each draw.
Writes ``oxides.csv``. A quarter of an hour of one core.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from compare_beginnings import go_on, process
from pymatgen.core import Lattice
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, CompositionFeaturizer, MEGNetFeaturizer
from skcfgp.network import use_one_thread
from skcfgp.query import (
    expected_improvement,
    greedy_k_center,
    initial_design,
    integrated_variance,
)
from skcfgp.query.design import N_FIRST
from skcfgp.structures import Crystal

SIZES = (10, 20, 40, 80, 160, 320)
RANDOM_SIZES = (10, 14, 20, 28, 40, 57, 80, 113, 160, 226, 320, 452, 640, 905)
N_TARGETS = 1000
N_TOP = 10


def read(file):
    """Return features, gaps, candidates and test set."""
    use_one_thread()
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
    network = MEGNetFeaturizer("Eform_MP_2019", "set2set", verbose=0)
    blocks = CompositionFeaturizer().fit_transform(crystals), network.fit_transform(crystals)
    X, candidates = np.hstack(blocks), np.flatnonzero(table["part"] != "test")
    X = StandardScaler().fit(X[candidates]).transform(X)
    return X, table["band_gap"], candidates, np.flatnonzero(table["part"] == "test")


def main():
    """Write errors and finds, print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is no news here
    X, y, candidates, test = read(arguments.file)
    top = candidates[np.argsort(-y[candidates], kind="stable")[:N_TOP]]
    rows = []

    def measure(way, labelled, sizes=SIZES, draw=0):
        for n in sizes:
            if n <= len(labelled):
                gp = process().fit(X[labelled[:n]], y[labelled[:n]])
                mae = np.abs(gp.predict(X[test]) - y[test]).mean()
                found = int(np.isin(labelled[:n], top).sum())
                rows.append((way, draw, n, mae, found))
        columns = ["way", "draw", "n_labels", "mae_test", "top_10"]
        table = pd.DataFrame(rows, columns=columns)
        table.to_csv(arguments.out / "oxides.csv", index=False, float_format="%.5f")
        return table.groupby(["way", "n_labels"], sort=False)[["mae_test", "top_10"]].mean()

    first = candidates[initial_design(X[candidates], N_FIRST, estimator=process())[0]]
    targets = X[candidates[np.linspace(0, len(candidates) - 1, N_TARGETS).astype(int)]]
    explore = partial(integrated_variance, X_target=targets)
    measure("design + integrated variance", go_on(explore, X, y, first, candidates, max(SIZES)))
    for draw in range(arguments.draws):
        order = np.random.default_rng(draw).permutation(candidates)
        measure("random", order, RANDOM_SIZES, draw)
    aimed = go_on(expected_improvement, X, y, first, candidates, 160)
    measure("design + expected improvement", aimed)
    farthest, _ = greedy_k_center(ActiveLearner(process()), X[candidates], 160)
    means = measure("farthest points", candidates[farthest])
    print(means.unstack(0).round(3).to_string())


if __name__ == "__main__":
    main()
