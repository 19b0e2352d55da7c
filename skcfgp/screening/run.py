"""`predict_pool`: predict a pool of crystals that does not fit into memory.

The pool is cut into chunks. A worker reads one, predicts it and writes it as a part of the
predictions. Neither the pool nor the predictions are ever held as a whole.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Any

import joblib
import numpy as np
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.gaussian_process.kernels import Kernel

from .. import __version__
from ..models.predictor import predict_crystals
from ..structures.typing import Estimator, FilePath
from .pool import Pool, find_records
from .predictions import PoolPredictions

#: Parameters that change no prediction of a fitted model.
IRRELEVANT_PARAMS = {
    "cache_dir",
    "checkpoint_dir",
    "device",
    "memory",
    "n_jobs",
    "on_error",
    "random_state",
    "transformer_weights",
    "verbose",
    "verbose_feature_names_out",
    "weights",
}

#: Chunks on their way for each thread of the cluster: one in work and one that waits.
QUEUE_PER_THREAD = 2

#: Packages of which the workers must have the same version.
MATCHING_PACKAGES = ("skcfgp", "numpy", "scikit-learn", "tensorflow")

#: Threads of TensorFlow in a local worker; Dask limits those of BLAS. More would compete for cores.
ONE_THREAD = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}

#: Dask keeps the last messages to each worker, which are chunks here: by default 1,000.
SHORT_LOG = {"distributed.admin.low-level-log-length": 10}

#: Dask warns of large arguments; a model and a chunk are data that has to travel.
NO_WARNING = {"distributed.admin.large-graph-warning-threshold": "1 TB"}

#: Seconds to wait for a scheduler to answer.
TIMEOUT = 15


def predict_pool(
    model: Estimator,
    pool: FilePath,
    out: FilePath,
    *,
    unit: str = "",
    coverage: float = 0.95,
    columns: Sequence[str] = (),
    chunk_size: int = 500,
    scheduler: Any = None,
    n_workers: int | None = 1,
    retries: int = 3,
    progress: Callable[[int], object] | None = None,
) -> PoolPredictions:
    r"""Predict a pool, chunk by chunk, into a folder.

    The same call continues a run that was stopped.

    Parameters
    ----------
    model : estimator
        Fitted on crystals, with ``predict(structures, return_std=True)``, such as
        `skcfgp.make_cfgp`. It must be picklable.
    pool : str or Path
        File or folder; see `skcfgp.screening.Pool`. The workers must see a folder of CIF files
        under the same path; other pools are read here.
    out : str or Path
        Folder for the predictions. Made if needed. One run at a time may write to it.
    unit : str, default=""
        Unit of the predictions, for the table.
    coverage : float, default=0.95
        Probability with which a value lies between ``lower`` and ``upper`` of the table.
    columns : sequence of str, default=()
        Columns of numbers of the pool that the model takes beside the crystals; see
        ``skcfgp.make_cfgp(estimates=..., columns=...)``.
    chunk_size : int, default=500
        Number of crystals (of a folder of files: files) in a chunk. Each worker holds one chunk,
        and another one waits.
    scheduler : str or distributed.Client, default=None
        Address of the scheduler of a Dask cluster.
    n_workers : int or None, default=1
        Number of local processes, if there is no scheduler. With 1 this process does the work;
        None starts one for each core.
    retries : int, default=3
        Number of times that a chunk is tried again after an error.
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
        If the workers lack a package or have another version of it, or a chunk killed its workers
        repeatedly. All other chunks are written then.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from skcfgp import make_cfgp
    >>> from skcfgp.datasets import load_formation_energy
    >>> from skcfgp.screening import predict_pool
    >>> data = load_formation_energy(split="train")
    >>> model = make_cfgp("formation_energy_1800", recipe="paper values")
    >>> model = model.fit(data.structures[:40], data.target[:40])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pool = Path(folder, "pool.jsonl")
    ...     lines = [json.dumps(s.as_dict()) for s in data.structures[40:60]]
    ...     _ = pool.write_text("\n".join(lines))
    ...     found = predict_pool(model, pool, Path(folder, "out"), chunk_size=8)
    ...     len(list(found.parts())), len(found.top(5))
    (3, 5)
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}.")
    pool = Pool(pool, columns)
    if next(pool.chunks(1), None) is None:
        raise ValueError(f"{pool.path} holds no crystal.")
    settings = {
        "skcfgp": __version__,
        "model": model_digest(model),
        "pool": pool.digest(),
        "chunk_size": int(chunk_size),
        "unit": unit,
        "coverage": float(coverage),
    }
    found = PoolPredictions.begin(out, settings)
    sizes: dict[int, int] = {}
    killed, options = [], (tuple(columns), unit, coverage)
    chunks = _remaining(pool.chunks(chunk_size), found, sizes, progress)
    shared = pool, found.folder.resolve(), settings
    for number, result in _results(model, options, chunks, shared, scheduler, n_workers, retries):
        size = sizes.pop(number)
        if isinstance(result, Exception):
            killed.append(number)
            continue
        if result is not None:  # else the worker has written it
            found.write(number, result)
        if progress is not None:
            progress(size)
    if killed:
        raise RuntimeError(
            f"{len(killed)} chunks killed their workers repeatedly and are not written: "
            f"{sorted(killed)[:5]}. Check that the workers have enough memory. All other chunks "
            "are written; run the same again for these alone."
        )
    found.finish()
    return found


