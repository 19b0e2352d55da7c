"""Train the networks of the comparison table and keep their predictions.

    python docs/scripts/train_baselines.py [--epochs 60] [--out docs/data]

Four MEGNets from different seeds, an ensemble, and one MEGNet with dropout are trained on the
1,800 crystals of the training part of `load_formation_energy`. Nothing is evaluated here: their
predictions for the pool and the test set go to ``network_baselines.csv`` (eV/atom), the settings,
validation errors and times to ``network_baselines.json``. Half an hour on one core. A network
that is in these files already is not trained again.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from skcfgp.datasets import load_formation_energy
from skcfgp.models import MEGNetRegressor
from skcfgp.network import use_one_thread

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
arguments = parser.parse_args()
arguments.out.mkdir(parents=True, exist_ok=True)
use_one_thread()

models = {
    f"network_{seed}": MEGNetRegressor(
        None, epochs=arguments.epochs, distance_noise=0.05, random_state=seed
    )
    for seed in range(4)
}
models["dropout"] = MEGNetRegressor(
    None, epochs=arguments.epochs, distance_noise=0.05, dropout=0.1, random_state=0
)
train = load_formation_energy(split="train")
unseen = {split: load_formation_energy(split=split) for split in ("pool", "test")}
crystals = np.concatenate([part.structures for part in unseen.values()])

table, card = (arguments.out / f"network_baselines.{suffix}" for suffix in ("csv", "json"))
if card.is_file():
    frame, notes = pd.read_csv(table), json.loads(card.read_text())
else:
    ids = np.concatenate([part.material_id for part in unseen.values()])
    splits = np.repeat(list(unseen), [len(part.target) for part in unseen.values()])
    frame = pd.DataFrame({"material_id": ids, "split": splits})
    notes = {"unit": "eV/atom", "data": "load_formation_energy(split='train')", "models": {}}

for name, model in models.items():
    if name in notes["models"]:
        continue
    start = time.process_time()
    model.fit(train.structures, train.target)
    minutes = (time.process_time() - start) / 60
    mean, std = model.predict(crystals, return_std=True)
    if model.dropout:
        frame["dropout_mean"], frame["dropout_std"] = mean, std
    else:  # its standard deviation is one number, and that is in the notes
        frame[name] = mean
    notes["models"][name] = {
        "settings": model.get_params(),
        "processor_minutes": round(minutes, 1),
        "validation_mae": round(min(model.history_["val_mae"]), 4),
        "residual_std": round(model.residual_std_, 4),
    }
    frame.to_csv(table, index=False, float_format="%.4f")
    card.write_text(json.dumps(notes, indent=2) + "\n")

# What MEGNetEnsemble gives for these members.
members = frame[[name for name in models if name.startswith("network_")]]
frame["ensemble_mean"], frame["ensemble_std"] = members.mean(axis=1), members.std(axis=1)
frame.to_csv(table, index=False, float_format="%.4f")
