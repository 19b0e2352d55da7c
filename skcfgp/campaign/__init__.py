"""A laboratory campaign: active learning over weeks, in one file that survives a crash.

`Campaign` suggests crystals, is told labels in any order, and knows how good its predictions were.
The commands ``skcfgp campaign ...`` are its methods.
"""

from ..structures.tables import Refusal
from .campaign import Campaign
from .monitoring import Rule, StoppedError, parse_rule
from .results import RefusedRowsError, Result, TellResult
from .state import State, replay
from .store import Event

__all__ = [
    "Campaign",
    "Event",
    "Refusal",
    "RefusedRowsError",
    "Result",
    "Rule",
    "State",
    "StoppedError",
    "TellResult",
    "parse_rule",
    "replay",
]
