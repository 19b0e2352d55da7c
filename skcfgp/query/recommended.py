"""What is asked for where nothing else is said."""

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR

from ._modal import take_rows
from .common import check_pool, last_step
from .uncertainty import max_std
from .variance import MAX_BYTES, integrated_variance

#: Targets of the variance where the covariance of the whole pool is too large to hold.
N_TARGETS = 600


def recommended(learner, X_pool, n_instances=1):
    """Choose by `integrated_variance` with a Gaussian process, by `max_std` with anything else.

    On the fixed test sets of ``docs/active_learning.rst`` integrated variance is ahead of random
    choice in the mean on every property; `max_std`, the strategy of the paper, is behind it on
    formation energies, since it takes the outliers first.

    Parameters
    ----------
    learner : modAL learner or committee
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice.
    scores : ndarray of shape (n_instances,)
        Those of the strategy: by how much the label lowers the mean variance of the pool, in the
        unit of y squared, or the standard deviation, in the unit of y.

    Notes
    -----
    Where the covariance of the pool with itself would take more than 2 GiB, from about 15,000
    crystals on, the mean is taken over 600 of them, evenly spaced in the pool.
    """
    n_pool = check_pool(X_pool, n_instances)
    model, _ = last_step(learner)
    if not isinstance(model, SklearnGPR) or np.ndim(getattr(model, "y_train_", None)) != 1:
        return max_std(learner, X_pool, n_instances)
    if 8 * n_pool * (n_pool + len(model.X_train_)) <= MAX_BYTES:
        return integrated_variance(learner, X_pool, n_instances)
    some = np.linspace(0, n_pool - 1, N_TARGETS).astype(int)
    return integrated_variance(learner, X_pool, n_instances, take_rows(X_pool, some))
