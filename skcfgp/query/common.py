"""What the query strategies share."""

from contextlib import suppress
from numbers import Integral
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..calibration import CalibratedRegressor, MonotoneTargetRegressor
from ..gaussian_process.common import last_step, last_step_input

#: Posteriors that the last query of a learner left for its next one; they go when it goes.
_KEPT: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def check_pool(X_pool, n_instances):
    """Refuse a pool that is too small; return its size."""
    n_pool = X_pool.shape[0] if hasattr(X_pool, "shape") else len(X_pool)
    if n_pool == 0:
        raise ValueError("the pool is empty: there is nothing left to query.")
    if not isinstance(n_instances, Integral) or not 1 <= n_instances <= n_pool:
        raise ValueError(
            "n_instances must be an integer between 1 and the size of the pool, "
            f"{n_pool}, got {n_instances}."
        )
    return n_pool


def check_features(model, X):
    """Refuse features that the model cannot use; return them in double precision."""
    X = check_array(X, dtype=np.float64, ensure_all_finite=False)
    finite = np.isfinite(X)
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1))
        raise ValueError(
            f"{len(rows)} rows have features that are NaN or infinite (the first of them: "
            f"{rows[:5].tolist()}). Leave these rows out of the pool."
        )
    n_features = getattr(model, "n_features_in_", X.shape[1])
    if X.shape[1] != n_features:
        raise ValueError(
            f"the rows have {X.shape[1]} features, but the model was fitted on {n_features}."
        )
    return X


def check_costs(costs, n_rows):
    """Return a cost for each row, 1 by default; refuse what is not positive."""
    if costs is None:
        return np.ones(n_rows)
    costs = np.asarray(costs, dtype=float)
    if costs.shape != (n_rows,) or not (np.isfinite(costs) & (costs > 0)).all():
        raise ValueError(
            f"costs must give {n_rows} positive numbers, one for each row of the pool; got an "
            f"array of shape {costs.shape} with a minimum of {costs.min(initial=np.inf)}."
        )
    return costs


def private_random_state(random_state):
    """Return a RandomState; None gives a fresh one, never the global one of NumPy."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def last_step_of(learner, X):
    """Return the last step of the estimator of a learner, and what it gets for `X`, if not None.

    A committee is its own estimator, and so is a process that is given in place of a learner. Of a
    function of the target, it is what learns the function: strategies work on its scale.
    """
    model = learner
    if not isinstance(learner, CalibratedRegressor | FrozenEstimator):
        model = getattr(learner, "estimator", learner)
    if isinstance(last_step(model), MonotoneTargetRegressor):
        check_is_fitted(last_step(model), "regressor_")
        last = last_step(model).regressor_
        return last, X if X is None else last_step_input(model, X)
    return last_step(model), X if X is None else last_step_input(model, X)


def target_scale_of(learner):
    """Return the function of the label that is learnt, and whether it increases."""
    last = last_step(getattr(learner, "estimator", learner))
    if isinstance(last, MonotoneTargetRegressor):
        return last.func, last.increasing_
    return np.asarray, True


def unwrap(model, X):
    """Return the model inside pipelines and calibration, and what it gets for `X`, if not None."""
    while True:
        if isinstance(model, CalibratedRegressor):
            check_is_fitted(model, "scale_")
            model = model.estimator_
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        elif last_step(model) is not model:
            X = X if X is None else last_step_input(model, X)
            model = last_step(model)
        else:
            return model, X


def innermost(learner, X):
    """Return what `unwrap` does for the last step of a learner."""
    return unwrap(*last_step_of(learner, X))


def follow(learner, posterior_class, gp, X_pool, *targets):
    """Return what the last query left behind, brought up to date, if it fits; or a new one."""
    kept = {}
    if learner is not gp:  # a value that holds its key would never go
        with suppress(TypeError):  # not hashable, or without weak references
            kept = _KEPT.setdefault(learner, {})
    # Detach it while it is updated: an interrupt must not leave it half-updated.
    posterior, old_targets = kept.pop(posterior_class, (None, ()))
    still = None
    if (
        posterior is not None
        and posterior.gp is gp
        and posterior.is_current()
        and len(targets) == len(old_targets)
        and all(map(np.array_equal, targets, old_targets))
    ):
        still = rows_left(posterior.X_pool[posterior.left], X_pool)
    if still is None:
        posterior = None  # its memory is free before the new one takes as much
        targets = [target.copy() for target in targets]
        posterior = posterior_class(gp, X_pool.copy(), *targets)
    else:
        posterior.keep(still)
        posterior.update()
    kept[posterior_class] = posterior, targets
    return posterior


def rows_left(old, new):
    """Find which rows of `old` make up `new`, in order; None if `new` is not what is left of it."""
    if old.shape[1:] != new.shape[1:]:
        return None
    old, new = (
        np.ascontiguousarray(X).view(f"V{X.shape[1] * X.itemsize}").ravel().tolist()
        for X in (old, new)
    )
    left, position = [], -1
    for row in new:
        try:
            position = old.index(row, position + 1)
        except ValueError:
            return None
        left.append(position)
    return np.array(left, dtype=int)
