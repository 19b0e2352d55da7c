"""`save_model` and `load_model`: a fitted model as a folder that one can keep and send.

The folder holds text and numbers: ``model.json``, ``arrays.npz``, the network unless it is a
bundled one, and a card for people, ``README.md``. Opening it runs no code of it.
"""

from __future__ import annotations

import platform
import warnings
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from .. import __version__
from ..features import MEGNetFeaturizer
from ..gaussian_process.common import last_step
from ..structures import check_structures
from ..structures.compositions import digest_of
from ..structures.io import atomic_folder, installed_versions
from ..structures.typing import Estimator, FilePath
from .array_files import arrays_from_bytes, arrays_to_bytes
from .kept_networks import describe_network, load_described, network_path, save_described
from .model_cards import card_text
from .model_facts import facts_of, leave_one_out_errors, process_of
from .model_folders import ARRAYS, CARD, check_model_folder, one_line, read_files, write_description
from .plain_values import FromPlain, ToPlain

#: Packages on which the last digits of a prediction may depend.
PACKAGES = ("numpy", "scipy", "scikit-learn", "pymatgen")

#: Points between learnt rows at which predictions are compared, and the largest difference, as a
#: part of their standard deviation, that other versions or processors explain. It is more than
#: rounding, since equal rows have no order among the neighbours that a calibration asks.
N_POINTS, CLOSE = 8, 0.01


class TrainingLabels(NamedTuple):
    """What a model learnt, a row for each label; `y_std` is None where it is not known."""

    ids: list
    digests: list
    y: np.ndarray
    y_std: np.ndarray | None


class OtherVersionWarning(UserWarning):
    """A model was saved with other versions, and its last digits may be others here."""


def save_model(
    model: Estimator,
    folder: FilePath,
    *,
    target: str = "",
    unit: str = "",
    training: tuple[Any, ...] | None = None,
    evaluation: dict[str, Any] | None = None,
) -> None:
    """Write a fitted model to a folder, whole or not at all.

    Parameters
    ----------
    model : estimator
        Fitted: a pipeline of `skcfgp.make_cfgp`, or one of the same parts.
    folder : str or Path
        Folder to be made. A model that `save_model` wrote there is replaced; anything else is not.
    target, unit : str, default=""
        Name of the property, and unit of its values.
    training : (X, y) or (X, y, y_std), default=None
        Crystals and labels that the model learnt, and standard errors where these are known.
        Labels, ids and digests are kept, not the crystals. By these a campaign that begins with the
        model finds which crystals of its pool have a label.
    evaluation : dict, default=None
        Errors for the card: ``{"on": text, "errors": {"mae": number, ...}}``. By default those of
        each label when it is learnt from the others.

    Raises
    ------
    FileExistsError
        If the folder holds anything but a model, unchanged.
    TypeError
        If the model has a part that `skcfgp.make_cfgp` does not use. The message says what to do.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    ValueError
        If `training` is not what the model learnt, or the model would predict other numbers when
        it is loaded.
    OSError
        If the folder cannot be written.

    See Also
    --------
    load_model : Reads the folder.
    model_card : What the folder says of the model.

    Notes
    -----
    Paths of caches and networks, devices and numbers of processes are not kept. A network that is
    not bundled is in the folder, as `skcfgp.network.save_network` writes it.

    Examples
    --------
    >>> import tempfile
    >>> from skcfgp import load_model, make_cfgp, save_model
    >>> from skcfgp.datasets import load_elastic
    >>> data = load_elastic()  # bulk moduli, GPa
    >>> model = make_cfgp(recipe="composition").fit(data.structures[:40], data.target[:40])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model", target=data.target_name, unit=data.unit)
    ...     again = load_model(f"{folder}/model")
    >>> bool((again.predict(data.structures) == model.predict(data.structures)).all())
    True
    """
    check_is_fitted(model)
    if (gp := process_of(model)) is not None:
        check_is_fitted(gp, "alpha_")
    folder = Path(folder).expanduser().absolute()
    check_model_folder(folder)
    keeper = ToPlain()
    content = {
        "skcfgp": __version__,
        "saved": datetime.now(timezone.utc).date().isoformat(),
        "about": {"target": str(target), "unit": str(unit)} | facts_of(model),
        "evaluation": _evaluation(model) if evaluation is None else evaluation,
        "versions": _versions(),
        "model": keeper(model),
        "training": _training(keeper, training, gp),
    }
    content["networks"] = [describe_network(network) for network in keeper.networks]
    with threadpool_limits(1), atomic_folder(folder) as part:
        for number, network in enumerate(keeper.networks):
            save_described(network, content["networks"][number], part, number)
        arrays = arrays_to_bytes(keeper.arrays)
        again = FromPlain(arrays_from_bytes(arrays), keeper.networks)(content["model"])
        content["check"] = keeper(_predictions(again))
        _check_close(folder, _largest_difference(_predictions(model), _predictions(again)))
        (part / ARRAYS).write_bytes(arrays)
        (part / CARD).write_text(card_text(content), encoding="utf-8")
        write_description(content, part)


def load_model(folder: FilePath) -> Any:
    """Read a fitted model from a folder that `save_model` wrote.

    It predicts the same as the one that was saved, to the last bit with the same versions of the
    packages on the same kind of processor.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    estimator

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is not one of a model, damaged, written by a newer version, or if the model
        predicts other numbers here than where it was saved; the message says which.

    Warns
    -----
    OtherVersionWarning
        If packages have other versions than where it was saved, or the last digits of predictions
        are others.

    See Also
    --------
    save_model : Writes the folder.
    model_card : What the folder says of the model.
    """
    return read_model(folder)[0]


