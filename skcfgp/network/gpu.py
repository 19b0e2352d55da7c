"""The network on a GPU, by TensorFlow."""

import os
from functools import lru_cache
from pathlib import Path

from .forward import forward
from .startup import check_process, import_tensorflow, prepare_gpus

#: Files of the drivers of NVIDIA and AMD; where none is there, TensorFlow need not be asked.
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def chosen_device(device=None):
    """Return the TensorFlow device that runs a network, or None for NumPy on the CPU.

    Raises ValueError if the device is not a CPU, and TensorFlow does not find it.
    """
    if device is None:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
        driver = not hidden and any(Path(file).exists() for file in DRIVERS)
        return "/GPU:0" if driver and prepare_gpus() else None
    if "CPU" in str(device).upper():
        return None
    number = str(device).upper().rpartition("GPU:")[2]
    found = prepare_gpus()
    if not number.isdigit() or int(number) >= len(found):
        raise ValueError(
            f"device must be None, '/CPU:0' or the name of a GPU, such as '/GPU:0', of which "
            f"TensorFlow finds {len(found)}; got {device!r}. 'skcfgp doctor' says more."
        )
    return device


def runner(network, device):
    """Return a function that runs a `GraphBatch` on a device; its `Outputs` are tensors."""
    tf = import_tensorflow()

    from .tensorflow_ops import as_tensors

    check_process()
    with tf.device(device):
        weights = {name: tf.constant(value) for name, value in network.weights.items()}
    shapes = tuple((name, value.shape) for name, value in network.weights.items())
    run = _compiled(network.architecture, shapes)

    def outputs(batch):
        with tf.device(device):
            return run(weights, as_tensors(batch))

    return outputs


@lru_cache(maxsize=32)
def _compiled(architecture, shapes):
    """Compile `forward` for one architecture: ``(weights, batch) -> Outputs``."""
    tf = import_tensorflow()

    from . import tensorflow_ops

    weights = {name: tf.TensorSpec(shape, tf.float32) for name, shape in shapes}

    @tf.function(input_signature=[weights, tensorflow_ops.batch_spec()])
    def run(weights, batch):
        return forward(weights, batch, architecture, tensorflow_ops)

    return run
