"""A claim of the paper, our values, and whether it held by a criterion that was stated before."""

from dataclasses import dataclass, field

import numpy as np

from .trials import RECIPES

__all__ = ["Claim", "all_below", "effect", "spread", "within_factor"]

YES, PARTLY, NO, NONE = "yes", "partly", "no", "-"


@dataclass
class Claim:
    """A line of the table.

    Attributes
    ----------
    row : str
        Number in the table, such as ``"5.2"``.
    text : str
    paper : str
        The paper's value, as text.
    criterion : str
        When it held; empty where there is nothing to decide.
    ours : dict of str to str
        By recipe; one that is missing does not apply.
    held : dict of str to str
        "yes", "partly", "no" or "-", by recipe.
    """

    row: str
    text: str
    paper: str
    criterion: str
    ours: dict = field(default_factory=dict)
    held: dict = field(default_factory=dict)

    def to_dict(self):
        """Return the line as a flat dict.

        Returns
        -------
        dict
        """
        line = {"row": self.row, "claim": self.text, "paper": self.paper}
        for recipe in RECIPES:
            line[f"ours, {recipe} pipeline"] = self.ours.get(recipe, "")
            line[f"held, {recipe} pipeline"] = self.held.get(recipe, NONE)
        return line | {"criterion": self.criterion}


def spread(values, form="{:.3f}"):
    """Write the mean over seeds, and the lowest and the highest.

    Parameters
    ----------
    values : sequence of float or None
        None where the value was not reached.
    form : str, default="{:.3f}"

    Returns
    -------
    str
    """
    known = [value for value in values if value is not None]
    missing = len(values) - len(known)
    note = f"; not reached in {missing} of {len(values)} seeds" if missing else ""
    if not known:
        return f"not reached in any of {len(values)} seeds"
    if len(known) == 1:
        return form.format(known[0]) + note
    low, high = form.format(min(known)), form.format(max(known))
    return f"{form.format(np.mean(known))} ({low} to {high}){note}"


def effect(values, papers, least=0.0):
    """Judge a gain that should be positive.

    Parameters
    ----------
    values : sequence of float or None
        A gain a seed; None counts as no gain.
    papers : float
        That of the paper.
    least : float, default=0.0
        What is not more than this is no gain.

    Returns
    -------
    str
        "yes" if there is a gain in every seed, and the mean is at least half of the paper's;
        "partly" if there is one in the mean; else "no".
    """
    gains = np.array([0.0 if value is None else value for value in values])
    if (gains > least).all() and gains.mean() >= papers / 2:
        return YES
    return PARTLY if gains.mean() > least else NO


def all_below(values, limits):
    """Judge whether each value is below its limit: "yes", "partly" if so in the mean, or "no".

    Parameters
    ----------
    values, limits : sequence of float

    Returns
    -------
    str
    """
    values, limits = np.array(values), np.broadcast_to(limits, np.shape(values))
    if (values < limits).all():
        return YES
    return PARTLY if values.mean() < limits.mean() else NO


def within_factor(values, target, factor=2.0):
    """Judge whether each value is within a factor of the target: "yes", "partly" if some, or "no".

    Parameters
    ----------
    values : sequence of float
    target : float
    factor : float, default=2.0

    Returns
    -------
    str
    """
    near = np.abs(np.log(np.array(values) / target)) <= np.log(factor)
    return YES if near.all() else PARTLY if near.any() else NO
