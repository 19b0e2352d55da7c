"""Query strategies for modAL: which crystals to label next.

A strategy is a callable ``(learner, X_pool, n_instances=1, ...) -> (indices, scores)``. Importing
this package also makes a plain ``modAL.models.ActiveLearner`` work on current scikit-learn and
pandas; see `skcfgp.query.modal`.
"""

from .aims import (
    expected_improvement,
    level_set,
    log_expected_improvement,
    probability_of_improvement,
    upper_confidence_bound,
)
from .design import initial_design
from .diversity import greedy_k_center, spaced_max_std
from .modal import patch_modal
from .random import cost_weighted, random_sampling
from .thompson import thompson_sampling
from .uncertainty import greedy_max_std, max_std, plan, plan_in_chunks
from .variance import integrated_variance, recommended

__all__ = [
    "cost_weighted",
    "expected_improvement",
    "greedy_k_center",
    "greedy_max_std",
    "initial_design",
    "integrated_variance",
    "level_set",
    "log_expected_improvement",
    "max_std",
    "plan",
    "plan_in_chunks",
    "probability_of_improvement",
    "random_sampling",
    "recommended",
    "spaced_max_std",
    "thompson_sampling",
    "upper_confidence_bound",
]

patch_modal()
