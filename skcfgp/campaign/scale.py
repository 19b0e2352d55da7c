"""The scale on which a campaign learns: that of the target, or its decimal logarithm.

Models, records of predictions and their errors are on the scale that is learnt; labels, and what a
person reads of predictions, of what remains to be known and of rules to stop, are in the unit of
the target.
"""

import numpy as np

from .goals import Goal


def learnt(values, settings):
    """Return what is learnt of labels."""
    values = np.asarray(values, dtype=float)
    return np.log10(values) if settings.get("log") else values


def learnt_std(values, std, settings):
    """Return the standard errors of what is learnt of labels, to first order."""
    std = np.asarray(std, dtype=float)
    return std / (np.asarray(values, dtype=float) * np.log(10)) if settings.get("log") else std


def learnt_unit(settings):
    """Name the unit of errors and standard deviations on the scale that is learnt."""
    return f"log10({settings['unit']})" if settings.get("log") else settings["unit"]


def learnt_goal(goal, settings):
    """Return a goal with its limits on the scale that is learnt."""
    if not settings.get("log") or goal.low is None:
        return goal
    return Goal(goal.kind, *np.log10(goal[1:]).tolist())


def gain_in_unit(gain, best, mode, settings):
    """Return by how much a label is expected to be better than the best, in the unit of the target.

    The exponential of a Student-t has no mean. So where the logarithm is learnt, and gain and best
    label are on its scale, a gain is taken for a factor of 10^gain on the best label.
    """
    if not settings.get("log"):
        return gain
    change = np.expm1(np.log(10) * (gain if mode == "max" else -gain))
    return float(10.0**best * abs(change))


def in_unit(mean, std, df, settings, coverage=0.95):
    """Return ``prediction``, ``std``, ``lower`` and ``upper`` in the unit of the target, by name.

    For a logarithm the prediction is the median, ``std`` is a quarter of the central interval of
    coverage 95.45 %, and ``std_log10`` is the standard deviation of the logarithm.
    """
    from .prediction import intervals

    lower, upper = intervals(mean, std, df, coverage)
    if not settings.get("log"):
        return {"prediction": mean, "std": std, "lower": lower, "upper": upper}
    with np.errstate(over="ignore"):
        back = [np.power(10.0, x) for x in (mean, lower, upper, mean - 2 * std, mean + 2 * std)]
    found = {"prediction": back[0], "std": (back[4] - back[3]) / 4}
    return found | {"lower": back[1], "upper": back[2], "std_log10": std}
