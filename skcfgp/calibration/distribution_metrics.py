"""Metrics of predictive distributions: probability integral transform, intervals, proper scores.

Each is a function of ``(y_true, distribution)``, a frozen distribution of scipy with an entry for
each row, as `skcfgp.calibration.predict_distribution` gives it; or of ``(y_true, y_pred, y_std)``,
which stands for a Gaussian.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import beta
from scipy.stats import binomtest, norm, t

from ..structures.typing import ArrayLike, DataFrame, Distribution, FloatArray
from .common import check_column, check_predictions, check_probability, check_std

#: Probabilities of central intervals at which coverage is reported.
LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95, 0.99)

#: Probability within two standard deviations of the mean of a Gaussian.
TWO_SIGMA = math.erf(math.sqrt(2))

#: Quantiles that stand for a distribution without closed forms.
N_QUANTILES = 1000


def pit_values(
    y_true: ArrayLike, y_pred: Distribution | ArrayLike, y_std: ArrayLike | None = None
) -> FloatArray:
    """Probability integral transform: the predicted probability of a smaller label [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    y_pred : frozen distribution, or array-like of shape (n_samples,)
        Distribution of each label; or the means of Gaussians, with `y_std`.
    y_std : array-like of shape (n_samples,), default=None
        Their standard deviations.

    Returns
    -------
    ndarray of shape (n_samples,)
        Uniform between 0 and 1 if the distributions are right, for independent rows.

    References
    ----------
    .. [1] Gneiting, Balabdaoui, Raftery, "Probabilistic forecasts, calibration and sharpness", J.
       R. Stat. Soc. B 69, 243 (2007). doi:10.1111/j.1467-9868.2007.00587.x

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import t
    >>> from skcfgp.calibration import pit_values
    >>> print(pit_values([0.0, 1.0], t(3, loc=[0.0, 2.0], scale=1.0)).round(2))
    [0.5 0.2]
    """
    y_true, distribution = as_distribution(y_true, y_pred, y_std)
    return np.asarray(distribution.cdf(y_true))


def coverage_by_level(
    y_true: ArrayLike,
    y_pred: Distribution | ArrayLike,
    y_std: ArrayLike | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    confidence_level: float = 0.95,
) -> DataFrame:
    """Share of labels in central intervals, with Wilson's interval, and mean width of these.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    y_pred : frozen distribution, or array-like of shape (n_samples,)
        Predictive distributions; or means of Gaussians, with `y_std`.
    y_std : array-like of shape (n_samples,), default=None
    levels : sequence of float, default=(0.5, 0.68, 0.8, 0.9, 0.95, 0.99)
        Probabilities of the intervals.
    confidence_level : float, default=0.95
        Confidence level of Wilson's interval, for independent rows.

    Returns
    -------
    DataFrame
        A row for each level, which is the index, with the columns ``coverage`` (fraction of labels
        inside), ``low``, ``high`` and ``mean_width``, in the unit of y.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import t
    >>> from skcfgp.calibration import coverage_by_level
    >>> distribution = t(3, loc=np.zeros(1000), scale=0.1)
    >>> y = distribution.rvs(random_state=0)
    >>> table = coverage_by_level(y, distribution, levels=[0.5, 0.95])
    >>> print(table.round(3).reset_index().to_string(index=False))
     level  coverage   low  high  mean_width
      0.50     0.485 0.454 0.516       0.153
      0.95     0.946 0.930 0.958       0.636
    """
    import pandas as pd

    y_true, distribution = as_distribution(y_true, y_pred, y_std)
    check_probability("confidence_level", confidence_level)
    rows = []
    for level in levels:
        check_probability("a level", level)
        lower, upper = distribution.interval(level)
        inside = (lower <= y_true) & (y_true <= upper)
        low, high = wilson(inside, confidence_level)
        rows.append((inside.mean(), low, high, np.mean(upper - lower)))
    columns = ["coverage", "low", "high", "mean_width"]
    return pd.DataFrame(rows, index=pd.Index(levels, name="level"), columns=columns, dtype=float)


def wilson(inside, confidence_level=0.95):
    """Return Wilson's interval of the share of rows that a mask marks."""
    test = binomtest(int(np.sum(inside)), len(inside))
    interval = test.proportion_ci(confidence_level, method="wilson")
    return float(interval.low), float(interval.high)


def crps(
    y_true: ArrayLike, y_pred: Distribution | ArrayLike, y_std: ArrayLike | None = None
) -> float:
    r"""Mean continuous ranked probability score, in the unit of y.

    That of a Student-t with :math:`\nu` degrees of freedom, location 0 and scale 1 is [1]_

    .. math:: z\,(2 F_\nu(z) - 1) + 2 f_\nu(z) \frac{\nu + z^2}{\nu - 1}
              - \frac{2 \sqrt\nu}{\nu - 1} \frac{B(1/2, \nu - 1/2)}{B(1/2, \nu/2)^2},

    that of a Gaussian is in `crps_gaussian`, and that of other distributions is computed from 1,000
    quantiles.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    y_pred : frozen distribution, or array-like of shape (n_samples,)
        Predictive distributions; or means of Gaussians, with `y_std`.
    y_std : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
        Infinite for distributions without a mean, such as a log-t or a t with one degree of
        freedom: measure those by the likelihood, or on the scale of the logarithm.

    References
    ----------
    .. [1] Jordan, Krueger, Lerch, "Evaluating Probabilistic Forecasts with scoringRules", J. Stat.
       Softw. 90, 12 (2019). doi:10.18637/jss.v090.i12

    Examples
    --------
    >>> from scipy.stats import t
    >>> from skcfgp.calibration import crps
    >>> print(f"{crps([0.3, -1.0], t(3, loc=[0.0, 0.0], scale=[1.0, 0.5])):.3f}")
    0.496
    """
    y_true, distribution = as_distribution(y_true, y_pred, y_std)
    name, loc, scale = family(distribution)
    if name in ("norm", "t"):
        z = (y_true - loc) / scale
        unit = _crps_normal(z) if name == "norm" else _crps_t(z, *distribution.args)
        return float(np.mean(scale * unit))
    if not np.all(np.isfinite(distribution.mean())):
        return np.inf
    return float(np.mean(_crps_by_quantiles(y_true, distribution)))


def _crps_normal(z):
    return z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)


