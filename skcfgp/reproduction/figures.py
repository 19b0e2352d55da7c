"""The figures of the paper, drawn from a run, each with its caption."""

from itertools import product

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ..displays import (
    CalibrationCurveDisplay,
    ErrorBarDisplay,
    LatentMapDisplay,
    LearningCurveDisplay,
    ParityDisplay,
    ResidualDisplay,
    TrainingHistoryDisplay,
)
from ..network import load_network
from .hyperparameters import ADAM_STEPS, FEATURES, STARTS
from .learning import LEAST_LEFT, METRICS, cycles_of_paper
from .settings import PAPER
from .trials import MAIN, RECIPES, load_trial, trial_names

__all__ = ["draw_figures"]

DPI = 110
TITLES = {"paper": "pipeline of the paper", "recommended": "recommended pipeline"}
BY = {"marginal_likelihood": "marginal", "leave_one_out": "predictive"}
LEVELS = [0.1, 1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 1e5, 1e7]  # nats


def draw_figures(data, settings, results, folder):
    """Draw all figures and return file name, title and caption of each, as records."""
    captions = []
    for name, title, draw in (
        ("latent_map.png", "Latent space (Fig. 2)", _latent_map),
        ("parity.png", "Parity on the test set (Fig. 3)", _parity),
        ("error_bars.png", "Error bars, and residual against sigma (Fig. 4)", _error_bars),
        ("calibration.png", "Calibration curves", _calibration),
        ("learning_curves.png", "Active learning (Fig. 5)", _learning_curves),
        ("long_run.png", "Active learning until the pool is empty", _long_run),
        ("training.png", "Training history (Fig. 6)", _training),
        ("likelihood_map.png", "The likelihood of the hyper-parameters", _likelihood_map),
    ):
        figure, caption = draw(data, settings, results)
        figure.savefig(folder / name, dpi=DPI)
        captions.append({"file": name, "title": title, "caption": caption})
    return captions


def _figure(rows, columns, width=5.2, height=4.4):
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _add_title(ax, recipe):
    ax.set_title(f"{TITLES[recipe]}\n{ax.get_title()}".strip(), fontsize="medium")


def _tested(data, results):
    """Labels, means and standard deviations of the test set, by recipe."""
    trial = load_trial(data, results, MAIN)
    return {recipe: trial.tested(recipe) for recipe in RECIPES}


def _fitted_on(data):
    return f"processes fitted on {len(data.train):,} labels"


def _latent_map(data, settings, results):
    figure, axes = _figure(1, 2)
    maps = results["latent_structure"]["maps"]
    for ax, (recipe, found) in zip(axes[0], maps.items(), strict=True):
        plane, y = found["plane"], found["y"]
        LatentMapDisplay(plane, y, name=data.target_name, unit=data.unit).plot(ax)
        _add_title(ax, recipe)
    width = {recipe: fit["X"].shape[1] for recipe, fit in results[MAIN]["fits"].items()}
    return figure, (
        f"t-SNE of the {width['paper']} activations (left) and of the {width['recommended']} "
        f"features of the recommended pipeline (right), of the {len(y):,} crystals of "
        "pool and test set, which the network has not trained on; one seed. The axes have no unit."
    )


def _parity(data, settings, results):
    figure, axes = _figure(1, 2)
    for ax, (recipe, numbers) in zip(axes[0], _tested(data, results).items(), strict=True):
        ParityDisplay.from_predictions(*numbers, ax=ax, name=data.target_name, unit=data.unit)
        _add_title(ax, recipe)
    return figure, (
        f"Predictions of the {len(data.test):,} crystals of the fixed test set with error bars of "
        f"2 sigma, {_fitted_on(data)}; one seed."
    )


def _error_bars(data, settings, results):
    figure, axes = _figure(2, 2)
    named = {"name": data.target_name, "random_state": settings.random_state}
    for row, (recipe, numbers) in zip(axes, _tested(data, results).items(), strict=True):
        ErrorBarDisplay.from_predictions(*numbers, ax=row[0], unit=data.unit, **named)
        labels = data.formulas[data.test]
        ResidualDisplay.from_predictions(*numbers, ax=row[1], labels=labels, unit=data.unit)
        for ax in row:
            _add_title(ax, recipe)
    return figure, (
        "Error bars of crystals of the test set drawn at random (left), and the absolute residual "
        f"of all {len(data.test):,} against sigma, the four worst by name (right); "
        f"{_fitted_on(data)}, one seed."
    )


def _calibration(data, settings, results):
    figure, axes = _figure(1, 1, width=5.6, height=5.2)
    for recipe, numbers in _tested(data, results).items():
        CalibrationCurveDisplay.from_predictions(*numbers, name=TITLES[recipe], ax=axes[0, 0])
    return figure, (
        f"Fraction of the {len(data.test):,} crystals of the test set inside central intervals, "
        f"against their probability; {_fitted_on(data)}, one seed."
    )


