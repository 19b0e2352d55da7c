"""A quick search for the hyper-parameters of the Laplacian kernel.

On rows that are close together against l the kernel is nearly a^2 - (a^2 / l) D: the likelihood is
a ridge along a^2 / l = const, steep across and nearly flat along. So the search runs along the
ridge: its coordinates are a^2 / l, l and the noise, and a^2 has its closed form for most of the
way. It starts on every second, fourth, ... row, where a step costs next to nothing. The length is
limited to `LENGTH_LIMIT` times the median distance.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import Sum, WhiteKernel

from ..kernels import Laplacian
from .covariance import LENGTH_LIMIT
from .likelihood import LaplacianLikelihood

__all__ = ["LaplacianSearch", "split_kernel"]

_FEW_ROWS = 500  # up to which several starts are searched
_REACH = 2.0  # of one descent, in logarithms
_FLAT = 0.05  # a slope, in nats; for a curvature of 1 it is 0.001 nat from the optimum
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


class Point(NamedTuple):
    """The hyper-parameters: a, l and the variance of the white noise, 0 without noise."""

    amplitude: float
    length_scale: float
    noise_level: float


class Optimum(NamedTuple):
    """A point, its log marginal likelihood, and the roots of its curvatures there.

    The latter with respect to log l and to the logarithm of the noise; 1 where nothing is known.
    """

    point: Point
    value: float = -np.inf
    scale: np.ndarray = np.ones(2)


class LaplacianSearch:
    """An optimizer for a scikit-learn regressor with the kernel ``Laplacian (+ WhiteKernel)``.

    Callable as the parameter ``optimizer`` is. It ends at the optimum of scikit-learn's L-BFGS or
    a better one.

    Parameters
    ----------
    regressor : sklearn.gaussian_process.GaussianProcessRegressor
        Whose ``fit`` calls the search: by then it holds the checked rows.
    """

    #: Its advice, to increase the bound, does not help on a ridge; that of `warn_at_bounds` does.
    superseded = (r"The optimal value .*length_scale .*upper bound",)

    def __init__(self, regressor):
        self.regressor = regressor
        self.likelihood = None

    def __call__(self, obj_func, initial_theta, bounds):
        """Search from one start; the first time, from the scale of the data too.

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
        given = Point(laplacian.amplitude, laplacian.length_scale, level)
        typical = [] if self.likelihood else [self._set_up(given, laplacian, white)]
        point, value, _ = self._search(self.likelihood, self._inside(given), typical)
        laplacian.set_params(amplitude=point.amplitude, length_scale=point.length_scale)
        if white is not None:
            white.set_params(noise_level=point.noise_level)
        return kernel.theta, -value

    def warn_at_bounds(self, kernel):
        """Warn if the length scale that was found is at its upper limit.

        Parameters
        ----------
        kernel : kernel instance
            The one that was found.
        """
        laplacian, _ = split_kernel(kernel)
        if not self.likelihood or not self._free[1]:
            return
        if laplacian.length_scale < 0.99 * self._high[1]:
            return
        slope = laplacian.amplitude**2 / laplacian.length_scale
        warnings.warn(
            f"The length scale ended at the upper limit of the search, {self._high[1]:.4g} (its "
            f"bound, or {LENGTH_LIMIT:g} times the median distance between rows): the likelihood "
            f"is flat along amplitude**2 / length_scale = {slope:.4g}. These data determine that "
            "ratio, and with it the predictions, but neither number alone. Report the ratio; to "
            "choose the length, pass Laplacian(length_scale=..., length_scale_bounds='fixed').",
            ConvergenceWarning,
            stacklevel=4,
        )

    def _set_up(self, given, laplacian, white):
        """Compute the distances and the limits; return a start on the scale of the data."""
        regressor = self.regressor
        self.likelihood = LaplacianLikelihood(
            regressor.X_train_, regressor.y_train_, regressor.alpha, laplacian.metric
        )
        parameters = [laplacian.hyperparameter_amplitude, laplacian.hyperparameter_length_scale]
        parameters.append(None if white is None else white.hyperparameter_noise_level)
        self._low, self._high = np.transpose(
            [
                (value, value) if parameter is None or parameter.fixed else parameter.bounds[0]
                for parameter, value in zip(parameters, given, strict=True)
            ]
        ).astype(float)
        median = float(np.median(self.likelihood.distances)) if self.likelihood.n > 1 else 0.0
        if median > 0:
            self._high[1] = min(self._high[1], max(self._low[1], LENGTH_LIMIT * median))
        self._free = self._low < self._high
        power = float(np.mean(self.likelihood.Y**2))
        return self._inside((np.sqrt(power), median or given.length_scale, 0.01 * power))

    def _inside(self, point):
        return Point(*np.clip(point, self._low, self._high).tolist())

    def _search(self, likelihood, given, typical):
        """Return the best optimum: on few rows from all starts, then on more from the best."""
        if likelihood.n > _FEW_ROWS:
            start = self._search(likelihood.thinned(), given, typical)
            # Twice the rows say twice as much about the noise, and about a length on the ridge
            # nothing more.
            return self._ascend(likelihood, start._replace(scale=start.scale * np.sqrt([1, 2])))
        optima = [self._maximise_as_sklearn(likelihood, given)]
        optima += [self._ascend(likelihood, Optimum(point)) for point in typical]
        return max(optima, key=lambda optimum: optimum.value)

    def _ascend(self, likelihood, start):
        """Climb with the amplitude in closed form, then without: known noise is absolute."""
        return self._maximise(likelihood, self._maximise_profile(likelihood, start))

    def _maximise_profile(self, likelihood, start):
        """Return the optimum if the known noise were relative to the slope a^2 / l of the start."""
        (amplitude, length_scale, noise_level), _, scale = start
        # Where a length or a noise is far below the spacing of the rows nothing depends on it any
        # more: no slope by its logarithm leads away from there.
        spacing = _spacing(likelihood.distances)
        length_scale = np.clip(max(length_scale, 0.3 * spacing), self._low[1], self._high[1])
        little_noise = (0.1 if likelihood.n <= 2 * _FEW_ROWS else 0.01) * spacing
        slope = amplitude**2 / length_scale
        free = self._free[1:]
        # A white noise that is free takes in the noise that all rows have.
        absorbed = likelihood.noise.min() if free[1] else -noise_level
        known = (likelihood.noise - absorbed) / slope
        least = max(_WHITE[0], (self._low[2] + absorbed) / slope)
        white_limits = least, max(least, _WHITE[1])
        white = np.clip((noise_level + absorbed) / slope, *white_limits)
        values = np.array([length_scale, white if free[1] else 0.0])
        best = (-np.inf, *start.point)

        def objective(x):
            nonlocal best
            values[free] = np.exp(x)
            value, amplitude, gradient = likelihood.profile(
                *values, known, (self._low[0], self._high[0])
            )
            level = values[1] * amplitude**2 / values[0] - absorbed
            best = max(best, (value, amplitude, values[0], level))
            return value, gradient[free]

        limits = np.array([(self._low[1], self._high[1]), white_limits])[free]
        scale, evaluate, x = np.array(scale), _remember(objective), np.log(values[free])
        if free[1] and white < little_noise:
            value, gradient = evaluate(x)
            if not np.isfinite(value) or gradient[-1] / white * little_noise > _FLAT:
                x[-1] = np.log(little_noise)
        _, scale[free] = _climb(evaluate, x, np.log(limits), scale[free])
        return Optimum(self._inside(best[1:]), best[0], scale)

    def _maximise(self, likelihood, start):
        """Return the optimum, by a search along log a^2 / l, log l and the log of the noise."""
        point, _, scale = start
        low, high, free = self._low, self._high, self._free
        values = np.array([point.amplitude**2 / point.length_scale, *point[1:]])
        best = (-np.inf, *point)

        def objective(x):
            nonlocal best
            values[free] = np.exp(x)
            amplitude = float(np.clip(np.sqrt(values[0] * values[1]), low[0], high[0]))
            value, gradient = likelihood(amplitude, *values[1:])
            best = max(best, (value, amplitude, *values[1:]))
            by_squared = 0.5 * gradient[0]
            if (by_squared > 0 and amplitude >= high[0]) or (
                by_squared < 0 and amplitude <= low[0]
            ):
                by_squared = 0.0  # the bound holds it
            by_length, by_noise = gradient[1:]
            return value, np.array([by_squared, by_length + by_squared, by_noise])[free]

        limits = np.full((3, 2), (-np.inf, np.inf))
        limits[1:][free[1:]] = np.log(np.transpose([low, high])[1:][free[1:]])
        across = np.sqrt(0.5 * likelihood.n * likelihood.n_targets)  # without noise exactly
        scales = np.array([across, *scale])[free]
        _climb(_remember(objective), np.log(values[free]), limits[free], scales)
        return Optimum(self._inside(best[1:]), best[0], scale)

    def _maximise_as_sklearn(self, likelihood, point):
        """Return the optimum by the very search of scikit-learn."""
        free, values = self._free, np.array(point)

        def negative(x):
            values[free] = np.exp(x)
            value, gradient = likelihood(*values)
            return _negative(value, gradient[free])

        bounds = np.log(np.transpose([self._low, self._high])[free])
        found = minimize(negative, np.log(values[free]), jac=True, method="L-BFGS-B", bounds=bounds)
        values[free] = np.exp(found.x)
        return Optimum(self._inside(values), -found.fun, np.ones(2))


