"""Predictions of rows that a regressor has not learnt: by folds, or each from all others."""

from copy import deepcopy

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ..gaussian_process.common import last_step
from ..gaussian_process.regressor import GaussianProcessRegressor
from .common import check_count
from .predictive import predict_with_std
from .score_distributions import METHODS


def check_parameters(model, source):
    """Check those of a `CalibratedRegressor` that do not depend on the rows."""
    if model.method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, got {model.method!r}.")
    if source not in ("folds", "leave_one_out", "prefit"):
        raise ValueError(
            "cv must be a number of folds, a splitter, 'leave_one_out' or 'prefit', got "
            f"{model.cv!r}."
        )
    if model.n_neighbors is None:
        return
    check_count("n_neighbors", model.n_neighbors)
    if isinstance(getattr(model.estimator, "estimator", model.estimator), Pipeline):
        raise ValueError(
            "n_neighbors compares the features that the last step gets, and the estimator is a "
            "Pipeline. Make the calibration its last step: make_pipeline(..., "
            "CalibratedRegressor(...))."
        )


def by_folds(estimator, X, y, **options):
    """Predict mean and standard deviation of each row by a clone fitted on the other folds."""
    return cross_val_predict(_MeanAndStd(estimator), X, y, **options).T


def leave_one_out(gp):
    """Predict the rows of a fitted process, each from all others, as ``predict`` would.

    Equal rows are left out together: a crystal that is listed twice does not count as an error of
    0. The noise of the label, which ``predict`` leaves out too, is taken from the variance.
    """
    if not isinstance(gp, GaussianProcessRegressor):
        raise ValueError(
            "cv='leave_one_out' needs skcfgp.GaussianProcessRegressor as the estimator, got "
            f"{type(gp).__name__}. Set cv to a number of folds; in a Pipeline make the calibration "
            "the last step: make_pipeline(..., CalibratedRegressor(GaussianProcessRegressor()))."
        )
    mean, std = gp.predict_leave_one_out(equal_together=True)
    unit = gp.y_scale_  # squares in the unit of y may be no numbers
    return mean, unit * np.sqrt(np.maximum((std / unit) ** 2 - gp.noise_, 0.0))


def take_prefit(model, fit_params):
    """Return a copy of a fitted model, which a FrozenEstimator need not be."""
    check_is_fitted(model)
    inner = model.estimator if isinstance(model, FrozenEstimator) else model
    if isinstance(last_step(inner), SklearnGPR):  # it would predict its prior
        check_is_fitted(last_step(inner), "alpha_")
    if fit_params:
        raise ValueError(
            f"{sorted(fit_params)} would be passed to the estimator's fit, which is not called "
            "for an estimator that is fitted already. Leave them out."
        )
    # `partial_fit` must not teach what the user handed in.
    return model if isinstance(model, FrozenEstimator) else deepcopy(model)


def label_std_param(model, y_std):
    """Return the parameter of ``fit`` that tells a model the standard error of each label."""
    last = last_step(model)
    if not has_fit_parameter(last, "y_std"):
        raise TypeError(
            f"{type(last).__name__}.fit does not take y_std. Use a regressor that does, such as "
            "skcfgp.GaussianProcessRegressor."
        )
    to_step = isinstance(model, Pipeline) and not get_config()["enable_metadata_routing"]
    return {f"{model.steps[-1][0]}__y_std" if to_step else "y_std": y_std}


class _MeanAndStd(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """A regressor that predicts two columns, mean and standard deviation."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, **fit_params):
        self.estimator.fit(X, y, **fit_params)  # ours: `cross_val_predict` cloned it
        return self

    def predict(self, X):
        return np.column_stack(predict_with_std(self.estimator, X))

    def get_metadata_routing(self):
        return get_routing_for_object(self.estimator)

    def __sklearn_tags__(self):
        return get_tags(self.estimator)
