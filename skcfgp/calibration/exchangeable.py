"""Which labels are like those to come, and so tell how large errors will be."""

import warnings

import numpy as np
from sklearn.utils import check_consistent_length

from ..gaussian_process.common import check_mask
from .score_distributions import MIN_SCORES


class ExchangeabilityWarning(UserWarning):
    """The calibration uses labels that were chosen by a query."""


def exchangeable_rows(group, selected, unseen):
    """Return a mask of the rows to calibrate on; all, with a warning, if too few are distinct."""
    n_samples = len(group)
    left = np.ones(n_samples, dtype=bool)
    if selected is not None:
        check_consistent_length(left, selected)
        left &= ~np.asarray(selected, dtype=bool)
    if unseen is not None:
        left &= np.isin(np.arange(n_samples), check_mask("unseen", unseen, n_samples))
    n_distinct = len(np.unique(group[left]))
    if left.all() or n_distinct >= MIN_SCORES:
        return left
    warnings.warn(
        f"{n_samples - left.sum()} of {n_samples} labels were chosen by a query or seen by the "
        f"network, and {n_distinct} others are too few to calibrate on (at least {MIN_SCORES}), so "
        "all of them were used. The error bars need not be right for other rows. Add labels that "
        "were chosen at random.",
        ExchangeabilityWarning,
        stacklevel=3,
    )
    return np.ones(n_samples, dtype=bool)
