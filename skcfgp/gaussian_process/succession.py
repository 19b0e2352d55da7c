"""Posterior over points that are labelled one after another, many of them.

Row k of V is what the k-th label says about every other point. It needs the posterior covariance of
its point with all of them, which takes all rows of V before it. One row at a time that reads V once
a label; here V is read once a block, by matrix products. The points of a block come from a list of
those that may be next, whose covariances are held.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

from .greedy import TIE, first_of_largest
from .posterior import PoolPosterior

#: Points whose covariances with all others are held.
LISTED = 256

#: Part of the points that are held when those labelled are let go.
FEWEST = 0.9


class Block(NamedTuple):
    """Labels one after another, and the posterior over the points that are held after each.

    ``picks`` are the points that are labelled, as positions in what `Succession` was given, and
    ``variance`` is that of each when its turn comes. ``held`` are the points that are held, and
    ``left`` those of them that were candidates before. ``means`` (in the unit of y) and
    ``variances`` are of shape (n_picks, n_held), those labelled included; None if there are no
    labels. Variances are in the scale of ``y_train_`` squared; ``unit`` is what a standard
    deviation is multiplied by after each label.
    """

    picks: np.ndarray
    variance: np.ndarray
    held: np.ndarray
    left: np.ndarray
    means: np.ndarray | None = None
    variances: np.ndarray | None = None
    unit: np.ndarray | None = None


class Succession(PoolPosterior):
    """Posterior over candidates and other points while candidates are labelled.

    `X_pool` has `n_candidates` candidates and, below them, the others; `n_picks` candidates will be
    labelled. `n_listed`, the number of points whose covariances are held, changes the time and not
    the result.
    """

    def __init__(self, gp, X_pool, n_candidates, n_picks, n_listed=LISTED):
        self._room = self._room_for(len(gp.X_train_), len(X_pool), n_picks, n_listed)
        super().__init__(gp, X_pool, max_bytes=np.inf)
        self.n_picks, self.n_listed, self._conditioned = n_picks, n_listed, True
        self._held = np.arange(len(self.X_pool))
        self._n_candidates, self._open = n_candidates, self._held < n_candidates
        self._listed, self._rows = np.empty(0, dtype=int), np.empty((0, len(self.X_pool)))

    def _room_for(self, *sizes):
        return room(*sizes)

    def blocks(self, y=None, order=None):
        """Label candidates in turn; yield a `Block` of them at a time.

        `y` are the labels of all points, in the unit of y. `order` are the candidates in the order
        in which they are labelled; by default, each time the one of largest variance is, ties by
        lowest position.
        """
        n_left = self.n_picks
        while n_left:
            size = min(n_left, self.n_listed)
            given = None if order is None else np.searchsorted(self._held, order[:size])
            self._list(self._next(size) if given is None else given)
            chosen, L, variance = self._choose(size, given)
            yield self._label(self._listed[chosen], L, variance, y)
            n_left -= len(chosen)
            order = order if order is None else order[len(chosen) :]
            if n_left:
                self._tidy(chosen)

    @property
    def _n_held(self):
        """Number of candidates that are held."""
        return np.searchsorted(self._held, self._n_candidates)

    def _next(self, size):
        """Find the candidates of largest variance, among them the first one."""
        variance = np.where(self._open, self.variance, -np.inf)
        largest = np.argsort(-variance, kind="stable")[:size]
        return np.union1d(largest, first_of_largest(variance))

    def _list(self, positions):
        """Hold the covariances of these points with all others, in the order of their positions."""
        stay = np.isin(self._listed, positions)
        new = np.setdiff1d(positions, self._listed)
        listed = np.concatenate([self._listed[stay], new])
        rows = np.concatenate([self._rows[stay], self._covariance(new, slice(None))])
        order = np.argsort(listed)
        self._listed, self._rows = listed[order], rows[order]

    def _choose(self, size, given):
        """Choose from the list as long as nothing outside it can come before.

        Returns positions in the list, the factor of their covariance and their variances.
        """
        listed, noise = self._listed, self.gp.new_noise_
        variance, covariance = self.variance[listed], self._rows[:, listed]
        bounds = np.where(self._open, self.variance, -np.inf)  # a variance only falls
        bounds[listed] = -np.inf
        outside = bounds.max()
        given = given if given is None else np.searchsorted(listed, given)
        L, rows = np.zeros((size, size)), np.zeros((size, len(listed)))
        chosen, found = [], []
        for k in range(size):
            if given is not None:
                j = given[k]
            else:
                j = first_of_largest(variance)
                if k and not _is_first(j, variance, listed, bounds, outside):
                    break
            L[k, :k], L[k, k] = rows[:k, j], np.sqrt(variance[j] + noise)
            rows[k] = (covariance[j] - rows[:k, j] @ rows[:k]) / L[k, k]
            chosen.append(j)
            found.append(variance[j])
            variance = np.maximum(variance - np.square(rows[k]), 0.0)
            variance[chosen] = -np.inf
        k = len(chosen)
        return np.array(chosen), L[:k, :k], np.array(found)

    def _label(self, positions, L, variance, y):
        """Learn the labels of a block."""
        rows = _solve(L, self._rows[np.searchsorted(self._listed, positions)])
        block = Block(self._held[positions], variance, self._held, self._open.copy())
        whitened = np.zeros((len(positions), 2))
        if y is not None:
            known = np.column_stack([y[block.picks] - self._origin, np.ones(len(positions))])
            whitened = _solve(L, known - self._smooth[:, positions].T)
            means, unit = self._means(rows, whitened, y[block.picks])
            variances = np.maximum(self._variance - np.cumsum(rows * rows, axis=0), 0.0)
            block = block._replace(means=means, variances=variances, unit=unit)
        self._append(rows, whitened)
        self._new, self._open[positions] = rows, False
        return block

    def _means(self, rows, whitened, y):
        """Means after each label, and the scale of the labels then."""
        if not self.gp.normalize_y:
            of_labels = self._smooth[0] + np.cumsum(whitened[:, :1] * rows, axis=0)
            return of_labels + self._origin, np.full(len(y), self.gp.y_scale_[0])
        smooth = self._smooth[:, None] + np.cumsum(whitened.T[:, :, None] * rows, axis=1)
        scales = []
        for label in y:
            self._given = np.append(self._given, label)
            scales.append(self._scale())
        mean, unit = np.array(scales).T
        return self._origin + smooth[0] + (1 - smooth[1]) * (mean - self._origin)[:, None], unit

    def _tidy(self, chosen):
        """Take what was labelled from the list, and, once it is a tenth, from what is held."""
        self._listed, left = np.delete(self._listed, chosen), np.delete(self._rows, chosen, axis=0)
        self._rows = left - self._new[:, self._listed].T @ self._new
        still = np.flatnonzero(self._open | (self._held >= self._n_candidates))
        if len(still) < FEWEST * len(self._held):
            self._let_go(still)

    def _let_go(self, columns):
        super()._let_go(columns)
        self._held, self._open = self._held[columns], self._open[columns]
        self._listed = np.searchsorted(columns, self._listed)
        self._rows = self._rows[:, columns]


def room(n_labels, n_points, n_picks, n_listed=LISTED):
    """Return how many values `Succession` holds of V at most."""
    k = np.arange(n_picks + 1)
    held = np.minimum(n_points, (n_points - np.maximum(k - n_listed, 0)) / FEWEST)
    return int(np.max((n_labels + k) * np.ceil(held)))


def greedy_picks(gp, X_pool, n_picks, n_listed=LISTED):
    """Yield row and variance (in the scale of y_train_) of the point of largest variance, n times.

    Each is picked given those before it; ties go to the lowest row. Takes about n_pool^2 (n_train +
    n_picks) multiplications.
    """
    for block in Succession(gp, X_pool, len(X_pool), n_picks, n_listed).blocks():
        yield from zip(block.picks.tolist(), block.variance.tolist(), strict=True)


def _is_first(j, variance, listed, bounds, outside):
    """Tell whether a point of the list comes before all outside, whatever their variances are."""
    least = variance[j] * (1 - 2 * TIE)
    if outside < least:
        return True
    certain = variance[j] >= max(variance.max(), outside) * (1 - TIE)
    return certain and listed[j] < np.argmax(bounds >= least)


def _solve(L, B):
    """Solve L X = B, for B and X with contiguous rows."""
    return blas.dtrsm(1.0, L, B.T, side=1, lower=1, trans_a=1).T
