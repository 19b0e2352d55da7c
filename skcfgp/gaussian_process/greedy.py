"""Greedy choice of the largest variance, many points at once, as a blocked pivoted Cholesky.

With the hyper-parameters fixed, the posterior variance does not depend on the labels, so the points
that a learner will ask for one after another are known beforehand. To condition on a point is one
step of a Cholesky factorisation of the posterior covariance of the pool, and to take the largest
variance is to pivot on the diagonal (Harbrecht, Peters, Schneider, Appl. Numer. Math. 62, 428
(2012)). Rows are worked out one at a time within a block; the rest of the matrix is brought up to
date once a block, by matrix products.
"""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

from .row_by_row import mean_and_unit

__all__ = ["Pick", "first_of_largest", "greedy_picks", "largest_first"]

#: Picks between two updates of the whole matrix.
BLOCK = 64

#: Variances closer than this, relative to the largest, are equal.
TIE = 1e-8


def first_of_largest(variance):
    """Return the lowest position of the largest variance; what rounding tells apart is a tie.

    Without this, which of two equal crystals comes first would depend on how the variance was
    computed.
    """
    largest = variance.max()
    return int(np.argmax(variance >= largest - TIE * abs(largest)))


def largest_first(variance, n):
    """Return what `first_of_largest` gives if it is asked `n` times, each without those before.

    Parameters
    ----------
    variance : ndarray of shape (n_pool,), not negative
    n : int

    Returns
    -------
    ndarray of int, of shape (n,)
    """
    least = np.partition(variance, len(variance) - n)[len(variance) - n]
    order = np.flatnonzero(variance >= least - TIE * least)
    order = order[np.argsort(-variance[order], kind="stable")]
    chosen, tied, top, end = [], [], 0, 0
    gone = np.zeros(len(variance), dtype=bool)
    while len(chosen) < n:
        while gone[order[top]]:
            top += 1
        threshold = variance[order[top]] * (1 - TIE)
        while end < len(order) and variance[order[end]] >= threshold:
            heappush(tied, int(order[end]))
            end += 1
        chosen.append(heappop(tied))
        gone[chosen[-1]] = True
    return np.array(chosen)


class Pick(NamedTuple):
    """One step of `greedy_picks`.

    Attributes
    ----------
    index : int
        Row of the pool.
    variance : float
        Predictive variance of that point when its turn came, in the scale of ``y_train_``.
    mean, extra_mean : ndarray of shape (n_pool,) and (n_extra,), or None
        Posterior mean, in the unit of y, after the label of the point. NaN for pool points that are
        gone.
    largest_left : float
        Largest predictive variance of what is left in the pool, in the scale of ``y_train_``; NaN
        if nothing is.
    unit : float
        The scale of ``y_train_``, in the unit of y, after the label of the point.
    """

    index: int
    variance: float
    mean: np.ndarray = None
    extra_mean: np.ndarray = None
    largest_left: float = np.nan
    unit: float = 1.0


def greedy_picks(gp, X_pool, n_picks, *, y_pool=None, X_extra=None, choose=None, block=BLOCK):
    """Yield the points of largest posterior variance, each given those before it.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted. It is not changed.
    X_pool : ndarray of shape (n_pool, n_features)
    n_picks : int
    y_pool : ndarray of shape (n_pool,), default=None
        Labels, in the unit of y; with them the posterior mean is followed too.
    X_extra : ndarray of shape (n_extra, n_features), default=None
        Points, such as a test set, whose mean is followed but which are never picked.
    choose : callable, default=None
        Called with the rows that are left, an ndarray, to name the position of another one than
        that of largest variance; for baselines.
    block : int, default=64
        Picks between two updates of the whole matrix; makes no difference to the result.

    Yields
    ------
    Pick
        Ties go to the lowest index.

    Notes
    -----
    Takes 8 n_pool (n_pool + n_train + n_extra) bytes and about n_pool^2 (n_train + n_picks)
    multiplications, most of them in matrix products.
    """
    state = _State.of_process(gp, X_pool, y_pool, X_extra)
    yield from _picks(state, n_picks, choose, block)


def _picks(state, n_picks, choose, block):
    for start in range(0, n_picks, block):
        n_block = min(block, n_picks - start)
        rows = np.empty((n_block, len(state.left)))
        extra_rows = np.empty((n_block, state.n_extra))
        for k in range(n_block):
            j = state.position(choose)
            yield state.pick(j, rows[:k], extra_rows[:k], rows[k], extra_rows[k])
        state.finish_block(rows, extra_rows)