def _crps_t(z, nu):
    if np.any(nu <= 1):
        return np.full_like(z, np.inf)
    spread = 2 * np.sqrt(nu) / (nu - 1) * beta(0.5, nu - 0.5) / beta(0.5, nu / 2) ** 2
    density = 2 * t.pdf(z, nu) * (nu + z**2) / (nu - 1)
    return z * (2 * t.cdf(z, nu) - 1) + density - spread


def _crps_by_quantiles(y_true, distribution):
    """Twice the mean pinball loss over the quantiles."""
    level, quantile = quantiles_of(distribution)
    return 2 * np.mean((level - (y_true < quantile)) * (y_true - quantile), axis=0)


def quantiles_of(distribution):
    """Return evenly spaced levels, as a column, and their quantiles, with a column for each row."""
    level = (np.arange(N_QUANTILES)[:, None] + 0.5) / N_QUANTILES
    return level, distribution.ppf(level)


def as_distribution(y_true, y_pred, y_std=None):
    """Return the labels and their distribution, checked; a Gaussian if `y_std` is given."""
    if not hasattr(y_pred, "cdf"):
        if y_std is None:
            raise ValueError(
                "expected a predictive distribution, or y_pred and y_std, got y_pred of type "
                f"{type(y_pred).__name__} without y_std."
            )
        y_true, y_pred, y_std = check_predictions(y_true, y_pred, y_std)
        return y_true, norm(loc=y_pred, scale=y_std)
    if y_std is not None:
        raise ValueError("a distribution knows its width: leave y_std out.")
    y_true = check_column("y_true", y_true)
    check_columns_of(y_pred, y_true)
    return y_true, y_pred


def check_columns_of(distribution, y_true):
    """Refuse a distribution of another length, one that is not finite, or one without a width."""
    from ..gaussian_process.regressor import SMALLEST_STD  # loads scikit-learn

    scale = getattr(distribution, "kwds", {}).get("scale")
    if scale is None:
        scale = np.subtract(*distribution.interval(0.5)[::-1])
    scale = np.atleast_1d(scale)
    check_std(np.where(scale == SMALLEST_STD, 0.0, scale))
    median = check_column("the median", distribution.median())
    if len(median) != len(y_true):
        raise ValueError(
            f"y_true and the distribution must have the same length, got {len(y_true)} and "
            f"{len(median)}."
        )


def family(distribution):
    """Return scipy's name of a distribution, its location and scale; "" if they are not known."""
    dist, args = getattr(distribution, "dist", None), getattr(distribution, "args", ())
    if dist is None or len(args) != dist.numargs:
        return "", 0.0, 1.0
    options = {"loc": 0.0, "scale": 1.0} | distribution.kwds
    return dist.name, options["loc"], options["scale"]


def two_sigma_std(distribution):
    """Return a quarter of the width of the central interval of coverage 95.45 %."""
    name, loc, scale = family(distribution)
    if name == "norm":
        return np.where(np.isnan(loc), np.nan, scale)
    lower, upper = distribution.interval(TWO_SIGMA)
    return (upper - lower) / 4
