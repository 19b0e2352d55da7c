"""The log marginal likelihood of the Laplacian kernel with white noise, and its gradient.

With K = a^2 M and M = R + diag(v), where R_ij = exp(-D_ij / l) and v is the variance of the noise
relative to a^2, the best amplitude for given l and v has the closed form a^2 = y' M^-1 y / n. The
distances D are computed once; a value costs one Cholesky factor and the gradient one inverse from
it, in place: the memory is that of two matrices of shape (n, n).
"""

import numpy as np
from scipy.linalg import blas, lapack
from scipy.spatial.distance import pdist, squareform

__all__ = ["LaplacianLikelihood"]


class LaplacianLikelihood:
    """Log marginal likelihood of a Laplacian kernel with white noise.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets are independent and share the kernel: their likelihoods are added up.
    noise : float or ndarray of shape (n_samples,)
        Known variance of each label, in the squared unit of y.
    metric : str, default="euclidean"
        Of the kernel.
    """

    def __init__(self, X, y, noise, metric="euclidean"):
        self.X = X
        self.Y = np.asfortranarray(np.reshape(y, (len(X), -1)), dtype=float)
        self.noise = np.broadcast_to(np.asarray(noise, dtype=float), len(X))
        self.n, self.n_targets = self.Y.shape
        self.metric = metric
        self.distances = pdist(X, metric)

    def __call__(self, amplitude, length_scale, noise_level):
        """Return the value and its gradient with respect to the three logarithms.

        Parameters
        ----------
        amplitude, length_scale, noise_level : float

        Returns
        -------
        value : float
            In nats; -inf if the kernel matrix is not positive definite.
        gradient : ndarray of shape (3,)
        """
        ratio = (self.noise + noise_level) / amplitude**2
        value, _, fit, by_length, by_ratio = self._evaluate(length_scale, ratio, (amplitude,) * 2)
        by_amplitude = 2.0 * (fit - by_ratio @ ratio)
        return value, np.array(
            [by_amplitude, by_length, by_ratio.sum() * noise_level / amplitude**2]
        )

    def profile(self, length_scale, white, known, amplitude_bounds):
        """Return the value at the best amplitude, and its gradient.

        Parameters
        ----------
        length_scale : float
        white : float
            Noise of every label, relative to a^2 / l.
        known : ndarray of shape (n_samples,)
            More noise, relative to a^2 / l too.
        amplitude_bounds : pair of floats

        Returns
        -------
        value : float
        amplitude : float
        gradient : ndarray of shape (2,)
            With respect to the logarithms of `length_scale` and `white`.
        """
        ratio = (white + known) / length_scale
        value, amplitude, _, by_length, by_ratio = self._evaluate(
            length_scale, ratio, amplitude_bounds
        )
        # The amplitude moves along, but at its optimum or its bound that changes nothing.
        gradient = [by_length - by_ratio @ ratio, by_ratio.sum() * white / length_scale]
        return value, amplitude, np.array(gradient)

    def thinned(self):
        """Return the likelihood of every second row."""
        return LaplacianLikelihood(self.X[::2], self.Y[::2], self.noise[::2], self.metric)

    def _evaluate(self, length_scale, ratio, amplitude_bounds):
        """Return the value, the amplitude and three derivatives.

        They are those by log a^2 and by log l at a constant `ratio`, and by each entry of `ratio`.
        """
        n, p = self.n, self.n_targets
        r = np.exp(self.distances / -length_scale)  # Eq. (1), of all pairs once
        B = squareform(r)
        B[np.diag_indices(n)] = 1.0 + ratio
        # LAPACK works in place, in the triangle that it calls the lower one.
        L, info = lapack.dpotrf(B.T, lower=1, clean=0, overwrite_a=1)
        if info:
            return -np.inf, amplitude_bounds[0], 0.0, 0.0, np.zeros(n)
        dual = lapack.dpotrs(L, self.Y, lower=1)[0]
        quadratic = np.sum(self.Y * dual)
        amplitude = float(np.clip(np.sqrt(max(quadratic, 0.0) / (n * p)), *amplitude_bounds))
        squared = amplitude**2
        # Alg 2.1, page 19, line 7, summed over targets
        value = -0.5 * (quadratic / squared + n * p * np.log(2 * np.pi * squared))
        value -= p * np.log(np.diag(L)).sum()
        # Eq. 5.9: 1/2 tr[(dual dual' / a^2 - p M^-1) dM]; B becomes minus that parenthesis
        lapack.dpotri(L, lower=1, overwrite_c=1)
        blas.dsyrk(-1.0 / squared, dual, beta=float(p), c=B.T, lower=1, overwrite_c=1)
        by_length = -(squareform(B, checks=False) * r) @ self.distances / length_scale
        by_ratio = -0.5 * np.diag(B)
        return float(value), amplitude, 0.5 * (quadratic / squared - n * p), by_length, by_ratio
