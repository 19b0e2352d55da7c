"""Are predictive distributions right? Metrics of them, and of a mean and a standard deviation.

Every metric is a function of ``(y_true, y_pred, y_std)`` or, where it does not take a Gaussian for
granted, of ``(y_true, distribution)``; `uncertainty_report` gives all of them, since no single one
tells enough. `skcfgp.calibration.scorers` makes scorers of them.
"""

from .. import lazily

# Most of these modules need scikit-learn, whose import takes a second; the metrics do not.
_NAMES = {
    "CalibratedRegressor": "regressor",
    "ExchangeabilityWarning": "exchangeable",
    "ExpectedCounts": "odds",
    "FewScoresWarning": "score_distributions",
    "MonotoneTargetRegressor": "transformed",
    "TransformedDistribution": "transformed_distribution",
    "UncertaintyReport": "report",
    "ause": "ranking",
    "calibrated_reference": "resampling",
    "calibration_curve": "metrics",
    "condition_probability": "odds",
    "coverage": "metrics",
    "coverage_by_level": "distribution_metrics",
    "coverage_interval": "metrics",
    "crps": "distribution_metrics",
    "crps_gaussian": "metrics",
    "dispersion": "metrics",
    "ence": "metrics",
    "error_decay_curve": "ranking",
    "error_enrichment": "enrichment",
    "expected_counts": "odds",
    "mean_squared_z": "metrics",
    "mean_squared_z_interval": "resampling",
    "miscalibration_area": "metrics",
    "negative_log_likelihood": "metrics",
    "pit_values": "distribution_metrics",
    "predict_distribution": "predictive",
    "sharpness": "metrics",
    "spearman": "ranking",
    "uncertainty_report": "report",
}

__all__ = [*_NAMES]

__getattr__, __dir__ = lazily(__name__, _NAMES)
