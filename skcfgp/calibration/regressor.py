"""`CalibratedRegressor`: distributions that agree with the errors on rows not learnt.

A standard deviation claims how large the errors are. Rows that the estimator was not fitted on
tell how large they were: the z-scores, error over standard deviation, of a calibrated Gaussian
model are standard normal. Recalibration keeps the mean and the order of the standard deviations,
and takes the distribution of an error, in units of the standard deviation, from the z-scores.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from ..gaussian_process.checks import check_label_std
from ..gaussian_process.common import last_step, last_step_input
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..structures.typing import (
    ArrayLike,
    Distribution,
    Estimator,
    FloatArray,
    Predicted,
    Rows,
    Self,
)
from .common import check_probability, copy_feature_names
from .distribution_metrics import two_sigma_std
from .exchangeable import exchangeable_rows
from .held_out import by_folds, check_parameters, label_std_param, leave_one_out, take_prefit
from .predictive import predict_with_std
from .repeats import distinct_rows, folds_of_distinct_rows
from .score_distributions import conformal_bound, fit_scores, rescaled
from .z_scores import LocalScale, smallest_std, z_scores


class CalibratedRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Correct the error bars of a regressor, and give predictive distributions and intervals.

    Like scikit-learn's ``CalibratedClassifierCV`` with ``ensemble=False``, but for regressors:
    z-scores come from rows that a clone was not fitted on, and the estimator is then fitted on all
    rows. The mean is the estimator's own. In a ``Pipeline`` it is the last step:
    ``make_pipeline(MEGNetFeaturizer(), CalibratedRegressor(GaussianProcessRegressor()))``.

    Parameters
    ----------
    estimator : estimator, default=None
        Regressor with ``predict(X, return_std=True)``, by default
        `skcfgp.GaussianProcessRegressor`.
    method : {"std_scaling", "student_t", "isotonic", "conformal"}, default="std_scaling"
        - "student_t": a Student-t whose scale and degrees of freedom nu have the greatest posterior
          probability, given the z-scores and a weak prior, log(nu - 1) ~ N(log 4, 1.5). Errors of
          materials data have heavier tails than a Gaussian's, and this is right at every level.
        - "std_scaling": a Gaussian whose standard deviation is multiplied by the root mean square
          of the z-scores, which maximises their likelihood [1]_.
        - "isotonic": the quantiles of the z-scores instead of those of a Gaussian [2]_; it also
          corrects a bias and asymmetric or heavy tails.
        - "conformal": split conformal prediction with the score abs(z) [3]_: intervals with a
          guaranteed coverage whatever the distribution, see the notes.

        `skcfgp.make_cfgp` uses "student_t".
    n_neighbors : int, default=None
        Number of nearest rows whose mean absolute z-score, relative to that of all rows, multiplies
        the standard deviation of a row before `method` is applied [5]_: errors can be larger in
        some regions than the estimator knows. Nearer rows count more. 20 is a good number. By
        default the factor is the same everywhere.
    cv : int, splitter, iterable, "leave_one_out" or "prefit", default=5
        Split that gives the z-scores; every row must be predicted once. An integer splits in the
        order of the rows, and keeps equal rows together, so that no crystal is predicted from its
        copy. If the rows are sorted, pass a splitter that shuffles. "leave_one_out" fits once and
        takes the exact leave-one-out predictions of a `skcfgp.GaussianProcessRegressor` with the
        hyper-parameters of that fit, where equal rows are left out together. "prefit" takes the
        estimator as it is, and all rows given to `fit` must be new to it. So does a
        ``FrozenEstimator``.
    n_jobs : int, default=None
        Number of folds that are fitted at once.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on all rows; with "prefit" a copy of the estimator.
    z_scores_ : ndarray of shape (n_calibration,)
        (y - mean) / std of the rows that were calibrated on.
    n_calibration_ : int
        Number of these rows.
    score_distribution_ : scipy.stats frozen distribution
        That of the z-score of a new row, by `method`.
    scale_ : float
        Factor on the standard deviation of the estimator: a quarter of the width of the central
        interval of coverage 95.45 %, in units of it.
    min_std_ : float
        Smallest standard deviation that is predicted, in the unit of y: a thousandth of the root
        mean square error of the rows with z-scores. It is that of the labels, or their size, if all
        errors are 0.
    local_scale_ : callable or None
        Maps feature vectors to the factor that their neighbours give; None without `n_neighbors`.
    n_features_in_, feature_names_in_
        Those of `estimator_`, if it has them.

    Notes
    -----
    The guarantee of "conformal" is that an interval asked for with coverage c holds a new label
    with a probability of at least c, on average over calibration sets, if the rows calibrated on
    and the new row are exchangeable. It needs rows held out from the fit, that is "prefit"; with
    folds it holds only approximately, since the final fit is not that of the folds [4]_.

    Labels that a query chose are not exchangeable with those to come. `fit` learns from the rows
    marked as ``selected`` and leaves them out of the calibration; `skcfgp.ActiveLearner` marks
    them. `partial_fit` leaves the calibration as it is.

    References
    ----------
    .. [1] Levi, Gispan, Giladi, Fetaya, Sensors 22, 5540 (2022). doi:10.3390/s22155540
    .. [2] Kuleshov, Fenner, Ermon, "Accurate uncertainties for deep learning using calibrated
       regression" (ICML 2018). doi:10.48550/arXiv.1807.00263
    .. [3] Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, J. Am. Stat. Assoc. 113, 1094 (2018).
       doi:10.1080/01621459.2017.1307116
    .. [4] Barber, Candes, Ramdas, Tibshirani, Ann. Stat. 49, 486 (2021). doi:10.1214/20-AOS1965
    .. [5] Papadopoulos, Vovk, Gammerman, "Regression conformal prediction with nearest neighbours",
       J. Artif. Intell. Res. 40, 815 (2011). doi:10.1613/jair.3198

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import BayesianRidge
    >>> from skcfgp import CalibratedRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(4000, 1))
    >>> y = X[:, 0] + rng.standard_t(3, size=4000)
    >>> model = CalibratedRegressor(BayesianRidge(), method="conformal").fit(X[:2000], y[:2000])
    >>> lower, upper = model.predict_interval(X[2000:], coverage=0.9)
    >>> print(f"{np.mean((lower <= y[2000:]) & (y[2000:] <= upper)):.2f}")
    0.91
    """

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012
    __metadata_request__fit = {"y_std": True, "selected": True}  # noqa: RUF012

    def __init__(
        self,
        estimator: Estimator | None = None,
        *,
        method: Literal["std_scaling", "student_t", "isotonic", "conformal"] = "std_scaling",
        n_neighbors: int | None = None,
        cv: Any = 5,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.n_neighbors = n_neighbors
        self.cv = cv
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        unseen: ArrayLike | None = None,
        selected: ArrayLike | None = None,
        y_std: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Get the z-scores, and fit the estimator on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Feature vectors, or whatever the estimator takes.
        y : array-like of shape (n_samples,)
        unseen : array-like of shape (n_samples,), bool, default=None
            Marks the labels that the features owe nothing to, where a network was trained on the
            others. Only these are calibrated on; all are learnt, choose the hyper-parameters and
            are compared with their neighbours. By default all are unseen.
        selected : array-like of shape (n_samples,), bool, default=None
            Marks the labels that a query chose. They are learnt, but not calibrated on.
        y_std : array-like of shape (n_samples,), default=None
            Known standard error of each label, in the unit of y; 0 where it is exact. The estimator
            is told, and it explains its part of the errors. Predictions are of the value without
            it.
        **fit_params
            Passed to the estimator's ``fit``; those with a value for each row are split with them.

        Returns
        -------
        self : CalibratedRegressor

        Raises
        ------
        ValueError
            If a standard deviation is not positive where the error is not zero, there are too few
            rows for the method, or a parameter is not valid.
        TypeError
            If the estimator has no standard deviation, or X does not hold feature vectors where
            they are needed.

        Warns
        -----
        ExchangeabilityWarning
            If fewer than 12 distinct rows are left to calibrate on without the selected ones, which
            are then used as well.
        FewScoresWarning
            If all errors are 0, or, with "student_t", fewer than 12 distinct rows have others. The
            distributions are wide then: those of the estimator or wider.
        """
        check_parameters(self, self._score_source())
        y = validate_data(self, X="no_validation", y=y, y_numeric=True).astype(float)
        if y_std is not None:
            y_std = check_label_std(y_std, y)
            if self._score_source() != "prefit":
                fit_params = fit_params | label_std_param(self._base(), y_std)
        group = distinct_rows(X, len(y))
        mean, std = self._fit_and_predict_held_out(X, y, group, fit_params)
        check_consistent_length(mean, y)
        std = std if y_std is None else np.hypot(std, y_std)
        z = z_scores(y, mean, std)
        self.local_scale_ = None
        if self.n_neighbors is not None and len(z) > 1:  # a single row has no neighbour
            self.local_scale_ = LocalScale(X, z, self.n_neighbors, group)
            z = z / self.local_scale_()
        left = exchangeable_rows(group, selected, unseen)
        self.z_scores_ = z = z[left]
        self.n_calibration_ = len(z)
        self.score_distribution_ = fit_scores(self.method, z, group[left])
        self.scale_ = float(two_sigma_std(self.score_distribution_))
        self.min_std_ = smallest_std(y, mean)
        copy_feature_names(self.estimator_, self)
        return self

    @overload
    def predict(self, X: Rows, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: Rows, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(self, X: Rows, return_std: bool) -> Predicted: ...

    def predict(self, X: Rows, return_std: bool = False) -> Predicted:
        """Predict the mean and, if asked for, the recalibrated standard deviation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False

        Returns
        -------
        mean : ndarray of shape (n_samples,)
            The estimator's own, in the unit of y.
        std : ndarray of shape (n_samples,)
            Only with `return_std`: a quarter of the width of the central interval of coverage
            95.45 %, so that two of them hold a label with the probability of two sigma.
        """
        check_is_fitted(self, "scale_")
        if not return_std:
            return self.estimator_.predict(X)
        mean, std = self._local_prediction(X)
        return mean, self.scale_ * std

    def predict_distribution(self, X: Rows) -> Distribution:
        """Predict the distribution of each label.

        `skcfgp.calibration.predict_distribution` does it for a ``Pipeline``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scipy.stats frozen distribution
            Distributions of shape (n_samples,), in the unit of y: a Student-t with "student_t", a
            Gaussian with "std_scaling". With the other methods they pass through the z-scores, and
            their density is as rough as these are.
        """
        check_is_fitted(self, "scale_")
        return rescaled(self.score_distribution_, *self._local_prediction(X))

    def predict_interval(self, X: Rows, coverage: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Predict intervals that hold the labels with a given probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        coverage : float, default=0.95
            Probability between 0 and 1. The tails left out are equal in probability. The interval
            is that of `predict_distribution`, except that "conformal" rounds its ends up to the
            next z-score, as its guarantee demands.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,)
            In the unit of y. With "isotonic" the mean need not lie between them.

        Raises
        ------
        ValueError
            If "conformal" has too few scores for the coverage.
        """
        check_is_fitted(self, "scale_")
        check_probability("coverage", coverage)
        if self.method == "conformal" and self.z_scores_.any():
            high = conformal_bound(self.z_scores_, coverage)
            mean, std = self._local_prediction(X)
            return mean - high * std, mean + high * std
        return self.predict_distribution(X).interval(coverage)

    def _learns_by_row(self):
        model = last_step(getattr(self, "estimator_", self._base()))
        return hasattr(model, "partial_fit") and not isinstance(model, FrozenEstimator)

    @available_if(_learns_by_row)
    def partial_fit(self, X: Rows, y: ArrayLike, y_std: ArrayLike | None = None) -> Self:
        """Let the estimator learn more rows; its calibration stays as it is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        y_std : array-like of shape (n_samples,), default=None
            Known standard error of each label, as in `fit`.

        Returns
        -------
        self : CalibratedRegressor
        """
        if not hasattr(self, "scale_"):
            return self.fit(X, y, y_std=y_std)
        known = {} if y_std is None else {"y_std": y_std}
        last_step(self.estimator_).partial_fit(last_step_input(self.estimator_, X), y, **known)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata `fit` passes on, and to whom.

        Returns
        -------
        MetadataRouter
        """
        router, source = MetadataRouter(owner=self).add_self_request(self), self._score_source()
        if source != "prefit":
            fit = MethodMapping().add(caller="fit", callee="fit")
            router.add(estimator=self._base(), method_mapping=fit)
        if source == "folds":
            split = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=check_cv(self.cv), method_mapping=split)
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._base())
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    def _base(self):
        return GaussianProcessRegressor() if self.estimator is None else self.estimator

    def _score_source(self):
        if isinstance(self.estimator, FrozenEstimator):
            return "prefit"
        return self.cv if isinstance(self.cv, str) else "folds"

    def _fit_and_predict_held_out(self, X, y, group, fit_params):
        """Set ``estimator_``, and predict all rows by models that have not learnt them."""
        source, routed_params = self._score_source(), self._route(fit_params)
        if source == "prefit":
            self.estimator_ = take_prefit(self._base(), fit_params)
            return predict_with_std(self.estimator_, X)
        if source == "folds":
            options = {"n_jobs": self.n_jobs, "params": fit_params}
            cv = folds_of_distinct_rows(self.cv, group)
            held_out = by_folds(self._base(), X, y, cv=cv, **options)
        self.estimator_ = clone(self._base()).fit(X, y, **routed_params)
        return held_out if source == "folds" else leave_one_out(self.estimator_)

    def _local_prediction(self, X):
        """Predict mean and standard deviation, before the method's own factor."""
        mean, std = predict_with_std(self.estimator_, X)
        std = std if self.local_scale_ is None else std * self.local_scale_(X)
        return mean, np.maximum(std, self.min_std_ / self.scale_)

    def _route(self, fit_params):
        """Return what goes to the estimator's ``fit``."""
        if not get_config()["enable_metadata_routing"] or self._score_source() == "prefit":
            return fit_params
        return process_routing(self, "fit", **fit_params).estimator.fit
