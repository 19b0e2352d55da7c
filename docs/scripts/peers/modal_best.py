"""modAL's Bayesian optimisation with scikit-learn's process, as in modAL's own example.

    pip install modAL-python "scikit-learn<1.8"
    python modal_best.py --splits peers --out peers/best.csv

Ten labels at random, then `max_EI` one at a time; a Matern kernel of one length, standardised
labels, hyper-parameters fitted again after every label.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from modAL.acquisition import max_EI
from modAL.models import BayesianOptimizer
from search import run
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern


def order_of(X, y, seed, n_labels):
    """Return rows in the order in which they are labelled."""
    known = [*np.random.default_rng(seed).permutation(len(y))[:10]]
    process = GaussianProcessRegressor(Matern(length_scale=1.0), normalize_y=True)
    optimizer = BayesianOptimizer(process, max_EI, X[known], y[known])
    while len(known) < n_labels:
        left = np.setdiff1d(np.arange(len(y)), known)
        query, _ = optimizer.query(X[left])
        known.append(left[int(np.ravel(query)[0])])
        optimizer.teach(X[known[-1:]], y[known[-1:]])
    return known


def main():
    """Measure all properties and seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path, default=Path("peers/best.csv"))
    parser.add_argument("--names", nargs="+", default=["log10_K", "log10_G", "log10_n"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=80)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # lengths at their bounds

    def order(X, y, seed):
        return order_of(X, y, seed, chosen.labels)

    run(chosen.splits, chosen.out, "modAL", chosen.names, range(chosen.seeds), order)


if __name__ == "__main__":
    main()
