"""Greedy choice of many points, one after another, each given those before it.

With the hyper-parameters fixed, the posterior variance does not depend on the labels, so the points
that a learner will ask for one after another are known beforehand.
"""

from copy import copy
from heapq import heappop, heappush

import numpy as np
from sklearn.utils import gen_batches

from .posterior import PoolPosterior

#: Picks between two updates of the whole covariance.
BLOCK = 64

#: Rows of the covariance with the targets that are updated at a time.
CHUNK = 256

#: Sums that fall below this share of what they were are computed afresh: rounding adds up to the
#: first value, and must stay well below `TIE` of the last.
FALLEN = 1e-4

#: Values closer than this, relative to the largest, are equal.
TIE = 1e-8


def first_of_largest(values):
    """Return the lowest position of the largest value; what rounding tells apart is a tie.

    Without this, which of two equal crystals comes first would depend on how the variance was
    computed.
    """
    largest = values.max()
    return int(np.argmax(values >= largest - TIE * abs(largest)))


def largest_first(variance, n):
    """Return what `first_of_largest` gives if it is asked `n` times, each without those before."""
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


class IntegratedVariance(PoolPosterior):
    """Posterior over candidates and targets that also holds their covariance T, as one matrix.

    A label at x lowers the variance at t by cov(x, t)^2 / (var(x) + noise). With a new row (a, b)
    of V over candidates and targets, T becomes T - a b', and the sum over the targets of its
    squares becomes q - 2 a (T b) + a^2 |b|^2, which only reads T. So T is updated once a block, and
    the sums are computed afresh then. `left` are the candidates; without `X_target` (ndarray of
    shape (n_target, n_features)) they are the targets, too.
    """

    def __init__(self, gp, X_pool, X_target=None):
        self.X_target, self._T = X_target, None
        n = self._n_candidates = len(X_pool)
        super().__init__(gp, X_pool if X_target is None else np.vstack([X_pool, X_target]))
        self.left = np.arange(n)
        self._is_target = np.arange(len(self.X_pool)) >= (0 if X_target is None else n)
        columns = self._of_targets(np.arange(len(self.X_pool)))
        T = np.empty((n, len(columns)))
        for part in gen_batches(n, CHUNK):
            T[part] = self._covariance(part, columns)
        self._T, self._T_is_shared, self._n_in_T = T, False, self._n_rows
        self._sum_afresh()

    def gains(self):
        """By how much the label of each candidate lowers the mean variance, in the unit squared."""
        fallen = self._sums[self.left] < FALLEN * self._first_sums[self.left]
        if fallen.any() or self._n_rows - self._n_in_T >= BLOCK:
            self._update_T()
        variance = self.variance[self.left] + self.gp.new_noise_
        return self._sums[self.left] / variance / self._is_target.sum() * self._scale()[1] ** 2

    def choose(self, n_instances, costs=1.0):
        """Choose candidates of largest gain per cost one after another, each given those before.

        Returns their positions in `left`, ties by lowest position, and their gains per cost.
        """
        gain = self.gains() / costs
        state = copy(self)  # what is only supposed must not stay
        state._T_is_shared, state._first_sums = True, self._first_sums.copy()
        indices, gains = [], []
        for _ in range(n_instances):
            if indices:
                state.condition_on(state.left[indices[-1]])
                state._first_sums[state.left[indices]] = 0.0  # no need to be exact there
                gain = state.gains() / costs
            gain[indices] = -np.inf
            indices.append(first_of_largest(gain))
            gains.append(gain[indices[-1]])
        return np.array(indices), np.array(gains)

    def keep(self, still):
        """Drop candidates; see `PoolPosterior.keep`."""
        if self.X_target is None:
            gone, later = np.delete(self.left, still), slice(self._n_in_T, self._n_rows)
            columns = self._T[:, gone] - self._V[later, : len(self._T)].T @ self._V[later][:, gone]
            self._sums = self._sums - np.einsum("ij,ij->i", columns, columns)
            self._is_target[gone], self._T[:, gone] = False, 0.0
        self.left = self.left[still]
        if len(self.left) < 0.8 * self._n_candidates:
            self._let_go(self.left)

    def _let_go(self, candidates):
        self._update_T()
        columns = np.concatenate([candidates, np.arange(self._n_candidates, len(self.X_pool))])
        super()._let_go(columns)
        T = self._T[candidates]
        self._T = T if self.X_target is not None else T[:, candidates]
        self._is_target = self._is_target[columns]
        self.left, self._n_candidates = np.arange(len(candidates)), len(candidates)
        self._sum_afresh()

    def _of_targets(self, values):
        return values if self.X_target is None else values[..., self._n_candidates :]

    def _sides(self, rows):
        """Rows of V over the candidates, and over the targets: zero at those that are gone."""
        V = self._V[rows]
        return V[:, : self._n_candidates], self._of_targets(V * self._is_target)

    def _append(self, rows, whitened):
        first = self._n_rows
        super()._append(rows, whitened)
        for n in range(first, self._n_rows if self._T is not None else first):
            (a,), (b,) = self._sides(slice(n, n + 1))
            A, B = self._sides(slice(self._n_in_T, n))
            Tb = self._T @ b - (B @ b) @ A
            self._sums = self._sums + a * (a * (b @ b) - 2 * Tb)

    def _update_T(self):
        A, B = self._sides(slice(self._n_in_T, self._n_rows))
        if self._T_is_shared:
            self._T, self._T_is_shared = self._T.copy(), False
        for part in gen_batches(len(self._T), CHUNK):
            self._T[part] -= A[:, part].T @ B
        self._n_in_T = self._n_rows
        self._sum_afresh()

    def _sum_afresh(self):
        self._sums = np.einsum("ij,ij->i", self._T, self._T)
        self._first_sums = self._sums.copy()
