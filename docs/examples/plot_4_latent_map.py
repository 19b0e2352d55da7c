"""
What the network has learnt
===========================

Crystals with similar latent vectors have similar properties. The Gaussian process relies on this.
"""

# %%
# The vector of a crystal consists of the activations of a layer of a MEGNet, here the 32 of the
# first layer of the readout, as in the paper.

from skcfgp import MEGNetFeaturizer
from skcfgp.datasets import load_formation_energy

test = load_formation_energy(split="test", structures="arrays")
featurizer = MEGNetFeaturizer("formation_energy_1800", layer="readout_0")
Z = featurizer.set_output(transform="pandas").fit_transform(test.structures)
Z.iloc[:3, :5].round(2)

# %%
# t-SNE maps the vectors to the plane. The network has not seen these crystals.

from skcfgp.displays import LatentMapDisplay

LatentMapDisplay.from_vectors(
    Z, test.target, random_state=0, target_name="formation energy", unit="eV/atom"
)
