"""z-scores of held-out rows, and how large they are near a row."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

#: An error of this part of the largest label is a rounding error.
ROUNDING = 1e-12

#: Number of neighbours with the average score that are added to those found, so that a few scores
#: that are small by chance do not make a tiny error bar.
PRIOR = 6


#: Part of the root mean square error below which no standard deviation is predicted.
SMALLEST = 1e-3


def errors(y, mean):
    """Return y - mean, and 0 where that is 0 but for rounding."""
    return np.where(np.abs(y - mean) > ROUNDING * np.abs(y).max(), y - mean, 0.0)


def smallest_std(y, mean):
    """Return the least standard deviation that errors of this size allow, in the unit of y."""
    error = np.sqrt(np.mean(errors(y, mean) ** 2))
    if error:
        return SMALLEST * error
    spread = errors(y, y.mean()).std()
    return float(spread or np.abs(y).max() or 1.0)


def z_scores(y, mean, std):
    """Return (y - mean) / std, and 0 where the error is 0 but for rounding."""
    error = errors(y, mean)
    wrong = ~(std > 0) & ~((std == 0) & (error == 0))
    if wrong.any():
        row = np.flatnonzero(wrong)[0]
        raise ValueError(
            f"the standard deviation is not positive at {wrong.sum()} of {len(y)} calibration "
            f"rows (first at row {row}: {std[row]:.3g}, with an error of {error[row]:.3g}), and no "
            "factor mends that. Give the estimator noise on the labels (alpha, WhiteKernel)."
        )
    return np.divide(error, std, out=np.zeros_like(error), where=std > 0)


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
