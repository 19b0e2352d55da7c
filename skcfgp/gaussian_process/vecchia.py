"""`VecchiaGaussianProcessRegressor`: the Laplacian kernel for more labels than a matrix can hold.

Vecchia (1988) approximates the density of n labels by the product of the densities of each label
given its nearest predecessors. A prediction uses the nearest labels only: one system of
`n_neighbors` equations per row. GPBoost finds the hyper-parameters.
"""

from __future__ import annotations

import logging
import threading
import warnings
from typing import Literal, overload

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..structures.typing import ArrayLike, FloatArray, Predicted, RandomState, Self
from .chunking import in_chunks

#: Added to the diagonal, relative to the variance: keeps the matrix positive definite when a row
#: repeats.
JITTER = 1e-10

#: GPBoost keeps its logger and its number of threads for the whole process.
_GPBOOST_LOCK = threading.Lock()


class VecchiaGaussianProcessRegressor(RegressorMixin, BaseEstimator):
    r"""Gaussian process with the kernel a^2 exp(-||x - y|| / l), by nearest neighbours.

    Parameters
    ----------
    amplitude, length_scale, noise_level : float, default=None
        Prior standard deviation in the unit of y, length in the unit of the features (see
        `skcfgp.kernels.Laplacian`), variance of the noise in the unit of y squared. Give all three,
        or none to find them by maximum likelihood, which needs GPBoost.
    n_neighbors : int, default=20
        Number of labels that a prediction, or a factor of the likelihood, is conditioned on.
    n_search : int or None, default=5000
        Number of rows, drawn at random, on which the hyper-parameters are found; None to use all.
        Predictions always use all rows.
    n_jobs : int, default=None
        Number of threads of `fit` and `predict`: 1 unless a joblib context says otherwise; -1 uses
        all processors.
    random_state : int, RandomState or None, default=None
        Controls which rows are drawn, and their order in the likelihood.

    Attributes
    ----------
    amplitude_, length_scale_, noise_level_ : float
        The hyper-parameters.
    X_train_ : ndarray of shape (n_samples, n_features)
        Rows learnt so far.
    y_train_ : ndarray of shape (n_samples,)
        Their labels, in the unit of y.
    y_mean_ : float
        Mean of the labels of `fit`, which is the mean of the prior.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had names that are all strings.

    See Also
    --------
    skcfgp.GaussianProcessRegressor : Exact; up to about 20,000 labels.

    Notes
    -----
    A new label changes nearby predictions only. `predict` costs O(n_neighbors^3) per row, besides
    the search for neighbours; memory grows linearly with the number of labels. The covariance of
    two rows is not available, so only query strategies that need no more than a standard deviation
    can be used.

    References
    ----------
    .. [1] Vecchia, "Estimation and Model Identification for Continuous Spatial Processes",
       J. R. Stat. Soc. B 50, 297 (1988). doi:10.1111/j.2517-6161.1988.tb01729.x
    .. [2] Datta, Banerjee, Finley, Gelfand, "Hierarchical Nearest-Neighbor Gaussian Process Models
       for Large Geostatistical Datasets", J. Am. Stat. Assoc. 111, 800 (2016).
       doi:10.1080/01621459.2015.1044091
    .. [3] Sigrist, "Gaussian Process Boosting", J. Mach. Learn. Res. 23, 232 (2022).

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp.gaussian_process.vecchia import VecchiaGaussianProcessRegressor
    >>> X = np.linspace(0, 3, 1000)[:, None]
    >>> gp = VecchiaGaussianProcessRegressor(1.0, 1.0, 1e-6).fit(X, np.sin(X[:, 0]))
    >>> mean, std = gp.predict([[1.0], [9.0]], return_std=True)
    >>> print(mean.round(2), std.round(2))
    [0.84 0.66] [0. 1.]
    """

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012  a Pipeline passes it on

    def __init__(
        self,
        amplitude: float | None = None,
        length_scale: float | None = None,
        noise_level: float | None = None,
        *,
        n_neighbors: int = 20,
        n_search: int | None = 5000,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.amplitude = amplitude
        self.length_scale = length_scale
        self.noise_level = noise_level
        self.n_neighbors = n_neighbors
        self.n_search = n_search
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the hyper-parameters, unless they are given, and store the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        self : VecchiaGaussianProcessRegressor

        Raises
        ------
        ValueError
            If a parameter, X or y is not valid.
        ImportError
            If the hyper-parameters are not given and GPBoost is not installed.
        """
        given = self._check_parameters()
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        y = y.astype(float)
        self.y_mean_ = float(y.mean())
        found = given or self._search(X, y - self.y_mean_)
        self.amplitude_, self.length_scale_, self.noise_level_ = found
        return self._keep(X, y)

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Add labels; keep the hyper-parameters and the mean of the prior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        self : VecchiaGaussianProcessRegressor
        """
        if not hasattr(self, "y_train_"):
            return self.fit(X, y)
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, reset=False)
        return self._keep(np.vstack([self.X_train_, X]), np.concatenate([self.y_train_, y]))

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(self, X: ArrayLike, return_std: bool) -> Predicted: ...

    def predict(self, X: ArrayLike, return_std: bool = False) -> Predicted:
        """Predict mean and, if asked for, standard deviation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False

        Returns
        -------
        mean : ndarray of shape (n_samples,)
            In the unit of y.
        std : ndarray of shape (n_samples,)
            Standard deviation of a label, noise included, in the unit of y. Only with `return_std`.
        """
        check_is_fitted(self, "y_train_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        k = min(self.n_neighbors, len(self.y_train_))
        neighbors = self._neighbors.kneighbors(X, k, return_distance=False)
        parts = in_chunks(
            lambda rows: self._predict_chunk(X[rows], neighbors[rows]),
            len(X),
            row_bytes=8 * k * k * (X.shape[1] + 4),
            n_jobs=self.n_jobs,
        )
        mean, std = np.concatenate(parts, axis=1)
        return (mean, std) if return_std else mean

    def _predict_chunk(self, X, neighbors):
        """Mean and standard deviation given some labels for each row: Algorithm 2.1 of GPML."""
        variance, length = self.amplitude_**2, self.length_scale_
        near, y = self.X_train_[neighbors], self.y_train_[neighbors] - self.y_mean_
        K = _distances(near[:, :, None], near[:, None, :])
        K = variance * np.exp(-K / length)
        diagonal = np.arange(K.shape[1])
        K[:, diagonal, diagonal] += self.noise_level_ + JITTER * variance
        cross = variance * np.exp(-_distances(near, X[:, None]) / length)
        weights = np.linalg.solve(K, cross[..., None])[..., 0]
        mean = np.einsum("ij,ij->i", weights, y) + self.y_mean_
        left = np.maximum(variance - np.einsum("ij,ij->i", weights, cross), 0.0)
        return mean, np.sqrt(left + self.noise_level_)

    def _check_parameters(self):
        """Return the given hyper-parameters, or None."""
        if self.n_neighbors < 1:
            raise ValueError(f"n_neighbors must be at least 1, got {self.n_neighbors!r}.")
        if self.n_search is not None and self.n_search < 2:
            raise ValueError(f"n_search must be at least 2 or None, got {self.n_search!r}.")
        amplitude, length, noise = given = self.amplitude, self.length_scale, self.noise_level
        if given == (None, None, None):
            return None
        if None in given or not (amplitude > 0 and length > 0 and noise >= 0):
            raise ValueError(
                "give amplitude > 0, length_scale > 0 and noise_level >= 0, or none of them; got "
                f"{amplitude}, {length} and {noise}."
            )
        return given

    def _search(self, X, y):
        """Maximise the likelihood of some rows; return amplitude, length scale and noise level."""
        rng = check_random_state(self.random_state)
        if self.n_search is not None and self.n_search < len(y):
            rows = np.sort(rng.choice(len(y), self.n_search, replace=False))
            X, y = X[rows], y[rows]
        unit, spread = float(y.std()), float(np.ptp(X, axis=0).max())
        if unit == 0 or spread == 0:  # the likelihood has no optimum
            return unit or 1.0, spread or 1.0, unit**2
        options = {"num_neighbors": min(self.n_neighbors, len(y) - 1)}
        options["seed"] = int(rng.randint(2**31 - 1))
        options["num_parallel_threads"] = effective_n_jobs(self.n_jobs)
        noise, variance, length = _maximum_likelihood(X / spread, y / unit, options)
        return unit * np.sqrt(variance), spread * length, unit**2 * noise

    def _keep(self, X, y):
        neighbors = NearestNeighbors(n_jobs=self.n_jobs).fit(X)
        self.X_train_, self.y_train_, self._neighbors = X, y, neighbors
        return self


def _distances(a, b):
    """Euclidean distances from differences: exact near 0, where the kernel has a kink."""
    difference = a - b
    return np.sqrt(np.einsum("...i,...i->...", difference, difference))


def _maximum_likelihood(X, y, options):
    """Return noise, variance and length that maximise the likelihood, by GPBoost."""
    try:
        import gpboost
    except ImportError as error:
        raise ImportError(
            "the hyper-parameters are found by GPBoost: pip install 'skcfgp[vecchia]'; or give "
            f"amplitude, length_scale and noise_level ({error})."
        ) from error
    messages = _Messages()
    with _GPBOOST_LOCK:
        gpboost.register_logger(messages)
        try:
            laplacian = {"cov_function": "matern", "cov_fct_shape": 0.5}
            model = gpboost.GPModel(gp_coords=X, gp_approx="vecchia", **laplacian, **options)
            model.fit(y=y, params={"trace": False})
            found = np.ravel(model.get_cov_pars()).astype(float)
        finally:
            gpboost.register_logger(logging.getLogger("gpboost"))
    for text in messages.warnings:
        warnings.warn(f"GPBoost: {text}", ConvergenceWarning, stacklevel=4)
    return found


class _Messages(logging.Logger):
    """Collects what GPBoost would print."""

    def __init__(self):
        super().__init__("gpboost")
        self.warnings = []

    def info(self, message, *args):
        if "[Warning]" in message:
            self.warnings.append(message.split("[Warning]")[-1].strip())

    def warning(self, message, *args):
        self.warnings.append(message.strip())
