"""Choices that keep the points of a batch apart."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from ..gaussian_process.greedy import largest_first
from ..kernels import Laplacian
from ..structures.typing import Estimator, FloatArray, IntArray, Rows
from .common import check_features, check_pool, innermost, last_step_of, unwrap
from .uncertainty import pool_std


def greedy_k_center(
    learner: Estimator, X_pool: Rows, n_instances: int = 1
) -> tuple[IntArray, FloatArray]:
    """Choose the points that are furthest from every labelled point, one after another.

    Features only: neither labels nor a standard deviation matter. For regression it is also known
    as GSx.

    Parameters
    ----------
    learner : modAL learner or committee
        Learner whose ``X_training``, or those of whose members, are the labelled points.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice; ties by lowest position.
    distance : ndarray of shape (n_instances,)
        Distance of each to the nearest point that is labelled or chosen before it, in the unit of
        the features.

    References
    ----------
    .. [1] Gonzalez, Theor. Comput. Sci. 38, 293 (1985). doi:10.1016/0304-3975(85)90224-5
    .. [2] Wu, Lin, Huang, Inf. Sci. 474, 90 (2019). doi:10.1016/j.ins.2018.09.060
    """
    check_pool(X_pool, n_instances)
    pool = check_features(*innermost(learner, X_pool))
    nearest = np.full(len(pool), np.inf)
    for one in getattr(learner, "learner_list", [learner]):
        if one.X_training is not None:
            labelled = check_features(*innermost(learner, one.X_training))
            for rows in gen_batches(len(labelled), 1024):
                nearest = np.minimum(nearest, cdist(pool, labelled[rows]).min(axis=1))
    indices, distances = [], []
    for _ in range(n_instances):
        indices.append(int(np.argmax(nearest)))
        distances.append(nearest[indices[-1]])
        nearest = np.minimum(nearest, cdist(pool, pool[indices[-1:]])[:, 0])
        nearest[indices] = -np.inf
    return np.array(indices), np.array(distances)


def spaced_max_std(
    learner: Estimator, X_pool: Rows, n_instances: int = 1, spacing: float = 1.0
) -> tuple[IntArray, FloatArray]:
    """Choose points of large standard deviation that are not close to each other.

    The paper's proposal for batches: down the list by standard deviation, a point is taken if it is
    at least `spacing` kernel lengths from those taken before. When nobody qualifies any more, the
    spacing is halved, and the list is gone down again from its top.

    Parameters
    ----------
    learner : modAL learner
        Learner whose estimator, or the last step of whose ``Pipeline``, is a Gaussian process with
        a kernel that has one length: a `Laplacian`, or one with a ``length_scale``, alone or in a
        sum or product.
    X_pool : array-like of shape (n_pool, ...)
        Pool, as the estimator takes it.
    n_instances : int, default=1
        Number of points to choose.
    spacing : float, default=1.0
        Distance to keep, in units of the kernel length.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Positions in the pool, in the order of the choice.
    std : ndarray of shape (n_instances,)
        Standard deviation of each, in the unit of y.

    References
    ----------
    .. [1] Allotey, Butler, Thiyagalingam (2021), Section VI.
    """
    n_pool = check_pool(X_pool, n_instances)
    if not spacing >= 0:
        raise ValueError(f"spacing must be at least 0, got {spacing!r}.")
    last, X = last_step_of(learner, X_pool)
    cutoff = spacing * _length_of(unwrap(last, None)[0])
    std, model, pool = pool_std(learner, last, X)
    pool = check_features(model, pool)
    smallest = 1e-9 * cutoff
    order = largest_first(np.square(std), n_pool)
    nearest = np.full(n_pool, np.inf)
    taken: list[int] = []
    while len(taken) < n_instances:
        far = nearest[order] >= cutoff
        far[np.isin(order, taken)] = False
        if not far.any():
            cutoff = cutoff / 2 if cutoff > smallest else 0.0
            continue
        taken.append(int(order[np.argmax(far)]))
        nearest = np.minimum(nearest, cdist(pool, pool[taken[-1:]])[:, 0])
    return np.array(taken), std[taken]


def _length_of(model):
    """Return the one length of the kernel of a fitted Gaussian process."""
    if not isinstance(model, SklearnGPR):
        raise TypeError(
            "spacing is in units of the kernel's length: expected a Gaussian process, got "
            f"{type(model).__name__}."
        )
    check_is_fitted(model, "alpha_")
    lengths = {
        float(value)
        for name, value in model.kernel_.get_params().items()
        if name.split("__")[-1] == "length_scale" and np.ndim(value) == 0
    }
    if len(lengths) != 1:
        raise ValueError(
            "spacing is in units of the kernel's length, but "
            f"{model.kernel_} has {len(lengths)} lengths; use a kernel with one, such as "
            f"{Laplacian()}."
        )
    return lengths.pop()
