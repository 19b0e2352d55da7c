"""`TableReader`: a table of crystals and of numbers beside them, checked row by row.

The numbers are what is known besides the crystal: a cheap estimate of the target, a temperature, a
descriptor of one's own. Each must be named, so that neither a forgotten column is ignored in
silence nor the target, left in the table by mistake, is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from .. import structures
from ..structures.tables import as_pandas
from ..structures.typing import OnError
from .base import CrystalTransformerMixin, unnamed_columns


class TableReader(CrystalTransformerMixin, BaseEstimator):
    """Read and check a table of crystals and numbers.

    `transform` takes a DataFrame with a column ``structure`` and returns a DataFrame of the same
    index, with the crystals as `skcfgp.structures.Crystal` in ``structure`` and the named columns
    as float64: what a ``ColumnTransformer`` needs.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns of numbers. Every row needs a finite number in each of them. Another
        column of numbers is an error, unless it is the ``material_id``; other columns of text are
        left out.
    on_error : {"raise", "nan"}, default="raise"
        Whether rows that cannot be used raise an error, once all were looked at, or become None and
        NaN, with one warning that names them.
    n_jobs : int, default=None
        Number of processes that read files. 1 by default unless a joblib context says otherwise; -1
        uses all processors.

    See Also
    --------
    CrystalReader : Reads crystals without numbers beside them.
    skcfgp.make_cfgp : The pipeline that begins with it.

    Examples
    --------
    >>> import pandas as pd
    >>> from ase.build import bulk
    >>> from skcfgp.features import TableReader
    >>> table = pd.DataFrame(
    ...     {"structure": [bulk("Cu"), bulk("Al")], "kelvin": [300, 400]}, index=["a", "b"])
    >>> TableReader(["kelvin"]).transform(table)
                structure  kelvin
    a  Crystal(Cu, 1 site)   300.0
    b  Crystal(Al, 1 site)   400.0
    """

    def __init__(
        self, columns: Sequence[str], *, on_error: OnError = "raise", n_jobs: int | None = None
    ) -> None:
        self.columns = columns
        self.on_error = on_error
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        return tags

    def _names(self):
        return ["structure", *self.columns]

    def _read(self, X):
        """Return the crystals, and the table with what its columns hold."""
        X = as_pandas(X)
        _check_frame(X, list(self.columns))
        crystals = structures.check_structures(X, on_error="nan", n_jobs=self.n_jobs)
        if len(crystals.ids) != len(X):
            raise ValueError(
                f"X has {len(X)} rows, and their files hold {len(crystals.ids)} crystals: each "
                "file must hold exactly one."
            )
        return crystals, X

    def _transform(self, read):
        self._check_parameters()
        crystals, X = read
        numbers = X[list(self.columns)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
        unusable = {failure.index for failure in crystals.failures}
        errors = {}
        for row, column in np.argwhere(~np.isfinite(numbers.to_numpy())).tolist():
            if row not in unusable | set(errors):
                name = self.columns[column]
                value = X[name].iloc[row]
                errors[row] = (
                    f"its {name!r} is {repr(value) if isinstance(value, str) else value}, and the "
                    "model needs a finite number. Give the value, or leave the crystal out."
                )
        self._report(crystals, errors)
        out = numbers.copy()
        out.insert(0, "structure", crystals.structures)
        for row in unusable | set(errors):
            out.iloc[row, 0], out.iloc[row, 1:] = None, np.nan
        return out


def _check_frame(X, columns):
    """Refuse what is not a table with these columns, and no other ones of numbers."""
    if not hasattr(X, "columns") or "structure" not in X.columns:
        got = list(X.columns) if hasattr(X, "columns") else type(X).__name__
        raise TypeError(
            f"expected a DataFrame with the columns {['structure', *columns]}, got {got}."
        )
    if missing := [name for name in columns if name not in X.columns]:
        raise ValueError(f"X has no column {missing[0]!r}; it has {list(X.columns)}.")
    if not X.columns.is_unique:
        raise ValueError(f"two columns of X have one name: {list(X.columns)}.")
    if unnamed := unnamed_columns(X, columns):
        raise ValueError(
            f"nothing says what the columns {unnamed} of numbers are for. Name them as estimates "
            f"or columns of the model, or leave them out: X.drop(columns={unnamed})."
        )
