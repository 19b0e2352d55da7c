"""The odds of a condition: its probability for each crystal, and what a choice finds and misses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..structures.typing import ArrayLike, Distribution, FloatArray
from .common import check_column


class ExpectedCounts(NamedTuple):
    """Expected numbers of crystals that meet a condition.

    Attributes
    ----------
    found, missed : float
        Among the chosen ones, and among the others.
    """

    found: float
    missed: float


def condition_probability(
    distribution: Distribution, *, above: float | None = None, below: float | None = None
) -> FloatArray:
    """Compute the probability that each label lies between two limits.

    Parameters
    ----------
    distribution : frozen distribution
        Predictive distribution of each label, as by `skcfgp.calibration.predict_distribution`.
    above, below : float, default=None
        Limits, in the unit of y; at least one of them.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there is no limit, one is NaN, or `above` is not smaller than `below`.

    Examples
    --------
    >>> from scipy.stats import t
    >>> from skcfgp.calibration import condition_probability
    >>> distribution = t(3, loc=[0.0, 1.0, 2.0], scale=0.5)
    >>> print(condition_probability(distribution, above=1.5).round(3))
    [0.029 0.196 0.804]
    """
    low, high = -np.inf if above is None else above, np.inf if below is None else below
    if above is None and below is None:
        raise ValueError("a condition needs a limit: give above, below, or both.")
    if not low < high:
        raise ValueError(f"above must be smaller than below, got {above!r} and {below!r}.")
    if above is None:
        return np.asarray(distribution.cdf(high))
    if below is None:  # the small probability of a tail, without a difference from 1
        return np.asarray(distribution.sf(low))
    from_left = distribution.cdf(high) - distribution.cdf(low)
    from_right = distribution.sf(low) - distribution.sf(high)
    return np.where(distribution.median() < low, from_right, from_left)


def expected_counts(probability: ArrayLike, chosen: ArrayLike) -> ExpectedCounts:
    """Compute how many crystals a choice is expected to find, and how many to miss.

    Expected numbers add up whether or not the labels depend on each other.

    Parameters
    ----------
    probability : array-like of shape (n_samples,)
        That each crystal meets the condition, as `condition_probability` gives it.
    chosen : array-like of shape (n_samples,), bool
        Marks the crystals that are chosen.

    Returns
    -------
    ExpectedCounts
        The named tuple ``(found, missed)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp.calibration import expected_counts
    >>> probability = np.array([0.9, 0.6, 0.2, 0.1])
    >>> found, missed = expected_counts(probability, probability > 0.5)
    >>> print(f"{found:.1f} found, {missed:.1f} missed")
    1.5 found, 0.3 missed
    """
    probability, chosen = check_column("probability", probability), np.asarray(chosen)
    if np.any((probability < 0) | (probability > 1)):
        raise ValueError("probability must lie between 0 and 1 in each row.")
    if chosen.dtype != bool or chosen.shape != probability.shape:
        raise ValueError(
            f"chosen must be {len(probability)} values True or False, one for each row; got "
            f"{chosen.dtype} of shape {chosen.shape}."
        )
    return ExpectedCounts(float(probability[chosen].sum()), float(probability[~chosen].sum()))
