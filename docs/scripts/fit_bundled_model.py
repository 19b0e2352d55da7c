"""Fit the model that ``skcfgp predict`` and ``skcfgp screen`` use without labels of your own.

    python docs/scripts/fit_bundled_model.py [--out FOLDER]

The recommended pipeline learns the training part of `load_formation_energy`, calibrated on the
tenth of it that the network has not seen, and then the pool. The errors in the card are those on
the test part. Less than a minute on one core.
"""

import argparse

import numpy as np
import pandas as pd

from skcfgp import save_model
from skcfgp.datasets import load_formation_energy
from skcfgp.models import predict_crystals
from skcfgp.models.default import BUNDLED_MODEL, fit_bundled

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--out", default=BUNDLED_MODEL)
arguments = parser.parse_args()

model, unit = fit_bundled()
parts = [load_formation_energy(split=split, as_frame=True) for split in ("train", "pool")]
X, y = (pd.concat([part[name] for part in parts]) for name in ("structures", "target"))

test = load_formation_energy(split="test", structures="arrays")
table = predict_crystals(model, test.structures, coverage=0.95)
half = predict_crystals(model, test.structures, coverage=0.5)
error = table["prediction"] - test.target
errors = {
    "mae": np.abs(error).mean(),
    "median_absolute_error": np.abs(error).median(),
    "rmse": np.sqrt((error**2).mean()),
    "r2": 1 - (error**2).sum() / ((test.target - test.target.mean()) ** 2).sum(),
    "inside_50_percent": ((half["lower"] <= test.target) & (test.target <= half["upper"])).mean(),
    "inside_95_percent": ((table["lower"] <= test.target) & (test.target <= table["upper"])).mean(),
}
evaluation = {
    "on": "700 crystals that neither the network nor the process has seen",
    "errors": {name: float(value) for name, value in errors.items()},
}
options = {"target": test.target_name, "unit": unit, "evaluation": evaluation}
save_model(model, arguments.out, training=(X, y), **options)
print(evaluation)
