"""
Predict a property with error bars
==================================

The bulk moduli of 400 crystals are known. This example predicts those of others, with error bars.
"""

# %%
# The labels are the bundled elastic moduli. A modulus spans three orders of magnitude, so its
# logarithm is learnt.

import numpy as np

from skcfgp import make_cfgp
from skcfgp.datasets import load_elastic

data = load_elastic(target="K_VRH")
known = data.target > 0
X, y = data.structures[known], np.log10(data.target[known])
order = np.random.default_rng(0).permutation(len(y))
train, test = order[:400], order[400:]

# %%
# The pipeline takes crystals. It computes latent vectors of the published MEGNet and numbers of the
# composition, scales both, and fits a Gaussian process with one kernel for each.

model = make_cfgp().fit(X[train], y[train])
model

# %%
# Mean and standard deviation are in the unit of the labels, here decades.

mean, std = model.predict(X[test], return_std=True)
print(f"mean absolute error {np.mean(abs(mean - y[test])):.3f}")
print(f"within two standard deviations: {np.mean(abs(mean - y[test]) < 2 * std):.0%}")

# %%
# The figure shows some of the crystals with their 95 % intervals. Dashes are true values inside the
# interval, red crosses those outside.

from skcfgp.displays import ErrorBarDisplay

ErrorBarDisplay.from_predictions(
    y[test], mean, std, n_drawn=40, random_state=0, target_name="log10(K / GPa)"
)