def _spacing(distances):
    """Return a distance that one pair for each two rows or so is closer than."""
    k = int(np.sqrt(len(distances) / 2))
    return np.partition(distances, k)[k] if k else 0.0


def _negative(value, gradient):
    if np.isfinite(value):
        return -value, -gradient
    return _NOT_POSITIVE_DEFINITE, np.zeros_like(gradient)


def _remember(objective):
    """Evaluate nothing twice: a climb starts anew where the last one ended."""
    known = {}

    def evaluate(x):
        key = x.round(12).tobytes()
        if key not in known:
            known[key] = objective(x)
        return known[key]

    return evaluate


def _climb(objective, x, limits, scale):
    """Maximise a function by L-BFGS-B, in boxes around the start, with variables `scale` times x.

    A first step that leaps over the optimum can end on a plateau, where R = I or the noise is
    nothing and every slope is 0; a box keeps it from there.

    Parameters
    ----------
    objective : callable
        Returns the value and the gradient.
    x : ndarray of shape (k,)
    limits : ndarray of shape (k, 2)
    scale : ndarray of shape (k,)
        Square roots of the curvatures that are expected: a first step is then one of Newton's.

    Returns
    -------
    x : ndarray of shape (k,)
    scale : ndarray of shape (k,)
        The same of the curvatures that were found.
    """

    def negative(u):
        value, gradient = _negative(*objective(u / scale))
        return value, gradient / scale

    while len(x):
        low, high = np.maximum(limits[:, 0], x - _REACH), np.minimum(limits[:, 1], x + _REACH)
        found = minimize(
            negative,
            x * scale,
            jac=True,
            method="L-BFGS-B",
            bounds=np.transpose([low * scale, high * scale]),
            options={"ftol": 1e-8, "gtol": _FLAT},
        )
        x = np.clip(found.x / scale, low, high)
        if found.nit > 1:
            scale = scale / np.sqrt(np.diag(found.hess_inv.todense()))
        edge = np.isclose(x, low) & (low > limits[:, 0]) | np.isclose(x, high) & (
            high < limits[:, 1]
        )
        if not edge.any():
            break
    return x, scale
