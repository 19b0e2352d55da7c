"""Row 7: seconds of each step at the paper's sizes, on this machine."""

import os
import platform
import time
from pathlib import Path

import numpy as np

from ..active_learning.simulation import simulate
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..network import Architecture, MEGNet, train
from .networks import DISTANCE_NOISE
from .settings import PAPER

__all__ = ["cost", "synthetic_vectors"]


def synthetic_vectors(n, random_state=0):
    """Make vectors of the shape of latent ones, 32 wide and clustered, and a smooth target.

    Parameters
    ----------
    n : int
    random_state : int, default=0

    Returns
    -------
    X : ndarray of shape (n, 32)
    y : ndarray of shape (n,)
    """
    rng = np.random.default_rng(random_state)
    centres = rng.gamma(2.0, 0.4, size=(200, 32))
    X = np.abs(centres[rng.integers(200, size=n)] + 0.15 * rng.normal(size=(n, 32)))
    return X, np.sin(X[:, :8]).sum(axis=1)


def cost(settings, data, results):
    """Stage: training, hyper-parameters, and 6,000 cycles with the error on pool and test set.

    Returns
    -------
    dict
        ``n_train``, ``n_pool``, ``n_test``, ``n_cycles``; ``training_s`` (an epoch, measured, times
        ``epochs``), ``seconds_per_epoch``, ``training_measured`` (whether a network was trained in
        full in this run); ``hyperparameters_s`` and ``loop_s``, wall and processor time;
        ``machine``.
    """
    sizes = {
        key: round(PAPER[key] * settings.cost_scale) for key in ("n_train", "n_pool", "n_test")
    }
    n_cycles = round(PAPER["n_cycles_long"] * settings.cost_scale)
    X, y = synthetic_vectors(sum(sizes.values()), settings.random_state)
    first, last = sizes["n_train"], sizes["n_train"] + sizes["n_pool"]
    start = time.perf_counter(), time.process_time()
    gp = GaussianProcessRegressor().fit(X[:first], y[:first])
    fit = time.perf_counter() - start[0], time.process_time() - start[1]
    fixed = GaussianProcessRegressor(gp.kernel_, optimizer=None)
    start = time.perf_counter(), time.process_time()
    simulate(
        fixed,
        X,
        y,
        initial=np.arange(first),
        pool=np.arange(first, last),
        test=np.arange(last, len(X)),
        n_cycles=n_cycles,
    )
    loop = time.perf_counter() - start[0], time.process_time() - start[1]
    trained = [name for name in results if name.startswith("network_")]
    if trained:
        # Other work on the machine can only make it longer.
        per_epoch = min(results[name]["seconds_per_epoch"] for name in trained)
    else:
        per_epoch = _seconds_per_epoch(data)
    return sizes | {
        "n_cycles": n_cycles,
        "n_trained_on": len(data.train),
        "seconds_per_epoch": per_epoch,
        "epochs": settings.epochs,
        "training_s": per_epoch * settings.epochs,
        "training_measured": bool(trained),
        "hyperparameters_s": fit,
        "loop_s": loop,
        "machine": f"{_processor()}, {os.cpu_count()} processors visible",
    }


def _seconds_per_epoch(data):
    """Time epochs on the initial set, after the first one, in which the step is compiled."""
    network = MEGNet.initialize(Architecture(), 0)
    graphs = [network.graph(structure) for structure in data.structures[data.train]]
    times = []
    train(
        network,
        graphs,
        data.y[data.train],
        epochs=3,
        distance_noise=DISTANCE_NOISE,
        random_state=0,
        on_epoch=lambda epoch, history: times.append(time.perf_counter()),
    )
    return float(np.mean(np.diff(times)))


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
