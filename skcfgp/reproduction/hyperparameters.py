"""Row 3: amplitude and length, by which likelihood, from which start."""

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.preprocessing import MinMaxScaler

from ..calibration import coverage, negative_log_likelihood
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from .likelihood_map import LikelihoodMap, adam_paths, lbfgs_path
from .trials import MAIN, RECIPES, load_trial, trial_names

__all__ = ["FEATURES", "OBJECTIVES", "STARTS", "hyperparameters", "quality", "sensitivity"]

FEATURES = ("raw", "min-max scaled")
OBJECTIVES = ("marginal_likelihood", "leave_one_out")
#: a and l; the paper starts from 1 and 1.
STARTS = [(a, length) for a in (0.1, 1.0, 10.0) for length in (0.1, 1.0, 10.0)]
#: The paper says 10,000 steps, its code 100 unless told otherwise.
ADAM_STEPS = (100, 10_000)
DRAWN = 200  # points of a path of Adam that are kept for the figure


def hyperparameters(settings, data, results):
    """Stage: the hyper-parameters of both pipelines, of each trial.

    Returns
    -------
    dict
        ``main`` and ``seeds`` (a list): by ``"<features>, <objective>"``, amplitude, length scale,
        their ratio a^2 / l, and MAE, coverage at 2 sigma and NLL on the test set; the last three by
        recipe too.
    """
    names = [MAIN, *(name for name in trial_names(settings) if name != MAIN)]
    found = {name: _of_trial(load_trial(data, results, name)) for name in names}
    seeds = [found[name] for name in trial_names(settings)]
    return {
        MAIN: found[MAIN] | {f"kernel_{r}": results[MAIN][f"kernel_{r}"] for r in RECIPES},
        "seeds": seeds,
    }


def _of_trial(trial):
    known, y_test = trial.y[trial.initial], trial.y[trial.test]
    unseen = np.isin(trial.initial, trial.unseen)
    out = {}
    for features in FEATURES:
        X = _features(trial, features)
        for objective in OBJECTIVES:
            if objective == "leave_one_out" and not unseen.any():
                continue
            gp = GaussianProcessRegressor(Laplacian(), objective=objective)
            gp.fit(X[trial.initial], known, *([unseen] if objective == "leave_one_out" else []))
            prediction = gp.predict(X[trial.test], return_std=True)
            a, length = float(gp.kernel_.amplitude), float(gp.kernel_.length_scale)
            out[f"{features}, {objective}"] = {
                "amplitude": a,
                "length_scale": length,
                "ratio": a**2 / length,
            } | quality(y_test, *prediction)
    for recipe in RECIPES:
        out[recipe] = quality(y_test, trial.mean[recipe][trial.test], trial.std[recipe][trial.test])
    return out


def _features(trial, features):
    X = trial.X["paper"].astype(float)
    return X if features == "raw" else MinMaxScaler().fit(X[trial.initial]).transform(X)


def quality(y, mean, std):
    """MAE, coverage at 2 sigma and NLL."""
    return {
        "mae": float(np.abs(mean - y).mean()),
        "coverage_2sigma": coverage(y, mean, std, n_sigma=2),
        "nll": negative_log_likelihood(y, mean, std),
    }


def sensitivity(settings, data, results):
    """Stage: the likelihood as a map, where several starts end up, and what that costs.

    Returns
    -------
    dict
        For features k = 0 (raw) and 1 (scaled), objective m: ``map_k_m`` (value less that of the
        best point, over ``log_a_k`` and ``log_l_k``), ``best_k_m``; paths from `STARTS` by marginal
        likelihood ``lbfgs_k_<start>``, ``adam_k_<start>``; ``ends_k``: by optimiser, a list of
        dicts with start, amplitude, length scale, nats below the best point, MAE and coverage.
    """
    trial = load_trial(data, results, MAIN)
    unseen = np.flatnonzero(np.isin(trial.initial, trial.unseen))
    out = {}
    for k, features in enumerate(FEATURES):
        X = _features(trial, features)
        known = X[trial.initial]
        median = np.median(pdist(known[:: max(1, len(known) // 500)]))
        lengths = np.geomspace(min(0.05, 0.01 * median), 1000 * median, settings.grid)
        surface = LikelihoodMap(known, trial.y[trial.initial], unseen, lengths)
        log_l = np.linspace(np.log(lengths[0]), np.log(lengths[-1]), 161)
        log_a = np.linspace(np.log(0.02), np.log(50.0), 121)
        out |= {f"log_l_{k}": log_l, f"log_a_{k}": log_a}
        for m, objective in enumerate(OBJECTIVES):
            if not len(unseen) and m:
                continue
            best = surface.best(objective)
            value, _ = surface(objective, log_a[:, None], log_l[None, :])
            out[f"best_{k}_{m}"] = np.array(best)
            out[f"map_{k}_{m}"] = (value - best[2]).astype(np.float32)
        out[f"ends_{k}"] = _paths(surface, X, trial, out, k)
    return out


def _paths(surface, X, trial, out, k):
    """Climb from each start; paths go into `out`."""
    objective, ends = OBJECTIVES[0], {"L-BFGS": []} | {f"Adam, {n:,} steps": [] for n in ADAM_STEPS}
    top = surface.best(objective)[2]
    adams = adam_paths(surface, objective, np.log(STARTS), ADAM_STEPS[-1])
    steps = np.unique(np.geomspace(1, len(adams), DRAWN).astype(int) - 1)
    for number, (a, length) in enumerate(STARTS):
        climb = lbfgs_path(surface, objective, np.log(a), np.log(length))
        out[f"lbfgs_{k}_{number}"] = climb
        adam = adams[:, number]
        out[f"adam_{k}_{number}"] = adam[steps]
        for name, theta in zip(ends, [climb[-1], *(adam[n] for n in ADAM_STEPS)], strict=True):
            value, _ = surface(objective, *theta)
            ends[name].append(
                {
                    "start": [a, length],
                    "amplitude": float(np.exp(theta[0])),
                    "length_scale": float(np.exp(theta[1])),
                    "nats_below": max(0.0, float(top - value)),
                }
                | _at(X, trial, *np.exp(theta))
            )
    return ends


def _at(X, trial, amplitude, length):
    """Errors on the test set with hyper-parameters that are given."""
    gp = GaussianProcessRegressor(Laplacian(amplitude, length), optimizer=None)
    gp.fit(X[trial.initial], trial.y[trial.initial])
    return quality(trial.y[trial.test], *gp.predict(X[trial.test], return_std=True))