def model_digest(model: Estimator) -> str:
    """Compute a digest of all that the predictions of a fitted model depend on.

    Parameters
    ----------
    model : estimator
        Fitted and picklable.

    Returns
    -------
    str
        32 hexadecimal digits. Parameters that change no prediction of a fitted model, such as
        ``n_jobs``, do not count.

    Notes
    -----
    With several BLAS threads, or on another kind of processor, a repeated fit may differ in the
    last digits and so have another digest. To continue a run, save the model or fit it on one
    thread (``threadpoolctl.threadpool_limits(1)``), as ``skcfgp screen`` does.
    """
    return joblib.hash(_state(model))


def _state(value):
    """Reduce an estimator to its parameters and what `fit` left, a network to its digest."""
    if isinstance(value, BaseEstimator):
        names = set(value.get_params(deep=False)) - IRRELEVANT_PARAMS
        names |= {name for name in vars(value) if name.endswith("_") and name[0] != "_"}
        names -= {"factor_"}  # follows from the kernel and X_train_, and has spare memory
        state = {name: _state(getattr(value, name)) for name in sorted(names)}
        return type(value).__qualname__, state
    if isinstance(value, list | tuple):
        return [_state(item) for item in value]
    if isinstance(value, dict):
        return {key: _state(item) for key, item in value.items()}
    if isinstance(value, Kernel):  # joblib.hash tells equal bounds from the same ones
        return type(value).__qualname__, _state(value.get_params(deep=False))
    if isinstance(value, type(norm())):
        pieces = getattr(value.dist, "parameters", None)
        return value.dist.name, _state(value.args), _state(value.kwds), _state(pieces)
    if isinstance(value, np.ndarray):  # joblib.hash tells a view from a copy
        return np.ascontiguousarray(value)
    return value.digest() if callable(getattr(value, "digest", None)) else value


def _remaining(chunks, found, sizes, progress):
    """Yield the chunks that are not written yet, and note their sizes."""
    for number, records in chunks:
        if not found.has(number):
            sizes[number] = len(records)
            yield number, records
        elif progress is not None:
            progress(len(records))


def _results(model, options, chunks, shared, scheduler, n_workers, retries):
    """Yield number and table of each chunk; an exception if it killed its workers.

    A worker that sees the folder of the predictions writes the table itself; then it is None.
    """
    if scheduler is None and n_workers == 1:
        for number, records in chunks:
            yield number, _predict_records(model, records, *options)
        return
    first = next(chunks, None)
    if first is None:  # start no cluster without work
        return
    with _cluster(scheduler, n_workers) as client:
        yield from _run_on(client, model, options, chain([first], chunks), shared, retries)


