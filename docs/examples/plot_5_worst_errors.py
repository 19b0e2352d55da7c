"""
Where a model is wrong
======================

Which elements are over-represented among the crystals that are predicted worst?
"""

# %%
# The paper's recipe on some of the bundled formation energies. The crystals of the pool inform no
# fit here.

from skcfgp import make_cfgp
from skcfgp.datasets import load_formation_energy

train = load_formation_energy(split="train", structures="arrays")
pool = load_formation_energy(split="pool")
model = make_cfgp("formation_energy_1800", recipe="paper")
model.fit(train.structures[:600], train.target[:600])
energy, std = model.predict(pool.structures, return_std=True)

# %%
# An exact test for each element and each pair, corrected for their number: of the groups with a
# ``q_value`` below 0.05 one in twenty is expected to be there by chance.

from skcfgp.calibration.enrichment import error_enrichment

table = error_enrichment(pool.structures, pool.target, energy, by=("element", "pair"))
columns = ["group", "n", "n_bad", "expected", "q_value", "mean_absolute_error"]
table[columns].head().round(4)

# %%
# The worst, in standard deviations, have names.

from skcfgp.displays import ResidualDisplay

ResidualDisplay.from_predictions(pool.target, energy, std, labels=pool.formula, unit="eV/atom")
