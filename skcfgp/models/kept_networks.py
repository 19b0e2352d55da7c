"""The networks of a saved model: bundled ones by name, others in its folder."""

import hashlib

import numpy as np

from ..network import BUNDLED, load_network, save_network
from .model_folders import one_line


def network_path(folder, number):
    """Return the path of a network by its number."""
    return folder / (f"network_{number}" if number else "network")


def save_described(network, described, folder, number):
    """Write a network that has no name."""
    if described["name"] is None:
        save_network(network, network_path(folder, number))


def describe_network(network):
    """Return the name of a network, if it has one, and digests of it and of its last layer."""
    found = {"digest": network.digest(), "readout_digest": _readout_digest(network)}
    names = (name for name in BUNDLED if _fits(load_network(name), found))
    return {"name": next(names, None)} | found


def _fits(network, described):
    digests = network.digest(), _readout_digest(network)
    return digests == (described["digest"], described["readout_digest"])


def _readout_digest(network):
    digest = hashlib.blake2b(digest_size=16)
    for name in ("kernel", "bias"):
        digest.update(np.ascontiguousarray(network.weights[f"readout_2/{name}"]).tobytes())
    digest.update(np.array([network.target_mean, network.target_std], dtype="<f8").tobytes())
    return digest.hexdigest()


def load_described(folder, number, described):
    """Load a network of a model, which must be the one that is described."""
    with one_line(folder):
        if (name := described["name"]) not in (None, *BUNDLED):
            raise ValueError(f"{name!r} is no network that this version knows.")
    network = load_network(name or network_path(folder, number))
    with one_line(folder):
        if not _fits(network, described):
            raise ValueError(f"its network {name or ''} is another one than when it was saved.")
    return network
