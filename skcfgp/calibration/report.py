"""`uncertainty_report`: all metrics of a predicted mean and standard deviation in one table."""

from dataclasses import dataclass, fields

import numpy as np
from scipy.stats import norm
from sklearn.metrics import (
    mean_absolute_error,
    mean_squared_error,
    median_absolute_error,
    r2_score,
)
from sklearn.utils import check_random_state

from .common import check_count, check_predictions
from .metrics import (
    coverage,
    coverage_interval,
    crps_gaussian,
    dispersion,
    ence,
    mean_squared_z,
    miscalibration_area,
    negative_log_likelihood,
    sharpness,
)
from .ranking import ause, spearman
from .resampling import calibrated_reference, mean_squared_z_interval

__all__ = ["UncertaintyReport", "uncertainty_report"]

#: Name of each metric in the table, and whether it has the unit of y.
METRICS = {
    "mae": ("MAE", True),
    "rmse": ("RMSE", True),
    "median_absolute_error": ("median absolute error", True),
    "r2": ("R2", False),
    "coverage_1sigma": ("coverage at 1 sigma", False),
    "coverage_2sigma": ("coverage at 2 sigma", False),
    "coverage_3sigma": ("coverage at 3 sigma", False),
    "miscalibration_area_interval": ("miscalibration area, interval form", False),
    "miscalibration_area_quantile": ("miscalibration area, quantile form", False),
    "mean_squared_z": ("mean squared z", False),
    "ence": ("ENCE", False),
    "nll": ("NLL (nats)", False),
    "crps": ("CRPS", True),
    "sharpness": ("sharpness", True),
    "dispersion": ("dispersion", False),
    "spearman": ("Spearman of sigma and |error|", False),
    "ause": ("AUSE", True),
}


