"""Transformers from crystals to feature vectors."""

from .base import CrystalReader
from .composition import CompositionFeaturizer
from .megnet import LeakageWarning, MEGNetFeaturizer

__all__ = ["CompositionFeaturizer", "CrystalReader", "LeakageWarning", "MEGNetFeaturizer"]
