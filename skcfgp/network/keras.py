"""Make megnet 1.3.2 importable with current releases of pymatgen and TensorFlow.

megnet imports three classes that pymatgen has renamed, and is written for Keras 2, while
TensorFlow >= 2.16 comes with Keras 3.
"""

import importlib
import sys
import threading
import warnings
from contextlib import contextmanager

from .startup import import_tensorflow

# Held while `tensorflow.keras` is Keras 2: two threads would restore each other's modules.
_KERAS_LOCK = threading.RLock()

# What megnet imports from `tensorflow.keras`; each must be loaded before the names are swapped.
KERAS_PARTS = (
    "activations",
    "backend",
    "callbacks",
    "constraints",
    "initializers",
    "layers",
    "models",
    "optimizers",
    "regularizers",
    "utils",
)


def patch_pymatgen():
    """Restore the old names, such as BrunnerNN_real, of pymatgen's classes that megnet imports."""
    local_env = importlib.import_module("pymatgen.analysis.local_env")
    for kind in ("real", "reciprocal", "relative"):
        if not hasattr(local_env, f"BrunnerNN_{kind}"):
            renamed = getattr(local_env, f"BrunnerNN{kind.capitalize()}")
            setattr(local_env, f"BrunnerNN_{kind}", renamed)


@contextmanager
def legacy_keras():
    """Let ``tensorflow.keras`` be Keras 2 in a ``with`` block, in one thread at a time.

    The previous modules are restored afterwards, so the order in which TensorFlow and Keras 3 were
    imported does not matter. ImportError without ``tf_keras``, the package that contains Keras 2.
    """
    tf = import_tensorflow()
    try:
        tf_keras = importlib.import_module("tf_keras")
        parts = {part: importlib.import_module(f"tf_keras.{part}") for part in KERAS_PARTS}
    except ImportError as error:
        raise ImportError(
            "megnet needs Keras 2, which is in the package tf_keras. "
            f"Install the release that matches TensorFlow {tf.__version__}: "
            f"pip install 'tf_keras~={'.'.join(tf.__version__.split('.')[:2])}.0'"
        ) from error

    with _KERAS_LOCK:
        names_before, attribute_before = _take_keras_modules(), vars(tf).get("keras")
        sys.modules["tensorflow.keras"] = vars(tf)["keras"] = tf_keras
        sys.modules.update({f"tensorflow.keras.{part}": module for part, module in parts.items()})
        try:
            yield tf_keras
        finally:
            _take_keras_modules()
            sys.modules.update(names_before)
            if attribute_before is None:
                del vars(tf)["keras"]
            else:
                vars(tf)["keras"] = attribute_before


def _take_keras_modules():
    """Remove ``tensorflow.keras`` and its parts from the loaded modules, and return them."""
    names = [k for k in tuple(sys.modules) if (k + ".").startswith("tensorflow.keras.")]
    return {name: sys.modules.pop(name) for name in names}


def import_megnet():
    """Import ``megnet.models`` with Keras 2 and return it; ImportError if Keras 3 came first."""
    patch_pymatgen()
    with legacy_keras() as tf_keras, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = importlib.import_module("megnet.models")
        layers = importlib.import_module("megnet.layers")
    if not issubclass(layers.MEGNetLayer, tf_keras.layers.Layer):
        raise ImportError(
            "megnet was imported on Keras 3 before skcfgp, and its layers cannot be rebound in "
            "this process. Start Python again, and set the environment variable "
            "TF_USE_LEGACY_KERAS=1 before TensorFlow is imported."
        )
    return models
