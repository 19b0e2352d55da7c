"""When to stop: rules, and what more labels would bring.

The standard deviation after k more labels needs none of them: with the hyper-parameters fixed it
does not depend on the values.
"""

import math
import re
from typing import NamedTuple

import numpy as np

__all__ = ["Rule", "expected_error", "parse_rule", "reasons_to_stop"]

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_PATTERNS = (
    r"(max-std|mean-std|expected-error)\s*<\s*" + _NUMBER,
    r"(labels|cost)\s*>=\s*" + _NUMBER,
    r"(no-gain)",
)


class Rule(NamedTuple):
    """A quantity and the limit at which to stop."""

    quantity: str
    limit: float | None

    def __str__(self):
        sign = "<" if self.quantity in ("max-std", "mean-std", "expected-error") else ">="
        return self.quantity if self.limit is None else f"{self.quantity} {sign} {self.limit:g}"


def parse_rule(text):
    """Read a rule.

    Parameters
    ----------
    text : str
        ``"max-std < 0.05"``, ``"mean-std < 0.02"`` or ``"expected-error < 0.03"``, in the unit of
        the labels; ``"labels >= 500"``; ``"cost >= 1e6"``; ``"no-gain"``.

    Returns
    -------
    Rule

    Examples
    --------
    >>> from skcfgp.campaign.stopping import parse_rule
    >>> print(parse_rule("max-std<0.05"))
    max-std < 0.05
    """
    for pattern in _PATTERNS:
        if match := re.fullmatch(pattern, re.sub(r"(?<=[a-z])[ _](?=[a-z])", "-", text.strip())):
            limit = float(match[2]) if match.re.groups > 1 else None
            return Rule(match[1], limit)
    raise ValueError(
        f"a rule is one of 'max-std < X', 'mean-std < X', 'expected-error < X', 'labels >= N', "
        f"'cost >= C' and 'no-gain', got {text!r}."
    )


def expected_error(mean_std, of):
    """Expect a mean absolute error from a mean standard deviation.

    Parameters
    ----------
    mean_std : float
    of : dict
        What `skcfgp.campaign.monitoring.estimates` returns: if the error bars were found to be too
        small or too large, the expectation is corrected for it.

    Returns
    -------
    float
        In the unit of the labels; sqrt(2 / pi) times the standard deviation for a Gaussian.
    """
    from .monitoring import rescaling

    return math.sqrt(2 / math.pi) * mean_std * (rescaling(of) or 1.0)


def reasons_to_stop(rules, values):
    """List the rules that are met.

    Parameters
    ----------
    rules : list of Rule
    values : dict of str to float or None
        By quantity; ``"no-gain"`` is the gain that was measured, see `measured_gain`. None where it
        is not known.

    Returns
    -------
    list of str
    """
    met = []
    for rule in rules:
        value = values.get(rule.quantity)
        if value is None:
            continue
        if rule.quantity == "no-gain":
            low, high = value["interval"]
            if value["n"] >= 30 and low <= 0:
                met.append(
                    f"no-gain: over {value['n']} crystals the strategy gained {value['gain']:.3g} "
                    f"on random choice (95 % interval {low:.3g} to {high:.3g})"
                )
        elif rule.quantity in ("labels", "cost"):
            if value >= rule.limit:
                met.append(f"{rule}: there are {value:g}")
        elif value < rule.limit:
            met.append(f"{rule}: it is {value:.4g}")
    return met


def spread(std):
    """Return the largest and the mean standard deviation; None if there is none."""
    if not len(std):
        return {"max_std": None, "mean_std": None}
    return {"max_std": float(np.max(std)), "mean_std": float(np.mean(std))}
