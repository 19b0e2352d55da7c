"""The paper, reproduced: from labels to its figures and a table with a row per claim.

`reproduce` runs everything and writes a report. `skcfgp reproduce` is the command.
"""

from .report import reproduce
from .settings import Settings

__all__ = ["Settings", "reproduce"]
