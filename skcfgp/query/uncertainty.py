"""Largest standard deviation: one at a time, as a batch, or the whole queue at once."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable

import numpy as np

from ..calibration import CalibratedRegressor
from ..gaussian_process import PoolPosterior, as_process
from ..gaussian_process.greedy import largest_first
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..gaussian_process.shortlist import shortlist_picks
from ..gaussian_process.succession import greedy_picks, room
from ..structures.typing import Estimator, FloatArray, IntArray, Rows
from .common import check_costs, check_features, check_pool, follow, innermost, last_step_of, unwrap

logger = logging.getLogger(__name__)

#: Relative range of the standard deviations below which they are called nearly equal.
NEARLY_EQUAL = 1e-3


def max_std(learner: Estimator, X_pool: Rows, n_instances: int = 1) -> tuple[IntArray, FloatArray]:
    """Choose the points of largest posterior standard deviation.

    For a Gaussian process this is the choice of largest entropy, H = ln(2 pi e sigma^2) / 2, of the
    paper. With a `skcfgp.GaussianProcessRegressor` the posterior over the pool is kept between the
    queries of a learner: after one new label, and with the same pool or what is left of it, a query
    costs O(n p).

    Parameters
    ----------
    learner : modAL learner or committee
        Learner whose ``predict(X, return_std=True)`` gives a standard deviation.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose: those of largest standard deviation, each on its own.

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
    check_pool(X_pool, n_instances)
    last, X = last_step_of(learner, X_pool)
    return choose_by_std(learner, last, X, n_instances)


def plan(
    learner: Estimator, X_pool: Rows, n_instances: int, max_bytes: int = 2**31
) -> tuple[IntArray, FloatArray]:
    """List the next queries of a learner that takes the largest standard deviation.

    With the hyper-parameters fixed, the standard deviation does not depend on the labels. So the
    whole queue is known before the first label is: equal, one by one, to `n_instances` rounds of
    `max_std` and ``teach``.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
        Fitted Gaussian process of this package or of scikit-learn, or a learner whose estimator, or
        the last step of whose ``Pipeline``, is one.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as `learner` takes it.
    n_instances : int
        Number of queries to list.
    max_bytes : int, default=2**31
        Largest matrix to hold: 8 bytes for each label or pick and each point that is not picked
        yet. Where that is more, or `n_instances` is a small part of the pool, a shortlist is held
        instead. The result is the same; which way was taken is logged, at the level "debug".

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Rows of the pool, in the order of the queries; ties by lowest row.
    std : ndarray of shape (n_instances,)
        Standard deviation of each when its turn comes, in the unit of y.

    Raises
    ------
    TypeError
        If the model is not a Gaussian process.
    ValueError
        If the pool is smaller than `n_instances`.
    MemoryError
        If neither the covariance nor a shortlist fits.

    References
    ----------
    .. [1] Harbrecht, Peters, Schneider, Appl. Numer. Math. 62, 428 (2012).
       doi:10.1016/j.apnum.2011.10.001
    .. [2] Krause, Guestrin, "Nonmyopic active learning of Gaussian processes" (ICML 2007): with
       fixed hyper-parameters a design made beforehand loses nothing.
    """
    check_pool(X_pool, n_instances)
    model, pool = innermost(learner, X_pool)
    gp = as_process(model)
    pool = check_features(gp, pool)
    needed = 8 * room(len(gp.X_train_), len(pool), n_instances)
    if 16 * n_instances < len(pool) or needed > max_bytes:
        logger.debug("%d of %d by a shortlist", n_instances, len(pool))
        return _in_unit(gp, shortlist_picks(gp, [pool], n_instances, max_bytes=max_bytes))
    logger.debug("%d of %d in blocks", n_instances, len(pool))
    return _in_unit(gp, greedy_picks(gp, pool, n_instances))


def greedy_max_std(
    learner: Estimator, X_pool: Rows, n_instances: int = 1
) -> tuple[IntArray, FloatArray]:
    """Choose the points of largest standard deviation one after another, each given those before.

    The choice is that of `plan`: the batch that `n_instances` rounds of `max_std` and ``teach``
    would choose. It has no near duplicates, and needs no labels in between.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
        See `plan`.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice.
    std : ndarray of shape (n_instances,)
        Standard deviation of each, given the points before it, in the unit of y.
    """
    return plan(learner, X_pool, n_instances)


