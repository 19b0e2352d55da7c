"""
Which crystal to compute next
=============================

A hundred labels are known. This example compares strategies to choose the next two hundred with
random draws.
"""

# %%
# :func:`~skcfgp.simulate` replays the loop on data whose labels are all known. The crystals are
# from the pool and the test set, whose labels the bundled network has not seen. Their features are
# computed once, outside the loop.

import numpy as np

from skcfgp import make_cfgp, simulate
from skcfgp.datasets import load_formation_energy
from skcfgp.query import integrated_variance, max_std, random_sampling

pool = load_formation_energy(split="pool", structures="arrays")
test = load_formation_energy(split="test", structures="arrays")
model = make_cfgp("formation_energy_1800")
features, gp = model[:-1], model[-1]
Z = features.fit_transform(np.r_[pool.structures, test.structures])
y = np.r_[pool.target, test.target]

# %%
# Errors are measured on a fixed test set. On the rest of the pool they would fall by themselves
# when a strategy takes the hard crystals out.

rows = np.arange(len(y))
left, fixed = np.split(rows, [len(pool.target)])
strategies = {
    "at random": random_sampling,
    "largest std": max_std,
    "integrated variance": integrated_variance,
}
curves = {name: [] for name in strategies}
for seed in range(2):
    order = np.random.default_rng(seed).permutation(left)
    for name, strategy in strategies.items():
        sets = {"initial": order[:100], "pool": order[100:], "test": fixed}
        options = {"n_cycles": 20, "n_instances": 10, "random_state": seed}
        curve = simulate(gp, Z, y, **sets, **options, query_strategy=strategy)
        curves[name].append(curve)

# %%
# Two seeds are too few for a conclusion: :doc:`/active_learning` has five, and other properties.

from skcfgp.displays import LearningCurveDisplay

LearningCurveDisplay.from_simulations(curves, metric="mae_test", unit="eV/atom")
