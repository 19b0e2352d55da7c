"""The paper, reproduced: from labels to its figures and a table with a row per claim.

`reproduce` runs everything and writes a report; the stages are functions of settings, data and
earlier results, and what is finished stays on disk. `skcfgp reproduce` is the command.
"""

from .data import Data, bundled_data, read_data
from .report import Report, reproduce
from .settings import PAPER, Settings

__all__ = ["PAPER", "Data", "Report", "Settings", "bundled_data", "read_data", "reproduce"]
