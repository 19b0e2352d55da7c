"""Networks on disk, and the published ones.

A network is a folder with ``weights.npz`` (arrays only) and ``network.json`` (architecture, target
scaler, card and checksums of both files). With h5py, megnet's published pairs of HDF5 and JSON
files can be read too. No code in these files is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import urllib.request
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..structures.io import atomic_write
from ..structures.typing import FilePath
from .architecture import Architecture, check_weights, shape_of
from .megnet import MEGNet

#: The first has no checksum of the description.
FORMATS = ("skcfgp-megnet-1", "skcfgp-megnet-2")

#: Bytes of weights that are read; those of the published networks have less than one million.
MAX_BYTES = 2**28

#: Kinds of layers of a megnet model.
LAYERS = {"InputLayer", "Embedding", "Dense", "MEGNetLayer", "Set2Set", "Add", "Concatenate"}
LAYERS |= {"Dropout"}  # which drops nothing in a prediction

#: Networks that come with this package.
BUNDLED = ("formation_energy_1800", "Eform_MP_2019")

#: Folder of the published networks.
MVL_URL = "https://github.com/materialsvirtuallab/megnet/raw/master/mvl_models/"

#: megnet's published networks: path below ``mvl_models`` and the SHA-256 of the HDF5 and the JSON.
#: The first one is bundled, as ``docs/scripts/convert_published.py`` converted it.
PUBLISHED = {
    "Eform_MP_2019": (
        "mp-2019.4.1/formation_energy.hdf5",
        "51de7e372f9fdbd10a519c3fd3cbf6fcd1039cc58e092c85b0f4fef49964f57b",
        "8727d8d0ab2686c4ac1c06f9ed8bdba7e63abaeac1287cff2e3c7263bf0b4b5b",
    ),
    "Eform_MP_2018": (
        "mp-2018.6.1/formation_energy.hdf5",
        "82363f6ef74747f67bccd75fa0237dfaab5f0da519bf5f9cf8f4bcc11c53712b",
        "46566670b0c5ab13ebe6497ea3383fe772e90fe62517282448387694896cabd0",
    ),
    "Bandgap_MP_2018": (
        "mp-2018.6.1/band_gap_regression.hdf5",
        "e149197440863b06e819c3cc11550f7c78eee329b916112dab84d884d21306de",
        "96285e10309b8bc4091ec5c45b784958b3626e3b0d70ace96493717341438be9",
    ),
    "logK_MP_2018": (
        "mp-2018.6.1/log10K.hdf5",
        "283e249977d9ac718c92a28590f35bf6ba53f49642469b98e11627a03e24dd05",
        "96415cd0a10c00f174fd8b7560d0df1588f877e9df619f74a0aa702624dd32f4",
    ),
}


def load_network(weights: FilePath) -> MEGNet:
    """Load a network by name or path.

    Parameters
    ----------
    weights : str or Path
        A bundled name (`BUNDLED`), a published name (`PUBLISHED`), a folder written by
        `save_network`, or a megnet ``.hdf5`` file with its ``.hdf5.json`` beside it.

    Returns
    -------
    MEGNet

    Raises
    ------
    ValueError
        If the name is unknown, or a file is not a network, or damaged; the message says which.
    OSError
        If a published network cannot be downloaded.
    ImportError
        If it is an HDF5 file and h5py is not installed.

    Notes
    -----
    The published networks that are not bundled are downloaded once to ``$SKCFGP_CACHE``, by default
    ``skcfgp`` in the user's cache folder, and their checksums are verified.
    """
    name, path = str(weights), Path(weights).expanduser()
    if name in BUNDLED:
        return _load_folder(Path(__file__).parent / "weights" / name)
    if name in PUBLISHED:
        return _load_hdf5(_published_file(name))
    if not path.exists():
        raise ValueError(
            f"weights={name!r} is neither a known network nor an existing path. Known networks are "
            f"{', '.join(dict.fromkeys((*BUNDLED, *PUBLISHED)))}."
        )
    return _read(_load_folder if path.is_dir() else _load_hdf5, path)


def save_network(network: MEGNet, folder: FilePath) -> None:
    """Write a network to a folder, which is created if needed.

    Parameters
    ----------
    network : MEGNet
    folder : str or Path

    Raises
    ------
    FileExistsError
        If the folder holds anything other than a network.
    """
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    others = {p.name for p in folder.iterdir() if p.suffix != ".part"}
    if others := others - {"weights.npz", "network.json"}:
        raise FileExistsError(
            f"{folder} holds other files ({', '.join(sorted(others)[:3])}); choose a new folder."
        )
    # Both files are complete before either replaces an old one: an error leaves the old network.
    with (
        atomic_write(folder / "weights.npz") as weights,
        atomic_write(folder / "network.json") as text,
    ):
        with weights.open("wb") as file:
            np.savez_compressed(file, **network.weights)
        content = {
            "format": FORMATS[-1],
            "architecture": asdict(network.architecture),
            "target_mean": network.target_mean,
            "target_std": network.target_std,
            "weights_sha256": _sha256(weights),
            "card": network.card,
        }
        content["description_sha256"] = _checksum(content)
        text.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _read(load, path):
    """Load a network from a path; whatever is wrong with its files is one ValueError."""
    try:
        network = load(path)
        check_weights(network.architecture, network.weights)
        if not np.isfinite([network.target_mean, network.target_std]).all():
            raise ValueError("its target scaler is not finite.")
        if not isinstance(network.card, dict):
            raise ValueError("its card is not an object.")
    except ImportError:
        raise
    except Exception as error:  # h5py, zipfile, json and what they hold raise anything
        problem = " ".join(str(error).split())
        if isinstance(error, KeyError):
            problem = f"{problem[:100]} is missing."
        elif not isinstance(error, ValueError):
            problem = f"{type(error).__name__}: {problem[:200]}"
        raise ValueError(f"{path} is not a network, or damaged: {problem}") from error
    return network


def _load_folder(folder):
    description, weights = folder / "network.json", folder / "weights.npz"
    if not (description.is_file() and weights.is_file()):
        raise ValueError("network.json or weights.npz is missing.")
    content = _json(description)
    kind = content.get("format")
    if kind not in FORMATS:
        raise ValueError(f"expected format {FORMATS[-1]!r} in network.json, got {kind!r}.")
    found = content.pop("description_sha256", None)
    if found != (None if kind == FORMATS[0] else _checksum(content)):
        raise ValueError("network.json was changed or cut: its SHA-256 does not match.")
    _check_sha256(weights, content["weights_sha256"])
    with np.load(weights, allow_pickle=False) as arrays:
        _check_size(sum(info.file_size for info in arrays.zip.infolist()))
        loaded = {name: arrays[name] for name in arrays.files}
    rest = (content[key] for key in ("target_mean", "target_std", "card"))
    return MEGNet(Architecture(**content["architecture"]), loaded, *rest)


def _json(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not an object.")
    return content


def _checksum(content):
    """Hash a description by its values, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_size(n_bytes):
    if n_bytes > MAX_BYTES:
        raise ValueError(f"its weights have {n_bytes:,} bytes, more than {MAX_BYTES:,}.")


