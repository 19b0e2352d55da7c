"""`GaussianProcessRegressor`: scikit-learn's, with a quicker search, which also learns row by row.

With the hyper-parameters fixed, a new label changes only the last row of the Cholesky factor: it is
appended in O(n^2), where `fit` needs O(n^3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
from scipy.stats import norm
from sklearn import clone
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import Kernel
from sklearn.utils.validation import check_is_fitted

from ..kernels import Laplacian
from ..structures.typing import ArrayLike, Distribution, FloatArray, Predicted, RandomState, Self
from .checks import (
    check_label_std,
    check_noise,
    check_rows,
    check_rows_and_labels,
    explain_not_positive_definite,
    warn_conflicting_labels,
    warn_large_label_std,
)
from .cholesky import GrowingCholesky
from .common import unit_of_process
from .covariance import covariance_of
from .equal_rows import equal_rows
from .objectives import Objective, leave_one_out, log_marginal_likelihood
from .prediction import predict_rows
from .search import find_hyperparameters
from .warm_start import learnt_anew, recipe, rows_to_append

#: A process without noise has a standard deviation of 0 on its rows; a distribution needs a width.
SMALLEST_STD = 1e-100


class GaussianProcessRegressor(SklearnGPR):
    """Gaussian process regression with the Laplacian kernel by default, and `partial_fit`.

    A scikit-learn ``GaussianProcessRegressor`` in every other respect.

    Parameters
    ----------
    kernel : kernel instance, default=None
        Covariance of the process; ``Laplacian()`` by default.
    alpha : float or ndarray of shape (n_samples,), default=1e-10
        Variance of the noise on the labels, added to the diagonal of the kernel matrix.
    optimizer : "fmin_l_bfgs_b", callable or None, default="fmin_l_bfgs_b"
        Search for the hyper-parameters; with None they stay as they are. A callable is given
        ``(obj_func, initial_theta, bounds)`` as in scikit-learn, with the negative `objective`.
    n_restarts_optimizer : int, default=0
        Number of further starts of the search, drawn within the bounds.
    normalize_y : bool, default=False
        Whether to fit the standardised target. Predictions are in the unit of y either way.
    copy_X_train : bool, default=True
        Whether to keep a copy of X rather than a reference to it.
    n_targets : int, default=None
        Number of targets of the prior, before `fit`.
    random_state : int, RandomState or None, default=None
        Controls the restarts of the optimizer.
    warm_start : bool, default=False
        Whether `fit` on the rows of the previous fit and more after them appends these, as
        `partial_fit` does, and leaves the hyper-parameters alone; any other `fit` starts afresh.
    n_jobs : int, default=None
        Number of threads of `predict`, each with a chunk of the rows: 1 unless a joblib context
        says otherwise; -1 uses all processors.
    objective : {"marginal_likelihood", "leave_one_out"}, default="marginal_likelihood"
        Quantity that the hyper-parameters maximise: the probability of the labels, or that of each
        label given all others (its mean and standard deviation). `fit` can be told which rows
        count for the latter.

    Attributes
    ----------
    X_train_ : ndarray of shape (n_samples, n_features)
        Rows learnt so far, float64.
    y_train_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Labels, standardised if ``normalize_y``.
    targets_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Labels in their own unit.
    y_mean_, y_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation that turn ``targets_`` into ``y_train_``; 0 and 1 without
        ``normalize_y``.
    label_std_ : ndarray of shape (n_samples,)
        Standard error of each label that was given as `y_std`, in the unit of y; 0 without it.
    noise_ : ndarray of shape (n_samples,)
        Variance of the noise on each label, both kinds, in the unit of ``y_train_`` squared.
    new_noise_ : float
        Variance of the noise on a label to come: ``alpha`` as it was at `fit`, or its mean.
    kernel_ : kernel instance
        The kernel, with the hyper-parameters that were found.
    factor_ : GrowingCholesky
        Cholesky factor of the kernel matrix with noise, to which rows can be appended.
    L_ : ndarray of shape (n_samples, n_samples)
        The same, as a lower triangular matrix.
    alpha_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Dual coefficients.
    log_marginal_likelihood_value_ : float
        Log marginal likelihood of ``kernel_.theta``, in nats.
    n_features_in_, feature_names_in_
        Number of features seen in `fit`, and their names where X had names that are all strings.

    See Also
    --------
    sklearn.gaussian_process.GaussianProcessRegressor : The base class.
    skcfgp.kernels.Laplacian : The default kernel.

    Notes
    -----
    The search keeps the length scale of a `Laplacian` below 1,000 times the median distance
    between the rows, and warns if it ends there. With more than 250 rows it starts on some of them;
    see `skcfgp.gaussian_process.search`.

    References
    ----------
    .. [1] Rasmussen, Williams, "Gaussian Processes for Machine Learning" (2006), Algorithm 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import GaussianProcessRegressor
    >>> X = np.linspace(0, 3, 20)[:, None]
    >>> gp = GaussianProcessRegressor(optimizer=None).fit(X[:15], np.sin(X[:15, 0]))
    >>> gp = gp.partial_fit(X[15:], np.sin(X[15:, 0]))
    >>> mean, std = gp.predict([[1.0], [9.0]], return_std=True)
    >>> print(mean.round(2), std.round(2))
    [0.84 0.  ] [0.26 1.  ]
    """

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012  a Pipeline passes it on
    __metadata_request__fit = {"y_std": True}  # noqa: RUF012
    _noise_per_row = False
    label_std_: FloatArray
    _fitted_recipe: Any

    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        alpha: float | FloatArray = 1e-10,
        optimizer: Literal["fmin_l_bfgs_b"] | Callable[..., Any] | None = "fmin_l_bfgs_b",
        n_restarts_optimizer: int = 0,
        normalize_y: bool = False,
        copy_X_train: bool = True,
        n_targets: int | None = None,
        random_state: RandomState = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        objective: Literal["marginal_likelihood", "leave_one_out"] = "marginal_likelihood",
    ) -> None:
        self.kernel = kernel
        self.alpha = alpha
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.normalize_y = normalize_y
        self.copy_X_train = copy_X_train
        self.n_targets = n_targets
        self.random_state = random_state
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.objective = objective

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        unseen: ArrayLike | None = None,
        y_std: ArrayLike | None = None,
    ) -> Self:
        """Fit the hyper-parameters and the process.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Feature vectors.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels.
        unseen : array-like of shape (n_samples,), bool, default=None
            Rows whose leave-one-out predictions choose the hyper-parameters, with
            ``objective="leave_one_out"``; all rows by default. Where a network that was trained on
            some of the labels made the features, mark the other rows: on labels that a network has
            seen its features look better than they are.
        y_std : array-like of shape (n_samples,), default=None
            Known standard error of each label, in the unit of y; 0 where it is exact. Its square is
            added to the noise. Predictions are of the value without this error: that of a new
            measurement with the standard error s has the variance ``std**2 + s**2``.

        Returns
        -------
        self : GaussianProcessRegressor
            The fitted process.

        Raises
        ------
        ValueError
            If a parameter, X, y, `unseen` or `y_std` is not valid.
        TypeError
            If X holds crystals.
        LinAlgError
            If the kernel matrix is not positive definite.
        """
        if self.warm_start and self._is_fitted() and y_std is None and not self.label_std_.any():
            new = rows_to_append(self, self._fitted_recipe, X, y)
            if new is not None:
                return self.partial_fit(*new) if len(new[0]) else self
        self.kernel_ = Laplacian() if self.kernel is None else clone(self.kernel)
        X, y = check_rows_and_labels(self, X, y, reset=True)
        self.X_train_ = np.copy(X) if self.copy_X_train else X
        noise, self.label_std_ = check_noise(self.alpha, len(y)), check_label_std(y_std, y)
        warn_large_label_std(self.label_std_, y)
        self.new_noise_ = float(np.mean(self.alpha))
        self._noise_per_row = np.size(self.alpha) > 1
        self._set_targets(y, noise)
        self.kernel_.theta = find_hyperparameters(self, unseen)
        K = self.kernel_(self.X_train_)
        K[np.diag_indices_from(K)] += self.noise_
        with explain_not_positive_definite(self.kernel_):
            self.factor_ = GrowingCholesky.factorize(K)  # Alg 2.1, page 19, line 2
        self._solve()
        self._fitted_recipe = recipe(self)
        warn_conflicting_labels(self)
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        alpha: ArrayLike | None = None,
        y_std: ArrayLike | None = None,
    ) -> Self:
        """Add rows in O(n^2) each; leave the hyper-parameters as they are.

        Equal to `fit` on all rows with ``optimizer=None`` and the same hyper-parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New feature vectors.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their labels.
        alpha : float or ndarray of shape (n_samples,), default=None
            Variance of the noise on the new labels; ``new_noise_`` by default. Required if `fit`
            had one for each label.
        y_std : array-like of shape (n_samples,), default=None
            Known standard error of each new label, as in `fit`. With ``normalize_y``, where every
            label changes the unit of the process, this costs a factorization, O(n^3).

        Returns
        -------
        self : GaussianProcessRegressor
            The process, with the rows added.

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
                raise ValueError("nothing is fitted yet: set the parameter alpha, not alpha= here.")
            return self.fit(X, y, y_std=y_std)
        X, y = check_rows_and_labels(self, X, y, reset=False)
        usual = None if self._noise_per_row else self.new_noise_
        noise = check_noise(usual if alpha is None else alpha, len(y))
        y_std = check_label_std(y_std, y)
        old_noise = self.noise_ - (self.label_std_ / self.y_scale_[0]) ** 2
        old = self.X_train_, self.targets_, old_noise, self.label_std_
        everything = [np.concatenate(p) for p in zip(old, (X, y, noise, y_std), strict=True)]
        X_all, y_all, noise_all, label_std = everything
        if self.normalize_y and label_std.any():
            self.__dict__.update(learnt_anew(self, *everything))
            return self
        K = self.kernel_(X)
        K[np.diag_indices_from(K)] += noise + y_std**2
        with explain_not_positive_definite(self.kernel_):
            self.factor_.append(self.kernel_(self.X_train_, X), K)
        self.X_train_, self.label_std_ = X_all, label_std
        self._set_targets(y_all, noise_all)
        self._solve()
        warn_conflicting_labels(self, len(X))
        return self

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(
        self, X: ArrayLike, return_std: bool = False, return_cov: bool = False
    ) -> Predicted: ...

    def predict(
        self, X: ArrayLike, return_std: bool = False, return_cov: bool = False
    ) -> Predicted:
        """Predict mean and, if asked for, standard deviation or covariance.

        Before `fit`, the prior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Feature vectors.
        return_std, return_cov : bool, default=False
            Whether to return the standard deviation or the covariance too; not both.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Mean, in the unit of y.
        std : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Standard deviation, in the unit of y. Only with `return_std`.
        cov : ndarray of shape (n_samples, n_samples) or (n_samples, n_samples, n_targets)
            Covariance, in the unit of y squared. Only with `return_cov`.
        """
        return predict_rows(self, check_rows(self, X, reset=False), return_std, return_cov)

    def predict_distribution(self, X: ArrayLike) -> Distribution:
        """Predict the Gaussian of each row, with the mean and standard deviation of `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scipy.stats frozen distribution
            Distributions of shape (n_samples,) or (n_samples, n_targets), in the unit of y.
        """
        mean, std = self.predict(X, return_std=True)
        return norm(loc=mean, scale=np.where(std == 0, SMALLEST_STD, std))

    def log_marginal_likelihood(  # noqa: D102  scikit-learn's says it
        self, theta: ArrayLike | None = None, eval_gradient: bool = False, clone_kernel: bool = True
    ) -> float | tuple[float, FloatArray]:
        check_is_fitted(self, "alpha_")
        if theta is None:
            if eval_gradient:
                raise ValueError("Gradient can only be evaluated for theta!=None")
            return self.log_marginal_likelihood_value_
        theta = np.asarray(theta, dtype=float)
        if not clone_kernel:
            self.kernel_.theta = theta
        cov = covariance_of(self.kernel_, self.X_train_)
        objective = Objective(cov, self.y_train_, self.noise_)
        return objective(theta) if eval_gradient else objective.value(theta)

    def predict_leave_one_out(self, equal_together: bool = False) -> tuple[FloatArray, FloatArray]:
        """Predict each label that was learnt from all others, with these hyper-parameters.

        Parameters
        ----------
        equal_together : bool, default=False
            Whether rows that are equal up to rounding are left out together. Otherwise a row that
            was learnt twice is predicted from its copy, which says nothing about other rows.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Mean, in the unit of y.
        std : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Standard deviation of the label, noise included, in the unit of y.
        """
        check_is_fitted(self, "alpha_")
        groups = equal_rows(self.kernel_, self.X_train_) if equal_together else ()
        mean, std = leave_one_out(self.factor_, self.y_train_, groups)  # Eq. (5.12)
        std = np.multiply.outer(std, self.y_scale_).reshape(mean.shape)
        return mean * self.y_scale_ + self.y_mean_, std

    @property
    def L_(self) -> FloatArray:
        """Lower Cholesky factor of the kernel matrix."""
        check_is_fitted(self, "alpha_")
        return self.factor_.L

    def _is_fitted(self):
        return hasattr(self, "alpha_")

    def _set_targets(self, y, noise):
        """Keep the labels in their own unit, and labels and noise in that of the process."""
        self.targets_ = y
        self.y_mean_, self.y_scale_ = unit_of_process(y, self.normalize_y)
        self.y_train_ = (y - self.y_mean_) / self.y_scale_
        self.noise_ = noise + (self.label_std_ / self.y_scale_[0]) ** 2

    def _solve(self):
        """Compute what follows from the factor and the labels."""
        self.alpha_ = self.factor_.solve_both(self.y_train_)  # Alg 2.1, page 19, line 3
        self.log_marginal_likelihood_value_ = log_marginal_likelihood(
            self.y_train_, self.alpha_, np.diag(self.L_)
        )
