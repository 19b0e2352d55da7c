"""Row 6, continued: scarce properties on the vectors of a network of formation energies."""

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import ShuffleSplit

from ..features.composition import CompositionFeaturizer
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..models.cfgp import make_cfgp
from .active import cycles_of_paper, gains, simulated_curves
from .trials import RECIPES

__all__ = ["NETWORK", "PROPERTIES", "scarce_properties"]

#: It has seen formation energies of such crystals, but no refractive index and no modulus.
NETWORK = "Eform_MP_2019"

#: Name and unit of what is learnt.
PROPERTIES = {"refractive index": "1", "log10 bulk modulus": "log10 GPa"}


def _load(name):
    from ..datasets import load_dielectric, load_elastic

    if name == "refractive index":
        data = load_dielectric(structures="arrays")
        return data.structures, data.target
    data = load_elastic(structures="arrays")
    return data.structures, np.log10(data.target)


def scarce_properties(settings, data, results):
    """Stage: accuracy and active learning on a property with a thousand labels.

    Four fifths and one fifth, at random, a seed; 200 of the former are the initial set of active
    learning, which goes on for the paper's share of the rest. The kernel is fitted on the initial
    set.

    Returns
    -------
    dict
        By property: a list over seeds of ``mae`` by model and of the gains of `gains` by recipe
        and metric.
    """
    out = {}
    for name in PROPERTIES:
        structures, y = _load(name)
        if settings.n_initial is not None:  # a smaller run
            keep = np.random.RandomState(settings.random_state).permutation(len(y))
            keep = np.sort(keep[: max(150, settings.n_initial)])
            structures, y = structures[keep], y[keep]
        usable = _usable(structures)
        structures, y = structures[usable], y[usable]
        splits = ShuffleSplit(settings.seeds, test_size=0.2, random_state=settings.random_state)
        out[name] = [
            _of_split(settings, structures, y, *split, seed)
            for seed, split in enumerate(splits.split(y))
        ]
        out[f"n, {name}"] = len(y)
    return out


def _usable(structures):
    from ..features.megnet import MEGNetFeaturizer

    featurizer = MEGNetFeaturizer(NETWORK, layer="set2set", on_error="nan").fit(structures)
    return np.isfinite(featurizer.transform(structures)).all(axis=1)


def _of_split(settings, structures, y, train, test, seed):
    rng = np.random.RandomState(settings.random_state + seed)
    order = rng.permutation(train)
    initial, pool = np.split(order, [min(200, len(order) // 2)])
    n = cycles_of_paper(len(pool))
    out = {"mae": {"mean of the labels": float(np.abs(y[train].mean() - y[test]).mean())}}
    composition = CompositionFeaturizer(("mean", "deviation", "minimum", "maximum", "cell"))
    C = composition.fit_transform(structures)
    trees = ExtraTreesRegressor(300, random_state=settings.random_state).fit(C[train], y[train])
    out["mae"]["trees on composition"] = float(np.abs(trees.predict(C[test]) - y[test]).mean())
    sets = {"initial": initial, "pool": pool, "test": test, "n_cycles": n}
    for recipe in RECIPES:
        cfgp = make_cfgp(NETWORK, recipe=recipe, random_state=settings.random_state)
        X = cfgp["features"].fit(structures[train]).transform(structures)
        mean, scale = y[train].mean(), y[train].std()
        z = (y - mean) / scale
        gp = cfgp["gp"].set_params(normalize_y=False).fit(X[train], z[train])
        out["mae"][recipe] = float(scale * np.abs(gp.predict(X[test]) - z[test]).mean())
        gp.fit(X[initial], z[initial])
        fixed = GaussianProcessRegressor(gp.kernel_, optimizer=None)
        curves = simulated_curves(fixed, X, z, 100 * np.arange(settings.orders), **sets)
        out[recipe] = {metric: gains(*pair, n) for metric, pair in curves.items()}
    return out
