"""From z-scores of held-out rows to the distribution that the next score has.

Each method is a function of the scores, error over standard deviation, to a frozen distribution.
That of a row is the same one, as many times as wide as the standard deviation of the row says.
"""

import math
import warnings

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln
from scipy.stats import norm, rv_continuous, t

#: With fewer scores their scale has a standard error of more than 20 %, 1 / sqrt(2 n).
MIN_SCORES = 12

#: Mean and standard deviation of log(nu - 1) before any score is seen.
LOG_NU_PRIOR = math.log(4), 1.5

#: Equal scores are held apart by this part of their size, so that there is a density.
TIE = 1e-9

#: Smaller scores count as 0: the squares of much smaller ones underflow.
SMALLEST = 1e-100


class FewScoresWarning(UserWarning):
    """There are too few scores, or none that tells anything, to say how large errors are."""


def rescaled(distribution, mean, std):
    """Return the distribution of mean + std * score, an array of them for arrays."""
    scale = distribution.kwds.get("scale", 1.0)
    return distribution.dist(*distribution.args, loc=mean, scale=scale * std)


def fit_scores(method, z, group=None):
    """Return the distribution of scores by a method; one as wide as claimed if all are 0.

    Scores of equal rows are in the same group. The scale of a Student-t of fewer than 12 groups is
    at least 1, and its degrees of freedom are at most their number: so many has the t distribution
    of a new score, if the scores are normal.
    """
    z = np.where(np.abs(z) < SMALLEST, 0.0, z)
    group = np.arange(len(z)) if group is None else group
    if not z.any():
        warnings.warn(
            f"the errors of all {len(z)} rows are 0: their labels are equal, or each row equals "
            "others that were learnt. That does not tell how large errors are, and the error bars "
            "are wide.",
            FewScoresWarning,
            stacklevel=3,
        )
        most = 1 + math.exp(LOG_NU_PRIOR[0])
        return t(min(len(np.unique(group)), most), loc=0.0, scale=1.0)
    distribution, n = METHODS[method](z), len(np.unique(group[z != 0]))
    if method != "student_t" or n >= MIN_SCORES:
        return distribution
    warnings.warn(
        f"{n} errors of other rows are too few to tell how large errors are (at least "
        f"{MIN_SCORES}). Equal rows count once. The error bars are those of the estimator or "
        "wider. Add labels.",
        FewScoresWarning,
        stacklevel=3,
    )
    scale = max(np.sqrt(np.mean(z[z != 0] ** 2)), 1.0)
    return t(min(*distribution.args, n), loc=0.0, scale=scale)


def gaussian(z):
    """Return the Gaussian of the greatest likelihood with mean 0."""
    return norm(loc=0.0, scale=np.sqrt(np.mean(z**2)))


def student_t(z):
    """Return the Student-t of the greatest posterior probability with location 0.

    A score of exactly 0 comes from a row that equals one learnt, and tells nothing about others.
    """
    nu, scale = _most_probable_t(z[z != 0])
    return t(nu, loc=0.0, scale=scale)


def quantiles(z):
    """Return the distribution through the scores: the i-th smallest has the level i / (n + 1).

    An isotonic regression of these levels on the scores passes through all of them, so none is
    fitted.
    """
    knots = norm.ppf(np.arange(1, len(z) + 1) / (len(z) + 1))
    return GaussianPieces(knots, np.sort(z), np.sqrt(np.mean(z**2)))(loc=0.0, scale=1.0)


def symmetric_quantiles(z):
    """Return the symmetric distribution through the scores: those of `quantiles` for abs(z)."""
    size, level = np.sort(np.abs(z)), np.arange(1, len(z) + 1) / (len(z) + 1)
    knots = norm.ppf((1 + level) / 2)
    knots = np.concatenate([-knots[::-1], [0.0], knots])
    values = np.concatenate([-size[::-1], [0.0], size])
    return GaussianPieces(knots, values, np.sqrt(np.mean(z**2)))(loc=0.0, scale=1.0)


METHODS = {
    "student_t": student_t,
    "std_scaling": gaussian,
    "isotonic": quantiles,
    "conformal": symmetric_quantiles,
}