def plan_in_chunks(
    learner: Estimator, chunks: Iterable[Rows], n_instances: int, max_bytes: int = 2**31
) -> tuple[IntArray, FloatArray]:
    """List the next queries as `plan` does, from a pool that comes in chunks.

    One pass over the pool keeps the points of largest standard deviation; the batch is chosen among
    these. Since a standard deviation only falls as labels arrive, no point left out can be better
    than one chosen as long as that is above the largest standard deviation left out, and this is
    checked for each pick. When it does not hold, more points are kept, in another pass. So the
    result is that of `plan`, not an approximation of it.

    Parameters
    ----------
    learner : modAL learner or Gaussian process
        See `plan`.
    chunks : iterable of array-like of shape (n_rows, ...)
        Pool, as `learner` takes it, in parts. It is iterated once for each pass, and must give
        the same each time: a list, or an object with ``__iter__`` that reads files, but not a
        generator. 8 bytes are held for each point.
    n_instances : int
        Number of queries to list.
    max_bytes : int, default=2**31
        Largest matrix to hold: 8 bytes for each point kept times the labels and the picks.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Rows of the pool, counted from the first row of the first chunk.
    std : ndarray of shape (n_instances,)
        Standard deviation of each when its turn comes, in the unit of y.

    Raises
    ------
    TypeError
        If `chunks` can be iterated only once, or the model is not a Gaussian process.
    ValueError
        If the pool is smaller than `n_instances`.
    MemoryError
        If more points would have to be kept than `max_bytes` allows.

    References
    ----------
    .. [1] Minoux, "Accelerated greedy algorithms for maximizing submodular set functions" (1978).
       doi:10.1007/BFb0006528

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import GaussianProcessRegressor
    >>> from skcfgp.query import plan, plan_in_chunks
    >>> X = np.random.default_rng(0).normal(size=(5000, 3))
    >>> gp = GaussianProcessRegressor().fit(X[:50], X[:50, 0])
    >>> pool = X[50:]
    >>> chunks = [pool[start:start + 1000] for start in range(0, len(pool), 1000)]
    >>> bool(np.all(plan_in_chunks(gp, chunks, 20)[0] == plan(gp, pool, 20)[0]))
    True
    """
    if iter(chunks) is chunks:
        raise TypeError(
            "chunks can be gone through only once; give a list, or an object whose __iter__ starts "
            "again."
        )
    gp = as_process(innermost(learner, None)[0])
    features = _Features(learner, chunks)
    return _in_unit(gp, shortlist_picks(gp, features, n_instances, max_bytes=max_bytes))


class _Features:
    """The features of chunks, computed again in each pass."""

    def __init__(self, learner, chunks):
        self.learner, self.chunks = learner, chunks

    def __iter__(self):
        for chunk in self.chunks:
            yield check_features(*innermost(self.learner, chunk))


def _in_unit(gp, picks):
    indices, variance = map(np.array, zip(*picks, strict=True))
    return indices, np.sqrt(variance) * gp.y_scale_[0]


def choose_by_std(learner, last, X, n_instances, costs=None):
    """Choose as `max_std` does, from the last step of a learner and what it gets."""
    std = pool_std(learner, last, X)[0]
    scores = std / check_costs(costs, len(std))
    indices = largest_first(np.square(scores), n_instances)
    return indices, scores[indices]


def pool_std(learner, last, X):
    """Return the standard deviation of each row, and what `unwrap` returns; warn of equal ones."""
    model, features = unwrap(last, X)
    if isinstance(last, CalibratedRegressor):
        std = last.predict(X, return_std=True)[1]
    elif isinstance(model, GaussianProcessRegressor) and np.ndim(getattr(model, "alpha_", 0)) == 1:
        posterior = follow(learner, PoolPosterior, model, check_features(model, features))
        std = posterior.std[posterior.left]
    else:
        std = model.predict(features, return_std=True)[1]
    std = np.asarray(std, dtype=float)
    n_pool = check_pool(X, 1)
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
    return std, model, features


def _warn_of_equal_std(std):
    low, high = std.min(), std.max()
    if len(std) > 2 and high - low < NEARLY_EQUAL * high:
        warnings.warn(
            f"the standard deviations of all {len(std)} crystals of the pool lie between {low:.6g} "
            f"and {high:.6g}: the model cannot tell them apart, and the choice is as good as at "
            "random. The length scale may be far shorter than the distances between the features, "
            "or noise may be all there is: scale the features, widen the bounds of the kernel, or "
            "label some at random and fit again.",
            stacklevel=5,
        )
