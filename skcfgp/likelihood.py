"""The log marginal likelihood of the Laplacian kernel, and a quick search for its maximum.

With K = a^2 M and M = R + diag(v), where R_ij = exp(-D_ij / l) and v is the variance of the noise
relative to a^2, the best amplitude for given l and v has the closed form a^2 = y' M^-1 y / n: the
search is over l, and over the noise where the kernel has a ``WhiteKernel``. The distances D are
computed once, a value costs one Cholesky factor, and the gradient one inverse from it.

On rows that are close together against l the kernel is nearly a^2 - (a^2 / l) D: the likelihood is
a ridge along a^2 / l = const. So the noise is counted relative to a^2 / l, not to a^2, and the
length is limited to `LENGTH_LIMIT` times the median distance.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.linalg import blas, lapack
from scipy.optimize import minimize
from scipy.spatial.distance import pdist, squareform
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import Sum, WhiteKernel

from .kernels import Laplacian

__all__ = ["LENGTH_LIMIT", "LaplacianLikelihood", "LaplacianSearch", "split_kernel"]

LENGTH_LIMIT = 100.0  # in median distances
_FEW_ROWS = 500  # up to which several starts cost next to nothing
_REACH = 2.0  # of one descent, in logarithms
_TOLERANCE = {"ftol": 1e-8, "gtol": 1e-2}  # 0.01 nat for a hyper-parameter that changes e-fold
_WHITE = 1e-12, 1e12  # white noise relative to a^2 / l
_NOT_POSITIVE_DEFINITE = 1e25  # finite: a line search turns back from it


def split_kernel(kernel):
    """Return the parts of ``Laplacian`` or ``Laplacian + WhiteKernel``.

    Parameters
    ----------
    kernel : kernel instance

    Returns
    -------
    (Laplacian, WhiteKernel or None) or None
        The kernel's own parts, not copies. None for every other kernel.
    """
    parts = [kernel.k1, kernel.k2] if type(kernel) is Sum else [kernel]
    parts.sort(key=lambda part: type(part) is WhiteKernel)
    kinds = [type(part) for part in parts]
    if kinds == [Laplacian, WhiteKernel]:
        return tuple(parts)
    return (parts[0], None) if kinds == [Laplacian] else None


class Hyperparameters(NamedTuple):
    """A point of the search: a and l of the kernel, and the noise variance, 0 without noise."""

    amplitude: float
    length_scale: float
    noise_level: float


class LaplacianLikelihood:
    """Log marginal likelihood of a Laplacian kernel with white noise.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets are independent and share the kernel: their likelihoods are added up.
    noise : float or ndarray of shape (n_samples,)
        Known variance of each label, in the squared unit of y.
    """

    def __init__(self, X, y, noise):
        self.X = X
        self.Y = np.asfortranarray(np.reshape(y, (len(X), -1)), dtype=float)
        self.noise = np.broadcast_to(np.asarray(noise, dtype=float), len(X))
        self.n, self.n_targets = self.Y.shape
        self.distances = pdist(X)

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
        return LaplacianLikelihood(self.X[::2], self.Y[::2], self.noise[::2])

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


class LaplacianSearch:
    """An optimizer for a scikit-learn regressor with the kernel ``Laplacian (+ WhiteKernel)``.

    Callable as the parameter ``optimizer`` is. It ends at the optimum of scikit-learn's L-BFGS or
    a better one.

    Parameters
    ----------
    regressor : sklearn.gaussian_process.GaussianProcessRegressor
        Whose ``fit`` calls the search: by then it holds the checked rows.
    """

    def __init__(self, regressor):
        self.regressor = regressor
        self.likelihood = None

    def __call__(self, obj_func, initial_theta, bounds):
        """Search from one start.

        Parameters
        ----------
        obj_func : callable
            Not used: `LaplacianLikelihood` is the same function.
        initial_theta : ndarray of shape (n_dims,)
        bounds : ndarray of shape (n_dims, 2)
            Not used: the kernel has them too.

        Returns
        -------
        theta : ndarray of shape (n_dims,)
        value : float
            The negative log marginal likelihood.
        """
        kernel = self.regressor.kernel_.clone_with_theta(initial_theta)
        laplacian, white = split_kernel(kernel)
        level = 0.0 if white is None else white.noise_level
        given = Hyperparameters(laplacian.amplitude, laplacian.length_scale, level)
        first = self.likelihood is None
        if first:
            self._set_up(given, laplacian, white)
        found, value = self._search(self.likelihood, [given, *([self._typical] if first else [])])
        laplacian.set_params(amplitude=found.amplitude, length_scale=found.length_scale)
        if white is not None:
            white.set_params(noise_level=found.noise_level)
        return kernel.theta, -value

    def warn_at_limit(self, kernel):
        """Warn if the length scale that was found is at its upper limit.

        Parameters
        ----------
        kernel : kernel instance
            The one that was found.
        """
        laplacian, _ = split_kernel(kernel)
        if self.likelihood is None or not self._free[1]:
            return
        limit = self._high[1]
        if laplacian.length_scale < 0.99 * limit:
            return
        slope = laplacian.amplitude**2 / laplacian.length_scale
        warnings.warn(
            f"The length scale ended at the upper limit of the search, {limit:.4g} (its bound, or "
            f"{LENGTH_LIMIT:g} times the median distance between rows): the likelihood is flat "
            f"along amplitude**2 / length_scale = {slope:.4g}. These data determine that ratio, "
            "and with it the predictions, but neither number alone. Report the ratio; to choose "
            "the length, pass Laplacian(length_scale=..., length_scale_bounds='fixed').",
            ConvergenceWarning,
            stacklevel=3,
        )

    def _set_up(self, given, laplacian, white):
        """Compute the distances, the limits of the search and a start on the scale of the data."""
        regressor = self.regressor
        self.likelihood = LaplacianLikelihood(
            regressor.X_train_, regressor.y_train_, regressor.alpha
        )
        parameters = [laplacian.hyperparameter_amplitude, laplacian.hyperparameter_length_scale]
        parameters.append(None if white is None else white.hyperparameter_noise_level)
        self._low, self._high = np.transpose(
            [
                (value, value) if parameter is None or parameter.fixed else parameter.bounds[0]
                for parameter, value in zip(parameters, given, strict=True)
            ]
        ).astype(float)
        n = self.likelihood.n
        median = float(np.median(self.likelihood.distances)) if n > 1 else 0.0
        if median > 0:
            limit = max(self._low[1], LENGTH_LIMIT * median)
            self._high[1] = min(self._high[1], limit)
        self._free = self._low < self._high
        power = float(np.mean(self.likelihood.Y**2))
        typical = np.sqrt(power), median or given.length_scale, 0.01 * power
        self._typical = self._inside(typical)

    def _inside(self, point):
        return Hyperparameters(*np.clip(point, self._low, self._high))

    def _search(self, likelihood, starts):
        """Return the best optimum and its value: from all starts on few rows, then on all."""
        if likelihood.n > _FEW_ROWS:
            start, _ = self._search(likelihood.thinned(), starts)
            return self._ascend(likelihood, start)
        given, *typical = starts
        # scikit-learn's own search from the given start: here it costs little
        optima = [self._maximise(likelihood, self._inside(given), plain=True)]
        optima += [self._ascend(likelihood, start) for start in typical]
        return max(optima, key=lambda optimum: optimum[1])

    def _ascend(self, likelihood, start):
        """Climb with the amplitude in closed form, then with all, for the noise is absolute."""
        return self._maximise(likelihood, self._maximise_profile(likelihood, start))

    def _maximise_profile(self, likelihood, start):
        """Return the optimum, the noise known in advance being taken relative to the start's."""
        slope = start.amplitude**2 / start.length_scale
        free = self._free[1:]
        # A white noise that is free takes in the noise that all rows have.
        absorbed = likelihood.noise.min() if free[1] else -start.noise_level
        known = (likelihood.noise - absorbed) / slope
        white = np.clip((start.noise_level + absorbed) / slope, *_WHITE) if free[1] else 0.0
        values = np.array([start.length_scale, white])
        best = (-np.inf, *start)

        def objective(x):
            nonlocal best
            values[free] = np.exp(x)
            value, amplitude, gradient = likelihood.profile(
                *values, known, (self._low[0], self._high[0])
            )
            level = values[1] * amplitude**2 / values[0] - absorbed
            best = max(best, (value, amplitude, values[0], level))
            return value, gradient[free]

        limits = np.array([(self._low[1], self._high[1]), _WHITE])[free]
        _climb(objective, np.log(values[free]), np.log(limits).T)
        return self._inside(best[1:])

    def _maximise(self, likelihood, start, plain=False):
        """Return the optimum of the likelihood itself, and its value."""
        free, values = self._free, np.array(start)

        def objective(x):
            values[free] = np.exp(x)
            value, gradient = likelihood(*values)
            return value, gradient[free]

        limits = np.log([self._low[free], self._high[free]])
        x, value = _climb(objective, np.log(values[free]), limits, plain)
        values[free] = np.exp(x)
        return self._inside(values), value


def _climb(objective, x, limits, plain=False):
    """Return the maximum of a function, and its value, by L-BFGS-B in boxes around the start.

    A first step that leaps over the optimum can end on a plateau, where R = I or the noise is
    nothing and every slope is 0; a box keeps it from there.
    """

    def negative(x):
        value, gradient = objective(x)
        return (-value, -gradient) if np.isfinite(value) else (_NOT_POSITIVE_DEFINITE, 0 * gradient)

    if len(x) == 0:
        return x, objective(x)[0]
    while True:
        low, high = (
            limits
            if plain
            else (np.maximum(limits[0], x - _REACH), np.minimum(limits[1], x + _REACH))
        )
        found = minimize(
            negative,
            x,
            jac=True,
            method="L-BFGS-B",
            bounds=np.transpose([low, high]),
            options=None if plain else _TOLERANCE,
        )
        stopped = (found.x <= low) & (low > limits[0]) | (found.x >= high) & (high < limits[1])
        x = found.x
        if not stopped.any():
            return x, -found.fun
