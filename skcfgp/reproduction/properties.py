"""Row 6, in part: properties with few labels, on vectors of a network of formation energies."""

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_random_state

from ..datasets import UNITS, load_dielectric, load_elastic
from ..features.composition import CompositionFeaturizer
from ..features.megnet import MEGNetFeaturizer
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..models.cfgp import make_cfgp
from .learning import LEAST_LEFT, METRICS, gains, learning_curves
from .settings import cycles_of_paper
from .trials import MAIN, RECIPES, load_trial, trial_names

#: It has seen formation energies of such crystals, but no refractive index and no modulus.
SCARCE_NETWORK = "Eform_MP_2019"
#: Loader, unit and transformation of each scarce property.
PROPERTIES = {
    "refractive index": (load_dielectric, "", np.asarray),
    "log10 bulk modulus": (load_elastic, " log10 GPa", np.log10),
}


def scarce_properties(settings, data, results):
    """Stage: accuracy and active learning on properties with a thousand labels."""
    records = {}
    for name, (load, _, transform) in PROPERTIES.items():
        loaded = load(structures="arrays")
        structures, y = loaded.structures, transform(loaded.target)
        if settings.n_initial is not None:  # a smaller run
            keep = check_random_state(settings.random_state).permutation(len(y))
            keep = np.sort(keep[: max(150, settings.n_initial // 2)])
            structures, y = structures[keep], y[keep]
        featurizer = MEGNetFeaturizer(SCARCE_NETWORK, layer="set2set", on_error="nan")
        usable = np.isfinite(featurizer.fit(structures).transform(structures)).all(axis=1)
        structures, y = structures[usable], y[usable]
        splits = ShuffleSplit(settings.seeds, test_size=0.2, random_state=settings.random_state)
        for seed, (train, test) in enumerate(splits.split(y)):
            key = {"property": name, "trial": trial_names(settings)[seed]}
            order = np.random.RandomState(settings.random_state + seed).permutation(train)
            initial, pool = np.split(order, [min(200, len(order) // 2)])
            sets = {"initial": initial, "pool": pool, "test": test}
            X = {}
            for recipe in RECIPES:
                cfgp = make_cfgp(SCARCE_NETWORK, recipe=recipe, random_state=settings.random_state)
                X[recipe] = cfgp[:-1].fit(structures[train]).transform(structures)
            for table, record in _compare(settings, structures, X, y, train, sets):
                records.setdefault(table, []).append(key | record)
    units = {name: unit for name, (_, unit, _) in PROPERTIES.items()}
    return {"records": records, "facts": {"properties": units}}


def other_properties(settings, data, results):
    """Stage: the same for further properties of the data, on the vectors of the first network."""
    trial, records, units = load_trial(data, results, MAIN), {}, {}
    X = {recipe: trial.X(recipe) for recipe in RECIPES}
    for name, values in data.others.items():
        known = np.isfinite(values)
        if any(known[rows].sum() < LEAST_LEFT for rows in trial.sets.values()):
            continue
        sets = {part: rows[known[rows]] for part, rows in trial.sets.items()}
        label = name.replace("_", " ")
        units[label] = f" {UNITS.get(name, '')}".rstrip()
        y = np.where(known, values, 0.0)
        key = {"property": label, "trial": trial_names(settings)[0]}
        for table, record in _compare(settings, data.structures, X, y, sets["initial"], sets):
            records.setdefault(table, []).append(key | record)
    return {"records": records, "facts": {"other_properties": units}}


def _compare(settings, structures, X, y, train, sets):
    """Yield errors with all labels of `train`, and what max-std gains from the initial set on."""
    test, initial, n = sets["test"], sets["initial"], cycles_of_paper(len(sets["pool"]))
    mean, std = y[train].mean(), y[train].std()
    composition = CompositionFeaturizer(("mean", "deviation", "minimum", "maximum", "cell"))
    C = composition.fit_transform(structures)
    trees = ExtraTreesRegressor(300, random_state=settings.random_state).fit(C[train], y[train])
    for model, guess in (("mean of the labels", mean), ("trees on composition", trees.predict(C))):
        yield "scarce", {"model": model, "mae": np.abs(guess - y)[test].mean()}
    z = (y - mean) / std
    for recipe in RECIPES:
        gp = make_cfgp(recipe=recipe, random_state=settings.random_state)[-1]
        gp.set_params(normalize_y=False).fit(X[recipe][train], z[train])
        error = std * np.abs(gp.predict(X[recipe][test]) - z[test]).mean()
        yield "scarce", {"model": recipe, "mae": error}
        if len(initial) < len(train):
            gp.fit(X[recipe][initial], z[initial])
        fixed = GaussianProcessRegressor(gp.kernel_, optimizer=None)
        states = settings.random_state + 100 * np.arange(settings.orders)
        curves = learning_curves(fixed, X[recipe], z, states, std, **sets, n_cycles=n)
        for metric in METRICS:
            found = gains(curves, metric, n)
            yield "scarce_learning", {"recipe": recipe, "metric": metric} | found
