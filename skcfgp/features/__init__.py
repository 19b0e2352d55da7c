"""Transformers from crystals to feature vectors."""

from .composition import CompositionFeaturizer
from .leakage import LeakageWarning
from .megnet import MEGNetFeaturizer

__all__ = ["CompositionFeaturizer", "LeakageWarning", "MEGNetFeaturizer"]
