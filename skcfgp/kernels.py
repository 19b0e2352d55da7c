"""`Laplacian`, the kernel of the paper, Eq. (1), and `OnColumns`, a kernel on selected columns.

k(x, y) = a^2 exp(-||x - y||_2 / l) is the Matern covariance with nu = 1/2, written with the paper's
amplitude a and length l. Two kinds of features, such as latent vectors and composition, get two
lengths by a sum or product of kernels on different columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel, StationaryKernelMixin

__all__ = ["Laplacian", "OnColumns"]

FloatArray: TypeAlias = NDArray[np.float64]
Evaluated: TypeAlias = "FloatArray | tuple[FloatArray, FloatArray]"
Bounds: TypeAlias = "tuple[float, float] | Literal['fixed']"

METRICS = ("euclidean", "cityblock")


class Laplacian(StationaryKernelMixin, Kernel):
    """Laplacian kernel a^2 exp(-||x - y||_2 / l).

    Parameters
    ----------
    amplitude : float, default=1.0
        Prior standard deviation, the paper's a, in the unit of the target.
    length_scale : float, default=1.0
        Length, the paper's l, in the unit of the features.
    amplitude_bounds : pair of floats > 0 or "fixed", default=(1e-5, 1e5)
    length_scale_bounds : pair of floats > 0 or "fixed", default=(1e-5, 1e5)
        Bounds of the search, or ``"fixed"``.
    metric : {"euclidean", "cityblock"}, default="euclidean"
        Euclidean distance as in the paper, or the sum of absolute differences (L1), with which the
        kernel is scikit-learn's ``laplacian_kernel`` with ``gamma=1 / length_scale``.

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
        amplitude: float = 1.0,
        length_scale: float = 1.0,
        amplitude_bounds: Bounds = (1e-5, 1e5),
        length_scale_bounds: Bounds = (1e-5, 1e5),
        metric: Literal["euclidean", "cityblock"] = "euclidean",
    ) -> None:
        self.amplitude = amplitude
        self.length_scale = length_scale
        self.amplitude_bounds = amplitude_bounds
        self.length_scale_bounds = length_scale_bounds
        self.metric = metric

    @property
    def hyperparameter_amplitude(self) -> Hyperparameter:
        """Specification of the amplitude for scikit-learn."""
        return Hyperparameter("amplitude", "numeric", self.amplitude_bounds)

    @property
    def hyperparameter_length_scale(self) -> Hyperparameter:
        """Specification of the length scale for scikit-learn."""
        return Hyperparameter("length_scale", "numeric", self.length_scale_bounds)

    @overload
    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: Literal[False] = False
    ) -> FloatArray: ...
    @overload
    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Evaluated: ...

    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Evaluated:
        """Evaluate the kernel.

        Parameters
        ----------
        X : array-like of shape (n_samples_X, n_features)
        Y : array-like of shape (n_samples_Y, n_features), default=None
            Second set of rows; `X` itself by default.
        eval_gradient : bool, default=False
            Whether to return the gradient too; only for ``Y=None``.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            With respect to the logarithm of each hyper-parameter that is not fixed.
        """
        if self.metric not in METRICS:
            raise ValueError(f"metric must be one of {METRICS}, got {self.metric!r}.")
        X = np.atleast_2d(X)
        if Y is None:
            scaled = squareform(pdist(X, self.metric))
        elif eval_gradient:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        else:
            scaled = cdist(X, np.atleast_2d(Y), self.metric)
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

    def diag(self, X: ArrayLike) -> FloatArray:  # noqa: D102  scikit-learn's says it
        return np.full(np.shape(X)[0], float(self.amplitude) ** 2)

    def __repr__(self):
        metric = "" if self.metric == "euclidean" else f", metric={self.metric!r}"
        return (
            f"{type(self).__name__}(amplitude={self.amplitude:.3g}, "
            f"length_scale={self.length_scale:.3g}{metric})"
        )


class OnColumns(Kernel):
    """Kernel on selected columns.

    Parameters
    ----------
    kernel : kernel instance
        Kernel of scikit-learn or of this package.
    columns : slice or list of int
        Columns of X that the kernel is evaluated on.

    Examples
    --------
    >>> from skcfgp.kernels import Laplacian, OnColumns
    >>> kernel = OnColumns(Laplacian(), slice(2)) * OnColumns(Laplacian(), slice(2, None))
    >>> kernel.theta.shape
    (4,)
    """

    def __init__(self, kernel: Kernel, columns: slice | Sequence[int]) -> None:
        self.kernel = kernel
        self.columns = columns

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters as a dict; those of the inner kernel as ``kernel__<name>``."""
        params = {"kernel": self.kernel, "columns": self.columns}
        if deep:
            params |= {f"kernel__{name}": v for name, v in self.kernel.get_params().items()}
        return params

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """Hyper-parameters of the inner kernel."""
        return [
            Hyperparameter(f"kernel__{h.name}", h.value_type, h.bounds, h.n_elements)
            for h in self.kernel.hyperparameters
        ]

    @property
    def theta(self) -> FloatArray:
        """Logarithms of the hyper-parameters that are not fixed."""
        return self.kernel.theta

    @theta.setter
    def theta(self, theta: ArrayLike) -> None:
        self.kernel.theta = theta

    @property
    def bounds(self) -> FloatArray:
        """Logarithms of the bounds of `theta`."""
        return self.kernel.bounds

    def __eq__(self, other):
        return (
            type(self) is type(other)
            and self.kernel == other.kernel
            and type(self.columns) is type(other.columns)
            and np.array_equal(self.columns, other.columns)
        )

    @overload
    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: Literal[False] = False
    ) -> FloatArray: ...
    @overload
    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Evaluated: ...

    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Evaluated:
        """Evaluate the inner kernel on the columns; see `Laplacian`."""
        Y = None if Y is None else self.take(Y)
        return self.kernel(self.take(X), Y, eval_gradient=eval_gradient)

    def diag(self, X: ArrayLike) -> FloatArray:  # noqa: D102
        return self.kernel.diag(self.take(X))

    def take(self, X: ArrayLike) -> FloatArray:
        """Select the columns of X for the inner kernel; ValueError if X lacks one of them."""
        X = np.atleast_2d(X)
        try:
            part = X[:, self.columns]
        except IndexError as error:
            raise ValueError(
                f"{self} selects columns that X ({X.shape[1]} features) does not have."
            ) from error
        if not part.shape[1]:
            raise ValueError(f"{self} selects none of the {X.shape[1]} columns of X.")
        return part

    def is_stationary(self) -> bool:  # noqa: D102
        return self.kernel.is_stationary()

    def __repr__(self):
        columns = self.columns
        if isinstance(columns, slice):
            ends = ["" if end is None else str(end) for end in (columns.start, columns.stop)]
            columns = "[" + ":".join(ends) + (f":{columns.step}]" if columns.step else "]")
        return f"OnColumns({self.kernel}, {columns})"
