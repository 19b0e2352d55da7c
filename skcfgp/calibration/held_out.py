"""Predictions of rows that a regressor has not learnt: by folds, or each from all others."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin
from sklearn.model_selection import cross_val_predict
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from ..gaussian_process.common import last_step
from ..gaussian_process.regressor import GaussianProcessRegressor
from .scorers import predict_with_std

__all__ = ["by_folds", "leave_one_out"]


def by_folds(estimator, X, y, **options):
    """Predict each row by a clone that was fitted on the other folds.

    Parameters
    ----------
    estimator : estimator
        Regressor with ``predict(X, return_std=True)``, or a ``Pipeline`` that ends in one.
    X : array-like of shape (n_samples, ...)
    y : array-like of shape (n_samples,)
    **options
        Of `sklearn.model_selection.cross_val_predict`.

    Returns
    -------
    mean, std : ndarray of shape (n_samples,)
    """
    return cross_val_predict(_MeanAndStd(estimator), X, y, **options).T


def leave_one_out(model):
    """Predict the rows that a Gaussian process was fitted on, each from all others.

    Parameters
    ----------
    model : GaussianProcessRegressor or Pipeline that ends in one
        Fitted.

    Returns
    -------
    mean, std : ndarray of shape (n_samples,)
        As ``predict`` would give them: without the noise in ``alpha``.

    Raises
    ------
    ValueError
        If it is another regressor.
    """
    last = last_step(model)
    if not isinstance(last, GaussianProcessRegressor):
        raise ValueError(
            "cv='leave_one_out' needs skcfgp.GaussianProcessRegressor as the estimator or the last "
            f"step of a Pipeline, got {type(last).__name__}. Set cv to a number of folds."
        )
    mean, std = last.predict_leave_one_out()
    return mean, np.sqrt(np.maximum(std**2 - last.alpha * last.y_scale_**2, 0.0))


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
