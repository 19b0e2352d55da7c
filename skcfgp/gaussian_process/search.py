"""The search for the hyper-parameters of any kernel, by marginal likelihood or leave-one-out.

The search starts on few rows, where a step is cheap: L-BFGS-B, as in scikit-learn, from the given
hyper-parameters and from the scale of the data, then the Hessian at the better optimum. Starting
from that Hessian, a few quasi-Newton steps on more rows, and finally on all, follow the optimum.
They also converge along a ridge: where distances are short against a length l, the rows determine
a^2 / l of a Laplacian kernel, but hardly a or l alone.
"""

import warnings
from contextlib import nullcontext

import numpy as np
from scipy.optimize import lsq_linear, minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import Sum
from sklearn.utils import check_random_state

from ..kernels import Laplacian
from ..structures.threads import one_blas_thread
from .common import check_mask
from .covariance import LENGTH_LIMIT, covariance_of, is_quick
from .objectives import Objective

OBJECTIVES = ("marginal_likelihood", "leave_one_out")

_FEW_ROWS = 250  # rows of the first search
_ONE_THREAD = 2000  # rows up to which BLAS is as fast with one thread as with two
_REACH = 2.0  # longest step, in logarithms: the curvature is not known farther away
_CLOSE = 0.02  # expected gain, in nats, at which a search on a subset of rows ends
_FLAT = 0.02  # smallest curvature that is trusted
_NOT_POSITIVE_DEFINITE = 1e25  # finite, so that a line search can step back
_ON_A_RIDGE = (
    f"The length scale ended at the upper limit of the search, {{limit:.4g}} (its bound, or "
    f"{LENGTH_LIMIT:g} times the median distance between rows): the likelihood is flat along "
    "amplitude**2 / length_scale = {ridge:.4g}. These data determine that ratio, and with it the "
    "predictions, but neither number alone. Report the ratio; to choose the length, pass "
    "Laplacian(length_scale=..., length_scale_bounds='fixed')."
)
_NOTABLE = 3.0  # nats for a factor of e: "strong" evidence, Kass and Raftery (1995)


def find_hyperparameters(gp, unseen):
    """Return the theta that maximises the objective of a process; warn of active bounds."""
    kernel, optimizer = gp.kernel_, gp.optimizer
    counts = _rows_that_count(gp.objective, unseen, len(gp.X_train_))
    if optimizer is None or not kernel.n_dims:
        return kernel.theta
    if optimizer != "fmin_l_bfgs_b" and not callable(optimizer):
        raise ValueError(
            f"Unknown optimizer {optimizer}: pass 'fmin_l_bfgs_b', a callable or None."
        )
    starts = [kernel.theta]
    if gp.n_restarts_optimizer:
        if not np.isfinite(kernel.bounds).all():
            raise ValueError(
                "Multiple optimizer restarts (n_restarts_optimizer>0) requires that all bounds are "
                "finite."
            )
        rng = check_random_state(gp.random_state)
        starts += [rng.uniform(*kernel.bounds.T) for _ in range(gp.n_restarts_optimizer)]
    rows = kernel, gp.X_train_, gp.y_train_, gp.noise_, counts
    if callable(optimizer):
        objective = _objective(*rows)
        found = [optimizer(_negative(objective), s, bounds=kernel.bounds) for s in starts]
        theta = min(found, key=lambda optimum: optimum[1])[0]
        slope = objective(theta)[1]
    else:
        objective, theta, slope = _coarse_to_fine(*rows, starts)
    _warn_at_bounds(kernel.clone_with_theta(theta), objective, slope)
    return theta


def _rows_that_count(objective, unseen, n_samples):
    """Return the mask of the rows that count for leave-one-out; None for the likelihood."""
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {OBJECTIVES}, got {objective!r}.")
    if objective == "leave_one_out":
        counts = np.full(n_samples, unseen is None)
        if unseen is not None:
            counts[check_mask("unseen", unseen, n_samples)] = True
        return counts
    if unseen is not None:
        raise ValueError(
            "the marginal likelihood always uses all rows: to choose the hyper-parameters on the "
            "unseen ones, set objective='leave_one_out'."
        )
    return None


def _objective(kernel, X, y, noise, counts, step=1):
    """Return the objective on every `step`-th row; a kind with few rows keeps all of them."""
    counted = np.ones(len(X), dtype=bool) if counts is None else counts
    kept = np.zeros(len(X), dtype=bool)
    for part in (np.flatnonzero(counted), np.flatnonzero(~counted)):
        kept[part[:: step if len(part) > _FEW_ROWS else 1]] = True
    rows = None if counts is None else np.flatnonzero(counts[kept])
    return Objective(covariance_of(kernel, X[kept]), y[kept], noise[kept], rows)


def _coarse_to_fine(kernel, X, y, noise, counts, starts):
    """Search on few rows from all starts, then from the best on more rows, in the end on all."""
    step = 1
    while len(X) > step * _FEW_ROWS:
        step *= 2
    objective = _objective(kernel, X, y, noise, counts, step)
    starts = [*starts, objective.covariance.start(float(np.mean(objective.Y**2)) or 1.0)]
    with _threads(objective):
        theta, slope, curvature = _search_afresh(objective, starts, 1e-9)
    while step > 1:
        step //= 2
        objective = _objective(kernel, X, y, noise, counts, step)
        with _threads(objective):
            here = objective(theta)
            if np.isfinite(here[0]):  # twice the rows, twice the curvature
                theta, slope, curvature = _climb(objective, theta, *here, 2.0 * curvature, _CLOSE)
            else:
                theta, slope, curvature = _search_afresh(objective, starts, _CLOSE)
    return objective, theta, slope