def conformal_bound(z, coverage):
    """Return the ceil((n + 1) coverage)-th smallest absolute score."""
    n = len(z)
    rank = math.ceil((n + 1) * coverage - 1e-9)  # not one more for a rounding error
    if rank > n:
        raise ValueError(
            f"a conformal interval of coverage {coverage:.4g} needs at least "
            f"{math.ceil(coverage / (1 - coverage) - 1e-9)} calibration rows, got {n}. Give more, "
            f"or ask for a coverage of at most {n / (n + 1):.3g}."
        )
    return np.sort(np.abs(z))[rank - 1]


class GaussianPieces(rv_continuous):
    """Distribution of g(u), where u is standard normal and g is increasing, of straight pieces.

    Interpolation is over the quantiles of a Gaussian, not over its probabilities, which are all 1
    for u past 8. Beyond the knots g has a given slope.
    """

    def __init__(self, knots, values, slope, **options):
        self.parameters = {"knots": knots, "values": values, "slope": slope}
        ends = np.array([-1.0, 1.0])
        values = values + TIE * slope * knots
        self._u = np.concatenate([knots[:1] + ends[:1], knots, knots[-1:] + ends[1:]])
        outer = [values[0] - slope], values, [values[-1] + slope]
        self._z = np.concatenate(outer)
        super().__init__(**options)

    def _updated_ctor_param(self):
        return super()._updated_ctor_param() | self.parameters

    def _stats(self):
        """Return mean and variance, from the moments of a Gaussian between the knots."""
        slopes = np.diff(self._z) / np.diff(self._u)
        offset = self._z[:-1] - slopes * self._u[:-1]
        ends, inner = np.concatenate([[-np.inf], self._u[1:-1], [np.inf]]), self._u[1:-1]
        weighted = np.concatenate([[0.0], inner * norm.pdf(inner), [0.0]])
        zeroth, first = np.diff(norm.cdf(ends)), -np.diff(norm.pdf(ends))
        second = zeroth - np.diff(weighted)
        mean = offset @ zeroth + slopes @ first
        square = offset**2 @ zeroth + 2 * offset * slopes @ first + slopes**2 @ second
        return mean, square - mean**2, None, None

    def _ppf(self, q):
        return _follow(norm.ppf(q), self._u, self._z)

    def _isf(self, q):
        return _follow(norm.isf(q), self._u, self._z)

    def _cdf(self, x):
        return norm.cdf(_follow(x, self._z, self._u))

    def _sf(self, x):
        return norm.sf(_follow(x, self._z, self._u))

    def _logpdf(self, x):
        slopes = np.diff(self._z) / np.diff(self._u)
        piece = np.clip(np.searchsorted(self._z, x, side="right") - 1, 0, len(slopes) - 1)
        return norm.logpdf(_follow(x, self._z, self._u)) - np.log(slopes[piece])

    def _pdf(self, x):
        return np.exp(self._logpdf(x))


def _follow(x, knots, values):
    """Interpolate between the knots, and extend the first and the last piece."""
    slopes = np.diff(values) / np.diff(knots)
    below, above = np.minimum(x - knots[0], 0), np.maximum(x - knots[-1], 0)
    return np.interp(x, knots, values) + slopes[0] * below + slopes[-1] * above


def _most_probable_t(z):
    """Return degrees of freedom and scale of the greatest posterior probability."""
    size = np.sqrt(np.mean(z**2))  # the scale has no prior, so the unit of z does not matter
    squares, n = (z / size) ** 2, len(z)
    mean, std = LOG_NU_PRIOR

    def objective(theta):
        log_scale, log_rest = theta
        nu, rest = 1 + np.exp(log_rest), np.exp(log_rest)
        ratio = squares / (nu * np.exp(2 * log_scale))
        log_norm = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2 - log_scale
        value = n * log_norm - (nu + 1) / 2 * np.log1p(ratio).sum()
        weight = (ratio / (1 + ratio)).sum()
        by_scale = -n + (nu + 1) * weight
        by_nu = n * (digamma((nu + 1) / 2) - digamma(nu / 2) - 1 / nu) / 2
        by_nu += -np.log1p(ratio).sum() / 2 + (nu + 1) / (2 * nu) * weight
        away = (log_rest - mean) / std
        return -value + away**2 / 2, np.array([-by_scale, -by_nu * rest + away / std])

    start = np.log(np.median(np.sqrt(squares)) / 0.7 + 1e-3), mean
    found = minimize(objective, start, jac=True, bounds=[(-12, 3), (-8, 10)], method="L-BFGS-B")
    return float(1 + np.exp(found.x[1])), float(size * np.exp(found.x[0]))
