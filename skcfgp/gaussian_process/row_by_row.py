"""What lets a Gaussian process learn row by row: `partial_fit`, and `fit` with a warm start.

With the hyper-parameters fixed, a new label changes only the last row of the Cholesky factor: it is
appended in O(n^2), where `fit` needs O(n^3).
"""

import numpy as np
from scipy.linalg import LinAlgError
from sklearn import clone
from sklearn.utils import check_array

from .contradictions import warn_conflicting_labels

__all__ = ["RowByRowMixin", "mean_and_unit"]


class RowByRowMixin:
    """`partial_fit` for a Gaussian process that holds a `GrowingCholesky`."""

    _noise_per_row = False

    def partial_fit(self, X, y, alpha=None):
        """Add rows; leave the hyper-parameters as they are.

        Equal to `fit` on all rows with ``optimizer=None`` and the same hyper-parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        alpha : float or ndarray of shape (n_samples,), default=None
            Variance of the noise on the new labels. None means the parameter ``alpha``, which must
            then be a number.

        Returns
        -------
        self : GaussianProcessRegressor

        Raises
        ------
        ValueError
            If the new rows do not fit the old ones, or their noise is not known; or if `alpha` is
            given before the first fit, which takes the parameter.
        LinAlgError
            If the kernel matrix is not positive definite with them. Nothing has changed then.
        """
        if not self._is_fitted():
            if alpha is not None:
                raise ValueError(
                    "nothing is fitted yet: set the parameter alpha, and leave alpha= out."
                )
            return self.fit(X, y)
        X, y = self._check_new_rows(X, y)
        if alpha is None and self._noise_per_row:
            raise ValueError(
                f"the process was fitted with a noise variance for each label; pass alpha= with "
                f"one for each of the {len(X)} new rows."
            )
        alpha = self.new_noise_ if alpha is None else alpha
        if np.ndim(alpha) and len(alpha) != len(X):
            raise ValueError(f"alpha has {len(alpha)} values for {len(X)} new rows.")
        noise = np.broadcast_to(alpha, len(X))
        corner = self.kernel_(X)
        corner[np.diag_indices_from(corner)] += noise
        try:
            self.factor_.append(self.kernel_(self.X_train_, X), corner)
        except LinAlgError as error:
            raise LinAlgError(
                f"The kernel, {self.kernel_}, is not returning a positive definite matrix with the "
                "new rows. Try gradually increasing the 'alpha' parameter."
            ) from error
        self.X_train_ = np.concatenate([self.X_train_, X])
        self.noise_ = np.concatenate([self.noise_, noise])
        self.targets_ = np.concatenate([self.targets_, y])
        self._set_targets()
        warn_conflicting_labels(self, len(X))
        return self

    def _begins_as_before(self, X, y):
        """Tell whether the first rows are the ones learnt, and the parameters those of then."""
        if not self._is_fitted() or self._recipe() != self._fitted_recipe:
            return False
        names = [list(getattr(self, "feature_names_in_", [])), list(getattr(X, "columns", []))]
        n = len(self.X_train_)
        try:
            return (
                names[0] == names[1]
                and np.array_equal(_rows(X, slice(n)), self.X_train_)
                and np.array_equal(_rows(y, slice(n)), self.targets_)
                and np.array_equal(np.broadcast_to(self.alpha, len(X))[:n], self.noise_)
            )
        except (TypeError, ValueError):  # no rows of numbers: for `fit` to refuse
            return False

    def _fit_more(self, X, y):
        new = slice(len(self.X_train_), None)
        if len(X) == len(y) == new.start:
            return self
        noise = np.broadcast_to(self.alpha, len(X))[new]
        return self.partial_fit(_rows(X, new), _rows(y, new), alpha=noise)

    def _recipe(self):
        """Return what decides on the hyper-parameters, besides the rows."""
        kernel = clone(self.kernel, safe=False)
        search = self.optimizer, self.n_restarts_optimizer, self.objective
        return kernel, *search, self.normalize_y

    def _check_new_rows(self, X, y):
        X, y = self._validate(X, y=y, multi_output=True, y_numeric=True)
        if y.shape[1:] != self.y_train_.shape[1:]:
            raise ValueError(
                f"y must have as many targets as the rows learnt before, whose y had the shape "
                f"{self.y_train_.shape}; got {y.shape}."
            )
        return X, check_array(y, ensure_2d=False, dtype=np.float64)

    def _set_targets(self):
        """Set what follows from the targets; the factor is in place."""
        y = self.targets_
        if self.normalize_y:
            self._set_scale(*mean_and_unit(y))
        self.y_train_ = (y - self._y_train_mean) / self._y_train_std
        self.alpha_ = self.factor_.solve_both(self.y_train_)
        self._set_likelihood()

    def _set_scale(self, mean, std):
        self._y_train_mean, self._y_train_std = mean, std
        self.y_mean_, self.y_scale_ = np.ravel(mean), np.ravel(std)


def mean_and_unit(y):
    """Mean and standard deviation of labels, or 1 where they are all equal."""
    std = np.std(y, axis=0)
    return np.mean(y, axis=0), np.where(std < 10 * np.finfo(float).eps, 1.0, std)


def _rows(values, rows):
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]