def _load_hdf5(path):
    """Read the weights in one of megnet's HDF5 files, and the settings of its layers."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"{path} is an HDF5 file, and reading it needs the package h5py: "
            "pip install 'skcfgp[hdf5]'."
        ) from error
    description = path.with_name(path.name + ".json")
    if not description.is_file():
        raise ValueError(f"it needs its description {description.name} beside it.")
    content = _json(description)
    converter = content["graph_converter"]
    scaler = content.get("target_scaler") or {}
    with h5py.File(path, "r") as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        roles, n_passes = _roles(layers)
        weights, size = {}, 0
        for name, role in roles.items():
            group = file["model_weights"][name]
            for full_name in np.asarray(group.attrs["weight_names"]).astype(str):
                variable = full_name.split("/")[-1].split(":")[0]
                _check_size(size := size + group[full_name].nbytes)
                weights[f"{role}/{variable}"] = group[full_name][()]
    bonds = converter["bond_converter"]
    centers = bonds["centers"]
    centers = centers["data"] if isinstance(centers, dict) else centers
    architecture = shape_of(weights, n_passes, converter["cutoff"], centers, bonds["width"])
    mean, std = float(scaler.get("mean", 0.0)), float(scaler.get("std", 1.0))
    return MEGNet(architecture, weights, mean, std, content.get("metadata", {}))


def _roles(layers):
    """Map the name of each layer with weights to its name in current megnet.

    The published networks number their layers in order of construction: ``dense_1``, ``dense_2``,
    ... Later networks have the current names.
    """
    by_class = {}
    for layer in layers:
        by_class.setdefault(layer["class_name"], []).append((layer["name"], layer["config"]))
    if others := sorted(set(by_class) - LAYERS):
        raise ValueError(f"it has layers of the kind {others[0]!r}, which no MEGNet has.")
    for kind in ("MEGNetLayer", "Set2Set", "Dense"):
        if kind not in by_class:
            raise ValueError(f"it has no {kind} layer.")
        by_class[kind].sort(key=lambda layer: int("0" + re.search(r"\d*$", layer[0])[0]))
    if "Embedding" not in by_class or len(by_class["Embedding"]) != 1:
        raise ValueError("expected one embedding, of the atoms.")
    _check_settings(by_class)
    n_passes = by_class["Set2Set"][0][1]["T"]
    n_blocks = len(by_class["MEGNetLayer"])
    names = [name for name, _ in by_class["Dense"]]
    if "readout_0" in names:
        kinds = ("Embedding", "Dense", "MEGNetLayer", "Set2Set")
        return {name: name for kind in kinds for name, _ in by_class[kind]}, n_passes
    kinds = "atom", "bond", "state"
    dense = [f"preblock_{kind}_{i}" for kind in kinds for i in (0, 1)]
    for block in range(1, n_blocks):
        dense += [f"block_{block}_{kind}_ff_{i}" for kind in kinds for i in (0, 1)]
    dense += ["readout_0", "readout_1", "readout_2"]
    if len(dense) != len(names):
        raise ValueError(f"expected {len(dense)} dense layers, found {len(names)}.")
    roles = dict(zip(names, dense, strict=True))
    roles[by_class["Embedding"][0][0]] = "atom_embedding"
    for block, (name, _) in enumerate(by_class["MEGNetLayer"]):
        roles[name] = f"megnet_{block}"
    for (name, _), role in zip(by_class["Set2Set"], ("atom", "bond"), strict=True):
        roles[name] = f"set2set_{role}"
    return roles, n_passes


def _check_settings(by_class):
    """Refuse settings that `forward` does not implement."""
    found = [c["activation"] for kind in ("MEGNetLayer", "Dense") for _, c in by_class[kind]]
    # Keras writes a function by its name, or with its module around the name.
    activations = {str(a.get("config")) if isinstance(a, dict) else str(a) for a in found}
    pooling = {config["pool_method"] for _, config in by_class["MEGNetLayer"]}
    output = found[-1]
    if not activations <= {"softplus2", "linear"} or pooling != {"mean"} or output != "linear":
        raise ValueError(
            f"expected softplus2 activations, mean pooling and a linear output, got "
            f"{sorted(activations)}, {sorted(pooling)} and {output!r}."
        )


def _published_file(name):
    path, *checksums = PUBLISHED[name]
    found = cache_folder() / path
    for suffix, checksum in zip(("", ".json"), checksums, strict=True):
        file = found.with_name(found.name + suffix)
        if not file.is_file():
            _fetch(MVL_URL + path + suffix, file, checksum)
        _check_sha256(file, checksum)
    return found


def cache_folder():
    """Path of the folder for downloaded networks; it need not exist."""
    if "SKCFGP_CACHE" in os.environ:
        return Path(os.environ["SKCFGP_CACHE"]).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "skcfgp"


def _fetch(url, target, checksum):
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(url, timeout=60) as source, atomic_write(target) as partial:
            with partial.open("wb") as file:
                shutil.copyfileobj(source, file)
            _check_sha256(partial, checksum)
    except OSError as error:
        raise OSError(
            f"{url} could not be downloaded: {error}. Without a connection, copy the file to "
            f"{target}."
        ) from error


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_sha256(path, expected):
    found = _sha256(path)
    if found != expected:
        raise ValueError(
            f"{path} is damaged or a different file: its SHA-256 is {found}, expected {expected}. "
            "Remove it and download it again."
        )
