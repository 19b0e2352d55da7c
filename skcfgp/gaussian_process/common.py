"""Helpers for masks of rows, the scale of labels and the steps of a ``Pipeline``."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d

#: Labels whose standard deviation is this part of the largest are equal but for rounding.
ROUNDING = 10 * np.finfo(float).eps


def check_mask(name, mask, n_samples):
    """Return the positions of the rows that a boolean mask marks; refuse one that marks none."""
    mask = column_or_1d(mask)
    if mask.dtype != bool or len(mask) != n_samples:
        raise ValueError(
            f"{name} must hold {n_samples} booleans, one for each row; got {len(mask)} values of "
            f"type {mask.dtype}."
        )
    if not mask.any():
        raise ValueError(f"{name} marks no row: at least one of {n_samples} must be True.")
    return np.flatnonzero(mask)


def label_scale(y):
    """Return the standard deviation of each target; 1 where the labels are equal but for rounding.

    That depends on their size: labels of 1e-19 J differ as much as the same in eV.
    """
    size = np.abs(y).max(axis=0)
    unit = np.where(size > 0, size, 1.0)  # the square of a label may be no number
    std = np.std(y / unit, axis=0)
    return np.where(std <= ROUNDING, 1.0, std * unit)


def unit_of_process(y, normalize):
    """Return the mean and the scale of each target that become 0 and 1 inside a process."""
    if normalize:
        return np.ravel(np.mean(y, axis=0)), np.ravel(label_scale(y))
    n_targets = y.shape[1] if y.ndim > 1 else 1
    return np.zeros(n_targets), np.ones(n_targets)


def last_step(model):
    """Return the last step of a ``Pipeline``, or the estimator itself."""
    return model[-1] if isinstance(model, Pipeline) else model


def last_step_input(model, X):
    """Transform `X` by all steps but the last."""
    return model[:-1].transform(X) if isinstance(model, Pipeline) and len(model) > 1 else X
