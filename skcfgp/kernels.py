"""`Laplacian`: the kernel of the paper, Eq. (1).

k(x, y) = a^2 exp(-||x - y||_2 / l) is the Matern covariance with nu = 1/2, written with the paper's
amplitude a and length l. The norm is Euclidean; scikit-learn's ``laplacian_kernel`` is another one,
with the sum of absolute differences.
"""

import numpy as np
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel, StationaryKernelMixin

__all__ = ["Laplacian"]


class Laplacian(StationaryKernelMixin, Kernel):
    """Laplacian kernel a^2 exp(-||x - y||_2 / l).

    Parameters
    ----------
    amplitude : float, default=1.0
        The paper's a, in the unit of the target: prior standard deviation.
    length_scale : float, default=1.0
        The paper's l, in the unit of the features.
    amplitude_bounds : pair of floats > 0 or "fixed", default=(1e-5, 1e5)
    length_scale_bounds : pair of floats > 0 or "fixed", default=(1e-5, 1e5)
        Between which a search may move them, or ``"fixed"``.

    References
    ----------
    .. [1] Allotey, Butler, Thiyagalingam (2021), Eq. (1).
    .. [2] Rasmussen, Williams, "Gaussian Processes for Machine Learning" (2006), Eq. (4.9).

    Examples
    --------
    >>> from skcfgp.kernels import Laplacian
    >>> print(Laplacian(amplitude=2.0, length_scale=0.5)([[0.0], [0.5]]).round(3))
    [[4.    1.472]
     [1.472 4.   ]]
    """

    def __init__(
        self,
        amplitude=1.0,
        length_scale=1.0,
        amplitude_bounds=(1e-5, 1e5),
        length_scale_bounds=(1e-5, 1e5),
    ):
        self.amplitude = amplitude
        self.length_scale = length_scale
        self.amplitude_bounds = amplitude_bounds
        self.length_scale_bounds = length_scale_bounds

    @property
    def hyperparameter_amplitude(self):
        """The amplitude, as scikit-learn's kernels describe it."""
        return Hyperparameter("amplitude", "numeric", self.amplitude_bounds)

    @property
    def hyperparameter_length_scale(self):
        """The length, as scikit-learn's kernels describe it."""
        return Hyperparameter("length_scale", "numeric", self.length_scale_bounds)

    def __call__(self, X, Y=None, eval_gradient=False):
        """Evaluate the kernel.

        Parameters
        ----------
        X : array-like of shape (n_samples_X, n_features)
        Y : array-like of shape (n_samples_Y, n_features), default=None
            None means `X`.
        eval_gradient : bool, default=False
            Whether to return the gradient too; only for ``Y=None``.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            With respect to the logarithm of each hyper-parameter that is not fixed.
        """
        X = np.atleast_2d(X)
        if Y is None:
            scaled = squareform(pdist(X))
        elif eval_gradient:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        else:
            scaled = cdist(X, np.atleast_2d(Y))
        scaled /= -self.length_scale
        K = np.exp(scaled, out=None if eval_gradient else scaled)
        K *= self.amplitude**2  # Eq. (1)
        if not eval_gradient:
            return K
        gradients = []
        if not self.hyperparameter_amplitude.fixed:
            gradients.append(2.0 * K)
        if not self.hyperparameter_length_scale.fixed:
            gradients.append(-K * scaled)
        return K, np.stack(gradients, axis=-1) if gradients else np.empty((*K.shape, 0))

    def diag(self, X):
        """Evaluate k(x, x) for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples_X, n_features)

        Returns
        -------
        ndarray of shape (n_samples_X,)
        """
        return np.full(len(X), float(self.amplitude) ** 2)

    def __repr__(self):
        return (
            f"{type(self).__name__}(amplitude={self.amplitude:.3g}, "
            f"length_scale={self.length_scale:.3g})"
        )
