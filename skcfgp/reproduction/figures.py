"""The figures of the paper, drawn from a run; `FIGURES` has their titles and captions."""

from itertools import product

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from .. import displays
from ..network import load_network
from .hyperparameters import ADAM_STEPS, FEATURES, OBJECTIVES
from .learning import LEAST_LEFT, METRICS, cycles_of_paper
from .settings import PAPER
from .trials import MAIN, RECIPES, load_trial, trial_names

__all__ = ["FIGURES", "draw_figures"]

DPI = 110
TITLES = {"paper": "pipeline of the paper", "recommended": "recommended pipeline"}
BY = dict(zip(OBJECTIVES, ("marginal", "predictive"), strict=True))
LEVELS = [0.1, 1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 1e5, 1e7]  # nats


def draw_figures(data, settings, results, folder):
    """Draw all figures and return file name, title and caption of each, as records."""
    facts = _facts(data, settings, results)
    captions = []
    for name, title, shape, draw, caption in FIGURES:
        figure = Figure(figsize=(5.2 * shape[1], 4.4 * shape[0]), layout="constrained")
        draw(figure.subplots(*shape, squeeze=False), data, settings, results)
        figure.savefig(folder / name, dpi=DPI)
        captions.append({"file": name, "title": title, "caption": caption.format(**facts)})
    return captions


def _facts(data, settings, results):
    """Collect what the captions say of the run."""
    widths = {recipe: fit["X"].shape[1] for recipe, fit in results[MAIN]["fits"].items()}
    how = (
        "each with its own network and its own draw of initial set and pool"
        if settings.retrain
        else "each nine tenths of the crystals that the one network was given"
    )
    facts = {f"n_{part}": len(getattr(data, part)) for part in ("train", "pool", "test")}
    return facts | {
        "n_paper": widths["paper"],
        "n_recommended": widths["recommended"],
        "n_mapped": len(data.pool) + len(data.test),
        "n_share": cycles_of_paper(len(data.pool)),
        "unit": data.unit or "unit of the labels",
        "seeds": f"Lines are medians over {settings.seeds} seeds of the initial set ({how}) and, "
        f"for random, {settings.orders} orders of each; bands go from the lowest to the highest.",
    }


def _add_title(ax, recipe):
    ax.set_title(f"{TITLES[recipe]}\n{ax.get_title()}".strip(), fontsize="medium")


def _tested(data, results):
    """Labels, means and standard deviations of the test set, by recipe."""
    trial = load_trial(data, results, MAIN)
    return [(recipe, trial.tested(recipe)) for recipe in RECIPES]


def _latent_map(axes, data, settings, results):
    maps = results["latent_structure"]["maps"].items()
    for ax, (recipe, found) in zip(axes[0], maps, strict=True):
        display = displays.LatentMapDisplay(**found, target_name=data.target_name, unit=data.unit)
        display.plot(ax)
        _add_title(ax, recipe)


def _parity(axes, data, settings, results):
    named = {"target_name": data.target_name, "unit": data.unit}
    for ax, (recipe, numbers) in zip(axes[0], _tested(data, results), strict=True):
        displays.ParityDisplay.from_predictions(*numbers, ax=ax, **named)
        _add_title(ax, recipe)


def _error_bars(axes, data, settings, results):
    named = {
        "target_name": data.target_name,
        "unit": data.unit,
        "random_state": settings.random_state,
    }
    labels = data.formulas[data.test]
    for (left, right), (recipe, numbers) in zip(axes, _tested(data, results), strict=True):
        displays.ErrorBarDisplay.from_predictions(*numbers, ax=left, **named)
        displays.ResidualDisplay.from_predictions(
            *numbers, ax=right, labels=labels, target_name=data.target_name, unit=data.unit
        )
        _add_title(left, recipe)
        _add_title(right, recipe)


def _calibration(axes, data, settings, results):
    for recipe, numbers in _tested(data, results):
        displays.CalibrationCurveDisplay.from_predictions(
            *numbers, name=TITLES[recipe], ax=axes[0, 0]
        )


def _learning_curves(axes, data, settings, results, last=None):
    """Draw up to the paper's share of the pool, or up to the `last` label by metric."""
    runs = [results[f"active_{name}"]["curves"] for name in trial_names(settings)]
    for ax, (recipe, metric) in zip(axes.flat, product(RECIPES, METRICS), strict=True):
        n = last[metric] if last else cycles_of_paper(len(data.pool))
        curves = {"max-std": [], "random": []}
        for run in runs:
            chosen = run[run["recipe"] == recipe]
            for (strategy, _), curve in chosen.groupby(["strategy", "order"]):
                curves[strategy].append(curve[["n_labelled", metric]][: n + 1])
        displays.LearningCurveDisplay.from_simulations(curves, metric=metric, unit=data.unit, ax=ax)
        _add_title(ax, recipe)


def _long_run(axes, data, settings, results):
    n = len(data.pool)
    last = max(n - LEAST_LEFT, cycles_of_paper(n))  # in a smaller pool, the paper's share of it
    _learning_curves(axes, data, settings, results, {"mae_pool": last, "mae_test": n})


def _training(axes, data, settings, results):
    if "network_0" in results:
        training = {"history": results["network_0"]["history"], "best_epoch": None}
    else:
        training = load_network(data.network).card["training"]
    enlarged, draw = results["enlarged"], displays.TrainingHistoryDisplay.from_history
    left, right = axes[0]
    draw(training["history"], best_epoch=training["best_epoch"], unit=data.unit, ax=left)
    draw(enlarged["history"], unit=data.unit, ax=right)
    left.set_title("the network of the initial set", fontsize="medium")
    n = enlarged["facts"]["n_enlarged"]
    right.set_title(f"the same, trained on with {n:,} labels", fontsize="medium")


