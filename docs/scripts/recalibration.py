"""Recalibrate the standard deviations of the formation energies: the table of the documentation.

    python docs/scripts/recalibration.py [--calibrate 400] [--seeds 5]

The Gaussian process is that of ``skcfgp demo``: fitted on the vectors of the 1,800 training
crystals. It is calibrated by five folds of these crystals, which the network was trained on, and on
crystals drawn from the pool, which it was not; then measured on the 700 test crystals. Prints the
mean over the draws, with the standard deviation over them behind. About two minutes on one core.
"""

import argparse

import numpy as np
from sklearn.model_selection import KFold

from skcfgp import CalibratedRegressor, GaussianProcessRegressor, MEGNetFeaturizer
from skcfgp.calibration import (
    miscalibration_area,
    negative_log_likelihood,
    predict_distribution,
)
from skcfgp.datasets import load_formation_energy
from skcfgp.kernels import Laplacian

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--calibrate", type=int, default=400)
parser.add_argument("--seeds", type=int, default=5)
arguments = parser.parse_args()

METHODS = ("std_scaling", "student_t", "isotonic", "conformal")
parts = {name: load_formation_energy(split=name) for name in ("train", "pool", "test")}
featurizer = MEGNetFeaturizer("formation_energy_1800", verbose=0).fit(parts["train"].structures)
X = {name: featurizer.transform(part.structures) for name, part in parts.items()}
y = {name: part.target for name, part in parts.items()}
gp = GaussianProcessRegressor(Laplacian()).fit(X["train"], y["train"])


def measure(model):
    """Coverage of 95 % and 68 % intervals, their mean width, area and NLL on the test set."""
    distribution = predict_distribution(model, X["test"])
    row = []
    for coverage in (0.95, 0.6827):
        bounds = distribution.interval(coverage)
        if hasattr(model, "predict_interval"):
            bounds = model.predict_interval(X["test"], coverage)
        row.append(np.mean((bounds[0] <= y["test"]) & (y["test"] <= bounds[1])))
        row.append(np.mean(bounds[1] - bounds[0]))
    metrics = miscalibration_area, negative_log_likelihood
    return row + [metric(y["test"], distribution) for metric in metrics]


def report(name, rows):
    mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
    print(f"{name:24}" + "".join(f"{m:9.3f} ({s:.3f})" for m, s in zip(mean, spread, strict=True)))


columns = ("in 95 %", "width", "in 68 %", "width", "area", "NLL")
print(" " * 24 + "".join(f"{column:>9}" + " " * 8 for column in columns))
report("as it comes", [measure(gp)])
for method in METHODS:
    rows = []
    for seed in range(arguments.seeds):
        cv = KFold(5, shuffle=True, random_state=seed)
        model = CalibratedRegressor(gp, method=method, cv=cv).fit(X["train"], y["train"])
        rows.append(measure(model))
    report(f"{method}, folds", rows)
for method in METHODS:
    rows = []
    for seed in range(arguments.seeds):
        held_out = np.random.default_rng(seed).permutation(len(y["pool"]))[: arguments.calibrate]
        model = CalibratedRegressor(gp, method=method, cv="prefit")
        model.fit(X["pool"][held_out], y["pool"][held_out])
        rows.append(measure(model))
    report(f"{method}, held out", rows)
