"""The networks of a run: training, and training again on more labels."""

import time
from pathlib import Path

import numpy as np

from ..features.megnet import MEGNetFeaturizer
from ..network import save_network
from .trials import network_rows

__all__ = ["DISTANCE_NOISE", "train_first", "train_network", "use_one_thread"]

#: As that of the bundled network.
DISTANCE_NOISE = 0.05


def train_network(structures, y, folder, *, epochs, start=None, unseen=None, random_state=0):
    """Train a network and save it.

    Parameters
    ----------
    structures : ndarray of shape (n_samples,)
    y : ndarray of shape (n_samples,)
    folder : Path
    epochs : int
    start : str, Path or None, default=None
        Network to start from; None means random weights.
    unseen : ndarray of bool of shape (n_samples,), default=None
        Rows that only choose the epoch; None means a tenth at random.
    random_state : int, default=0

    Returns
    -------
    history : dict of str to list of float
    validation : ndarray of int
        Rows that chose the epoch.
    seconds_per_epoch : float

    Raises
    ------
    KeyboardInterrupt
        If training was interrupted: half a training is no result.
    """
    use_one_thread()
    featurizer = MEGNetFeaturizer(
        start, epochs=epochs, distance_noise=DISTANCE_NOISE, random_state=random_state
    )
    begin = time.perf_counter()
    featurizer.fit(structures, y, unseen=unseen)
    seconds = time.perf_counter() - begin
    history = {name: [float(v) for v in values] for name, values in featurizer.history_.items()}
    if len(history["loss"]) < epochs:
        raise KeyboardInterrupt
    save_network(featurizer.network_, folder)
    return history, featurizer.validation_indices_, seconds / epochs


def use_one_thread():
    """Fix the order of sums, and with it the result, where TensorFlow has not started yet."""
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # it has: two runs then differ in the last digits
        pass


def train_first(settings, data, results, *, seed, folder):
    """Stage: the network of a seed, on its initial set alone.

    Parameters
    ----------
    settings, data, results
        As in `Stage`.
    seed : int
    folder : Path
        Of all networks.

    Returns
    -------
    dict
        ``folder``, ``history``, ``seconds_per_epoch``, and ``unseen``, the rows of the data that
        chose the epoch.
    """
    initial = network_rows(settings, data, seed)
    path = Path(folder) / f"seed_{seed}"
    history, validation, seconds = train_network(
        data.structures[initial],
        data.y[initial],
        path,
        epochs=settings.epochs,
        random_state=settings.random_state + seed,
    )
    return {
        "folder": path.name,
        "history": history,
        "seconds_per_epoch": seconds,
        "unseen": np.asarray(initial)[validation],
    }
