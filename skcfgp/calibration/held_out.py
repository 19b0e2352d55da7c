"""Predictions of rows that a regressor has not learnt: by folds, or each from all others."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin
from sklearn.model_selection import cross_val_predict
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from ..gaussian_process.regressor import GaussianProcessRegressor
from .predictive import predict_with_std

__all__ = ["by_folds", "leave_one_out"]


def by_folds(estimator, X, y, **options):
    """Predict mean and standard deviation of each row by a clone fitted on the other folds."""
    return cross_val_predict(_MeanAndStd(estimator), X, y, **options).T


def leave_one_out(gp):
    """Predict the rows of a fitted process, each from all others, as ``predict`` would.

    The noise of the label, which ``predict`` leaves out too, is taken from the variance.
    """
    if not isinstance(gp, GaussianProcessRegressor):
        raise ValueError(
            "cv='leave_one_out' needs skcfgp.GaussianProcessRegressor as the estimator, got "
            f"{type(gp).__name__}. Set cv to a number of folds; in a Pipeline make the calibration "
            "the last step: make_pipeline(..., CalibratedRegressor(GaussianProcessRegressor()))."
        )
    mean, std = gp.predict_leave_one_out()
    return mean, np.sqrt(np.maximum(std**2 - gp.noise_ * gp.y_scale_**2, 0.0))


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
