"""Which crystals to label first, with few labels or none.

Before the first label a Gaussian process has only its prior, but that already says where a label
would lower the variance of many others. So the first choices follow the same rule as the later
ones, `skcfgp.query.integrated_variance`, with lengths that are typical distances of the features.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn import clone
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.pipeline import Pipeline

from ..gaussian_process.covariance import covariance_of, is_quick
from ..gaussian_process.greedy import IntegratedVariance, first_of_largest
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from ..structures.typing import ArrayLike, Estimator, FloatArray, IntArray, Rows
from .common import check_costs, check_features, check_pool
from .modal import stack_rows

#: Number of labels from which a strategy is given a fitted process rather than the prior.
N_FIRST = 10

#: Rows that the median distances are taken over.
N_FOR_LENGTHS = 1000

#: Variance of the noise, relative to that of the prior, where the lengths are median distances.
NOISE = 0.01

#: Memory of the covariance with the targets.
MAX_BYTES = 2**30


def initial_design(
    X: Rows,
    n_instances: int = 10,
    *,
    estimator: Estimator | None = None,
    known: ArrayLike = (),
    excluded: ArrayLike = (),
    costs: ArrayLike | None = None,
    n_target: int = 1000,
    spread: float = 1.0,
) -> tuple[IntArray, FloatArray]:
    """Choose the rows to label before there are labels to learn from.

    Rows are chosen one after another, each given those before it: always the one whose label lowers
    the mean variance over the set the most, under the prior of the process. The choice depends on
    the features alone and is the same at each call. Outliers are not preferred, as they are by the
    farthest points (`greedy_k_center`).

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        All rows of the set: feature vectors, or what `estimator` takes if it is a ``Pipeline``.
    n_instances : int, default=10
        Number of rows to choose.
    estimator : estimator, default=None
        Gaussian process, or a ``Pipeline`` or a `skcfgp.CalibratedRegressor` that ends in one. It
        need not be fitted and is not changed. Clones of the other steps of a ``Pipeline`` are
        fitted to all rows, without labels. By default a `skcfgp.GaussianProcessRegressor`.
    known : array-like of int, default=()
        Rows that are labelled or pending: the choice is made given these.
    excluded : array-like of int, default=()
        Rows that cannot be labelled, such as failed ones. They are neither chosen nor counted.
    costs : array-like of shape (n_samples,), default=None
        Cost of the label of each row, > 0, in any unit. Rows are then chosen by the decrease of the
        mean variance per unit of cost.
    n_target : int, default=1000
        Number of rows, evenly spaced, over which the variance is averaged; fewer where the
        covariance with them would take more than 1 GiB, from about 130,000 rows on.
    spread : float, default=1.0
        Lengths of the prior, in median distances.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Rows of `X`, in the order of the choice; ties by lowest row.
    gain : ndarray of shape (n_instances,)
        Decrease of the mean variance over the targets by each, as a share of the prior variance;
        with `costs`, per unit of cost.

    Raises
    ------
    ValueError
        If fewer than `n_instances` rows are left to choose from, a row does not exist, a feature is
        not finite or a cost not positive.

    Notes
    -----
    Each `Laplacian` of the kernel, on the columns that it sees, gets `spread` times the median
    distance of 1,000 evenly spaced rows as its length, and the noise is 0.01 / `spread` of the
    variance. A kernel that is not searched for (``optimizer=None``, or all its hyper-parameters
    fixed) is used as it is. One with a part that `skcfgp.make_cfgp` does not use, such as an
    ``RBF``, is replaced by a `Laplacian` of all columns. The design takes about n_samples n_target
    (n_features + n_instances) operations.

    References
    ----------
    .. [1] Cohn, Ghahramani, Jordan, "Active Learning with Statistical Models", J. Artif. Intell.
       Res. 4, 129 (1996). doi:10.1613/jair.295
    .. [2] Sacks, Welch, Mitchell, Wynn, "Design and Analysis of Computer Experiments", Stat. Sci.
       4, 409 (1989). doi:10.1214/ss/1177012413

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp.query import initial_design
    >>> X = np.linspace(0, 1, 101)[:, None]
    >>> initial_design(X, 3)[0]
    array([50, 15, 85])
    """
    n_samples = check_pool(X, 1)
    known, excluded = _check_rows(n_samples, known=known, excluded=excluded)
    candidates = np.setdiff1d(np.arange(n_samples), [*known, *excluded])
    check_pool(candidates, n_instances)
    cost = check_costs(costs, n_samples)[candidates]
    features = _features(estimator, X)
    gp = _prior(estimator, features, spread)
    if not isinstance(n_target, Integral) or n_target < 1:
        raise ValueError(f"n_target must be an integer of at least 1, got {n_target!r}.")
    n_target = max(1, min(n_target, n_samples, MAX_BYTES // (8 * n_samples)))
    targets = np.setdiff1d(np.linspace(0, n_samples - 1, n_target).astype(int), excluded)
    target = features[targets if len(targets) else candidates[:1]]
    chosen, gains, known = [], [], known.tolist()
    if not known:
        gain = _first_gain(gp, features[candidates], target)
        first = first_of_largest(gain / cost)
        chosen, gains, known = [candidates[first]], [gain[first] / cost[first]], [candidates[first]]
        candidates, cost = np.delete(candidates, first), np.delete(cost, first)
    if len(chosen) < n_instances:
        gp.fit(features[known], np.zeros(len(known)))
        posterior = IntegratedVariance(gp, features[candidates], target)
        more, gain = posterior.choose(n_instances - len(chosen), cost)
        chosen, gains = [*chosen, *candidates[more]], [*gains, *gain]
    unit = float(np.mean(gp.kernel.diag(target)))
    return np.array(chosen, dtype=int), np.array(gains) / unit


def wants_first(learner):
    """Tell whether a learner has nothing to predict from."""
    return getattr(learner, "X_training", ()) is None and not hasattr(learner, "learner_list")


def wants_design(learner):
    """Tell whether a learner has too few labels to search for the hyper-parameters of its process.

    A process whose hyper-parameters are not searched for needs no design once it is fitted.
    """
    if wants_first(learner):
        return True
    if hasattr(learner, "learner_list") or not hasattr(learner, "X_training"):
        return False  # a committee, or a process in place of a learner
    process = _process_of(learner.estimator)
    return process is not None and _is_searched(process) and count(learner.X_training) < N_FIRST


def design_for(learner, X_pool, n_instances=1, costs=None):
    """Choose from the pool of a learner by `initial_design`, given what the learner knows."""
    n_pool = check_pool(X_pool, n_instances)
    known = getattr(learner, "X_training", None)
    n_known = 0 if known is None else count(known)
    X = X_pool if known is None else stack_rows([X_pool, known])
    if costs is not None:
        costs = np.concatenate([check_costs(costs, n_pool), np.ones(n_known)])
    estimator = getattr(learner, "estimator", None)
    rows = np.arange(n_pool, n_pool + n_known)
    return initial_design(X, n_instances, estimator=estimator, known=rows, costs=costs)


def count(X):
    """Return the number of rows."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _check_rows(n_samples, **rows):
    for name, values in rows.items():
        values = np.asarray(values if len(values) else [], dtype=int if not len(values) else None)
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise ValueError(f"{name} must be row numbers, got an array of {values.dtype}.")
        if len(values) and not (values.min() >= 0 and values.max() < n_samples):
            raise ValueError(f"{name} names rows that do not exist: X has {n_samples}.")
        rows[name] = np.unique(values)
    return rows.values()


