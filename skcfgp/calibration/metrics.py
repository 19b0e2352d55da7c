"""Calibration, sharpness and proper scores of predictions with a standard deviation.

The errors are ``e = y_true - y_pred``, in standard deviations ``z = e / y_std``. A model is
calibrated if z is a standard normal variable whatever `y_std` is.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..structures.typing import ArrayLike, Distribution, FloatArray
from .common import check_count, check_predictions, check_std, mean_of_ties
from .distribution_metrics import as_distribution, crps, pit_values, wilson


def coverage(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike, n_sigma: float = 2.0) -> float:
    """Fraction of rows with an error of at most `n_sigma` standard deviations.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)
    n_sigma : float, default=2.0

    Returns
    -------
    float
        0.6827, 0.9545 and 0.9973 for a Gaussian and 1, 2 and 3.
    """
    return float(_inside(y_true, y_pred, y_std, n_sigma).mean())


def coverage_interval(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike,
    n_sigma: float = 2.0,
    confidence_level: float = 0.95,
) -> tuple[float, float]:
    """Wilson interval of the `coverage`, for independent rows [1]_.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)
    n_sigma : float, default=2.0
    confidence_level : float, default=0.95

    Returns
    -------
    low, high : float

    References
    ----------
    .. [1] Wilson, J. Am. Stat. Assoc. 22, 209 (1927). doi:10.1080/01621459.1927.10502953
    """
    return wilson(_inside(y_true, y_pred, y_std, n_sigma), confidence_level)


def calibration_curve(
    y_true: ArrayLike,
    y_pred: Distribution | ArrayLike,
    y_std: ArrayLike | None = None,
    *,
    form: Literal["interval", "quantile"] = "interval",
    n_levels: int = 100,
) -> tuple[FloatArray, FloatArray]:
    """Observed against predicted probability.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    y_pred : frozen distribution, or array-like of shape (n_samples,)
        Predictive distributions; or means of Gaussians, with `y_std`.
    y_std : array-like of shape (n_samples,), default=None
    form : {"interval", "quantile"}, default="interval"
        See `miscalibration_area`.
    n_levels : int, default=100
        Probabilities, evenly spaced from 0 to 1.

    Returns
    -------
    probability, observed : ndarray of shape (n_levels,)
    """
    if form not in ("interval", "quantile"):
        raise ValueError(f"form must be 'interval' or 'quantile', got {form!r}.")
    probability = np.linspace(0, 1, check_count("n_levels", n_levels, 2))
    pit = pit_values(y_true, y_pred, y_std)
    pit = np.abs(2 * pit - 1) if form == "interval" else pit
    return probability, np.searchsorted(np.sort(pit), probability, side="right") / len(pit)


def miscalibration_area(
    y_true: ArrayLike,
    y_pred: Distribution | ArrayLike,
    y_std: ArrayLike | None = None,
    *,
    form: Literal["interval", "quantile"] = "interval",
    n_levels: int = 100,
) -> float:
    r"""Area between the calibration curve and the diagonal: 0 is perfect, 0.5 the worst.

    At a probability p the curve is the fraction of rows whose probability integral transform u
    (see `pit_values`; :math:`\Phi(z)` for a Gaussian) has

    - :math:`|2 u - 1| \leq p`, that is in the central interval of probability p, in the interval
      form, as in uncertainty-toolbox [3]_;
    - :math:`u \leq p` in the quantile form, as in Kuleshov [1]_ and Tran [2]_.

    The same predictions have two different areas: on a normal distribution that is taken to be half
    as wide as it is 0.205 and 0.102; shifted by one standard deviation 0.135 and 0.260. n rows of a
    perfect model have an area of about ``sqrt(2 pi / n) / 8`` in either form.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    y_pred : frozen distribution, or array-like of shape (n_samples,)
        Predictive distributions; or means of Gaussians, with `y_std`.
    y_std : array-like of shape (n_samples,), default=None
    form : {"interval", "quantile"}, default="interval"
    n_levels : int, default=100
        Probabilities that straight lines join, evenly spaced from 0 to 1.

    Returns
    -------
    float

    References
    ----------
    .. [1] Kuleshov, Fenner, Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated
       Regression", ICML (2018). arXiv:1807.00263
    .. [2] Tran, Neiswanger, Yoon, Zhang, Xing, Ulissi, "Methods for comparing uncertainty
       quantifications for material property predictions", Mach. Learn.: Sci. Technol. 1, 025006
       (2020). doi:10.1088/2632-2153/ab7e1a
    .. [3] Chung, Char, Guo, Schneider, Neiswanger, "Uncertainty Toolbox" (2021). arXiv:2109.10254
    """
    curve = calibration_curve(y_true, y_pred, y_std, form=form, n_levels=n_levels)
    return area_to_diagonal(*curve)


def area_to_diagonal(probability, observed):
    """Area between a curve of straight pieces and the diagonal, where they cross as well."""
    gap = observed - probability
    left, right = gap[:-1], gap[1:]
    height = np.abs(left) + np.abs(right)
    crossing = np.divide(left**2 + right**2, height, out=np.zeros_like(height), where=height > 0)
    pieces = np.where(left * right < 0, crossing, height) / 2
    return float(pieces @ np.diff(probability))


def sharpness(y_std: ArrayLike) -> float:
    """Root mean square of the standard deviations, in the unit of y [1]_.

    Smaller is better, among models that are calibrated.

    Parameters
    ----------
    y_std : array-like of shape (n_samples,)

    Returns
    -------
    float

    References
    ----------
    .. [1] Gneiting, Balabdaoui, Raftery, "Probabilistic forecasts, calibration and sharpness", J.
       R. Stat. Soc. B 69, 243 (2007). doi:10.1111/j.1467-9868.2007.00587.x
    """
    return float(np.sqrt(np.mean(check_std(y_std) ** 2)))


def dispersion(y_std: ArrayLike) -> float:
    """Coefficient of variation of the standard deviations: ``std(y_std, ddof=1) / mean(y_std)``.

    It is 0 if all are equal, which tells nothing about single crystals, and NaN for one row.

    Parameters
    ----------
    y_std : array-like of shape (n_samples,)

    Returns
    -------
    float
    """
    y_std = check_std(y_std)
    return float(y_std.std(ddof=1) / y_std.mean()) if len(y_std) > 1 else np.nan


def ence(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike, *, n_bins: int = 10) -> float:
    r"""Measure the expected normalised calibration error [1]_.

    Rows are sorted by `y_std` and cut into bins of equal counts (within one). With RMV the root
    mean square of `y_std` in a bin and RMSE that of the errors, it is the mean over the bins of
    :math:`|\mathrm{RMV} - \mathrm{RMSE}| / \mathrm{RMV}`. Rows of equal `y_std` share their mean
    squared error, so that the result does not depend on row order.

    It grows with the number of bins even for a perfect model, as its square root [2]_; compare
    with `calibrated_reference`.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)
    n_bins : int, default=10
        Number of bins, at most one for each row.

    Returns
    -------
    float

    References
    ----------
    .. [1] Levi, Gispan, Giladi, Fetaya, "Evaluating and Calibrating Uncertainty Prediction in
       Regression Tasks", Sensors 22, 5540 (2022). doi:10.3390/s22155540
    .. [2] Pernot, "Properties of the ENCE and other MAD-based calibration metrics" (2023).
       arXiv:2305.11905
    """
    y_true, y_pred, y_std = check_predictions(y_true, y_pred, y_std)
    n_bins = check_count("n_bins", n_bins)
    if n_bins > len(y_std):
        raise ValueError(
            f"n_bins={n_bins} needs as many rows, got {len(y_std)}: pass a smaller n_bins."
        )
    squares = np.array([mean_of_ties((y_true - y_pred) ** 2, y_std), y_std**2])
    ordered = squares[:, np.argsort(y_std)]
    rmse, rmv = np.sqrt([b.mean(axis=1) for b in np.array_split(ordered, n_bins, axis=1)]).T
    return float(np.mean(np.abs(rmv - rmse) / rmv))


def mean_squared_z(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike) -> float:
    """Mean of z squared: 1 if calibrated, above if overconfident, whatever the distribution [1]_.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)

    Returns
    -------
    float

    See Also
    --------
    mean_squared_z_interval : Its bootstrap interval.

    References
    ----------
    .. [1] Pernot, "Negative impact of heavy-tailed uncertainty and error distributions on the
       reliability of calibration statistics for machine learning regression tasks" (2024).
       arXiv:2402.10043
    """
    return float(np.mean(_z_scores(y_true, y_pred, y_std) ** 2))


def negative_log_likelihood(
    y_true: ArrayLike, y_pred: Distribution | ArrayLike, y_std: ArrayLike | None = None
) -> float:
    r"""Mean negative log density, in nats [1]_.

    That of a Gaussian is :math:`\frac{1}{2}\ln(2\pi\sigma^2) + \frac{1}{2} z^2`. Another unit of y
    shifts it: numbers that are k times as large add ln k.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    y_pred : frozen distribution, or array-like of shape (n_samples,)
        Predictive distributions; or means of Gaussians, with `y_std`.
    y_std : array-like of shape (n_samples,), default=None

    Returns
    -------
    float

    References
    ----------
    .. [1] Gneiting, Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", J. Am.
       Stat. Assoc. 102, 359 (2007). doi:10.1198/016214506000001437
    """
    y_true, distribution = as_distribution(y_true, y_pred, y_std)
    return float(-distribution.logpdf(y_true).mean())


def crps_gaussian(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike) -> float:
    r"""Mean continuous ranked probability score of a Gaussian, in the unit of y.

    It is :math:`\sigma\,[z(2\Phi(z) - 1) + 2\varphi(z) - 1/\sqrt{\pi}]` (section 4.2 of
    the reference of `negative_log_likelihood`, with the sign changed). For small `y_std` it becomes
    the mean absolute error. Single large z cost less than in `negative_log_likelihood`.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)

    Returns
    -------
    float
    """
    return crps(y_true, y_pred, y_std)


def _z_scores(y_true, y_pred, y_std):
    y_true, y_pred, y_std = check_predictions(y_true, y_pred, y_std)
    return (y_true - y_pred) / y_std


def _inside(y_true, y_pred, y_std, n_sigma):
    y_true, y_pred, y_std = check_predictions(y_true, y_pred, y_std)
    if not n_sigma > 0:
        raise ValueError(f"n_sigma must be positive, got {n_sigma!r}.")
    return np.abs(y_true - y_pred) <= n_sigma * y_std
