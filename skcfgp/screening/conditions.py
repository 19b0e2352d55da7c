"""Which crystals meet a condition: probabilities, what a cut finds and misses, what to label next.

With a Gaussian of mean m and standard deviation s, P(y < t) = Phi((t - m) / s); with a Student-t of
location m, F((t - m) / c), where the scale c is such that two s hold 95.45 %. The expected number
of crystals that meet the condition is the sum of the probabilities, whatever their correlations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..structures.typing import ArrayLike, DataFrame, FloatArray, Self


@dataclass(frozen=True)
class Condition:
    """``low < y < high``; a bound may be infinite.

    Parameters
    ----------
    low, high : float
        Bounds, in the unit of the target.

    Examples
    --------
    >>> from skcfgp.screening import Condition
    >>> Condition.of(below=0.0).probability([0.0, -1.0], [0.5, 0.0]).tolist()
    [0.5, 1.0]
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self):
        if math.isnan(self.low) or math.isnan(self.high) or not self.low < self.high:
            raise ValueError(
                f"nothing lies between {self.low} and {self.high}: low must be less than high."
            )

    @classmethod
    def of(
        cls,
        below: float | None = None,
        above: float | None = None,
        between: tuple[float, float] | None = None,
    ) -> Self:
        """Make a condition from one of ``below``, ``above`` and ``between``."""
        if sum(given is not None for given in (below, above, between)) != 1:
            raise ValueError("give one of below, above and between.")
        if between is None:
            between = -math.inf if above is None else above, math.inf if below is None else below
        low, high = between
        return cls(float(low), float(high))

    def __str__(self):
        if math.isinf(self.low):
            return f"below {self.high:g}"
        return f"above {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"

    def probability(
        self, mean: ArrayLike, std: ArrayLike, df: ArrayLike | None = None
    ) -> FloatArray:
        """Compute the probability that each value meets the condition.

        Parameters
        ----------
        mean, std : array-like of shape (n_samples,)
            Predictions; a standard deviation of 0 marks a known value. NaN gives NaN.
        df : float or array-like of shape (n_samples,), default=None
            Degrees of freedom, if the distributions are those of a Student-t. Two standard
            deviations hold 95.45 % of it, as they do of a Gaussian, which infinity, NaN and None
            stand for.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        mean, std = np.asarray(mean, dtype=float), np.asarray(std, dtype=float)
        if np.any(std < 0):
            raise ValueError(f"std must not be negative, got {np.nanmin(std)}.")
        known = np.where(np.isnan(mean + std), np.nan, (self.low < mean) & (mean < self.high))
        with np.errstate(divide="ignore", invalid="ignore"):
            df = np.asarray(math.inf if df is None else df, dtype=float)
            cdf, scale = _distribution(std, df)
            low, high = (self.low - mean) / scale, (self.high - mean) / scale
            # The difference of the smaller tails: no loss of digits far from the condition.
            upper = low > -high
            low, high = np.where(upper, -high, low), np.where(upper, -low, high)
            p = cdf(high) - cdf(low)
        return np.where(std > 0, p, known)


def _distribution(std, df):
    """Return the distribution function in units of a scale, and the scale."""
    from scipy.special import ndtr, stdtr, stdtrit

    gaussian = ~np.isfinite(df)
    if gaussian.all():
        return ndtr, std
    finite = np.where(gaussian, 1.0, df)
    scale = np.where(gaussian, std, 2.0 * std / stdtrit(finite, ndtr(2.0)))
    return lambda x: np.where(gaussian, ndtr(x), stdtr(finite, x)), scale


@dataclass(frozen=True)
class Screening:
    """Crystals sorted by `screen`, and the expected numbers of right and wrong decisions.

    Attributes
    ----------
    table : DataFrame
        Table of the crystals with the columns ``p_meets`` and ``found``, the most probable first.
    edge_cases : DataFrame
        Crystals without a label, first the one whose label removes most of the expected number of
        wrong decisions: the smaller of p and 1 - p.
    cut : float
        Probability from which a crystal counts as found.
    n_found : int
        Number of crystals found.
    expected : float
        Expected number of crystals that meet the condition.
    expected_found, expected_missed : float
        Expected number of those that are found, and that are not.
    expected_false : float
        Expected number of found crystals that do not meet the condition.
    n_unknown : int
        Number of crystals without a prediction; they count in none of the other numbers.
    """

    table: DataFrame
    edge_cases: DataFrame
    cut: float
    n_found: int
    expected: float
    expected_found: float
    expected_missed: float
    expected_false: float
    n_unknown: int

    def __str__(self):
        return (
            f"crystals found, with a probability of at least {self.cut:g}: {self.n_found}. "
            f"Of these {self.expected_found:.1f} are expected to meet the condition, and of the "
            f"others {self.expected_missed:.1f}."
        )


def probability_of(table, condition, df=None):
    """Compute the probability that each row of a table of predictions meets a condition.

    `df` stands for the column of this name.
    """
    mean, std = (table[name].to_numpy(dtype=float) for name in ("prediction", "std"))
    if df is None and "df" in table.columns:
        df = table["df"].to_numpy(dtype=float)
    if "std_log10" not in table.columns:
        return condition.probability(mean, std, df)
    if condition.high <= 0:
        return np.where(np.isnan(mean), np.nan, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = np.log10(np.maximum([condition.low, condition.high], 0.0))
        std = np.where(std == 0, 0.0, table["std_log10"].to_numpy(dtype=float))
        return Condition(*bounds.tolist()).probability(np.log10(mean), std, df)


def screen(
    table: DataFrame, condition: Condition, cut: float = 0.5, df: float | None = None
) -> Screening:
    """Sort crystals by the probability that they meet a condition.

    Parameters
    ----------
    table : DataFrame
        Predictions, with the columns ``prediction`` and ``std``; if they are a Student-t, ``df``;
        if a logarithm was learnt, ``std_log10``; and if some values are known, ``value``; such as
        `skcfgp.models.predict_crystals` returns.
    condition : Condition
        Condition on the value.
    cut : float, default=0.5
        Probability from which a crystal counts as found.
    df : float, default=None
        Degrees of freedom of all predictions, in place of the column; see `Condition.probability`.

    Returns
    -------
    Screening

    Examples
    --------
    >>> import pandas as pd
    >>> from skcfgp.screening import Condition, screen
    >>> table = pd.DataFrame({"id": ["a", "b"], "prediction": [-0.1, 0.3], "std": [0.1, 0.1]})
    >>> result = screen(table, Condition.of(below=0.0))
    >>> result.table[["id", "found"]].values.tolist(), round(result.expected_found, 2)
    ([['a', True], ['b', False]], 0.84)
    """
    if not 0 < cut <= 1:
        raise ValueError(f"cut must be a probability above 0, got {cut!r}.")
    table = table.copy()
    mean, std = (np.array(table[name], dtype=float) for name in ("prediction", "std"))
    labelled = np.zeros(len(table), dtype=bool)
    if "value" in table.columns:
        value = table["value"].to_numpy(dtype=float)
        labelled = ~np.isnan(value)
        mean, std = np.where(labelled, value, mean), np.where(labelled, 0.0, std)
    p = probability_of(table.assign(prediction=mean, std=std), condition, df)
    table["p_meets"] = p
    table["found"] = p >= cut
    order = np.argsort(-np.nan_to_num(p, nan=-1.0), kind="stable")
    wrong = np.where(labelled | np.isnan(p), -1.0, np.minimum(p, 1 - p))
    edge = np.argsort(-wrong, kind="stable")
    edge = edge[wrong[edge] > 0]
    found, known = p >= cut, ~np.isnan(p)
    return Screening(
        table=table.iloc[order].reset_index(drop=True),
        edge_cases=table.iloc[edge].reset_index(drop=True),
        cut=float(cut),
        n_found=int(found.sum()),
        expected=float(p[known].sum()),
        expected_found=float(p[found].sum()),
        expected_missed=float(p[known & ~found].sum()),
        expected_false=float((1 - p[found]).sum()),
        n_unknown=int((~known).sum()),
    )
