"""What the estimators that take crystals share: their tags, labels, and unusable rows."""

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils.validation import column_or_1d

from ..structures import Failure, check_structures, convert_structures, structure_error

__all__ = ["CrystalInputMixin", "CrystalTransformerMixin", "check_labels", "read_crystals"]


class CrystalInputMixin:
    """An estimator whose X is a sequence of crystals, not a table of numbers."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.no_validation = True
        return tags


class CrystalTransformerMixin(CrystalInputMixin, TransformerMixin):
    """A transformer whose ``on_error`` says what becomes of a crystal that cannot be used."""

    def _check_on_error(self):
        if self.on_error not in ("raise", "nan"):
            raise ValueError(f"on_error must be 'raise' or 'nan', got {self.on_error!r}.")

    def _read(self, X, n_jobs=None):
        """Read crystals; `_refuse` is for those that are not valid."""
        on_error = "raise" if self.on_error == "raise" else "collect"
        return convert_structures(X, on_error=on_error, n_jobs=n_jobs)

    def _refuse(self, crystals, row, error):
        """Raise an error that names the crystal, or list it in the failures of `crystals`."""
        if self.on_error == "raise":
            raise structure_error(error, crystals.ids[row], row) from error
        crystals.failures.append(Failure(row, crystals.ids[row], str(error)))


def read_crystals(X):
    """Read and validate crystals, so that an estimator can be given them with their ids again.

    Parameters
    ----------
    X : array-like of shape (n_samples,)
        See `skcfgp.structures.check_structures`.

    Returns
    -------
    Series of ``Structure`` or `Crystal`, by id
    """
    crystals = check_structures(X)
    return pd.Series(crystals.structures, index=crystals.ids, dtype=object)


def check_labels(y, n_crystals):
    """Refuse labels that do not fit the crystals or are not finite.

    Parameters
    ----------
    y : array-like of shape (n_crystals,)
    n_crystals : int

    Returns
    -------
    ndarray of shape (n_crystals,), float64
    """
    y = column_or_1d(y, dtype=np.float64)
    if len(y) != n_crystals:
        raise ValueError(f"X has {n_crystals} crystals, y {len(y)} values.")
    if not np.isfinite(y).all():
        position = np.flatnonzero(~np.isfinite(y))[0]
        raise ValueError(f"y has NaN or infinity at position {position}.")
    return y
