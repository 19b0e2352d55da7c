"""From crystals and a fitted model to a table with a row, or a reason, for each crystal."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..calibration import predict_distribution
from ..calibration.distribution_metrics import two_sigma_std
from ..network import MEGNet, load_network
from ..structures import Structures
from ..structures.typing import ArrayLike, BoolArray, Crystals, Estimator, FilePath
from .pipeline import CrystalPipeline
from .usable import apply_to_usable, filled, read_rows

#: Columns of numbers in a table of predictions.
COLUMNS = ("prediction", "std", "lower", "upper", "df")


def featurize(
    transformer: Any, crystals: Crystals | Structures
) -> tuple[NDArray[Any], dict[int, str]]:
    """Transform the crystals that can be used, and say why the others cannot.

    Parameters
    ----------
    transformer : transformer
        Fitted, with ``transform(crystals)``: a featurizer, a ``FeatureUnion`` of several, or a
        pipeline without its last step (``model[:-1]``).
    crystals : array-like of shape (n_samples,), DataFrame or Structures
        See `skcfgp.structures.check_structures`. A DataFrame with a column ``structure`` is given
        to the transformer with its other columns.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        NaN in the rows of `errors`. Without a single usable crystal there are no columns.
    errors : dict of int to str
        Reasons why crystals cannot be used, by row.
    """
    crystals, table = read_rows(crystals)
    rows, features, errors = apply_to_usable(transformer.transform, crystals, table)
    if features is None:
        return np.empty((len(crystals.ids), 0)), errors
    features = np.asarray(features)
    X = np.full((len(crystals.ids), features.shape[1]), np.nan, dtype=features.dtype)
    X[rows] = features
    return X, errors


def predict_crystals(
    model: Estimator, crystals: Crystals | Structures, unit: str = "", coverage: float = 0.95
) -> pd.DataFrame:
    """Predict crystals by any fitted model that takes them.

    Parameters
    ----------
    model : estimator
        Fitted, with ``predict(crystals, return_std=True)``, such as `skcfgp.make_cfgp`. Crystals
        that cannot be used must make it raise `skcfgp.structures.InvalidStructureError`, as the
        featurizers do with ``on_error="raise"``.
    crystals : array-like of shape (n_samples,), DataFrame or Structures
        See `skcfgp.structures.check_structures`. A DataFrame with a column ``structure`` is given
        to the model with its other columns.
    unit : str, default=""
        Unit of the predictions, for the table.
    coverage : float, default=0.95
        Probability with which the value lies between ``lower`` and ``upper``.

    Returns
    -------
    DataFrame
        A row for each crystal, in the order given, with the columns ``id``, ``formula``,
        ``prediction``, ``std`` (two of them hold 95.45 %), ``lower``, ``upper``,
        ``df`` (degrees of freedom of a Student-t; infinite for a Gaussian), ``unit`` and
        ``error``: the reason why there is no prediction, or an empty string. A model that learnt
        log10 of the target gives the median as ``prediction``, and ``std_log10`` too: the standard
        deviation of the logarithm, of which ``df`` are the degrees of freedom.
    """
    crystals, table = read_rows(crystals)
    model = _that_raises(model)
    rows, found, errors = apply_to_usable(
        lambda X: _columns(predict_distribution(model, X), coverage), crystals, table
    )
    n = len(crystals.ids)
    columns = dict.fromkeys(COLUMNS, np.full(n, np.nan))
    if found is not None:
        columns = {name: filled(values, rows, n) for name, values in found.items()}
    finite = np.isfinite([columns[name] for name in COLUMNS[:-1]]).all(axis=0)
    for row in np.flatnonzero(~finite).tolist():
        errors.setdefault(row, "the model gives no finite prediction.")
    columns = {name: np.where(finite, values, np.nan) for name, values in columns.items()}
    return pd.DataFrame(
        {
            "id": crystals.ids.astype(str),
            "formula": [_formula(item) for item in crystals.structures],
            **columns,
            "unit": unit,
            "error": [errors.get(row, "") for row in range(n)],
        }
    )


def _that_raises(model):
    """Return a model that names the crystals that it cannot use, instead of predicting NaN."""
    while hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    if not isinstance(model, CrystalPipeline):
        return model
    return copy.copy(model).set_params(on_error="raise")


def _columns(distribution, coverage):
    """Return the numbers of a table, by column: those of `COLUMNS`, and of a logarithm its std."""
    with np.errstate(invalid="ignore"):  # a prediction that is not finite has no interval
        lower, upper = distribution.interval(coverage)
    inner = getattr(distribution, "inner", distribution)  # of what was learnt of the target
    centre = distribution.median() if inner is not distribution else inner.kwds["loc"]
    df = inner.args[0] if inner.dist.name == "t" else np.inf
    values = (centre, two_sigma_std(distribution), lower, upper, np.full(len(lower), df))
    columns = dict(zip(COLUMNS, values, strict=True))
    if getattr(distribution, "func", None) is np.log10:
        columns["std_log10"] = two_sigma_std(inner)
    return columns


def _formula(item):
    """Write the formula of a crystal or a ``Composition``."""
    if item is None:
        return ""
    return getattr(item, "composition", item).reduced_formula


def unseen_mask(network: MEGNet | FilePath, material_id: ArrayLike) -> BoolArray:
    """Tell which crystals of a data set a network was not trained on.

    Parameters
    ----------
    network : MEGNet, str or Path
        The network, or its name or path as in `skcfgp.MEGNetFeaturizer`.
    material_id : array-like of shape (n_samples,)
        Ids of the crystals of the data set on which the network was trained.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        True for the crystals that were set aside in its training, which its card lists. True for
        all if the card has no such list.

    Examples
    --------
    >>> from skcfgp.datasets import load_formation_energy
    >>> from skcfgp.models import unseen_mask
    >>> train = load_formation_energy(split="train")
    >>> int(unseen_mask("formation_energy_1800", train.material_id).sum())
    180
    """
    card = (network if isinstance(network, MEGNet) else load_network(network)).card
    return np.isin(material_id, card.get("validation_material_id", material_id))