def _threads(objective):
    return one_blas_thread() if len(objective.Y) <= _ONE_THREAD else nullcontext()


def _search_afresh(objective, starts, tolerance):
    theta = _best(objective, starts)
    value, slope = objective(theta)
    curvature = _curvature(objective, theta, slope)
    return _climb(objective, theta, value, slope, curvature, tolerance)


def _best(objective, starts):
    """Return the best of the optima that L-BFGS-B finds from each start."""
    bounds = objective.covariance.bounds
    options = {"jac": True, "method": "L-BFGS-B", "bounds": bounds}
    optima = [
        minimize(_negative(objective), np.clip(start, *bounds.T), **options) for start in starts
    ]
    return min(optima, key=lambda optimum: optimum.fun).x


def _negative(objective):
    def negative(theta, eval_gradient=True):
        value, gradient = objective(theta)
        if not np.isfinite(value):
            value, gradient = -_NOT_POSITIVE_DEFINITE, np.zeros_like(theta)
        return (-value, -gradient) if eval_gradient else -value

    return negative


def _curvature(objective, theta, slope, h=0.05):
    """Return the negative Hessian by finite differences, made positive definite."""
    H = np.empty((len(theta),) * 2)
    for k, (_, high) in enumerate(objective.covariance.bounds):
        shifted = theta.copy()
        shifted[k] += h if theta[k] + h <= high else -h
        H[k] = (slope - objective(shifted)[1]) / (shifted[k] - theta[k])
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    return (vectors * np.maximum(np.abs(values), _FLAT)) @ vectors.T


def _climb(objective, theta, value, slope, B, tolerance):
    """Ascend by quasi-Newton steps until the next would gain no more than `tolerance` nats.

    Returns theta, the slope there and the negative Hessian B, updated by BFGS.
    """
    low, high = objective.covariance.bounds.T
    for _ in range(100):
        box = np.maximum(low - theta, -_REACH), np.minimum(high - theta, _REACH)
        step = _newton_step(B, slope, *box)
        if slope @ step - 0.5 * step @ B @ step <= tolerance:
            break
        for _ in range(10):
            new_value, new_slope = objective(theta + step)
            if np.isfinite(new_value):
                B = _bfgs(B, step, slope - new_slope)
            if new_value >= value + 1e-4 * slope @ step:
                break
            step = 0.3 * step
        else:
            break
        theta, value, slope = np.clip(theta + step, low, high), new_value, new_slope
    return theta, slope, B


def _newton_step(B, slope, low, high):
    """Maximise slope' s - s' B s / 2 in a box."""
    step, free = np.zeros(len(slope)), low < high
    if free.any():
        L = np.linalg.cholesky(B[np.ix_(free, free)])
        box = low[free], high[free]
        step[free] = lsq_linear(L.T, np.linalg.solve(L, slope[free]), box, method="bvls").x
    return step


def _bfgs(B, step, change):
    """Update the negative Hessian with the change of slope along a step (damping: Powell 1978)."""
    Bs = B @ step
    expected, found = step @ Bs, step @ change
    if found < 0.2 * expected:
        weight = 0.8 * expected / (expected - found)
        change = weight * change + (1 - weight) * Bs
    return B + np.outer(change, change) / (step @ change) - np.outer(Bs, Bs) / expected


def _warn_at_bounds(kernel, objective, slope):
    """Warn of each hyper-parameter that a bound keeps from a notably better value."""
    limits, theta, k = objective.covariance.bounds, kernel.theta, -1
    quick, ridge = is_quick(kernel), _ridge(kernel) if objective.rows is None else None
    notable = _NOTABLE if quick else -np.inf  # scikit-learn always warns for other kernels
    for h in kernel.hyperparameters:
        for i in range(0 if h.fixed else h.n_elements):
            k += 1
            low, high = np.isclose(theta[k], limits[k], atol=1e-3 if quick else 1e-8)
            side, change = ("lower", "Decreasing") if low else ("upper", "Increasing")
            if high and ridge and h.name.endswith("length_scale"):
                _warn(_ON_A_RIDGE.format(limit=np.exp(theta[k]), ridge=ridge))
            elif (low and slope[k] < -notable) or (high and slope[k] > notable):
                _warn(
                    f"The optimal value found for dimension {i} of parameter {h.name} is close to "
                    f"the specified {side} bound {h.bounds[i][int(high)]}. {change} the bound and "
                    "calling fit again may find a better value."
                    if limits[k][int(high)] == kernel.bounds[k][int(high)]
                    else f"{h.name} ended at the upper limit of its search, {LENGTH_LIMIT:g} times "
                    "the median distance between rows. Scale the features or the target, or fix it."
                )


def _ridge(kernel):
    """Return a^2 / l of a lone Laplacian, with or without noise; None for other kernels."""
    parts = [kernel.k1, kernel.k2] if type(kernel) is Sum else [kernel]
    laplacians = [part for part in parts if type(part) is Laplacian]
    if len(laplacians) != 1:
        return None
    return laplacians[0].amplitude ** 2 / laplacians[0].length_scale


def _warn(message):
    warnings.warn(message, ConvergenceWarning, stacklevel=5)
