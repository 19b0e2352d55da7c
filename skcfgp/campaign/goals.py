"""What a campaign is for: to know the property everywhere, or to find what is best.

The goal names the strategy that is recommended for it, and what can be said of its end: the best
label so far, the chance that something better is left, and what the next label is expected to gain.
"""

import math
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

#: Strategies that look for the best label, and the one that looks for a border.
BEST = (
    "expected_improvement",
    "probability_of_improvement",
    "upper_confidence_bound",
    "thompson_sampling",
)
AIMS = (*BEST, "level_set")

GOALS = ("explore", "maximize", "minimize", "between A B")

#: Crystals whose labels are drawn jointly for the chance that something better is left: those that
#: are most likely to be better; and the number of draws.
N_JOINT, N_DRAWS = 500, 2000


class Goal(NamedTuple):
    """A kind of goal and, for ``"between"``, its limits in the unit of the target."""

    kind: str
    low: float | None = None
    high: float | None = None

    def __str__(self):
        limits = [repr(limit).removesuffix(".0") for limit in self[1:] if limit is not None]
        return " ".join([self.kind, *limits])

    @property
    def mode(self):
        """``"max"`` or ``"min"``; None for a goal without a best label."""
        return {"maximize": "max", "minimize": "min"}.get(self.kind)

    def fits(self, strategy):
        """Tell whether a strategy is one for this goal."""
        if strategy in BEST:
            return self.mode is not None
        return strategy != "level_set" or self.kind == "between"


def parse_goal(goal):
    """Read a goal: ``"explore"``, ``"maximize"``, ``"minimize"``, ``"between A B"`` or its parts.

    >>> from skcfgp.campaign.goals import parse_goal
    >>> print(parse_goal("between 1.1 1.70"), parse_goal(("between", 1, 2)), sep=", ")
    between 1.1 1.7, between 1 2
    """
    words = goal.split() if isinstance(goal, str) else [str(part) for part in goal]
    kind, limits = (words or [""])[0], words[1:]
    if kind == "between":
        return Goal(kind, *_limits(limits, goal))
    if words not in (["explore"], ["maximize"], ["minimize"]):
        close = get_close_matches(kind.lower(), GOALS, n=1, cutoff=0.5)
        raise ValueError(
            f"the goal is one of {', '.join(map(repr, GOALS))}, got {goal!r}"
            + (f"; did you mean {close[0]!r}?" if close else ".")
        )
    return Goal(kind)


def _limits(words, goal):
    try:
        low, high = map(float, words)
        if -math.inf < low < high < math.inf:
            return low, high
    except ValueError:
        pass
    raise ValueError(
        "the goal 'between A B' needs two finite numbers A < B in the unit of the target, got "
        f"{goal!r}."
    )


def recommended_for(goal):
    """Name the strategy that ``"recommended"`` stands for."""
    if goal.mode is not None:
        return "expected_improvement"
    return "level_set" if goal.kind == "between" else "integrated_variance"


def outlook(goal, learner, X, seed):
    """Say what is to be expected of the crystals without a label; None if the goal is to explore.

    `learner` has learnt all labels, and `X` has a row for each crystal without one. Of a goal with
    a best label the result has ``p_better``, the probability that one of these has a better one (by
    joint draws), and ``expected_gain``, by how much the next label is expected to exceed the best
    one, in the unit of the target. Of ``"between"`` it has ``expected_left``, the expected number
    of them that lie there, and ``expected_gain``, the expected number of wrong decisions that the
    next label takes away.
    """
    if goal.kind == "explore" or not len(X):
        return None
    if goal.kind == "between":
        distribution = learner.estimator.predict_distribution(X)
        p = distribution.cdf(goal.high) - distribution.cdf(goal.low)
        return {"expected_left": float(p.sum()), "expected_gain": float(np.minimum(p, 1 - p).max())}
    from ..query import expected_improvement

    _, gain = expected_improvement(learner, X, 1, mode=goal.mode)
    return {"p_better": _p_better(goal, learner, X, seed), "expected_gain": float(gain[0])}


def best_so_far(goal, labels):
    """Return the id and the value of the best label; None without one."""
    if goal.mode is None or not labels:
        return None
    id_ = (max if goal.mode == "max" else min)(labels, key=labels.get)
    return {"id": id_, "value": labels[id_]}


def _p_better(goal, learner, X, seed):
    """Draw the labels of the most promising crystals jointly; count draws with a better one."""
    from scipy.stats import norm, t

    from ..query.belief import Belief

    belief = Belief(learner, X, 1.0 if goal.mode == "max" else -1.0)
    z = (belief.mean - belief.best) / belief.std
    df = None if belief.df is None else float(np.ravel(belief.df)[0])
    p = norm.cdf(z) if df is None else t.cdf(z, df)
    some = np.argsort(-p, kind="stable")[:N_JOINT]
    covariance = belief.covariance(some)
    values, vectors = np.linalg.eigh(covariance)
    rng = np.random.RandomState(seed)
    draws = rng.standard_normal((N_DRAWS, len(some))) * np.sqrt(np.maximum(values, 0)) @ vectors.T
    if df is not None:
        draws *= np.sqrt(df / rng.chisquare(df, N_DRAWS))[:, None]
    return float((belief.mean[some] + draws > belief.best).any(axis=1).mean())
