"""
Are the error bars right?
=========================

The paper's recipe and the recommended one, on 700 crystals whose labels neither has seen.
"""

# %%
# The bundled network was trained on the labels of the training part, except for 180 of them, which
# its card lists. They set the size of the error bars. A third of the part is enough here.

import numpy as np

from skcfgp import make_cfgp
from skcfgp.datasets import load_formation_energy
from skcfgp.models import unseen_mask

weights = "formation_energy_1800"
data = load_formation_energy(split="train", structures="arrays")
test = load_formation_energy(split="test", structures="arrays")
unseen = unseen_mask(weights, data.material_id)
rows = np.r_[np.flatnonzero(unseen), np.flatnonzero(~unseen)[:420]]
X, y = data.structures[rows], data.target[rows]

paper = make_cfgp(weights, recipe="paper").fit(X, y)
recommended = make_cfgp(weights, calibrated=True).fit(X, y, gp__unseen=unseen[rows])

# %%
# A curve on the diagonal is right at every probability. Below it the error bars are too small,
# above it too large. In the band lie 95 % of the curves of a perfect model, point by point.

import matplotlib.pyplot as plt

from skcfgp.calibration import uncertainty_report
from skcfgp.displays import CalibrationCurveDisplay

models = {"paper": paper, "recommended": recommended}
_, axes = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    energy, std = model.predict(test.structures, return_std=True)
    CalibrationCurveDisplay.from_predictions(test.target, energy, std, name=name, ax=ax)
    report = uncertainty_report(test.target, energy, std, random_state=0)
    print(f"{name}: mean squared z {report.mean_squared_z:.2f}, NLL {report.nll:.2f}")
