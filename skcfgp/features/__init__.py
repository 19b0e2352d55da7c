"""Transformers from crystals to feature vectors."""

from typing import TYPE_CHECKING

from .. import lazily

_NAMES = {
    "CalculatorFeaturizer": "calculator",
    "CompositionFeaturizer": "composition",
    "CrystalReader": "base",
    "LeakageWarning": "megnet",
    "MEGNetFeaturizer": "megnet",
    "TableReader": "table",
}

__all__ = [*_NAMES]

if TYPE_CHECKING:
    from .base import CrystalReader as CrystalReader
    from .calculator import CalculatorFeaturizer as CalculatorFeaturizer
    from .composition import CompositionFeaturizer as CompositionFeaturizer
    from .megnet import LeakageWarning as LeakageWarning
    from .megnet import MEGNetFeaturizer as MEGNetFeaturizer
    from .table import TableReader as TableReader
else:
    __getattr__, __dir__ = lazily(__name__, _NAMES)
