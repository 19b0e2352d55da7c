"""`LocalScale`: how much larger than elsewhere the errors are near a row."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

#: So many neighbours with the average score are added to those found, so that a few small scores
#: by chance do not make a tiny error bar.
PRIOR = 6


class LocalScale:
    """Mean squared z-score of the nearest rows, over that of all rows; as a factor on sigma.

    An inverse gamma distribution with the average as its prior, whose data are the neighbours.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Of the rows with a score. Distances are Euclidean.
    z : ndarray of shape (n_samples,)
    n_neighbors : int
        Where there are fewer rows, all count.
    """

    def __init__(self, features, z, n_neighbors):
        mean = np.mean(z**2)
        self._squares = z**2 / mean if mean else np.ones_like(z)
        self._index = NearestNeighbors(n_neighbors=min(n_neighbors, len(z) - 1)).fit(features)

    def __call__(self, features=None):
        """Return the factor on the standard deviation of each row.

        Parameters
        ----------
        features : array-like of shape (n_rows, n_features), default=None
            None means the rows with a score, each judged by the others.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        rows = self._index.kneighbors(features, return_distance=False)
        total = self._squares[rows].sum(axis=1)
        return np.sqrt((PRIOR + total) / (PRIOR + rows.shape[1]))
