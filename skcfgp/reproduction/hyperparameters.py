"""Row 3: amplitude and length scale, by which likelihood, from which start.

Without noise one factorisation per length gives the whole likelihood of the Laplacian kernel:
log p(y | a, l) = -q(l) / 2 a^2 - n log a - h(l), where q = y' R^-1 y and h = log det(R) / 2 + n
log(2 pi) / 2. The likelihood of the leave-one-out predictions, whose means do not depend on a, has
the same form. Between the lengths of a grid q and h are splines, so the path of an optimiser costs
nothing.
"""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import lapack
from scipy.optimize import minimize
from scipy.spatial.distance import pdist, squareform
from sklearn.preprocessing import MinMaxScaler

from ..calibration import coverage, negative_log_likelihood
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from .trials import MAIN, RECIPES, load_trial, load_trials

__all__ = [
    "ADAM_STEPS", "FEATURES", "OBJECTIVES", "STARTS", "LikelihoodMap", "adam_paths",
    "hyperparameters", "lbfgs_path", "quality", "sensitivity",
]  # fmt: skip

FEATURES = ("raw", "min-max scaled")
OBJECTIVES = ("marginal_likelihood", "leave_one_out")
#: a and l; the paper starts from 1 and 1.
STARTS = [(a, length) for a in (0.1, 1.0, 10.0) for length in (0.1, 1.0, 10.0)]
#: The paper says 10,000 steps, its code 100 unless told otherwise.
ADAM_STEPS = (100, 10_000)
DRAWN = 200  # points of a path of Adam that are kept for the figure
JITTER = 1e-10


def quality(y, mean, std):
    """Return MAE, coverage at 2 sigma and NLL by name."""
    return {
        "mae": float(np.abs(mean - y).mean()),
        "coverage_2sigma": coverage(y, mean, std, n_sigma=2),
        "nll": negative_log_likelihood(y, mean, std),
    }


def hyperparameters(settings, data, results):
    """Stage: the Laplacian by each likelihood on raw and scaled features, and both pipelines."""
    records, pipelines = [], []
    for trial in load_trials(settings, data, results, MAIN):
        known, unseen = trial.y[trial.initial], trial.unseen_mask
        for features in FEATURES:
            X = _features(trial, features)
            for objective in OBJECTIVES:
                if objective == "leave_one_out" and not unseen.any():
                    continue
                gp = GaussianProcessRegressor(Laplacian(), objective=objective)
                gp.fit(X[trial.initial], known, unseen if objective == "leave_one_out" else None)
                a, length = float(gp.kernel_.amplitude), float(gp.kernel_.length_scale)
                found = quality(trial.y[trial.test], *gp.predict(X[trial.test], return_std=True))
                key = {"trial": trial.name, "features": features, "objective": objective}
                numbers = {"amplitude": a, "length_scale": length, "ratio": a**2 / length}
                records.append(key | numbers | found)
        for recipe in RECIPES:
            key = {"trial": trial.name, "recipe": recipe, "kernel": trial.fits[recipe]["kernel"]}
            pipelines.append(key | quality(*trial.tested(recipe)))
    return {"records": {"hyperparameters": records, "pipelines": pipelines}}


def _features(trial, features):
    X = trial.X().astype(float)
    return X if features == "raw" else MinMaxScaler().fit(X[trial.initial]).transform(X)


