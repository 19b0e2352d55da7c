"""`GaussianProcessRegressor`: scikit-learn's, with a quicker `fit`, which also learns row by row.

For how the hyper-parameters are found see `skcfgp.gaussian_process`; for how it learns,
`skcfgp.gaussian_process.row_by_row`.
"""

import warnings

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor as _SklearnGPR
from sklearn.utils.validation import check_is_fitted, validate_data

from ..kernels import Laplacian
from .choice import choose_search
from .cholesky import GrowingCholesky
from .chunking import in_chunks
from .contradictions import warn_conflicting_labels
from .objectives import leave_one_out
from .row_by_row import RowByRowMixin

__all__ = ["GaussianProcessRegressor"]


class GaussianProcessRegressor(RowByRowMixin, _SklearnGPR):
    """Gaussian process regression with the Laplacian kernel by default, and `partial_fit`.

    A scikit-learn ``GaussianProcessRegressor`` in every other respect: the same parameters, fitted
    attributes and results.

    Parameters
    ----------
    kernel : kernel instance, default=None
        None means ``Laplacian()``.
    alpha : float or ndarray of shape (n_samples,), default=1e-10
        Variance of the noise on the labels, added to the diagonal of the kernel matrix.
    optimizer : "fmin_l_bfgs_b", callable or None, default="fmin_l_bfgs_b"
        None leaves the hyper-parameters as they are.
    n_restarts_optimizer : int, default=0
    normalize_y : bool, default=False
        Whether to fit the standardised target. Predictions are in the unit of y either way.
    copy_X_train : bool, default=True
    n_targets : int, default=None
        Number of targets of the prior, before `fit`.
    random_state : int, RandomState or None, default=None
        Of the restarts.
    warm_start : bool, default=False
        Whether `fit` on the rows of the fit before, and more after them, calls `partial_fit` with
        those: the hyper-parameters stay. Any other `fit` starts afresh.
    n_jobs : int, default=None
        Threads of `predict`, each with a chunk of the rows. None means 1 unless a joblib context
        says otherwise, -1 all processors.
    objective : {"marginal_likelihood", "leave_one_out"}, default="marginal_likelihood"
        What the hyper-parameters maximise: the probability of the labels, or that of each label
        given all others (its mean and standard deviation). `fit` can be told which rows count for
        the latter.

    Attributes
    ----------
    X_train_ : ndarray of shape (n_samples, n_features)
    y_train_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Standardised if ``normalize_y``.
    kernel_ : kernel instance
        With the hyper-parameters that were found.
    L_ : ndarray of shape (n_samples, n_samples)
        Lower Cholesky factor of the kernel matrix.
    factor_ : GrowingCholesky
        Cholesky factor of the kernel matrix, to which rows can be appended.
    alpha_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Dual coefficients.
    noise_ : ndarray of shape (n_samples,)
        Variance of the noise on each label, in the unit of ``y_train_`` squared.
    new_noise_ : float
        Variance of the noise on a label to come: ``alpha`` at `fit`, or its mean.
    targets_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Labels in their own unit.
    y_mean_, y_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation that turn ``targets_`` into ``y_train_``.
    log_marginal_likelihood_value_ : float
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X had feature names that are all strings.

    See Also
    --------
    sklearn.gaussian_process.GaussianProcessRegressor : The base class.
    skcfgp.kernels.Laplacian : The default kernel.

    Notes
    -----
    With ``Laplacian()`` or ``Laplacian() + WhiteKernel()`` and the optimizer "fmin_l_bfgs_b" the
    search keeps the length scale below 1,000 times the median distance between the rows, and warns
    with a ``ConvergenceWarning`` if it ends there. Other kernels and optimizers are left to
    scikit-learn.

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

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012

    def __init__(
        self,
        kernel=None,
        *,
        alpha=1e-10,
        optimizer="fmin_l_bfgs_b",
        n_restarts_optimizer=0,
        normalize_y=False,
        copy_X_train=True,
        n_targets=None,
        random_state=None,
        warm_start=False,
        n_jobs=None,
        objective="marginal_likelihood",
    ):
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

    def fit(self, X, y, unseen=None):
        """Fit the hyper-parameters and the process.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        unseen : array-like of shape (n_samples,), bool, default=None
            Rows whose leave-one-out predictions choose the hyper-parameters, with
            ``objective="leave_one_out"``. Where a network that was trained on some of the labels
            made the features, those of the other rows: on labels that a network has seen its
            features look better than they are. None means all rows.

        Returns
        -------
        self : GaussianProcessRegressor

        Raises
        ------
        ValueError
            If a parameter, X, y or `unseen` is not valid.
        TypeError
            If X holds crystals.
        """
        _refuse_crystals(X)
        if self.warm_start and self._begins_as_before(X, y):
            return self._fit_more(X, y)
        fitted = self._fit_sklearn(X, y, unseen)
        state = {name: v for name, v in vars(fitted).items() if name not in fitted.get_params()}
        self.factor_ = GrowingCholesky(state.pop("L_"))
        vars(self).pop("feature_names_in_", None)  # of another fit
        vars(self).update(state)
        self.noise_ = np.broadcast_to(fitted.alpha, len(self.X_train_))
        self.new_noise_ = float(np.mean(fitted.alpha))
        self._noise_per_row = bool(np.ndim(fitted.alpha))
        self.targets_ = np.array(y, dtype=float)
        self._set_scale(fitted._y_train_mean, fitted._y_train_std)
        self._fitted_recipe = self._recipe()
        self._set_likelihood()
        warn_conflicting_labels(self)
        return self

    def predict(self, X, return_std=False, return_cov=False):
        """Predict mean and, if asked for, standard deviation or covariance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std, return_cov : bool, default=False

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the unit of y, as is the standard deviation.
        std : ndarray of the same shape
            Only with `return_std`.
        cov : ndarray of shape (n_samples, n_samples) or (n_samples, n_samples, n_targets)
            Only with `return_cov`.

        Notes
        -----
        Rows are taken in chunks of at most 32 MiB, and less if scikit-learn's ``working_memory``,
        shared among the ``n_jobs`` threads, is less.
        """
        if return_cov or not self._is_fitted():
            return self._as_sklearn().predict(X, return_std=return_std, return_cov=return_cov)
        X = self._validate(X)
        parts = in_chunks(
            lambda rows: self._predict_chunk(X[rows], return_std),
            X.shape[0],
            row_bytes=16 * len(self.X_train_),
            n_jobs=self.n_jobs,
        )
        mean = np.concatenate([mean for mean, _ in parts])
        return (mean, np.concatenate([std for _, std in parts])) if return_std else mean

    def log_marginal_likelihood(self, theta=None, eval_gradient=False, clone_kernel=True):
        """Return the log-marginal likelihood of theta for the rows learnt so far.

        Parameters
        ----------
        theta : array-like of shape (n_kernel_params,), default=None
            None returns the value for ``kernel_.theta``, which is known.
        eval_gradient : bool, default=False
        clone_kernel : bool, default=True
            Whether the kernel attribute is copied.

        Returns
        -------
        log_likelihood : float
        log_likelihood_gradient : ndarray of shape (n_kernel_params,)
            Only with `eval_gradient`.
        """
        check_is_fitted(self, "alpha_")
        return self._as_sklearn().log_marginal_likelihood(theta, eval_gradient, clone_kernel)

    def predict_leave_one_out(self):
        """Predict each label that was learnt from all others, with these hyper-parameters.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the unit of y, as is the standard deviation.
        std : ndarray of the same shape
            Of the label: with its noise.

        References
        ----------
        .. [1] Rasmussen, Williams, "Gaussian Processes for Machine Learning" (2006), Eq. (5.12).
        """
        check_is_fitted(self, "alpha_")
        mean, std = leave_one_out(self.factor_, self.y_train_)
        std = np.multiply.outer(std, self._y_train_std).reshape(mean.shape)
        return mean * self._y_train_std + self._y_train_mean, std

    @property
    def L_(self):
        """Lower Cholesky factor of the kernel matrix."""
        check_is_fitted(self, "alpha_")
        return self.factor_.L

    def __getstate__(self):
        state = super().__getstate__()
        for kept in ("_pool_posterior", "_variance_reduction"):  # by a query for the next one
            state.pop(kept, None)
        return state

    def _fit_sklearn(self, X, y, unseen):
        """Return scikit-learn's regressor, fitted with a search of this package if there is one."""
        regressor = _SklearnGPR(**self._sklearn_params())
        search = choose_search(regressor, self.objective, unseen)
        if search is None:
            return regressor.fit(X, y)
        regressor.optimizer = search
        with warnings.catch_warnings():
            for pattern in search.superseded:
                warnings.filterwarnings("ignore", pattern)
            regressor.fit(X, y)
        search.warn_at_bounds(regressor.kernel_)
        regressor.optimizer = self.optimizer  # no cycle keeps the matrices in memory
        return regressor

    def _sklearn_params(self):
        params = self.get_params(deep=False)
        del params["warm_start"], params["n_jobs"], params["objective"]
        return params | {"kernel": Laplacian() if self.kernel is None else self.kernel}

    def _as_sklearn(self):
        """Return a scikit-learn regressor in the same state; it shares the arrays."""
        regressor = _SklearnGPR(**self._sklearn_params())
        if self._is_fitted():
            vars(regressor).update(vars(self) | {"L_": self.L_, "kernel": regressor.kernel})
            regressor.alpha = self.noise_
        return regressor

    def _is_fitted(self):
        return hasattr(self, "alpha_")

    def _validate(self, X, **options):
        vectors = self.kernel_.requires_vector_input
        return validate_data(
            self,
            X,
            reset=False,
            ensure_2d=vectors,
            dtype="numeric" if vectors else None,
            **options,
        )

    def _set_likelihood(self):
        # Alg 2.1, page 19, line 7, summed over targets
        n, n_targets = len(self.y_train_), 1 if self.y_train_.ndim == 1 else self.y_train_.shape[1]
        half_log_det = np.log(np.diag(self.L_)).sum() + 0.5 * n * np.log(2 * np.pi)
        fit = 0.5 * np.sum(self.y_train_ * self.alpha_)
        self.log_marginal_likelihood_value_ = float(-fit - n_targets * half_log_det)

    def _predict_chunk(self, X, return_std):
        cross = self.kernel_(X, self.X_train_)
        mean = cross @ self.alpha_  # Alg 2.1, page 19, line 4
        mean = self._y_train_std * mean + self._y_train_mean
        if mean.ndim > 1 and mean.shape[1] == 1:
            mean = mean[:, 0]
        if not return_std:
            return mean, None
        V = self.factor_.solve(cross.T, overwrite=True)  # line 5
        variance = self.kernel_.diag(X) - np.einsum("ij,ij->j", V, V)  # line 6, the diagonal
        if np.any(variance < -1e-8 * self.kernel_.diag(X)):
            warnings.warn(
                "Predicted variances smaller than 0. Setting those variances to 0. The kernel "
                "matrix is nearly singular: raise alpha, or add a WhiteKernel.",
                stacklevel=3,
            )
        std = np.sqrt(np.maximum(variance, 0.0))
        if mean.ndim > 1:
            return mean, std[:, None] * self._y_train_std
        return mean, std * np.ravel(self._y_train_std)[0]


def _refuse_crystals(X):
    """Say what to do with crystals, where scikit-learn would say that a sequence is in the way."""
    is_sequence = isinstance(X, list | tuple) or (getattr(X, "ndim", 0) and hasattr(X, "__array__"))
    row = next(iter(X), None) if is_sequence else None
    if hasattr(row, "lattice") or hasattr(row, "cell"):
        raise TypeError(
            "X must hold vectors, and holds crystals. Put a featurizer before the process: "
            "make_pipeline(MEGNetFeaturizer(), GaussianProcessRegressor())."
        )
