"""How far a metric of so many rows can be off by chance."""

import numpy as np
from scipy.stats import norm
from sklearn.utils import check_random_state

from .common import check_count, check_predictions, check_std

__all__ = ["calibrated_reference", "mean_squared_z_interval"]


def calibrated_reference(metric, y_std, *, n_resamples=1000, random_state=None):
    """Compute a metric as if the model were calibrated, with the standard deviations it has.

    Errors are drawn from normal distributions of mean 0 and standard deviation `y_std` [1]_.

    Parameters
    ----------
    metric : callable
        Called as ``metric(y_true, y_pred, y_std)``; returns a float, or several.
    y_std : array-like of shape (n_samples,)
    n_resamples : int, default=1000
    random_state : int, RandomState or None, default=None

    Returns
    -------
    ndarray of shape (n_resamples,) or (n_resamples, n_values)

    References
    ----------
    .. [1] Rasmussen, Duan, Kulik, Jensen, "Uncertain of uncertainties? A comparison of uncertainty
       quantification metrics for chemical data sets", J. Cheminform. 15, 121 (2023).
       doi:10.1186/s13321-023-00790-0

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
    y_std = check_std(y_std)
    random = check_random_state(random_state)
    exact = np.zeros_like(y_std)
    return np.array(
        [
            metric(y_std * random.standard_normal(len(y_std)), exact, y_std)
            for _ in range(check_count("n_resamples", n_resamples))
        ]
    )


def mean_squared_z_interval(
    y_true, y_pred, y_std, *, confidence_level=0.95, n_resamples=1000, random_state=None
):
    """Bootstrap interval of `mean_squared_z`, bias-corrected and accelerated [1]_.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)
    confidence_level : float, default=0.95
    n_resamples : int, default=1000
    random_state : int, RandomState or None, default=None

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
    n_resamples = check_count("n_resamples", n_resamples)
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level must be between 0 and 1, got {confidence_level!r}.")
    squares = ((y_true - y_pred) / y_std) ** 2
    value = squares.mean()
    if np.ptp(squares) == 0:
        return float(value), float(value)
    random, n = check_random_state(random_state), len(squares)
    means = np.array([squares[random.randint(n, size=n)].mean() for _ in range(n_resamples)])
    # The fraction below is kept from 0 and 1, where few resamples can lead it.
    below = np.mean(means < value) + np.mean(means == value) / 2
    bias = norm.ppf(np.clip(below, 0.5 / n_resamples, 1 - 0.5 / n_resamples))
    # The jackknife values of a mean are its deviations, but for a factor.
    deviation = squares - value
    acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    tails = bias + norm.ppf([(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    low, high = np.quantile(means, norm.cdf(bias + tails / (1 - acceleration * tails)))
    return float(low), float(high)
