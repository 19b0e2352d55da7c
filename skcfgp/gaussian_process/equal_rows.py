"""Find rows that are equal but for rounding, such as a crystal that is listed twice."""

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import radius_neighbors_graph

#: Distance of equal rows, in standard deviations of each column.
TOLERANCE = 1e-6

#: Correlation of equal rows. Where a few outliers stretch a column, distances do not tell.
CORRELATION = 1 - 1e-4


def equal_rows(kernel, X):
    """Return the positions of each group of two or more rows that are equal but for rounding."""
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "f" or len(X) < 2:
        return []
    std = X.std(axis=0)
    scaled = (X - X.mean(axis=0)) / np.where(std > 0, std, 1.0)
    radius = TOLERANCE * np.sqrt(X.shape[1])
    pairs = radius_neighbors_graph(scaled, radius, include_self=False).tocoo()
    if not pairs.nnz:
        return []
    rows, positions = np.unique([pairs.row, pairs.col], return_inverse=True)
    first, second = positions.reshape(2, -1)
    K = kernel(X[rows], X[rows])  # called with two arguments, a WhiteKernel gives no noise
    size = np.sqrt(np.diag(K))
    pairs.data = (K[first, second] >= CORRELATION * size[first] * size[second]).astype(float)
    pairs.eliminate_zeros()
    n_groups, group = connected_components(pairs, directed=False)
    several = np.flatnonzero(np.bincount(group, minlength=n_groups) > 1)
    return [np.flatnonzero(group == one) for one in several]