def _draw_curves(data, settings, results, n_by_metric):
    figure, axes = _figure(2, 2)
    runs = [results[f"active_{name}"]["curves"] for name in trial_names(settings)]
    for ax, (recipe, metric) in zip(axes.flat, product(RECIPES, METRICS), strict=True):
        curves = {"max-std": [], "random": []}
        for run in runs:
            chosen = run[run["recipe"] == recipe]
            for (strategy, _), curve in chosen.groupby(["strategy", "order"]):
                curves[strategy].append(curve[["n_labelled", metric]][: n_by_metric[metric] + 1])
        LearningCurveDisplay.from_simulations(curves, metric=metric, unit=data.unit, ax=ax)
        _add_title(ax, recipe)
    return figure


def _seeds(settings):
    how = (
        "each with its own network and its own draw of initial set and pool"
        if settings.retrain
        else "each nine tenths of the crystals that the one network was given"
    )
    return (
        f"Lines are medians over {settings.seeds} seeds of the initial set ({how}) and, for "
        f"random, {settings.orders} orders of each; bands go from the lowest to the highest."
    )


def _learning_curves(data, settings, results):
    n = cycles_of_paper(len(data.pool))
    figure = _draw_curves(data, settings, results, {"mae_pool": n, "mae_test": n})
    return figure, (
        f"One crystal a cycle, network and hyper-parameters fixed, {n:,} of {len(data.pool):,} "
        "cycles (the paper: 1,500 of 7,195). Left: the error on what is left of the pool, the "
        "paper's protocol, which gets easier when the hard crystals leave; right: on the fixed "
        f"test set of {len(data.test):,}. {_seeds(settings)}"
    )


def _long_run(data, settings, results):
    n = len(data.pool)
    last = max(n - LEAST_LEFT, cycles_of_paper(n))  # in a smaller pool, the paper's share of it
    figure = _draw_curves(data, settings, results, {"mae_pool": last, "mae_test": n})
    return figure, (
        f"The same until all {n:,} crystals of the pool are labelled; the error on the remaining "
        f"pool while at least {LEAST_LEFT} are left. {_seeds(settings)}"
    )


def _training(data, settings, results):
    figure, axes = _figure(1, 2)
    if "network_0" in results:
        history, best = results["network_0"]["history"], None
    else:
        training = load_network(data.network).card["training"]
        history, best = training["history"], training["best_epoch"]
    unit, (left, right) = data.unit, axes[0]
    TrainingHistoryDisplay.from_history(history, best_epoch=best, unit=unit, ax=left)
    left.set_title("the network of the initial set", fontsize="medium")
    enlarged = results["enlarged"]
    TrainingHistoryDisplay.from_history(enlarged["history"], unit=unit, ax=right)
    n = enlarged["facts"]["n_enlarged"]
    right.set_title(f"the same, trained on with {n:,} labels", fontsize="medium")
    return figure, (
        "Mean absolute error of each epoch while training, and on the crystals that choose the "
        "epoch. Left: the network of the initial set. Right: the network of row 2.5, which starts "
        "from that one. One seed."
    )


def _likelihood_map(data, settings, results):
    surfaces = results["sensitivity"]["surfaces"]
    objectives = list(surfaces["raw"]["maps"])
    figure, axes = _figure(len(objectives), 2)
    for ax, (objective, features) in zip(axes.flat, product(objectives, FEATURES), strict=True):
        surface = surfaces[features]
        _draw_map(ax, surface, **surface["maps"][objective])
        if objective == objectives[0]:
            _draw_paths(ax, surface["paths"])
        ax.plot(PAPER["length_scale"], PAPER["amplitude"], "kx", ls="none", label="paper's oxides")
        ax.set_title(f"{features} features, {BY[objective]} likelihood", fontsize="medium")
        ax.set_ylabel(f"amplitude a ({data.unit})" if data.unit else "amplitude a")
        ax.legend(fontsize="x-small", loc="lower right", facecolor="0.8")
    return figure, (
        "Log likelihood of the Laplacian kernel below its best, in nats, over the amplitude a "
        f"({data.unit or 'unit of the labels'}) and the length l (unit of the features), pipeline "
        f"of the paper, {len(data.train):,} labels, no noise, one seed. Top: marginal likelihood, "
        f"with the paths from {len(STARTS)} starts by Adam (rate 0.01 in log a and log l, "
        f"{ADAM_STEPS[-1]:,} steps; circles: after 100, which the paper's code takes unless told "
        "otherwise), and from three by L-BFGS. Bottom: likelihood of leave-one-out predictions of "
        "the crystals that the network has not trained on. The dotted line is a^2 / l = const "
        "through the best point; the cross is the paper's."
    )


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
