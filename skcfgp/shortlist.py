"""Greedy choice of the largest variance from a pool whose covariance does not fit into memory.

A variance only falls as labels arrive, so one that was worked out earlier bounds what it is now
(lazy evaluation; Minoux 1978). One pass over the pool in chunks gives every variance once. Then the
exact choice is made among a shortlist of the largest: as long as what is chosen there is larger
than everything outside once was, no point outside can have been better. When that ends, the
shortlist is doubled.
"""

import numpy as np

from .pivoting import TIE, Pick, first_of_largest
from .posterior import PoolPosterior

__all__ = ["shortlist_picks"]


def shortlist_picks(gp, X_pool, n_picks, *, size=None, max_bytes=2**31):
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

    Yields
    ------
    Pick
        With ``index`` and ``variance`` only. Ties go to the lowest index.

    Raises
    ------
    MemoryError
        If the shortlist would have to grow beyond `max_bytes`.
    """
    unit = np.ravel(gp._y_train_std)[0]
    bound = (gp.predict(X_pool, return_std=True)[1] / unit) ** 2
    order = np.argsort(-bound, kind="stable")
    size = max(1024, 4 * n_picks) if size is None else size
    picked, posterior = [], None
    while len(picked) < n_picks:
        if posterior is None:
            size = min(size, len(order))
            _check_memory(size, len(gp.X_train_) + n_picks, max_bytes)
            rows = np.sort(order[:size])
            outside = bound[order[size]] if size < len(order) else -np.inf
            posterior = PoolPosterior(gp, X_pool[rows])
            gone = np.searchsorted(rows, picked).tolist()
            for position in gone:
                posterior.condition_on(position)
        variance = (posterior.std / unit) ** 2
        variance[gone] = -np.inf
        j = first_of_largest(variance)
        if variance[j] * (1 - 2 * TIE) <= outside:
            size, posterior = 2 * size, None
            continue
        gone.append(j)
        picked.append(int(rows[j]))
        posterior.condition_on(j)
        yield Pick(picked[-1], variance[j])


def _check_memory(size, n_labels, max_bytes):
    if 8 * size * n_labels > max_bytes:
        raise MemoryError(
            f"a shortlist of {size} points and {n_labels} labels takes {8 * size * n_labels:.2g} "
            f"bytes, more than max_bytes={max_bytes:.2g}. Ask for fewer points, or allow more."
        )