def _likelihood_map(axes, data, settings, results):
    surfaces = results["sensitivity"]["surfaces"]
    for ax, (objective, features) in zip(axes.flat, product(OBJECTIVES, FEATURES), strict=True):
        surface = surfaces[features]
        if objective not in surface["maps"]:
            ax.set_axis_off()  # the network was trained on all crystals
            continue
        _draw_map(ax, surface, **surface["maps"][objective])
        if objective == OBJECTIVES[0]:
            _draw_paths(ax, surface["paths"])
        ax.plot(PAPER["length_scale"], PAPER["amplitude"], "kx", ls="none", label="paper's oxides")
        ax.set_title(f"{features} features, {BY[objective]} likelihood", fontsize="medium")
        ax.set_ylabel(f"amplitude a ({data.unit})" if data.unit else "amplitude a")
        ax.legend(fontsize="x-small", loc="lower right", facecolor="0.8")


def _draw_map(ax, surface, best, value):
    a, length = np.exp(surface["log_a"]), np.exp(surface["log_l"])
    below = np.maximum(-value.astype(float), 0.1)
    filled = ax.contourf(
        length, a, below, levels=LEVELS, norm=LogNorm(0.1, 1e5), cmap="viridis_r", extend="max"
    )
    bar = ax.figure.colorbar(filled, ax=ax, ticks=[0.1, 1, 10, 100, 1e3, 1e4, 1e5])
    bar.set_label("nats below the best")
    bar.ax.set_yticklabels(["0", "1", "10", "100", "1,000", "10,000", "100,000"])
    a_best, l_best = np.exp(best[:2])
    ax.plot(length, a_best * np.sqrt(length / l_best), "k:", lw=1, label=r"$a^2 / l$ = const")
    ax.plot(l_best, a_best, "k*", ms=9, ls="none", label="best", zorder=3)
    limits = {"xlim": (length[0], length[-1]), "ylim": (a[0], a[-1])}
    ax.set(xscale="log", yscale="log", xlabel="length l (unit of the features)", **limits)


def _draw_paths(ax, paths):
    dashed = {"color": "tab:red", "lw": 0.8, "ls": "--", "marker": ".", "ms": 3}
    circle = {"color": "w", "ms": 4, "mec": "k", "mew": 0.5, "ls": "none", "marker": "o"}
    for number, path in enumerate(paths):
        adam, climb = (np.exp(path[name])[:, ::-1].T for name in ("adam", "lbfgs"))
        ax.plot(*adam, color="w", lw=1, label=None if number else "Adam")
        if path["start"][0] == path["start"][1]:
            ax.plot(*climb, label=None if number else "L-BFGS", **dashed)
        early = np.exp(path["early"])[::-1]
        ax.plot(*early, label=None if number else f"Adam, {ADAM_STEPS[0]} steps", **circle)


# fmt: off
#: File name, title, rows and columns, function and caption, in the order of the paper.
FIGURES = (
    ("latent_map.png", "Latent space (Fig. 2)", (1, 2), _latent_map,
     "t-SNE of the {n_paper} activations (left) and of the {n_recommended} features of the "
     "recommended pipeline (right), of the {n_mapped:,} crystals of pool and test set, which the "
     "network has not trained on; one seed. The axes have no unit."),
    ("parity.png", "Parity on the test set (Fig. 3)", (1, 2), _parity,
     "Predictions of the {n_test:,} crystals of the fixed test set with error bars of 2 sigma, "
     "processes fitted on {n_train:,} labels; one seed."),
    ("error_bars.png", "Error bars, and residual against sigma (Fig. 4)", (2, 2), _error_bars,
     "Error bars of crystals of the test set drawn at random (left), and the absolute residual of "
     "all {n_test:,} against sigma, the four worst by name (right); processes fitted on "
     "{n_train:,} labels, one seed."),
    ("calibration.png", "Calibration curves", (1, 1), _calibration,
     "Fraction of the {n_test:,} crystals of the test set inside central intervals, against their "
     "probability; processes fitted on {n_train:,} labels, one seed."),
    ("learning_curves.png", "Active learning (Fig. 5)", (2, 2), _learning_curves,
     "One crystal a cycle, network and hyper-parameters fixed, {n_share:,} of {n_pool:,} cycles "
     "(the paper: 1,500 of 7,195). Left: the error on what is left of the pool, the paper's "
     "protocol, which gets easier when the hard crystals leave; right: on the fixed test set of "
     "{n_test:,}. {seeds}"),
    ("long_run.png", "Active learning until the pool is empty", (2, 2), _long_run,
     "The same until all {n_pool:,} crystals of the pool are labelled; the error on the remaining "
     f"pool while at least {LEAST_LEFT} are left. {{seeds}}"),
    ("training.png", "Training history (Fig. 6)", (1, 2), _training,
     "Mean absolute error of each epoch while training, and on the crystals that choose the epoch. "
     "Left: the network of the initial set. Right: the network of row 2.5, which starts from that "
     "one. One seed."),
    ("likelihood_map.png", "The likelihood of the hyper-parameters", (2, 2), _likelihood_map,
     "Log likelihood of the Laplacian kernel below its best, in nats, over the amplitude a "
     "({unit}) and the length l (unit of the features), pipeline of the paper, {n_train:,} labels, "
     "no noise, one seed. Top: marginal likelihood, with the paths from 9 starts by Adam (rate "
     "0.01 in log a and log l, 10,000 steps; circles: after 100, which the paper's code takes "
     "unless told otherwise), and from three by L-BFGS. Bottom: likelihood of leave-one-out "
     "predictions of the crystals that the network has not trained on. The dotted line is a^2 / l "
     "= const through the best point; the cross is the paper's."),
)
# fmt: on
