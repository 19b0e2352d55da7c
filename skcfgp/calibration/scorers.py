"""Scorers that see the error bars, for ``scoring=`` in scikit-learn's model selection.

``make_scorer`` cannot make them: it calls ``predict(X)`` and nothing else. A scorer here is a
callable ``(estimator, X, y) -> float``, greater is better, for every estimator whose ``predict``
takes ``return_std=True``. Likelihood, CRPS and miscalibration area are those of the distribution
that the estimator predicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..structures.typing import ArrayLike, Estimator, Rows
from .distribution_metrics import crps
from .metrics import miscalibration_area, negative_log_likelihood
from .predictive import predict_distribution, predict_with_std

__all__ = [
    "make_distribution_scorer",
    "make_std_scorer",
    "neg_crps_scorer",
    "neg_miscalibration_area_scorer",
    "neg_nll_scorer",
    "predict_with_std",
]


def _distribution_of(estimator, X):
    return (predict_distribution(estimator, X),)


@dataclass(frozen=True)
class _Scorer:
    maker: str
    predict: Callable  # what the metric gets after the labels, as a tuple
    metric: Callable
    greater_is_better: bool = True
    options: dict = field(default_factory=dict)

    def __call__(self, estimator, X, y):
        value = self.metric(y, *self.predict(estimator, X), **self.options)
        return value if self.greater_is_better else -value

    def __repr__(self):
        sign = "" if self.greater_is_better else ", greater_is_better=False"
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{self.maker}({getattr(self.metric, '__name__', self.metric)}{sign}{options})"

    def _accept_sample_weight(self):
        """Tell scikit-learn (1.8 and newer), which asks this of every scorer in a dict."""
        return False


def make_std_scorer(
    metric: Callable[..., float], *, greater_is_better: bool = True, **options: Any
) -> Callable[[Estimator, Rows, ArrayLike], float]:
    """Make a scorer from a metric of ``(y_true, y_pred, y_std)``.

    `make_distribution_scorer` is for metrics of the whole distribution.

    Parameters
    ----------
    metric : callable
        Function of ``(y_true, y_pred, y_std)``, such as those of `skcfgp.calibration`. The scorer
        can be pickled if the function is defined in a module.
    greater_is_better : bool, default=True
        Whether a high value is good; if not, the scorer changes the sign.
    **options
        Passed to `metric`.

    Returns
    -------
    callable
        ``(estimator, X, y) -> float``.

    Notes
    -----
    Where the metric raises, as for a standard deviation of 0, scikit-learn makes the score NaN with
    a warning, and a search ranks it last. Each scorer calls ``predict``: to predict once for
    several metrics, give ``scoring`` a function that calls `predict_with_std` and returns a dict.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skcfgp import GaussianProcessRegressor
    >>> from skcfgp.calibration import ence
    >>> from skcfgp.kernels import Laplacian
    >>> from skcfgp.calibration.scorers import make_std_scorer, neg_nll_scorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2))
    >>> y = X.sum(axis=1) + 0.3 * rng.normal(size=60)
    >>> search = GridSearchCV(
    ...     GaussianProcessRegressor(Laplacian(length_scale=10), optimizer=None),
    ...     {"alpha": [1e-6, 0.1]},
    ...     scoring={
    ...         "nll": neg_nll_scorer,
    ...         "ence": make_std_scorer(ence, greater_is_better=False, n_bins=5),
    ...     },
    ...     refit="nll",
    ... ).fit(X, y)
    >>> search.best_params_
    {'alpha': 0.1}
    """
    if not callable(metric):
        raise TypeError(f"metric must be a function of (y_true, y_pred, y_std), got {metric!r}.")
    return _Scorer("make_std_scorer", predict_with_std, metric, greater_is_better, options)


def make_distribution_scorer(
    metric: Callable[..., float], *, greater_is_better: bool = True, **options: Any
) -> Callable[[Estimator, Rows, ArrayLike], float]:
    """Make a scorer from a metric of ``(y_true, distribution)``.

    Parameters
    ----------
    metric : callable
        Function of the labels and the distribution that `skcfgp.calibration.predict_distribution`
        gives, such as `skcfgp.calibration.crps`.
    greater_is_better : bool, default=True
        Whether a high value is good; if not, the scorer changes the sign.
    **options
        Passed to `metric`.

    Returns
    -------
    callable
        ``(estimator, X, y) -> float``.

    Examples
    --------
    >>> from skcfgp.calibration.scorers import neg_nll_scorer
    >>> neg_nll_scorer
    make_distribution_scorer(negative_log_likelihood, greater_is_better=False)
    """
    if not callable(metric):
        raise TypeError(f"metric must be a function of (y_true, distribution), got {metric!r}.")
    name = "make_distribution_scorer"
    return _Scorer(name, _distribution_of, metric, greater_is_better, options)


#: Minus the negative log likelihood: the mean log density, in nats.
neg_nll_scorer = make_distribution_scorer(negative_log_likelihood, greater_is_better=False)
#: Minus the CRPS, in the unit of y.
neg_crps_scorer = make_distribution_scorer(crps, greater_is_better=False)
#: Minus the miscalibration area in the interval form.
neg_miscalibration_area_scorer = make_distribution_scorer(
    miscalibration_area, greater_is_better=False, form="interval"
)
