"""`MonotoneTargetRegressor`: learn a function of the target, and answer in its unit.

A quantity over orders of magnitude is learnt as its logarithm. Intervals and probabilities pass
through any monotone function: its inverse takes the quantiles of what was learnt to those of the
target, so the answer is a whole distribution again, which is not symmetric in the unit of y.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from ..gaussian_process.checks import check_label_std
from ..gaussian_process.common import last_step, last_step_input
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..structures.typing import ArrayLike, Estimator, FloatArray, Predicted, Rows, Self
from .common import check_probability, copy_feature_names
from .distribution_metrics import two_sigma_std
from .predictive import predict_distribution
from .transformed_distribution import TransformedDistribution, domain_of_inverse, slope


def exp10(x):
    """Return 10 to the power of x."""
    return np.power(10.0, x)


class MonotoneTargetRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Learn a monotone function of the target, by default log10, and answer in the unit of y.

    scikit-learn's ``TransformedTargetRegressor`` transforms the mean back and cannot return a
    standard deviation. This one transforms the distribution. Strategies of `skcfgp.query` work on
    what was learnt: on the scale of the logarithm.

    Parameters
    ----------
    regressor : estimator, default=None
        Regressor with ``predict(X, return_std=True)``, by default
        `skcfgp.GaussianProcessRegressor`.
    func : callable, default=numpy.log10
        Strictly monotone function of an array, from the unit of y to what is learnt.
    inverse_func : callable, default=10 ** x
        Its inverse. Where a regressor predicts what `func` cannot be, such as a square root below
        0, the answer is the nearest value of y that there is.

    Attributes
    ----------
    regressor_ : estimator
        Fitted to ``func(y)``.
    increasing_ : bool
        Whether `func` increases.
    domain_ : tuple of two floats
        Ends of the numbers that `func` can be.
    n_features_in_, feature_names_in_
        Those of `regressor_`, if it has them.

    See Also
    --------
    sklearn.compose.TransformedTargetRegressor : The same for the mean alone.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import GaussianProcessRegressor
    >>> from skcfgp.calibration import MonotoneTargetRegressor
    >>> X = np.linspace(0, 1, 20)[:, None]
    >>> gp = GaussianProcessRegressor(alpha=1e-4, normalize_y=True, optimizer=None)
    >>> model = MonotoneTargetRegressor(gp).fit(X, 10 ** (3 * X[:, 0]))
    >>> print(model.predict([[1 / 3], [2 / 3]]).round())
    [ 10. 100.]
    >>> lower, upper = model.predict_interval([[1.5]], coverage=0.9)
    >>> bool(lower > 0)
    True
    """

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012
    __metadata_request__fit = {"y_std": True, "selected": True}  # noqa: RUF012

    def __init__(
        self,
        regressor: Estimator | None = None,
        *,
        func: Callable[..., Any] = np.log10,
        inverse_func: Callable[..., Any] = exp10,
    ) -> None:
        self.regressor = regressor
        self.func = func
        self.inverse_func = inverse_func

    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        y_std: ArrayLike | None = None,
        selected: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit the regressor to ``func(y)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Feature vectors, or whatever the regressor takes.
        y : array-like of shape (n_samples,)
            Labels in their unit; positive, for a logarithm.
        y_std : array-like of shape (n_samples,), default=None
            Known standard error of each label, in the unit of y. The regressor is told that of
            ``func(y)``, to first order.
        selected : array-like of shape (n_samples,), bool, default=None
            Marks the labels that a query chose, for a `CalibratedRegressor`. A regressor whose
            ``fit`` does not take it is not told.
        **fit_params
            Passed to the regressor's ``fit``, such as ``unseen``.

        Returns
        -------
        self : MonotoneTargetRegressor

        Raises
        ------
        ValueError
            If a label has no finite ``func(y)``, such as one that is not positive for a logarithm,
            or `func` and `inverse_func` are not monotone and inverse to each other.
        """
        y = validate_data(self, X="no_validation", y=y, y_numeric=True).astype(float)
        if not len(y):
            raise ValueError("expected at least one label, got 0 samples.")
        z, self.increasing_ = self._transform(y)
        self.domain_ = domain_of_inverse(self.func, self.inverse_func, y, z, self.increasing_)
        routed = self._route(fit_params)
        if y_std is not None:
            routed = routed | {"y_std": self._label_std(y_std, y)}
        if selected is not None and has_fit_parameter(last_step(self._base()), "selected"):
            routed = routed | {"selected": selected}
        self.regressor_ = clone(self._base()).fit(X, z, **routed)
        copy_feature_names(self.regressor_, self)
        return self

    @overload
    def predict(self, X: Rows, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: Rows, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(self, X: Rows, return_std: bool) -> Predicted: ...

    def predict(self, X: Rows, return_std: bool = False) -> Predicted:
        """Predict the median and, if asked for, a standard deviation of the same unit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False

        Returns
        -------
        median : ndarray of shape (n_samples,)
            ``inverse_func`` of what the regressor predicts, in the unit of y.
        std : ndarray of shape (n_samples,)
            Only with `return_std`: half of the central interval of coverage 95.45 %, over two. The
            interval is not symmetric about the median; see `predict_interval`.
        """
        check_is_fitted(self, "regressor_")
        median = self._back(self.regressor_.predict(X))
        return (median, two_sigma_std(self.predict_distribution(X))) if return_std else median

    def predict_distribution(self, X: Rows) -> TransformedDistribution:
        """Predict the distribution of each label, in the unit of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        TransformedDistribution
            Distributions of shape (n_samples,), with ``cdf``, ``sf``, ``ppf``, ``isf``,
            ``interval``, ``median``, ``pdf``, ``logpdf`` and ``rvs``, as a frozen distribution of
            scipy. ``inner`` is the distribution on the scale that was learnt.
        """
        check_is_fitted(self, "regressor_")
        inner = predict_distribution(self.regressor_, X)
        functions = self.func, self.inverse_func
        return TransformedDistribution(inner, *functions, self.increasing_, self.domain_)

    def predict_interval(self, X: Rows, coverage: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Predict intervals that hold the labels with a given probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        coverage : float, default=0.95
            Probability between 0 and 1.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,)
            In the unit of y, and not symmetric about the median.
        """
        check_is_fitted(self, "regressor_")
        check_probability("coverage", coverage)
        if not hasattr(self.regressor_, "predict_interval"):
            return self.predict_distribution(X).interval(coverage)
        ends = map(self._back, self.regressor_.predict_interval(X, coverage))
        return tuple(ends) if self.increasing_ else tuple(ends)[::-1]

    def _learns_by_row(self):
        return hasattr(last_step(getattr(self, "regressor_", self._base())), "partial_fit")

    @available_if(_learns_by_row)
    def partial_fit(self, X: Rows, y: ArrayLike, y_std: ArrayLike | None = None) -> Self:
        """Let the regressor learn more rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        y_std : array-like of shape (n_samples,), default=None
            Known standard error of each label, in the unit of y.

        Returns
        -------
        self : MonotoneTargetRegressor
        """
        if not hasattr(self, "regressor_"):
            return self.fit(X, y, y_std=y_std)
        y = np.asarray(y, dtype=float)
        z, _ = self._transform(y)
        known = {} if y_std is None else {"y_std": self._label_std(y_std, y)}
        features = last_step_input(self.regressor_, X)
        last_step(self.regressor_).partial_fit(features, z, **known)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata `fit` passes on to the regressor.

        Returns
        -------
        MetadataRouter
        """
        fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(regressor=self._base(), method_mapping=fit)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._base())
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        tags.target_tags.positive_only = self.func in (np.log, np.log2, np.log10)
        return tags

    def _base(self):
        return GaussianProcessRegressor() if self.regressor is None else self.regressor

    def _back(self, z):
        with np.errstate(over="ignore", divide="ignore"):
            return np.asarray(self.inverse_func(np.clip(z, *self.domain_)), dtype=float)

    def _label_std(self, y_std, y):
        """Return the standard errors of ``func(y)``, to first order."""
        return np.abs(slope(self.func, y)) * check_label_std(y_std, y)

    def _route(self, fit_params):
        """Return what goes to the regressor's ``fit``."""
        if not get_config()["enable_metadata_routing"]:
            return fit_params
        return dict(process_routing(self, "fit", **fit_params).regressor.fit)

    def _transform(self, y):
        """Return ``func(y)``, and whether it rises; refuse labels for which it does not exist."""
        with np.errstate(invalid="ignore", divide="ignore"):
            z = np.asarray(self.func(y), dtype=float)
        name = getattr(self.func, "__name__", str(self.func))
        wrong = np.flatnonzero(~np.isfinite(z))
        if len(wrong):
            hint = " Labels must be positive." if np.all(y[wrong] <= 0) else ""
            raise ValueError(
                f"{name} of the label is not a finite number in {len(wrong)} of {len(y)} rows "
                f"(first: row {wrong[0]}, {y[wrong[0]]:g}).{hint} Correct or remove rows "
                f"{wrong[:5].tolist()}."
            )
        with np.errstate(all="ignore"):
            again = np.asarray(self.inverse_func(z), dtype=float)
        undone = np.isclose(again, y, rtol=1e-6, atol=1e-9 * np.abs(y).max(initial=0))
        if not undone.all():
            row = np.argmin(undone)
            raise ValueError(
                f"inverse_func does not undo {name}: the label {y[row]:g} in row {row} comes back "
                f"as {again[row]:g}. Give a function and its inverse."
            )
        steps = np.diff(z[np.argsort(y)])
        rises = bool(np.any(steps > 0)) if np.any(steps) else bool(slope(self.func, y)[0] > 0)
        if np.any(steps * (1 if rises else -1) < 0):
            raise ValueError(
                f"{name} must be monotone, and it rises between some labels and falls between "
                "others."
            )
        return z, rises