def model_card(folder: FilePath) -> dict[str, Any]:
    """Return what a folder of `save_model` says of its model.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict
        ``target``, ``unit``, ``log`` (whether the logarithm is learnt), ``formulas`` (whether it
        takes formulas without a structure), ``recipe``, ``layer``, ``estimates``, ``columns``,
        ``calibration``, ``networks`` (with ``name`` and ``digest``), ``evaluation``, ``versions``,
        ``skcfgp``, ``saved`` (a date), and where there is a process ``n_labels``, ``has_label_std``
        and ``kernel``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is not one of a model, damaged, or written by a newer version.

    See Also
    --------
    load_model : Reads the model.
    """
    content, _ = read_files(Path(folder).expanduser())
    names = ("networks", "evaluation", "versions", "skcfgp", "saved")
    return content["about"] | {name: content[name] for name in names}


def read_model(folder):
    """Return the model of a folder, and what it says of it."""
    folder = Path(folder).expanduser()
    content, arrays = read_files(folder)
    networks = [load_described(folder, *item) for item in enumerate(content["networks"])]
    with one_line(folder), threadpool_limits(1):
        reader = FromPlain(arrays_from_bytes(arrays), networks)
        model, saved = reader(content["model"]), reader(content["check"])
        _set_paths(model, folder, networks)
        largest = _largest_difference(saved, _predictions(model))
    _check_close(folder, largest)
    _warn_of_other_versions(folder, content, largest)
    return model, content["about"]


def training_labels(folder):
    """Return ids, digests, labels and their standard errors, or None, that a model learnt.

    None for a folder that holds none of these.
    """
    folder = Path(folder).expanduser()
    content, arrays = read_files(folder)
    with one_line(folder):
        kept = FromPlain(arrays_from_bytes(arrays), [])(content["training"])
        if kept is None:
            return None
        digests = [row.tobytes().hex() for row in kept["digests"]]
        return TrainingLabels(kept["ids"].tolist(), digests, kept["y"], kept["y_std"])


def _versions():
    return {"python": platform.python_version()} | installed_versions(PACKAGES)


def _evaluation(model):
    errors = leave_one_out_errors(model)
    on = "each label when it is learnt from the others, with the same hyper-parameters"
    return None if errors is None else {"on": on, "errors": errors}


def _training(keeper, training, gp):
    """Return ids, digests and labels as plain values."""
    if training is None:
        return None
    X, y, *y_std = training
    crystals = check_structures(X, formulas=True)
    if gp is None or not len(crystals.ids) == len(y) == len(gp.targets_):
        n = "none" if gp is None else len(gp.targets_)
        raise ValueError(
            f"training has {len(crystals.ids)} crystals and {len(y)} labels, and the model {n}."
        )
    digests = [digest_of(item) for item in crystals.structures]
    kept = {
        "ids": crystals.ids.astype(str),
        "digests": np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(len(y), -1),
        "y": np.asarray(y, dtype=float),
        "y_std": np.asarray(y_std[0], dtype=float) if y_std else None,
    }
    return keeper(kept, "training")


def _set_paths(model, folder, networks):
    """Tell the featurizers in a pipeline where their networks are, if these are in the folder."""
    for part in model.get_params().values():
        if isinstance(part, MEGNetFeaturizer) and part.weights is None and not part.epochs:
            number = next(i for i, network in enumerate(networks) if network is part.network_)
            part.set_params(weights=str(network_path(folder, number)))


def _predictions(model):
    """Predict mean and std between some rows that a process learnt; None without a process."""
    gp = process_of(model)
    if gp is None or gp.X_train_.dtype != np.float64:
        return None
    rows = np.linspace(0, len(gp.X_train_) - 1, N_POINTS + 1).astype(int)
    # Not half way: a point as near to one row as to another has no order of neighbours.
    points = 0.7 * gp.X_train_[rows[:-1]] + 0.3 * gp.X_train_[rows[1:]]
    return [part.tolist() for part in last_step(model).predict(points, return_std=True)]


def _largest_difference(saved, here):
    """Return the largest difference of predictions, over their standard deviations."""
    if saved is None or here is None:
        return 0.0
    (mean, std), (other_mean, other_std) = np.array(saved), np.array(here)
    difference = np.maximum(np.abs(mean - other_mean), np.abs(std - other_std))
    return float(np.max(difference / np.maximum(std, np.finfo(float).tiny)))


def _check_close(folder, largest):
    if not largest <= CLOSE:
        raise ValueError(
            f"{folder}: loaded, the model predicts other numbers than when it was saved, by up to "
            f"{largest:.2g} times the standard deviation. Fit it again with the versions that are "
            "installed here."
        )


def _warn_of_other_versions(folder, content, largest):
    """Say which versions are others than those with which a model was saved."""
    there, here = content["versions"], _versions()
    other = [name for name in PACKAGES if there.get(name) != here[name]]
    if not other and not largest:
        return
    what = ", ".join(f"{name} {there.get(name)} (here {here[name]})" for name in other)
    by = f"by up to {largest:.1g} standard deviations" if largest else "in their last digits"
    warnings.warn(
        f"{folder} was saved with {what or 'the same versions, on another kind of processor'}: "
        f"predictions may differ {by}.",
        OtherVersionWarning,
        stacklevel=4,
    )
