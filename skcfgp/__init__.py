"""Predict properties of crystals with error bars, and choose which crystal to compute next.

A MEGNet turns a crystal into the activations of its first readout layer, a Gaussian process with
the Laplacian kernel turns those into a mean and a standard deviation, and an active learner asks
for the label of the crystal that it is least sure of.
"""

from importlib import import_module

__version__ = "0.1.0"

# Public names and where they live. They are imported when first used (PEP 562), so that
# ``import skcfgp`` loads neither TensorFlow nor matplotlib.
_NAMES = {
    "ActiveLearner": "active_learning",
    "CalibratedRegressor": "calibration",
    "CompositionFeaturizer": "features",
    "GaussianProcessRegressor": "gaussian_process",
    "MEGNetFeaturizer": "features",
    "load_model": "models",
    "make_cfgp": "models",
    "save_model": "models",
    "simulate": "active_learning",
}

__all__ = ["__version__", *_NAMES]


def __getattr__(name):
    if name in _NAMES:
        value = getattr(import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_NAMES])
