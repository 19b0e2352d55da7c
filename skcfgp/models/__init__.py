"""Estimators from crystals to a mean and a standard deviation: `make_cfgp` and its baselines."""

from .cfgp import make_cfgp
from .ensemble import MEGNetEnsemble
from .megnet import MEGNetRegressor
from .persistence import OtherVersionWarning, load_model, model_card, save_model
from .pipeline import CrystalPipeline
from .predictor import featurize, predict_crystals, unseen_mask
from .tables import DummyRegressor, ExtraTreesRegressor

__all__ = [
    "CrystalPipeline",
    "DummyRegressor",
    "ExtraTreesRegressor",
    "MEGNetEnsemble",
    "MEGNetRegressor",
    "OtherVersionWarning",
    "featurize",
    "load_model",
    "make_cfgp",
    "model_card",
    "predict_crystals",
    "save_model",
    "unseen_mask",
]
