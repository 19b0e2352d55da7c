"""Masks: which rows are meant."""

import numpy as np
from sklearn.utils import column_or_1d

__all__ = ["marked_rows"]


def marked_rows(name, mask, n_samples):
    """Return the positions of the rows that a mask marks.

    Parameters
    ----------
    name : str
        Of the mask, for messages.
    mask : array-like of shape (n_samples,), bool
    n_samples : int

    Returns
    -------
    ndarray of int

    Raises
    ------
    ValueError
        If it is not such a mask, or marks nothing.
    """
    mask = column_or_1d(mask)
    if mask.dtype != bool or len(mask) != n_samples:
        raise ValueError(
            f"{name} must be {n_samples} values True or False, one for each row; got {len(mask)} "
            f"of {mask.dtype}."
        )
    if not mask.any():
        raise ValueError(f"{name} marks no row: at least one of {n_samples} must be True.")
    return np.flatnonzero(mask)
