"""`TransformedDistribution`: that of the inverse of a monotone function of a random variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..structures.typing import ArrayLike, Distribution, FloatArray, RandomState

#: Step of the numerical derivative, relative to the value; its error is of the fourth order.
STEP = 1e-3

#: Probability of a tail beyond which the mean gets nothing, if there is a mean.
FAR = 1e-300


def slope(func, y):
    """Return the derivative of a function, by central differences of fourth order."""
    h = STEP * np.where(y == 0, 1e-3, np.abs(y))
    return (8 * (func(y + h) - func(y - h)) - (func(y + 2 * h) - func(y - 2 * h))) / (12 * h)


def domain_of_inverse(func, inverse_func, y, z, increasing):
    """Return the ends of the numbers around z = func(y) that `inverse_func` takes back one by one.

    The inverse of a square root takes back the positive numbers, that of a logarithm all.
    """
    ends = []
    for sign in (-1.0, 1.0):
        upwards = (sign > 0) == increasing
        bound = y.max() if upwards else y.min()

        def reaches(end, upwards=upwards, bound=bound):
            value = float(inverse_func(np.float64(end)))
            again = float(func(np.float64(value)))
            return (value >= bound if upwards else value <= bound) and np.isclose(
                again, end, atol=0
            )

        good = z.max() if sign > 0 else z.min()
        bad, step = sign * np.inf, max(np.ptp(z), np.abs(z).max())
        with np.errstate(all="ignore"):
            if reaches(bad):
                good = bad
            while np.isfinite(good) and np.isinf(bad):
                near, step = good + sign * step, 2 * step
                good, bad = (near, bad) if np.isinf(near) or reaches(near) else (good, near)
            for _ in range(100):
                middle = (good + bad) / 2
                good, bad = (middle, bad) if reaches(middle) else (good, middle)
            ends.append(0.0 if good * bad <= 0 and reaches(0.0) else float(good))
    return tuple(ends)


class TransformedDistribution:
    """Distribution of y, where ``func(y)`` has a known distribution and `func` is monotone.

    It has the methods of a frozen distribution of scipy that follow from quantiles. With
    ``numpy.log10`` and a Student-t it is a log-t: positive, skewed, and without a mean.

    Parameters
    ----------
    inner : frozen distribution
        That of ``func(y)``.
    func, inverse_func : callable
        Function of an array, strictly monotone, and its inverse.
    increasing : bool, default=True
        Whether `func` increases.
    domain : tuple of two floats, default=(-inf, inf)
        Ends of the numbers for which `inverse_func` is the inverse. What is expected beyond is put
        at the end: a square root below 0 is a y of 0.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import t
    >>> from skcfgp.calibration import TransformedDistribution
    >>> distribution = TransformedDistribution(
    ...     t(3, loc=[1.0, 2.0], scale=0.1), np.log10, lambda x: 10.0 ** x)
    >>> print(distribution.median())
    [ 10. 100.]
    >>> print(np.round(distribution.interval(0.9), 1))
    [[  5.8  58.2]
     [ 17.2 171.9]]
    """

    def __init__(
        self,
        inner: Distribution,
        func: Callable[..., Any],
        inverse_func: Callable[..., Any],
        increasing: bool = True,
        domain: tuple[float, float] = (-np.inf, np.inf),
    ) -> None:
        self.inner = inner
        self.func = func
        self.inverse_func = inverse_func
        self.increasing = increasing
        self.domain = domain

    def cdf(self, y: ArrayLike) -> FloatArray:
        """Compute the probability of at most y.

        Parameters
        ----------
        y : array-like of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._of_inner(y, self.inner.cdf, self.inner.sf, at_bottom=0.0, at_top=1.0)

    def sf(self, y: ArrayLike) -> FloatArray:
        """Compute the probability of more than y.

        Parameters
        ----------
        y : array-like of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._of_inner(y, self.inner.sf, self.inner.cdf, at_bottom=1.0, at_top=0.0)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Compute the value that is not exceeded with probability q.

        Parameters
        ----------
        q : float or array-like
            Probability.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._back(self.inner.ppf(q) if self.increasing else self.inner.isf(q))

    def isf(self, q: ArrayLike) -> FloatArray:
        """Compute the value that is exceeded with probability q.

        Parameters
        ----------
        q : float or array-like
            Probability.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._back(self.inner.isf(q) if self.increasing else self.inner.ppf(q))

    def median(self) -> FloatArray:
        """Compute the value that is exceeded with probability 1/2.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.ppf(0.5)

    def interval(self, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Compute the ends of the central interval, whose tails are equally probable.

        Parameters
        ----------
        confidence : float
            Probability of the interval.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,)
        """
        tail = (1 - confidence) / 2
        return self.ppf(tail), self.isf(tail)

    def logpdf(self, y: ArrayLike) -> FloatArray:
        """Compute the logarithm of the density, per unit of y.

        Parameters
        ----------
        y : array-like of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        y = np.asarray(y, dtype=float)
        bottom, top = self._support()
        inside = (bottom < y) & (y < top)
        some = np.where(inside, y, self.median())
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self.inner.logpdf(self.func(some)) + np.log(np.abs(slope(self.func, some)))
        return np.where(inside, value, -np.inf)

    def pdf(self, y: ArrayLike) -> FloatArray:
        """Compute the density, per unit of y.

        Parameters
        ----------
        y : array-like of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return np.exp(self.logpdf(y))

    def rvs(
        self, size: int | tuple[int, ...] | None = None, random_state: RandomState = None
    ) -> FloatArray:
        """Draw values.

        Parameters
        ----------
        size : tuple of int, default=None
            As for `inner`; by default one for each row.
        random_state : int, RandomState or None, default=None
            Controls the draws.

        Returns
        -------
        ndarray of shape `size`
        """
        size = np.shape(self.median()) if size is None else size
        return self._back(self.inner.rvs(size=size, random_state=random_state))

    def mean(self) -> FloatArray:
        """Compute the mean, from 1,000 quantiles.

        Returns
        -------
        ndarray of shape (n_samples,)
            Infinite where the tails are too heavy for one.
        """
        return self._moment(lambda y: y)

    def var(self) -> FloatArray:
        """Compute the variance, as `mean` does.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        mean = self.mean()
        with np.errstate(invalid="ignore"):
            return self._moment(lambda y: (y - mean) ** 2)

    def std(self) -> FloatArray:
        """Compute the root of the variance.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return np.sqrt(self.var())

    def _moment(self, power):
        level = (np.arange(1000) + 0.5) / 1000
        level = level.reshape(-1, *[1] * np.ndim(self.median()))
        with np.errstate(over="ignore", invalid="ignore"):
            tails = power(self.isf(FAR)) * FAR, power(self.ppf(FAR)) * FAR
            value = power(self.ppf(level)).mean(axis=0)
        # Of what has a moment, so far a tail has nothing to add to it.
        heavy = ~(np.max(np.abs(tails), axis=0) < 1e-9 * np.abs(value))
        return np.where(heavy, np.inf, value)

    def _back(self, z):
        with np.errstate(all="ignore"):
            return np.asarray(self.inverse_func(np.clip(z, *self.domain)), dtype=float)

    def _support(self):
        """Return the ends of the values that the inverse can have."""
        ends = self._back(np.array(self.domain))
        return ends if self.increasing else ends[::-1]

    def _of_inner(self, y, rising, falling, at_bottom, at_top):
        y = np.asarray(y, dtype=float)
        bottom, top = self._support()
        with np.errstate(all="ignore"):
            z = self.func(np.clip(y, bottom, top))
        value = (rising if self.increasing else falling)(z)
        return np.where(y < bottom, at_bottom, np.where(y >= top, at_top, value))
