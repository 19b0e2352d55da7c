"""
A cheap estimate beside the crystals
====================================

The bulk modulus K follows from a few energies, the shear modulus G from many more calculations.
Where K is known, it is an estimate of G, in a column beside the crystals.
"""

# %%
# Both models learn log10 G of the same crystals. The second one also gets log10 K.

import numpy as np
from sklearn.model_selection import ShuffleSplit, learning_curve

from skcfgp import make_cfgp
from skcfgp.datasets import load_elastic

data = load_elastic(as_frame=True, structures="arrays").frame[:400]
y = np.log10(data["G_VRH"])
X = data[["structure"]].assign(bulk_modulus=np.log10(data["K_VRH"]))
models = {
    "crystals alone": (make_cfgp(), X[["structure"]]),
    "with the bulk modulus": (make_cfgp(estimates=["bulk_modulus"]), X),
}
split = ShuffleSplit(3, train_size=200, test_size=200, random_state=0)
curves = {
    name: learning_curve(
        model,
        table,
        y,
        train_sizes=[25, 50, 100, 200],
        cv=split,
        scoring="neg_mean_absolute_error",
    )
    for name, (model, table) in models.items()
}

# %%
# The bars are standard deviations over the three splits.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(layout="constrained")
for name, (n, _, scores) in curves.items():
    ax.errorbar(n, -scores.mean(axis=1), scores.std(axis=1), marker="o", capsize=3, label=name)
ax.set(xlabel="number of labels", ylabel="MAE of log10 G/GPa", xscale="log")
ax.set_xticks(n, n)
ax.legend()

# %%
# The term of the kernel for the column, and the errors of both models.

model, table = models["with the bulk modulus"]
print(model.fit(table[:200], y[:200])["gp"].kernel_.k1.k2)
for name, (_, _, scores) in curves.items():
    print(f"{name:>21}:", *(f"{-score:.3f}" for score in scores.mean(axis=1)))
