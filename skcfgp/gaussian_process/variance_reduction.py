"""By how much each point of a pool would lower the variance elsewhere, kept while labels arrive.

A label at x lowers the variance at t by cov(x, t)^2 / (var(x) + noise). Of the sum over the targets
t only the sums of squares q(x) of the rows of the covariance T have to be followed: with a new row
(a, b) of V over candidates and targets, T becomes T - a b' and

    q(x) becomes q(x) - 2 a(x) (T b)(x) + a(x)^2 |b|^2,

which reads T once and writes nothing. The rows of V since T was last brought up to date are applied
as they are, and every `BLOCK` of them T follows in one matrix product.
"""

import numpy as np
from sklearn.utils import gen_batches

from .greedy import first_of_largest
from .posterior import PoolPosterior

__all__ = ["VarianceReduction"]

#: Labels between two updates of the whole covariance.
BLOCK = 64

#: Rows of the covariance that are worked on at a time.
CHUNK = 256

#: Relative rounding error from which on a sum is worked out anew; well below `pivoting.TIE`.
ROUNDING = 1e-10


class VarianceReduction(PoolPosterior):
    """Posterior over a pool and its targets, with the gain in mean variance of each candidate.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted, with one target.
    X_pool : ndarray of shape (n_pool, n_features)
        Candidates.
    X_target : ndarray of shape (n_target, n_features), default=None
        Where the variance matters. None means the candidates.

    Attributes
    ----------
    X_pool : ndarray of shape (n_held, n_features)
        What is held: candidates, among them some that are gone, and targets.
    X_target : ndarray of shape (n_target, n_features) or None
    left : ndarray of int
        Positions in `X_pool` of the candidates that are left.

    Notes
    -----
    Takes 8 n_pool n_target bytes besides those of `PoolPosterior`, and about
    n_pool n_target n_train multiplications at first, n_pool (n_target + n_train) after each label.
    """

    def __init__(self, gp, X_pool, X_target=None):
        self.X_target = X_target
        self.left = np.arange(len(X_pool))
        self._sums = None  # `_append` has nothing to follow yet
        super().__init__(gp, X_pool if X_target is None else np.vstack([X_pool, X_target]))
        self._n_candidates = len(X_pool)
        self._is_target = np.ones(len(self.X_pool[self._targets]), dtype=bool)
        self._T = np.empty((self._n_candidates, len(self._is_target)))
        for rows in gen_batches(self._n_candidates, CHUNK):
            self._T[rows] = self._covariance(rows, self._targets)
        self._n_in_T = self._n_held
        self._sums, self._rounding = np.empty((2, self._n_candidates))
        self._sum_afresh(np.arange(self._n_candidates), self._n_held)

    def gains(self):
        """By how much the label of each candidate that is left lowers the mean variance.

        Returns
        -------
        ndarray of shape (n_left,), in the unit of y squared
        """
        variance = np.maximum(self._variance[self.left], 0.0) + self.gp.new_noise_
        return self._sums[self.left] / variance / self._is_target.sum() * self._unit() ** 2

    def choose(self, n):
        """Choose the candidates of largest gain one after another, each given those before.

        Parameters
        ----------
        n : int

        Returns
        -------
        indices : ndarray of shape (n,)
            Positions among those left; ties by lowest position.
        gain : ndarray of shape (n,)
        """
        before = self._variance.copy(), self._sums.copy(), self._rounding.copy()
        indices, gains = [], []
        try:
            for _ in range(n):
                if indices:
                    self.condition_on(self.left[indices[-1]])
                gain = self.gains()
                gain[indices] = -np.inf
                indices.append(first_of_largest(gain))
                gains.append(gain[indices[-1]])
        finally:  # what was supposed is taken back
            self._surprise = np.empty(0)
            self._variance, self._sums, self._rounding = before
        return np.array(indices), np.array(gains)

    def update(self):
        """Take in the labels that the process has learnt since; see `PoolPosterior.update`."""
        super().update()
        if self._sums is not None and self._n_held - self._n_in_T >= BLOCK:
            later = self._V[self._n_in_T : self._n_held]
            for rows in gen_batches(self._n_candidates, CHUNK):
                self._T[rows] -= later[:, rows].T @ later[:, self._targets]
            self._n_in_T = self._n_held
        return self

    def keep_left(self, still):
        """Forget candidates.

        Parameters
        ----------
        still : ndarray of int
            Positions, among those left, of the ones that stay.
        """
        gone, self.left = np.delete(self.left, still), self.left[still]
        if self.X_target is None:
            for position in gone:
                later = self._V[self._n_in_T : self._n_held]
                column = self._T[:, position] - later[:, position] @ later[:, : len(self._T)]
                self._rounding += np.finfo(float).eps * self._sums
                self._sums -= column**2
                self._is_target[position] = False
            self._sum_afresh_where_needed(self._n_held)
        if len(self.left) < 0.8 * self._n_candidates:  # to forget is to copy what is left
            self._let_go()

    def _let_go(self):
        targets = np.arange(self._n_candidates, len(self.X_pool))
        self.keep(np.concatenate([self.left, targets]))
        if self.X_target is None:
            self._T = self._T[np.ix_(self.left, self.left)]
            self._is_target = self._is_target[self.left]
        else:
            self._T = self._T[self.left]
        self._sums, self._rounding = self._sums[self.left], self._rounding[self.left]
        self._n_candidates = len(self.left)
        self.left = np.arange(self._n_candidates)

    @property
    def _targets(self):
        """Columns of the targets."""
        return slice(None) if self.X_target is None else slice(self._n_candidates, None)

    def _append(self, rows):
        n_held = self._n_held
        super()._append(rows)
        if self._sums is None:
            return
        for row in rows:
            self._follow(row, self._V[self._n_in_T : n_held])
            n_held += 1
            self._sum_afresh_where_needed(n_held)

    def _follow(self, row, later):
        """Bring the sums up to date with a new row of V; `later` are those before it, not in T."""
        a, b = row[: self._n_candidates], row[self._targets] * self._is_target
        Tb = self._T @ b - (later[:, self._targets] @ b) @ later[:, : self._n_candidates]
        length = np.linalg.norm(b)
        bound = np.sqrt(np.maximum(self._sums, 0.0)) + np.abs(a) * length
        self._rounding += 4 * np.finfo(float).eps * bound**2
        self._sums += a * (a * length**2 - 2 * Tb)

    def _sum_afresh_where_needed(self, n_held):
        """Replace sums that have become small: they hold the errors of when they were large."""
        lost = self._rounding[self.left] > ROUNDING * self._sums[self.left]
        self._sum_afresh(self.left[lost], n_held)

    def _sum_afresh(self, candidates, n_held):
        later = self._V[self._n_in_T : n_held]
        for start in range(0, len(candidates), CHUNK):
            rows = candidates[start : start + CHUNK]
            covariance = self._T[rows] - later[:, rows].T @ later[:, self._targets]
            self._sums[rows] = np.square(covariance) @ self._is_target
            self._rounding[rows] = 0.0
