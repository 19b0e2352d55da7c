"""Latent vectors of crystals by a network; one that was computed before is looked up."""

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from ..structures import structure_digest, validate_structure
from .store import DiskStore, MemoryStore

__all__ = ["latent_vectors"]

#: Crystals whose graphs are held at a time, and that one job of `n_jobs` takes.
CHUNK = 1000

_MEMORY = MemoryStore()


def latent_vectors(
    network,
    digest,
    structures,
    layers,
    *,
    refuse,
    progress,
    cache_dir=None,
    device=None,
    n_jobs=None,
):
    """Compute the activations of layers, side by side.

    Parameters
    ----------
    network : MEGNet
    digest : str
        ``network.digest()``.
    structures : ndarray of shape (n_samples,), dtype object
        ``Structure``, `Crystal` or None.
    layers : list of str
    refuse : callable
        Called with row and error for each crystal that cannot be used.
    progress : callable
        Called with the number of crystals to compute; returns a progress bar.
    cache_dir, device, n_jobs : default=None
        See `skcfgp.MEGNetFeaturizer`.

    Returns
    -------
    ndarray of shape (n_samples, n_units), float32
        NaN where the structure is None or was refused.
    """
    keys = [None if s is None else structure_digest(s) for s in structures]
    space = f"{digest}/{'+'.join(layers)}"
    stores = [_MEMORY] if cache_dir is None else [_MEMORY, DiskStore(cache_dir)]
    vectors = _look_up(stores, space, keys)
    first_row = {}  # equal crystals go through the network once
    for row, key in enumerate(keys):
        if key is not None and key not in vectors:
            first_row.setdefault(key, row)

    new, errors = list(first_row), {}
    chunks = [new[start : start + CHUNK] for start in range(0, len(new), CHUNK)]
    parts = [structures[[first_row[key] for key in chunk]] for chunk in chunks]
    with progress(len(new)) as bar:
        results = _run(network, parts, layers, device, n_jobs, bar)
        for chunk, (outputs, wrong) in zip(chunks, results, strict=True):
            for k, error in wrong.items():
                refuse(first_row[chunk[k]], error)
                errors[chunk[k]] = error
            good = [key for k, key in enumerate(chunk) if k not in wrong]
            found = dict(zip(good, outputs, strict=True))
            for store in stores:
                store.put(space, found)
            vectors |= found

    n_units = sum(network.architecture.widths[layer] for layer in layers)
    features = np.full((len(keys), n_units), np.nan, dtype=np.float32)
    for row, key in enumerate(keys):
        if key in vectors:
            features[row] = vectors[key]
        elif key is not None and row != first_row[key]:
            refuse(row, errors[key])
    return features


def _look_up(stores, space, keys):
    """Vectors by key, from the first store that has each; the memory is told of the others'."""
    vectors, missing = {}, {key for key in keys if key is not None}
    for store in stores:
        if missing:
            found = store.get(space, missing)
            if store is not _MEMORY:
                _MEMORY.put(space, found)
            vectors |= found
            missing -= set(found)
    return vectors


def _run(network, parts, layers, device, n_jobs, bar):
    """Yield vectors and errors of each part, from processes if there are several."""
    if min(len(parts), effective_n_jobs(n_jobs)) <= 1:
        for part in parts:
            yield _vectors(network, part, layers, device, progress=bar.update)
        return
    jobs = (delayed(_vectors)(network, part, layers, device) for part in parts)
    for part, result in zip(parts, Parallel(n_jobs=n_jobs)(jobs), strict=True):
        bar.update(len(part))
        yield result


def _vectors(network, structures, layers, device, progress=None):
    """Vectors of the crystals that can be used, and errors of the others by position."""
    graphs, errors = [], {}
    for k, structure in enumerate(structures):
        try:
            validate_structure(structure)
            graphs.append(network.graph(structure))
        except ValueError as error:
            errors[k] = error
    return np.hstack(network.compute(graphs, layers, device, progress=progress)), errors
