"""What the query strategies share."""

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..recalibration import CalibratedRegressor


def check_pool(X_pool, n_instances):
    """Refuse a pool that is too small; return its size."""
    n_pool = X_pool.shape[0] if hasattr(X_pool, "shape") else len(X_pool)
    if n_pool == 0:
        raise ValueError("the pool is empty: there is nothing left to query.")
    if not 1 <= n_instances <= n_pool:
        raise ValueError(
            f"n_instances must be between 1 and the size of the pool, {n_pool}, got {n_instances}."
        )
    return n_pool


def is_calibrated(learner):
    """Tell whether the standard deviation of the learner is recalibrated."""
    model = getattr(learner, "estimator", None)
    if isinstance(model, Pipeline):
        model = model[-1]
    return isinstance(model, CalibratedRegressor)


def last_step(learner, X_pool):
    """Return the innermost model of the learner's estimator and the features that it works on.

    That of a `CalibratedRegressor` is the regressor that is calibrated, before the calibration.
    """
    model = getattr(learner, "estimator", None)
    while True:
        if isinstance(model, Pipeline):
            X_pool = model[:-1].transform(X_pool) if len(model) > 1 else X_pool
            model = model[-1]
        elif isinstance(model, CalibratedRegressor):
            model = model.estimator_
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        else:
            return model, X_pool


def rows_left(old, new, max_removed=64):
    """Find which rows of `old` make up `new`, in order; None if `new` is not what is left of it.

    Parameters
    ----------
    old : ndarray of shape (n_old, n_features)
    new : ndarray of shape (n_new, n_features)

    Returns
    -------
    ndarray of int, of shape (n_new,), or None
    """
    n_removed = len(old) - len(new)
    if not 0 <= n_removed <= max_removed or old.shape[1:] != new.shape[1:]:
        return None
    left, skipped, done = [], 0, 0
    while done < len(new) and skipped <= n_removed:
        candidates = old[done + skipped : len(new) + skipped]
        same = np.all(candidates == new[done:], axis=1)
        run = len(same) if same.all() else int(np.argmin(same))
        left.append(np.arange(done + skipped, done + skipped + run))
        done += run
        skipped += 1
    return np.concatenate(left) if left and done == len(new) else None
