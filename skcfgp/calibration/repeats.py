"""Which rows are the same crystal: no row may be judged by its own copy, or be counted twice."""

from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from sklearn.model_selection import KFold

from ..gaussian_process.equal_rows import equal_rows

#: Distance of equal rows, relative to their norm.
ROUNDING = 1e-6


def distinct_rows(X, n_samples):
    """Give each row of X the number of its vector or crystal, in order of appearance.

    Vectors are equal up to rounding, and crystals by their content. Of anything else, which the
    estimator may refuse, each row counts as distinct.
    """
    if issparse(X):
        return np.arange(n_samples)
    try:
        values = np.asarray(X, dtype=float)
    except (TypeError, ValueError):
        return _distinct_crystals(X, n_samples)
    first = np.arange(n_samples)
    if values.ndim == 2 and len(values) == n_samples and np.isfinite(values).all():
        for rows in equal_rows(_same, values):
            first[rows] = rows[0]
    return np.unique(first, return_inverse=True)[1]


def folds_of_distinct_rows(cv, group):
    """Return splits that do not part the rows of a group, if `cv` is a number of folds.

    Without repeated rows these are scikit-learn's. If all rows are equal there is nothing to hold
    out but copies.
    """
    n_distinct = group.max() + 1
    if not isinstance(cv, Integral) or n_distinct in (1, len(group)):
        return cv
    splits = KFold(min(cv, n_distinct)).split(np.arange(n_distinct))
    return [tuple(np.flatnonzero(np.isin(group, part)) for part in split) for split in splits]


def _distinct_crystals(X, n_samples):
    """Give each row the number of its crystal; a row that is none has its own."""
    from ..structures import check_structures  # loads pymatgen

    try:
        crystals = check_structures(X, on_error="nan", formulas=True).structures
    except TypeError:
        crystals = [None] * n_samples
    number = {}
    names = [row if item is None else _name(item) for row, item in enumerate(crystals)]
    return np.array([number.setdefault(name, len(number)) for name in names])


def _name(crystal):
    from ..structures import Crystal, structure_digest

    if isinstance(crystal, Crystal):
        return structure_digest(crystal)
    return crystal.fractional_composition.formula


def _same(A, B):
    """Return 1 for rows that are equal up to rounding, and 0 for others."""
    size = np.maximum.outer(np.linalg.norm(A, axis=1), np.linalg.norm(B, axis=1))
    return (cdist(A, B) <= ROUNDING * size).astype(float)
