"""The covariance of fixed rows as a function of the hyper-parameters.

A kernel is a tree of sums and products. The distances of each leaf are computed once, and a
gradient is contracted leaf by leaf, so a few matrices of shape (n, n) are enough, where
scikit-learn needs one for each hyper-parameter. A symmetric matrix is stored as its pairs i < j, in
the order of `scipy.spatial.distance.pdist`, and its diagonal.
"""

import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Product, Sum, WhiteKernel

from ..kernels import Laplacian, OnColumns

#: Largest length scale of a search, in median distances.
LENGTH_LIMIT = 1000.0


def covariance_of(kernel, X):
    """Return the covariance of the rows of X, for any kernel.

    ``covariance(theta)`` returns the pairs (an ndarray of shape (n_pairs,), or one number for all)
    and the diagonal (an ndarray of shape (n_samples,)). Then ``covariance.gradient(by_pairs,
    by_diagonal)`` turns derivatives with respect to these into derivatives with respect to theta.
    ``covariance.start(variance)`` is a theta on the scale of the data, and ``covariance.bounds``
    are the bounds of the search.
    """
    kind = type(kernel)
    if kind is OnColumns:
        return covariance_of(kernel.kernel, kernel.take(X))
    if kind in (Sum, Product):
        parts = covariance_of(kernel.k1, X), covariance_of(kernel.k2, X)
        return _Sum(*parts) if kind is Sum else _Product(*parts)
    return _LEAVES.get(kind, _Other)(kernel, X)


def is_quick(kernel):
    """Tell whether `covariance_of` avoids the kernel's own gradient."""
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
            low, high = self.bounds[-1]
            self.bounds = self.bounds.copy()
            self.bounds[-1, 1] = np.clip(np.log(LENGTH_LIMIT * self.median), low, high)

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


class _Constant(_Leaf):
    """The only hyper-parameter, to a power, is added to fixed pairs and a fixed diagonal."""

    name, power, share_of_variance = "constant_value", 1.0, 1.0
    pairs, diagonal = 0.0, 0.0

    def __call__(self, theta):
        base = np.exp(theta[0]) if len(theta) else getattr(self.kernel, self.name)
        self.value = base**self.power
        return self.pairs + self.value, self.diagonal + np.full(self.n, self.value)

    def gradient(self, by_pairs, by_diagonal):
        total = np.sum(by_pairs) + by_diagonal.sum()
        return np.array([self.power * self.value * total])[: self.n_dims]

    def start(self, variance):
        return np.log([self.share_of_variance * variance])[: self.n_dims] / self.power


class _Dot(_Constant):
    name, power = "sigma_0", 2.0

    def __init__(self, kernel, X):
        super().__init__(kernel, X)
        products = X @ X.T
        self.pairs, self.diagonal = squareform(products, checks=False), np.diag(products).copy()


class _White(_Constant):
    """The same on the diagonal alone."""

    name, share_of_variance = "noise_level", 0.01

    def __call__(self, theta):
        return 0.0, super().__call__(theta)[1]

    def gradient(self, by_pairs, by_diagonal):
        return super().gradient(0.0, by_diagonal)


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
        n = self.first.n_dims
        self.values = self.first(theta[:n]), self.second(theta[n:])
        return tuple(self.combine(a, b) for a, b in zip(*self.values, strict=True))

    def combine(self, a, b):
        return a + b

    def gradient(self, by_pairs, by_diagonal):
        parts = self.first, self.second
        return np.concatenate([part.gradient(by_pairs, by_diagonal) for part in parts])

    def start(self, variance):
        return np.concatenate([self.first.start(variance), self.second.start(variance)])


class _Product(_Sum):
    def combine(self, a, b):
        return a * b

    def gradient(self, by_pairs, by_diagonal):
        parts = zip((self.first, self.second), self.values[::-1], strict=True)
        return np.concatenate(
            [part.gradient(by_pairs * pairs, by_diagonal * d) for part, (pairs, d) in parts]
        )

    def start(self, variance):
        return np.concatenate([self.first.start(variance), self.second.start(1.0)])


_LEAVES = {
    Laplacian: _Laplacian,
    DotProduct: _Dot,
    WhiteKernel: _White,
    ConstantKernel: _Constant,
}
