"""The process of skcfgp on another network's vectors, and on its own features, on the same splits.

python docs/scripts/peers/process_on_vectors.py --splits peers --out peers/results.csv
"""

import argparse
from pathlib import Path

import numpy as np
from common import record, tasks
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CalibratedRegressor, GaussianProcessRegressor, make_cfgp
from skcfgp.kernels import Laplacian

NAMES = ("log10_K", "log10_G", "log10_n", "log10_eps")


def main():
    """Measure all properties and seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path, default=Path("peers/results.csv"))
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    for name, seed, crystals, y, train, test in tasks(chosen.splits, NAMES, range(chosen.seeds)):
        ours = make_cfgp(calibrated=True)
        structures = np.empty(len(crystals), dtype=object)
        structures[:] = crystals
        features = ours[:-1].fit(structures[train])
        gp = ours[-1].fit(features.transform(structures[train]), y[train])
        mean, std = gp.predict(features.transform(structures[test]), return_std=True)
        record(chosen.out, "skcfgp, recommended", name, seed, y[test], mean, std)
        vectors = chosen.splits / f"{name}_chgnet.npy"
        if vectors.exists():
            X = np.load(vectors)
            process = GaussianProcessRegressor(Laplacian(), normalize_y=True)
            model = make_pipeline(StandardScaler(), CalibratedRegressor(process))
            mean, std = model.fit(X[train], y[train]).predict(X[test], return_std=True)
            record(chosen.out, "CHGNet + process", name, seed, y[test], mean, std)


if __name__ == "__main__":
    main()
