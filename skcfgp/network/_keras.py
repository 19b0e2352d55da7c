"""Makes megnet 1.3.2 importable on current releases of pymatgen and TensorFlow.

- `patch_pymatgen`: megnet imports three classes that pymatgen has renamed since;
- `legacy_keras`: megnet is written for Keras 2, TensorFlow >= 2.16 brings Keras 3;
- `import_megnet`: the two together.
"""

import importlib
import sys
import threading
import warnings
from contextlib import contextmanager
from functools import wraps

# Held while `tensorflow.keras` means Keras 2: two threads would restore each other's names.
_KERAS_LOCK = threading.RLock()

RENAMED_IN_PYMATGEN = {
    "BrunnerNN_real": "BrunnerNNReal",
    "BrunnerNN_reciprocal": "BrunnerNNReciprocal",
    "BrunnerNN_relative": "BrunnerNNRelative",
}

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
    """Give back the names of pymatgen's near-neighbour classes that megnet imports."""
    local_env = importlib.import_module("pymatgen.analysis.local_env")
    for old, new in RENAMED_IN_PYMATGEN.items():
        if not hasattr(local_env, old):
            setattr(local_env, old, getattr(local_env, new))


@contextmanager
def legacy_keras():
    """Let ``tensorflow.keras`` mean Keras 2 while the block runs, in one thread at a time.

    Afterwards it means what it did before, so it does not matter whether TensorFlow or Keras 3 was
    imported first. Raises ImportError without ``tf_keras``, the package that holds Keras 2.
    """
    import tensorflow as tf

    try:
        tf_keras = importlib.import_module("tf_keras")
        parts = {part: importlib.import_module(f"tf_keras.{part}") for part in KERAS_PARTS}
    except ImportError as error:
        raise ImportError(
            "megnet needs Keras 2, which is the package tf_keras here. "
            f"Install the release that goes with TensorFlow {tf.__version__}: "
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
    """Import ``megnet.models`` on Keras 2 and return it.

    Raises ImportError if megnet was imported on Keras 3, which cannot be undone in this process.
    """
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
    _wrap_from_file(models.base.GraphModel)
    return models


def _wrap_from_file(graph_model):
    """Megnet's ``from_file`` imports ``tensorflow.keras`` when it is called: do so on Keras 2."""
    original = graph_model.__dict__["from_file"].__func__
    if hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def from_file(cls, filename):
        with legacy_keras():
            return original(cls, filename)

    graph_model.from_file = classmethod(from_file)
