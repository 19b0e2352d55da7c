"""Screening: the probability that a crystal meets a condition, and pools larger than memory."""

from .conditions import Condition, Screening, screen
from .pool import Pool
from .predictions import PoolPredictions
from .run import model_digest, predict_pool

__all__ = [
    "Condition",
    "Pool",
    "PoolPredictions",
    "Screening",
    "model_digest",
    "predict_pool",
    "screen",
]
