"""Thompson sampling: choose the point that is best in a draw from the predictive distribution."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import numpy as np
from scipy.linalg import LinAlgError, cholesky
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR

from ..gaussian_process.greedy import first_of_largest
from ..structures.typing import ArrayLike, Estimator, FloatArray, IntArray, RandomState, Rows
from .aims import check_mode, per_cost
from .belief import Belief
from .common import check_costs, check_pool, innermost, private_random_state
from .design import design_for, wants_first

#: A draw is this many scales above its mean once in about 30,000 times.
WIDTH = 4.0


def thompson_sampling(
    learner: Estimator,
    X_pool: Rows,
    n_instances: int = 1,
    *,
    mode: Literal["max", "min"] = "max",
    X_pending: Rows | None = None,
    costs: ArrayLike | None = None,
    n_candidates: int = 2000,
    random_state: RandomState = None,
) -> tuple[IntArray, FloatArray]:
    """Choose points as often as they are likely to be the best of the pool.

    For each point to choose, the labels of the pool are drawn from their joint distribution, and
    the point with the best draw is taken: N(m, C) with the posterior covariance C, or where the
    model has a t distribution, m + sqrt(nu / chi^2_nu) N(0, C).

    Parameters
    ----------
    learner : modAL learner or Gaussian process
        Learner whose estimator, or the last step of whose ``Pipeline``, is a Gaussian process,
        calibrated or not, with one target.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose, each by a draw of its own among those not chosen before.
    mode : {"max", "min"}, default="max"
        Whether the best label is the largest or the smallest.
    X_pending : array-like of shape (n_pending, ...), default=None
        Points whose labels are on their way: the draws are made given that these have their means.
    costs : array-like of shape (n_pool,), default=None
        Cost of the label of each point, > 0. What is divided by it is the excess of a draw over the
        best label; where that is negative, it is multiplied.
    n_candidates : int, default=2000
        Number of points that are drawn jointly: those of largest m + 4 s where the pool is larger.
        Takes 24 bytes times its square.
    random_state : int, RandomState or None, default=None
        Controls the draws; see `random_sampling`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice.
    drawn : ndarray of shape (n_instances,)
        Draw of each, in the unit of y; with `costs` its excess per cost.

    Raises
    ------
    TypeError
        If the model is not a Gaussian process.
    ValueError
        If the pool is smaller than `n_instances` or an argument is not valid.

    Notes
    -----
    A learner without a label chooses by `initial_design`.

    References
    ----------
    .. [1] Thompson, Biometrika 25, 285 (1933). doi:10.1093/biomet/25.3-4.285
    .. [2] Kandasamy, Krishnamurthy, Schneider, Poczos, "Parallelised Bayesian Optimisation via
       Thompson Sampling" (AISTATS 2018). doi:10.48550/arXiv.1705.09236
    """
    sign = check_mode(mode)
    cost = check_costs(costs, check_pool(X_pool, n_instances))
    if n_candidates < n_instances:
        raise ValueError(
            f"n_candidates must be at least n_instances, {n_instances}, got {n_candidates}."
        )
    if wants_first(learner):
        return design_for(learner, X_pool, n_instances, costs)
    model = innermost(learner, None)[0]
    if not isinstance(model, SklearnGPR):
        raise TypeError(f"joint draws need a Gaussian process, got {type(model).__name__}.")
    belief = Belief(learner, X_pool, sign, X_pending)
    bound = belief.mean + WIDTH * belief.std
    some = np.sort(np.argsort(-bound, kind="stable")[:n_candidates])
    draws = _draw(belief, some, n_instances, private_random_state(random_state))
    indices: list[int] = []
    scores: list[float] = []
    for drawn in draws:
        score = drawn if costs is None else per_cost(drawn - belief.best, cost[some])
        score[np.isin(some, indices)] = -np.inf
        first = first_of_largest(score)
        indices.append(int(some[first]))
        scores.append(score[first])
    return np.array(indices), np.array(scores) * (belief.sign if costs is None else 1.0)


def _draw(belief, positions, n_draws, rng):
    """Draw the labels of some points jointly: ndarray of shape (n_draws, n_points)."""
    covariance = belief.covariance(positions)
    deviation = rng.standard_normal((n_draws, len(positions))) @ _root(covariance).T
    if belief.df is not None:
        df = float(np.median(belief.df))
        deviation *= np.sqrt(df / rng.chisquare(df, (n_draws, 1)))
    return belief.mean[positions] + deviation


def _root(covariance):
    """Return a matrix R with R R' equal to a covariance, which may be singular."""
    noisy = covariance + np.diag(1e-10 * np.diag(covariance))
    with suppress(LinAlgError):
        return cholesky(noisy, lower=True, check_finite=False)
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
