"""unlockNN: a variational process on the last hidden layer of a MEGNet trained on the property.

    pip install "setuptools<60"                                              Python 3.8
    pip install unlockNN "tensorflow==2.5.*" "tensorflow-probability==0.13.*" "ruamel.yaml<0.18"
    python unlocknn_vgp.py --splits peers --network formation_energy.hdf5 --out peers/results.csv

The published network of formation energies goes on training on the property for 60 epochs, then
its last layer is replaced by a variational process with 250 inducing crystals, which is trained
for 100 epochs with the network fixed.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
from common import record, tasks
from megnet.models import MEGNetModel
from unlocknn import MEGNetProbModel
from unlocknn.initializers import SampleInitializer

N_INDUCING, BATCH = 250, 32


def main():
    """Measure properties and seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path, default=Path("peers/results.csv"))
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--names", nargs="+", default=["log10_K", "log10_n"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--epochs", type=int, nargs=2, default=[60, 100])
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, seed, crystals, y, train, test in tasks(chosen.splits, chosen.names, chosen.seeds):
        tf.random.set_seed(seed)
        np.random.seed(seed)  # noqa: NPY002, unlockNN draws from the global state
        known, unknown = ([crystals[row] for row in rows] for rows in (train, test))
        shift, scale = y[train].mean(), y[train].std()
        z = (y[train] - shift) / scale
        network = MEGNetModel.from_file(str(chosen.network))
        network.train(
            known,
            z,
            epochs=chosen.epochs[0],
            batch_size=BATCH,
            save_checkpoint=False,
            dirname=str(chosen.splits / "callback"),
            verbose=0,
        )
        model = MEGNetProbModel(
            network,
            N_INDUCING,
            kl_weight=BATCH / len(train),
            index_initializer=SampleInitializer(known, network, N_INDUCING),
        )
        model.train(
            known,
            z,
            epochs=chosen.epochs[1],
            batch_size=BATCH,
            use_default_ckpt_handler=False,
            verbose=0,
        )
        mean, std = (scale * np.ravel(part) for part in model.predict(unknown))
        record(chosen.out, "unlockNN", name, seed, y[test], shift + mean, std)


if __name__ == "__main__":
    main()
