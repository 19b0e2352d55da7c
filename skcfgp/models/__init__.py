"""Estimators from crystals to a mean and a standard deviation: `make_cfgp` and its baselines."""

from .cfgp import make_cfgp
from .ensemble import MEGNetEnsemble
from .megnet import MEGNetRegressor
from .tables import DummyRegressor, ExtraTreesRegressor

__all__ = [
    "DummyRegressor",
    "ExtraTreesRegressor",
    "MEGNetEnsemble",
    "MEGNetRegressor",
    "make_cfgp",
]
