"""`simulate`: replay active learning on data whose labels are all known."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_consistent_length

from ..gaussian_process import GaussianProcessRegressor, PoolPosterior
from ..gaussian_process.common import last_step, last_step_input
from ..gaussian_process.integrated import IntegratedSuccession
from ..gaussian_process.succession import Succession, room
from ..query import (
    greedy_k_center,
    initial_design,
    integrated_variance,
    max_std,
    random_sampling,
    recommended,
)
from ..query.common import private_random_state
from ..query.design import N_FIRST, wants_design
from ..query.modal import take_rows
from ..structures.typing import ArrayLike, Estimator, RandomState, Rows
from .learner import ActiveLearner

#: Largest matrix, in bytes, that is held to compute all cycles at once.
MAX_BYTES = 2**31

#: Strategies that need no model.
WITHOUT_MODEL = (random_sampling, greedy_k_center)

#: Number of labels of the first fit.
MIN_LABELS = 2

#: Relative growth of the labels after which a model that began without any is fitted again.
GROWTH = 1.5


def simulate(
    estimator: Estimator,
    X: Rows,
    y: ArrayLike,
    *,
    initial: ArrayLike,
    pool: ArrayLike,
    test: ArrayLike | None = None,
    n_cycles: int | None = None,
    n_instances: int = 1,
    query_strategy: Callable[..., Any] = recommended,
    retrain_every: int | None = None,
    random_state: RandomState = None,
    on_cycle: Callable[[int], object] | None = None,
) -> pd.DataFrame:
    """Replay active learning: query, look up the label, learn, measure, and repeat.

    Parameters
    ----------
    estimator : estimator
        Model to replay with. A clone is fitted on the initial set and then learns by
        ``partial_fit`` if it can, with fixed hyper-parameters. See the notes for an empty initial
        set.
    X : array-like of shape (n_samples, ...)
        Feature vectors, or crystals for a ``Pipeline`` with featurizers.
    y : array-like of shape (n_samples,)
        All labels.
    initial, pool : array-like of int
        Rows of the initial set, which may be empty, and of the pool.
    test : array-like of int, default=None
        Rows of a fixed test set.
    n_cycles : int, default=None
        Number of queries. By default, until fewer than `n_instances` rows remain in the pool.
    n_instances : int, default=1
        Number of labels per query.
    query_strategy : callable, default=skcfgp.query.recommended
        Strategy that chooses. If the last step of a ``Pipeline`` has ``partial_fit``, all rows of X
        are transformed once per fit, and the strategy is given that step and its features.
    retrain_every : int, default=None
        Number of labels after which a new clone of the estimator is fitted to all labelled rows,
        including the transformers of a ``Pipeline``: a `MEGNetFeaturizer` with ``epochs > 0``
        trains again from its ``weights``, and the pool gets new features. By default never, or
        whenever the labels have grown by half if the initial set is empty. An estimator without
        ``partial_fit`` is always fitted to all labelled rows after each query.
    random_state : int, RandomState or None, default=None
        Controls a strategy with a parameter ``random_state``, which is given one ``RandomState``
        for all cycles. The global state of NumPy is never used.
    on_cycle : callable, default=None
        Function that is called with the number of the cycle after each.

    Returns
    -------
    DataFrame
        One row per cycle, 0 being the initial set: ``n_labelled``; ``indices`` (tuple of the chosen
        rows of X); ``mae_test`` on the fixed test set; ``mae_pool`` on the remaining pool (the
        paper's protocol, which favours a strategy that removes difficult crystals); ``max_std``
        over the remaining pool before the query. In the unit of y.

    Raises
    ------
    ValueError
        If X and y differ in length, the sets overlap or contain a row that does not exist, the pool
        is too small, or `n_instances` or `retrain_every` is not an integer of at least 1.

    Notes
    -----
    With an empty initial set, `skcfgp.query.initial_design` chooses the first ten labels, unless
    the strategy is `random_sampling` or `greedy_k_center`, which need no model. The transformers of
    a ``Pipeline`` are fitted to the pool, without labels, once. The last step is first fitted with
    two labels, then after each query up to ten; the errors before are NaN.
    """
    check_consistent_length(X, y)
    y = np.asarray(y, dtype=float)
    initial, pool, test = _check_sets(len(y), initial=initial, pool=pool, test=test)
    _check_count("n_instances", n_instances)
    if retrain_every is not None:
        _check_count("retrain_every", retrain_every, "None or ")
    if n_cycles is None:
        n_cycles = len(pool) // n_instances
    if n_cycles < 0 or n_cycles * n_instances > len(pool):
        raise ValueError(
            f"{n_cycles} cycles of {n_instances} need a pool of {n_cycles * n_instances}, "
            f"got {len(pool)}."
        )
    design, asked = [], query_strategy
    if not len(initial):
        if isinstance(estimator, Pipeline):
            if len(estimator) > 1:
                X = clone(estimator[:-1]).fit(take_rows(X, pool)).transform(X)
            estimator = estimator[-1]
        if query_strategy not in WITHOUT_MODEL:
            n_first = min(math.ceil(N_FIRST / n_instances), n_cycles) * n_instances
            design = pool[initial_design(take_rows(X, pool), n_first, estimator=estimator)[0]]
    if "random_state" in signature(query_strategy).parameters:
        rng = private_random_state(random_state)
        query_strategy = partial(query_strategy, random_state=rng)
    replay = _Replay(estimator, X, y, (initial, pool, test), query_strategy)
    one_by_one = len(initial) and n_instances == 1 and retrain_every is None
    if one_by_one and (posterior_class := replay.succession_of(asked, n_cycles)):
        rows = replay.cycles_in_one_go(n_cycles, posterior_class)
    else:
        rows = replay.cycles(n_cycles, n_instances, retrain_every, design)
    table = []
    for cycle, row in enumerate(rows):
        table.append(row | {"n_labelled": len(initial) + cycle * n_instances})
        if on_cycle is not None and cycle:
            on_cycle(cycle)
    columns = ["n_labelled", "indices", "mae_test", "mae_pool", "max_std"]
    return pd.DataFrame(table, columns=columns).rename_axis("cycle")


class _Replay:
    """A learner, and the labels to teach it and to measure its errors."""

    def __init__(self, estimator, X, y, sets, query_strategy):
        initial, pool, test = sets
        self.original, self.X, self.y, self.query_strategy = estimator, X, y, query_strategy
        self.rows = np.concatenate([pool, test])  # rows to predict in each cycle
        self.in_pool = np.arange(len(self.rows)) < len(pool)
        self.began_empty = not len(initial)
        self.fit(initial, np.zeros(len(initial), dtype=bool))

    def fit(self, labelled, selected):
        """Fit a clone of the estimator; keep only its last step if that has `partial_fit`."""
        X, y = take_rows(self.X, labelled), self.y[labelled]
        self.learner = learner = ActiveLearner(clone(self.original), self.query_strategy)
        self.labelled, self.n_at_fit, self.Z = labelled, len(labelled), self.X
        self.fitted = not self.began_empty or len(labelled) >= MIN_LABELS
        if not self.fitted:
            self.gp = self.posterior = learner.estimator = None  # a strategy gets the features
            if len(labelled):
                learner.X_training, learner.y_training, learner.selected = X, y, selected
            return
        learner.fit(X, y, selected=selected)
        model = last_step(learner.estimator)
        if hasattr(model, "partial_fit") and model is not learner.estimator:
            self.Z, learner.estimator = last_step_input(learner.estimator, self.X), model
            learner.X_training = take_rows(self.Z, labelled)
        self.gp = model if isinstance(model, GaussianProcessRegressor) else None
        self.posterior = None

    def follow(self, posterior_class):
        """Track pool and test set by a posterior, if the model is a Gaussian process."""
        if self.gp is not None:
            Z = np.asarray(take_rows(self.Z, self.rows), dtype=float)
            self.posterior = posterior_class(self.gp, Z)

    def succession_of(self, strategy, n_cycles):
        """Return what computes all cycles of a strategy at once; None if nothing does."""
        if self.gp is None or np.ndim(self.gp.alpha):
            return None
        n_labels, n_rows, n_pool = len(self.gp.X_train_), len(self.rows), self.in_pool.sum()
        if strategy in (max_std, random_sampling):
            n_values, found = room(n_labels, n_rows, n_cycles), Succession
        elif strategy is integrated_variance or (
            strategy is recommended and not wants_design(self.learner)
        ):
            n_values, found = n_pool * n_rows + n_labels * n_rows, IntegratedSuccession
        else:
            return None
        return found if 8 * n_values < MAX_BYTES else None

    def cycles_in_one_go(self, n_cycles, posterior_class):
        """Yield the row of each cycle, from the labels of many cycles at a time."""
        y, n_pool = self.y[self.rows], self.in_pool.sum()
        self.follow(partial(posterior_class, n_candidates=n_pool, n_picks=n_cycles))
        yield self.measure(())
        for block in self.posterior.blocks(y, self.order(n_cycles)):
            yield from self.measure_block(block, y, n_pool)

    def order(self, n_cycles):
        """Draw the rows of all cycles, if they are drawn: neither learner nor features matter."""
        if not (
            isinstance(self.query_strategy, partial) and self.query_strategy.func is random_sampling
        ):
            return None
        left, order = np.flatnonzero(self.in_pool), []
        for _ in range(n_cycles):
            (first,), _ = self.query_strategy(None, left)
            order.append(left[first])
            left = np.delete(left, first)
        return np.array(order, dtype=int)

    def measure_block(self, block, y, n_pool):
        """Yield the row of each cycle of a block."""
        error, variance = np.abs(block.means - y[block.held]), block.variances
        n_held = np.searchsorted(block.held, n_pool)
        in_test, error, variance = error[:, n_held:], error[:, :n_held], variance[:, :n_held]
        error[:, ~block.left[:n_held]], variance[:, ~block.left[:n_held]] = 0.0, -np.inf
        for k, column in enumerate(np.searchsorted(block.held, block.picks)):
            error[k:, column], variance[k:, column] = 0.0, -np.inf
        n_left = block.left[:n_held].sum() - 1 - np.arange(len(error))
        table = {
            "indices": [(int(row),) for row in self.rows[block.picks]],
            "mae_test": in_test.mean(axis=1) if in_test.shape[1] else np.full(len(error), np.nan),
            "mae_pool": np.where(n_left > 0, error.sum(axis=1) / np.maximum(n_left, 1), np.nan),
            "max_std": np.sqrt(np.where(n_left > 0, variance.max(axis=1), np.nan)) * block.unit,
        }
        for values in zip(*table.values(), strict=True):
            yield dict(zip(table, values, strict=True))

    def cycles(self, n_cycles, n_instances, retrain_every, design=()):
        """Yield the row of each cycle: query, or take the next of the design, teach and measure."""
        self.follow(PoolPosterior)
        yield self.measure(())
        for cycle in range(n_cycles):
            chosen = design[cycle * n_instances : (cycle + 1) * n_instances]
            if not len(chosen):
                chosen = self.query(n_instances)
            self.remove(np.flatnonzero(np.isin(self.rows, chosen)))
            self.labelled = np.concatenate([self.labelled, chosen])
            if self.fitted:
                self.learner.teach(take_rows(self.Z, chosen), self.y[chosen])
                if self.posterior is not None:
                    self.posterior.update()
            if self.is_time(retrain_every):
                all_chosen = np.ones(len(self.labelled), dtype=bool)
                self.fit(self.labelled, self.learner.selected if self.fitted else all_chosen)
                self.follow(PoolPosterior)
            yield self.measure(tuple(int(row) for row in chosen))

    def query(self, n_instances):
        """Return the rows that the strategy chooses."""
        left = self.rows[self.in_pool]
        indices, _ = self.learner.query(take_rows(self.Z, left), n_instances=n_instances)
        return left[np.atleast_1d(indices)]

    def is_time(self, retrain_every):
        """Tell whether to fit a new clone."""
        n_labels, learns = len(self.labelled), hasattr(last_step(self.original), "partial_fit")
        if self.began_empty and n_labels <= N_FIRST:
            return learns or not self.fitted
        if retrain_every is not None:
            return learns and n_labels - self.n_at_fit >= retrain_every
        return learns and self.began_empty and n_labels >= GROWTH * self.n_at_fit

    def remove(self, positions):
        """Stop measuring these rows."""
        still = np.delete(np.arange(len(self.rows)), positions)
        self.rows, self.in_pool = self.rows[still], self.in_pool[still]
        if self.posterior is not None:
            self.posterior.keep(still)

    def measure(self, chosen):
        """Return the errors and the largest standard deviation over pool and test set."""
        if not self.fitted:
            return {"indices": chosen} | dict.fromkeys(("mae_test", "mae_pool", "max_std"), np.nan)
        if self.posterior is None:
            X = take_rows(self.Z, self.rows)
            mean, std = self.learner.estimator.predict(X, return_std=True)
        else:
            left = self.posterior.left
            mean, std = self.posterior.mean[left], self.posterior.std[left]
        error = np.abs(mean - self.y[self.rows])
        return {
            "indices": chosen,
            "mae_test": np.nan if self.in_pool.all() else error[~self.in_pool].mean(),
            "mae_pool": error[self.in_pool].mean() if self.in_pool.any() else np.nan,
            "max_std": std[self.in_pool].max() if self.in_pool.any() else np.nan,
        }


def _check_count(name, value, or_none=""):
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be {or_none}an integer of at least 1, got {value!r}.")


def _check_sets(n_rows, **sets):
    for name, rows in sets.items():
        rows = np.asarray([] if rows is None else rows)
        if rows.dtype == bool:
            if len(rows) != n_rows:
                raise ValueError(f"{name} is a mask of {len(rows)} rows, but X has {n_rows}.")
            rows = np.flatnonzero(rows)
        elif len(rows) and rows.dtype.kind not in "iu":
            raise ValueError(f"{name} must hold row numbers, got an array of {rows.dtype}.")
        if len(rows) and not (rows.min() >= 0 and rows.max() < n_rows):
            raise ValueError(f"{name} contains rows that do not exist: X has {n_rows}.")
        sets[name] = rows.astype(int)
    values, counts = np.unique(np.concatenate(list(sets.values())), return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"initial, pool and test must not share rows; row {values[counts > 1][0]} is repeated."
        )
    if not len(sets["pool"]):
        raise ValueError("pool must hold at least one row.")
    return sets.values()
