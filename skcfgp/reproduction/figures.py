"""The figures of the paper, drawn from a run, each with its caption."""

import numpy as np

from .active import cycles_of_paper
from .hyperparameters import ADAM_STEPS, FEATURES, OBJECTIVES, STARTS
from .settings import PAPER
from .table_learning import LEAST_LEFT
from .trials import MAIN, RECIPES, load_trial, trial_names

__all__ = ["draw_figures"]

DPI = 110
TITLES = {"paper": "pipeline of the paper", "recommended": "recommended pipeline"}
BY = {"marginal_likelihood": "marginal", "leave_one_out": "predictive"}


def draw_figures(data, settings, results, folder):
    """Draw all figures.

    Parameters
    ----------
    data : Data
    settings : Settings
    results : dict
    folder : Path
        It exists.

    Returns
    -------
    list of (str, str, str)
        File name, title and caption of each, in the order of the paper.
    """
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
        captions.append((name, title, caption))
    return captions


def _figure(rows, columns, width=5.2, height=4.4):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _add_title(ax, text):
    ax.set_title(f"{text}\n{ax.get_title()}".strip(), fontsize="medium")


def _test(data, results, recipe):
    trial = load_trial(data, results, MAIN)
    rows = data.test
    return data.y[rows], trial.mean[recipe][rows], trial.std[recipe][rows]


def _fitted_on(results):
    return f"processes fitted on {len(results[MAIN]['initial']):,} labels"


def _latent_map(data, settings, results):
    from ..displays import LatentMapDisplay

    found = results["latent_structure"]
    y = data.y[found["rows"]]
    figure, axes = _figure(1, 2)
    for ax, recipe in zip(axes[0], RECIPES, strict=True):
        embedding = found[f"embedding_{recipe}"]
        LatentMapDisplay(embedding, y, name=data.target_name, unit=data.unit).plot(ax)
        _add_title(ax, TITLES[recipe])
    n_features = {recipe: results[MAIN][f"X_{recipe}"].shape[1] for recipe in RECIPES}
    return figure, (
        f"t-SNE of the {n_features['paper']} activations (left) and of the "
        f"{n_features['recommended']} features of the recommended pipeline (right), of the "
        f"{len(y):,} crystals of pool and test set, which the network has not trained on; one "
        "seed. The axes have no unit."
    )


def _parity(data, settings, results):
    from ..displays import ParityDisplay

    figure, axes = _figure(1, 2)
    for ax, recipe in zip(axes[0], RECIPES, strict=True):
        numbers = _test(data, results, recipe)
        ParityDisplay.from_predictions(*numbers, ax=ax, name=data.target_name, unit=data.unit)
        _add_title(ax, TITLES[recipe])
    return figure, (
        f"Predictions of the {len(data.test):,} crystals of the fixed test set with error bars of "
        f"2 sigma, {_fitted_on(results)}; one seed."
    )


def _error_bars(data, settings, results):
    from ..displays import ErrorBarDisplay, ResidualDisplay

    figure, axes = _figure(2, 2)
    for row, recipe in zip(axes, RECIPES, strict=True):
        numbers = _test(data, results, recipe)
        ErrorBarDisplay.from_predictions(
            *numbers,
            ax=row[0],
            name=data.target_name,
            unit=data.unit,
            random_state=settings.random_state,
        )
        ResidualDisplay.from_predictions(
            *numbers, ax=row[1], labels=data.formulas[data.test], unit=data.unit
        )
        for ax in row:
            _add_title(ax, TITLES[recipe])
    return figure, (
        "Error bars of crystals of the test set drawn at random (left), and the absolute residual "
        f"of all {len(data.test):,} against sigma, the four worst by name (right); "
        f"{_fitted_on(results)}, one seed."
    )


def _calibration(data, settings, results):
    from ..displays import CalibrationCurveDisplay

    figure, axes = _figure(1, 1, width=5.6, height=5.2)
    for recipe in RECIPES:
        numbers = _test(data, results, recipe)
        CalibrationCurveDisplay.from_predictions(*numbers, name=TITLES[recipe], ax=axes[0, 0])
    return figure, (
        f"Fraction of the {len(data.test):,} crystals of the test set inside central intervals, "
        f"against their probability; {_fitted_on(results)}, one seed."
    )


def _curves(data, settings, results, recipe, metric, n):
    """Learning curves as the display wants them."""
    import pandas as pd

    curves = {"max-std": [], "random": []}
    for name in trial_names(settings):
        run = results[f"active_{name}"]
        for label, key in (("max-std", "max_std"), ("random", "random")):
            for curve in np.atleast_2d(run[f"{key}_{recipe}_{metric}"])[:, : n + 1]:
                n_labelled = run["n_initial"] + np.arange(len(curve))
                curves[label].append(pd.DataFrame({"n_labelled": n_labelled, metric: curve}))
    return curves


def _draw_curves(data, settings, results, n_by_metric):
    from ..displays import LearningCurveDisplay

    figure, axes = _figure(2, 2)
    for row, recipe in zip(axes, RECIPES, strict=True):
        for ax, (metric, n) in zip(row, n_by_metric.items(), strict=True):
            curves = _curves(data, settings, results, recipe, metric, n)
            LearningCurveDisplay.from_simulations(curves, metric=metric, unit=data.unit, ax=ax)
            _add_title(ax, TITLES[recipe])
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
        f"cycles (the paper: 1,500 of 7,195). Left: the error on what is left of the pool, the "
        f"paper's protocol, which gets easier when the hard crystals leave; right: on the fixed "
        f"test set of {len(data.test):,}. {_seeds(settings)}"
    )


