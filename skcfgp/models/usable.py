"""The rows that a model can use: found by asking it, and by leaving out what it names."""

import numpy as np

from .. import structures
from ..structures import InvalidStructureError, Structures


def read_rows(X):
    """Read crystals or formulas, and return them with the table that they are in, or None.

    They are `Structures`, with the reasons of those that cannot be used.
    """
    if isinstance(X, Structures):
        return X, None
    found = structures.check_structures(X, on_error="nan", formulas=True)
    in_table = "structure" in getattr(X, "columns", ()) and len(found.ids) == len(X)
    return found, X if in_table and hasattr(X, "iloc") else None


def apply_to_usable(method, crystals, table=None):
    """Call `method` with the rows that it can use; return rows, result and errors by row."""
    errors = {failure.index: failure.reason for failure in crystals.failures}
    rows = np.array([row for row in range(len(crystals.ids)) if row not in errors], dtype=int)
    while len(rows):
        X = crystals.structures[rows]
        if table is not None:
            X = table.iloc[rows].assign(structure=X)
        try:
            return rows, method(X), errors
        except InvalidStructureError as error:
            failed = [failure.index for failure in error.failures]
            if not failed:
                raise
            errors |= {int(rows[f.index]): f.reason for f in error.failures}
            rows = np.delete(rows, failed)
    return rows, None, errors


def filled(values, rows, n):
    """Put the values of some rows among NaN for the others."""
    values = np.asarray(values)
    out = np.full((n, *values.shape[1:]), np.nan, dtype=np.result_type(values.dtype, np.float32))
    out[rows] = values
    return out
