"""The settings of a campaign, which stay from its beginning to its end."""

import math
from functools import lru_cache
from numbers import Integral, Real

from ..structures.io import installed_versions
from .goals import AIMS, parse_goal
from .monitoring import parse_rule

RECIPES = ("recommended", "paper", "paper values", "composition")

#: Strategies of `skcfgp.query` that need no labels.
WITHOUT_MODEL = ("greedy_k_center", "random_sampling")

STRATEGIES: tuple[str, ...] = (
    "recommended",
    "integrated_variance",
    "greedy_max_std",
    "max_std",
    *WITHOUT_MODEL,
)
STRATEGIES += AIMS

PACKAGES = ("skcfgp", "numpy", "scipy", "scikit-learn", "pymatgen", "megnet", "tensorflow")


def check_settings(settings):
    """Raise if settings are not valid; make plain JSON values of those that are."""
    if not settings["target"].strip():
        raise ValueError("the target needs a name.")
    for name, known in (("recipe", RECIPES), ("strategy", STRATEGIES)):
        if settings[name] not in known:
            raise ValueError(f"{name} must be one of {known}, got {settings[name]!r}.")
    if settings["cost"] and settings["strategy"] in WITHOUT_MODEL:
        raise ValueError(
            f"cost is for a strategy with a model; {settings['strategy']!r} chooses without one."
        )
    if settings["target"] in [*settings["estimates"], *settings["columns"]]:
        raise ValueError(f"the target {settings['target']!r} is no estimate of itself.")
    for name, expected, is_good in (
        ("random_fraction", "between 0 and 1", lambda value: _is_real(value) and 0 <= value <= 1),
        ("overdue_after", "a positive number of days", lambda value: _is_real(value) and value > 0),
    ):
        if not is_good(settings[name]):
            raise ValueError(f"{name} must be {expected}, got {settings[name]!r}.")
        settings[name] = float(settings[name])
    settings["random_state"] = _seed(settings["random_state"])
    goal = parse_goal(settings["goal"])
    settings["goal"], settings["log"] = str(goal), bool(settings["log"])
    if settings["log"] and goal.kind == "between" and goal.low <= 0:
        raise ValueError(
            f"the limits of the goal '{goal}' must be positive where the logarithm is learnt."
        )
    if not goal.fits(settings["strategy"]):
        raise ValueError(f"the strategy {settings['strategy']!r} is not one for the goal '{goal}'.")
    rules = [parse_rule(rule) for rule in settings["until"]]
    if goal.kind == "explore" and any(rule.quantity == "expected-gain" for rule in rules):
        raise ValueError(
            "the rule 'expected-gain' is for a goal that is not 'explore'; for that there are "
            "'max-std', 'mean-std' and 'expected-error'."
        )
    settings["until"] = [str(rule) for rule in rules]


def _seed(random_state):
    """Return an integer for the file, from a random state of scikit-learn's kind."""
    from sklearn.utils import check_random_state

    try:
        rng = check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            "random_state must be an integer between 0 and 2**32 - 1, a RandomState or None, got "
            f"{random_state!r}."
        ) from error
    whole = isinstance(random_state, Integral)
    return int(random_state) if whole else int(rng.randint(2**31 - 1))


@lru_cache
def versions():
    """Return the versions of the packages that a number may depend on."""
    return installed_versions(PACKAGES)


def _is_real(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
