"""Greedy choice of the largest variance from a pool whose covariance does not fit into memory.

A variance only decreases as labels arrive, so an earlier value is an upper bound (lazy evaluation;
Minoux 1978). One pass over the pool gives a bound for every point, and the exact choice is made
among a shortlist of the largest. As long as the variance chosen there exceeds every bound outside,
no point outside can be better. Otherwise the shortlist grows.
"""

import logging

import numpy as np

from .greedy import TIE, first_of_largest
from .posterior import PoolPosterior

logger = logging.getLogger(__name__)


def shortlist_picks(gp, chunks, n_picks, *, size=None, max_bytes=2**31):
    """Yield what `greedy_picks` yields, from a pool that comes in chunks of features.

    `chunks` is iterated again each time the shortlist grows; its initial `size` does not change the
    result. A shortlist needs 8 bytes per point and per label or pick. MemoryError if it would need
    more than `max_bytes`.
    """
    n_labels = len(gp.X_train_) + n_picks
    bounds, rows, X = _largest(gp, chunks, max(1024, 4 * n_picks) if size is None else size)
    if not 1 <= n_picks <= len(bounds):
        raise ValueError(
            f"n_instances must be between 1 and the size of the pool, {len(bounds)}, got {n_picks}."
        )
    picked, posterior = [], None
    while len(picked) < n_picks:
        if posterior is None:
            _check_memory(len(rows), n_labels, max_bytes)
            logger.debug("%d picked; shortlist of %d from %d", len(picked), len(rows), len(bounds))
            outside = np.delete(bounds, rows).max(initial=-np.inf)
            posterior = PoolPosterior(gp, X, max_bytes)
            gone = np.searchsorted(rows, picked).tolist()
            for position in gone:
                posterior.condition_on(position)
        variance = posterior.variance
        variance[gone] = -np.inf
        j = first_of_largest(variance)
        least = variance[j] * (1 - 2 * TIE)
        if least <= outside:
            allowed = max_bytes // (8 * n_labels)
            needed = max(np.count_nonzero(bounds >= least), min(2 * len(rows), allowed))
            posterior = None  # free its memory before the next one is allocated
            _check_memory(min(needed, len(bounds)), n_labels, max_bytes)
            bounds, rows, X = _largest(gp, chunks, needed, bounds)
            continue
        gone.append(j)
        picked.append(int(rows[j]))
        posterior.condition_on(j)
        yield picked[-1], float(variance[j])


def _largest(gp, chunks, size, bounds=None):
    """Return the variance of every point, and rows and features of the `size` largest."""
    found, start, rows, variance, X = [], 0, np.empty(0, dtype=int), np.empty(0), None
    for chunk in chunks:
        stop = start + len(chunk)
        if bounds is None:
            new = (gp.predict(chunk, return_std=True)[1] / gp.y_scale_[0]) ** 2
            found.append(new)
        else:
            new = bounds[start:stop]
        rows = np.concatenate([rows, np.arange(start, stop)])
        variance = np.concatenate([variance, new])
        X = chunk if X is None else np.concatenate([X, chunk])
        if len(rows) > size:
            best = np.sort(np.argsort(-variance, kind="stable")[:size])
            rows, variance, X = rows[best], variance[best], X[best]
        start = stop
    if bounds is None:
        bounds = np.concatenate(found) if found else variance
    return bounds, rows, X


def _check_memory(size, n_labels, max_bytes):
    if 8 * size * n_labels > max_bytes:
        raise MemoryError(
            f"a shortlist of {size} points and {n_labels} labels needs {8 * size * n_labels:.2g} "
            f"bytes, more than max_bytes={max_bytes:.2g}. Ask for fewer points, or allow more."
        )
