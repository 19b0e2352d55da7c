"""What a fitted model says of new rows: mean and standard deviation, or the whole distribution."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..gaussian_process.common import last_step
from ..gaussian_process.regressor import SMALLEST_STD
from ..structures.typing import Distribution, Estimator, FloatArray, Rows


def predict_distribution(model: Estimator, X: Rows) -> Distribution:
    """Predict the distribution of each label, by any fitted model that has an error bar.

    A ``Pipeline`` of scikit-learn has no method for it, and passes none on; this function takes the
    features of its last step to it.

    Parameters
    ----------
    model : estimator
        Fitted: a regressor whose ``predict`` takes ``return_std``, a ``Pipeline`` that ends with
        one, such as those of `skcfgp.make_cfgp`, or a search (``GridSearchCV``) over either.
    X : array-like of shape (n_samples, ...)
        What the model takes: crystals, for the pipelines of `skcfgp.make_cfgp`.

    Returns
    -------
    scipy.stats frozen distribution
        Distributions of shape (n_samples,), in the unit of y, with ``cdf``, ``ppf``, ``interval``,
        ``logpdf``, ``rvs`` and scipy's other methods. They come from the model, if it has a method
        ``predict_distribution`` (`skcfgp.CalibratedRegressor`, `skcfgp.GaussianProcessRegressor`);
        otherwise a Gaussian.

    Raises
    ------
    TypeError
        If the model does not return a standard deviation.
    InvalidStructureError
        If a crystal cannot be used; with ``on_error="nan"`` of a `skcfgp.models.CrystalPipeline`
        its distribution is NaN instead.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcfgp import CalibratedRegressor, GaussianProcessRegressor
    >>> from skcfgp.calibration import predict_distribution
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 1))
    >>> y = X[:, 0] + 0.1 * rng.standard_t(3, size=100)
    >>> gp = GaussianProcessRegressor(alpha=0.02, optimizer=None)
    >>> model = make_pipeline(StandardScaler(), CalibratedRegressor(gp, method="student_t"))
    >>> distribution = predict_distribution(model.fit(X, y), [[0.0], [1.0]])
    >>> print(distribution.sf(0.5).round(2))  # probability of more than 0.5
    [0.01 0.99]
    """
    last, steps = _end_of(model)
    if not hasattr(last, "predict_distribution"):
        mean, std = predict_with_std(model, X)
        return norm(loc=mean, scale=np.where(std == 0, SMALLEST_STD, std))
    for step in steps:
        X = step.transform(X)
    return last.predict_distribution(X)


def predict_with_std(estimator: Estimator, X: Rows) -> tuple[FloatArray, FloatArray]:
    """Predict mean and standard deviation, by the best estimator of a search too.

    Parameters
    ----------
    estimator : estimator
        Fitted regressor whose ``predict`` takes ``return_std``, ``Pipeline`` that ends with one, or
        search (``GridSearchCV``) over either.
    X : array-like of shape (n_samples, ...)

    Returns
    -------
    mean, std : ndarray of shape (n_samples,)

    Raises
    ------
    TypeError
        If the estimator does not return a standard deviation, as a ``TransformedTargetRegressor``,
        whatever is in it.

    Notes
    -----
    With metadata routing on, a ``Pipeline`` passes ``return_std`` to the regressors of this
    package, which request it. Others need ``set_predict_request(return_std=True)``.
    """
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    last = last_step(estimator)
    if isinstance(last, TransformedTargetRegressor):
        raise TypeError(
            "TransformedTargetRegressor cannot return a standard deviation: it transforms the mean "
            "back and nothing else. For a change of scale use normalize_y=True of the Gaussian "
            "process; for another (a logarithm) skcfgp.calibration.MonotoneTargetRegressor."
        )
    try:
        prediction = estimator.predict(X, return_std=True)
    except TypeError as error:
        if "return_std" not in str(error):
            raise
        raise TypeError(
            f"{type(last).__name__}.predict does not take return_std=True. Use a regressor that "
            "has a standard deviation, such as skcfgp.GaussianProcessRegressor."
        ) from error
    if not isinstance(prediction, tuple) or len(prediction) != 2:
        raise TypeError(
            f"expected predict(X, return_std=True) of {type(estimator).__name__} to return mean "
            f"and standard deviation, got {type(prediction).__name__}."
        )
    return prediction


def _end_of(model):
    """Return what predicts at the end of searches and pipelines, and what transforms before it."""
    steps = []
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        elif hasattr(model, "predict_distribution"):
            return model, steps
        elif isinstance(model, Pipeline):
            steps, model = [*steps, *([model[:-1]] if len(model) > 1 else [])], model[-1]
        else:
            return model, steps
