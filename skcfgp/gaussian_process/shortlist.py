"""Greedy choice of the largest variance from a pool whose covariance does not fit into memory.

A variance only falls as labels arrive, so one that was worked out earlier bounds what it is now
(lazy evaluation; Minoux 1978). One pass over the pool in chunks gives a bound for every point. Then
the exact choice is made among a shortlist of the largest: as long as what is chosen there is larger
than every bound outside, no point outside can be better. When that ends, the shortlist grows.

Bounds may be loose, so the pass may run in single precision; see `rounding_bound`.
"""

import logging

import numpy as np

from .greedy import TIE, Pick, first_of_largest
from .posterior import PoolPosterior
from .rounding_bound import single_precision_bound

__all__ = ["picks_from", "shortlist_picks"]

logger = logging.getLogger(__name__)

#: Pool, in numbers of labels, from which on single precision is quicker: it factorises again.
LARGE_POOL = 4


def shortlist_picks(gp, X_pool, n_picks, *, size=None, max_bytes=2**31, screening="auto"):
    """Yield the points of largest posterior variance, each given those before it.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted, with one target. It is not changed.
    X_pool : ndarray of shape (n_pool, n_features)
    n_picks : int
    size : int, default=None
        First size of the shortlist; None means four times `n_picks`, at least 1,024. It makes no
        difference to the result.
    max_bytes : int, default=2**31
        Largest matrix to hold: 8 bytes for each of the shortlist times the labels and the picks.
    screening : {"auto", "float32", "float64"}, default="auto"
        Precision of the pass over the pool; "auto" is single where the pool is more than four times
        the labels. The choice itself is in double precision either way, and every point outside
        the shortlist is certified to be worse, so it makes no difference to the result.

    Yields
    ------
    Pick
        With ``index`` and ``variance`` only. Ties go to the lowest index.

    Raises
    ------
    ValueError
        If there is no such precision.
    MemoryError
        If the shortlist would have to grow beyond `max_bytes`.
    """
    if screening == "auto":
        large = len(X_pool) > LARGE_POOL * len(gp.X_train_)
        screening = "float32" if large else "float64"
    pool = _InMemory(gp, X_pool, screening)
    yield from picks_from(gp, pool, n_picks, size=size, max_bytes=max_bytes)


def picks_from(gp, pool, n_picks, *, size=None, max_bytes=2**31):
    """Yield the picks of `shortlist_picks` from a pool that gives a shortlist of any size.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted, with one target.
    pool : object
        ``pool.top(size)`` returns the rows, in increasing order, and the features of the points
        with the largest bounds on their variance, and the largest bound of those left out.
        ``pool.size_for(variance, allowed)`` returns how many points have a bound of at least that;
        it may return less to be asked again.
    n_picks : int
    size, max_bytes
        As in `shortlist_picks`.

    Yields
    ------
    Pick
    """
    unit, n_labels = gp.y_scale_[0], len(gp.X_train_) + n_picks
    size = max(1024, 4 * n_picks) if size is None else size
    picked, posterior = [], None
    while len(picked) < n_picks:
        if posterior is None:
            size = min(size, len(pool))
            _check_memory(size, n_labels, max_bytes)
            rows, features, outside = pool.top(size)
            logger.debug("%d picked; shortlist of %d from %d", len(picked), size, len(pool))
            posterior = PoolPosterior(gp, features, max_bytes)
            gone = np.searchsorted(rows, picked).tolist()
            for position in gone:
                posterior.condition_on(position)
        variance = (posterior.std / unit) ** 2
        variance[gone] = -np.inf
        j = first_of_largest(variance)
        least = variance[j] * (1 - 2 * TIE)
        if least <= outside:
            allowed = max_bytes // (8 * n_labels)
            needed = pool.size_for(least, allowed)
            size, posterior = max(needed, min(2 * size, allowed)), None
            continue
        gone.append(j)
        picked.append(int(rows[j]))
        posterior.condition_on(j)
        yield Pick(picked[-1], variance[j])


class _InMemory:
    """A pool whose features are held, with a bound for each point."""

    def __init__(self, gp, X_pool, screening):
        self._gp, self._X, self._screening = gp, X_pool, screening
        self._bound, self._order = _screen(gp, X_pool, screening)

    def __len__(self):
        return len(self._X)

    def top(self, size):
        outside = self._bound[self._order[size]] if size < len(self) else -np.inf
        rows = np.sort(self._order[:size])
        return rows, self._X[rows], outside

    def size_for(self, variance, allowed):
        needed = np.count_nonzero(self._bound >= variance)
        if needed > allowed and self._screening == "float32":  # too loose for this memory
            self._screening = "float64"
            self._bound, self._order = _screen(self._gp, self._X, "float64")
            needed = np.count_nonzero(self._bound >= variance)
        return needed


def _screen(gp, X_pool, screening):
    """Return a bound on the variance of each point, and their order by it."""
    logger.debug("screening of %d points in %s", len(X_pool), screening)
    if screening == "float32":
        bound = single_precision_bound(gp, X_pool)
    elif screening == "float64":
        bound = (gp.predict(X_pool, return_std=True)[1] / gp.y_scale_[0]) ** 2
    else:
        raise ValueError(f'screening must be "auto", "float32" or "float64", got {screening!r}.')
    return bound, np.argsort(-bound, kind="stable")


def _check_memory(size, n_labels, max_bytes):
    if 8 * size * n_labels > max_bytes:
        raise MemoryError(
            f"a shortlist of {size} points and {n_labels} labels takes {8 * size * n_labels:.2g} "
            f"bytes, more than max_bytes={max_bytes:.2g}. Ask for fewer points, or allow more."
        )
