"""
A campaign that survives a crash
================================

Labels take hours, so a campaign is stored in a file. Every call below could be made by another
process on another day.
"""

# %%
# A campaign begins with crystals that have ids, and with the labels of some of them. This recipe
# needs no network.

import tempfile

from skcfgp.campaign import Campaign
from skcfgp.datasets import load_formation_energy

data = load_formation_energy(split="pool", as_frame=True, structures="arrays")
crystals, energy = data.structures[:300], data.target[:300]
folder = tempfile.TemporaryDirectory()  # use a permanent folder instead
Campaign.init(
    folder.name,
    crystals,
    target=data.target_name,
    unit=data.unit,
    labelled=energy[:60],
    recipe="composition",
    random_fraction=0.3,
)

# %%
# Each of three rounds asks for ten crystals and tells their labels. Three of ten are drawn at
# random, since only those say how good the predictions for the pool are.

for _ in range(3):
    campaign = Campaign(folder.name)
    picks = campaign.suggest(10)
    campaign.tell({pick["id"]: energy[pick["id"]] for pick in picks})
print(campaign.status()["counts"])

# %%
# Each label is compared with the prediction that was recorded before it came, so no label is needed
# for a test set.

import matplotlib.pyplot as plt

table = campaign.export()
told = table[table["arm"].notna() & table["value"].notna()]
_, ax = plt.subplots(layout="constrained")
for arm, rows in told.groupby("arm"):
    ax.errorbar(rows["value"], rows["prediction"], 2 * rows["std"], fmt="o", ms=4, lw=1, label=arm)
ax.axline((0, 0), slope=1, color="0.5", lw=1)
ax.set(xlabel="label (eV/atom)", ylabel="prediction before it came, 2 std (eV/atom)")
ax.legend(title="chosen by")
folder.cleanup()
