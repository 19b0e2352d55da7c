"""How far a metric of so many rows can be off by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from ..structures.typing import ArrayLike, Distribution, FloatArray, RandomState
from .common import check_count, check_predictions, check_probability, check_std

#: Number of values that the bootstrap holds at once, 80 MB.
BATCH = 10**7


def calibrated_reference(
    metric: Callable[..., Any],
    y_std: Distribution | ArrayLike,
    *,
    n_resamples: int = 1000,
    random_state: RandomState = None,
) -> FloatArray:
    """Compute a metric as if the model were calibrated, with the standard deviations it has.

    Labels are drawn from the distribution that was predicted: errors from normal distributions of
    mean 0 and standard deviation `y_std`, as in the reference of `spearman`.

    Parameters
    ----------
    metric : callable
        Called as ``metric(y_true, y_pred, y_std)``; returns a float, or several. Of a distribution
        it gets the median and a quarter of the central interval of coverage 95.45 %.
    y_std : array-like of shape (n_samples,), or frozen distribution
        Standard deviations, or predictive distributions.
    n_resamples : int, default=1000
    random_state : int, RandomState or None, default=None
        Controls the errors.

    Returns
    -------
    ndarray of shape (n_resamples,) or (n_resamples, n_values)

    Examples
    --------
    What is seen of the ENCE is mostly noise if there are many bins:

    >>> import numpy as np
    >>> from skcfgp.calibration import calibrated_reference, ence
    >>> y_std = np.linspace(0.5, 2, 500)
    >>> for n_bins in (5, 50):
    ...     def metric(*predictions):
    ...         return ence(*predictions, n_bins=n_bins)
    ...     values = calibrated_reference(metric, y_std, n_resamples=200, random_state=0)
    ...     print(f"{n_bins} bins: {values.mean():.2f}")
    5 bins: 0.06
    50 bins: 0.18
    """
    from sklearn.utils import check_random_state  # takes a second to load

    from .distribution_metrics import two_sigma_std

    random = check_random_state(random_state)
    n_resamples = range(check_count("n_resamples", n_resamples))
    if hasattr(y_std, "rvs"):
        distribution: Any = y_std
        median, std = distribution.median(), two_sigma_std(distribution)
        draws = (distribution.rvs(size=len(median), random_state=random) for _ in n_resamples)
    else:
        std = check_std(y_std)
        median = np.zeros_like(std)
        draws = (std * random.standard_normal(len(std)) for _ in n_resamples)
    return np.array([metric(y, median, std) for y in draws])


def mean_squared_z_interval(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike,
    *,
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    random_state: RandomState = None,
) -> tuple[float, float]:
    """Bootstrap interval of `mean_squared_z`, bias-corrected and accelerated [1]_.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)
    confidence_level : float, default=0.95
    n_resamples : int, default=1000
        Number of bootstrap samples, at least 100.
    random_state : int, RandomState or None, default=None
        Controls the resampling.

    Returns
    -------
    low, high : float
        Both are the value itself if every z squared is the same, as with one row.

    References
    ----------
    .. [1] Efron, "Better Bootstrap Confidence Intervals", J. Am. Stat. Assoc. 82, 171 (1987).
       doi:10.1080/01621459.1987.10478410
    """
    y_true, y_pred, y_std = check_predictions(y_true, y_pred, y_std)
    check_probability("confidence_level", confidence_level)
    squares = ((y_true - y_pred) / y_std) ** 2
    n_resamples = check_count("n_resamples", n_resamples, 100)
    if np.ptp(squares) <= 1e-9 * squares.max():  # but for rounding the same: nothing to resample
        return float(squares[0]), float(squares[0])
    interval = bootstrap(
        (squares,),
        np.mean,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        batch=max(1, BATCH // len(squares)),
        method="BCa",
        random_state=random_state,
    ).confidence_interval
    return float(interval.low), float(interval.high)