def sensitivity(settings, data, results):
    """Stage: the likelihood as a surface, where optimisers end from `STARTS`, and what that costs.

    The paths climb the marginal likelihood; values of a surface are relative to its best point.
    """
    trial = load_trial(data, results, MAIN)
    unseen, ends, surfaces = np.flatnonzero(trial.unseen_mask), [], {}
    for features in FEATURES:
        X = _features(trial, features)
        known = X[trial.initial]
        median = np.median(pdist(known[:: max(1, len(known) // 500)]))
        lengths = np.geomspace(min(0.05, 0.01 * median), 1000 * median, settings.grid)
        surface = LikelihoodMap(known, trial.y[trial.initial], unseen, lengths)
        log_l = np.linspace(np.log(lengths[0]), np.log(lengths[-1]), 161)
        log_a = np.linspace(np.log(0.02), np.log(50.0), 121)
        maps = {}
        for objective in OBJECTIVES if len(unseen) else OBJECTIVES[:1]:
            best = surface.best(objective)
            value, _ = surface(objective, log_a[:, None], log_l[None, :])
            maps[objective] = {"best": best, "value": (value - best[2]).astype(np.float32)}
        paths = _paths(surface)
        surfaces[features] = {"log_a": log_a, "log_l": log_l, "maps": maps, "paths": paths}
        for end in _ends(surface, paths):
            gp = GaussianProcessRegressor(
                Laplacian(end["amplitude"], end["length_scale"]), optimizer=None
            ).fit(known, trial.y[trial.initial])
            found = quality(trial.y[trial.test], *gp.predict(X[trial.test], return_std=True))
            ends.append({"features": features} | end | found)
        for path in paths:
            steps = np.geomspace(1, len(path["adam"]), DRAWN).astype(int) - 1
            path["adam"] = path["adam"][np.unique(steps)]
    return {"records": {"ends": ends}, "surfaces": surfaces}


def _paths(surface):
    """Climb from each start by L-BFGS and by Adam."""
    adams = adam_paths(surface, OBJECTIVES[0], np.log(STARTS), ADAM_STEPS[-1])
    climbs = [lbfgs_path(surface, OBJECTIVES[0], *np.log(start)) for start in STARTS]
    return [
        {
            "start": list(start),
            "lbfgs": climb,
            "adam": adams[:, number],
            "early": adams[ADAM_STEPS[0], number],
        }
        for number, (start, climb) in enumerate(zip(STARTS, climbs, strict=True))
    ]


def _ends(surface, paths):
    """Where each optimiser is after its number of steps."""
    top = surface.best(OBJECTIVES[0])[2]
    for path in paths:
        ends = {("L-BFGS", None): path["lbfgs"][-1]}
        ends |= {("Adam", steps): path["adam"][steps] for steps in ADAM_STEPS}
        for (optimizer, steps), theta in ends.items():
            a, length = np.exp(theta).tolist()
            yield {
                "optimizer": optimizer,
                "steps": steps,
                "start": path["start"],
                "amplitude": a,
                "length_scale": length,
                "nats_below": max(0.0, float(top - surface(OBJECTIVES[0], *theta)[0])),
            }


class LikelihoodMap:
    """Marginal and predictive likelihood over (log a, log l), splines between `lengths`.

    `unseen` are the rows whose leave-one-out predictions count.
    """

    def __init__(self, X, y, unseen, lengths):
        self.lengths, distances = np.asarray(lengths, dtype=float), pdist(X)
        terms = [_terms(distances, y, unseen, length) for length in self.lengths]
        q, h, q_out, h_out = np.array(terms).T
        self._splines = {"marginal_likelihood": self._fit_splines(len(y), q, h)}
        if len(unseen):
            self._splines["leave_one_out"] = self._fit_splines(len(unseen), q_out, h_out)

    def _fit_splines(self, n, q, h):
        log_l = np.log(self.lengths)  # log q is smoother than q itself, which spans decades
        return n, CubicSpline(log_l, np.log(q)), CubicSpline(log_l, h)

    def __call__(self, objective, log_a, log_l):
        """Return the value, in nats, and its gradient by log a and log l."""
        n, log_q, h = self._splines[objective]
        # Beyond the grid the surface would be a guess of the spline.
        log_l = np.clip(log_l, np.log(self.lengths[0]), np.log(self.lengths[-1]))
        fit = 0.5 * np.exp(log_q(log_l) - 2 * log_a)
        value = -fit - n * log_a - h(log_l)
        return value, (2 * fit - n, -fit * log_q(log_l, 1) - h(log_l, 1))

    def best(self, objective):
        """Return log a and log l of the highest point, and the value there."""
        n, log_q, h = self._splines[objective]
        log_l = np.linspace(np.log(self.lengths[0]), np.log(self.lengths[-1]), 20_001)
        log_a = 0.5 * (log_q(log_l) - np.log(n))
        value = -0.5 * n - n * log_a - h(log_l)
        top = int(np.argmax(value))
        return float(log_a[top]), float(log_l[top]), float(value[top])


def _terms(distances, y, unseen, length):
    R = squareform(np.exp(distances / -length))
    R[np.diag_indices_from(R)] = 1.0 + JITTER
    L, info = lapack.dpotrf(R, lower=1)
    if info:
        raise ValueError(f"the kernel matrix is not positive definite at a length of {length}.")
    dual = lapack.dpotrs(L, y, lower=1)[0]
    half = np.log(np.diag(L)).sum()
    n, m = len(y), len(unseen)
    inverse, _ = lapack.dpotri(L, lower=1)
    precision = np.diag(inverse)[unseen]
    # Rasmussen and Williams (2006), Eq. 5.12, with the amplitude taken out
    q_out = np.sum(dual[unseen] ** 2 / precision)
    h_out = -0.5 * np.log(precision).sum() + 0.5 * m * np.log(2 * np.pi)
    return y @ dual, half + 0.5 * n * np.log(2 * np.pi), q_out, h_out


def lbfgs_path(surface, objective, log_a, log_l):
    """Climb by L-BFGS, as scikit-learn does, and return the iterates, (n_iterates, 2)."""

    def negative(theta):
        value, gradient = surface(objective, *theta)
        return -float(value), -np.array(gradient, dtype=float)

    path = [np.array([log_a, log_l], dtype=float)]
    ends = [tuple(np.log([1e-5, 1e5])), tuple(np.log(surface.lengths[[0, -1]]))]
    minimize(
        negative,
        path[0],
        jac=True,
        method="L-BFGS-B",
        bounds=ends,
        callback=lambda theta: path.append(theta.copy()),
    )
    return np.array(path)


def adam_paths(surface, objective, starts, n_steps, rate=0.01):
    """Climb by Adam, the paper's optimiser, with the rate of its code; (n_steps + 1, n_starts, 2).

    Kingma, Ba, "Adam: A Method for Stochastic Optimization" (2015), Algorithm 1,
    doi:10.48550/arXiv.1412.6980.
    """
    theta = np.array(starts, dtype=float)
    path, first, second = [theta.copy()], np.zeros_like(theta), np.zeros_like(theta)
    low, high = np.log(surface.lengths[[0, -1]])
    for step in range(1, n_steps + 1):
        gradient = np.stack(surface(objective, *theta.T)[1], axis=1)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        scale = np.sqrt(second / (1 - 0.999**step)) + 1e-8
        theta = theta + rate * first / (1 - 0.9**step) / scale
        theta[:, 1] = np.clip(theta[:, 1], low, high)
        path.append(theta.copy())
    return np.array(path)
