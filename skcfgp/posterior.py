"""Mean and variance of a Gaussian process over a fixed set of points, kept while labels arrive.

With V = L^-1 K(X_train, pool), the posterior variance over the pool is k(x, x) minus the column
sums of V^2. A new label appends one row to L and so one row to V: O(n p) work instead of the
O(n^2 p) of predicting afresh (Rasmussen and Williams 2006, Algorithm 2.1).
"""

import numpy as np
from scipy.linalg import solve_triangular

__all__ = ["PoolPosterior"]


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
        self._prior = gp.kernel_.diag(X_pool)
        self._variance = self._prior.copy()
        self._V = np.empty((0, len(X_pool)))
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
        mean = whitened @ self._V[: self.n_labels]
        return mean * np.ravel(self.gp._y_train_std)[0] + np.ravel(self.gp._y_train_mean)[0]

    @property
    def std(self):
        """Posterior standard deviation, ndarray of shape (n_pool,), in the unit of y."""
        std = np.sqrt(np.maximum(self._variance, 0.0))
        return std * np.ravel(self.gp._y_train_std)[0]

    def keep(self, columns):
        """Forget the other points of the pool.

        Parameters
        ----------
        columns : ndarray of int or bool
        """
        self.X_pool = self.X_pool[columns]
        self._prior = self._prior[columns]
        self._variance = self._variance[columns]
        self._V = self._V[: self.n_labels, columns]

    def _reserve(self, n):
        if n > len(self._V):
            capacity = n if self.n_labels == 0 else max(n, len(self._V) * 5 // 4)
            larger = np.empty((capacity, len(self.X_pool)))
            larger[: self.n_labels] = self._V[: self.n_labels]
            self._V = larger
