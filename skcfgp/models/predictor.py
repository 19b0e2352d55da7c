"""Predicting a user's own crystals from files: what ``skcfgp predict`` does."""

import numpy as np
from sklearn.pipeline import Pipeline

from ..structures import (
    Failure,
    InvalidStructureError,
    Structures,
    check_structures,
    object_array,
)
from .cfgp import make_cfgp

__all__ = ["fit_predictor", "predict_files"]


def predict_files(files, labelled, weights, layer, unit=""):
    """Predict the crystals in files by the recommended pipeline.

    Parameters
    ----------
    files : sequence of Path
        Files or folders.
    labelled : (structures, y) or None
        To fit on. None means the bundled formation energies: the kernel is fitted on the training
        part, and the pool adds its labels.
    weights, layer : str
        See `skcfgp.MEGNetFeaturizer`.
    unit : str, default=""
        Of the labels.

    Returns
    -------
    list of dict
        A row for each crystal: ``id, formula, prediction, std, unit, error``.
    """
    crystals = _read(files)
    features, model, unit = _fit(labelled, weights, layer, unit)
    usable = [row for row, structure in enumerate(crystals.structures) if structure is not None]
    mean, std = np.full((2, len(crystals.ids)), np.nan)
    reasons = {failure.index: failure.reason for failure in crystals.failures}
    if usable:
        for _, part in features.transformer_list:  # composition, megnet
            try:
                part.transform(crystals.structures[usable])
            except InvalidStructureError as error:
                reasons |= {usable[f.index]: f.reason for f in error.failures}
                usable = [row for row in usable if row not in reasons]
        if usable:
            X = features.transform(crystals.structures[usable])
            mean[usable], std[usable] = model.predict(X, return_std=True)
    return [
        {
            "id": id_,
            "formula": "" if structure is None else structure.composition.reduced_formula,
            "prediction": "" if row in reasons else float(mean[row]),
            "std": "" if row in reasons else float(std[row]),
            "unit": unit,
            "error": reasons.get(row, ""),
        }
        for row, (id_, structure) in enumerate(zip(crystals.ids, crystals.structures, strict=True))
    ]


def fit_predictor(labelled, weights, layer="set2set"):
    """Fit the recommended pipeline, calibrated.

    Parameters
    ----------
    labelled, weights, layer
        As in `predict_files`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Fitted; ``predict(structures, return_std=True)`` raises at a crystal that cannot be used.
    unit : str
        Of the labels, empty if they are the user's.
    """
    features, model, unit = _fit(labelled, weights, layer)
    return Pipeline([("features", features), ("gp", model)]), unit


def _fit(labelled, weights, layer, unit=""):
    """Return fitted features, the calibrated process on them, and the unit."""
    cfgp = make_cfgp(weights, calibrated=True)
    cfgp.set_params(features__megnet__megnetfeaturizer__layer=layer)
    features, model = cfgp["features"], cfgp["gp"]
    if labelled is None:
        from ..datasets import load_formation_energy

        train, pool = (
            load_formation_energy(split=part, structures="arrays") for part in ("train", "pool")
        )
        X = features.fit(train.structures).transform(train.structures)
        card = features["megnet"][0].network_.card
        unseen = np.isin(train.material_id, card.get("validation_material_id", train.material_id))
        model.fit(X, train.target, unseen=unseen)
        model.partial_fit(features.transform(pool.structures), pool.target)
        unit = train.unit
    else:
        structures, y = labelled
        X = features.fit(structures).transform(structures)
        model.fit(X, y)
    return features, model, unit


def _read(files):
    """Read files and folders into one `Structures`; what cannot be read is a failure."""
    structures, ids, failures = [], [], []
    for file in files:
        found = check_structures(file if file.is_dir() else [file], on_error="nan")
        failures += [Failure(len(ids) + f.index, f.id, f.reason) for f in found.failures]
        structures += found.structures.tolist()
        ids += found.ids.tolist()
    return Structures(object_array(structures), object_array(ids), failures)
