"""From crystals and a fitted model to a table with a row, or a reason, for each crystal."""

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..gaussian_process.common import last_step, last_step_input
from ..network import MEGNet, load_network
from ..structures import InvalidStructureError, Structures, check_structures
from ..structures.files import structure_files
from ..structures.tables import read_numbers
from .cfgp import make_cfgp

__all__ = ["featurize", "fit_predictor", "predict_crystals", "read_files", "unseen_mask"]

#: Networks of `fit_predictor`: for the user's labels, and for the bundled ones.
PUBLISHED, BUNDLED = "Eform_MP_2019", "formation_energy_1800"


def featurize(transformer, crystals):
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
    crystals, table = _read(crystals)
    rows, features, errors = _apply(transformer.transform, crystals, table)
    if features is None:
        return np.empty((len(crystals.ids), 0)), errors
    features = np.asarray(features)
    X = np.full((len(crystals.ids), features.shape[1]), np.nan, dtype=features.dtype)
    X[rows] = features
    return X, errors


def predict_crystals(model, crystals, unit=""):
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

    Returns
    -------
    DataFrame
        A row for each crystal, in the order given, with the columns ``id``, ``formula``,
        ``prediction``, ``std``, ``unit`` and ``error``: the reason why there is no prediction, or
        an empty string.
    """
    crystals, table = _read(crystals)
    rows, predictions, errors = _apply(lambda X: model.predict(X, return_std=True), crystals, table)
    mean, std = np.full((2, len(crystals.ids)), np.nan)
    if predictions is not None:
        mean[rows], std[rows] = predictions
    for row in np.flatnonzero(~np.isfinite(mean + std)).tolist():
        mean[row] = std[row] = np.nan
        errors.setdefault(row, "the model gives no finite prediction.")
    return pd.DataFrame(
        {
            "id": crystals.ids.astype(str),
            "formula": [
                "" if s is None else s.composition.reduced_formula for s in crystals.structures
            ],
            "prediction": mean,
            "std": std,
            "unit": unit,
            "error": [errors.get(row, "") for row in range(len(crystals.ids))],
        }
    )


def read_files(paths, columns=()):
    """Read the crystals in files and folders, with the reasons of those that cannot be used.

    With `columns`, the files are tables that have these columns; a DataFrame is returned.
    """
    if columns:
        if others := [path for path in paths if not path.name.lower().endswith(".csv")]:
            raise ValueError(
                f"{others[0]} has no columns {list(columns)}: with --estimates or --columns, give "
                "tables of crystals (.csv), with a column 'file' or 'structure' and these columns."
            )
        return pd.concat([read_numbers(path, columns) for path in paths])
    files = []
    for path in paths:
        files += structure_files(path) if path.is_dir() else [path]
    return check_structures(files, on_error="nan")


@threadpool_limits.wrap(limits=1)  # the sums of several threads differ from run to run
def fit_predictor(labelled=None, weights=None, layer="set2set", unit="", estimates=(), columns=()):
    """Fit the recommended pipeline, calibrated, on one thread: the same numbers in each process.

    Parameters
    ----------
    labelled : (X, y), default=None
        Crystals and labels to fit; X is a DataFrame if there are other columns. By default the
        bundled formation energies: the process and its calibration are fitted to the training
        part, and the pool adds its labels.
    weights : str or Path, default=None
        Network, see `skcfgp.MEGNetFeaturizer`. By default ``"Eform_MP_2019"``, or for the bundled
        formation energies ``"formation_energy_1800"``.
    layer : str, default="set2set"
        Layer of the latent vectors.
    unit : str, default=""
        Unit of the labels in `labelled`.
    estimates, columns : sequence of str, default=()
        Columns beside the crystals, as in `skcfgp.make_cfgp`; only with `labelled`.

    Returns
    -------
    model : Pipeline
    unit : str
        Unit of its predictions.

    Raises
    ------
    InvalidStructureError
        If labelled crystals cannot be used. The message names them.
    ValueError
        If there are columns and no labels: the bundled labels have none beside them.
    """
    if labelled is None and (estimates or columns):
        raise ValueError(
            f"the bundled formation energies have no columns {[*estimates, *columns]}: give "
            "labelled crystals with --train."
        )
    weights = weights or (BUNDLED if labelled is None else PUBLISHED)
    model = make_cfgp(weights, estimates=estimates, columns=columns, calibrated=True)
    model.set_params(features__megnet__megnetfeaturizer__layer=layer)
    if labelled is not None:
        return model.fit(*labelled), unit
    from ..datasets import load_formation_energy

    train, pool = (load_formation_energy(split=s, structures="arrays") for s in ("train", "pool"))
    model.fit(train.structures, train.target, gp__unseen=unseen_mask(weights, train.material_id))
    last_step(model).partial_fit(last_step_input(model, pool.structures), pool.target)
    return model, train.unit


def unseen_mask(network, material_id):
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


def _read(crystals):
    """Read crystals, with the reasons of those that cannot be used, and the table they are in."""
    if isinstance(crystals, Structures):
        return crystals, None
    found = check_structures(crystals, on_error="nan")
    in_table = "structure" in getattr(crystals, "columns", ()) and len(found.ids) == len(crystals)
    return found, crystals if in_table else None


def _apply(method, crystals, table):
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
