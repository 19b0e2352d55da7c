"""A laboratory campaign: active learning over weeks, in one file that survives a crash.

`Campaign` suggests crystals, is told labels in any order, and knows how good its predictions were.
The commands ``skcfgp campaign ...`` are its methods.
"""

from ..structures.tables import Refusal
from .campaign import Campaign
from .results import Result
from .state import State, replay
from .stopping import Rule, parse_rule
from .store import Event
from .suggesting import StoppedError
from .telling import RefusedRowsError, Told

__all__ = [
    "Campaign",
    "Event",
    "Refusal",
    "RefusedRowsError",
    "Result",
    "Rule",
    "State",
    "StoppedError",
    "Told",
    "parse_rule",
    "replay",
]
