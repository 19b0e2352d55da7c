"""The posterior of a Gaussian process over a pool, and the largest standard deviations in it."""

from .pool import PoolPosterior, as_process

__all__ = ["PoolPosterior", "as_process"]
