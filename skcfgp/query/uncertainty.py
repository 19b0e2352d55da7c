"""Largest standard deviation: one at a time, as a batch, or the whole queue at once."""

import logging
import warnings
from weakref import proxy

import numpy as np

from ..gaussian_process import PoolPosterior, as_process
from ..gaussian_process.greedy import greedy_picks, largest_first
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..gaussian_process.shortlist import shortlist_picks
from .common import check_features, check_pool, is_calibrated, last_step, rows_left

logger = logging.getLogger(__name__)

#: Relative range of the standard deviations below which they are called nearly equal.
NEARLY_EQUAL = 1e-3


def max_std(learner, X_pool, n_instances=1):
    """Choose the points of largest posterior standard deviation.

    For a Gaussian process this is the choice of largest entropy, H = ln(2 pi e sigma^2) / 2, of the
    paper. With a `skcfgp.GaussianProcessRegressor` the posterior over the pool is kept between
    queries: after one new label, and with the same pool or what is left of it, a query costs
    O(n p).

    Parameters
    ----------
    learner : modAL learner or committee
        Whose ``predict(X, return_std=True)`` gives a standard deviation.
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1
        Points to choose; those of largest standard deviation, each on its own.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, largest standard deviation first, ties by lowest position.
    std : ndarray of shape (n_instances,)
        Their standard deviation, in the unit of y.

    Raises
    ------
    ValueError
        If the pool is empty or smaller than `n_instances`.

    Warns
    -----
    UserWarning
        If all standard deviations are nearly equal, so that the choice means nothing.

    References
    ----------
    .. [1] Allotey, Butler, Thiyagalingam (2021), Section V.
    """
    n_pool = check_pool(X_pool, n_instances)
    std = np.asarray(_pool_std(learner, X_pool), dtype=float)
    if std.shape != (n_pool,):
        raise ValueError(
            f"expected one standard deviation for each of {n_pool} rows, got an array of shape "
            f"{std.shape}. Use a model with one target."
        )
    if not np.isfinite(std).all():
        rows = np.flatnonzero(~np.isfinite(std))[:5].tolist()
        raise ValueError(
            f"the model gives a standard deviation that is NaN or infinite (first rows: {rows})."
        )
    _warn_of_equal_std(std)
    indices = largest_first(np.square(std), n_instances)
    return indices, std[indices]


def plan(gp, X_pool, n, max_bytes=2**31, screening="auto"):
    """List the next queries of a learner that takes the largest standard deviation.

    With the hyper-parameters fixed, the standard deviation does not depend on the labels. So the
    whole queue is known before the first label is: equal, one by one, to `n` rounds of `max_std`
    and ``teach``.

    Parameters
    ----------
    gp : estimator
        Fitted Gaussian process: `skcfgp.GaussianProcessRegressor` or scikit-learn's own.
    X_pool : array-like of shape (n_pool, n_features)
    n : int
    max_bytes : int, default=2**31
        Largest matrix to hold. The covariance of the pool takes 8 n_pool^2 bytes; where that is
        more, or `n` is a small part of the pool, a shortlist is held instead. The result is the
        same; which way was taken is logged, at the level "debug".
    screening : {"auto", "float32", "float64"}, default="auto"
        Precision of the pass over the pool that makes a shortlist. The result is the same: see
        `skcfgp.gaussian_process.shortlist.shortlist_picks`.

    Returns
    -------
    indices : ndarray of shape (n,)
        Rows of the pool, in the order in which they will be asked for; ties go to the lowest.
    std : ndarray of shape (n,)
        Standard deviation of each when its turn comes, in the unit of y.

    Raises
    ------
    ValueError
        If the pool is smaller than `n`.
    MemoryError
        If neither the covariance nor a shortlist fits.

    References
    ----------
    .. [1] Harbrecht, Peters, Schneider, Appl. Numer. Math. 62, 428 (2012).
       doi:10.1016/j.apnum.2011.10.001
    .. [2] Krause, Guestrin, "Nonmyopic active learning of Gaussian processes" (ICML 2007): with
       fixed hyper-parameters a design made beforehand loses nothing.
    """
    check_pool(X_pool, n)
    gp = as_process(gp)
    X_pool = check_features(gp, X_pool)
    if 16 * n < len(X_pool) or 8 * len(X_pool) ** 2 > max_bytes:
        logger.debug("%d of %d by a shortlist", n, len(X_pool))
        picks = shortlist_picks(gp, X_pool, n, max_bytes=max_bytes, screening=screening)
    else:
        logger.debug("%d of %d by pivoted Cholesky of their covariance", n, len(X_pool))
        picks = greedy_picks(gp, X_pool, n)
    found = [(pick.index, pick.variance) for pick in picks]
    indices, variance = np.array(found).T
    return indices.astype(int), np.sqrt(variance) * gp.y_scale_[0]


def greedy_max_std(learner, X_pool, n_instances=1):
    """Choose the points of largest standard deviation one after another, each given those before.

    The batch that `n_instances` rounds of `max_std` and ``teach`` would choose, without near
    duplicates, and without waiting for labels.

    Parameters
    ----------
    learner : modAL learner
        Whose estimator, or the last step of whose ``Pipeline``, is a Gaussian process; see `plan`.
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice.
    std : ndarray of shape (n_instances,)
        Standard deviation of each, given the points before it, in the unit of y.
    """
    check_pool(X_pool, n_instances)
    model, features = last_step(learner, X_pool)
    return plan(model, features, n_instances)


def _warn_of_equal_std(std):
    low, high = std.min(), std.max()
    if len(std) > 2 and high - low < NEARLY_EQUAL * high:
        warnings.warn(
            f"the standard deviations of all {len(std)} crystals of the pool lie between {low:.6g} "
            f"and {high:.6g}: the model cannot tell them apart, and the choice is as good as at "
            "random. The length scale may be far shorter than the distances between the features, "
            "or noise may be all there is: scale the features, widen the bounds of the kernel, or "
            "label some at random and fit again.",
            stacklevel=3,
        )


def _pool_std(learner, X_pool):
    if is_calibrated(learner):
        return learner.predict(X_pool, return_std=True)[1]
    model, features = last_step(learner, X_pool)
    if isinstance(model, GaussianProcessRegressor) and np.ndim(getattr(model, "alpha_", 0)) == 1:
        posterior, left = _posterior(model, check_features(model, features))
        return posterior.std[left]
    return model.predict(features, return_std=True)[1]


def _posterior(gp, X_pool):
    """Return a posterior and which of its points the pool is; that of the last query if it fits."""
    # Away while it changes, so that an interrupt cannot leave half of a change behind.
    posterior, left = vars(gp).pop("_pool_posterior", (None, None))
    still = None
    if posterior is not None and posterior.is_current():
        still = rows_left(posterior.X_pool[left], X_pool)
    if still is None:
        posterior = None  # its memory is free before the new one takes as much
        # A weak reference: else the two would keep each other in memory.
        posterior, left = PoolPosterior(proxy(gp), np.array(X_pool)), np.arange(len(X_pool))
    else:
        left = left[still]
        if len(left) < 0.8 * len(posterior.X_pool):  # to forget is to copy what is left
            posterior.keep(left)
            left = np.arange(len(left))
        posterior.update()
    gp._pool_posterior = posterior, left
    return gp._pool_posterior