def _long_run(data, settings, results):
    n = len(data.pool)
    last = max(n - LEAST_LEFT, cycles_of_paper(n))  # of a pool of less than that, the paper's share
    figure = _draw_curves(data, settings, results, {"mae_pool": last, "mae_test": n})
    return figure, (
        f"The same until all {n:,} crystals of the pool are labelled; the error on the remaining "
        f"pool while at least {LEAST_LEFT} are left. {_seeds(settings)}"
    )


def _training(data, settings, results):
    from ..displays import TrainingHistoryDisplay

    figure, axes = _figure(1, 2)
    history, best = _first_history(data, results)
    TrainingHistoryDisplay.from_history(history, best_epoch=best, unit=data.unit, ax=axes[0, 0])
    axes[0, 0].set_title("the network of the initial set", fontsize="medium")
    enlarged = results["enlarged"]
    TrainingHistoryDisplay.from_history(enlarged["history"], unit=data.unit, ax=axes[0, 1])
    title = f"the same, going on with {enlarged['n_labelled']:,} labels"
    axes[0, 1].set_title(title, fontsize="medium")
    return figure, (
        "Mean absolute error of each epoch while training, and on the crystals that choose the "
        "epoch. Left: the network of the initial set. Right: the network of row 2.5, which starts "
        "from that one. One seed."
    )


def _first_history(data, results):
    if "network_0" in results:
        return results["network_0"]["history"], None
    from ..network import load_network

    training = load_network(data.network).card["training"]
    return training["history"], training["best_epoch"]


def _likelihood_map(data, settings, results):
    found = results["sensitivity"]
    objectives = [m for m in range(len(OBJECTIVES)) if f"map_0_{m}" in found]
    figure, axes = _figure(len(objectives), 2)
    for k, features in enumerate(FEATURES):
        for m in objectives:
            ax = axes[m, k]
            _draw_map(ax, found, k, m)
            title = f"{features} features, {BY[OBJECTIVES[m]]} likelihood"
            ax.set_title(title, fontsize="medium")
            ax.set_ylabel(f"amplitude a ({data.unit})" if data.unit else "amplitude a")
    n = len(results[MAIN]["initial"])
    return figure, (
        "Log likelihood of the Laplacian kernel below its best, in nats, over the amplitude a "
        f"({data.unit or 'unit of the labels'}) and the length l (unit of the features), pipeline "
        f"of the paper, {n:,} labels, no noise, one seed. Top: marginal likelihood, with the paths "
        f"from {len(STARTS)} starts by Adam (rate 0.01 in log a and log l, {ADAM_STEPS[-1]:,} "
        "steps; circles: after 100, which the paper's code takes unless told otherwise), and from "
        "three by L-BFGS. Bottom: likelihood of leave-one-out predictions of the crystals that the "
        "network has not trained on. The dotted line is a^2 / l = const through the best point; "
        "the cross is the paper's."
    )


def _draw_map(ax, found, k, m):
    from matplotlib.colors import LogNorm

    a, length = np.exp(found[f"log_a_{k}"]), np.exp(found[f"log_l_{k}"])
    below = np.maximum(-found[f"map_{k}_{m}"].astype(float), 0.1)
    levels = [0.1, 1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 1e5, 1e7]
    norm = LogNorm(0.1, 1e5)
    filled = ax.contourf(length, a, below, levels=levels, norm=norm, cmap="viridis_r", extend="max")
    bar = ax.figure.colorbar(filled, ax=ax, ticks=[0.1, 1, 10, 100, 1e3, 1e4, 1e5])
    bar.set_label("nats below the best")
    bar.ax.set_yticklabels(["0", "1", "10", "100", "1,000", "10,000", "100,000"])
    best = np.exp(found[f"best_{k}_{m}"][:2])
    ax.plot(length, best[0] * np.sqrt(length / best[1]), "k:", lw=1, label=r"$a^2 / l$ = const")
    if not m:
        for number in range(len(STARTS)):
            first = not number
            adam = np.exp(found[f"adam_{k}_{number}"])
            ax.plot(*adam[:, ::-1].T, "-", color="w", lw=1, label="Adam" if first else None)
            if STARTS[number][0] == STARTS[number][1]:
                climb = np.exp(found[f"lbfgs_{k}_{number}"])
                line = {"color": "tab:red", "lw": 0.8, "ls": "--", "marker": ".", "ms": 3}
                ax.plot(*climb[:, ::-1].T, label="L-BFGS" if first else None, **line)
            ends = found[f"ends_{k}"]["Adam, 100 steps"][number]
            label = "Adam, 100 steps" if first else None
            point = {"color": "w", "ms": 4, "mec": "k", "mew": 0.5, "ls": "none"}
            ax.plot(ends["length_scale"], ends["amplitude"], "o", label=label, **point)
    ax.plot(best[1], best[0], "k*", ms=9, ls="none", label="best")
    ax.plot(PAPER["length_scale"], PAPER["amplitude"], "kx", ls="none", label="paper's oxides")
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(length[0], length[-1]),
        ylim=(a[0], a[-1]),
        xlabel="length l (unit of the features)",
    )
    ax.legend(fontsize="x-small", loc="lower right", facecolor="0.8")
