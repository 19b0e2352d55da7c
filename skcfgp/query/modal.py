"""Repairs of modAL-python 0.4.2.1, which was last released for older scikit-learn and pandas.

This is the one place where this package changes another. Importing `skcfgp.query` applies it, so
that a plain ``modAL.models.ActiveLearner`` works with these strategies.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from itertools import chain
from typing import Any, Literal, TypeVar, overload

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils import check_X_y

from ..structures.typing import IntArray

T = TypeVar("T")  # rows, in a container of any kind


def patch_modal():
    """Replace what fails in modAL. A second call changes nothing.

    - ``check_X_y(force_all_finite=)`` became ``ensure_all_finite`` (scikit-learn 1.6, removed in
      1.8; modAL issue 196).
    - ``DataFrame.append`` was removed (pandas 2.0), and lists are stacked by way of a 2-D array.
    - ``query`` unpacks what a strategy returns, and a bare ``except`` runs the strategy twice when
      that fails; a bare array of exactly two indices loses the second.
    """
    learners = importlib.import_module("modAL.models.learners")
    base = importlib.import_module("modAL.models.base")
    learners.check_X_y = _check_X_y
    learners.data_vstack = stack_rows
    base.BaseLearner.query = base.BaseCommittee.query = OneQuery.query


def _check_X_y(X, y, *, force_all_finite=True, **options):
    return check_X_y(X, y, ensure_all_finite=force_all_finite, **options)


def stack_rows(blocks):
    """Stack rows in a container of the kind of the first block."""
    first = blocks[0]
    if any(sp.issparse(block) for block in blocks):
        return sp.vstack(blocks, format="csr")
    if isinstance(first, pd.DataFrame):
        framed = [b if hasattr(b, "iloc") else pd.DataFrame(b, None, first.columns) for b in blocks]
        return pd.concat(framed)
    if isinstance(first, pd.Series):
        return pd.concat([pd.Series(block) for block in blocks])
    if isinstance(first, list | tuple):
        return [row for block in blocks for row in block]
    if isinstance(first, np.ndarray) and first.dtype == object and first.ndim == 1:
        # np.asarray would look inside a Structure
        return np.fromiter(chain.from_iterable(blocks), dtype=object)
    return np.concatenate([np.asarray(block) for block in blocks])


def take_rows(X, indices):
    """Take rows by position from any container."""
    if isinstance(X, dict):
        return {key: take_rows(value, indices) for key, value in X.items()}
    if hasattr(X, "iloc"):
        return X.iloc[indices]
    if isinstance(X, list | tuple):
        if np.ndim(indices) == 0:
            return X[indices]
        return [X[i] for i in np.asarray(indices)]
    if hasattr(X, "tocsr"):
        return X.tocsr()[indices].asformat(X.format)
    return X[indices]


class OneQuery:
    """`query`, which runs the strategy once."""

    query_strategy: Callable[..., Any]

    @overload
    def query(
        self, X_pool: T, *args: Any, return_metrics: Literal[False] = False, **kwargs: Any
    ) -> tuple[IntArray, T]: ...
    @overload
    def query(
        self, X_pool: T, *args: Any, return_metrics: Literal[True], **kwargs: Any
    ) -> tuple[IntArray, T, Any]: ...

    def query(
        self, X_pool: T, *args: Any, return_metrics: bool = False, **kwargs: Any
    ) -> tuple[IntArray, T] | tuple[IntArray, T, Any]:
        """Run the query strategy and look up the rows that it chose.

        Returns the indices, the rows and, with `return_metrics`, the scores: None, and a warning,
        if the strategy returns none. Other arguments are passed to the strategy.
        """
        result = self.query_strategy(self, X_pool, *args, **kwargs)
        if isinstance(result, tuple) and len(result) == 2:
            indices, scores = result
        else:
            indices, scores = result, None
        rows = take_rows(X_pool, indices)
        if not return_metrics:
            return indices, rows
        if scores is None:
            warnings.warn("The query strategy returns no scores.", UserWarning, stacklevel=2)
        return indices, rows, scores
