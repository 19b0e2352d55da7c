"""Base classes and helpers of estimators of crystals: input, tags, labels and unusable rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from .. import structures
from ..structures.outcomes import (
    MISSING,
    Failure,
    InvalidStructureError,
    InvalidStructureWarning,
)
from ..structures.typing import ArrayLike, Crystals, ObjectArray, OnError, Self


class CrystalInputMixin:
    """Tags of an estimator whose X is a sequence of crystals, not a table of numbers."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.no_validation = True
        return tags


class CrystalTransformerMixin(CrystalInputMixin, TransformerMixin):
    """A stateless transformer of crystals, unless a subclass overrides ``fit``.

    A subclass has ``on_error``, `_names` (of its columns) and `_transform`, which is given
    `skcfgp.structures.Structures` and calls `_report` after the computation.
    """

    def fit(self, X: Crystals, y: ArrayLike | None = None) -> Self:
        """Check the parameters and return self; X and y are ignored."""
        self._check_parameters()
        return self

    def transform(self, X: Crystals) -> NDArray[Any]:
        """Transform crystals, without changing the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals, in any form that `skcfgp.structures.check_structures` accepts.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            NaN in the rows of crystals that cannot be used, if ``on_error="nan"``.

        Raises
        ------
        InvalidStructureError
            If crystals cannot be used and ``on_error="raise"``. The message names them.
        """
        check_is_fitted(self)
        return self._transform(self._read(X))

    def fit_transform(
        self, X: Crystals, y: ArrayLike | None = None, **fit_params: Any
    ) -> NDArray[Any]:
        """Fit and transform; each file is read once. See `fit` and `transform`."""
        crystals = self._read(X)
        self.fit(crystals, y, **fit_params)
        return self._transform(crystals)

    def get_feature_names_out(self, input_features: Any = None) -> ObjectArray:
        """Return the names of the columns of `transform`; `input_features` is ignored."""
        check_is_fitted(self)
        return np.array(self._names(), dtype=object)

    def _check_parameters(self):
        if self.on_error not in ("raise", "nan"):
            raise ValueError(f"on_error must be 'raise' or 'nan', got {self.on_error!r}.")

    def _read(self, X):
        formulas, n_jobs = (getattr(self, name, None) for name in ("formulas", "n_jobs"))
        return structures.check_structures(
            X, on_error="nan", formulas=bool(formulas), n_jobs=n_jobs
        )

    def _report(self, crystals, errors=None):
        """Raise an error or a warning that names the crystals that cannot be used."""
        new = [Failure(row, crystals.ids[row], e) for row, e in (errors or {}).items()]
        failures = sorted([*crystals.failures, *new])
        if failures and self.on_error == "raise":
            raise InvalidStructureError(failures)
        failures = [failure for failure in failures if failure.reason != MISSING]
        if failures:
            message = f"{InvalidStructureError(failures)}\nThe rows of these crystals are empty."
            warnings.warn(message, InvalidStructureWarning, stacklevel=5)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class CrystalReader(CrystalTransformerMixin, BaseEstimator):
    """Read, convert and check crystals.

    As the first step of a pipeline it makes sure that each file is parsed once. `transform` returns
    an object array of `skcfgp.structures.Crystal`, whose ``properties`` contain the id as
    ``material_id`` unless it is a number.

    Parameters
    ----------
    on_error : {"raise", "nan"}, default="raise"
        Whether crystals that cannot be used raise one error after all are checked, or become None,
        with one warning that names them.
    formulas : bool, default=False
        Whether to accept formulas without a structure, as in `check_structures`; they become
        pymatgen's ``Composition``, for a `CompositionFeaturizer`.
    n_jobs : int, default=None
        Number of processes that read files: 1 unless a joblib context says otherwise; -1 uses all
        processors.

    See Also
    --------
    skcfgp.structures.check_structures : Function that also returns ids and failures.

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> from skcfgp.features import CrystalReader
    >>> salt = Structure.from_spacegroup(
    ...     "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> CrystalReader().transform([salt])
    array([Crystal(NaCl, 8 sites)], dtype=object)
    """

    def __init__(
        self, *, on_error: OnError = "raise", formulas: bool = False, n_jobs: int | None = None
    ) -> None:
        self.on_error = on_error
        self.formulas = formulas
        self.n_jobs = n_jobs

    def _names(self):
        return ["crystal"]

    def _read(self, X):
        if hasattr(X, "columns") and "structure" in X.columns and (found := unnamed_columns(X)):
            warnings.warn(
                f"the columns {found} of numbers are not used: only the crystals are. To use them, "
                "name them in make_cfgp(estimates=..., columns=...); else pass X['structure'].",
                stacklevel=3,
            )
        return super()._read(X)

    def _transform(self, crystals):
        self._check_parameters()
        self._report(crystals)
        return crystals.structures


def read_crystals(X):
    """Read crystals into a Series by id, which estimators accept."""
    crystals = structures.check_structures(X)
    return pd.Series(crystals.structures, index=crystals.ids, dtype=object)


def unnamed_columns(frame, names=()):
    """List the numeric columns of a table of crystals that are not among `names`."""
    known = {"structure", "material_id", *names}
    numbers = ("integer", "floating", "mixed-integer-float", "decimal", "boolean")
    return [
        name
        for name in frame.columns
        if name not in known and pd.api.types.infer_dtype(frame[name], skipna=True) in numbers
    ]


def check_labels(y, n_crystals):
    """Return labels as float64; ValueError if their number is wrong or one is not finite."""
    y = column_or_1d(y, dtype=np.float64)
    if len(y) != n_crystals:
        raise ValueError(f"X has {n_crystals} crystals, y {len(y)} values.")
    if not np.isfinite(y).all():
        position = np.flatnonzero(~np.isfinite(y))[0]
        raise ValueError(f"y has NaN or infinity at position {position}.")
    return y
