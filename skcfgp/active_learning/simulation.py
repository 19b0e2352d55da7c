"""`simulate`: replay active learning on data whose labels are all known."""

from functools import partial
from inspect import signature
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from ..gaussian_process import PoolPosterior
from ..gaussian_process.common import last_step, last_step_input
from ..gaussian_process.greedy import greedy_picks
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..query import max_std, random_sampling
from ..query._modal import take_rows
from .known_features import with_known_features
from .learner import ActiveLearner

__all__ = ["simulate"]

#: Largest covariance that is held to work out all cycles in one go.
MAX_BYTES = 2**31


def simulate(
    estimator,
    X,
    y,
    *,
    initial,
    pool,
    test=None,
    n_cycles=None,
    n_instances=1,
    query_strategy=max_std,
    retrain_every=None,
    random_state=None,
    on_cycle=None,
):
    """Replay active learning: query, look up the label, learn, measure, again.

    Parameters
    ----------
    estimator : estimator
        A clone of it is fitted on the initial set; after that it learns by ``partial_fit`` where it
        can, with its hyper-parameters as they are.
    X : array-like of shape (n_samples, ...)
        Feature vectors, or crystals if the estimator is a ``Pipeline`` that takes them.
    y : array-like of shape (n_samples,)
        All labels.
    initial, pool : array-like of int
        Rows of the initial set and of the pool.
    test : array-like of int, default=None
        Rows of a test set that stays the same.
    n_cycles : int, default=None
        Queries to make; None goes on while `n_instances` rows are left in the pool.
    n_instances : int, default=1
        Labels a query.
    query_strategy : callable, default=skcfgp.query.max_std
    retrain_every : int, default=None
        After at least so many labels a clone of the estimator is fitted to all that is labelled,
        and goes on from there: hyper-parameters anew and, in a ``Pipeline``, the transformers, so a
        `MEGNetFeaturizer` with ``epochs > 0`` trains again from its ``weights``, and the pool has
        new features. None never does. An estimator without ``partial_fit`` is fitted to everything
        after each query anyway.
    random_state : int, RandomState or None, default=None
        Handed, as one ``RandomState``, to a strategy that takes ``random_state``.
    on_cycle : callable, default=None
        Called with the number of the cycle after each.

    Returns
    -------
    DataFrame
        A row for each cycle, 0 being the initial set: ``n_labelled``; ``indices`` (tuple of the
        rows of X that were chosen); ``mae_test`` on the fixed test set; ``mae_pool`` on what
        remains of the pool (the paper's protocol, which flatters a strategy that takes the hard
        crystals out);
        ``max_std`` over the remaining pool before the query. In the unit of y.

    Raises
    ------
    ValueError
        If X and y differ in length, the sets overlap or hold a row that does not exist, the pool is
        too small, or `n_instances` or `retrain_every` is not an integer of at least 1.
    """
    import pandas as pd

    check_consistent_length(X, y)
    y = np.asarray(y, dtype=float)
    initial, pool, test = _check_sets(initial, pool, test, len(y))
    if not _is_count(n_instances):
        raise ValueError(f"n_instances must be an integer of at least 1, got {n_instances!r}.")
    if retrain_every is not None and not _is_count(retrain_every):
        raise ValueError(
            f"retrain_every must be None or an integer of at least 1, got {retrain_every!r}."
        )
    n_cycles = _check_cycles(n_cycles, n_instances, len(pool))
    fitted = clone(estimator).fit(take_rows(X, initial), y[initial])
    in_one_go = (
        n_instances == 1
        and retrain_every is None
        and _known_beforehand(fitted, query_strategy, pool, test)
    )
    if "random_state" in signature(query_strategy).parameters:
        query_strategy = partial(query_strategy, random_state=check_random_state(random_state))
    if in_one_go:
        rows = _cycles_in_one_go(fitted, X, y, pool, test, n_cycles, query_strategy)
    else:
        replay = _Replay(estimator, fitted, X, y, (initial, pool, test), query_strategy)
        rows = replay.cycles(n_cycles, n_instances, retrain_every)
    table = []
    for cycle, row in enumerate(rows):
        table.append(row | {"n_labelled": len(initial) + cycle * n_instances})
        if on_cycle is not None and cycle:
            on_cycle(cycle)
    columns = ["n_labelled", "indices", "mae_test", "mae_pool", "max_std"]
    return pd.DataFrame(table, columns=columns).rename_axis("cycle")


def _known_beforehand(estimator, query_strategy, pool, test):
    """Tell whether the choices do not depend on the labels and the pool's covariance fits."""
    return (
        isinstance(estimator, GaussianProcessRegressor)
        and query_strategy in (max_std, random_sampling)
        and np.ndim(estimator.alpha) == 0
        and 8 * len(pool) * (len(pool) + len(test) + len(estimator.X_train_)) < MAX_BYTES
    )


def _cycles_in_one_go(gp, X, y, pool, test, n_cycles, query_strategy):
    """Yield the row of each cycle from one factorisation of the pool's covariance."""
    X = np.asarray(X, dtype=float)
    choose = None
    if query_strategy is not max_std:  # at random: neither the learner nor the features matter

        def choose(left):
            return query_strategy(None, left)[0][0]

    yield _Monitor(gp, X, y, pool, test).measure(())
    y_pool, y_test = y[pool], y[test]
    options = {"y_pool": y_pool, "X_extra": X[test], "choose": choose}
    for pick in greedy_picks(gp, X[pool], n_cycles, **options):
        left = ~np.isnan(pick.mean)
        yield {
            "indices": (int(pool[pick.index]),),
            "mae_test": np.abs(pick.extra_mean - y_test).mean() if len(test) else np.nan,
            "mae_pool": np.abs(pick.mean - y_pool)[left].mean() if left.any() else np.nan,
            "max_std": np.sqrt(pick.largest_left) * pick.unit if left.any() else np.nan,
        }


