"""Predictions of one chunk of a pool, with a reason for each crystal that has none."""

import numpy as np
import pandas as pd

from .pool import read_records

__all__ = ["predict_records"]


def predict_records(model, records):
    """Predict the crystals of a chunk.

    Parameters
    ----------
    model : estimator
        Fitted, with ``predict(structures, return_std=True)``.
    records : list of (str, object)
        Of `skcfgp.screening.Pool.chunks`.

    Returns
    -------
    pandas.DataFrame
        A row a crystal: ``id``, ``formula``, ``prediction``, ``std``, ``error``.
    """
    crystals = read_records(records)
    reasons = {failure.index: failure.reason for failure in crystals.failures}
    usable = np.array([row for row in range(len(crystals.ids)) if row not in reasons], dtype=int)
    mean, std = np.full((2, len(crystals.ids)), np.nan)
    for rows, result in _predict(model, crystals.structures, usable):
        if isinstance(result, Exception):
            reasons[rows[0]] = str(result)
        else:
            mean[rows], std[rows] = result
    for row in np.flatnonzero(~np.isfinite(mean + std)).tolist():
        mean[row] = std[row] = np.nan
        reasons.setdefault(row, "the model gives no finite prediction.")
    return pd.DataFrame(
        {
            "id": crystals.ids.astype(str),
            "formula": [
                "" if s is None else s.composition.reduced_formula for s in crystals.structures
            ],
            "prediction": mean,
            "std": std,
            "error": [reasons.get(row, "") for row in range(len(crystals.ids))],
        }
    )


def _predict(model, structures, rows):
    """Yield (rows, prediction or error); where some cannot be used, halves find which."""
    if not len(rows):
        return
    try:
        yield rows, model.predict(structures[rows], return_std=True)
    except ValueError as error:
        if len(rows) == 1:
            yield rows, error
            return
        half = len(rows) // 2
        yield from _predict(model, structures, rows[:half])
        yield from _predict(model, structures, rows[half:])
