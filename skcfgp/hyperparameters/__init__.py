"""The search for the hyper-parameters of a Gaussian process.

`laplacian_search` is for the kernel of the paper and the marginal likelihood, `general_search` for
any kernel and both objectives; `choice` says which suits.
"""

from .choice import choose_search

__all__ = ["choose_search"]
