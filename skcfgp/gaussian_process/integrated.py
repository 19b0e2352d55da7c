"""Labels one after another, each of the point that lowers the mean variance of all others most.

With the covariance T of candidates and targets, a label of j lowers the sum of the variances by
q_j / (var_j + noise), where q_j is the j-th element on the diagonal of W = T T'. A new row a of V
makes T into T - a a' and so W into W - a u' - u a' + (a a) a a', where u = W_j / d is a row of W.
So a row of T and one of W are all that a choice needs. Both are held for those that may be next,
and T changes once a block: everything large is a matrix product.
"""

import numpy as np
from scipy.linalg import blas
from sklearn.utils import gen_batches

from .greedy import FALLEN, first_of_largest
from .posterior import shrink
from .succession import Succession

#: Rows of W that are worked out at a time.
LISTED = 128

#: Rows of T at a time, where it is not a matrix product.
PANEL = 256

#: Blocks between two sums that are worked out afresh.
BLOCKS = 8


class IntegratedSuccession(Succession):
    """Succession in which the targets are the candidates that are not labelled yet.

    Of T the lower triangle is held, in columns, and besides it the covariance of candidates and
    other points. Takes about n_pool^2 (n_train + 4 n_picks) multiplications and 8 n_pool^2 bytes.
    """

    def __init__(self, gp, X_pool, n_candidates, n_picks, n_listed=LISTED):
        super().__init__(gp, X_pool, n_candidates, n_picks, n_listed)
        self._T_storage = np.empty(n_candidates**2)
        V, (X, others) = self._V[: self._n_rows], np.split(self.X_pool, [n_candidates])
        self._beside = np.empty((n_candidates, len(others)))
        for part in gen_batches(n_candidates, PANEL):
            self._T.T[part, part.start :] = gp.kernel_(X[part], X[part.start :])
            self._beside[part] = gp.kernel_(X[part], others) - V[:, part].T @ V[:, n_candidates:]
        for part in gen_batches(len(V), PANEL):  # what is no block of columns is copied
            self._change_T(V[part, :n_candidates])
        self._storage, self._n_rows = np.empty(0), 0  # T holds all that is needed of V
        self._products = np.empty((0, n_candidates))
        self._sum_afresh()

    def _room_for(self, *sizes):
        return 0  # none beside the labels that are known

    @property
    def _T(self):
        n = self._n_held
        return self._T_storage[: n * n].reshape(n, n).T

    def _change_T(self, A):
        blas.dsyrk(-1.0, A.T, 1.0, self._T, lower=1, overwrite_c=1)

    def _sum_afresh(self):
        T, left = self._T, self._open[: self._n_held].astype(float)
        self._sums = np.zeros(len(T))
        for part in gen_batches(len(T), PANEL):
            squares = np.square(T[part.start :, part])
            corner = squares[: part.stop - part.start]
            corner[:] = np.tril(corner)
            self._sums[part.start :] += squares @ left[part]
            np.fill_diagonal(corner, 0.0)
            self._sums[part] += left[part.start :] @ squares
        self._first_sums, self._n_blocks = self._sums.copy(), 0

    def _gains(self, sums, variance):
        gains = sums / (variance + self.gp.new_noise_)
        return np.where(self._open[: self._n_held], gains, -np.inf)

    def _next(self, size):
        """Find the candidates of largest gain, among them the first one, and keep those listed."""
        gains = self._gains(self._sums, self.variance[: self._n_held])
        largest = np.argsort(-gains, kind="stable")[:size]
        kept = self._listed[np.argsort(-gains[self._listed], kind="stable")[:size]]
        return np.unique([*largest, *kept, first_of_largest(gains)])

    def _list(self, positions):
        before = self._listed
        super()._list(positions)
        new = np.isin(self._listed, before, invert=True)
        products = np.empty((len(self._listed), self._n_held))
        products[~new] = self._products[np.isin(before, positions)]
        masked = self._rows[new, : self._n_held] * self._open[: self._n_held]
        if len(masked):
            products[new] = blas.dsymm(1.0, self._T, masked.T, lower=1).T
        self._products = products

    def _covariance(self, rows, columns):
        T = self._T.T  # rows from the diagonal on
        found = [np.concatenate([T[:j, j], T[j, j:], self._beside[j]]) for j in rows]
        return np.reshape(found, (-1, len(self.X_pool)))[:, columns]

    def _choose(self, size, given):
        """Choose in turn, as long as the row of W is held; see `Succession._choose`."""
        n, noise, listed = self._n_held, self.gp.new_noise_, self._listed
        self._A, self._U = np.empty((size, len(self.X_pool))), np.empty((size, n))
        variance, sums, self._c = self.variance[:n], self._sums, np.empty(size)
        L, chosen, found = np.zeros((size, size)), [], []
        gains = self._gains(sums, variance)
        for k in range(size):
            j = first_of_largest(gains)
            place = np.searchsorted(listed, j)
            if place == len(listed) or listed[place] != j:
                break
            A, U, c = self._A[:k], self._U[:k], self._c[:k]
            L[k, :k], L[k, k] = A[:, j], np.sqrt(variance[j] + noise)
            a = (self._rows[place] - A[:, j] @ A) / L[k, k]
            w = self._products[place] - (U[:, j] - c * A[:, j]) @ A[:, :n] - A[:, j] @ U
            self._A[k], self._U[k], a = a, w / L[k, k], a[:n]
            # It is a target no longer, with what is left of its row, (d - a_j) a.
            self._c[k] = sums[j] / L[k, k] ** 2 - (L[k, k] - a[j]) ** 2
            sums = sums - a * (2 * self._U[k] - self._c[k] * a)
            chosen.append(place)
            found.append(variance[j])
            variance = np.maximum(variance - a * a, 0.0)
            gains = self._gains(sums, variance)
            gains[listed[chosen]] = -np.inf
            if (sums < FALLEN * self._first_sums)[np.isfinite(gains)].any():
                break
        self._sums, k = sums, len(chosen)
        return np.array(chosen), L[:k, :k], np.array(found)

    def _append(self, rows, whitened):
        self._follow(rows, whitened)
        A, n = rows[:, : self._n_held], self._n_held
        self._change_T(A)
        for part in gen_batches(n, PANEL):
            self._beside[part] -= A[:, part].T @ rows[:, n:]

    def _tidy(self, chosen):
        k, n = len(chosen), self._n_held
        A, U, left = self._A[:k], self._U[:k], np.delete(self._listed, chosen)
        B = A[:, left]
        self._products = np.delete(self._products, chosen, axis=0)
        self._products -= (U[:, left] - self._c[:k, None] * B).T @ A[:, :n] + B.T @ U
        super()._tidy(chosen)
        self._n_blocks += 1
        still = self._open[: self._n_held]
        fallen = (self._sums < FALLEN * self._first_sums)[still]
        if fallen.any() or self._n_blocks == BLOCKS:
            self._sum_afresh()

    def _let_go(self, columns):
        candidates = columns[columns < self._n_held]
        shrink(self._T_storage, self._T.T, candidates, candidates)
        others = np.arange(self._beside.shape[1])
        shrink(self._beside.reshape(-1), self._beside, candidates, others)
        self._beside, self._products = (
            self._beside[: len(candidates)],
            self._products[:, candidates],
        )
        self._sums, self._first_sums = self._sums[candidates], self._first_sums[candidates]
        super()._let_go(columns)