class _Replay:
    """A learner, and the truth that it is taught and measured by."""

    def __init__(self, estimator, fitted, X, y, sets, query_strategy):
        initial, pool, test = sets
        self.original, self.X, self.y = estimator, X, y
        self.everything = np.concatenate(sets)
        self.learner = ActiveLearner(fitted, query_strategy=query_strategy)
        self.learner.X_training, self.learner.y_training = take_rows(X, initial), y[initial]
        self.monitor = _Monitor(self._remember_features(), X, y, pool, test)

    def cycles(self, n_cycles, n_instances, retrain_every):
        """Yield the row of each cycle: query, teach, retrain when it is time, measure."""
        learner, monitor = self.learner, self.monitor
        yield monitor.measure(())
        n_since = 0
        for _ in range(n_cycles):
            left = monitor.pool_left()
            chosen, _ = learner.query(take_rows(self.X, left), n_instances=n_instances)
            chosen = left[np.atleast_1d(chosen)]
            learner.teach(take_rows(self.X, chosen), self.y[chosen])
            monitor.remove(chosen)
            n_since += len(chosen)
            if retrain_every is not None and n_since >= retrain_every:
                self.retrain()
                n_since = 0
            yield monitor.measure(tuple(chosen.tolist()))

    def retrain(self):
        """Fit a clone of the original estimator to all that is labelled."""
        learner = self.learner
        if not hasattr(last_step(learner.estimator), "partial_fit"):
            return  # `teach` has done so
        learner.estimator = clone(self.original)
        learner.fit(learner.X_training, learner.y_training)
        self.monitor.watch(self._remember_features())

    def _remember_features(self):
        X = take_rows(self.X, self.everything)
        self.learner.estimator = with_known_features(self.learner.estimator, X)
        return self.learner.estimator


class _Monitor:
    """Errors and standard deviations over pool and test set, after each cycle.

    For a `GaussianProcessRegressor`, alone or at the end of a ``Pipeline`` whose other steps stay
    as they are, they come from a posterior that is kept; any other estimator predicts them afresh.
    """

    def __init__(self, estimator, X, y, pool, test):
        self.rows = np.concatenate([pool, test])
        self.X, self.y = take_rows(X, self.rows), y[self.rows]
        self.in_pool = np.arange(len(self.rows)) < len(pool)
        self.in_test = ~self.in_pool
        self.watch(estimator)

    def watch(self, estimator):
        """Follow an estimator from now on."""
        self.estimator, self.posterior = estimator, None
        model = last_step(estimator)
        if isinstance(model, GaussianProcessRegressor):
            features = last_step_input(estimator, self.X)
            self.posterior = PoolPosterior(model, np.asarray(features, dtype=float))

    def pool_left(self):
        return self.rows[self.in_pool]

    def remove(self, chosen):
        self.in_pool &= ~np.isin(self.rows, chosen)

    def measure(self, chosen):
        if self.posterior is not None:
            self.posterior.update()
            mean, std = self.posterior.mean, self.posterior.std
        else:
            mean, std = self.estimator.predict(self.X, return_std=True)
        error = np.abs(mean - self.y)
        return {
            "indices": chosen,
            "mae_test": error[self.in_test].mean() if self.in_test.any() else np.nan,
            "mae_pool": error[self.in_pool].mean() if self.in_pool.any() else np.nan,
            "max_std": std[self.in_pool].max() if self.in_pool.any() else np.nan,
        }


def _is_count(value):
    return isinstance(value, Integral) and value >= 1


def _check_sets(initial, pool, test, n_rows):
    sets = {
        name: np.asarray([] if rows is None else rows)
        for name, rows in {"initial": initial, "pool": pool, "test": test}.items()
    }
    for name, rows in sets.items():
        if rows.dtype == bool:
            if len(rows) != n_rows:
                raise ValueError(f"{name} is a mask of {len(rows)} rows: X has {n_rows}.")
            rows = np.flatnonzero(rows)
        elif len(rows) and rows.dtype.kind not in "iu":
            raise ValueError(f"{name} must hold row numbers, got an array of {rows.dtype}.")
        if len(rows) and not (rows.min() >= 0 and rows.max() < n_rows):
            raise ValueError(f"{name} names rows that do not exist: X has {n_rows}.")
        sets[name] = rows.astype(int)
    together = np.concatenate(list(sets.values()))
    values, counts = np.unique(together, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"initial, pool and test must not share rows; row {values[counts > 1][0]} comes twice."
        )
    if not len(sets["initial"]) or not len(sets["pool"]):
        raise ValueError("initial and pool must each hold at least one row.")
    return sets.values()


def _check_cycles(n_cycles, n_instances, n_pool):
    if n_cycles is None:
        return n_pool // n_instances
    if n_cycles < 0 or n_cycles * n_instances > n_pool:
        raise ValueError(
            f"{n_cycles} cycles of {n_instances} need a pool of {n_cycles * n_instances}, "
            f"got {n_pool}."
        )
    return n_cycles
