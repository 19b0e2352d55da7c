"""Mean and standard deviation of rows, by the prior and by a fitted process."""

import warnings

import numpy as np

from ..kernels import Laplacian
from .chunking import in_chunks


def predict_rows(gp, X, return_std, return_cov):
    """Predict the mean and, if asked for, the standard deviation or the covariance of rows."""
    if return_std and return_cov:
        raise RuntimeError("At most one of return_std or return_cov can be requested.")
    if not hasattr(gp, "alpha_"):
        kernel = Laplacian() if gp.kernel is None else gp.kernel
        return predict_prior(kernel, X, gp.n_targets, return_std, return_cov)
    return predict_with_covariance(gp, X) if return_cov else predict_in_chunks(gp, X, return_std)


def predict_prior(kernel, X, n_targets, return_std, return_cov):
    """Predict by the prior, whose mean is 0."""
    several = () if n_targets in (None, 1) else (n_targets,)
    mean = np.zeros((len(X), *several))
    if return_cov:
        return mean, np.multiply.outer(kernel(X), np.ones(several))
    std = np.multiply.outer(np.sqrt(kernel.diag(X)), np.ones(several))
    return (mean, std) if return_std else mean


def predict_with_covariance(gp, X):
    """Return the mean and the covariance of rows."""
    cross = gp.kernel_(X, gp.X_train_)
    mean, V = _mean(gp, cross), gp.factor_.solve(cross.T)
    covariance = np.multiply.outer(gp.kernel_(X) - V.T @ V, gp.y_scale_**2)
    return mean, covariance[..., 0] if mean.ndim == 1 else covariance


def predict_in_chunks(gp, X, return_std):
    """Return the mean and, if asked for, the standard deviation of any number of rows."""
    parts = in_chunks(
        lambda rows: _predict_rows(gp, X[rows], return_std),
        len(X),
        row_bytes=16 * len(gp.X_train_),
        n_jobs=gp.n_jobs,
    )
    mean = np.concatenate([mean for mean, _ in parts])
    return (mean, np.concatenate([std for _, std in parts])) if return_std else mean


def _mean(gp, cross):
    """Return the mean, from the covariance with the rows learnt."""
    mean = cross @ gp.alpha_ * gp.y_scale_ + gp.y_mean_  # Alg 2.1, page 19, line 4
    return mean[:, 0] if mean.ndim > 1 and mean.shape[1] == 1 else mean


def _predict_rows(gp, X, return_std):
    """Return the mean and, if asked for, the standard deviation of rows that fit into memory."""
    cross = gp.kernel_(X, gp.X_train_)
    mean = _mean(gp, cross)
    if not return_std:
        return mean, None
    V = gp.factor_.solve(cross.T, overwrite=True)  # line 5
    variance = gp.kernel_.diag(X) - np.einsum("ij,ij->j", V, V)  # line 6, the diagonal
    if np.any(variance < -1e-8 * gp.kernel_.diag(X)):
        warnings.warn(
            "Predicted variances smaller than 0. Setting those variances to 0. The kernel "
            "matrix is nearly singular: raise alpha, or add a WhiteKernel.",
            stacklevel=3,
        )
    std = np.sqrt(np.maximum(variance, 0.0))
    return mean, np.multiply.outer(std, gp.y_scale_).reshape(mean.shape)
