"""`uncertainty_report`: all metrics of predictions with an error bar in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score
from sklearn.utils import check_random_state

from ..structures.typing import ArrayLike, DataFrame, Distribution, RandomState
from . import metrics as m
from .distribution_metrics import (
    LEVELS,
    TWO_SIGMA,
    as_distribution,
    coverage_by_level,
    crps,
    family,
    quantiles_of,
    two_sigma_std,
)
from .ranking import ause, spearman
from .resampling import calibrated_reference, mean_squared_z_interval

#: Title of each metric, and whether it has the unit of y.
METRICS = {
    "mae": ("MAE", True),
    "rmse": ("RMSE", True),
    "median_absolute_error": ("median absolute error", True),
    "r2": ("R2", False),
    **{f"coverage_{level:.0%}"[:-1]: (f"in the {level:.0%} interval", False) for level in LEVELS},
    "coverage_2sigma": ("within 2 sigma", False),
    "miscalibration_area_interval": ("miscalibration area, interval form", False),
    "miscalibration_area_quantile": ("miscalibration area, quantile form", False),
    "nll": ("NLL (nats)", False),
    "crps": ("CRPS", True),
    "width_95": ("mean width of the 95% interval", True),
    "mean_squared_z": ("mean squared z (Gaussian)", False),
    "ence": ("ENCE (Gaussian)", False),
    "sharpness": ("root mean square sigma", True),
    "dispersion": ("dispersion", False),
    "spearman": ("Spearman of sigma and |error|", False),
    "ause": ("AUSE", True),
}
COLUMNS = ("value", "low", "high", "reference", "reference_low", "reference_high")


@dataclass(frozen=True, eq=False)
class UncertaintyReport:
    """Metrics of predictions with a standard deviation; printed, it is a table.

    Each metric is an attribute as well: ``report.mae``, ``report.coverage_2sigma``, ``report.nll``.

    Attributes
    ----------
    table : DataFrame
        One row for each metric, with the columns ``value``, ``low`` and ``high`` (a 95% interval),
        ``reference`` (to expect of a calibrated model), ``reference_low`` and ``reference_high``
        (where 95% of calibrated models are), NaN where there is none, and ``unit``: that of y, or
        "1".
    n_samples, n_bins, n_resamples : int
        Numbers of rows, of bins of the ENCE, and of resamples.
    """

    table: DataFrame
    n_samples: int
    n_bins: int
    n_resamples: int

    def __getattr__(self, name: str) -> float:
        if name not in METRICS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return float(self.table.at[name, "value"])

    def __eq__(self, other):
        return isinstance(other, UncertaintyReport) and self.table.equals(other.table)

    def to_dict(self) -> dict[str, float]:
        """Make a flat dict: one row of a table of models.

        Returns
        -------
        dict of str to float
            Every metric under its name, and what else `table` has of it with ``_low``, ``_high``,
            ``_reference``, ``_reference_low`` and ``_reference_high`` appended.
        """
        row: dict[str, float] = {
            "n_samples": self.n_samples,
            "n_bins": self.n_bins,
            "n_resamples": self.n_resamples,
        }
        row |= self.table["value"].to_dict()
        for column in COLUMNS[1:]:
            row |= self.table[column].dropna().add_suffix(f"_{column}").to_dict()
        return row

    def _rows(self):
        yield "", "value", "95% interval", "if calibrated", "unit"
        for name, row in self.table.iterrows():
            title, has_unit = METRICS[name]
            expected = _text(row.reference) + " " + _text(row.reference_low, row.reference_high)
            interval, unit = _text(row.low, row.high), row.unit if has_unit else ""
            yield title, f"{row.value:.4g}", interval, expected.strip(), unit

    def _note(self):
        return f"{self.n_samples} rows; {self.n_bins} bins; {self.n_resamples} resamples"

    def __str__(self):
        rows = list(self._rows())
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, self._note()])

    def _repr_html_(self):
        import pandas as pd

        head, *rows = self._rows()
        table = pd.DataFrame(rows, columns=head).to_html(index=False, border=0)
        return f"{table}<p>{self._note()}</p>"


def uncertainty_report(
    y_true: ArrayLike,
    y_pred: Distribution | ArrayLike,
    y_std: ArrayLike | None = None,
    *,
    n_bins: int = 10,
    n_resamples: int = 1000,
    unit: str = "unit of y",
    random_state: RandomState = None,
) -> UncertaintyReport:
    """Measure accuracy, calibration, sharpness and ranking of predictions with an error bar.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        At least two rows.
    y_pred : frozen distribution, or array-like of shape (n_samples,)
        Predictive distributions, as `predict_distribution` gives them; or the means of Gaussians,
        with `y_std`. In the unit of `y_true`.
    y_std : array-like of shape (n_samples,), default=None
        Standard deviation of `y_true`, noise included, in its unit. Of a distribution the median is
        taken for the prediction and a quarter of the width of the central interval of coverage
        95.45 % for sigma.
    n_bins : int, default=10
        Number of bins of the ENCE, at most one for each row.
    n_resamples : int, default=1000
        Number of resamples of the references and of the bootstrap, at least 100.
    unit : str, default="unit of y"
        Unit of y, for the table.
    random_state : int, RandomState or None, default=None
        Controls the resampling.

    Returns
    -------
    UncertaintyReport

    Raises
    ------
    ValueError
        If a row is not finite, if a standard deviation is not positive, if the lengths differ, or
        if there are fewer rows than 2 or than bins.

    Notes
    -----
    The column "if calibrated" is what labels drawn from the predictive distributions would give: in
    closed form for a Gaussian (``sqrt(2 / pi)`` times the mean of `y_std` for the MAE), by
    quantiles for others, ``sqrt(2 pi / n) / 8`` for the miscalibration areas; and for the ENCE,
    Spearman's correlation and the AUSE by resampling, with the range of 95% of the resamples. Mean
    squared z and ENCE take sigma for a standard deviation, which a heavy-tailed distribution need
    not have.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp.calibration import uncertainty_report
    >>> rng = np.random.default_rng(0)
    >>> y_std = rng.uniform(0.1, 0.3, size=500)
    >>> y_true = 2 * y_std * rng.normal(size=500)  # the error bars are half as long as they should
    >>> report = uncertainty_report(y_true, np.zeros(500), y_std, unit="eV", random_state=0)
    >>> expected = report.table.reference["coverage_2sigma"]
    >>> print(f"{report.coverage_2sigma:.2f} instead of {expected:.2f}")
    0.71 instead of 0.95
    """
    import pandas as pd

    y_true, distribution = as_distribution(y_true, y_pred, y_std)
    if len(y_true) < 2:
        raise ValueError(f"expected at least 2 rows, got {len(y_true)}.")
    random_state = check_random_state(random_state)
    gaussian = family(distribution)[0] == "norm"
    y_pred, y_std = distribution.median(), two_sigma_std(distribution)
    p = y_true, y_pred, y_std
    resampled: dict[str, Callable[..., float]] = {
        "ence": partial(m.ence, n_bins=n_bins),
        "spearman": spearman,
        "ause": ause,
    }
    values = {name: metric(*p) for name, metric in resampled.items()}
    z2_interval = mean_squared_z_interval(*p, n_resamples=n_resamples, random_state=random_state)
    simulated = calibrated_reference(
        lambda *columns: [metric(*columns) for metric in resampled.values()],
        y_std if gaussian else distribution,
        n_resamples=n_resamples,
        random_state=random_state,
    )
    area = np.sqrt(2 * np.pi / len(y_true)) / 8
    expected = _expected_normal(y_std) if gaussian else _expected(distribution)
    rows = {
        "mae": _row(mean_absolute_error(y_true, y_pred), expected["mae"]),
        "rmse": _row(np.sqrt(np.mean((y_true - y_pred) ** 2)), expected["rmse"]),
        "median_absolute_error": _row(median_absolute_error(y_true, y_pred)),
        "r2": _row(r2_score(y_true, y_pred)),
        "coverage_2sigma": _row(m.coverage(*p), TWO_SIGMA, m.coverage_interval(*p)),
        "nll": _row(m.negative_log_likelihood(y_true, distribution), expected["nll"]),
        "crps": _row(crps(y_true, distribution), expected["crps"]),
        "mean_squared_z": _row(m.mean_squared_z(*p), 1.0 if gaussian else np.nan, z2_interval),
        "sharpness": _row(m.sharpness(y_std)),
        "dispersion": _row(m.dispersion(y_std)),
    }
    for form in ("interval", "quantile"):
        found = m.miscalibration_area(y_true, distribution, form=form)
        rows[f"miscalibration_area_{form}"] = _row(found, area)
    levels = coverage_by_level(y_true, distribution)
    for level, row in levels.iterrows():
        rows[f"coverage_{level:.0%}"[:-1]] = _row(row.coverage, level, (row.low, row.high))
    rows["width_95"] = _row(levels.mean_width[0.95])
    for (name, value), column in zip(values.items(), simulated.T, strict=True):
        limits = np.quantile(column, [0.025, 0.975])
        rows[name] = _row(value, column.mean(), reference_interval=limits)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS, dtype=float)
    table = table.loc[list(METRICS)].rename_axis("metric")
    table["unit"] = [unit if has_unit else "1" for _, has_unit in METRICS.values()]
    return UncertaintyReport(table, len(y_true), int(n_bins), int(n_resamples))


def _expected_normal(y_std):
    """Return what labels drawn from Gaussians give, in closed form."""
    return {
        "mae": np.sqrt(2 / np.pi) * y_std.mean(),
        "rmse": m.sharpness(y_std),
        "nll": np.mean(np.log(y_std)) + (np.log(2 * np.pi) + 1) / 2,
        "crps": y_std.mean() / np.sqrt(np.pi),
    }


def _expected(distribution):
    """Return what labels drawn from the distributions give, by quantiles."""
    level, quantile = quantiles_of(distribution)
    finite = np.all(np.isfinite(distribution.mean()))
    return {
        "mae": np.mean(np.abs(quantile - distribution.median())) if finite else np.inf,
        "rmse": np.sqrt(np.mean(distribution.var())),
        "nll": -np.mean(distribution.logpdf(quantile)),
        "crps": np.mean((2 * level - 1) * quantile) if finite else np.inf,
    }


def _row(value, reference=np.nan, interval=(np.nan, np.nan), reference_interval=(np.nan, np.nan)):
    return (value, *interval, reference, *reference_interval)


def _text(*numbers):
    """Format a number, or an interval in brackets; nothing for NaN."""
    text = ", ".join(f"{number:.4g}" for number in numbers)
    return "" if np.isnan(numbers[0]) else text if len(numbers) == 1 else f"[{text}]"
