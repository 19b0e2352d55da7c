"""Estimators from crystals to a mean and a standard deviation: `make_cfgp` and its baselines."""

from .cfgp import make_cfgp
from .megnet import MEGNetEnsemble, MEGNetRegressor
from .pipeline import CrystalPipeline
from .predictor import featurize, predict_crystals, unseen_mask
from .tables import DummyRegressor, ExtraTreesRegressor

__all__ = [
    "CrystalPipeline",
    "DummyRegressor",
    "ExtraTreesRegressor",
    "MEGNetEnsemble",
    "MEGNetRegressor",
    "featurize",
    "make_cfgp",
    "predict_crystals",
    "unseen_mask",
]
