"""Mean and variance of a Gaussian process over a fixed set of points, kept while labels arrive.

With V = L^-1 K(X_train, pool), the posterior variance over the pool is k(x, x) minus the column
sums of V^2. A new label appends one row to L and so one row to V: O(n p) work instead of the
O(n^2 p) of predicting afresh (Rasmussen and Williams 2006, Algorithm 2.1).
"""

import numpy as np
from scipy.linalg import solve_triangular
from sklearn import get_config
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .cholesky import GrowingCholesky
from .gaussian_process import GaussianProcessRegressor

__all__ = ["PoolPosterior", "as_process"]


def as_process(model):
    """Take a fitted Gaussian process of scikit-learn's for one of this package, as it is.

    Parameters
    ----------
    model : GaussianProcessRegressor
        Of this package (returned as it is) or of scikit-learn.

    Returns
    -------
    GaussianProcessRegressor

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If it has several targets.
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
    process = GaussianProcessRegressor(**model.get_params(deep=False))
    vars(process).update({name: v for name, v in vars(model).items() if name != "L_"})
    process._factor = GrowingCholesky(model.L_)
    process._noise = np.broadcast_to(model.alpha, len(model.X_train_))
    return process


class PoolPosterior:
    """Posterior over a pool of points, brought up to date by `update` after each `partial_fit`.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted, with one target.
    X_pool : ndarray of shape (n_pool, n_features)

    Attributes
    ----------
    X_pool : ndarray of shape (n_pool, n_features)
    n_labels : int
        Labels that are accounted for.
    """

    def __init__(self, gp, X_pool):
        self.gp = gp
        self.X_pool = X_pool
        self._kernel = gp.kernel_
        self._theta = gp.kernel_.theta
        self._variance = gp.kernel_.diag(X_pool).copy()
        self._V = np.empty((0, len(X_pool)))
        self._surprise = np.empty(0)
        self.n_labels = 0
        self.update()

    def is_current(self):
        """Tell whether `update` can follow: the process was not fitted anew in the meantime."""
        return (
            self.gp.kernel_ is self._kernel
            and np.array_equal(self.gp.kernel_.theta, self._theta)
            and len(self.gp.X_train_) >= self.n_labels
        )

    def update(self):
        """Take in the labels that the process has learnt since.

        Returns
        -------
        self : PoolPosterior

        Raises
        ------
        ValueError
            If the process was fitted anew; make a new posterior then.
        """
        if len(self._surprise):
            raise ValueError(
                "this PoolPosterior was conditioned on its own points; make a new one."
            )
        if not self.is_current():
            raise ValueError("the Gaussian process was fitted anew; make a new PoolPosterior.")
        old, new = self.n_labels, len(self.gp.X_train_)
        if new == old:
            return self
        rows = self.gp.kernel_(self.gp.X_train_[old:], self.X_pool)
        if old == 0:
            rows = self.gp._factor.solve(rows)
        else:
            L = self.gp.L_[old:]
            rows -= L[:, :old] @ self._V[:old]
            rows = solve_triangular(L[:, old:], rows, lower=True, check_finite=False)
        self._reserve(new)
        self._V[old:new] = rows
        self._variance -= np.einsum("ij,ij->j", rows, rows)
        self.n_labels = new
        return self

    @property
    def mean(self):
        """Posterior mean, ndarray of shape (n_pool,), in the unit of y."""
        whitened = self.gp._factor.solve(self.gp.y_train_)
        mean = np.concatenate([whitened, self._surprise]) @ self._V[: self._n_rows]
        return mean * np.ravel(self.gp._y_train_std)[0] + np.ravel(self.gp._y_train_mean)[0]

    @property
    def std(self):
        """Posterior standard deviation, ndarray of shape (n_pool,), in the unit of y."""
        std = np.sqrt(np.maximum(self._variance, 0.0))
        return std * np.ravel(self.gp._y_train_std)[0]

    def condition_on(self, index, y=None):
        """Suppose that a point of the pool is labelled, without teaching the process.

        Parameters
        ----------
        index : int
        y : float, default=None
            Its label, in the unit of y. None leaves the mean as it is.
        """
        unit = np.ravel(self.gp._y_train_std)[0]
        scale = np.sqrt(max(self._variance[index], 0.0) + self._noise_of_new())
        surprise = 0.0 if y is None else (y - self.mean[index]) / unit / scale
        row = self._covariance([index], slice(None))[0] / scale
        n = self._n_rows
        self._reserve(n + 1)
        self._V[n] = row
        self._variance -= row**2
        self._surprise = np.append(self._surprise, surprise)

    def covariance(self, rows, columns=slice(None)):
        """Posterior covariance of the values, without noise, of points of the pool.

        Parameters
        ----------
        rows, columns : index arrays or slices

        Returns
        -------
        ndarray of shape (n_rows, n_columns), in the unit of y squared
        """
        return self._covariance(rows, columns) * np.ravel(self.gp._y_train_std)[0] ** 2

    def variance_reduction(self, candidates, targets):
        """By how much the label of each candidate lowers the mean variance over the targets.

        Parameters
        ----------
        candidates, targets : index arrays or slices

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
        variance = np.maximum(self._variance[candidates], 0.0) + self._noise_of_new()
        return np.concatenate(total) / variance * np.ravel(self.gp._y_train_std)[0] ** 2

    def keep(self, columns):
        """Forget the other points of the pool.

        Parameters
        ----------
        columns : ndarray of int or bool
        """
        self.X_pool = self.X_pool[columns]
        self._variance = self._variance[columns]
        self._V = self._V[: self._n_rows, columns]

    @property
    def _n_rows(self):
        return self.n_labels + len(self._surprise)

    def _noise_of_new(self):
        """Variance of the noise on a new label, beyond that of a WhiteKernel."""
        return float(np.ravel(self.gp.alpha)[0])

    def _covariance(self, rows, columns):
        V, X = self._V[: self._n_rows], self.X_pool
        return self.gp.kernel_(X[rows], X[columns]) - V[:, rows].T @ V[:, columns]

    def _reserve(self, n):
        if n > len(self._V):
            capacity = n if self._n_rows == 0 else max(n, len(self._V) * 5 // 4)
            larger = np.empty((capacity, len(self.X_pool)))
            larger[: self._n_rows] = self._V[: self._n_rows]
            self._V = larger
