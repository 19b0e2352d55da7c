"""`Claim`: what a line of the table says, and how it is measured and judged by the records."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .records import Seeds
from .settings import PAPER
from .trials import RECIPES

YES, PARTLY, NO, NONE = "yes", "partly", "no", "-"
GAUSSIAN = 0.9545
RATIO = PAPER["amplitude"] ** 2 / PAPER["length_scale"]


@dataclass(frozen=True)
class Claim:
    """A line of the table; ``measure(run, recipe)`` is None where it does not apply."""

    text: str
    paper: str
    ours: str
    measure: Callable
    criterion: str = ""
    judge: Callable | None = None
    recipes: tuple = RECIPES
    row: str = ""


def effect(values, paper=0.0, least=0.0):
    """Judge gains, one a seed: all above `least` and the mean half of the paper's, or the mean."""
    gains = np.array([0.0 if value is None else value for value in values])
    if (gains > least).all() and gains.mean() >= paper / 2:
        return YES
    return PARTLY if gains.mean() > least else NO


def all_below(values, limits):
    """Judge whether each value is below its limit: "yes", "partly" if so in the mean, or "no"."""
    values, limits = np.atleast_1d(values), np.atleast_1d(limits)
    if (values < limits).all():
        return YES
    return PARTLY if values.mean() < limits.mean() else NO


def within_factor(values, target, factor=2.0):
    """Judge whether each value is within a factor of the target: "yes", "partly" if some, "no"."""
    return _all_or_some(np.abs(np.log(np.array(values) / target)) <= np.log(factor))


def _all_or_some(held):
    return YES if np.all(held) else PARTLY if np.any(held) else NO


def near_paper(found):
    """Judge whether a and l are within a factor of 2 of those that the paper prints."""
    names = ("amplitude", "length_scale")
    return YES if all(within_factor(found[n], PAPER[n]) == YES for n in names) else NO


def near_or_ratio(found):
    """Judge the same; "partly" if only a^2 / l is."""
    near = near_paper(found)
    return PARTLY if near == NO and within_factor(found["ratio"], RATIO) == YES else near


def covers_gaussian(found):
    """Judge whether the interval of the coverage holds that of two sigma of a Gaussian."""
    low, high = (np.array(found[f"coverage_2sigma_{end}"]) for end in ("low", "high"))
    return _all_or_some((low <= GAUSSIAN) & (high >= GAUSSIAN))


def in_table(table, own=None, **where):
    """Measure the records of a table with these values, and the pipeline in the column `own`."""
    return lambda run, recipe: run.found(table, **where, **({own: recipe} if own else {}))


def change(table, metric, case, new, old, **where):
    """Measure one case beside another, ``old``, seed by seed; new None is the pipeline."""

    def measure(run, recipe):
        found, before = (run.found(table, **{case: c or recipe}, **where) for c in (new, old))
        lower = Seeds(1 - a / b for a, b in zip(found[metric], before[metric], strict=True))
        return found | {"old": before, "lower": lower, "percent": Seeds(100 * v for v in lower)}

    return measure


def worst_crystals(run, recipe):
    """Measure nothing, but name the four worst crystals and the families that stand out."""
    worst, families = (run.select(table, recipe=recipe)[:4] for table in ("worst", "families"))
    families = [f"{row['group']} ({row['n_bad']} of {row['n']})" for row in families]
    names = ", ".join(row["formula"] for row in worst)
    return {"names": names, "families": ", ".join(families) or "no family stands out"}
