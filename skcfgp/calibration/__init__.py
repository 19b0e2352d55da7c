"""Are the error bars right? Metrics of a predicted mean and standard deviation.

Every metric is a function of ``(y_true, y_pred, y_std)``; `uncertainty_report` gives all of them,
since no single one tells enough. `skcfgp.scorers` makes scorers of them, for model selection.
"""

from .metrics import (
    calibration_curve,
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
from .ranking import ause, error_decay_curve, spearman
from .report import UncertaintyReport, uncertainty_report
from .resampling import calibrated_reference, mean_squared_z_interval

__all__ = [
    "UncertaintyReport",
    "ause",
    "calibrated_reference",
    "calibration_curve",
    "coverage",
    "coverage_interval",
    "crps_gaussian",
    "dispersion",
    "ence",
    "error_decay_curve",
    "mean_squared_z",
    "mean_squared_z_interval",
    "miscalibration_area",
    "negative_log_likelihood",
    "sharpness",
    "spearman",
    "uncertainty_report",
]
