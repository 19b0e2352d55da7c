"""Are the error bars right? Metrics of a predicted mean and standard deviation.

Every metric is a function of ``(y_true, y_pred, y_std)``; `uncertainty_report` gives all of them,
since no single one tells enough. `skcfgp.calibration.scorers` makes scorers of them.
"""

from .enrichment import error_enrichment
from .exchangeable import ExchangeabilityWarning
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
from .predictive import predict_distribution
from .ranking import ause, error_decay_curve, spearman
from .regressor import CalibratedRegressor
from .report import UncertaintyReport, uncertainty_report
from .resampling import calibrated_reference, mean_squared_z_interval
from .score_distributions import FewScoresWarning

__all__ = [
    "CalibratedRegressor",
    "ExchangeabilityWarning",
    "FewScoresWarning",
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
    "error_enrichment",
    "mean_squared_z",
    "mean_squared_z_interval",
    "miscalibration_area",
    "negative_log_likelihood",
    "predict_distribution",
    "sharpness",
    "spearman",
    "uncertainty_report",
]
