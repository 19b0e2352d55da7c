"""matminer's Magpie and structure descriptors with a random forest.

    pip install matminer scikit-learn
    python matminer_forest.py --splits peers --out peers/results.csv

The descriptors of matminer's own examples: ElementProperty (Magpie, 132 numbers), DensityFeatures
and GlobalSymmetryFeatures. The error bar of the forest is the spread of its trees.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from common import record, tasks
from matminer.featurizers.composition import ElementProperty
from matminer.featurizers.structure import DensityFeatures, GlobalSymmetryFeatures
from sklearn.ensemble import RandomForestRegressor

NAMES = ("log10_K", "log10_G", "log10_n", "log10_eps")


def descriptors(crystals, cache):
    """Compute the descriptors, or read them."""
    if cache.is_file():
        return np.load(cache)
    magpie = ElementProperty.from_preset("magpie", impute_nan=True)
    density = DensityFeatures()
    symmetry = GlobalSymmetryFeatures(["spacegroup_num", "is_centrosymmetric", "n_symmetry_ops"])
    rows = []
    for crystal in crystals:
        row = [*magpie.featurize(crystal.composition), *density.featurize(crystal)]
        rows.append([float(value) for value in [*row, *symmetry.featurize(crystal)]])
    X = np.nan_to_num(np.array(rows))
    np.save(cache, X)
    return X


def main():
    """Measure all properties and seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path, default=Path("peers/results.csv"))
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, seed, crystals, y, train, test in tasks(chosen.splits, NAMES, range(chosen.seeds)):
        X = descriptors(crystals, chosen.splits / f"{name}_matminer.npy")
        forest = RandomForestRegressor(500, random_state=seed).fit(X[train], y[train])
        trees = np.array([tree.predict(X[test]) for tree in forest.estimators_])
        std = np.maximum(trees.std(axis=0), 1e-3 * y[train].std())
        record(chosen.out, "matminer + forest", name, seed, y[test], trees.mean(axis=0), std)


if __name__ == "__main__":
    main()