@dataclass(frozen=True)
class UncertaintyReport:
    """What `uncertainty_report` returns. Printed, it is a table.

    Attributes
    ----------
    n_samples, n_bins, n_resamples : int
    unit : str
        Of y.
    mae, rmse, median_absolute_error : float
        In the unit of y.
    r2 : float
        Coefficient of determination.
    coverage_1sigma, coverage_2sigma, coverage_3sigma : float
        Fraction of rows with an error of at most 1, 2 and 3 standard deviations.
    miscalibration_area_interval, miscalibration_area_quantile : float
    mean_squared_z : float
    ence : float
        With `n_bins` bins.
    nll : float
        Negative log likelihood, mean over the rows, in nats, of a density in one over the unit of
        y.
    crps, sharpness : float
        In the unit of y.
    dispersion : float
    spearman : float
        NaN if all standard deviations or all absolute errors are equal.
    ause : float
        In the unit of y.
    intervals : dict of str to (float, float)
        95% intervals: Wilson's of the coverages, a bootstrap one of `mean_squared_z`.
    references : dict of str to float
        Values to expect of a calibrated model with these standard deviations.
    reference_intervals : dict of str to (float, float)
        Where 95% of such models are, of those references that come from resampling: `ence`,
        `spearman` and `ause`.
    """

    n_samples: int
    n_bins: int
    n_resamples: int
    unit: str
    mae: float
    rmse: float
    median_absolute_error: float
    r2: float
    coverage_1sigma: float
    coverage_2sigma: float
    coverage_3sigma: float
    miscalibration_area_interval: float
    miscalibration_area_quantile: float
    mean_squared_z: float
    ence: float
    nll: float
    crps: float
    sharpness: float
    dispersion: float
    spearman: float
    ause: float
    intervals: dict
    references: dict
    reference_intervals: dict

    def to_dict(self):
        """Make a flat dict: one row of a table of models.

        Returns
        -------
        dict
            The attributes; intervals and references under the name of the metric with ``_low``,
            ``_high``, ``_reference``, ``_reference_low`` and ``_reference_high`` appended.
        """
        row = {f.name: getattr(self, f.name) for f in fields(self) if f.type is not dict}
        for name, (low, high) in self.intervals.items():
            row |= {f"{name}_low": low, f"{name}_high": high}
        row |= {f"{name}_reference": value for name, value in self.references.items()}
        for name, (low, high) in self.reference_intervals.items():
            row |= {f"{name}_reference_low": low, f"{name}_reference_high": high}
        return row

    def to_frame(self):
        """Make a table with one row for each metric.

        Returns
        -------
        DataFrame
            Indexed by metric, with the columns ``value``, ``low``, ``high``, ``reference``,
            ``reference_low``, ``reference_high`` (NaN where there is none) and ``unit``: that of y,
            or "1".
        """
        import pandas as pd

        nothing = (np.nan, np.nan)
        rows = {
            name: (
                getattr(self, name),
                *self.intervals.get(name, nothing),
                self.references.get(name, np.nan),
                *self.reference_intervals.get(name, nothing),
                self.unit if has_unit else "1",
            )
            for name, (_, has_unit) in METRICS.items()
        }
        columns = ["value", "low", "high", "reference", "reference_low", "reference_high", "unit"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        return frame.rename_axis("metric")

    def __str__(self):
        head = ("", "value", "95% interval", "if calibrated", "unit")
        rows = [head] + [self._line(name) for name in METRICS]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        note = f"{self.n_samples} rows; {self.n_bins} bins; {self.n_resamples} resamples"
        return "\n".join([*lines, note])

    def _line(self, name):
        title, has_unit = METRICS[name]
        reference = _number(self.references[name]) if name in self.references else ""
        return (
            title,
            _number(getattr(self, name)),
            _range(self.intervals.get(name)),
            f"{reference} {_range(self.reference_intervals.get(name))}".rstrip(),
            self.unit if has_unit else "",
        )


def uncertainty_report(
    y_true, y_pred, y_std, *, n_bins=10, n_resamples=1000, unit="unit of y", random_state=None
):
    """Measure accuracy, calibration, sharpness and ranking of predictions with an error bar.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        At least two rows.
    y_pred : array-like of shape (n_samples,)
        Predicted mean, in the unit of `y_true`.
    y_std : array-like of shape (n_samples,)
        Predicted standard deviation of `y_true`, noise included, in its unit.
    n_bins : int, default=10
        Of the ENCE; at most one for each row.
    n_resamples : int, default=1000
        Of the references and of the bootstrap.
    unit : str, default="unit of y"
        For the table.
    random_state : int, RandomState or None, default=None
        Of the resampling.

    Returns
    -------
    UncertaintyReport

    Raises
    ------
    ValueError
        If a row is not finite, if a standard deviation is not positive, if the lengths differ, or
        if there are fewer rows than 2 or than bins. No row is left out.

    Notes
    -----
    The column "if calibrated" is what the errors would give if they were normal with the predicted
    standard deviations: in closed form (``sqrt(2 / pi)`` times the mean of `y_std` for the MAE, the
    sharpness for the RMSE, ``sqrt(2 pi / n) / 8`` for the miscalibration areas), and for the ENCE,
    Spearman's correlation and the AUSE by resampling, with the range of 95% of the resamples.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp.calibration import uncertainty_report
    >>> rng = np.random.default_rng(0)
    >>> y_std = rng.uniform(0.1, 0.3, size=500)
    >>> y_true = 2 * y_std * rng.normal(size=500)  # the error bars are half as long as they should
    >>> report = uncertainty_report(y_true, np.zeros(500), y_std, unit="eV", random_state=0)
    >>> print(f"{report.coverage_2sigma:.2f} instead of {report.references['coverage_2sigma']:.2f}")
    0.71 instead of 0.95
    """
    y_true, y_pred, y_std = predictions = check_predictions(y_true, y_pred, y_std)
    if len(y_true) < 2:
        raise ValueError(f"expected at least 2 rows, got {len(y_true)}.")
    n_resamples = check_count("n_resamples", n_resamples)
    random_state = check_random_state(random_state)

    def resampled_metrics(*predictions):
        return ence(*predictions, n_bins=n_bins), spearman(*predictions), ause(*predictions)

    values = {
        "mae": float(mean_absolute_error(y_true, y_pred)),
        "rmse": float(np.sqrt(mean_squared_error(y_true, y_pred))),
        "median_absolute_error": float(median_absolute_error(y_true, y_pred)),
        "r2": float(r2_score(y_true, y_pred)),
        "mean_squared_z": mean_squared_z(*predictions),
        "nll": negative_log_likelihood(*predictions),
        "crps": crps_gaussian(*predictions),
        "sharpness": sharpness(y_std),
        "dispersion": dispersion(y_std),
        **dict(zip(("ence", "spearman", "ause"), resampled_metrics(*predictions), strict=True)),
    }
    references = {
        "mae": float(np.sqrt(2 / np.pi) * y_std.mean()),
        "rmse": values["sharpness"],
        "mean_squared_z": 1.0,
        "nll": float(np.mean(np.log(y_std)) + (np.log(2 * np.pi) + 1) / 2),
        "crps": float(y_std.mean() / np.sqrt(np.pi)),
    }
    intervals = {}
    for k in (1, 2, 3):
        name = f"coverage_{k}sigma"
        values[name] = coverage(*predictions, n_sigma=k)
        intervals[name] = coverage_interval(*predictions, n_sigma=k)
        references[name] = float(norm.cdf(k) - norm.cdf(-k))
    for form in ("interval", "quantile"):
        name = f"miscalibration_area_{form}"
        values[name] = miscalibration_area(*predictions, form=form)
        references[name] = float(np.sqrt(2 * np.pi / len(y_true)) / 8)
    intervals["mean_squared_z"] = mean_squared_z_interval(
        *predictions, n_resamples=n_resamples, random_state=random_state
    )
    resampled = calibrated_reference(
        resampled_metrics, y_std, n_resamples=n_resamples, random_state=random_state
    )
    reference_intervals = {}
    for name, column in zip(("ence", "spearman", "ause"), resampled.T, strict=True):
        references[name] = float(column.mean())
        reference_intervals[name] = tuple(np.quantile(column, [0.025, 0.975]).tolist())
    return UncertaintyReport(
        n_samples=len(y_true),
        n_bins=int(n_bins),
        n_resamples=n_resamples,
        unit=unit,
        **values,
        intervals=intervals,
        references=references,
        reference_intervals=reference_intervals,
    )


def _number(value):
    return f"{value:.4g}"


def _range(interval):
    return "" if interval is None else f"[{_number(interval[0])}, {_number(interval[1])}]"
