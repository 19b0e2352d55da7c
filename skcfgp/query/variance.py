"""The point whose label lowers the mean variance most."""

import numpy as np
from sklearn.utils import check_array

from ..pivoting import first_of_largest
from ..posterior import PoolPosterior, as_process
from .common import check_pool, last_step


def integrated_variance(learner, X_pool, n_instances=1, X_target=None):
    """Choose the points whose labels lower the mean variance over a set of points the most.

    A label at x lowers the variance at t by cov(x, t)^2 / (var(x) + noise), whatever its value. The
    choice is the x with the largest mean of that over the targets. Where `max_std` goes to the
    edges of the pool, this goes to where a label says something about many crystals.

    Parameters
    ----------
    learner : modAL learner
        Whose estimator, or the last step of whose ``Pipeline``, is a Gaussian process of this
        package or of scikit-learn, with one target.
    X_pool : array-like of shape (n_pool, ...)
    n_instances : int, default=1
        Points to choose, each given those before it.
    X_target : array-like of shape (n_target, ...), default=None
        Where the variance matters. None means the pool.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    gain : ndarray of shape (n_instances,)
        By how much each lowers the mean variance over the targets, in the unit of y squared.

    Notes
    -----
    Takes about n_pool n_target n_train multiplications for each point.

    References
    ----------
    .. [1] Cohn, Ghahramani, Jordan, "Active Learning with Statistical Models", J. Artif. Intell.
       Res. 4, 129 (1996). doi:10.1613/jair.295
    .. [2] Seo, Wallat, Graepel, Obermayer, "Gaussian process regression: active data selection and
       test point rejection" (IJCNN 2000). doi:10.1109/IJCNN.2000.861310
    """
    n_pool = check_pool(X_pool, n_instances)
    model, pool = last_step(learner, X_pool)
    pool = check_array(pool, dtype=np.float64)
    points = pool
    if X_target is not None:
        target = check_array(last_step(learner, X_target)[1], dtype=np.float64)
        points = np.vstack([pool, target])
    targets = slice(None) if X_target is None else slice(n_pool, None)
    posterior = PoolPosterior(as_process(model), points)
    indices, gains = [], []
    for _ in range(n_instances):
        gain = posterior.variance_reduction(slice(n_pool), targets)
        gain[indices] = -np.inf
        indices.append(first_of_largest(gain))
        gains.append(gain[indices[-1]])
        posterior.condition_on(indices[-1])
    return np.array(indices), np.array(gains)
