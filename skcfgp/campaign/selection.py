"""Which crystals to label next, given those that are labelled and those that are waited for.

The strategies are those of `skcfgp.query`, on a posterior that may be conditioned on points whose
label is not known yet: with the hyper-parameters fixed, the variance needs no label. Of each score
there may be one per unit of cost.
"""

from types import SimpleNamespace

import numpy as np

from ..gaussian_process.greedy import first_of_largest

__all__ = ["STRATEGIES", "WITHOUT_MODEL", "choose"]

#: Strategies that need no labels.
WITHOUT_MODEL = ("greedy_k_center", "random_sampling")


def choose(
    strategy, n, candidates, *, posterior=None, targets=None, cost=None, X=None, taken=(), seed=0
):
    """Choose crystals.

    Parameters
    ----------
    strategy : str
        Of `STRATEGIES`.
    n : int
    candidates : ndarray of int
        Points of `posterior`, or rows of `X`, that may be chosen.
    posterior : PoolPosterior
        Conditioned on what is pending; conditioned further here. Not needed by `WITHOUT_MODEL`.
    targets : ndarray of int, default=None
        Points of `posterior` whose mean variance matters, for ``"integrated_variance"``.
    cost : ndarray of shape (n_points,), default=None
        Of a label of each, for the strategies with a model.
    X : ndarray of shape (n_points, n_features)
        Features of the points, for ``"greedy_k_center"``.
    taken : sequence of int
        Rows of `X` that are labelled or pending.
    seed : int or list of int
        Of the random choices.

    Returns
    -------
    chosen : list of int
        In the order of the choice.
    scores : list of float
    """
    if strategy == "random_sampling":
        chosen = np.random.default_rng(seed).permutation(candidates)[:n].tolist()
        return chosen, [n / len(candidates)] * len(chosen)
    if strategy == "greedy_k_center":
        return _k_center(n, candidates, X, taken)
    return _BY_POSTERIOR[strategy](posterior, n, candidates, cost, targets)


def _k_center(n, candidates, X, taken):
    from ..query import greedy_k_center

    learner = SimpleNamespace(estimator=None, X_training=X[list(taken)] if len(taken) else None)
    indices, distances = greedy_k_center(learner, X[candidates], n)
    return candidates[indices].tolist(), distances.tolist()


def _max_std(posterior, n, candidates, cost, targets):
    score, chosen, scores = posterior.std[candidates] / cost[candidates], [], []
    for _ in range(n):
        _take_best(score, candidates, chosen, scores)
    return chosen, scores


def _take_best(score, candidates, chosen, scores):
    """Append the candidate of highest score that is not chosen yet; return its position."""
    score[np.isin(candidates, chosen)] = -np.inf
    best = first_of_largest(score)
    chosen.append(int(candidates[best]))
    scores.append(float(score[best]))
    return best


def _greedy_max_std(posterior, n, candidates, cost, targets):
    chosen, scores = [], []
    for _ in range(n):
        _take_best(posterior.std[candidates] / cost[candidates], candidates, chosen, scores)
        posterior.condition_on(chosen[-1])
    return chosen, scores


def _integrated_variance(posterior, n, candidates, cost, targets):
    covariance = posterior.covariance(candidates, targets)
    chosen, scores = [], []
    noise = float(np.ravel(posterior.gp.alpha)[0]) * posterior.gp.y_scale_[0] ** 2
    for _ in range(n):
        variance = np.square(posterior.std[candidates]) + noise
        gain = np.einsum("ij,ij->i", covariance, covariance) / len(targets) / variance
        best = _take_best(gain / cost[candidates], candidates, chosen, scores)
        if len(chosen) < n:
            row = posterior.covariance(chosen[-1:], candidates)[0]
            covariance -= np.outer(row / variance[best], covariance[best])
        posterior.condition_on(chosen[-1])
    return chosen, scores


_BY_POSTERIOR = {
    "integrated_variance": _integrated_variance,
    "greedy_max_std": _greedy_max_std,
    "max_std": _max_std,
}

#: By name in `skcfgp.query`.
STRATEGIES = (*_BY_POSTERIOR, *WITHOUT_MODEL)
