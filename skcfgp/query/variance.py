"""The point whose label lowers the mean variance most."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR

from ..gaussian_process import PoolPosterior, as_process
from ..gaussian_process.greedy import IntegratedVariance, first_of_largest
from ..structures.typing import ArrayLike, Estimator, FloatArray, IntArray, Rows
from .common import (
    check_costs,
    check_features,
    check_pool,
    follow,
    innermost,
    last_step_of,
    unwrap,
)
from .design import design_for, wants_design, wants_first
from .uncertainty import choose_by_std

#: Largest memory that is kept between queries; beyond it each query starts again, in chunks.
MAX_BYTES = 2**31

#: Targets of the variance where the covariance of the whole pool is too large to hold.
N_TARGETS = 600


def integrated_variance(
    learner: Estimator,
    X_pool: Rows,
    n_instances: int = 1,
    X_target: Rows | None = None,
    *,
    costs: ArrayLike | None = None,
) -> tuple[IntArray, FloatArray]:
    """Choose the points whose labels lower the mean variance over a set of points the most.

    A label at x lowers the variance at t by cov(x, t)^2 / (var(x) + noise), whatever its value. The
    choice is the x with the largest mean of that over the targets. `max_std` prefers the edges of
    the pool; this prefers points whose labels say something about many others.

    With a `skcfgp.GaussianProcessRegressor` the covariance of pool and targets is kept between
    the queries of a learner: with the same targets, and the same pool or what is left of it, a
    query after one new label costs O(n_pool (n_target + n_train)). The choice is the same.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
        Learner whose estimator, or the last step of whose ``Pipeline``, is a Gaussian process of
        this package or of scikit-learn, with one target.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose, each given those before it.
    X_target : array-like of shape (n_target, ...), default=None
        Points where the variance matters, as the estimator takes them. By default, the pool. Needs
        a label.
    costs : array-like of shape (n_pool,), default=None
        Cost of the label of each point, > 0, in any unit. Points are then chosen by the decrease
        per unit of cost. `cost_weighted` computes costs from the pool.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    gain : ndarray of shape (n_instances,)
        Decrease of the mean variance over the targets by each, in the unit of y squared; with
        `costs`, per unit of cost.

    Raises
    ------
    TypeError
        If the model is not a Gaussian process.
    ValueError
        If the pool is empty or smaller than `n_instances`, the model has several targets, or
        `X_target` is given and the learner has no label.

    Notes
    -----
    A learner without a label chooses by `initial_design`.

    The first query takes about n_pool n_target n_train multiplications and holds
    8 n_pool (n_target + n_train) bytes, and a batch another 8 n_pool n_target. Where that is more
    than 2 GiB nothing is kept, and every point takes as many multiplications.

    References
    ----------
    .. [1] Cohn, Ghahramani, Jordan, "Active Learning with Statistical Models", J. Artif. Intell.
       Res. 4, 129 (1996). doi:10.1613/jair.295
    .. [2] Seo, Wallat, Graepel, Obermayer, "Gaussian process regression: active data selection and
       test point rejection" (IJCNN 2000). doi:10.1109/IJCNN.2000.861310
    """
    check_pool(X_pool, n_instances)
    try:
        model, pool = innermost(learner, X_pool)
        gp = as_process(model)
    except NotFittedError:
        if not wants_first(learner):
            raise
        if X_target is not None:
            raise ValueError(
                "X_target needs a label; the first ones are chosen for the pool."
            ) from None
        return design_for(learner, X_pool, n_instances, costs)
    target = None if X_target is None else innermost(learner, X_target)[1]
    return _choose(learner, gp, pool, n_instances, target, costs)


def recommended(
    learner: Estimator, X_pool: Rows, n_instances: int = 1, *, costs: ArrayLike | None = None
) -> tuple[IntArray, FloatArray]:
    """Choose by `integrated_variance` with a Gaussian process, by `max_std` with anything else.

    With fewer than ten labels, and with none, the choice is that of `initial_design`, unless the
    hyper-parameters of the process are given. The default strategy of `skcfgp.ActiveLearner` and
    `skcfgp.simulate`. On the fixed test sets of ``docs/active_learning.rst`` integrated variance is
    ahead of random choice in the mean on every property; `max_std`, the strategy of the paper, is
    behind it on formation energies, since it takes the outliers first.

    Parameters
    ----------
    learner : modAL learner or committee
        Learner to choose for.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose.
    costs : array-like of shape (n_pool,), default=None
        Cost of the label of each point, > 0, in any unit, by which the scores are divided.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice.
    scores : ndarray of shape (n_instances,)
        Scores of the strategy: by how much the label lowers the mean variance of the pool, in the
        unit of y squared, or the standard deviation, in the unit of y.

    Notes
    -----
    Where the covariance of the pool with itself would take more than 2 GiB, from about 15,000
    crystals on, the mean is taken over 600 of them, evenly spaced in the pool.
    """
    n_pool = check_pool(X_pool, n_instances)
    if wants_design(learner):
        return design_for(learner, X_pool, n_instances, costs)
    last, X = last_step_of(learner, X_pool)
    model, pool = unwrap(last, X)
    if not isinstance(model, SklearnGPR) or np.ndim(getattr(model, "y_train_", 0.0)) != 1:
        return choose_by_std(learner, last, X, n_instances, costs)
    some = None
    if not _fits(n_pool, n_pool, len(model.X_train_), n_instances):
        pool = check_features(model, pool)
        some = pool[np.linspace(0, n_pool - 1, N_TARGETS).astype(int)]
    return _choose(learner, as_process(model), pool, n_instances, some, costs)


def _fits(n_pool, n_target, n_labels, n_instances):
    """Tell whether the covariance with the targets, and its copy for a batch, may be held."""
    n_copies = 1 if n_instances == 1 else 2
    return 8 * n_pool * (n_copies * n_target + n_labels) <= MAX_BYTES


def _choose(learner, gp, pool, n_instances, target, costs=None):
    """Choose by integrated variance, from features."""
    targets = [] if target is None else [check_features(gp, target)]
    pool = check_features(gp, pool)
    costs = check_costs(costs, len(pool))
    if _fits(len(pool), len(targets[0] if targets else pool), len(gp.X_train_), n_instances):
        return follow(learner, IntegratedVariance, gp, pool, *targets).choose(n_instances, costs)
    posterior = PoolPosterior(gp, np.vstack([pool, *targets]))
    columns = slice(len(pool), None) if targets else slice(None)
    indices, gains = [], []
    for _ in range(n_instances):
        gain = posterior.variance_reduction(slice(len(pool)), columns) / costs
        gain[indices] = -np.inf
        indices.append(first_of_largest(gain))
        gains.append(gain[indices[-1]])
        posterior.condition_on(indices[-1])
    return np.array(indices), np.array(gains)
