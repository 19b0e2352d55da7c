"""Predict properties of crystals with error bars, and choose which crystal to compute next.

A MEGNet turns a crystal into the activations of its first readout layer, a Gaussian process with
the Laplacian kernel turns those into a mean and a standard deviation, and an active learner asks
for the label of the crystal that it is least sure of.
"""

import sys
from importlib import import_module

TYPE_CHECKING = False  # true for a type checker; `typing` is not loaded for it

__version__ = "0.1.0"


def lazily(package, names):
    """Return ``__getattr__`` and ``__dir__`` of a package that imports its names when first used.

    `names` says in which module of the package each lives (PEP 562).
    """

    def getattribute(name):
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f".{names[name]}", package), name)
        setattr(sys.modules[package], name, value)
        return value

    return getattribute, lambda: sorted({*vars(sys.modules[package]), *names})


# So ``import skcfgp`` loads neither TensorFlow nor matplotlib.
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

if TYPE_CHECKING:
    from .active_learning import ActiveLearner as ActiveLearner
    from .active_learning import simulate as simulate
    from .calibration import CalibratedRegressor as CalibratedRegressor
    from .features import CompositionFeaturizer as CompositionFeaturizer
    from .features import MEGNetFeaturizer as MEGNetFeaturizer
    from .gaussian_process import GaussianProcessRegressor as GaussianProcessRegressor
    from .models import load_model as load_model
    from .models import make_cfgp as make_cfgp
    from .models import save_model as save_model
else:
    __getattr__, __dir__ = lazily(__name__, _NAMES)
