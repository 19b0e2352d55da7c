"""Greedy choice of the largest variance, many points at once, as a blocked pivoted Cholesky.

With the hyper-parameters fixed, the posterior variance does not depend on the labels, so the points
that a learner will ask for one after another are known beforehand. To condition on a point is one
step of a Cholesky factorisation of the posterior covariance of the pool, and to take the largest
variance is to pivot on the diagonal (Harbrecht, Peters, Schneider, Appl. Numer. Math. 62, 428
(2012)). Rows are worked out one at a time within a block; the rest of the matrix is brought up to
date once a block, by matrix products.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

__all__ = ["Pick", "first_of_largest", "greedy_picks"]

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


class Pick(NamedTuple):
    """One step of `greedy_picks`.

    Attributes
    ----------
    index : int
        Row of the pool.
    variance : float
        Predictive variance of that point when its turn came, in the scale of ``y_train_``.
    mean, extra_mean : ndarray of shape (n_pool,) and (n_extra,), or None
        Posterior mean, in the scale of ``y_train_``, after the label of the point. NaN for pool
        points that are gone. They are reused: copy what you keep.
    largest_left : float
        Largest predictive variance of what is left in the pool; NaN if nothing is.
    """

    index: int
    variance: float
    mean: np.ndarray = None
    extra_mean: np.ndarray = None
    largest_left: float = np.nan


def greedy_picks(gp, X_pool, n_picks, *, y_pool=None, X_extra=None, choose=None, block=BLOCK):
    """Yield the points of largest posterior variance, each given those before it.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted. It is not changed.
    X_pool : ndarray of shape (n_pool, n_features)
    n_picks : int
    y_pool : ndarray of shape (n_pool,), default=None
        Labels, in the scale of ``gp.y_train_``; with them the posterior mean is followed too.
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
        self.y = self.mean = self.extra_mean = self.all_means = None

    @classmethod
    def of_process(cls, gp, X_pool, y_pool, X_extra):
        kernel = gp.kernel_
        cross = gp._factor.solve(kernel(gp.X_train_, X_pool), overwrite=True)
        # A kernel called with two arguments leaves out the noise of a WhiteKernel.
        covariance = kernel(X_pool, X_pool).T
        variance = kernel.diag(X_pool) - np.einsum("ij,ij->j", cross, cross)
        S = blas.dsyrk(-1.0, cross, 1.0, covariance, trans=1, lower=1, overwrite_c=1)
        X_extra = X_pool[:0] if X_extra is None else X_extra
        extra_cross = gp._factor.solve(kernel(gp.X_train_, X_extra), overwrite=True)
        T = kernel(X_pool, X_extra) - cross.T @ extra_cross
        state = cls(S, variance, float(np.ravel(gp.alpha)[0]), T)
        if y_pool is not None:
            whitened = gp._factor.solve(gp.y_train_)
            state.y, state.mean, state.extra_mean = y_pool, whitened @ cross, whitened @ extra_cross
            state.all_means = state.mean.copy()
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
        if self.mean is not None:
            surprise = (self.y[self.left[j]] - self.mean[j]) / scale
            self.mean += surprise * row
            self.all_means[:] = np.nan
            self.all_means[self.left[self.active]] = self.mean[self.active]
            self.extra_mean += surprise * extra_row
        largest = self.variance[self.active].max() if self.active.any() else np.nan
        return Pick(int(self.left[j]), variance, self.all_means, self.extra_mean, max(largest, 0.0))

    def finish_block(self, rows, extra_rows):
        """Bring the matrix up to date; let go of what was picked once that is a fifth of it."""
        keep = np.flatnonzero(self.active)
        self.T -= rows.T @ extra_rows
        self.S = blas.dsyrk(-1.0, rows, 1.0, self.S, trans=1, lower=1, overwrite_c=1)
        if len(keep) < 0.8 * len(self.active):
            self.S = self.S.T[np.ix_(keep, keep)].T  # one copy, and Fortran-ordered
            self.T, self.left = self.T[keep], self.left[keep]
            self.variance, self.active = self.variance[keep], self.active[keep]
            if self.mean is not None:
                self.mean = self.mean[keep]
