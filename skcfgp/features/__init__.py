"""Transformers from crystals to feature vectors."""

from .base import CrystalReader
from .calculator import CalculatorFeaturizer
from .composition import CompositionFeaturizer
from .megnet import LeakageWarning, MEGNetFeaturizer
from .table import TableReader

__all__ = [
    "CalculatorFeaturizer",
    "CompositionFeaturizer",
    "CrystalReader",
    "LeakageWarning",
    "MEGNetFeaturizer",
    "TableReader",
]
