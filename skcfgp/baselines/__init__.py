"""What a reader would use instead, with a standard deviation, to compare with."""

from .ensemble import MEGNetEnsemble
from .network import MEGNetRegressor
from .tables import DummyRegressor, ExtraTreesRegressor

__all__ = ["DummyRegressor", "ExtraTreesRegressor", "MEGNetEnsemble", "MEGNetRegressor"]
