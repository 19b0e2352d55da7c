"""Gaussian process regression, its posterior over a pool, and greedy designs."""

from .posterior import PoolPosterior, as_process
from .regressor import GaussianProcessRegressor
from .vecchia import VecchiaGaussianProcessRegressor

__all__ = [
    "GaussianProcessRegressor",
    "PoolPosterior",
    "VecchiaGaussianProcessRegressor",
    "as_process",
]
