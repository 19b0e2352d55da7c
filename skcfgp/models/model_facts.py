"""What is known of a fitted model: its recipe, its process, and its errors on labels left out."""

import numpy as np
from scipy.stats import norm
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from ..calibration import CalibratedRegressor, MonotoneTargetRegressor
from ..features import CompositionFeaturizer, MEGNetFeaturizer
from ..gaussian_process.common import last_step
from ..gaussian_process.regressor import GaussianProcessRegressor
from .cfgp import RECIPES, make_cfgp
from .plain_values import ToPlain

#: Parameters that do not make another recipe.
FREE = {"cache_dir", "checkpoint_dir", "device", "layer", "n_jobs", "on_error", "random_state"}
FREE |= {"verbose", "weights"}


def process_of(model):
    """Return the process at the end of a model, inside its calibration; None if there is none."""
    last = last_step(model)
    for name in ("regressor_", "estimator_"):
        last = getattr(last, name, last)
    return last if isinstance(last, GaussianProcessRegressor) else None


def facts_of(model):
    """Return what a model of `make_cfgp` was made with, and what it learnt, as values of JSON.

    ``recipe`` is None for another pipeline.
    """
    last, gp, found = last_step(model), process_of(model), {}
    parts = [part for part in model.get_params().values() if not isinstance(part, type)]
    networks = [part for part in parts if isinstance(part, MEGNetFeaturizer)]
    tables = [part for part in parts if isinstance(part, ColumnTransformer)]
    named = {name: some for table in tables for name, _, some in table.transformers}
    for name in ("estimates", "columns"):
        found[name] = list(named.get(name, ()))
    first = model[0] if isinstance(model, Pipeline) else model
    takes_any = isinstance(first, CompositionFeaturizer)
    found["formulas"] = bool(getattr(first, "formulas", takes_any))
    found["log"] = getattr(last, "func", None) is np.log10
    found["layer"] = networks[0].layer if networks else None
    inner = getattr(last, "regressor_", last)
    calibrated = isinstance(inner, CalibratedRegressor)
    found["recipe"] = _recipe(model, found, calibrated)
    found["calibration"] = inner.method if calibrated else None
    if hasattr(gp, "alpha_"):
        found["n_labels"] = len(gp.targets_)
        found["has_label_std"] = bool(gp.label_std_.any())
        found["kernel"] = str(gp.kernel_)
    return found


def _recipe(model, found, calibrated):
    """Return the recipe by which `make_cfgp` makes this model, but for the free parameters."""
    try:
        settings = _settings(model)
    except TypeError:  # it has parts that make_cfgp does not use
        return None
    options = {name: found[name] for name in ("estimates", "columns")}
    options |= {"calibrated": calibrated, "log_target": found["log"]}
    for recipe in RECIPES:
        is_possible = recipe == "recommended" or not (found["estimates"] or found["columns"])
        if is_possible and _settings(make_cfgp(recipe=recipe, **options)) == settings:
            return recipe
    return None


def _settings(model):
    """Return the parameters of a model as values of JSON, without those that are free."""
    model = clone(model)
    names = [name for name in model.get_params() if name.rsplit("__", 1)[-1] in FREE]
    return ToPlain()(model.set_params(**dict.fromkeys(names)))


def leave_one_out_errors(model):
    """Return errors of a model on each label, learnt from the others, as numbers by name.

    The hyper-parameters are those of the fit on all labels, so the errors are a little too small.
    They are in the unit of the labels; where a logarithm is learnt, medians are compared, and
    ``mae_log10`` is that of the logarithm. None for a model without a process of one target.
    """
    gp, last = process_of(model), last_step(model)
    if gp is None or gp.targets_.ndim > 1 or len(gp.targets_) < 3:
        return None
    mean, std = gp.predict_leave_one_out(equal_together=True)
    target, predicted, found = gp.targets_, mean, {}
    if isinstance(last, MonotoneTargetRegressor):
        if last.func is np.log10:
            found["mae_log10"] = float(np.abs(mean - target).mean())
        with np.errstate(over="ignore"):
            target, predicted = last.inverse_func(target), last.inverse_func(mean)
    error, spread = predicted - target, target - target.mean()
    found["mae"] = float(np.abs(error).mean())
    found["median_absolute_error"] = float(np.median(np.abs(error)))
    found["rmse"] = float(np.sqrt(np.mean(error**2)))
    if spread.any():
        found["r2"] = float(1 - np.sum(error**2) / np.sum(spread**2))
    levels = _levels(last, (gp.targets_ - mean) / np.where(std > 0, std, np.inf))
    for percent in (50, 95):
        inside = np.abs(levels - 0.5) <= percent / 200
        found[f"inside_{percent}_percent"] = float(inside.mean())
    return found


def _levels(last, z):
    """Return the level of each label in the distribution that was predicted for it."""
    inner = getattr(last, "regressor_", last)
    if isinstance(inner, CalibratedRegressor):
        return inner.score_distribution_.cdf(inner.z_scores_)
    return norm.cdf(z)
