"""
Which kernel, which layer
=========================

Both are parameters, so scikit-learn's grid search can choose them, by a score that also measures
the error bars.
"""

# %%
# The crystals come from the pool, whose labels the network has not seen, so the validation folds
# are new to it.

from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import GaussianProcessRegressor, MEGNetFeaturizer
from skcfgp.calibration.scorers import neg_nll_scorer
from skcfgp.datasets import load_formation_energy
from skcfgp.kernels import Laplacian

pool = load_formation_energy(split="pool", structures="arrays")
X, y = pool.structures[:200], pool.target[:200]
cfgp = Pipeline(
    [
        ("megnet", MEGNetFeaturizer("formation_energy_1800")),
        ("scaler", StandardScaler()),
        ("gp", GaussianProcessRegressor(normalize_y=True)),
    ]
)
grid = {
    "megnet__layer": ["set2set", "readout_0", "readout_1"],
    "gp__kernel": [Laplacian(1, 10), 1.0 * RBF(10) + WhiteKernel(0.1)],
}
scoring = {"nll": neg_nll_scorer, "mae": "neg_mean_absolute_error"}
search = GridSearchCV(cfgp, grid, scoring=scoring, refit="nll", cv=3).fit(X, y)
search

# %%
# Lower is better. Bars are standard deviations over the three folds.

import matplotlib.pyplot as plt
import pandas as pd

table = pd.DataFrame(search.cv_results_)
labels = ("NLL (nats)", "MAE (eV/atom)")
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, score, label in zip(axes, ("nll", "mae"), labels, strict=True):
    for side, (kernel, rows) in enumerate(table.groupby(table["param_gp__kernel"].astype(str))):
        mean, std = -rows[f"mean_test_{score}"], rows[f"std_test_{score}"]
        place = [0.1 * side, 1 + 0.1 * side, 2 + 0.1 * side]
        ax.errorbar(place, mean, std, fmt="o", capsize=3, label=kernel)
    ax.set(ylabel=label, xticks=range(3), xticklabels=grid["megnet__layer"])
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
