"""Do the large errors have the large standard deviations? Only the order of `y_std` counts here."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from ..structures.typing import ArrayLike, FloatArray
from .common import check_predictions, mean_of_ties


def spearman(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike) -> float:
    """Correlate the ranks of standard deviation and absolute error (Spearman).

    Even a perfect model is far from 1, since a small error may come with a large standard
    deviation: compare with `calibrated_reference`, and only on the same rows [1]_.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)

    Returns
    -------
    float
        NaN if all standard deviations, or all absolute errors, are equal.

    References
    ----------
    .. [1] Rasmussen, Duan, Kulik, Jensen, "Uncertain of uncertainties? A comparison of uncertainty
       quantification metrics for chemical data sets", J. Cheminform. 15, 121 (2023).
       doi:10.1186/s13321-023-00790-0
    """
    y_true, y_pred, y_std = check_predictions(y_true, y_pred, y_std)
    error = np.abs(y_true - y_pred)
    if np.ptp(error) == 0 or np.ptp(y_std) == 0:
        return np.nan
    return float(spearmanr(y_std, error).statistic)


def error_decay_curve(
    y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean absolute error of what is left when the least certain rows are removed, one by one.

    Rows of equal `y_std` share their mean absolute error, so that row order does not matter.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)

    Returns
    -------
    removed : ndarray of shape (n_samples,)
        Fraction removed: 0, 1/n, ..., (n - 1)/n.
    by_std : ndarray of shape (n_samples,)
        MAE of the rest, in the unit of y, when the rows of largest `y_std` are removed.
    by_error : ndarray of shape (n_samples,)
        The same when those of largest error are removed, which no order can beat.
    """
    y_true, y_pred, y_std = check_predictions(y_true, y_pred, y_std)
    error = np.abs(y_true - y_pred)
    counts = np.arange(1, len(error) + 1)
    by_std = np.cumsum(mean_of_ties(error, y_std)[np.argsort(y_std)]) / counts
    by_error = np.cumsum(np.sort(error)) / counts
    return (counts - 1) / len(error), by_std[::-1], by_error[::-1]


def ause(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike) -> float:
    """Area under the sparsification error: how much worse `y_std` ranks than the error itself [1]_.

    The mean over the n points of `error_decay_curve` of ``by_std - by_error``, in the unit of y. It
    is 0 if the order of `y_std` is that of the absolute errors. A constant `y_std`, which ranks
    nothing, gives what random order gives on average. Ilg et al. divide the curves by the error of
    all rows; here they are left in the unit of y.

    Parameters
    ----------
    y_true, y_pred, y_std : array-like of shape (n_samples,)

    Returns
    -------
    float

    References
    ----------
    .. [1] Ilg, Cicek, Galesso, Klein, Makansi, Hutter, Brox, "Uncertainty Estimates and
       Multi-Hypotheses Networks for Optical Flow", ECCV (2018). doi:10.1007/978-3-030-01234-2_40
    """
    _, by_std, by_error = error_decay_curve(y_true, y_pred, y_std)
    return float(np.mean(by_std - by_error))
