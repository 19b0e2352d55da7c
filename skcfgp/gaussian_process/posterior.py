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
from .chunking import in_chunks
from .regressor import GaussianProcessRegressor

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
    process.factor_ = GrowingCholesky(model.L_)
    process.noise_ = np.broadcast_to(model.alpha, len(model.X_train_))
    process.new_noise_ = float(np.mean(model.alpha))
    process.y_mean_, process.y_scale_ = np.ravel(model._y_train_mean), np.ravel(model._y_train_std)
    process.targets_ = model.y_train_ * model._y_train_std + model._y_train_mean
    return process


class PoolPosterior:
    """Posterior over a pool of points, brought up to date by `update` after each `partial_fit`.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted, with one target. One of scikit-learn's is taken as it is; what it learns later is
        not seen.
    X_pool : ndarray of shape (n_pool, n_features)
        Put a test set below it to follow that too: the columns do not depend on each other.
    max_bytes : int, default=2**31
        Largest matrix to hold.

    Attributes
    ----------
    X_pool : ndarray of shape (n_pool, n_features)
    n_labels : int
        Labels that are accounted for.
    strategy_ : {"held", "streamed"}
        Whether the rows of V for the first labels are held, or worked out anew, in chunks, whenever
        they are needed since they would take more than `max_bytes`. The results are the same.
    """

    def __init__(self, gp, X_pool, max_bytes=2**31):
        self.gp = gp = as_process(gp)
        self.X_pool = X_pool = np.asarray(X_pool, dtype=np.float64)
        self._kernel = gp.kernel_
        self._theta = gp.kernel_.theta
        self._variance = gp.kernel_.diag(X_pool).copy()
        self._V = np.empty((0, len(X_pool)))
        self._surprise = np.empty(0)
        # Labels whose rows of V are not held: the first ones of a large pool.
        n_train = len(gp.X_train_)
        self.strategy_ = "held" if 8 * n_train * len(X_pool) <= max_bytes else "streamed"
        self._n_streamed = 0
        self.n_labels = 0
        if self.strategy_ == "streamed":
            self._variance = (gp.predict(X_pool, return_std=True)[1] / self._unit()) ** 2
            self._n_streamed = self.n_labels = n_train
        self.update()

    def is_current(self):
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
        if old == 0:
            rows = self._first_rows()
        else:
            rows = self.gp.kernel_(self.gp.X_train_[old:], self.X_pool)
            L = self.gp.L_[old:]
            rows -= self._times_V(L[:, :old])
            rows = solve_triangular(L[:, old:], rows, lower=True, check_finite=False)
        self._append(rows)
        self._variance -= np.einsum("ij,ij->j", rows, rows)
        self.n_labels = new
        return self

    @property
    def mean(self):
        """Posterior mean, ndarray of shape (n_pool,), in the unit of y."""
        whitened = self.gp.factor_.solve(self.gp.y_train_[: self.n_labels])
        mean = self._times_V(np.concatenate([whitened, self._surprise])[None])[0]
        return mean * self._unit() + self.gp.y_mean_[0]

    @property
    def std(self):
        """Posterior standard deviation, ndarray of shape (n_pool,), in the unit of y."""
        return np.sqrt(np.maximum(self._variance, 0.0)) * self._unit()

    def condition_on(self, index, y=None):
        """Suppose that a point of the pool is labelled, without teaching the process.

        Parameters
        ----------
        index : int
        y : float, default=None
            Its label, in the unit of y. None leaves the mean as it is.
        """
        scale = np.sqrt(max(self._variance[index], 0.0) + self.gp.new_noise_)
        surprise = 0.0 if y is None else (y - self.mean[index]) / self._unit() / scale
        row = self._covariance([index], slice(None)) / scale
        self._append(row)
        self._variance -= row[0] ** 2
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
        return self._covariance(rows, columns) * self._unit() ** 2

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
        variance = np.maximum(self._variance[candidates], 0.0) + self.gp.new_noise_
        return np.concatenate(total) / variance * self._unit() ** 2

    def keep(self, columns):
        """Forget the other points of the pool.

        Parameters
        ----------
        columns : ndarray of int or bool
        """
        self.X_pool = self.X_pool[columns]
        self._variance = self._variance[columns]
        self._V = self._V[: self._n_held, columns]

    @property
    def _n_held(self):
        return self.n_labels - self._n_streamed + len(self._surprise)

    def _unit(self):
        return self.gp.y_scale_[0]

    def _covariance(self, rows, columns):
        X, n = self.X_pool, self._n_streamed
        first = self.gp.factor_.solve(self.gp.kernel_(self.gp.X_train_[:n], X[rows])) if n else None
        held = self._V[: self._n_held, rows]
        of_rows = held if first is None else np.vstack([first, held])
        return self.gp.kernel_(X[rows], X[columns]) - self._times_V(of_rows.T, columns)

    def _times_V(self, A, columns=slice(None)):
        """Multiply V from the left, whether it is held or not: ``A @ V[:, columns]``."""
        n = self._n_streamed
        product = A[:, n:] @ self._V[: self._n_held, columns]
        if n:
            # A V = A L^-1 K(X_train, pool)
            weights = self.gp.factor_.solve_transposed(A[:, :n].T).T
            X, X_train = self.X_pool[columns], self.gp.X_train_[:n]
            chunk = max(1, int(get_config()["working_memory"] * 2**20 // (16 * n)))
            for rows in gen_batches(len(X), chunk):
                product[:, rows] += weights @ self.gp.kernel_(X_train, X[rows])
        return product

    def _first_rows(self):
        """Work out V, in chunks: beside it no other matrix of its size is ever there."""
        gp, V = self.gp, np.empty((len(self.gp.X_train_), len(self.X_pool)))

        def fill(columns):
            cross = gp.kernel_(self.X_pool[columns], gp.X_train_)
            V[:, columns] = gp.factor_.solve(cross.T, overwrite=True)

        in_chunks(fill, V.shape[1], row_bytes=16 * max(1, len(V)), n_jobs=gp.n_jobs)
        return V

    def _append(self, rows):
        """Append rows to those of V that are held; the storage grows by a quarter at a time."""
        n, new = self._n_held, self._n_held + len(rows)
        if n == 0:
            self._V = np.ascontiguousarray(rows)
            return
        if new > len(self._V):
            larger = np.empty((max(new, len(self._V) * 5 // 4), rows.shape[1]))
            larger[:n] = self._V[:n]
            self._V = larger
        self._V[n:new] = rows
