"""Are predictive distributions right? Metrics of them, and of a mean and a standard deviation.

Every metric is a function of ``(y_true, y_pred, y_std)`` or, where it does not take a Gaussian for
granted, of ``(y_true, distribution)``; `uncertainty_report` gives all of them, since no single one
tells enough. `skcfgp.calibration.scorers` makes scorers of them.
"""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from .distribution_metrics import coverage_by_level as coverage_by_level
    from .distribution_metrics import crps as crps
    from .distribution_metrics import pit_values as pit_values
    from .enrichment import error_enrichment as error_enrichment
    from .exchangeable import ExchangeabilityWarning as ExchangeabilityWarning
    from .metrics import calibration_curve as calibration_curve
    from .metrics import coverage as coverage
    from .metrics import coverage_interval as coverage_interval
    from .metrics import crps_gaussian as crps_gaussian
    from .metrics import dispersion as dispersion
    from .metrics import ence as ence
    from .metrics import mean_squared_z as mean_squared_z
    from .metrics import miscalibration_area as miscalibration_area
    from .metrics import negative_log_likelihood as negative_log_likelihood
    from .metrics import sharpness as sharpness
    from .odds import ExpectedCounts as ExpectedCounts
    from .odds import condition_probability as condition_probability
    from .odds import expected_counts as expected_counts
    from .predictive import predict_distribution as predict_distribution
    from .ranking import ause as ause
    from .ranking import error_decay_curve as error_decay_curve
    from .ranking import spearman as spearman
    from .regressor import CalibratedRegressor as CalibratedRegressor
    from .report import UncertaintyReport as UncertaintyReport
    from .report import uncertainty_report as uncertainty_report
    from .resampling import calibrated_reference as calibrated_reference
    from .resampling import mean_squared_z_interval as mean_squared_z_interval
    from .score_distributions import FewScoresWarning as FewScoresWarning
    from .transformed import MonotoneTargetRegressor as MonotoneTargetRegressor
    from .transformed_distribution import TransformedDistribution as TransformedDistribution
else:
    __getattr__, __dir__ = lazily(__name__, _NAMES)
