"""A trial: one initial set, its network, and both pipelines fitted on it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from ..calibration import coverage, negative_log_likelihood
from ..features.megnet import MEGNetFeaturizer
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..models.cfgp import make_cfgp
from ..network import load_network, save_network
from .data import CUTOFF

RECIPES = ("paper", "recommended")
MAIN = "main"  # the trial of the whole initial set
DISTANCE_NOISE = 0.05  # angstrom, in training, as for the bundled network


def trial_names(settings):
    """List the trials that show the spread over seeds; the first is `MAIN` if all have networks."""
    first = [MAIN] if settings.retrain else ["fit_0"]
    return first + [f"fit_{seed}" for seed in range(1, settings.seeds)]


def trial_rows(settings, data, seed):
    """Return the rows of the initial set and of the pool of a seed; None is that of `MAIN`."""
    if seed is None:
        return data.train, data.pool
    rng = np.random.RandomState(settings.random_state + 1000 + seed)
    if settings.retrain:
        order = rng.permutation(np.concatenate([data.train, data.pool]))
        return map(np.sort, np.split(order, [len(data.train)]))
    size = round(0.9 * len(data.train))
    return np.sort(rng.permutation(data.train)[:size]), data.pool


def train_network(
    structures, y, folder, *, epochs, start=None, cutoff=CUTOFF, unseen=None, random_state=0
):
    """Train a network, or go on with it, and save it in a folder.

    Return the history, the rows that chose the epoch, and the seconds of the fastest epoch: other
    work on the machine can only make one longer.
    """
    folder = Path(folder)
    featurizer = MEGNetFeaturizer(
        start,
        epochs=epochs,
        distance_noise=DISTANCE_NOISE,
        cutoff=cutoff,
        random_state=random_state,
        checkpoint_dir=folder.parent / "checkpoints",
    )
    featurizer.fit(structures, y, unseen=unseen)
    history = featurizer.history_
    if len(history["loss"]) < epochs:
        raise KeyboardInterrupt  # a training that was stopped is not a result
    save_network(featurizer.network_, folder)
    return history, featurizer.validation_indices_, min(history["seconds"])


def train_first(settings, data, results, *, seed, folder):
    """Stage: the network of a seed, trained on its initial set alone; 0 is that of `MAIN`."""
    initial, _ = trial_rows(settings, data, seed or None)
    path = Path(folder) / f"seed_{seed}"
    options = {"epochs": settings.epochs, "random_state": settings.random_state + seed}
    crystals, labels = data.structures[initial], data.y[initial]
    history, validation, seconds = train_network(crystals, labels, path, **options)
    found = {"history": history, "epoch": seconds / len(initial), "unseen": initial[validation]}
    return found | {"folder": path.name}


def fit_trial(settings, data, results, *, seed, network, folder):
    """Stage: features, hyper-parameters and predictions of both pipelines, for all rows."""
    initial, pool = trial_rows(settings, data, seed)
    unseen = np.isin(initial, results[network]["unseen"] if network else data.unseen)
    name = results[network]["folder"] if network else None
    weights, fits = weights_of(data, name, folder), {}
    for recipe in RECIPES:
        cfgp = make_cfgp(weights, recipe=recipe, random_state=settings.random_state)
        X = cfgp[:-1].fit(data.structures[initial]).transform(data.structures)
        known = {"unseen": unseen} if recipe == "recommended" and unseen.any() else {}
        gp = cfgp[-1].fit(X[initial], data.y[initial], **known)
        mean, std = gp.predict(X, return_std=True)
        found = {"X": X, "theta": gp.kernel_.theta, "mean": mean, "std": std}
        fits[recipe] = found | {"kernel": str(gp.kernel_)}
    rows = {"initial": initial, "pool": pool, "unseen": initial[unseen]}
    readout = load_network(weights).predict(data.structures)
    return rows | {"network": name, "readout": readout, "fits": fits}


def weights_of(data, network, folder):
    """Find a network by the name of its folder; None is the one that came with the data."""
    return data.network if network is None else Path(folder) / network


def scores(y, mean, std=None):
    """Return MAE, MSE and R2 by name; with a standard deviation also 2-sigma coverage and NLL."""
    found = {"mae": mean_absolute_error(y, mean), "mse": mean_squared_error(y, mean)}
    found["r2"] = r2_score(y, mean)
    if std is None:
        return found
    found["coverage_2sigma"] = coverage(y, mean, std, n_sigma=2)
    return found | {"nll": negative_log_likelihood(y, mean, std)}


@dataclass
class Trial:
    """A fitted trial: rows of its parts, labels and readout of all rows, a fit for each recipe."""

    name: str
    initial: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    unseen: np.ndarray
    y: np.ndarray
    readout: np.ndarray
    network: str | None
    fits: dict

    @property
    def sets(self):
        """The rows as `simulate` takes them."""
        return {"initial": self.initial, "pool": self.pool, "test": self.test}

    @property
    def unseen_mask(self):
        """Which crystals of the initial set the network was not trained on."""
        return np.isin(self.initial, self.unseen)

    def X(self, recipe="paper"):
        """Return the features of all rows."""
        return self.fits[recipe]["X"]

    def tested(self, recipe):
        """Return labels, means and standard deviations of the test set."""
        fit = self.fits[recipe]
        return self.y[self.test], fit["mean"][self.test], fit["std"][self.test]

    def fit_and_score(self, gp, X, **known):
        """Fit a process on the initial set and return its `scores` on the test set."""
        gp.fit(X[self.initial], self.y[self.initial], **known)
        return scores(self.y[self.test], *gp.predict(X[self.test], return_std=True))

    def process(self, recipe):
        """Return a process whose hyper-parameters stay, the labels it learns and their unit."""
        kernel = make_cfgp(recipe=recipe)[-1].kernel.clone_with_theta(self.fits[recipe]["theta"])
        gp = GaussianProcessRegressor(kernel, optimizer=None)
        if recipe == "paper":
            return gp, self.y, 1.0
        known = self.y[self.initial]  # standardised once and for all: nothing but the rows changes
        return gp, (self.y - known.mean()) / known.std(), float(known.std())


def load_trial(data, results, name):
    """Make a `Trial` of the result of a stage."""
    found = {k: v for k, v in results[name].items() if k not in ("seconds", "warnings")}
    return Trial(name=name, test=data.test, y=data.y, **found)


def each_trial(settings, data, results, *, measure, main=True, **options):
    """Stage: what ``measure(settings, data, trial)`` yields, pairs of a table and a record."""
    records = {}
    for name in dict.fromkeys([*[MAIN] * main, *trial_names(settings)]):
        trial = load_trial(data, results, name)
        for table, record in measure(settings, data, trial, **options):
            records.setdefault(table, []).append({"trial": name} | record)
    return {"records": records}
