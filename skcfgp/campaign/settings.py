"""What a campaign is told at its beginning."""

import math
import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral, Real

from .stopping import parse_rule

__all__ = ["check_settings", "costs_of", "versions"]

PACKAGES = ("skcfgp", "numpy", "scipy", "scikit-learn", "pymatgen", "megnet", "tensorflow")


def check_settings(settings):
    """Refuse settings that are not valid.

    Parameters
    ----------
    settings : dict
        Of `Campaign.init`.

    Raises
    ------
    ValueError
    """
    from .features import RECIPES
    from .selection import STRATEGIES, WITHOUT_MODEL

    if not settings["target"].strip():
        raise ValueError("the target needs a name.")
    for name, known in (("recipe", RECIPES), ("strategy", STRATEGIES)):
        if settings[name] not in known:
            raise ValueError(f"{name} must be one of {known}, got {settings[name]!r}.")
    if settings["cost"] and settings["strategy"] in WITHOUT_MODEL:
        raise ValueError(
            f"cost is for a strategy with a model; {settings['strategy']!r} chooses without one."
        )
    is_whole = isinstance(settings["random_state"], Integral)
    for name, expected, is_good in (
        ("random_fraction", "between 0 and 1", lambda value: _is_real(value) and 0 <= value <= 1),
        ("overdue_after", "a positive number of days", lambda value: _is_real(value) and value > 0),
        ("random_state", "an integer of at least 0", lambda value: is_whole and value >= 0),
    ):
        if not is_good(settings[name]):
            raise ValueError(f"{name} must be {expected}, got {settings[name]!r}.")
    # JSON knows no numbers of numpy.
    settings["random_state"] = int(settings["random_state"])
    for name in ("random_fraction", "overdue_after"):
        settings[name] = float(settings[name])
    settings["until"] = [str(parse_rule(rule)) for rule in settings["until"]]


def costs_of(pool, cost):
    """Work out what a label of each crystal costs; without a cost every one costs 1.

    Crystals whose cost is not known move to ``pool.refused``.

    Parameters
    ----------
    pool : Pool
    cost : str or None
        A column, or ``"nsites^k"``.

    Returns
    -------
    dict of str to float
        By id.
    """
    if cost is None:
        return dict.fromkeys(pool.ids, 1.0)
    if match := re.fullmatch(r"nsites(?:\^|\*\*)(\d+(?:\.\d+)?)", cost.replace(" ", "")):
        power = float(match[1])
        return {
            id_: float(len(s)) ** power for id_, s in zip(pool.ids, pool.structures, strict=True)
        }
    if pool.ids and not any(cost in columns for columns in pool.columns):
        raise ValueError(
            f"no crystal has a column {cost!r}: cost must be a column of the pool's table, or a "
            "model such as 'nsites^3'."
        )
    costs, reasons = {}, {}
    for row, (id_, columns) in enumerate(zip(pool.ids, pool.columns, strict=True)):
        try:
            costs[id_] = float(columns.get(cost, ""))
        except (TypeError, ValueError):
            costs[id_] = math.nan
        if not (math.isfinite(costs[id_]) and costs[id_] > 0):
            reasons[row] = f"its cost is {columns.get(cost)!r}, and must be a positive number"
    pool.refuse_rows(reasons)
    return costs


@lru_cache
def versions():
    """Return the versions of the packages that a number may depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _is_real(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
