"""Screening: the probability that a crystal meets a condition, and pools larger than memory."""

from .pool_files import Pool
from .predictions import PoolPredictions
from .rules import Condition, Screening, screen
from .run import model_digest, screen_pool

__all__ = [
    "Condition",
    "Pool",
    "PoolPredictions",
    "Screening",
    "model_digest",
    "screen",
    "screen_pool",
]
