"""Compare, with 3 to 30 labels, a search for the hyper-parameters with lengths from the data.

    python docs/scripts/compare_few_labels.py [--out docs/data] [--seeds 3]

The search is that of the recommended pipeline, by leave-one-out predictions. The alternative takes
median distances as lengths, noise of 0.01 of the variance, and the variance by which the
leave-one-out errors are as large as predicted. Labels at random (two draws for each split) and by
the initial design; error and negative log likelihood (NLL) on the test sets of
``compare_beginnings.py``. Writes ``few_labels.csv``. Five minutes of one core.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from compare_beginnings import PROPERTIES, divide, load, process
from scipy.stats import norm
from sklearn import clone

from skcfgp import GaussianProcessRegressor
from skcfgp.gaussian_process.covariance import covariance_of
from skcfgp.query import initial_design

SIZES = (3, 5, 10, 15, 20, 30)


def lengths_from_data(X, y):
    """Fit a process whose lengths are median distances; return it and the factor on its std."""
    kernel = process().kernel
    theta = np.clip(covariance_of(kernel, X).start(1.0), *kernel.bounds.T)
    kernel = clone(kernel).clone_with_theta(theta)
    gp = GaussianProcessRegressor(kernel, normalize_y=True, optimizer=None).fit(X, y)
    mean, std = gp.predict_leave_one_out()
    return gp, np.sqrt(np.mean(((y - mean) / std) ** 2))


def rows_of(task, seed):
    """Yield a row for each choice of labels, their number and the way of the fit."""
    candidates, test, X = divide(task, seed)
    orders = [
        ("random", np.random.default_rng([seed, draw]).permutation(candidates)) for draw in (0, 1)
    ]
    first, _ = initial_design(X[candidates], max(SIZES), estimator=process())
    for choice, order in [*orders, ("design", candidates[first])]:
        for n in SIZES:
            known = X[order[:n]], task.y[order[:n]]
            fits = {"search": (process().fit(*known), 1.0), "data": lengths_from_data(*known)}
            for way, (gp, factor) in fits.items():
                mean, std = gp.predict(X[test], return_std=True)
                nll = -norm.logpdf(task.y[test], mean, factor * std).mean()
                mae = np.abs(mean - task.y[test]).mean()
                yield task.name, seed, choice, n, way, mae, nll


def main():
    """Write the table, print its means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # a length at its bound is no news here
    rows = []
    for name in PROPERTIES:
        task = load(name)
        rows += [row for seed in range(arguments.seeds) for row in rows_of(task, seed)]
    columns = ["property", "seed", "labels", "n_labels", "lengths", "mae_test", "nll_test"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(arguments.out / "few_labels.csv", index=False, float_format="%.5f")
    groups = table.groupby(["property", "labels", "n_labels", "lengths"], sort=False)
    means = groups[["mae_test", "nll_test"]].mean().unstack()
    print(means.round(3).to_string())


if __name__ == "__main__":
    main()
