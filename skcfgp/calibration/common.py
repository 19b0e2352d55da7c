"""What every metric asks of its arguments."""

from numbers import Integral

import numpy as np


def check_std(y_std):
    """Make it a 1-D float array of finite positive numbers.

    Raises
    ------
    ValueError
        If it is empty or not 1-D, or has a NaN, an infinity, a zero or a negative number.
    """
    y_std = _check_column("y_std", y_std)
    wrong = np.flatnonzero(y_std <= 0)
    if len(wrong):
        raise ValueError(
            f"y_std must be positive, got {y_std[wrong[0]]:g} in row {wrong[0]} and {len(wrong)} "
            f"such rows of {len(y_std)}. A Gaussian process gives 0 where a row repeats one that "
            "it was fitted on: add a WhiteKernel or raise alpha, or leave such rows out."
        )
    return y_std


def check_predictions(y_true, y_pred, y_std):
    """Make three 1-D float arrays of one length, finite, `y_std` positive.

    Raises
    ------
    ValueError
        As `check_std`, for each; or if the lengths differ.
    """
    y_true, y_pred = _check_column("y_true", y_true), _check_column("y_pred", y_pred)
    y_std = check_std(y_std)
    if not len(y_true) == len(y_pred) == len(y_std):
        raise ValueError(
            "y_true, y_pred and y_std must have one length, got "
            f"{len(y_true)}, {len(y_pred)} and {len(y_std)}."
        )
    return y_true, y_pred, y_std


def check_count(name, value, at_least=1):
    """Make it an int, at least so many."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < at_least:
        raise ValueError(f"{name} must be an integer of at least {at_least}, got {value!r}.")
    return int(value)


def mean_of_ties(values, key):
    """Give rows of equal `key` the mean of their `values`, so that their order makes no odds."""
    _, group = np.unique(key, return_inverse=True)
    return (np.bincount(group, values) / np.bincount(group))[group]


def _check_column(name, values):
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(
            f"{name} must be a 1-D array with at least one row, got the shape {values.shape}."
        )
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(
            f"{name} has {values[wrong[0]]} in row {wrong[0]} and {len(wrong)} such rows of "
            f"{len(values)}. No row is left out unasked: remove them from all three arrays."
        )
    return values
