"""Chunks of a pool on the workers of a Dask cluster.

The model is pickled in memory, travels once to each worker, also to one that joins later or takes
the place of one that was killed, and is loaded there once.
"""

import pickle
import sys
import threading
import uuid
import warnings
from contextlib import contextmanager
from importlib.metadata import version

import dask
from distributed import (
    CancelledError,
    Client,
    KilledWorker,
    LocalCluster,
    WorkerPlugin,
    as_completed,
    get_worker,
)
from distributed.client import FutureCancelledError

from .. import __version__
from .chunk import predict_records

__all__ = ["connect", "run_on_workers"]

#: Chunks on their way for each thread of the cluster: one in work and one that waits.
AHEAD = 2

#: Packages of which the workers must have the same version.
ALIKE = ("numpy", "scikit-learn", "tensorflow")

#: Of TensorFlow in a local process; Dask does it for BLAS. More would wait for each other's cores.
ONE_THREAD = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}

#: Of Dask, which else keeps the last 1,000 chunks that it sent to each worker.
SHORT_LOG = {"distributed.admin.low-level-log-length": 10}

#: Seconds to wait for a scheduler to answer.
TIMEOUT = 15


class _Model(WorkerPlugin):
    """The model on a worker."""

    idempotent = True

    def __init__(self, model):
        self._pickled = pickle.dumps(model, protocol=5)
        self._model = None

    def setup(self, worker):
        self._lock = threading.Lock()

    def predict(self, pickled):
        records = pickle.loads(pickled)
        with self._lock:
            if self._model is None:
                self._model, self._pickled = pickle.loads(self._pickled), None
        return predict_records(self._model, records)


def _predict(name, pickled):
    return get_worker().plugins[name].predict(pickled)


def _versions():
    """List what a pickled model depends on."""
    python = ".".join(map(str, sys.version_info[:2]))
    return {"Python": python, "skcfgp": __version__} | {n: version(n) for n in ALIKE}


@contextmanager
def connect(scheduler=None, n_workers=None):
    """Connect to a cluster, or make one of local processes.

    Parameters
    ----------
    scheduler : str or distributed.Client, default=None
        Address. None makes processes on this machine.
    n_workers : int, default=None
        Of local processes; None lets Dask choose by the cores.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ConnectionError
        If there is no scheduler at the address.
    RuntimeError
        If the workers have not got this package, or other versions of what a model depends on.
    """
    if isinstance(scheduler, Client):
        yield scheduler
        return
    if scheduler is None:
        with (
            dask.config.set(SHORT_LOG),
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
        with dask.config.set(SHORT_LOG):
            client = Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no scheduler answers at {scheduler!r}: {error}. Start one with 'dask scheduler'."
        ) from error
    with client:
        yield client


def run_on_workers(client, model, chunks, retries=3):
    """Predict chunks as workers become free.

    Parameters
    ----------
    client : distributed.Client
    model : estimator
    chunks : iterable of (int, list)
        Read as far ahead as there are workers to feed, no further.
    retries : int, default=3
        How often a chunk is tried again that raised, besides those whose worker died.

    Yields
    ------
    number : int
    table : pandas.DataFrame or Exception
        The exception if the chunk killed one worker after another.

    Raises
    ------
    ConnectionError
        If the scheduler is gone.
    """
    _check_versions(client)
    name = f"skcfgp-{uuid.uuid4().hex}"
    client.register_plugin(_Model(model), name=name)
    chunks, running, completed = iter(chunks), {}, as_completed()

    def submit():
        for number, records in chunks:
            pickled = pickle.dumps(records, protocol=5)  # else the scheduler unpacks them
            with warnings.catch_warnings():  # a chunk is data, and goes to one worker
                warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
                future = client.submit(_predict, name, pickled, pure=False, retries=retries)
            running[future.key] = number
            completed.add(future)
            return

    try:
        for _ in range(AHEAD * max(1, sum(client.nthreads().values()))):
            submit()
        for future in completed:
            number = running.pop(future.key)
            try:
                result = future.result()
            except KilledWorker as error:
                result = error
            except (CancelledError, FutureCancelledError) as error:
                raise ConnectionError(
                    "the scheduler is gone. What was written is kept: run the same again to go on."
                ) from error
            del future
            submit()
            yield number, result
    finally:
        if client.status == "running":
            client.unregister_worker_plugin(name)


def _check_versions(client):
    client.wait_for_workers(1, timeout=60)
    here = _versions()
    try:
        found = client.run(_versions)
    except Exception as error:  # Dask gives the text of a worker's error, and not its type
        if not isinstance(error, ImportError) and "ModuleNotFoundError" not in str(error):
            raise
        raise RuntimeError(
            f"the workers cannot import skcfgp ({error}): install it, version {__version__}, there."
        ) from error
    for worker, there in found.items():
        if other := [name for name in here if there.get(name) != here[name]]:
            raise RuntimeError(
                f"the worker {worker} has {', '.join(f'{n} {there.get(n)}' for n in other)}, this "
                f"process {', '.join(f'{n} {here[n]}' for n in other)}: install one version on all."
            )
