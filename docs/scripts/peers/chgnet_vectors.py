"""CHGNet's crystal vectors (doi:10.1038/s42256-023-00716-3), for a process of skcfgp on top.

pip install chgnet
python chgnet_vectors.py --splits peers                   writes NAME_chgnet.npy, 64 numbers
python process_on_vectors.py --splits peers --out ...     in the environment of skcfgp
"""

import argparse
from pathlib import Path

import numpy as np
from chgnet.model import CHGNet
from common import read

NAMES = ("log10_K", "log10_G", "log10_n", "log10_eps")


def main():
    """Write the vectors of all crystals of each property."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, default=Path("peers"))
    chosen = parser.parse_args()
    model, known = CHGNet.load(use_device="cpu"), {}
    for name in NAMES:
        path = chosen.splits / f"{name}_chgnet.npy"
        if path.exists():
            continue
        crystals = read(chosen.splits / f"{name}.json")[0]
        for crystal in crystals:
            key = str(crystal)
            if key not in known:
                found = model.predict_structure(crystal, task="e", return_crystal_feas=True)
                known[key] = found["crystal_fea"]
        np.save(path, np.array([known[str(crystal)] for crystal in crystals]))


if __name__ == "__main__":
    main()
