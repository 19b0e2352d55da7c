"""
Where a model is wrong
======================

This example finds elements that are over-represented among the crystals with the largest errors.
"""

# %%
# The model is the paper's recipe on some of the bundled formation energies. The fit does not use
# the crystals of the pool.

from skcfgp import make_cfgp
from skcfgp.datasets import load_formation_energy

train = load_formation_energy(split="train", structures="arrays")
pool = load_formation_energy(split="pool")
model = make_cfgp("formation_energy_1800", recipe="paper")
model.fit(train.structures[:600], train.target[:600])
energy, std = model.predict(pool.structures, return_std=True)

# %%
# Each element and each pair is tested by an exact test, corrected for the number of tests: of the
# groups with a ``q_value`` below 0.05, one in twenty is expected by chance.

from skcfgp.calibration import error_enrichment

table = error_enrichment(pool.structures, pool.target, energy, by=("element", "pair"))
columns = ["group", "n", "n_bad", "expected", "q_value", "mean_absolute_error"]
table[columns].head().round(4)

# %%
# The largest errors, in standard deviations, are labelled.

from skcfgp.displays import ResidualDisplay

ResidualDisplay.from_predictions(pool.target, energy, std, labels=pool.formula, unit="eV/atom")
