"""Which crystals to label next: before the first labels, to explore, by cost, or for a goal."""

import numpy as np

from .goals import AIMS, recommended_for
from .model import make_model
from .settings import WITHOUT_MODEL

#: With fewer labels what is labelled first is designed, since lengths cannot be searched for.
N_FIRST = 10


def choose(engine, strategy, n, pool, given):
    """Choose rows of a pool, given rows whose label is to come; return them and their scores.

    The crystals of a batch are chosen each given those before, except by ``"max_std"``.
    """
    from .. import query

    if strategy == "initial_design":
        return _design(engine, n, given)
    if strategy in AIMS:
        return _aim(engine, strategy, n, pool, given)
    learner, unit = engine.given(given)
    if engine.state.settings["cost"] and strategy not in WITHOUT_MODEL:
        choice = _by_cost(engine, learner.estimator, strategy, n, pool)
    else:
        average = strategy == "integrated_variance"
        options = {"X_target": engine.X[engine.targets]} if average else {}
        choice = getattr(query, strategy)(learner, engine.X[pool], n, **options)
    power = {"integrated_variance": 2, "greedy_k_center": 0}.get(strategy, 1)
    scores = np.asarray(choice[1]) * unit**power
    return np.asarray(pool)[choice[0]].tolist(), scores.tolist()


def _design(engine, n, given):
    """Choose rows before the model can: given what is labelled or will be."""
    from ..query import initial_design

    settings = engine.state.settings
    chosen, scores = initial_design(
        engine.X,
        n,
        estimator=make_model(settings)[-1],
        known=[*engine.rows(engine.state.labels), *given],
        excluded=engine.rows(engine.state.failures),
        costs=engine.cost if settings["cost"] else None,
    )
    return chosen.tolist(), scores.tolist()


def _aim(engine, strategy, n, pool, given):
    """Choose rows of a pool by a strategy that looks for the goal."""
    from .. import query

    X, options = engine.predictor.X, {"mode": engine.goal.mode}
    if strategy == "level_set":
        options = {"level": engine.goal[1:]}
    if strategy == "thompson_sampling":
        options["random_state"] = np.random.RandomState([engine.seed, engine.state.n_suggested])
    if len(given):
        options["X_pending"] = X[given]
    if engine.state.settings["cost"]:
        options["costs"] = engine.cost[pool]
    chosen, scores = getattr(query, strategy)(engine.predictor.learner, X[pool], n, **options)
    return np.asarray(pool)[chosen].tolist(), np.asarray(scores).tolist()


def _by_cost(engine, gp, strategy, n, pool):
    """Choose one after the other by score per unit of cost."""
    from ..gaussian_process import PoolPosterior
    from ..gaussian_process.greedy import first_of_largest

    posterior = PoolPosterior(gp, engine.X[[*pool, *engine.targets]])
    candidates, targets = slice(len(pool)), slice(len(pool), None)
    chosen, scores = [], []
    for _ in range(n):
        score = posterior.std[candidates]
        if strategy == "integrated_variance":
            score = posterior.variance_reduction(candidates, targets)
        score = score / engine.cost[pool]
        score[chosen] = -np.inf
        chosen.append(first_of_largest(score))
        scores.append(score[chosen[-1]])
        if strategy != "max_std":
            posterior.condition_on(chosen[-1])
    return chosen, scores


def strategy_of(engine):
    """Name the strategy that is asked now; `query.recommended` takes the same for a process."""
    strategy = engine.state.settings["strategy"]
    if strategy in WITHOUT_MODEL:
        return strategy
    if engine.goal is None:
        first = None if engine.can_predict else "greedy_k_center"
        return first or ("integrated_variance" if strategy == "recommended" else strategy)
    if not engine.can_predict:
        return "initial_design"
    if strategy != "recommended":
        return strategy
    searched = engine.learner.estimator.kernel_.theta.size > 0
    few = len(engine.state.labels) < N_FIRST and searched
    return "initial_design" if few else recommended_for(engine.goal)


def draw(engine, n):
    """Draw rows of the pool at random; the draw follows from how many were suggested."""
    from ..query import random_sampling

    rng = np.random.RandomState([engine.seed, engine.state.n_suggested])
    pool = engine.rows(engine.state.pool)
    chosen, probability = random_sampling(None, engine.X[pool], n, random_state=rng)
    return np.asarray(pool)[chosen].tolist(), probability.tolist()
