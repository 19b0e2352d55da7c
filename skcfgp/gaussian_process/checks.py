"""Checks of the rows and labels of a Gaussian process."""

import warnings
from contextlib import contextmanager

import numpy as np
from scipy.linalg import LinAlgError
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

#: Ratio of typical standard error and standard deviation of the labels that does not come by chance
#: with this number of labels, even if they are nothing but noise.
LARGE, MANY = 3.0, 12

#: Variance of the noise, relative to that of the labels, that is too small to explain a conflict.
NEGLIGIBLE_NOISE = 1e-6

#: Labels that differ by less than this fraction of the largest are equal up to rounding.
ROUNDING = 1e-12


def refuse_crystals(X):
    """Refuse crystals with advice; validation would only say that they are not numbers."""
    is_sequence = isinstance(X, list | tuple) or (getattr(X, "ndim", 0) and hasattr(X, "__array__"))
    row = next(iter(X), None) if is_sequence else None
    if hasattr(row, "lattice") or hasattr(row, "cell"):
        raise TypeError(
            "X must hold vectors, but it holds crystals. Put a featurizer before the process: "
            "make_pipeline(MEGNetFeaturizer(), GaussianProcessRegressor())."
        )


def check_rows(gp, X, **options):
    """Validate X as the kernel needs it, and labels if there are any among the options."""
    refuse_crystals(X)
    kernel = getattr(gp, "kernel_", gp.kernel)
    vectors = kernel is None or kernel.requires_vector_input
    dtype = np.float64 if vectors else None
    return validate_data(gp, X, ensure_2d=vectors, dtype=dtype, **options)


def check_rows_and_labels(gp, X, y, reset):
    """Validate rows and labels."""
    X, y = check_rows(gp, X, y=y, multi_output=True, y_numeric=True, reset=reset)
    check_targets(y, gp.n_targets, None if reset else gp.targets_)
    return X, y.astype(float)


def check_noise(alpha, n_samples):
    """Return the variance of the noise on each label; None stands for one that is not known."""
    if alpha is None:
        raise ValueError(
            "the process was fitted with a noise variance for each label; pass alpha= with one "
            f"for each of the {n_samples} new rows."
        )
    alpha = np.asarray(alpha, dtype=float)
    if alpha.ndim and len(alpha) not in (1, n_samples):
        raise ValueError(
            "alpha must be a scalar or an array with same number of entries as y. "
            f"({len(alpha)} != {n_samples})"
        )
    return np.array(np.broadcast_to(alpha, n_samples))


def check_label_std(y_std, y):
    """Return the known standard error of each label: 0 without `y_std`."""
    if y_std is None:
        return np.zeros(len(y))
    y_std = np.array(y_std, dtype=float)
    if y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(f"y_std needs one target, and y has the shape {y.shape}.")
    if y_std.shape != (len(y),):
        raise ValueError(
            f"y_std must be {len(y)} standard errors, one for each label; got an array of shape "
            f"{y_std.shape}."
        )
    wrong = np.flatnonzero(~(np.isfinite(y_std) & (y_std >= 0)))
    if len(wrong):
        raise ValueError(
            f"y_std must be finite and at least 0, got {y_std[wrong[0]]:g} in row {wrong[0]} and "
            f"{len(wrong)} such rows of {len(y)}. Give 0 where a label is exact."
        )
    return y_std


def warn_large_label_std(y_std, y):
    """Warn if the labels scatter much less than their standard errors say."""
    unit = np.abs(y).max() or 1.0  # the square of a label may be no number
    typical, scatter = np.median(y_std), unit * np.std(y / unit)
    if len(y) >= MANY and typical > LARGE * scatter:
        warnings.warn(
            f"the labels scatter much less (standard deviation {scatter:.3g}) than their standard "
            f"errors y_std say (median {typical:.3g}), and the standard deviations of predictions "
            "will be too small. Is y_std in the unit of y?",
            UserWarning,
            stacklevel=3,
        )


def check_targets(y, n_targets, learnt):
    """Refuse labels whose number of targets differs from the parameter or the labels learnt."""
    seen = y.shape[1] if y.ndim > 1 else 1
    if n_targets is not None and seen != n_targets:
        raise ValueError(
            "The number of targets seen in `y` is different from the parameter `n_targets`. "
            f"Got {seen} != {n_targets}."
        )
    if learnt is not None and y.shape[1:] != learnt.shape[1:]:
        raise ValueError(
            "y must have as many targets as the rows learnt before, whose y had the shape "
            f"{learnt.shape}; got {y.shape}."
        )


@contextmanager
def explain_not_positive_definite(kernel):
    """Add advice to the error of a matrix that is not positive definite."""
    try:
        yield
    except LinAlgError as error:
        raise LinAlgError(
            f"The kernel, {kernel}, is not returning a positive definite matrix. Try gradually "
            "increasing the 'alpha' parameter of your GaussianProcessRegressor estimator."
        ) from error


def warn_conflicting_labels(gp, n_new=None):
    """Warn if equal rows have labels that differ by much more than the noise allows.

    With `n_new`, only rows that equal one of the last `n_new` are checked.
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
    # A kernel called with two arguments leaves out the noise of a WhiteKernel.
    white = gp.kernel_.diag(X[:1])[0] - gp.kernel_(X[:1], X[:1])[0, 0]
    noise = max(white, 0.0) + noise
    weight = 1.0 / (noise + 1e-16 * np.var(gp.y_train_) + np.finfo(float).tiny)
    total = np.bincount(group, weight)
    mean = np.stack([np.bincount(group, weight * column) / total for column in Y.T], axis=1)
    excess = np.abs(Y - mean[group]).max(axis=1)
    rounding = ROUNDING * np.max(np.abs(gp.targets_) / gp.y_scale_)
    contradicted = (excess > np.maximum(rounding, 3 * np.sqrt(noise))) & (
        noise < np.maximum(NEGLIGIBLE_NOISE * np.var(gp.y_train_), 1e-4 * excess**2)
    )
    if contradicted.any():
        rows = rows[group == group[np.argmax(np.where(contradicted, excess, 0))]]
        warnings.warn(
            f"{contradicted.sum()} rows of X are equal to others but have different labels, which "
            f"the noise cannot explain (for instance rows {rows[:4].tolist()}). Give the "
            "process noise (alpha, or a WhiteKernel), or remove the wrong labels.",
            ConvergenceWarning,
            stacklevel=3,
        )
