"""A trial: one initial set, its network, and both pipelines fitted on it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..gaussian_process.regressor import GaussianProcessRegressor
from ..models.cfgp import make_cfgp
from ..network import load_network

__all__ = [
    "RECIPES",
    "Trial",
    "fit_trial",
    "load_trial",
    "network_rows",
    "trial_names",
    "trial_rows",
    "weights_of",
]

RECIPES = ("paper", "recommended")
MAIN = "main"


def trial_names(settings):
    """List the trials that tell the spread: seeds as numbers, in order.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of str
        Of stages. The first is `MAIN`, the whole initial set, if each seed has its own network.
    """
    first = [MAIN] if settings.retrain else ["fit_0"]
    return first + [f"fit_{seed}" for seed in range(1, settings.seeds)]


def trial_rows(settings, data, seed):
    """Choose the initial set and the pool of a seed.

    Parameters
    ----------
    settings : Settings
    data : Data
    seed : int or None
        None means the whole initial set.

    Returns
    -------
    initial, pool : ndarray of int
    """
    if seed is None or (settings.retrain and seed == 0):
        return data.train, data.pool
    rng = np.random.RandomState(settings.random_state + 1000 + seed)
    if settings.retrain:
        order = rng.permutation(np.concatenate([data.train, data.pool]))
        first = len(data.train)
        return np.sort(order[:first]), np.sort(order[first:])
    size = round(0.9 * len(data.train))
    return np.sort(rng.permutation(data.train)[:size]), data.pool


def network_rows(settings, data, seed):
    """Choose what the network of a seed is trained on.

    Parameters
    ----------
    settings : Settings
    data : Data
    seed : int

    Returns
    -------
    ndarray of int
    """
    return data.train if seed == 0 else trial_rows(settings, data, seed)[0]


def fit_trial(settings, data, results, *, seed, network, folder):
    """Stage: features, hyper-parameters and predictions of both pipelines.

    Parameters
    ----------
    settings, data, results
        As in `Stage`.
    seed : int or None
    network : str or None
        The stage that trained the network; None if it came with the data.
    folder : Path
        Of all networks.

    Returns
    -------
    dict
        ``initial``, ``pool``, ``unseen`` (rows), ``network`` (folder or None), ``readout`` and, by
        recipe, ``X_...``, ``theta_...``, ``mean_...`` and ``std_...`` of all rows, ``kernel_...``.
    """
    initial, pool = trial_rows(settings, data, seed)
    unseen = np.isin(initial, results[network]["unseen"] if network else data.unseen)
    result = {"initial": initial, "pool": pool, "unseen": initial[unseen]}
    result["network"] = results[network]["folder"] if network else None
    weights = weights_of(data, result, folder)
    result["readout"] = load_network(weights).predict(data.structures)
    for recipe in RECIPES:
        cfgp = make_cfgp(weights, recipe=recipe, random_state=settings.random_state)
        features = cfgp["features"].fit(data.structures[initial])
        X = features.transform(data.structures)
        known = {"unseen": unseen} if recipe == "recommended" and unseen.any() else {}
        gp = cfgp["gp"].fit(X[initial], data.y[initial], **known)
        mean, std = gp.predict(X, return_std=True)
        result |= {
            f"X_{recipe}": X,
            f"theta_{recipe}": gp.kernel_.theta,
            f"mean_{recipe}": mean,
            f"std_{recipe}": std,
            f"kernel_{recipe}": str(gp.kernel_),
        }
    return result


def weights_of(data, result, folder):
    """Find the network of a trial.

    Parameters
    ----------
    data : Data
    result : dict
        Of `fit_trial`.
    folder : Path
        Of all networks.

    Returns
    -------
    str or Path
    """
    name = result["network"]
    return data.network if name is None else Path(folder) / name


@dataclass
class Trial:
    """A fitted trial.

    Attributes
    ----------
    initial, pool, test, unseen : ndarray of int
        Rows.
    y, readout : ndarray of shape (n_samples,)
    X, theta, mean, std : dict of str to ndarray
        By recipe.
    """

    initial: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    unseen: np.ndarray
    y: np.ndarray
    readout: np.ndarray
    X: dict
    theta: dict
    mean: dict
    std: dict

    def kernel(self, recipe):
        """Return the kernel with the hyper-parameters that were found.

        Parameters
        ----------
        recipe : str

        Returns
        -------
        kernel instance
        """
        return make_cfgp(recipe=recipe)["gp"].kernel.clone_with_theta(self.theta[recipe])

    def process(self, recipe):
        """Return a process whose hyper-parameters stay, and the labels that it learns.

        The recommended pipeline standardises the labels; here by those of the initial set, once and
        for all, so that nothing but the rows changes while it learns.

        Parameters
        ----------
        recipe : str

        Returns
        -------
        gp : GaussianProcessRegressor
        y : ndarray of shape (n_samples,)
        scale : float
            Unit of `y`, in the unit of the labels.
        """
        gp = GaussianProcessRegressor(self.kernel(recipe), optimizer=None)
        if recipe == "paper":
            return gp, self.y, 1.0
        known = self.y[self.initial]
        return gp, (self.y - known.mean()) / known.std(), float(known.std())


def load_trial(data, results, name):
    """Make a `Trial` of the result of a stage.

    Parameters
    ----------
    data : Data
    results : dict
    name : str

    Returns
    -------
    Trial
    """
    found = results[name]
    by_recipe = {
        key: {recipe: found[f"{key}_{recipe}"] for recipe in RECIPES}
        for key in ("X", "theta", "mean", "std")
    }
    rows = {key: found[key] for key in ("initial", "pool", "unseen")}
    return Trial(**rows, test=data.test, y=data.y, readout=found["readout"], **by_recipe)