@contextmanager
def _cluster(scheduler, n_workers):
    """Connect to a Dask cluster, or start one of local processes."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError(
            f"several workers need Dask: pip install 'skcfgp[dask]' ({error})."
        ) from error
    if isinstance(scheduler, Client):
        yield scheduler
        return
    with dask.config.set(SHORT_LOG):
        if scheduler is None:
            with (
                LocalCluster(
                    n_workers=n_workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # the usual port may be taken
                    env=ONE_THREAD,
                ) as cluster,
                Client(cluster) as client,
            ):
                yield client
            return
        try:
            client = Client(scheduler, timeout=TIMEOUT)
        except (OSError, ValueError) as error:
            raise ConnectionError(
                f"no scheduler answers at {scheduler!r}: {error}. Start one with 'dask scheduler'."
            ) from error
        with client:
            yield client


def _run_on(client, model, options, chunks, shared, retries):
    """Predict chunks as workers become free, cutting the pool only as far ahead as they need.

    Workers that see the files of the pool read their records; else they are sent.

    Not by joblib's Dask backend: a task that kills its worker, or a scheduler that goes, makes it
    wait for ever, and it works in this process where the cluster has one thread.
    """
    import dask
    from distributed import CancelledError, KilledWorker, as_completed
    from distributed.client import FutureCancelledError

    _check_versions(client)
    pool, *out = shared
    # Before there is a task: two threads of a worker must not import the same package at once.
    reads = all(client.run(_sees, pool.read_in_rows()).values())
    # The model is the result of a task: it is loaded once in each worker, and again where all that
    # held it were killed. Bytes, since the scheduler would unpack other arguments.
    with dask.config.set(NO_WARNING):
        model = client.submit(pickle.loads, pickle.dumps(model, protocol=5), pure=False)
    chunks, running, completed = iter(chunks), {}, as_completed()

    def submit(n):
        for number, chunk in islice(chunks, n):
            chunk = pickle.dumps(chunk if reads else chunk.read(), protocol=5)
            with dask.config.set(NO_WARNING):
                future = client.submit(
                    _predict, model, number, chunk, options, *out, pure=False, retries=retries
                )
            running[future.key] = number
            completed.add(future)

    submit(QUEUE_PER_THREAD * max(1, sum(client.nthreads().values())))
    for future in completed:
        number = running.pop(future.key)
        try:
            result = future.result()
        except KilledWorker as error:
            result = error
        except (CancelledError, FutureCancelledError) as error:
            raise ConnectionError(
                "the scheduler is gone. What was written is kept: run the same again to continue."
            ) from error
        del future  # else the result is held while the next chunk is read
        submit(1)
        yield number, result


def _sees(files):
    """Tell whether this process can read all files of a pool."""
    return all(path.is_file() and path.stat().st_size == size for path, size in files)


def _predict(model, number, chunk, options, out, settings):
    table = _predict_records(model, pickle.loads(chunk), *options)
    with suppress(FileNotFoundError, PermissionError):
        if PoolPredictions(out).write_if_same(settings, number, table):
            return None
    return table


def _predict_records(model, records, columns, unit, coverage):
    found = find_records(records, columns)
    return predict_crystals(model, found.part(0, len(found)), unit, coverage)


def _check_versions(client):
    """Refuse workers that lack a package or have another version of it."""
    client.wait_for_workers(1, timeout=60)
    found = client.get_versions(packages=MATCHING_PACKAGES)
    here = _versions(found["client"])
    for worker, info in found["workers"].items():
        there = _versions(info)
        if other := [k for k, version in enumerate(here) if there[k] != version]:
            raise RuntimeError(
                f"the worker {worker} has {', '.join(there[k] for k in other)}, this process "
                f"{', '.join(here[k] for k in other)}: install one version on all."
            )


def _versions(info):
    """Say which versions a process has of what a pickled model depends on."""
    versions = info["packages"]
    python = ".".join(versions["python"].split(".")[:2])
    return [f"Python {python}"] + [
        f"{name} {versions[name]}" if versions[name] else f"no {name}" for name in MATCHING_PACKAGES
    ]
