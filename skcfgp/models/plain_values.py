"""A fitted model as plain values, JSON and arrays, and back.

An estimator is written as the name of its class, its parameters and what `fit` left. The names of
classes and functions are those of the two lists below. Nothing is imported, called or unpickled
because a file says so.
"""

import math
import os
from inspect import signature
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import kernels
from sklearn.model_selection import KFold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ..calibration import CalibratedRegressor, MonotoneTargetRegressor
from ..calibration.score_distributions import GaussianPieces
from ..calibration.transformed import exp10
from ..calibration.z_scores import LocalScale
from ..features import CompositionFeaturizer, CrystalReader, MEGNetFeaturizer, TableReader
from ..gaussian_process.cholesky import factor_again
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian, OnColumns
from ..network import BUNDLED, PUBLISHED, MEGNet
from .cfgp import check_width
from .ensemble import MEGNetEnsemble
from .megnet import MEGNetRegressor
from .pipeline import CrystalPipeline

#: Parameters of a machine, not of a model: they are neither written nor read.
LOCAL = {"cache_dir", "checkpoint_dir", "device", "memory", "n_jobs"}

#: Numbers of an array that is compared with those before it.
LARGE = 1000

#: Kinds of numpy's numbers and texts that a file holds.
KINDS = "biufU"

FUNCTIONS = {
    "check_width": check_width,
    "exp": np.exp,
    "exp10": exp10,
    "exp2": np.exp2,
    "log": np.log,
    "log10": np.log10,
    "log2": np.log2,
}

DISTRIBUTIONS = {"norm": norm, "t": t}


class Part(NamedTuple):
    """A class: how an object of it becomes a dict by name, and how it is made of that."""

    cls: type
    take: object
    make: object


def take_estimator(estimator):
    """Return parameters, and what `fit` left."""
    has_params = hasattr(estimator, "get_params")
    params = estimator.get_params(deep=False) if has_params else dict(vars(estimator))
    fitted = {name: value for name, value in vars(estimator).items() if name not in params}
    return {"params": {k: v for k, v in params.items() if k not in LOCAL}, "fitted": fitted}


def make_estimator(cls, params, fitted):
    """Make an estimator of its parameters, and what `fit` left."""
    if wrong := sorted(LOCAL & set(params)):
        raise ValueError(f"it sets {wrong[0]!r}, which no model does.")
    made = cls(**params)
    known = set(signature(cls).parameters)
    for name in fitted:
        if name in known or name.startswith("__") or callable(getattr(cls, name, None)):
            raise ValueError(f"{name!r} is nothing that the fit of {cls.__name__} leaves.")
    vars(made).update(fitted)
    return made


def take_network_user(estimator):
    """Leave out the path of a network: it is one of the machine where the model was made."""
    found = take_estimator(estimator)
    if str(found["params"]["weights"]) not in (*BUNDLED, *PUBLISHED):
        found["params"]["weights"] = None
    return found


def take_process(gp):
    """Leave out what follows from the rest: the labels on the scale of the process, the factor."""
    found = take_estimator(gp)
    found["fitted"] = {k: v for k, v in found["fitted"].items() if k not in ("y_train_", "factor_")}
    if hasattr(gp, "factor_"):
        found["blocks"] = list(gp.factor_.blocks)
    return found


def make_process(cls, params, fitted, blocks=None):
    """Make a process; the factor is computed anew, row by row as it once was."""
    gp = make_estimator(cls, params, fitted)
    if blocks is not None:
        n = len(gp.X_train_)
        if sum(blocks) != n or any(len(a) != n for a in (gp.targets_, gp.noise_, gp.alpha_)):
            raise ValueError("the arrays of the process have different lengths.")
        gp.y_train_ = (gp.targets_ - gp.y_mean_) / gp.y_scale_
        gp.factor_ = factor_again(gp.kernel_, gp.X_train_, gp.noise_, np.array(blocks))
    return gp


def take_distribution(frozen):
    """Return the name of a frozen distribution and its numbers."""
    found = {"args": list(frozen.args), "kwds": frozen.kwds}
    if isinstance(frozen.dist, GaussianPieces):
        return found | {"pieces": frozen.dist.parameters}
    if frozen.dist.name not in DISTRIBUTIONS:
        raise TypeError(f"the distribution {frozen.dist.name!r} is none that a calibration gives.")
    return found | {"name": frozen.dist.name}


def make_distribution(cls, args, kwds, name=None, pieces=None):
    """Make a frozen distribution; `cls` is scipy's, which has no public name."""
    distribution = DISTRIBUTIONS[name] if pieces is None else GaussianPieces(**pieces)
    return distribution(*args, **kwds)


def make_state(cls, **state):
    """Make an object that has a state of its own."""
    made = cls.__new__(cls)
    made.__setstate__(state)
    return made


def make_random_state(cls, **state):
    """Make a generator in the state in which it was."""
    made = cls()
    made.set_state(state)
    return made


ESTIMATORS = (
    CalibratedRegressor,
    ColumnTransformer,
    CompositionFeaturizer,
    CrystalPipeline,
    CrystalReader,
    FeatureUnion,
    FrozenEstimator,
    FunctionTransformer,
    KFold,
    Laplacian,
    MEGNetEnsemble,
    MonotoneTargetRegressor,
    OnColumns,
    Pipeline,
    StandardScaler,
    TableReader,
    *(
        value
        for name, value in vars(kernels).items()
        if isinstance(value, type)
        and issubclass(value, kernels.Kernel)
        and value.__module__ == kernels.__name__
        and not getattr(value, "__abstractmethods__", None)
    ),
)

