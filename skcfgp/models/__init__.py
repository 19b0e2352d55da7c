"""Estimators from crystals to a mean and a standard deviation: `make_cfgp` and its baselines."""

from typing import TYPE_CHECKING

from .. import lazily

_NAMES = {
    "CrystalPipeline": "pipeline",
    "DummyRegressor": "tables",
    "ExtraTreesRegressor": "tables",
    "MEGNetEnsemble": "ensemble",
    "MEGNetRegressor": "megnet",
    "OtherVersionWarning": "persistence",
    "featurize": "predictor",
    "load_model": "persistence",
    "make_cfgp": "cfgp",
    "model_card": "persistence",
    "predict_crystals": "predictor",
    "save_model": "persistence",
    "unseen_mask": "predictor",
}

__all__ = [*_NAMES]

if TYPE_CHECKING:
    from .cfgp import make_cfgp as make_cfgp
    from .ensemble import MEGNetEnsemble as MEGNetEnsemble
    from .megnet import MEGNetRegressor as MEGNetRegressor
    from .persistence import OtherVersionWarning as OtherVersionWarning
    from .persistence import load_model as load_model
    from .persistence import model_card as model_card
    from .persistence import save_model as save_model
    from .pipeline import CrystalPipeline as CrystalPipeline
    from .predictor import featurize as featurize
    from .predictor import predict_crystals as predict_crystals
    from .predictor import unseen_mask as unseen_mask
    from .tables import DummyRegressor as DummyRegressor
    from .tables import ExtraTreesRegressor as ExtraTreesRegressor
else:
    __getattr__, __dir__ = lazily(__name__, _NAMES)
