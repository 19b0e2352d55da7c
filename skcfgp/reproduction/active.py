"""Row 5: max-std against random choice, crystal by crystal, on both protocols."""

import numpy as np

from ..active_learning.simulation import simulate
from ..query import max_std, random_sampling
from .settings import PAPER
from .trials import RECIPES, load_trial

__all__ = ["active_learning", "cycles_of_paper", "gains", "labels_to_reach", "simulated_curves"]

METRICS = ("mae_pool", "mae_test")


def cycles_of_paper(n_pool, n_cycles=PAPER["n_cycles"]):
    """Return as many cycles as the same share of the pool as the paper's.

    Parameters
    ----------
    n_pool : int
    n_cycles : int, default=1500
        Of a pool of 7,195.

    Returns
    -------
    int
    """
    return max(1, round(n_pool * n_cycles / PAPER["n_pool"]))


def active_learning(settings, data, results, *, name):
    """Stage: one initial set, until the pool is empty.

    Parameters
    ----------
    settings, data, results
        As in `Stage`.
    name : str
        Of the trial.

    Returns
    -------
    dict
        By recipe and metric: ``max_std_<recipe>_<metric>`` of shape (n_cycles + 1,) and
        ``random_<recipe>_<metric>`` of shape (n_orders, n_cycles + 1), in the unit of the labels;
        ``n_initial``.
    """
    trial = load_trial(data, results, name)
    out = {"n_initial": len(trial.initial)}
    for recipe in RECIPES:
        gp, y, scale = trial.process(recipe)
        sets = {"initial": trial.initial, "pool": trial.pool, "test": trial.test}
        states = settings.random_state + 100 * np.arange(settings.orders)
        for metric, curves in simulated_curves(gp, trial.X[recipe], y, states, **sets).items():
            for strategy, curve in zip(("max_std", "random"), curves, strict=True):
                out[f"{strategy}_{recipe}_{metric}"] = scale * curve
    return out


def simulated_curves(gp, X, y, states, **options):
    """Simulate max-std, and random choice with each random state.

    Parameters
    ----------
    gp : GaussianProcessRegressor
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    states : sequence of int
    **options
        Passed to `simulate`.

    Returns
    -------
    dict of str to (ndarray, ndarray)
        By metric: max-std, of shape (n_cycles + 1,); random, of shape (n_states, n_cycles + 1).
    """
    active = simulate(gp, X, y, query_strategy=max_std, **options)
    random = [
        simulate(gp, X, y, query_strategy=random_sampling, random_state=int(state), **options)
        for state in states
    ]
    return {m: (active[m].to_numpy(), np.array([run[m] for run in random])) for m in METRICS}


def labels_to_reach(curve, value):
    """Count the labels after which a curve is first at `value` or below.

    Parameters
    ----------
    curve : ndarray of shape (n_cycles + 1,)
    value : float

    Returns
    -------
    int or None
        At least 1; None if it never is.
    """
    reached = np.flatnonzero(np.asarray(curve)[1:] <= value)
    return int(reached[0]) + 1 if len(reached) else None


def gains(active, random, n):
    """Compare at the paper's share of the pool.

    Parameters
    ----------
    active : ndarray of shape (n_cycles + 1,)
    random : ndarray of shape (n_orders, n_cycles + 1)
    n : int
        Labels beyond the initial set.

    Returns
    -------
    dict
        ``lower``: part by which the error is lower than at random (mean over orders); ``factor``:
        enhancement, MAE_random / MAE_active; ``n_parity``: labels with which the error that n
        random ones give is reached; ``acceleration``: n / n_parity, counted from the initial set;
        None if it is not reached.
    """
    reference = random.mean(axis=0)
    parity = labels_to_reach(active, reference[n])
    return {
        "active": float(active[n]),
        "random": float(reference[n]),
        "lower": float(1 - active[n] / reference[n]),
        "factor": float(reference[n] / active[n]),
        "n_parity": parity,
        "acceleration": None if parity is None else n / parity,
    }