PARTS = {cls.__name__: Part(cls, take_estimator, make_estimator) for cls in ESTIMATORS}
PARTS |= {
    "GaussianProcessRegressor": Part(GaussianProcessRegressor, take_process, make_process),
    "MEGNetFeaturizer": Part(MEGNetFeaturizer, take_network_user, make_estimator),
    "MEGNetRegressor": Part(MEGNetRegressor, take_network_user, make_estimator),
    "LocalScale": Part(LocalScale, LocalScale.__getstate__, make_state),
    "RandomState": Part(
        np.random.RandomState, lambda rng: rng.get_state(legacy=False), make_random_state
    ),
    "distribution": Part(type(norm()), take_distribution, make_distribution),
}


class ToPlain:
    """Turns a model into values of JSON, and collects its arrays and networks.

    Attributes
    ----------
    arrays : dict of str to ndarray
    networks : list of MEGNet
    """

    def __init__(self):
        self.arrays, self.networks = {}, []
        self._names = {part.cls: name for name, part in PARTS.items()}

    def __call__(self, value, path="model"):
        """Return a value of JSON; an object of another class is a TypeError that says where."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return self._items(value, path)
        if kind is tuple:
            return {"tuple": self._items(value, path)}
        if kind is slice:
            ends = [value.start, value.stop, value.step]
            return {"slice": self._items(ends, path)}
        if isinstance(value, dict):
            keys, values = (self._items(part, path) for part in (value.keys(), value.values()))
            return {"dict": [list(pair) for pair in zip(keys, values, strict=True)]}
        if isinstance(value, np.generic) and value.dtype.kind in KINDS:
            return {"scalar": value.dtype.str, "value": self(value.item(), path)}
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if kind is MEGNet:
            self.networks.append(value)
            return {"network": len(self.networks) - 1}
        if kind in self._names:
            name = self._names[kind]
            state = PARTS[name].take(value).items()
            return {"class": name, "state": {k: self._part(v, path, k) for k, v in state}}
        for name, function in FUNCTIONS.items():
            if value is function:
                return {"function": name}
        raise TypeError(_refusal(value, path))

    def _part(self, value, path, key):
        if key in ("params", "fitted"):
            return {name: self(item, f"{path}/{name}") for name, item in value.items()}
        return self(value, f"{path}/{key}")

    def _items(self, values, path):
        return [self(value, f"{path}/{i}") for i, value in enumerate(values)]

    def _array(self, array, path):
        if array.dtype.kind == "O":
            return {"objects": self._items(array.ravel().tolist(), path), "shape": array.shape}
        if array.dtype.kind not in KINDS:
            raise TypeError(f"{path} is an array of the type {array.dtype}: not one of numbers.")
        for name, known in self.arrays.items():  # rows of another array are stored once
            if (
                array.size > LARGE
                and known.dtype == array.dtype
                and known.shape[1:] == array.shape[1:]
                and np.array_equal(known[: len(array)], array)
            ):
                return {"array": name, "rows": len(array)}
        self.arrays[path] = np.asarray(array)
        return {"array": path}


class FromPlain:
    """Makes a model of values of JSON, arrays by name, and networks."""

    def __init__(self, arrays, networks):
        self.arrays, self.networks = arrays, networks

    def __call__(self, value):
        """Return what a value of JSON stands for; ValueError if it stands for nothing."""
        match value:
            case None | bool() | int() | float() | str():
                return value
            case list():
                return [self(item) for item in value]
            case {"float": "inf" | "-inf" | "nan" as text}:
                return float(text)
            case {"tuple": items}:
                return tuple(self(items))
            case {"slice": ends}:
                return slice(*self(ends))
            case {"dict": pairs}:
                return {self(key): self(item) for key, item in pairs}
            case {"scalar": dtype, "value": item} if np.dtype(dtype).kind in KINDS:
                return np.dtype(dtype).type(self(item))
            case {"array": name, "rows": n}:
                return self.arrays[name][:n].copy()
            case {"array": name}:
                return self.arrays[name]
            case {"objects": items, "shape": shape}:
                made = np.empty(len(items), dtype=object)
                made[:] = self(items)
                return made.reshape(shape)
            case {"network": number}:
                return self.networks[number]
            case {"function": name} if name in FUNCTIONS:
                return FUNCTIONS[name]
            case {"class": name, "state": state} if name in PARTS:
                return self._object(PARTS[name], state)
        raise ValueError(f"it holds {str(value)[:60]!r}, which this version does not know.")

    def _object(self, part, state):
        made = {}
        for key, value in state.items():
            if key in ("params", "fitted"):
                made[key] = {name: self(item) for name, item in value.items()}
            else:
                made[key] = self(value)
        return part.make(part.cls, **made)


def _refusal(value, path):
    kind = type(value)
    what = f"{path} is of the class {kind.__module__}.{kind.__qualname__}"
    if callable(value) and not isinstance(value, BaseEstimator):
        what = f"{path} is the function {getattr(value, '__qualname__', value)}"
    return (
        f"{what}, and a model folder holds the parts of make_cfgp only. For other pipelines use "
        "skops: skops.io.dump(model, 'model.skops'), and skops.io.load with the types that you "
        "trust."
    )
