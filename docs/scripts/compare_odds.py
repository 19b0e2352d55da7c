"""Are the odds of a condition right? Those of a Student-t beside those of a Gaussian.

    python docs/scripts/compare_odds.py [--seeds 0 1 2 3 4] [--properties "log10 K"]

For each fit of ``compare_distributions.py`` with the errors of the neighbours: the probability that
a crystal of the test set is above the 5, 10, 50 and 90 % quantile of the training labels; its Brier
score, the mean squared difference from 1 where the crystal is and 0 where it is not; its
reliability gap, the mean absolute difference between the mean probability and the share of crystals
above, over bins of equal numbers of crystals; and where the probability is below 5 % or above 95 %,
the number of crystals that are on the other side, beside the number expected. Writes a row for each
fit and threshold to ``odds_comparison.csv`` and prints means.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from compare_distributions import OUT, PROPERTIES, models_of_task, tasks
from joblib import Parallel, delayed

from skcfgp.calibration import condition_probability, expected_counts

QUANTILES = (0.05, 0.1, 0.5, 0.9)
METHODS = ("student_t", "std_scaling")
#: Probability of the condition, or of its contrary, below which the answer seems clear.
SMALL = 0.05


def reliability(probability, meets, n_bins=10):
    """Return the mean absolute difference between probability and frequency, over bins."""
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, n_bins)
    gap = [abs(probability[rows].mean() - meets[rows].mean()) * len(rows) for rows in bins]
    return np.sum(gap) / len(order)


def measure(distribution, y, threshold):
    """Return scores of the probability of a label above a threshold."""
    probability, meets = condition_probability(distribution, above=threshold), y > threshold
    wrong = np.minimum(probability, 1 - probability)
    clear, surprise = wrong < SMALL, meets != (probability > 0.5)
    return {
        "Brier": np.mean((probability - meets) ** 2),
        "reliability": reliability(probability, meets),
        "clear": clear.mean(),
        "expected surprises": expected_counts(wrong, clear).found,
        "surprises": surprise[clear].sum(),
    }


def measure_task(name, size, seed, cache):
    """Return the rows of the table of one property, number of labels and seed."""
    rows = []
    for method, n_neighbors, model, X, y in models_of_task(name, size, seed, cache):
        if not n_neighbors:
            continue
        distribution = model.predict_distribution(X)
        labels = model.estimator_.targets_
        for quantile in QUANTILES:
            scores = measure(distribution, y, np.quantile(labels, quantile))
            key = {"property": name, "labels": len(labels), "seed": seed}
            rows.append(key | {"quantile": quantile, "method": method} | scores)
    return rows


def main():
    """Write the rows, print means over seeds and numbers of labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("distributions"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--properties", nargs="+", default=list(PROPERTIES))
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    chosen = [task for task in tasks(arguments.seeds) if task[0] in arguments.properties]
    jobs = [delayed(measure_task)(*task, arguments.cache) for task in chosen]
    found = Parallel(n_jobs=arguments.jobs, verbose=5)(jobs)
    table = pd.DataFrame([row for rows in found for row in rows])
    table.to_csv(arguments.out / "odds_comparison.csv", index=False, float_format="%.5f")
    for keys in (["quantile", "method"], ["property", "method"]):
        means = table.groupby(keys, sort=False).mean(numeric_only=True)
        print(means.drop(columns=["labels", "seed"]).to_string(float_format="%.4f"), "\n")


if __name__ == "__main__":
    main()
