"""MODNet (doi:10.1038/s41524-021-00552-2) with its own features and an ensemble of networks.

    pip install modnet                                    Python 3.10
    python modnet_ensemble.py --splits peers --out peers/results.csv

The features are MODNet's preset of fast ones, 212 numbers; its default preset has about 1,200, at a
second of a core for each crystal. MODNet selects 64 of them by mutual information with the labels
of the training part. Five networks, of a size from the middle of MODNet's presets, are fitted to
bootstrap samples, and their spread is the error bar. Its search for a better preset is left out.
"""

import argparse
import logging
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
from common import record, tasks
from modnet.featurizers.presets.matminer_2024_fast import Matminer2024FastFeaturizer
from modnet.models import EnsembleMODNetModel
from modnet.preprocessing import MODData, get_cross_nmi

CRYSTALS = {"log10_K": "elastic", "log10_G": "elastic", "log10_n": "optic", "log10_eps": "optic"}


def featurized(crystals, y, path):
    """Compute features and the mutual information between them, without labels, or read them."""
    ids = [str(row) for row in range(len(y))]
    options = {"targets": y, "target_names": ["y"], "structure_ids": ids}
    if not path.is_file():
        data = MODData(crystals, featurizer=Matminer2024FastFeaturizer(), **options)
        data.featurize(n_jobs=1)
        data.cross_nmi = get_cross_nmi(data.df_featurized, n_jobs=1, random_state=1)
        data.save(str(path))
    found = MODData.load(str(path))
    data = MODData(crystals, df_featurized=found.df_featurized, **options)
    data.cross_nmi = found.cross_nmi
    return data


def main():
    """Measure all properties and seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path, default=Path("peers/results.csv"))
    parser.add_argument("--names", nargs="+", default=list(CRYSTALS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--networks", type=int, default=5)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("modnet").setLevel(logging.WARNING)
    for name, seed, crystals, y, train, test in tasks(chosen.splits, chosen.names, chosen.seeds):
        data = featurized(crystals, y, chosen.splits / f"{CRYSTALS[name]}_modnet")
        known, unknown = data.split((train, test))
        known.feature_selection(n=-1, n_jobs=1, random_state=seed + 1)
        tf.keras.utils.set_random_seed(seed)
        model = EnsembleMODNetModel(
            [[["y"]]],
            weights={"y": 1},
            n_models=chosen.networks,
            random_state=seed,
            **{"num_neurons": [[64], [32], [8], [8]], "n_feat": 64, "act": "elu"},
        )
        model.fit(known, epochs=200, batch_size=32, loss="mae", verbose=0)
        mean, std = (np.ravel(part.to_numpy()) for part in model.predict(unknown, return_unc=True))
        record(chosen.out, "MODNet", name, seed, y[test], mean, std)


if __name__ == "__main__":
    main()
