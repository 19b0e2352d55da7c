"""Strategies that look for the best label, or for the border of a condition.

All of them read the predictive distribution of each label, with location m, scale s and, where the
model has one, degrees of freedom nu of a Student t distribution; otherwise it is Gaussian. With
``mode="min"`` the signs of m and of the labels are changed first. A batch is chosen one point after
another: each is taken as labelled with its mean before the next, which is exact for the variances
(the "kriging believer").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..gaussian_process.greedy import first_of_largest
from ..structures.typing import ArrayLike, Estimator, FloatArray, IntArray, Rows
from .belief import Belief
from .common import check_costs, check_pool
from .design import design_for, wants_first
from .tails import log_cdf, log_excess

SIGNS = {"max": 1.0, "min": -1.0}


def expected_improvement(
    learner: Estimator,
    X_pool: Rows,
    n_instances: int = 1,
    *,
    mode: Literal["max", "min"] = "max",
    X_pending: Rows | None = None,
    costs: ArrayLike | None = None,
) -> tuple[IntArray, FloatArray]:
    """Choose the points whose labels are expected to exceed the best label by the most.

    With the best label b and z = (m - b) / s, EI = E[max(y - b, 0)] = s (z cdf(z) + pdf(z)) of a
    Gaussian, and s (z cdf(z) + (nu + z^2) / (nu - 1) pdf(z)) of a t distribution.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
        Learner whose ``predict(X, return_std=True)`` gives a standard deviation. Where its
        estimator, or the last step of its ``Pipeline``, is not a Gaussian process (calibrated or
        not), the points of a batch are chosen independently.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose, each given those before it.
    mode : {"max", "min"}, default="max"
        Whether the best label is the largest or the smallest.
    X_pending : array-like of shape (n_pending, ...), default=None
        Points whose labels are pending; only with a Gaussian process. The choice is made given
        these.
    costs : array-like of shape (n_pool,), default=None
        Cost of the label of each point, > 0, in any unit, by which the scores are divided.
        `cost_weighted` computes costs from the pool.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    improvement : ndarray of shape (n_instances,)
        Expected improvement of each, >= 0, in the unit that is learnt: that of y, or of its
        logarithm.

    Raises
    ------
    ValueError
        If the pool is smaller than `n_instances` or an argument is not valid.
    TypeError
        If `X_pending` is given and the model is not a Gaussian process.

    See Also
    --------
    log_expected_improvement : The same choice, with scores that do not underflow.

    Notes
    -----
    A learner without a label chooses by `initial_design`. Where the logarithm of the label is
    learnt, by ``log_target=True`` of `skcfgp.make_cfgp` or by the user, it is the logarithm that is
    improved on, and the score is in its unit.

    References
    ----------
    .. [1] Jones, Schonlau, Welch, J. Glob. Optim. 13, 455 (1998). doi:10.1023/A:1008306431147
    .. [2] Tracey, Wolpert, "Upgrading from Gaussian Processes to Student's-T Processes" (2018).
       doi:10.2514/6.2018-1659
    .. [3] Ginsbourger, Le Riche, Carraro, "Kriging is well-suited to parallelize optimization"
       (2010). doi:10.1007/978-3-642-10701-6_6

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import ActiveLearner, GaussianProcessRegressor
    >>> from skcfgp.query import expected_improvement
    >>> X = np.linspace(0, 10, 101)[:, None]
    >>> learner = ActiveLearner(GaussianProcessRegressor(optimizer=None), expected_improvement)
    >>> learner.teach(X[::20], np.sin(X[::20, 0]))
    >>> learner.query(X)[1]
    array([[7.7]])
    """
    options = mode, X_pending, costs
    indices, scores, belief = _choose(learner, X_pool, n_instances, _log_improvement, *options)
    return indices, scores if belief is None else np.exp(scores)


def log_expected_improvement(
    learner: Estimator,
    X_pool: Rows,
    n_instances: int = 1,
    *,
    mode: Literal["max", "min"] = "max",
    X_pending: Rows | None = None,
    costs: ArrayLike | None = None,
) -> tuple[IntArray, FloatArray]:
    """Choose as `expected_improvement` does; the scores are natural logarithms.

    The logarithm tells points apart where the improvement itself underflows, far below the best
    label.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1
    mode : {"max", "min"}, default="max"
    X_pending : array-like of shape (n_pending, ...), default=None
    costs : array-like of shape (n_pool,), default=None
        See `expected_improvement`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    log_improvement : ndarray of shape (n_instances,)
        Natural logarithm of the expected improvement of each in the unit of y, and per unit of cost
        with `costs`.

    References
    ----------
    .. [1] Ament, Daulton, Eriksson, Balandat, Bakshy, "Unexpected Improvements to Expected
       Improvement for Bayesian Optimization" (NeurIPS 2023). doi:10.48550/arXiv.2310.20708
    """
    options = mode, X_pending, costs
    return _choose(learner, X_pool, n_instances, _log_improvement, *options)[:2]


def probability_of_improvement(
    learner: Estimator,
    X_pool: Rows,
    n_instances: int = 1,
    *,
    mode: Literal["max", "min"] = "max",
    margin: float = 0.0,
    X_pending: Rows | None = None,
    costs: ArrayLike | None = None,
) -> tuple[IntArray, FloatArray]:
    """Choose the points whose labels are most likely better than the best label.

    PI = P(y > b + margin) = cdf((m - b - margin) / s).

    Parameters
    ----------
    learner : modAL learner or Gaussian process
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1
    mode : {"max", "min"}, default="max"
    margin : float, default=0.0
        Amount by which a label must be better, >= 0, in the unit that is learnt. With 0 the choice
        stays close to the best label.
    X_pending : array-like of shape (n_pending, ...), default=None
    costs : array-like of shape (n_pool,), default=None
        For the others see `expected_improvement`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    probability : ndarray of shape (n_instances,)
        Probability of each, per unit of cost with `costs`.

    References
    ----------
    .. [1] Kushner, J. Basic Eng. 86, 97 (1964). doi:10.1115/1.3653121
    """
    if not margin >= 0:
        raise ValueError(f"margin must be at least 0, got {margin!r}.")

    def score(belief, cost):
        z = (belief.mean - belief.best - margin) / belief.std
        return log_cdf(z, belief.df) - np.log(cost)

    indices, scores, belief = _choose(learner, X_pool, n_instances, score, mode, X_pending, costs)
    return indices, scores if belief is None else np.exp(scores)


def upper_confidence_bound(
    learner: Estimator,
    X_pool: Rows,
    n_instances: int = 1,
    *,
    mode: Literal["max", "min"] = "max",
    width: float = 2.0,
    X_pending: Rows | None = None,
    costs: ArrayLike | None = None,
) -> tuple[IntArray, FloatArray]:
    """Choose the points whose labels could be the best: largest m + width s.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1
    mode : {"max", "min"}, default="max"
        "min" chooses the smallest m - width s.
    width : float, default=2.0
        Weight of the scale, >= 0: 0 chooses the best means, a large weight the most uncertain.
    X_pending : array-like of shape (n_pending, ...), default=None
    costs : array-like of shape (n_pool,), default=None
        Cost of the label of each point, > 0. The excess of the bound over the best label is divided
        by it, or multiplied where it is negative. For the others see `expected_improvement`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    bound : ndarray of shape (n_instances,)
        Bound of each when its turn comes, in the unit of y; with `costs` the excess per cost.

    References
    ----------
    .. [1] Srinivas, Krause, Kakade, Seeger, IEEE Trans. Inf. Theory 58, 3250 (2012).
       doi:10.1109/TIT.2011.2182033
    .. [2] Desautels, Krause, Burdick, "Parallelizing Exploration-Exploitation Tradeoffs in Gaussian
       Process Bandit Optimization", J. Mach. Learn. Res. 15, 4053 (2014): the batches.
    """
    if not width >= 0:
        raise ValueError(f"width must be at least 0, got {width!r}.")

    def score(belief, cost):
        bound = belief.mean + width * belief.std
        return bound if costs is None else per_cost(bound - belief.best, cost)

    indices, scores, belief = _choose(learner, X_pool, n_instances, score, mode, X_pending, costs)
    return indices, scores if belief is None or costs is not None else belief.sign * scores


def level_set(
    learner: Estimator,
    X_pool: Rows,
    n_instances: int = 1,
    *,
    level: float | Sequence[float],
    width: float = 1.96,
    X_pending: Rows | None = None,
    costs: ArrayLike | None = None,
) -> tuple[IntArray, FloatArray]:
    """Choose the points whose side of a border is least certain, the "straddle".

    The score is width s - abs(m - level). The aim is to know for all points of the pool on which
    side of the level the label is, such as whether a gap is above 1 eV. Both sides count alike, so
    there is no mode.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1
    level : float or sequence of floats
        Border, in the unit of y. If there are several, such as both ends of a range, the one
        nearest to m counts. One that no label can have, such as 0 where a logarithm is learnt, does
        not count.
    width : float, default=1.96
        Weight of the scale, > 0.
    X_pending : array-like of shape (n_pending, ...), default=None
    costs : array-like of shape (n_pool,), default=None
        Cost of the label of each point, > 0. Positive scores are divided by it, negative ones
        multiplied. For the others see `expected_improvement`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    straddle : ndarray of shape (n_instances,)
        Score of each when its turn comes, in the unit of y.

    References
    ----------
    .. [1] Bryan, Schneider, Nichol, Miller, Genovese, Wasserman, "Active Learning For Identifying
       Function Threshold Boundaries" (NIPS 2005).
    .. [2] Ranjan, Bingham, Michailidis, "Sequential Experiment Design for Contour Estimation From
       Complex Computer Codes", Technometrics 50, 527 (2008). doi:10.1198/004017008000000541
    """
    levels = np.atleast_1d(np.asarray(level, dtype=float))
    if levels.ndim != 1 or not len(levels) or not np.isfinite(levels).all():
        raise ValueError(f"level must be a finite number or several, got {level!r}.")
    if not width > 0:
        raise ValueError(f"width must be positive, got {width!r}.")

    def score(belief, cost):
        with np.errstate(invalid="ignore", divide="ignore"):
            borders = belief.sign * np.asarray(belief.learnt(levels))
        borders = borders[np.isfinite(borders)]
        if not len(borders):
            raise ValueError(
                f"no label can be below the level {level!r}: what is learnt, such as a logarithm, "
                "does not exist there. Give a level that labels can have."
            )
        distance = np.abs(np.subtract.outer(belief.mean, borders)).min(axis=1)
        return per_cost(width * belief.std - distance, cost)

    return _choose(learner, X_pool, n_instances, score, "max", X_pending, costs)[:2]


def per_cost(score, cost):
    """Divide what is positive by its cost, multiply what is negative: cheaper is always better."""
    return np.where(score > 0, score / cost, score * cost)


def check_mode(mode):
    """Return the sign that makes the best label the largest."""
    if mode not in SIGNS:
        raise ValueError(f"mode must be 'max' or 'min', got {mode!r}.")
    return SIGNS[mode]


def _choose(learner, X_pool, n_instances, score, mode, X_pending, costs):
    """Choose points of largest score one after another, each given those before.

    The third result is the final `Belief`, or None if the learner has no labels.
    """
    sign = check_mode(mode)
    cost = check_costs(costs, check_pool(X_pool, n_instances))
    if wants_first(learner):
        return *design_for(learner, X_pool, n_instances, costs), None
    belief = Belief(learner, X_pool, sign, X_pending)
    indices, scores = [], []
    for _ in range(n_instances):
        values = score(belief, cost)
        values[indices] = -np.inf
        indices.append(first_of_largest(values))
        scores.append(values[indices[-1]])
        belief.suppose(indices[-1])
    return np.array(indices), np.array(scores), belief


def _log_improvement(belief, cost):
    z = (belief.mean - belief.best) / belief.std
    return np.log(belief.std) + log_excess(z, belief.df) - np.log(cost)
