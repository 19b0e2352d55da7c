"""Train the bundled network ``formation_energy_1800``.

    python docs/scripts/train_formation_energy_1800.py [--epochs 180] [--out FOLDER]

The network sees the 1,800 crystals of the training part of `load_formation_energy`; a tenth of them
is set aside to choose the best epoch. The pool and the test set are loaded only after training, for
the two numbers in the card. About 15 minutes on one core.
"""

import argparse
from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

from skcfgp import MEGNetFeaturizer
from skcfgp.datasets import load_formation_energy
from skcfgp.network import save_network, use_one_thread

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=180)
parser.add_argument(
    "--out", default=Path(__file__).parents[2] / "skcfgp/network/weights/formation_energy_1800"
)
arguments = parser.parse_args()
use_one_thread()

train = load_formation_energy(split="train")
featurizer = MEGNetFeaturizer(
    weights=None, epochs=arguments.epochs, distance_noise=0.05, random_state=0
)
featurizer.fit(train.structures, train.target)
network, history = featurizer.network_, featurizer.history_
best = int(np.argmin(history["val_mae"]))

network.card = {
    "name": "formation_energy_1800",
    "property": "formation_energy_per_atom",
    "unit": "eV/atom",
    "data": "load_formation_energy(split='train'): 1,800 crystals of FLLA, Materials Project DFT",
    "validation_material_id": train.material_id[featurizer.validation_indices_].tolist(),
    "training": {
        "command": f"python docs/scripts/{Path(__file__).name} --epochs {arguments.epochs}",
        "epochs": arguments.epochs,
        "best_epoch": best + 1,
        "history": {name: np.round(values, 5).tolist() for name, values in history.items()},
        "settings": {k: v for k, v in featurizer.get_params().items() if k != "cache_dir"},
    },
    "validation_mae": history["val_mae"][best],
    "licence": "BSD-3-Clause; trained on values of the Materials Project, CC BY 4.0",
}
salt = {
    "space_group": "Fm-3m",
    "a": 5.69,  # angstrom
    "species": ["Na", "Cl"],
    "coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
}
crystal = Structure.from_spacegroup(
    salt["space_group"], Lattice.cubic(salt["a"]), salt["species"], salt["coords"]
)
vector = network.compute([network.graph(crystal)], ["readout_0"])[0][0]
network.card["reference"] = {**salt, "readout_0": np.round(vector.astype(float), 6).tolist()}
for split in ("pool", "test"):
    part = load_formation_energy(split=split)
    error = network.predict(part.structures) - part.target
    network.card[f"{split}_mae"] = float(np.mean(np.abs(error)))
    print(f"{split} MAE by the network's own readout: {network.card[f'{split}_mae']:.4f} eV/atom")
save_network(network, arguments.out)
