"""Predicting a user's own crystals from files: what ``skcfgp predict`` does."""

import numpy as np
from sklearn.pipeline import Pipeline

from ..campaign.results_file import read_table
from ..cfgp import make_cfgp
from ..structures import Failure, Structures, check_structures, object_array

__all__ = ["fit_predictor", "predict_files", "read_labelled"]


def read_labelled(path, target=None):
    """Read a CSV of labelled crystals; None if there is no path.

    Parameters
    ----------
    path : Path or None
        With a column ``file`` of paths, absolute or relative to the CSV, and a column of values.
    target : str, default=None
        The column of values; needed if there are several beside ``file``, ``id``, ``material_id``
        and ``formula``.

    Returns
    -------
    structures : ndarray of shape (n_samples,), dtype object
    y : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        Naming the line of the first value or file that cannot be used.
    """
    if path is None:
        return None
    rows, refused = read_table(path)
    for refusal in refused:
        raise ValueError(f"{path}, line {refusal.line}: {refusal.reason}.")
    columns = list(rows[0][1]) if rows else []
    if "file" not in columns:
        raise ValueError(f"{path}: expected a column 'file', got the columns {columns}.")
    values = [c for c in columns if c not in ("file", "id", "material_id", "formula")]
    if target is None and len(values) == 1:
        target = values[0]
    if target not in values:
        raise ValueError(f"{path}: name the column of values with --target; there are {values}.")
    structures, y = [], []
    for line, row in rows:
        try:
            y.append(float(row[target]))
            if not np.isfinite(y[-1]):
                raise ValueError(f"the value {row[target]!r} is not finite.")
            found = check_structures([path.parent / row["file"]]).structures
            if len(found) != 1:
                raise ValueError(f"{row['file']} holds {len(found)} crystals; one is needed.")
        except (ValueError, OSError) as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
        structures.append(found[0])
    if len(structures) < 2:
        raise ValueError(f"{path}: expected at least 2 labelled crystals, got {len(structures)}.")
    return object_array(structures), np.array(y)


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
        X = features.transform(crystals.structures[usable])
        reasons |= {usable[f.index]: f.reason for f in _failures(features)}
        rows = [row for row in usable if row not in reasons]
        if rows:
            known = ~np.isnan(X).any(axis=1)
            mean[rows], std[rows] = model.predict(X[known], return_std=True)
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
    for name in ("composition", "megnet"):
        features[name][0].set_params(on_error="raise")
    return Pipeline([("features", features), ("gp", model)]), unit


def _fit(labelled, weights, layer, unit=""):
    """Return fitted features, the calibrated process on them, and the unit."""
    model = make_cfgp(weights, calibrated=True)
    model.estimator.set_params(
        features__megnet__megnetfeaturizer__layer=layer,
        features__megnet__megnetfeaturizer__on_error="nan",
        features__composition__compositionfeaturizer__on_error="nan",
    )
    features = model.estimator["features"]
    model.set_params(estimator=model.estimator["gp"])  # what cannot be used does not get so far
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
        for failure in _failures(features):
            raise ValueError(f"labelled crystal {failure.id!r}: {failure.reason}")
        model.fit(X, y)
    return features, model, unit


def _failures(features):
    """Crystals of the last ``transform`` that either featurizer could not use."""
    return [f for name in ("composition", "megnet") for f in features[name][0].failures_]


def _read(files):
    """Read files and folders into one `Structures`; what cannot be read is a failure."""
    structures, ids, failures = [], [], []
    for file in files:
        found = check_structures(file if file.is_dir() else [file], on_error="collect")
        failures += [Failure(len(ids) + f.index, f.id, f.reason) for f in found.failures]
        structures += found.structures.tolist()
        ids += found.ids.tolist()
    return Structures(object_array(structures), object_array(ids), failures)
