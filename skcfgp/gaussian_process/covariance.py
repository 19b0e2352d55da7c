"""The covariance of fixed rows as a function of the hyper-parameters.

A kernel is a tree of sums and products. The distances of each leaf are computed once, and a
gradient is contracted leaf by leaf, so the memory is that of a few matrices of shape (n, n), where
scikit-learn makes one for each hyper-parameter. Of symmetric matrices only the pairs i < j are
held, in the order of `scipy.spatial.distance.pdist`, and the diagonal.
"""

import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    DotProduct,
    Product,
    Sum,
    WhiteKernel,
)

from ..kernels import Laplacian, OnColumns

__all__ = ["LENGTH_LIMIT", "covariance_of", "is_quick"]

#: Largest length scale of a search, in median distances.
LENGTH_LIMIT = 1000.0


def covariance_of(kernel, X):
    """Return the covariance of the rows of X, for any kernel.

    `Laplacian`, ``DotProduct``, ``WhiteKernel``, ``ConstantKernel``, their sums and products, and
    these on some of the columns are quick. ``covariance(theta)`` returns the pairs (an ndarray of
    shape (n_pairs,), or one number for all of them) and the diagonal (an ndarray of shape
    (n_samples,)). Then ``covariance.gradient(by_pairs, by_diagonal)`` turns derivatives with
    respect to these into derivatives with respect to theta. ``covariance.start(variance)`` is a
    theta on the scale of the data, and ``covariance.bounds`` are the bounds of the search.
    """
    kind = type(kernel)
    if kind is OnColumns:
        return covariance_of(kernel.kernel, kernel.take(X))
    if kind in (Sum, Product):
        parts = covariance_of(kernel.k1, X), covariance_of(kernel.k2, X)
        return _Sum(*parts) if kind is Sum else _Product(*parts)
    return _LEAVES.get(kind, _Other)(kernel, X)


def is_quick(kernel):
    """Tell whether `covariance_of` does without the kernel's own gradient."""
    if type(kernel) in (Sum, Product):
        return is_quick(kernel.k1) and is_quick(kernel.k2)
    return is_quick(kernel.kernel) if type(kernel) is OnColumns else type(kernel) in _LEAVES


class _Leaf:
    def __init__(self, kernel, X):
        self.kernel = kernel
        self.n = len(X)
        self.n_dims = kernel.n_dims
        self.bounds = kernel.bounds.reshape(-1, 2)

    def start(self, variance):
        return self.kernel.theta


class _Laplacian(_Leaf):
    def __init__(self, kernel, X):
        super().__init__(kernel, X)
        self.distances = pdist(X, kernel.metric)
        self.median = float(np.median(self.distances)) if len(X) > 1 else 0.0
        hyperparameters = kernel.hyperparameter_amplitude, kernel.hyperparameter_length_scale
        self.free = np.array([not h.fixed for h in hyperparameters])
        if self.free[1] and self.median > 0:
            bounds = self.bounds = self.bounds.copy()
            bounds[-1, 1] = min(
                bounds[-1, 1], max(bounds[-1, 0], np.log(LENGTH_LIMIT * self.median))
            )

    def __call__(self, theta):
        values = np.log([self.kernel.amplitude, self.kernel.length_scale])
        values[self.free] = theta
        amplitude, self.length_scale = np.exp(values)
        self.variance = amplitude**2
        self.pairs = np.exp(self.distances / -self.length_scale)
        self.pairs *= self.variance  # Eq. (1)
        return self.pairs, np.full(self.n, self.variance)

    def gradient(self, by_pairs, by_diagonal):
        weighted = by_pairs * self.pairs
        by_amplitude = 2.0 * (weighted.sum() + self.variance * by_diagonal.sum())
        by_length = weighted @ self.distances / self.length_scale
        return np.array([by_amplitude, by_length])[self.free]

    def start(self, variance):
        length_scale = self.median or self.kernel.length_scale
        return np.log([np.sqrt(variance), length_scale])[self.free]


class _White(_Leaf):
    def __call__(self, theta):
        self.level = np.exp(theta[0]) if len(theta) else self.kernel.noise_level
        return 0.0, np.full(self.n, self.level)

    def gradient(self, by_pairs, by_diagonal):
        return np.array([self.level * by_diagonal.sum()])[: self.n_dims]

    def start(self, variance):
        return np.log([0.01 * variance])[: self.n_dims]


class _Constant(_Leaf):
    def __call__(self, theta):
        self.value = np.exp(theta[0]) if len(theta) else self.kernel.constant_value
        return self.value, np.full(self.n, self.value)

    def gradient(self, by_pairs, by_diagonal):
        total = np.sum(by_pairs) + by_diagonal.sum()
        return np.array([self.value * total])[: self.n_dims]

    def start(self, variance):
        return np.log([variance])[: self.n_dims]


class _Dot(_Leaf):
    def __init__(self, kernel, X):
        super().__init__(kernel, X)
        products = X @ X.T
        self.pairs, self.diagonal = squareform(products, checks=False), np.diag(products).copy()

    def __call__(self, theta):
        self.offset = np.exp(2.0 * theta[0]) if len(theta) else self.kernel.sigma_0**2
        return self.pairs + self.offset, self.diagonal + self.offset

    def gradient(self, by_pairs, by_diagonal):
        total = np.sum(by_pairs) + by_diagonal.sum()
        return np.array([2.0 * self.offset * total])[: self.n_dims]

    def start(self, variance):
        return np.log([np.sqrt(variance)])[: self.n_dims]


class _Other(_Leaf):
    """Any other kernel, by its own gradient."""

    def __init__(self, kernel, X):
        super().__init__(kernel, X)
        self.X = X

    def __call__(self, theta):
        self.at_theta = self.kernel.clone_with_theta(theta)
        K = self.at_theta(self.X)
        return squareform(K, checks=False), np.diag(K)

    def gradient(self, by_pairs, by_diagonal):
        weights = squareform(0.5 * np.broadcast_to(by_pairs, self.n * (self.n - 1) // 2))
        weights[np.diag_indices(self.n)] = by_diagonal
        return np.einsum("ij,ijk->k", weights, self.at_theta(self.X, eval_gradient=True)[1])


class _Sum:
    def __init__(self, first, second):
        self.first, self.second = first, second
        self.n_dims = first.n_dims + second.n_dims
        self.bounds = np.concatenate([first.bounds, second.bounds])

    def __call__(self, theta):
        self.values = (
            self.first(theta[: self.first.n_dims]),
            self.second(theta[self.first.n_dims :]),
        )
        return tuple(self.combine(a, b) for a, b in zip(*self.values, strict=True))

    def combine(self, a, b):
        return a + b

    def gradient(self, by_pairs, by_diagonal):
        both = (part.gradient(by_pairs, by_diagonal) for part in (self.first, self.second))
        return np.concatenate([*both])

    def start(self, variance):
        return np.concatenate([self.first.start(variance), self.second.start(variance)])


class _Product(_Sum):
    def combine(self, a, b):
        return a * b

    def gradient(self, by_pairs, by_diagonal):
        (pairs_1, diagonal_1), (pairs_2, diagonal_2) = self.values
        return np.concatenate(
            [
                self.first.gradient(by_pairs * pairs_2, by_diagonal * diagonal_2),
                self.second.gradient(by_pairs * pairs_1, by_diagonal * diagonal_1),
            ]
        )

    def start(self, variance):
        return np.concatenate([self.first.start(variance), self.second.start(1.0)])


_LEAVES = {
    Laplacian: _Laplacian,
    DotProduct: _Dot,
    WhiteKernel: _White,
    ConstantKernel: _Constant,
}
