"""
Which crystals meet a condition
===============================

This example looks for crystals with a large bulk modulus. A probability for each says how many will
be found, and how many missed.
"""

# %%
# The model learns 300 labels.

import numpy as np

from skcfgp import make_cfgp
from skcfgp.datasets import load_elastic
from skcfgp.screening import Condition, screen

data = load_elastic(target="K_VRH")
order = np.random.default_rng(0).permutation(np.flatnonzero(data.target > 0))
train, rest = order[:300], order[300:]
y = np.log10(data.target)
model = make_cfgp().fit(data.structures[train], y[train])
mean, std = model.predict(data.structures[rest], return_std=True)

# %%
# The expected number is the sum of the probabilities. Here the labels are known, so it can be
# compared with the true number.

import pandas as pd

table = pd.DataFrame({"prediction": mean, "std": std, "true": data.target[rest]})
screening = screen(table, Condition.of(above=np.log10(200)))  # 200 GPa
print(screening)
print(f"The true number is {np.sum(table['true'] > 200)}.")

# %%
# The figure shows how many are found among the most probable crystals.

import matplotlib.pyplot as plt

ranked = screening.table
_, ax = plt.subplots(layout="constrained")
ax.plot(ranked["p_meets"].cumsum(), label="expected")
ax.plot((ranked["true"] > 200).cumsum(), label="true")
ax.axvline(screening.n_found, color="0.5", ls="--", label="probability 0.5")
ax.set(xlabel="crystals, most probable first", ylabel="of them above 200 GPa", xlim=(0, 250))
ax.legend()