def _features(estimator, X):
    """Return what the last step is given, by steps that are fitted to all rows without labels.

    Steps that cannot be, such as a network that is trained, are taken as they are if fitted.
    """
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        try:
            X = clone(estimator[:-1]).fit_transform(X)
        except ValueError as error:
            try:
                X = estimator[:-1].transform(X)
            except NotFittedError:
                raise error from None
    return check_features(None, X)


def _process_of(estimator):
    """Return the process inside an estimator, fitted or not; None if there is none."""
    while estimator is not None and not isinstance(estimator, SklearnGPR):
        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        else:  # a calibration, or a function of the target
            estimator = getattr(estimator, "estimator", getattr(estimator, "regressor", None))
    return estimator


def _is_searched(process):
    kernel = Laplacian() if process.kernel is None else process.kernel
    return process.optimizer is not None and kernel.theta.size > 0


def _prior(estimator, X, spread):
    """Return a process, not fitted, that has the prior of an estimator."""
    if not spread > 0:
        raise ValueError(f"spread must be positive, got {spread!r}.")
    process = _process_of(estimator)
    kernel = getattr(process, "kernel", None) or Laplacian()
    if process is not None and not _is_searched(process):
        alpha = float(np.mean(process.alpha))
        return GaussianProcessRegressor(clone(kernel), alpha=alpha, optimizer=None)
    if not is_quick(kernel):
        kernel = Laplacian()
    some = np.unique(np.linspace(0, len(X) - 1, N_FOR_LENGTHS).astype(int))
    found = theta = covariance_of(kernel, X[some]).start(1.0)
    names = [h.name for h in kernel.hyperparameters if not h.fixed]
    noisy = np.array([name.endswith("noise_level") for name in names])
    lengths = np.array([name.endswith("length_scale") for name in names])
    theta = np.clip(theta - np.log(spread) * noisy, *kernel.bounds.T)
    # Not within bounds, which are for a search: this is what the features say.
    theta[lengths] = found[lengths] + np.log(spread)
    kernel = kernel.clone_with_theta(theta)
    alpha = 1e-10 if noisy.any() else NOISE / spread
    return GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None)


def _first_gain(gp, X, target):
    """By how much the label of each row lowers the mean variance over the targets, from nothing."""
    step = max(1, 2**24 // len(target))
    total = [
        np.square(gp.kernel(X[start : start + step], target)).mean(axis=1)
        for start in range(0, len(X), step)
    ]
    return np.concatenate(total) / (gp.kernel.diag(X) + gp.alpha)
