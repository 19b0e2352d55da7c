"""Query strategies for modAL: which crystals to label next.

A strategy is a callable ``(learner, X_pool, n_instances=1, ...) -> (indices, scores)``. Importing
this package also makes a plain ``modAL.models.ActiveLearner`` work on current scikit-learn and
pandas.
"""

from ._modal import patch_modal
from .chunks import plan_in_chunks
from .diversity import greedy_k_center, spaced_max_std
from .random import cost_weighted, random_sampling
from .recommended import recommended
from .uncertainty import greedy_max_std, max_std, plan
from .variance import integrated_variance

__all__ = [
    "cost_weighted",
    "greedy_k_center",
    "greedy_max_std",
    "integrated_variance",
    "max_std",
    "plan",
    "plan_in_chunks",
    "random_sampling",
    "recommended",
    "spaced_max_std",
]

patch_modal()
