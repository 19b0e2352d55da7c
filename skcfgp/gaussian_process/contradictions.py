"""Equal rows with different labels, which a Gaussian process without noise cannot explain."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

__all__ = ["warn_conflicting_labels"]

#: Variance of noise, relative to that of the labels, that explains nothing.
NEGLIGIBLE_NOISE = 1e-6


def warn_conflicting_labels(gp, n_new=None):
    """Warn if equal rows have labels that differ by much more than the noise allows.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Just fitted.
    n_new : int, default=None
        With a number, only what equals one of the last so many rows is looked at.
    """
    X, Y = gp.X_train_, np.reshape(gp.y_train_, (len(gp.y_train_), -1))
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        return
    rows, noise = np.arange(len(X)), gp.noise_
    if n_new is not None:  # equal rows have equal first columns
        rows = np.flatnonzero(np.isin(X[:, 0], X[len(X) - n_new :, 0]))
        X, Y, noise = X[rows], Y[rows], noise[rows]
    _, group, size = np.unique(X, axis=0, return_inverse=True, return_counts=True)
    if len(size) == len(X):
        return
    group = group.ravel()  # numpy 2.0 gives it another shape
    mean = np.stack([np.bincount(group, column) / size for column in Y.T], axis=1)
    excess = np.abs(Y - mean[group]).max(axis=1)
    # A kernel called with two arguments leaves out the noise of a WhiteKernel.
    white = gp.kernel_.diag(X[:1])[0] - gp.kernel_(X[:1], X[:1])[0, 0]
    noise = max(white, 0.0) + noise
    contradicted = (excess > 0) & (
        noise < np.maximum(NEGLIGIBLE_NOISE * np.var(gp.y_train_), 1e-4 * excess**2)
    )
    if contradicted.any():
        rows = rows[group == group[np.argmax(np.where(contradicted, excess, 0))]]
        warnings.warn(
            f"{contradicted.sum()} rows of X are equal to others and have different labels, and "
            f"the noise cannot explain it (first seen for the rows {rows[:4].tolist()}). Give the "
            "process noise (alpha, or a WhiteKernel), or remove the wrong labels.",
            ConvergenceWarning,
            stacklevel=3,
        )
