"""Row 5: max-std against random choice, crystal by crystal, on both protocols."""

import numpy as np

from ..query import max_std, random_sampling
from ..simulation import simulate
from .settings import PAPER
from .trials import RECIPES, load_trial

__all__ = ["active_learning", "cycles_of_paper", "gains", "labels_to_reach"]

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
        runs = {"max_std": [(max_std, None)]}
        runs["random"] = [
            (random_sampling, settings.random_state + 100 * k) for k in range(settings.orders)
        ]
        for strategy, calls in runs.items():
            query = calls[0][0]
            tables = [
                simulate(
                    gp,
                    trial.X[recipe],
                    y,
                    initial=trial.initial,
                    pool=trial.pool,
                    test=trial.test,
                    query_strategy=query,
                    random_state=state,
                )
                for _, state in calls
            ]
            for metric in METRICS:
                curves = scale * np.array([table[metric] for table in tables])
                out[f"{strategy}_{recipe}_{metric}"] = curves[0] if query is max_std else curves
    return out


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
