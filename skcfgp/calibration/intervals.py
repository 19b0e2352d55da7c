"""From z-scores of held-out rows to prediction intervals, everywhere or near a row.

Each method is a function of the scores and the coverage. It returns the two ends of the central
interval in units of the standard deviation: the interval of a row is mean + end * std.
"""

import math

import numpy as np
from scipy.stats import norm
from sklearn.neighbors import NearestNeighbors

#: Probability within one standard deviation of the mean of a Gaussian.
ONE_SIGMA = math.erf(math.sqrt(0.5))

#: Number of neighbours with the average score that are added to those found, so that a few scores
#: that are small by chance do not make a tiny error bar.
PRIOR = 6


def z_scores(y, mean, std):
    """Return (y - mean) / std; where error and standard deviation are both 0, the score is 0."""
    error = y - mean
    wrong = ~(std > 0) & ~((std == 0) & (error == 0))
    if wrong.any():
        row = np.flatnonzero(wrong)[0]
        raise ValueError(
            f"the standard deviation is not positive at {wrong.sum()} of {len(y)} calibration "
            f"rows (first at row {row}: {std[row]:.3g}, with an error of {error[row]:.3g}), and no "
            "factor mends that. Give the estimator noise on the labels (alpha, WhiteKernel)."
        )
    return np.divide(error, std, out=np.zeros_like(error), where=std > 0)


def gaussian_ends(z, coverage):
    """Return the ends for a Gaussian as wide as the root mean square of the scores."""
    high = np.sqrt(np.mean(z**2)) * norm.ppf((1 + coverage) / 2)
    return -high, high


def quantile_ends(z, coverage):
    """Return quantiles of the scores: the i-th smallest has the level i / (n + 1).

    An isotonic regression of these levels on the scores passes through all of them, so none is
    fitted. Interpolation is over the quantiles of a Gaussian, not over its probabilities, which are
    all 1 for scores past 8.
    """
    n = len(z)
    knots = norm.ppf(np.arange(1, n + 1) / (n + 1))
    wanted = norm.ppf([(1 - coverage) / 2, (1 + coverage) / 2])
    beyond = wanted - np.clip(wanted, knots[0], knots[-1])
    return np.interp(wanted, knots, np.sort(z)) + np.sqrt(np.mean(z**2)) * beyond


def conformal_ends(z, coverage):
    """Return minus and plus the ceil((n + 1) coverage)-th smallest absolute score."""
    n = len(z)
    rank = math.ceil((n + 1) * coverage - 1e-9)  # not one more for a rounding error
    if rank > n:
        raise ValueError(
            f"a conformal interval of coverage {coverage:.4g} needs at least "
            f"{math.ceil(coverage / (1 - coverage) - 1e-9)} calibration rows, got {n}. Give more, "
            f"or ask for a coverage of at most {n / (n + 1):.3g}."
        )
    high = np.sort(np.abs(z))[rank - 1]
    return -high, high


ENDS = {"std_scaling": gaussian_ends, "isotonic": quantile_ends, "conformal": conformal_ends}


class LocalScale:
    """Factor on the standard deviation: root mean square z-score near a row, over that of all.

    The mean square is that of an inverse gamma distribution with the average as its prior, whose
    data are the nearest rows by Euclidean distance.
    """

    def __init__(self, X, z, n_neighbors):
        mean = np.mean(z**2)
        self._squares = z**2 / mean if mean else np.ones_like(z)
        try:
            self._index = NearestNeighbors(n_neighbors=min(n_neighbors, len(z) - 1)).fit(X)
        except (TypeError, ValueError) as error:
            raise TypeError(
                "n_neighbors compares rows by their features, so X must hold finite numbers, of "
                f"shape (n_samples, n_features), got {type(X).__name__}. To calibrate a model of "
                "crystals, make the calibration the last step of a Pipeline: "
                "make_pipeline(MEGNetFeaturizer(), CalibratedRegressor(...))."
            ) from error

    def __call__(self, X=None):
        """Return the factor of each row; without `X`, of the scored rows, judged by the others."""
        rows = self._index.kneighbors(X, return_distance=False)
        total = self._squares[rows].sum(axis=1)
        return np.sqrt((PRIOR + total) / (PRIOR + rows.shape[1]))
