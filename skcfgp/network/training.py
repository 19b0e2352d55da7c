"""Training of a MEGNet: the compiled step, the schedule, early stopping."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from ..structures.typing import ArrayLike, FilePath, IntArray, RandomState
from .checkpoints import Checkpoint, Progress, training_key
from .dropout import count_units, thin
from .graphs import fold_graphs, join_graphs
from .startup import check_process, import_tensorflow, prepare_gpus

if TYPE_CHECKING:
    from .graphs import Graph
    from .megnet import MEGNet

#: Weight of each step in the running average of the weights, which is validated and kept.
AVERAGING = 0.005

#: The last compiled step, while no training uses it; compiling one takes seconds.
_idle: dict = {}


def train(
    network: MEGNet,
    graphs: Sequence[Graph],
    y: ArrayLike,
    *,
    epochs: int,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.0,
    distance_noise: float = 0.0,
    dropout: float = 0.0,
    validation_fraction: float = 0.1,
    validation: IntArray | None = None,
    patience: int | None = None,
    adapt_readout: bool = False,
    random_state: RandomState = None,
    device: str | None = None,
    on_epoch: Callable[[int, dict[str, list[float]]], object] | None = None,
    checkpoint_dir: FilePath | None = None,
) -> tuple[dict[str, list[float]], IntArray]:
    """Train a network on the mean absolute error of the standardised target.

    Adam with gradients clipped at a global norm of 3; the learning rate rises over the first
    twentieth of the steps and then decays to zero along a cosine. After each epoch the running
    average of the weights is validated, and the best one is kept.

    Parameters
    ----------
    network : MEGNet
        Network to train, in place.
    graphs : sequence of Graph
    y : ndarray of shape (n_samples,)
    epochs : int
    batch_size : int, default=32
        Number of crystals per step.
    learning_rate : float, default=2e-3
        Maximum learning rate.
    weight_decay : float, default=0.0
        Decoupled weight decay (AdamW).
    distance_noise : float, default=0.0
        Standard deviation, in angstrom, of Gaussian noise added to every distance in every step, so
        that the network cannot memorise crystals by their exact distances.
    dropout : float, default=0.0
        Probability with which each unit is dropped in a step, for all crystals of the batch;
        validation drops none.
    validation_fraction : float, default=0.1
        Fraction of the rows, drawn at random, on which the best epoch is chosen. With 0 the last
        epoch is kept.
    validation : ndarray of int, default=None
        Rows to validate on, instead of a random fraction.
    patience : int or None, default=None
        Number of epochs without a better validation error after which training stops. By default
        all epochs are run, as the learning rate schedule expects.
    adapt_readout : bool, default=False
        Whether to first fit the last layer by least squares if the network predicts the rows worse
        than their mean does, as after training on another property.
    random_state : int, RandomState or None
    device : str or None
    on_epoch : callable or None
        Function that is called with ``(epoch, history)`` after each epoch.
    checkpoint_dir : str, Path or None, default=None
        Folder in which the state of the training is kept after each epoch, in a file whose name
        depends on data and parameters. The same training goes on from there: on one thread (see
        `skcfgp.network.use_one_thread`) with the very numbers of one that was not stopped. A
        finished one gives its result at once.

    Returns
    -------
    history : dict of str to list of float
        ``loss`` and ``val_mae``, in the unit of y, ``learning_rate``, and ``seconds`` of each
        epoch.
    validation : ndarray of int
        Rows used for validation.

    Raises
    ------
    ValueError
        If a parameter is not valid, no row is left to train on, or the first epoch diverges. If a
        checkpoint is damaged or that of another training, or `checkpoint_dir` is given without a
        `random_state`.

    Notes
    -----
    Ctrl-C ends the training with a warning and keeps the best weights so far.
    """
    check_process()
    tf = import_tensorflow()
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {dropout!r}.")
    if checkpoint_dir is not None and random_state is None:
        raise ValueError(
            "checkpoint_dir needs a random_state, such as 0: a training whose random numbers are "
            "others each time cannot be continued."
        )
    prepare_gpus()
    rng = check_random_state(random_state)
    y = np.asarray(y, dtype=float)
    checkpoint = None
    if checkpoint_dir is not None:
        key = training_key(
            network,
            graphs,
            y,
            rng,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            distance_noise=distance_noise,
            dropout=dropout,
            validation_fraction=validation_fraction,
            validation=None if validation is None else np.asarray(validation).tolist(),
            patience=patience,
            adapt_readout=adapt_readout,
        )
        checkpoint = Checkpoint(checkpoint_dir, key)
    order = rng.permutation(len(y))
    if validation is None:
        validation = np.sort(order[: round(validation_fraction * len(y))])
    rows = order[~np.isin(order, validation)]
    if not len(rows):
        raise ValueError(
            f"{len(validation)} rows are set aside for validation; none of {len(y)} is left to "
            "train on."
        )
    # rounding may give equal numbers a standard deviation above 0
    network.rescale_target(y[rows].mean(), y[rows].std() if np.ptp(y[rows]) else 1.0)
    target = ((y - network.target_mean) / network.target_std).astype(np.float32)
    if not distance_noise:  # equal distances would get different noise
        graphs = fold_graphs(graphs, network.architecture.n_blocks)
    if adapt_readout:
        _adapt_readout(network, [graphs[row] for row in rows], target[rows], device)
    n_steps = epochs * -(-len(rows) // batch_size)

    shapes = tuple((name, value.shape) for name, value in network.weights.items())
    kind = network.architecture, shapes, device, weight_decay, distance_noise, dropout
    with tf.device(device), _trainer(kind) as trainer:
        trainer.start(network.weights, learning_rate, n_steps, rng.randint(2**31 - 1))
        progress = Progress()
        if checkpoint is not None and (stored := checkpoint.load()) is not None:
            progress, rng_state, rows, state = stored
            rng.set_state(rng_state)
            trainer.set_state(state)
        try:
            while not progress.is_over(epochs, patience if len(validation) else None):
                start = time.perf_counter()
                rng.shuffle(rows)
                loss = trainer.epoch(graphs, target, rows, batch_size)
                trainer.copy_averages_to(network)
                error = _validation_error(network, graphs, y, validation, device)
                history = progress.history
                for name, value in (
                    ("loss", float(loss * network.target_std)),
                    ("val_mae", error),
                    ("learning_rate", trainer.learning_rate()),
                    ("seconds", time.perf_counter() - start),
                ):
                    history[name].append(value)
                if error < progress.best if len(validation) else _is_finite(network):
                    progress.best, progress.best_epoch = error, progress.n_epochs
                    progress.best_weights = trainer.averages()
                if checkpoint is not None:
                    checkpoint.save(progress, rng, rows, trainer.state())
                if on_epoch is not None:
                    on_epoch(progress.n_epochs, history)
        except KeyboardInterrupt:
            if not progress.n_epochs:
                raise
            warnings.warn(
                f"training was interrupted after {progress.n_epochs} of {epochs} epochs; the "
                f"weights of epoch {progress.best_epoch} are kept.",
                UserWarning,
                stacklevel=3,
            )
    if progress.best_weights is None:
        raise ValueError(
            f"the training diverged in its first epoch. Lower the learning rate, {learning_rate}."
        )
    network.weights = trainer.as_weights(progress.best_weights)
    return progress.history, validation


def _adapt_readout(network, graphs, target, device):
    """Fit the last layer if the network predicts the standardised target worse than its mean."""
    units, output = network.compute(graphs, ["readout_1", "output"], device)
    if np.mean((output[:, 0] - target) ** 2) < 1.0:  # the error of the mean
        return
    from sklearn.linear_model import RidgeCV

    scale = units.std(axis=0) + 1e-6
    ridge = RidgeCV(np.logspace(-3, 3, 7)).fit(units / scale, target)
    network.weights["readout_2/kernel"] = (ridge.coef_ / scale)[:, None].astype(np.float32)
    network.weights["readout_2/bias"] = np.float32([ridge.intercept_])


def _is_finite(network):
    return all(np.isfinite(value).all() for value in network.weights.values())


def _validation_error(network, graphs, y, rows, device):
    if not len(rows):
        return float("nan")
    prediction = network.read_out([graphs[row] for row in rows], device)
    return float(np.mean(np.abs(prediction - y[rows])))


@contextmanager
def _trainer(kind):
    """Lend the trainer of the last training if that was of the same kind, else a new one."""
    trainer = _idle.pop(kind, None) or _Trainer(*kind)
    try:
        yield trainer
    finally:
        _idle.clear()
        _idle[kind] = trainer


class _Trainer:
    """Variables, optimizer and compiled step of one kind of training.

    All weights are parts of one vector: updating a hundred variables separately would take a third
    of the time of a step.
    """

    def __init__(self, architecture, shapes, device, weight_decay, distance_noise, dropout):
        import tensorflow as tf
        import tf_keras

        from . import tensorflow_ops
        from .forward import forward

        sizes = [int(np.prod(shape)) for _, shape in shapes]
        vector, average, schedule = (tf.Variable(tf.zeros(n)) for n in (sum(sizes), sum(sizes), 3))
        generator, spec = tf.random.Generator.from_seed(0), tensorflow_ops.batch_spec()

        def rate(step):
            step, (learning_rate, n_steps, n_warm) = tf.cast(step, tf.float32), tf.unstack(schedule)
            falling = 0.5 * (1.0 + tf.cos(np.pi * step / n_steps))
            return learning_rate * tf.minimum((step + 1.0) / n_warm, falling)

        optimizer = tf_keras.optimizers.AdamW(
            weight_decay=weight_decay, global_clipnorm=3.0, jit_compile=False
        )
        optimizer.build([vector])

        signature = [spec, tf.TensorSpec((None,), tf.float32)]

        @tf.function(input_signature=signature, autograph=False)  # only Python branches here
        def step(batch, target):
            if distance_noise:
                noise = distance_noise * generator.normal(tf.shape(batch.distances))
                batch = batch._replace(distances=batch.distances + noise)
            with tf.GradientTape() as tape:
                pairs = zip(shapes, tf.split(vector, sizes), strict=True)
                weights = {name: tf.reshape(part, shape) for (name, shape), part in pairs}
                if dropout:
                    drawn = generator.uniform((count_units(weights),))
                    kept = tf.cast(drawn >= dropout, tf.float32)
                    weights = thin(weights, kept / (1.0 - dropout))
                prediction = forward(weights, batch, architecture, tensorflow_ops).output
                loss = tf.reduce_mean(tf.abs(prediction[:, 0] - target))
            gradient = tape.gradient(loss, vector)
            optimizer.learning_rate.assign(rate(optimizer.iterations))
            optimizer.apply_gradients([(gradient, vector)])
            # first the mean of all steps, later an exponential moving average
            share = tf.maximum(AVERAGING, 1.0 / tf.cast(optimizer.iterations, tf.float32))
            average.assign_add(share * (vector - average))
            return loss

        self._step, self._average, self._optimizer = step, average, optimizer
        self._shapes, self._schedule, self._generator = shapes, schedule, generator
        self._variables = [vector, average, *optimizer.variables, generator.state]

    def start(self, weights, learning_rate, n_steps, seed):
        """Set all variables as they are before the first step."""
        start = np.concatenate([weights[name].ravel() for name, _ in self._shapes])
        moments = [np.zeros_like(variable.numpy()) for variable in self._optimizer.variables]
        self._generator.reset_from_seed(seed)
        self.set_state([start, start, *moments, self._generator.state.numpy()])
        self._schedule.assign([learning_rate, n_steps, max(1, n_steps // 20)])

    def epoch(self, graphs, target, rows, batch_size):
        """Make one step per batch and return the mean loss."""
        import tensorflow as tf

        from .tensorflow_ops import as_tensors

        total = 0.0
        for start in range(0, len(rows), batch_size):
            chosen = rows[start : start + batch_size]
            batch = join_graphs([graphs[row] for row in chosen])
            loss = self._step(as_tensors(batch), tf.constant(target[chosen]))
            total += float(loss) * len(chosen)
        return total / len(rows)

    def averages(self):
        """Return the running average of the weights, as one vector."""
        return self._average.numpy()

    def as_weights(self, vector):
        """Take a vector apart into the weights by name."""
        weights = {}
        for name, shape in self._shapes:
            part, vector = np.split(vector, [int(np.prod(shape))])
            weights[name] = part.reshape(shape)
        return weights

    def copy_averages_to(self, network):
        network.weights = self.as_weights(self.averages())

    def state(self):
        """Return the values of all variables: weights, moments, steps and random numbers."""
        return [variable.numpy() for variable in self._variables]

    def set_state(self, values):
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)

    def learning_rate(self):
        return float(self._optimizer.learning_rate.numpy())
