"""Write the crystals, labels and splits of the comparison as JSON, for peers in other environments.

    python docs/scripts/peers/splits.py --out peers

One file for each property: crystals as pymatgen dictionaries, labels, and for each seed the rows to
train on; the others are the test set. The splits are those of docs/scripts/comparison.py. Beside it
NAME_features.npz has labels, rows to train on and the recommended features, for peers that search
for the best crystal in a table of descriptors.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from skcfgp import CompositionFeaturizer, MEGNetFeaturizer
from skcfgp.datasets import load_dielectric, load_elastic

PROPERTIES = {
    "log10_K": (load_elastic, {"target": "K_VRH"}),
    "log10_G": (load_elastic, {"target": "G_VRH"}),
    "log10_n": (load_dielectric, {"target": "refractive_index"}),
    "log10_eps": (load_dielectric, {"target": "poly_total"}),
}


def main():
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("peers"))
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, (loader, options) in PROPERTIES.items():
        data = loader(**options)
        y, train = np.log10(data.target), {}
        for seed in range(chosen.seeds):
            order = np.random.default_rng(seed).permutation(len(y))
            train[str(seed)] = order[: round(0.8 * len(y))].tolist()
        write(chosen.out, name, data.structures, y, train)


def write(folder, name, structures, y, train):
    """Write one property."""
    crystals = [structure.as_dict() for structure in structures]
    content = {"structures": crystals, "y": y.tolist(), "train": train}
    (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    blocks = CompositionFeaturizer(), MEGNetFeaturizer("Eform_MP_2019", "set2set", verbose=0)
    X = np.hstack([block.fit_transform(structures) for block in blocks])
    np.savez(folder / f"{name}_features.npz", X=X, y=y, train=list(train.values()))


if __name__ == "__main__":
    main()
