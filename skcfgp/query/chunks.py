"""The batch of `plan`, from a pool that does not fit into memory."""

import numpy as np
from sklearn.utils import check_array

from ..gaussian_process import as_process
from ..gaussian_process.shortlist import picks_from


def plan_in_chunks(gp, chunks, n, size=None, max_bytes=2**31):
    """List the next queries as `plan` does, from a pool that comes in chunks.

    One pass over the pool keeps the points of largest standard deviation; the batch is chosen among
    these. Since a standard deviation only falls as labels arrive, no point left out can be better
    than one chosen as long as that is above the largest standard deviation left out, and this is
    checked for each pick. When it does not hold, more points are kept, in another pass. So the
    result is that of `plan`, not an approximation of it.

    Parameters
    ----------
    gp : estimator
        Fitted Gaussian process: `skcfgp.GaussianProcessRegressor` or scikit-learn's own.
    chunks : iterable of array-like of shape (n_rows, n_features)
        Features of the pool. It is gone through once for each pass, and must give the same each
        time: a list, or an object with ``__iter__`` that reads files, but not a generator.
    n : int
    size : int, default=None
        Points to keep first; None means four times `n`, at least 1,024. It makes no difference to
        the result.
    max_bytes : int, default=2**31
        Largest matrix to hold: 8 bytes for each point kept times the labels and the picks.

    Returns
    -------
    indices : ndarray of shape (n,)
        Rows of the pool, counted from the first row of the first chunk.
    std : ndarray of shape (n,)
        Standard deviation of each when its turn comes, in the unit of y.

    Raises
    ------
    TypeError
        If `chunks` can be gone through only once.
    ValueError
        If the pool is smaller than `n`.
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
            "chunks can be gone through only once; give a list, or an object whose __iter__ begins "
            "anew."
        )
    gp = as_process(gp)
    pool = _InChunks(gp, chunks)
    pool.read(max(1024, 4 * n) if size is None else size)
    if not 1 <= n <= len(pool):
        raise ValueError(f"n must be between 1 and the size of the pool, {len(pool)}, got {n}.")
    picks = picks_from(gp, pool, n, size=size, max_bytes=max_bytes)
    indices, variance = np.array([(pick.index, pick.variance) for pick in picks]).T
    return indices.astype(int), np.sqrt(variance) * gp.y_scale_[0]


class _InChunks:
    """The points of largest variance of a pool in chunks, and the largest variance left out."""

    def __init__(self, gp, chunks):
        self._gp, self._chunks, self._n = gp, chunks, 0

    def __len__(self):
        return self._n

    def read(self, size):
        """Go through the pool."""
        unit, start, outside = self._gp.y_scale_[0], 0, -np.inf
        rows, variance, X = np.empty(0, dtype=int), np.empty(0), None
        for chunk in self._chunks:
            chunk = check_array(chunk, dtype=np.float64)
            new = (self._gp.predict(chunk, return_std=True)[1] / unit) ** 2
            rows = np.concatenate([rows, np.arange(start, start + len(chunk))])
            variance = np.concatenate([variance, new])
            X = chunk if X is None else np.concatenate([X, chunk])
            start += len(chunk)
            if len(rows) > size:
                order = np.argsort(-variance, kind="stable")
                outside = max(outside, variance[order[size]])
                kept = np.sort(order[:size])
                rows, variance, X = rows[kept], variance[kept], X[kept]
        self._n, self._size, self._kept = start, size, (rows, X, outside)

    def top(self, size):
        if size > self._size and self._size < self._n:
            self.read(size)
        return self._kept

    def size_for(self, variance, allowed):
        """Ask for twice as many, since what was left out is not held."""
        return min(2 * self._size, allowed) if self._size < allowed else self._size + 1
