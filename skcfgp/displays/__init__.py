"""The paper's figures as scikit-learn Displays.

A Display holds the numbers; ``plot(ax=None)`` draws them and sets ``ax_`` and ``figure_``. Pass
``ax`` to draw on existing axes, for instance several models on the same axes. matplotlib is loaded
when something is drawn.
"""

from .calibration import CalibrationCurveDisplay, PITHistogramDisplay
from .history import TrainingHistoryDisplay
from .latent import LatentMapDisplay
from .learning import LearningCurveDisplay
from .parity import ErrorBarDisplay, ParityDisplay, ResidualDisplay

__all__ = [
    "CalibrationCurveDisplay",
    "ErrorBarDisplay",
    "LatentMapDisplay",
    "LearningCurveDisplay",
    "PITHistogramDisplay",
    "ParityDisplay",
    "ResidualDisplay",
    "TrainingHistoryDisplay",
]
