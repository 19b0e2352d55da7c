"""Are predictive distributions right? Metrics of them, and of a mean and a standard deviation.

Every metric is a function of ``(y_true, y_pred, y_std)`` or, where it does not take a Gaussian for
granted, of ``(y_true, distribution)``; `uncertainty_report` gives all of them, since no single one
tells enough. `skcfgp.calibration.scorers` makes scorers of them.
"""

from .distribution_metrics import coverage_by_level, crps, pit_values
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
from .odds import ExpectedCounts, condition_probability, expected_counts
from .predictive import predict_distribution
from .ranking import ause, error_decay_curve, spearman
from .regressor import CalibratedRegressor
from .report import UncertaintyReport, uncertainty_report
from .resampling import calibrated_reference, mean_squared_z_interval
from .score_distributions import FewScoresWarning
from .transformed import MonotoneTargetRegressor
from .transformed_distribution import TransformedDistribution

__all__ = [
    "CalibratedRegressor",
    "ExchangeabilityWarning",
    "ExpectedCounts",
    "FewScoresWarning",
    "MonotoneTargetRegressor",
    "TransformedDistribution",
    "UncertaintyReport",
    "ause",
    "calibrated_reference",
    "calibration_curve",
    "condition_probability",
    "coverage",
    "coverage_by_level",
    "coverage_interval",
    "crps",
    "crps_gaussian",
    "dispersion",
    "ence",
    "error_decay_curve",
    "error_enrichment",
    "expected_counts",
    "mean_squared_z",
    "mean_squared_z_interval",
    "miscalibration_area",
    "negative_log_likelihood",
    "pit_values",
    "predict_distribution",
    "sharpness",
    "spearman",
    "uncertainty_report",
]
