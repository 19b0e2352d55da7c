"""Mean and variance of a Gaussian process over a fixed set of points, kept while labels arrive.

With V = L^-1 K(X_train, pool), the posterior variance over the pool is k(x, x) minus the column
sums of V^2. A new label appends one row to L and so one row to V: O(n p) work instead of the
O(n^2 p) of predicting afresh (Rasmussen and Williams 2006, Algorithm 2.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from sklearn import get_config
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from ..structures.typing import BoolArray, Estimator, FloatArray, IntArray, Self
from .cholesky import GrowingCholesky
from .chunking import in_chunks
from .common import label_scale
from .regressor import GaussianProcessRegressor

#: Rows of a matrix that are moved at a time when points are let go.
ROWS_MOVED = 64


def as_process(model: Estimator) -> GaussianProcessRegressor:
    """Return a fitted Gaussian process of scikit-learn as one of this package, in the same state.

    Parameters
    ----------
    model : sklearn.gaussian_process.GaussianProcessRegressor
        Fitted, with one target. An instance of `skcfgp.GaussianProcessRegressor` is returned as it
        is.

    Returns
    -------
    GaussianProcessRegressor

    Raises
    ------
    TypeError
        If `model` is not a Gaussian process.
    ValueError
        If `model` has several targets.
    """
    if not isinstance(model, SklearnGPR):
        raise TypeError(
            "expected a Gaussian process (skcfgp.GaussianProcessRegressor or scikit-learn's own), "
            f"got {type(model).__name__}."
        )
    check_is_fitted(model, "alpha_")
    if np.ndim(model.y_train_) != 1:
        raise ValueError("expected a Gaussian process with one target, got several.")
    if isinstance(model, GaussianProcessRegressor):
        return model
    # A subclass may have parameters of its own; these decide on the posterior.
    process = GaussianProcessRegressor(
        model.kernel, alpha=model.alpha, optimizer=None, normalize_y=model.normalize_y
    )
    params = model.get_params(deep=False)
    process.__dict__.update({k: v for k, v in vars(model).items() if k not in params and k != "L_"})
    process.factor_ = GrowingCholesky(model.L_)
    process.noise_ = np.broadcast_to(model.alpha, len(model.X_train_))
    process.label_std_ = np.zeros(len(model.X_train_))
    process.new_noise_ = float(np.mean(model.alpha))
    mean, scale = _scale_of_labels(model)
    process.y_mean_, process.y_scale_ = np.array([mean]), np.array([scale])
    process.targets_ = model.y_train_ * scale + mean
    return process


def _scale_of_labels(model):
    """Mean and scale of the labels of a scikit-learn process, from two of its predictions."""
    if not model.normalize_y:
        return 0.0, 1.0
    predicted = model.predict(model.X_train_)
    rows = [np.argmin(predicted), np.argmax(predicted)]
    low, high = model.kernel_(model.X_train_[rows], model.X_train_) @ model.alpha_
    scale = np.ptp(predicted) / (high - low) if high > low else 1.0
    return predicted[rows[0]] - scale * low, scale


class PoolPosterior:
    """Posterior over a pool of points, brought up to date by `update` after each `partial_fit`.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted, with one target. A copy is made of the state of one of scikit-learn's, so what that
        learns later is not seen.
    X_pool : ndarray of shape (n_pool, n_features)
        Points of the pool. A test set may be stacked below it: the columns do not depend on each
        other.
    max_bytes : int, default=2**31
        Largest matrix to hold.

    Attributes
    ----------
    gp : GaussianProcessRegressor
        The process that is followed.
    X_pool : ndarray of shape (n_pool, n_features)
        The points that are held.
    left : ndarray of int
        Positions in `X_pool` of the points that were not dropped by `keep`.
    n_labels : int
        Number of labels that are accounted for.
    streamed : bool
        Whether the rows of V for the first labels would take more than `max_bytes`, and are
        computed in chunks whenever they are needed. The results are the same.
    """

    #: Values that V will hold, where that is known: room for them is made at once.
    _room = 0

    def __init__(
        self, gp: GaussianProcessRegressor, X_pool: FloatArray, max_bytes: int = 2**31
    ) -> None:
        self.gp = gp = as_process(gp)
        self.X_pool = X_pool = np.asarray(X_pool, dtype=np.float64)
        self.left = np.arange(len(X_pool))
        self.n_labels = n = len(gp.X_train_)
        self.streamed = 8 * n * len(X_pool) > max_bytes
        self._kernel, self._theta = gp.kernel_, gp.kernel_.theta
        self._origin, self._given = gp.y_mean_[0], np.empty(0)
        self._conditioned = False
        # The weights W of the labels are followed as W y and W 1, with y counted from its first
        # mean: where labels are normalised, each one moves their mean m, but not the weights, and
        # the posterior mean is W y + (1 - W 1) m.
        self._whitened = gp.factor_.solve(self._labels(slice(n)))
        self._n_streamed, self._n_rows = (n, 0) if self.streamed else (0, n)
        if self.streamed:
            self._storage = np.empty(0)
            self._variance = (gp.predict(X_pool, return_std=True)[1] / gp.y_scale_[0]) ** 2
        else:
            self._storage = np.empty(max(self._room, n * len(X_pool)))
            V = self._first_rows()
            self._variance = gp.kernel_.diag(X_pool) - np.einsum("ij,ij->j", V, V)
        self._smooth = self._times_V(self._whitened.T)

    def is_current(self) -> bool:
        """Tell whether `update` can follow: the process was not fitted anew in the meantime.

        Returns
        -------
        bool
        """
        return (
            self.gp.kernel_ is self._kernel
            and np.array_equal(self.gp.kernel_.theta, self._theta)
            and len(self.gp.X_train_) >= self.n_labels
        )

    def update(self) -> Self:
        """Account for the labels that the process has learnt since.

        Returns
        -------
        self : PoolPosterior

        Raises
        ------
        ValueError
            If the process was fitted anew, or the posterior was conditioned on points of its own.
        """
        if self._conditioned:
            raise ValueError(
                "this PoolPosterior was conditioned on its own points; make a new one."
            )
        if not self.is_current():
            raise ValueError("the Gaussian process was fitted anew; make a new PoolPosterior.")
        old, new = self.n_labels, len(self.gp.X_train_)
        if new == old:
            return self
        L = self.gp.factor_.L[old:]

        def whiten(values, explained):
            return solve_triangular(L[:, old:], values - explained, lower=True, check_finite=False)

        cross = self.gp.kernel_(self.gp.X_train_[old:], self.X_pool)
        rows = whiten(cross, self._times_V(L[:, :old]))
        whitened = whiten(self._labels(slice(old, new)), L[:, :old] @ self._whitened)
        self._whitened = np.concatenate([self._whitened, whitened])
        self.n_labels = new
        self._append(rows, whitened)
        return self

    @property
    def variance(self) -> FloatArray:
        """Posterior variance, ndarray of shape (n_pool,), in the scale of ``y_train_`` squared."""
        return np.maximum(self._variance, 0.0)

    @property
    def mean(self) -> FloatArray:
        """Posterior mean, ndarray of shape (n_pool,), in the unit of y."""
        of_labels, of_ones = self._smooth
        return self._origin + of_labels + (1 - of_ones) * (self._scale()[0] - self._origin)

    @property
    def std(self) -> FloatArray:
        """Posterior standard deviation, ndarray of shape (n_pool,), in the unit of y."""
        return np.sqrt(self.variance) * self._scale()[1]

    def condition_on(self, index: int, y: float | None = None) -> None:
        """Suppose that a point of the pool is labelled, without teaching the process.

        Parameters
        ----------
        index : int
            Position in `X_pool`.
        y : float, default=None
            Label, in the unit of y: mean and standard deviation become what they would be if the
            process learnt it. Without it the mean stays as it is.
        """
        scale = np.sqrt(self.variance[index] + self.gp.new_noise_)
        row = self._covariance([index], slice(None)) / scale
        surprise = np.zeros(2)
        if y is not None:
            surprise = (np.array([y - self._origin, 1.0]) - self._smooth[:, index]) / scale
            self._given = np.append(self._given, y)
        self._conditioned = True
        self._append(row, surprise[None])

    def covariance(self, rows: Any, columns: Any = slice(None)) -> FloatArray:
        """Posterior covariance of the values, without noise, of points of the pool.

        Parameters
        ----------
        rows, columns : index arrays or slices
            Positions in `X_pool`.

        Returns
        -------
        ndarray of shape (n_rows, n_columns), in the unit of y squared
        """
        return self._covariance(rows, columns) * self._scale()[1] ** 2

    def variance_reduction(self, candidates: Any, targets: Any) -> FloatArray:
        """By how much the label of each candidate lowers the mean variance over the targets.

        Parameters
        ----------
        candidates, targets : index arrays or slices
            Positions in `X_pool`.

        Returns
        -------
        ndarray of shape (n_candidates,), in the unit of y squared
        """
        positions = np.arange(len(self.X_pool))[candidates]
        chunk = max(1, int(get_config()["working_memory"] * 2**20 // (24 * len(self.X_pool))))
        total = [
            np.square(self._covariance(positions[rows], targets)).mean(axis=1)
            for rows in gen_batches(len(positions), chunk)
        ]
        variance = self.variance[candidates] + self.gp.new_noise_
        return np.concatenate(total) / variance * self._scale()[1] ** 2

    def keep(self, still: IntArray | BoolArray) -> None:
        """Drop points from `left`; once they are a fifth of those held, hold them no longer.

        Parameters
        ----------
        still : ndarray of int or bool
            Positions in `left`, or a mask of them, of the points that stay.
        """
        self.left = self.left[still]
        if len(self.left) < 0.8 * len(self.X_pool):  # letting go copies what stays
            self._let_go(self.left)
            self.left = np.arange(len(self.left))

    @property
    def _V(self):
        """The storage, in rows; those that hold something come first."""
        n_columns = len(self.X_pool)
        n_rows = len(self._storage) // max(1, n_columns)
        return self._storage[: n_rows * n_columns].reshape(n_rows, n_columns)

    def _let_go(self, columns):
        shrink(self._storage, self._V, np.arange(self._n_rows), columns)
        self.X_pool, self._variance = self.X_pool[columns], self._variance[columns]
        self._smooth = self._smooth[:, columns]

    def _labels(self, rows):
        """Labels counted from the origin, and as many ones: ndarray of shape (n_rows, 2)."""
        y = self.gp.targets_[rows]
        return np.column_stack([y - self._origin, np.ones(len(y))])

    def _scale(self):
        """Mean and scale of the labels, those supposed included, as the process would set them."""
        if not (len(self._given) and self.gp.normalize_y):
            return self.gp.y_mean_[0], self.gp.y_scale_[0]
        y = np.concatenate([self.gp.targets_[: self.n_labels], self._given])
        return np.mean(y), float(label_scale(y))

    def _covariance(self, rows, columns):
        X, n = self.X_pool, self._n_streamed
        V = self._V[: self._n_rows, rows]
        if n:
            V = np.vstack(
                [self.gp.factor_.solve(self.gp.kernel_(self.gp.X_train_[:n], X[rows])), V]
            )
        return self.gp.kernel_(X[rows], X[columns]) - self._times_V(V.T, columns)

    def _times_V(self, A, columns=slice(None)):
        """Multiply V from the left, whether it is held or not: ``A @ V[:, columns]``."""
        n = self._n_streamed
        product = A[:, n:] @ self._V[: self._n_rows, columns]
        if n:
            # A V = A L^-1 K(X_train, pool)
            weights = self.gp.factor_.solve_transposed(A[:, :n].T).T
            X, X_train = self.X_pool[columns], self.gp.X_train_[:n]
            chunk = max(1, int(get_config()["working_memory"] * 2**20 // (16 * n)))
            for rows in gen_batches(len(X), chunk):
                product[:, rows] += weights @ self.gp.kernel_(X_train, X[rows])
        return product

    def _first_rows(self):
        """Compute V in its storage, in chunks."""
        gp, V = self.gp, self._V[: self.n_labels]

        def fill(columns):
            cross = gp.kernel_(self.X_pool[columns], gp.X_train_)
            V[:, columns] = gp.factor_.solve(cross.T, overwrite=True)

        in_chunks(fill, V.shape[1], row_bytes=16 * len(V), n_jobs=gp.n_jobs)
        return V

    def _follow(self, rows, whitened):
        """Account for labels in variance and mean."""
        self._variance = self._variance - np.einsum("ij,ij->j", rows, rows)
        self._smooth = self._smooth + whitened.T @ rows

    def _append(self, rows, whitened):
        """Condition on labels: their rows of V, and their whitened values (see `_labels`)."""
        self._follow(rows, whitened)
        n, new = self._n_rows, self._n_rows + len(rows)
        if new > len(self._V):  # the storage grows by a quarter at a time
            larger = np.empty(rows.shape[1] * max(new, len(self._V) * 5 // 4))
            larger[: n * rows.shape[1]] = self._storage[: n * rows.shape[1]]
            self._storage = larger
        self._V[n:new], self._n_rows = rows, new


def shrink(storage, matrix, rows, columns):
    """Move what stays of a matrix, with ascending rows and columns, to the front of its storage."""
    for start in range(0, len(rows), ROWS_MOVED):
        left = matrix[rows[start : start + ROWS_MOVED]][:, columns]
        storage[start * len(columns) :][: left.size] = left.reshape(-1)
