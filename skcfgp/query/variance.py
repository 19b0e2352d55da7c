"""The point whose label lowers the mean variance most."""

from weakref import proxy

import numpy as np

from ..gaussian_process import PoolPosterior, as_process
from ..gaussian_process.greedy import first_of_largest
from ..gaussian_process.variance_reduction import VarianceReduction
from .common import check_features, check_pool, last_step, rows_left

#: Largest memory for what is kept between queries; beyond it each query starts afresh, in chunks.
MAX_BYTES = 2**31


def integrated_variance(learner, X_pool, n_instances=1, X_target=None):
    """Choose the points whose labels lower the mean variance over a set of points the most.

    A label at x lowers the variance at t by cov(x, t)^2 / (var(x) + noise), whatever its value. The
    choice is the x with the largest mean of that over the targets. Where `max_std` goes to the
    edges of the pool, this goes to where a label says something about many crystals.

    With a `skcfgp.GaussianProcessRegressor` the covariance of pool and targets is kept between
    queries: with the same targets, and the same pool or what is left of it, a query after one new
    label costs O(n_pool (n_target + n_train)). The choice is the same.

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
    The first query takes about n_pool n_target n_train multiplications and holds
    8 n_pool (n_target + n_train) bytes. Where that is more than 2 GiB nothing is kept, and every
    point takes as many multiplications.

    References
    ----------
    .. [1] Cohn, Ghahramani, Jordan, "Active Learning with Statistical Models", J. Artif. Intell.
       Res. 4, 129 (1996). doi:10.1613/jair.295
    .. [2] Seo, Wallat, Graepel, Obermayer, "Gaussian process regression: active data selection and
       test point rejection" (IJCNN 2000). doi:10.1109/IJCNN.2000.861310
    """
    check_pool(X_pool, n_instances)
    model, pool = last_step(learner, X_pool)
    gp = as_process(model)
    pool, target = check_features(gp, pool), None
    if X_target is not None:
        target = check_features(gp, last_step(learner, X_target)[1])
    n_target = len(pool) if target is None else len(target)
    if 8 * len(pool) * (n_target + len(gp.X_train_)) > MAX_BYTES:
        return _choose_in_chunks(gp, pool, n_instances, target)
    return _kept(gp, pool, target).choose(n_instances)


def _kept(gp, pool, target):
    """Return what the last query has left behind, brought up to date, if it fits; or a new one."""
    # Away while it changes, so that an interrupt cannot leave half of a change behind.
    kept, still = vars(gp).pop("_variance_reduction", None), None
    if kept is not None and kept.is_current() and _equal(kept.X_target, target):
        still = rows_left(kept.X_pool[kept.left], pool)
    if still is None:
        kept = None  # its memory is free before the new one takes as much
        # A weak reference: else the two would keep each other in memory.
        kept = VarianceReduction(proxy(gp), np.array(pool), target)
    else:
        kept.update().keep_left(still)
    gp._variance_reduction = kept
    return kept


def _equal(old, new):
    return old is new if old is None or new is None else np.array_equal(old, new)


def _choose_in_chunks(gp, pool, n_instances, target):
    """Choose without holding the covariance."""
    points = pool if target is None else np.vstack([pool, target])
    targets = slice(None) if target is None else slice(len(pool), None)
    posterior = PoolPosterior(gp, points)
    indices, gains = [], []
    for _ in range(n_instances):
        gain = posterior.variance_reduction(slice(len(pool)), targets)
        gain[indices] = -np.inf
        indices.append(first_of_largest(gain))
        gains.append(gain[indices[-1]])
        posterior.condition_on(indices[-1])
    return np.array(indices), np.array(gains)
