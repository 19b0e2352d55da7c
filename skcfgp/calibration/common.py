"""Checks of predictions and of parameters, for every metric and Display."""

from numbers import Integral

import numpy as np

#: Standard deviations whose squares are numbers, also as part of them.
SMALLEST, LARGEST = 1e-90, 1e150

NO_NOISE = (
    " A Gaussian process without noise has none for a row that it was fitted on: add a WhiteKernel "
    "or raise alpha. Otherwise choose another unit of y."
)


def check_column(name, values):
    """Return a 1-D float array of finite numbers with at least one row."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(
            f"{name} must be a 1-D array with at least one row, got the shape {values.shape}."
        )
    _refuse_rows(name, values, ~np.isfinite(values), "finite")
    return values


def check_std(y_std, *, allow_zero=False):
    """Return a 1-D float array of standard deviations, which are positive unless zero is fine."""
    y_std = check_column("y_std", y_std)
    if allow_zero:
        _refuse_rows("y_std", y_std, y_std < 0, "at least 0")
    else:
        wrong = ~((y_std >= SMALLEST) & (y_std <= LARGEST))
        needed = f"between {SMALLEST:g} and {LARGEST:g}" if np.all(y_std > 0) else "positive"
        _refuse_rows("y_std", y_std, wrong, needed, NO_NOISE)
    return y_std


def check_predictions(y_true, y_pred, y_std=None, *, allow_zero=False):
    """Return 1-D float arrays of the same length; two of them without `y_std`."""
    columns = [check_column("y_true", y_true), check_column("y_pred", y_pred)]
    if y_std is not None:
        columns.append(check_std(y_std, allow_zero=allow_zero))
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        names = " and ".join(["y_true", "y_pred", "y_std"][: len(columns)])
        raise ValueError(f"{names} must have the same length, got {lengths}.")
    return columns


def check_count(name, value, at_least=1):
    """Return an int that is large enough."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < at_least:
        raise ValueError(f"{name} must be an integer of at least {at_least}, got {value!r}.")
    return int(value)


def check_probability(name, value):
    """Refuse what does not lie strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}.")


def copy_feature_names(inner, outer):
    """Give an estimator number and names of the features of the one in it, if that has them."""
    for name in ("n_features_in_", "feature_names_in_"):
        vars(outer).pop(name, None)  # of a previous fit
        if hasattr(inner, name):
            setattr(outer, name, getattr(inner, name))


def mean_of_ties(values, key):
    """Average `values` over rows of equal `key`: the result does not depend on row order."""
    _, group = np.unique(key, return_inverse=True)
    return (np.bincount(group, values) / np.bincount(group))[group]


def _refuse_rows(name, values, wrong, needed, hint=""):
    if wrong.any():
        row = np.flatnonzero(wrong)[0]
        raise ValueError(
            f"{name} must be {needed}, got {values[row]:g} in row {row} and {wrong.sum()} such "
            f"rows of {len(values)}. Rows are never dropped silently: remove them from all arrays."
            + hint
        )
