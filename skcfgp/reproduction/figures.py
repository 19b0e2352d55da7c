"""The figures of the paper, drawn from a run; `FIGURES` has their titles and captions."""

from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import uniform

from .. import displays
from ..network import load_network
from .learning import LEAST_LEFT, METRICS
from .trials import MAIN, RECIPES, load_trial

TITLES = {"paper": "pipeline of the paper", "recommended": "recommended pipeline"}


def draw_figures(data, results, facts, folder):
    """Draw all figures and return file name, title and caption of each, as records."""
    captions = []
    for name, title, shape, draw, caption in FIGURES:
        figure = Figure(figsize=(5.2 * shape[1], 4.4 * shape[0]), layout="constrained")
        draw(figure.subplots(*shape, squeeze=False), data, results, facts)
        figure.savefig(folder / name, dpi=110)
        captions.append({"file": name, "title": title, "caption": caption.format(**facts)})
    return captions


def _add_title(ax, recipe):
    ax.set_title(f"{TITLES[recipe]}\n{ax.get_title()}".strip(), fontsize="medium")


def _latent_map(axes, data, results, facts):
    maps = results["latent_structure"]["maps"]
    for ax, (recipe, found) in zip(axes[0], maps.items(), strict=True):
        displays.LatentMapDisplay(**found, target_name=data.target_name, unit=data.unit).plot(ax)
        _add_title(ax, recipe)


def _predictions(axes, data, results, facts, *, kinds):
    """Draw displays of the given kinds for both pipelines."""
    trial, named = load_trial(data, results, MAIN), {"labels": data.formulas[data.test]}
    options = {"ErrorBarDisplay": {"random_state": 0}, "ResidualDisplay": named}
    for row, recipe in zip(axes.reshape(len(RECIPES), -1), RECIPES, strict=True):
        for ax, kind in zip(row, kinds, strict=True):
            named = {"target_name": data.target_name, "unit": data.unit} | options.get(kind, {})
            getattr(displays, kind).from_predictions(*trial.tested(recipe), ax=ax, **named)
            _add_title(ax, recipe)


def _calibration(axes, data, results, facts):
    trial, draw = load_trial(data, results, MAIN), displays.CalibrationCurveDisplay.from_predictions
    for recipe in RECIPES:
        draw(*trial.tested(recipe), name=TITLES[recipe], ax=axes[0, 0])
    for row in results["calibration"]["records"]["distributions"]:
        if (row["trial"], row["recipe"]) == (MAIN, "recommended"):
            u = np.array(row["pit"])  # uniform if the distributions are right
            name = "the same, Student-t"
            draw(u, uniform(np.zeros(len(u)), 1.0), name=name, ax=axes[0, 0])


def _learning_curves(axes, data, results, facts, *, long=False):
    """Draw up to the paper's share of the pool, or until hardly a crystal or none is left."""
    n_share, n_pool = facts["n_share"], facts["n_pool"]
    last = {"mae_pool": max(n_pool - LEAST_LEFT, n_share), "mae_test": n_pool}
    for ax, (recipe, metric) in zip(axes.flat, product(RECIPES, METRICS), strict=True):
        n, curves = last[metric] if long else n_share, {"max-std": [], "random": []}
        for name in facts["trials"]:
            for run in results[f"active_{name}"]["curves"]:
                if run["recipe"] == recipe:
                    curve = {column: run[column][: n + 1] for column in ("n_labelled", metric)}
                    curves[run["strategy"]].append(pd.DataFrame(curve))
        if recipe == "recommended" and not long:
            curve = results["integrated"]["curve"]
            columns = {metric: curve[:, METRICS.index(metric)]}
            columns["n_labelled"] = curves["max-std"][0]["n_labelled"].iloc[: len(curve)]
            curves["integrated variance"] = [pd.DataFrame(columns)]
        displays.LearningCurveDisplay.from_simulations(curves, metric=metric, unit=data.unit, ax=ax)
        _add_title(ax, recipe)


def _training(axes, data, results, facts):
    if "network_0" in results:
        training = {"history": results["network_0"]["history"], "best_epoch": None}
    else:
        training = load_network(data.network).card["training"]
    draw, (left, right) = displays.TrainingHistoryDisplay.from_history, axes[0]
    draw(training["history"], best_epoch=training["best_epoch"], unit=data.unit, ax=left)
    draw(results["enlarged"]["history"], unit=data.unit, ax=right)
    left.set_title("the network of the initial set", fontsize="medium")
    right.set_title(f"the same, trained on with {facts['n_enlarged']:,} labels", fontsize="medium")


SEEDS = (
    "Lines are medians over {seeds} and, for random, {orders} orders of each; bands go from the "
    "lowest to the highest."
)
# fmt: off
#: File name, title, rows and columns, function and caption, in the order of the paper.
FIGURES = (
    ("latent_map.png", "Latent space (Fig. 2)", (1, 2), _latent_map,
     "t-SNE of the {n_paper} activations (left) and of the {n_recommended} features of the "
     "recommended pipeline (right), of the {n_mapped:,} crystals of pool and test set, which the "
     "network has not trained on; one seed. The axes have no unit."),
    ("parity.png", "Parity on the test set (Fig. 3)", (1, 2),
     partial(_predictions, kinds=["ParityDisplay"]),
     "Predictions of the {n_test:,} crystals of the fixed test set with error bars of 2 sigma, "
     "processes fitted on {n_train:,} labels; one seed."),
    ("error_bars.png", "Error bars, and residual against sigma (Fig. 4)", (2, 2),
     partial(_predictions, kinds=["ErrorBarDisplay", "ResidualDisplay"]),
     "Error bars of crystals of the test set drawn at random (left), absolute residual of all "
     "{n_test:,} against sigma, the worst by name (right); {n_train:,} labels, one seed."),
    ("calibration.png", "Calibration curves", (1, 1), _calibration,
     "Fraction of the {n_test:,} crystals of the test set inside central intervals, against their "
     "probability: Gaussians of both pipelines, and the Student-t of the recommended one with "
     "calibrated=True; {n_train:,} labels, one seed."),
    ("learning_curves.png", "Active learning (Fig. 5)", (2, 2), _learning_curves,
     "One crystal a cycle, network and hyper-parameters fixed, {n_share:,} of {n_pool:,} cycles "
     "(the paper: 1,500 of 7,195). Left: the error on what is left of the pool, the paper's "
     "protocol, which gets easier when the hard crystals leave; right: on the fixed test set of "
     "{n_test:,}. " + SEEDS),
    ("long_run.png", "Active learning until the pool is empty", (2, 2),
     partial(_learning_curves, long=True),
     "The same until all {n_pool:,} crystals of the pool are labelled; the error on the remaining "
     f"pool while at least {LEAST_LEFT} are left. {SEEDS}"),
    ("training.png", "Training history (Fig. 6)", (1, 2), _training,
     "Mean absolute error of each epoch while training, and on the crystals that choose the epoch. "
     "Left: the network of the initial set. Right: the network of row 2.5, which starts from that "
     "one. One seed."),
)
# fmt: on
