"""Row 3: amplitude and length scale, by which likelihood, from which start."""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.spatial.distance import pdist
from sklearn.preprocessing import MinMaxScaler

from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from .trials import MAIN, RECIPES, load_trial, scores

FEATURES = ("raw", "min-max scaled")
OBJECTIVES = ("marginal_likelihood", "leave_one_out")
STARTS = [(a, length) for a in (0.1, 1.0, 10.0) for length in (0.1, 1.0, 10.0)]  # paper: 1, 1
#: The paper says 10,000 steps, its code 100 unless told otherwise.
ADAM_STEPS = (100, 10_000)


def hyperparameters(settings, data, trial):
    """Yield the Laplacian by each likelihood on raw and scaled features, and both pipelines."""
    for features in FEATURES:
        X = trial.X().astype(float)
        X = X if features == "raw" else MinMaxScaler().fit(X[trial.initial]).transform(X)
        for objective in OBJECTIVES:
            known = {} if objective == OBJECTIVES[0] else {"unseen": trial.unseen_mask}
            if known and not trial.unseen_mask.any():
                continue
            gp = GaussianProcessRegressor(Laplacian(), objective=objective)
            found = trial.fit_and_score(gp, X, **known)
            a, length = np.exp(gp.kernel_.theta).tolist()
            found |= {"amplitude": a, "length_scale": length, "ratio": a**2 / length}
            yield "hyperparameters", {"features": features, "objective": objective} | found
    for recipe in RECIPES:
        found = {"recipe": recipe, "kernel": trial.fits[recipe]["kernel"]}
        yield "pipelines", found | scores(*trial.tested(recipe))


def sensitivity(settings, data, results):
    """Stage: where optimisers end from `STARTS` on the marginal likelihood of the raw features."""
    trial, ends = load_trial(data, results, MAIN), []
    X = trial.X().astype(float)
    known = X[trial.initial]
    median = np.median(pdist(known[:: max(1, len(known) // 500)]))
    lengths = np.geomspace(min(0.05, 0.01 * median), 1000 * median, settings.grid)
    surface, starts = Surface(known, trial.y[trial.initial], lengths), np.log(STARTS)
    path = adam(surface, starts, ADAM_STEPS[-1])
    reached = {("Adam", steps): path[steps] for steps in ADAM_STEPS}
    reached["L-BFGS", None] = [lbfgs(surface, start) for start in starts]
    for (optimizer, steps), points in reached.items():
        for start, theta in zip(STARTS, points, strict=True):
            a, length = np.exp(theta)
            end = {"optimizer": optimizer, "steps": steps, "start": list(start)}
            end |= {"amplitude": a, "length_scale": length}
            end["nats_below"] = max(0.0, surface.highest() - surface(*theta)[0])
            gp = GaussianProcessRegressor(Laplacian(a, length), optimizer=None)
            ends.append(end | trial.fit_and_score(gp, X))
    return {"records": {"ends": ends}}


class Surface:
    """Log marginal likelihood of the Laplacian kernel without noise, over log a and log l.

    It is -q(l) / 2 a^2 - n log a - h(l): a process of amplitude 1 for each length gives all of it.
    Between the `lengths` q and h are splines, so that a path of 10,000 steps costs nothing.
    """

    def __init__(self, X, y, lengths):
        self.n, self.log_l, q, h = len(y), np.log(lengths), [], []
        for length in lengths:
            gp = GaussianProcessRegressor(Laplacian(1.0, length), optimizer=None).fit(X, y)
            q.append(y @ gp.alpha_)
            h.append(-gp.log_marginal_likelihood_value_ - q[-1] / 2)
        self.log_q = CubicSpline(self.log_l, np.log(q))  # smoother than q, which spans decades
        self.h = CubicSpline(self.log_l, h)

    def __call__(self, log_a, log_l):
        """Return the value, in nats, and its gradient by log a and log l."""
        # Beyond the grid the surface would be a guess of the spline.
        log_l = np.clip(log_l, self.log_l[0], self.log_l[-1])
        fit = 0.5 * np.exp(self.log_q(log_l) - 2 * log_a)
        value = -fit - self.n * log_a - self.h(log_l)
        return value, (2 * fit - self.n, -fit * self.log_q(log_l, 1) - self.h(log_l, 1))

    def highest(self):
        """Return the value at the highest point."""
        log_l = np.linspace(self.log_l[0], self.log_l[-1], 20_001)
        log_a = 0.5 * (self.log_q(log_l) - np.log(self.n))  # the best for each length
        return float(np.max(self(log_a, log_l)[0]))


def lbfgs(surface, start):
    """Return where L-BFGS, the optimiser of scikit-learn, ends."""
    bounds = [np.log([1e-5, 1e5]), surface.log_l[[0, -1]]]
    options = {"jac": True, "method": "L-BFGS-B", "bounds": bounds}
    return minimize(lambda theta: [-np.array(v) for v in surface(*theta)], start, **options).x


def adam(surface, starts, n_steps, rate=0.01):
    """Climb by Adam (doi:10.48550/arXiv.1412.6980); all points, (n_steps + 1, n_starts, 2)."""
    theta, low, high = np.array(starts, dtype=float), surface.log_l[0], surface.log_l[-1]
    path, first, second = [theta.copy()], np.zeros_like(theta), np.zeros_like(theta)
    for step in range(1, n_steps + 1):
        gradient = np.stack(surface(*theta.T)[1], axis=1)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        scale = np.sqrt(second / (1 - 0.999**step)) + 1e-8
        theta = theta + rate * first / (1 - 0.9**step) / scale
        theta[:, 1] = np.clip(theta[:, 1], low, high)
        path.append(theta.copy())
    return np.array(path)
