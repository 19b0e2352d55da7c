"""Compare groups of columns of `CompositionFeaturizer` with each other and with Magpie.

    python docs/scripts/compare_composition.py

Prints the mean absolute error in 5-fold cross-validation of 300 extremely randomised trees and of a
Gaussian process (Laplacian kernel with noise, standardised columns) on the bundled data. Of the
formation energies only the training part is used; the other data have no fixed test set. With
matminer in the environment (``pip install matminer``; it needs pandas < 3) its Magpie preset is in
the table too. A ``ConvergenceWarning`` says that a process found no noise.
"""

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CompositionFeaturizer, GaussianProcessRegressor
from skcfgp.datasets import load_dielectric, load_elastic, load_formation_energy
from skcfgp.kernels import Laplacian

DATA = {
    "formation energy, eV/atom": lambda: load_formation_energy(split="train"),
    "log10 K_VRH/GPa": lambda: load_elastic(target="K_VRH"),
    "log10 G_VRH/GPa": lambda: load_elastic(target="G_VRH"),
    "refractive index": lambda: load_dielectric(target="refractive_index"),
    "log10 poly_total": lambda: load_dielectric(target="poly_total"),
}

FEATURES = {
    "mean, deviation, cell (default)": ("mean", "deviation", "cell"),
    "default and size": ("mean", "deviation", "cell", "size"),
    "default, minimum, maximum": ("mean", "deviation", "minimum", "maximum", "cell"),
    "default, fractions": ("mean", "deviation", "cell", "fractions"),
}

MODELS = {
    "trees": ExtraTreesRegressor(300, random_state=0),
    "process": make_pipeline(
        StandardScaler(),
        GaussianProcessRegressor(
            Laplacian(length_scale=10.0) + WhiteKernel(0.01), normalize_y=True
        ),
    ),
}


def load(name, loader):
    """Crystals and target of a row of `DATA`; a logarithm needs a positive one."""
    data = loader()
    if not name.startswith("log10"):
        return data.structures, data.target
    positive = data.target > 0
    if not positive.all():
        print(f"{name}: {np.sum(~positive)} of {len(positive)} rows left out, not positive")
    return data.structures[positive], np.log10(data.target[positive])


def magpie(structures):
    """The 132 columns of matminer's preset."""
    from matminer.featurizers.composition import ElementProperty

    preset = ElementProperty.from_preset("magpie")
    return np.array([preset.featurize(structure.composition) for structure in structures])


def feature_sets(structures):
    """Yield (name, features)."""
    for name, groups in FEATURES.items():
        yield name, CompositionFeaturizer(groups).fit_transform(structures)
    try:
        preset = magpie(structures)
    except ImportError:
        return
    yield "Magpie", preset
    yield (
        "Magpie, cell",
        np.hstack([preset, CompositionFeaturizer("cell").fit_transform(structures)]),
    )


def error(model, X, y):
    """Mean absolute error over the five folds."""
    folds = KFold(5, shuffle=True, random_state=0)
    return np.mean(np.abs(cross_val_predict(model, X, y, cv=folds) - y))


def main():
    """Print one table a data set."""
    for data, loader in DATA.items():
        structures, y = load(data, loader)
        print(f"\n{data}: {len(y)} crystals, mean absolute deviation ", end="")
        print(f"{np.mean(np.abs(y - y.mean())):.4f}")
        sets = dict(feature_sets(structures))
        jobs = [delayed(error)(model, X, y) for X in sets.values() for model in MODELS.values()]
        errors = np.reshape(Parallel(n_jobs=-1)(jobs), (len(sets), len(MODELS)))
        print(f"{'':40}{'columns':>8}" + "".join(f"{model:>10}" for model in MODELS))
        for (name, X), row in zip(sets.items(), errors, strict=True):
            print(f"{name:40}{X.shape[1]:8}" + "".join(f"{value:10.4f}" for value in row))


if __name__ == "__main__":
    main()
