"""What the query strategies share."""

from numbers import Integral

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ..calibration import CalibratedRegressor


def check_pool(X_pool, n_instances):
    """Refuse a pool that is too small; return its size."""
    n_pool = X_pool.shape[0] if hasattr(X_pool, "shape") else len(X_pool)
    if n_pool == 0:
        raise ValueError("the pool is empty: there is nothing left to query.")
    if not isinstance(n_instances, Integral) or not 1 <= n_instances <= n_pool:
        raise ValueError(
            "n_instances must be an integer between 1 and the size of the pool, "
            f"{n_pool}, got {n_instances}."
        )
    return n_pool


def check_features(model, X):
    """Refuse features that the model cannot use; return them in double precision."""
    X = check_array(X, dtype=np.float64, ensure_all_finite=False)
    finite = np.isfinite(X)
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1))
        raise ValueError(
            f"{len(rows)} rows have features that are NaN or infinite (the first of them: "
            f"{rows[:5].tolist()}). Leave these rows out of the pool."
        )
    n_features = getattr(model, "n_features_in_", X.shape[1])
    if X.shape[1] != n_features:
        raise ValueError(
            f"the rows have {X.shape[1]} features, but the model was fitted on {n_features}."
        )
    return X


def is_calibrated(learner):
    """Tell whether the standard deviation of the learner is recalibrated."""
    model = getattr(learner, "estimator", None)
    if isinstance(model, Pipeline):
        model = model[-1]
    return isinstance(model, CalibratedRegressor)


def last_step(learner, X_pool=None):
    """Return the innermost model of the learner's estimator and the features that it works on.

    That of a `CalibratedRegressor` is the regressor that is calibrated, before the calibration. A
    committee has no estimator, and is its own model.
    """
    model = getattr(learner, "estimator", learner)
    while True:
        if isinstance(model, Pipeline):
            if X_pool is not None and len(model) > 1:
                X_pool = model[:-1].transform(X_pool)
            model = model[-1]
        elif isinstance(model, CalibratedRegressor):
            check_is_fitted(model, "scale_")
            model = model.estimator_
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        else:
            return model, X_pool


def rows_left(old, new):
    """Find which rows of `old` make up `new`, in order; None if `new` is not what is left of it.

    Parameters
    ----------
    old : ndarray of shape (n_old, n_features)
    new : ndarray of shape (n_new, n_features)

    Returns
    -------
    ndarray of int, of shape (n_new,), or None
    """
    if old.shape[1:] != new.shape[1:]:
        return None
    left, at, done = np.empty(len(new), dtype=int), 0, 0
    while done < len(new):
        at += _count(old[at:], np.broadcast_to(new[done], old[at:].shape), equal=False)
        if len(old) - at < len(new) - done:
            return None
        run = _count(old[at:], new[done:], equal=True)
        left[done : done + run] = np.arange(at, at + run)
        at, done = at + run, done + run
    return left


def _count(a, b, equal):
    """Count the rows at the beginning that are equal in both, or that are not."""
    n, start, size = min(len(a), len(b)), 0, 4
    while start < n:
        rows = slice(start, min(n, start + size))
        other = np.all(a[rows] == b[rows], axis=1) != equal
        if other.any():
            return start + int(np.argmax(other))
        start, size = rows.stop, 2 * size
    return n
