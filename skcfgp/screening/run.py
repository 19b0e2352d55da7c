"""`screen_pool`: predict a pool of crystals that does not fit into memory.

The pool is cut into chunks. Each goes to a worker, through featurizer and Gaussian process, and
comes back as a part of the predictions, which is written at once. Neither the pool nor the
predictions are ever held as a whole.
"""

import hashlib
import re
from itertools import chain
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from .. import __version__
from .chunk import predict_records
from .pool import Pool
from .predictions import PoolPredictions

__all__ = ["model_digest", "screen_pool"]

#: Crystals of the first part that are predicted again when a run goes on.
PROBE = 8

#: Parameters that change no prediction.
NO_MATTER = {"verbose", "n_jobs", "cache_dir", "device", "on_error", "memory"}

#: What `fit` leaves: the network, which names itself, and the labels.
FITTED = ("estimator_", "network_", "y_train_")


def screen_pool(
    model,
    pool,
    out,
    *,
    chunk_size=500,
    scheduler=None,
    n_workers=1,
    retries=3,
    progress=None,
):
    r"""Predict a pool, chunk by chunk, into a folder.

    A run that was stopped goes on where it was, when it is called again.

    Parameters
    ----------
    model : estimator
        Fitted on crystals, with ``predict(structures, return_std=True)``, such as
        `skcfgp.make_cfgp`.
    pool : str or Path
        File or folder; see `skcfgp.screening.Pool`. The workers must see a folder of CIF files
        under the same path; other pools are read here.
    out : str or Path
        Folder for the predictions. Made if needed. One run at a time may write to it.
    chunk_size : int, default=500
        Crystals (of a folder of files: files) in a chunk. Each worker holds one, and one waits.
    scheduler : str or distributed.Client, default=None
        Address of the scheduler of a Dask cluster.
    n_workers : int or None, default=1
        Without a scheduler: 1 works in this process, more in so many processes; None makes one for
        each core.
    retries : int, default=3
        How often a chunk is tried again after an error.
    progress : callable, default=None
        Called with the number of records of a chunk whenever one is finished or found finished.

    Returns
    -------
    PoolPredictions

    Raises
    ------
    ValueError
        If the folder holds predictions of another model or pool, or the pool cannot be read.
    ConnectionError
        If the scheduler does not answer, or is gone.
    RuntimeError
        If a chunk killed its worker again and again. All others are written then.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from skcfgp import make_cfgp
    >>> from skcfgp.datasets import load_formation_energy
    >>> from skcfgp.screening import screen_pool
    >>> data = load_formation_energy(split="train")
    >>> model = make_cfgp("formation_energy_1800", recipe="paper values")
    >>> model = model.fit(data.structures[:40], data.target[:40])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pool = Path(folder, "pool.jsonl")
    ...     lines = [json.dumps(s.as_dict()) for s in data.structures[40:60]]
    ...     _ = pool.write_text("\n".join(lines))
    ...     found = screen_pool(model, pool, Path(folder, "out"), chunk_size=8)
    ...     len(list(found.parts())), len(found.top(5))
    (3, 5)
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}.")
    pool = Pool(pool)
    if next(pool.chunks(1), None) is None:
        raise ValueError(f"{pool.path} holds no crystal.")
    settings = {
        "skcfgp": __version__,
        "model": model_digest(model),
        "pool": pool.digest(),
        "chunk_size": int(chunk_size),
    }
    found = PoolPredictions.begin(Path(out), settings)
    _check_same_model(model, pool, found, chunk_size)
    sizes, killed = {}, []
    chunks = _left(pool.chunks(chunk_size), found, sizes, progress)
    for number, result in _results(model, chunks, scheduler, n_workers, retries):
        size = sizes.pop(number)
        if isinstance(result, Exception):
            killed.append(number)
            continue
        found.write(number, result)
        if progress is not None:
            progress(size)
    if killed:
        raise RuntimeError(
            f"{len(killed)} chunks killed their workers again and again and are not written: "
            f"{sorted(killed)[:5]}. Was there memory enough? All other chunks are written; run the "
            "same again for these alone."
        )
    found.finish()
    return found


def model_digest(model):
    """Name a model by what it was made from: parameters, weights of the network and labels.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    str
        32 hexadecimal digits. Parameters that change no prediction do not count.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in _described(model):
        digest.update(part)
        digest.update(b"\n")
    return digest.hexdigest()


def _described(value):
    if isinstance(value, BaseEstimator):
        yield type(value).__name__.encode()
        names = sorted(set(value.get_params(deep=False)) - NO_MATTER)
        for name in names + [name for name in FITTED if hasattr(value, name)]:
            yield name.encode()
            yield from _described(getattr(value, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _described(item)
    elif isinstance(value, np.ndarray):
        yield np.ascontiguousarray(value).tobytes()
    elif callable(getattr(value, "digest", None)):
        yield value.digest().encode()
    else:
        yield re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value)).encode()


def _left(chunks, found, sizes, progress):
    """Yield the chunks that are not written yet, and note their sizes."""
    for number, records in chunks:
        if not found.has(number):
            sizes[number] = len(records)
            yield number, records
        elif progress is not None:
            progress(len(records))


def _results(model, chunks, scheduler, n_workers, retries):
    if scheduler is None and n_workers == 1:
        for number, records in chunks:
            yield number, predict_records(model, records)
        return
    try:
        from .workers import connect, run_on_workers
    except ImportError as error:
        raise ImportError(
            f"several workers need Dask: pip install 'skcfgp[dask]' ({error})."
        ) from error
    first = next(chunks, None)  # nothing is started for nothing
    if first is not None:
        with connect(scheduler, n_workers) as client:
            yield from run_on_workers(client, model, chain([first], chunks), retries)


def _check_same_model(model, pool, found, chunk_size):
    """Refuse to go on if the first crystals that are written come out differently.

    The digest does not see everything: a search for hyper-parameters may end elsewhere.
    """
    if not found.has(0):
        return
    written = next(found.parts())
    _, records = next(pool.chunks(min(chunk_size, PROBE)))
    again = predict_records(model, records)
    written = written.head(len(again))
    tolerance = 1e-3 * np.nanmax(written["std"], initial=0.0)
    same = list(written["id"]) == list(again["id"]) and all(
        np.allclose(written[name], again[name], rtol=0, atol=tolerance, equal_nan=True)
        for name in ("prediction", "std")
    )
    if not same:
        raise ValueError(
            f"{found.folder} holds predictions of another model: the first crystals of the pool "
            "come out differently now. Use another folder."
        )