class _State:
    """Covariance, variance and mean of the points that are left in the pool."""

    def __init__(self, S, variance, noise, T=None):
        n_pool = len(variance)
        self.S, self.variance, self.noise = S, variance, noise
        self.T = np.empty((n_pool, 0)) if T is None else T
        self.n_extra = self.T.shape[1]
        self.left = np.arange(n_pool)
        self.active = np.ones(n_pool, dtype=bool)
        self.labels = None

    @classmethod
    def of_process(cls, gp, X_pool, y_pool, X_extra):
        kernel = gp.kernel_
        cross = gp.factor_.solve(kernel(gp.X_train_, X_pool), overwrite=True)
        # A kernel called with two arguments leaves out the noise of a WhiteKernel.
        covariance = kernel(X_pool, X_pool).T
        variance = kernel.diag(X_pool) - np.einsum("ij,ij->j", cross, cross)
        S = blas.dsyrk(-1.0, cross, 1.0, covariance, trans=1, lower=1, overwrite_c=1)
        X_extra = X_pool[:0] if X_extra is None else X_extra
        extra_cross = gp.factor_.solve(kernel(gp.X_train_, X_extra), overwrite=True)
        T = kernel(X_pool, X_extra) - cross.T @ extra_cross
        state = cls(S, variance, gp.new_noise_, T)
        if y_pool is not None:
            state.labels = _Labels(gp, y_pool, cross, extra_cross)
        return state

    def position(self, choose):
        """Position, among the points that are held, of the one to pick."""
        if choose is None:
            return first_of_largest(np.where(self.active, self.variance, -np.inf))
        held = np.flatnonzero(self.active)
        return int(held[choose(self.left[held])])

    def pick(self, j, rows, extra_rows, row, extra_row):
        """Condition on a point; write its row of the factor into `row`."""
        variance = max(self.variance[j], 0.0)
        scale = np.sqrt(variance + self.noise)
        row[:j], row[j:] = self.S[j, :j], self.S[j:, j]
        row -= rows[:, j] @ rows
        row /= scale
        self.variance -= row**2
        self.active[j] = False
        extra_row[:] = (self.T[j] - rows[:, j] @ extra_rows) / scale
        largest = self.variance[self.active].max() if self.active.any() else np.nan
        found = int(self.left[j]), variance
        if self.labels is None:
            return Pick(*found, largest_left=max(largest, 0.0))
        self.labels.learn(j, self.left[j], scale, row, extra_row)
        means = self.labels.means(self.left, self.active)
        return Pick(*found, *means, max(largest, 0.0), self.labels.unit)

    def finish_block(self, rows, extra_rows):
        """Bring the matrix up to date; let go of what was picked once that is a fifth of it."""
        keep = np.flatnonzero(self.active)
        self.T -= rows.T @ extra_rows
        self.S = blas.dsyrk(-1.0, rows, 1.0, self.S, trans=1, lower=1, overwrite_c=1)
        if len(keep) < 0.8 * len(self.active):
            self.S = self.S.T[np.ix_(keep, keep)].T  # one copy, and Fortran-ordered
            self.T, self.left = self.T[keep], self.left[keep]
            self.variance, self.active = self.variance[keep], self.active[keep]
            if self.labels is not None:
                self.labels.smooth = self.labels.smooth[:, keep]


class _Labels:
    """The posterior mean over pool and extra points while labels arrive.

    It is linear in the labels. Where the process normalises them, each label moves their mean m and
    their unit as well, but not the weights W of the labels: the mean is W y + (1 - W 1) m. So both
    W y and W 1 are followed, y counted from its mean at the beginning.
    """

    def __init__(self, gp, y_pool, cross, extra_cross):
        self.origin, self.normalize = float(gp.y_mean_[0]), gp.normalize_y
        self.n = len(gp.targets_)
        self.y = np.concatenate([gp.targets_, y_pool]) - self.origin  # learnt ones, then room
        self.of_pool = np.vstack([y_pool - self.origin, np.ones(len(y_pool))])
        whitened = gp.factor_.solve(np.column_stack([self.y[: self.n], np.ones(self.n)])).T
        self.smooth, self.extra_smooth = whitened @ cross, whitened @ extra_cross
        self.mean, self.unit = 0.0, 1.0

    def learn(self, j, index, scale, row, extra_row):
        """Take in the label of a point: position among those held, row of the pool."""
        surprise = (self.of_pool[:, index] - self.smooth[:, j])[:, None] / scale
        self.smooth += surprise * row
        self.extra_smooth += surprise * extra_row
        self.y[self.n] = self.of_pool[0, index]
        self.n += 1
        if self.normalize:
            self.mean, self.unit = map(float, mean_and_unit(self.y[: self.n]))

    def means(self, left, active):
        """Posterior mean over the pool, NaN where it is gone, and over the extra points."""
        pool_mean = np.full(self.of_pool.shape[1], np.nan)
        pool_mean[left[active]] = self._mean_of(self.smooth[:, active])
        return pool_mean, self._mean_of(self.extra_smooth)

    def _mean_of(self, smooth):
        return self.origin + smooth[0] + (1 - smooth[1]) * self.mean
