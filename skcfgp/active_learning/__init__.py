"""The active-learning loop: `ActiveLearner`, and `simulate` for a pool whose labels are known."""

from .learner import ActiveLearner
from .simulation import simulate

__all__ = ["ActiveLearner", "simulate"]
