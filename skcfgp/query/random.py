"""Strategies to compare with, and one that wraps another."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from ..structures.typing import ArrayLike, Estimator, FloatArray, IntArray, RandomState, Rows
from .common import check_costs, check_pool, private_random_state


def random_sampling(
    learner: Estimator, X_pool: Rows, n_instances: int = 1, random_state: RandomState = None
) -> tuple[IntArray, FloatArray]:
    """Choose points at random, without replacement: the baseline.

    Parameters
    ----------
    learner : modAL learner or committee
        Not used.
    X_pool : array-like of shape (n_pool, ...)
        Pool to draw from.
    n_instances : int, default=1
        Number of points to choose.
    random_state : int, RandomState or None, default=None
        Controls the draw. An int gives the same choice at each call; pass a ``RandomState`` for a
        sequence of choices that can be repeated. The global state of NumPy is never used.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool.
    probability : ndarray of shape (n_instances,)
        Probability of each to have been chosen.
    """
    n_pool = check_pool(X_pool, n_instances)
    indices = private_random_state(random_state).choice(n_pool, n_instances, replace=False)
    return indices, np.full(n_instances, n_instances / n_pool)


def cost_weighted(
    strategy: Callable[..., Any], costs: Callable[[Any], ArrayLike]
) -> Callable[..., tuple[IntArray, FloatArray]]:
    """Divide the scores of a strategy by what a label costs.

    Parameters
    ----------
    strategy : callable
        Strategy that takes ``costs``, such as `integrated_variance` and `expected_improvement`,
        whose batches are then chosen each given those before; or one that can score the whole pool
        at once, each point on its own, such as `max_std`.
    costs : callable
        Function of the pool that returns the cost of the label of each row, > 0, in any unit: for a
        DFT calculation, for example, the number of electrons to the third power.

    Returns
    -------
    callable
        Strategy whose scores are those of `strategy` per unit of cost.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import ActiveLearner, GaussianProcessRegressor
    >>> from skcfgp.query import cost_weighted, max_std
    >>> strategy = cost_weighted(max_std, lambda X: np.where(X[:, 0] > 5, 100.0, 1.0))
    >>> learner = ActiveLearner(GaussianProcessRegressor(optimizer=None), strategy)
    >>> learner.teach([[0.0]], [0.0])
    >>> learner.query(np.array([[1.0], [3.0], [9.0]]))[0]
    array([1])
    """

    def cost_weighted_strategy(learner, X_pool, n_instances=1, **options):
        n_pool = check_pool(X_pool, n_instances)
        cost = check_costs(costs(X_pool), n_pool)
        if "costs" in signature(strategy).parameters:
            return strategy(learner, X_pool, n_instances=n_instances, costs=cost, **options)
        indices, scores = strategy(learner, X_pool, n_instances=n_pool, **options)
        order = np.lexsort((indices, -scores / cost[indices]))[:n_instances]
        return indices[order], (scores / cost[indices])[order]

    return cost_weighted_strategy
