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
    error = _root_mean_square(errors(y, mean))
    if error:
        return SMALLEST * error
    return _root_mean_square(errors(y, y.mean())) or float(np.abs(y).max()) or 1.0


def _root_mean_square(values):
    """Compute it in a unit whose square is a number."""
    unit = np.abs(values).max() or 1.0
    return float(unit * np.sqrt(np.mean((values / unit) ** 2)))


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
    """Factor on the standard deviation: mean absolute z-score near a row, over that of all.

    The nearer of the nearest rows count more: the weights fall linearly with the rank of the
    Euclidean distance, and add up to the number of neighbours. `PRIOR` more have the average score.
    """

    def __init__(self, X, z, n_neighbors, group):
        size = np.abs(z)
        sizes = size / size.mean() if size.any() else np.ones_like(z)
        state = {"X": X, "sizes": sizes, "group": group}
        self.__setstate__(state | {"n_neighbors": min(n_neighbors, len(z) - 1)})

    def __getstate__(self):
        state = {"X": np.asarray(self._X), "sizes": self._sizes, "group": self._group}
        return state | {"n_neighbors": self._index.n_neighbors}

    def __setstate__(self, state):
        self._X, self._sizes, self._group = (state[name] for name in ("X", "sizes", "group"))
        try:
            self._index = NearestNeighbors(n_neighbors=state["n_neighbors"]).fit(self._X)
        except (TypeError, ValueError) as error:
            raise TypeError(
                "n_neighbors compares rows by their features, so X must hold finite numbers, of "
                f"shape (n_samples, n_features), got {type(self._X).__name__}. To calibrate a "
                "model of crystals, make the calibration the last step of a Pipeline: "
                "make_pipeline(MEGNetFeaturizer(), CalibratedRegressor(...))."
            ) from error

    def __call__(self, X=None):
        """Return the factor of each row; without `X`, of the scored rows, judged by the others."""
        rows = self._index.kneighbors(X, return_distance=False)
        n = rows.shape[1]
        weights = np.tile(2 - (2 * np.arange(n) + 1) / n, (len(rows), 1))
        if X is None:
            weights[self._group[rows] == self._group[:, None]] = 0.0  # not by its copies
        total = np.sum(weights * self._sizes[rows], axis=1)
        return (PRIOR + total) / (PRIOR + weights.sum(axis=1))
