"""Data, splits and features of the comparison tables, computed once and kept in a folder.

    python docs/scripts/comparison.py [--cache comparison] [--jobs 2]

Each task is a property and a seed. Formation energies keep their fixed split, and the seed is that
of a MEGNet trained from scratch on its 1,800 crystals (five networks: four, and the bundled one).
The other properties are split at random, four fifths and one fifth, by the seed; their features are
those of the published network as it is, and again after fine-tuning on the training part. The
network never sees the rows ``unseen``, a tenth of the training part, which chose its epoch. About
40 minutes of one core; what is in the folder is not computed again.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from skcfgp import CompositionFeaturizer, MEGNetFeaturizer
from skcfgp.datasets import load_dielectric, load_elastic, load_formation_energy
from skcfgp.models import unseen_mask
from skcfgp.network import use_one_thread

SEEDS = range(5)
FORMATION = "formation energy"
LAYERS = ("set2set", "readout_0", "readout_1")
#: Property: unit of its values, loader, whether its logarithm is learnt.
PROPERTIES = {
    FORMATION: ("eV/atom", lambda **k: load_formation_energy(split="paper", **k), False),
    "log10 K_VRH": ("log10 GPa", lambda **k: load_elastic(target="K_VRH", **k), True),
    "log10 G_VRH": ("log10 GPa", lambda **k: load_elastic(target="G_VRH", **k), True),
    "refractive index": ("", lambda **k: load_dielectric(target="refractive_index", **k), False),
    "log10 refractive index": (
        "log10",
        lambda **k: load_dielectric(target="refractive_index", **k),
        True,
    ),
    "log10 poly_total": ("log10", lambda **k: load_dielectric(target="poly_total", **k), True),
}


@dataclass
class Task:
    """One property and one seed.

    Attributes
    ----------
    y : ndarray of shape (n_samples,)
    train, test : ndarray of int
        Rows.
    features : dict of str to ndarray of shape (n_samples, ...)
        ``composition`` (34 columns), ``composition for trees``, the layers of the network, and
        for all but the formation energies ``fine-tuned ...``; ``readout`` and ``fine-tuned
        readout`` are predictions.
    unseen : ndarray of bool of shape (n_train,)
        Rows of `train` that the trained or fine-tuned network has not seen.
    """

    name: str
    seed: int
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray
    features: dict
    unseen: np.ndarray

    def split(self, features):
        """Return X_train, X_test, y_train, y_test of an array with a row per crystal."""
        rows = self.train, self.test
        return *(features[r] for r in rows), *(self.y[r] for r in rows)


def load_task(name, seed, cache):
    """Compute the features of a task, or read them."""
    file = Path(cache) / f"{name.replace(' ', '_')}_{seed}.npz"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, **_compute(name, seed))
        part.rename(file)
    with np.load(file) as arrays:
        arrays = dict(arrays)
    split = {key: arrays.pop(key) for key in ("y", "train", "test", "unseen")}
    return Task(name, seed, features=arrays, **split)


def load_tasks(cache, names=PROPERTIES, n_jobs=1):
    """Return the tasks of the properties, all seeds."""
    jobs = [delayed(load_task)(name, seed, cache) for name in names for seed in SEEDS]
    return Parallel(n_jobs=n_jobs, verbose=5)(jobs)


def _compute(name, seed):
    use_one_thread()
    _, loader, logarithm = PROPERTIES[name]
    data = loader(structures="arrays")
    y = np.log10(data.target) if logarithm else data.target
    crystals = data.structures
    if name == FORMATION:
        train = np.flatnonzero(data.split == "train")
        test = np.flatnonzero(data.split == "test")
    else:
        order = np.random.default_rng(seed).permutation(len(y))
        train, test = np.split(order, [round(0.8 * len(y))])
    every = ("mean", "deviation", "minimum", "maximum", "cell")
    trees = (*every, "fractions") if name == FORMATION else every
    arrays = {
        "y": y,
        "train": train,
        "test": test,
        "composition": CompositionFeaturizer().fit_transform(crystals),
        "composition for trees": CompositionFeaturizer(trees).fit_transform(crystals),
    }
    if name == FORMATION:
        bundled = seed == max(SEEDS)
        weights = "formation_energy_1800" if bundled else None
        options = {"epochs": 0 if bundled else 60, "distance_noise": 0.05}
        network = MEGNetFeaturizer(weights, LAYERS, random_state=seed, verbose=0, **options)
        network.fit(crystals[train], y[train])
        if bundled:
            arrays["unseen"] = unseen_mask(network.network_, data.material_id[train])
        else:
            arrays["unseen"] = np.isin(np.arange(len(train)), network.validation_indices_)
        return arrays | _activations(network, crystals)
    frozen = MEGNetFeaturizer("Eform_MP_2019", LAYERS, verbose=0).fit(crystals)
    arrays |= _activations(frozen, crystals)
    tuned = MEGNetFeaturizer("Eform_MP_2019", LAYERS, epochs=60, random_state=seed, verbose=0)
    tuned.fit(crystals[train], y[train])
    arrays["unseen"] = np.isin(np.arange(len(train)), tuned.validation_indices_)
    more = _activations(tuned, crystals)
    return arrays | {f"fine-tuned {key}": value for key, value in more.items()}


def _activations(featurizer, crystals):
    columns = np.cumsum([96, 32])
    blocks = np.split(featurizer.transform(crystals), columns, axis=1)
    readout = featurizer.network_.predict(crystals)
    return dict(zip(LAYERS, blocks, strict=True)) | {"readout": readout}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("comparison"))
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    load_tasks(arguments.cache, n_jobs=arguments.jobs)
