"""
Which crystals meet a condition
===============================

Crystals with a large bulk modulus are wanted. A probability for each says how many will be found,
and how many missed.
"""

# %%
# Three hundred labels are known.

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
# The expected number is the sum of the probabilities. Since these labels are known after all, it
# can be compared with the truth.

import pandas as pd

table = pd.DataFrame({"prediction": mean, "std": std, "true": data.target[rest]})
screening = screen(table, Condition.of(above=np.log10(200)))  # 200 GPa
print(screening)
print(f"In truth {np.sum(table['true'] > 200)} meet it.")

# %%
# Go down the list from the most probable: after how many crystals are how many found?

import matplotlib.pyplot as plt

ranked = screening.table
_, ax = plt.subplots(layout="constrained")
ax.plot(ranked["p_meets"].cumsum(), label="expected")
ax.plot((ranked["true"] > 200).cumsum(), label="true")
ax.axvline(screening.n_found, color="0.5", ls="--", label="probability 0.5")
ax.set(xlabel="crystals, most probable first", ylabel="of them above 200 GPa", xlim=(0, 250))
ax.legend()
