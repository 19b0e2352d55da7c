"""Rows 5 to 7: what labels are worth, the paper's future work, and what it all costs."""

import os
import platform
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_random_state

from ..active_learning.simulation import simulate
from ..datasets import load_dielectric, load_elastic
from ..features.composition import CompositionFeaturizer
from ..features.megnet import LAYERS, MEGNetFeaturizer
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from ..models.cfgp import make_cfgp
from ..network import Architecture, MEGNet, train
from ..query import greedy_max_std, max_std, random_sampling, spaced_max_std
from .hyperparameters import OBJECTIVES, quality
from .settings import PAPER
from .trials import DISTANCE_NOISE, RECIPES, load_trial, load_trials, trial_names, weights_of

__all__ = [
    "ADVANTAGE", "LEAST_LEFT", "METRICS", "PROPERTIES", "active_learning", "advantage", "batches",
    "calibrated_query", "cost", "cycles_of_paper", "end_of_advantage", "gains", "kernels",
    "labels_to_reach", "layers", "scarce_properties", "synthetic_vectors",
]  # fmt: skip

METRICS = ("mae_pool", "mae_test")
#: Crystals that must be left for an error on the remaining pool to mean something.
LEAST_LEFT = 50
ADVANTAGE = 0.01
#: Cut-offs between the members of a batch, in kernel lengths. The length may be much longer than
#: any distance; the query then halves it until enough crystals qualify.
SPACINGS = (1.0, 0.01)
#: One row of so many is used for the hyper-parameters, where kernels are compared.
EVERY = 3
#: It has seen formation energies of such crystals, but no refractive index and no modulus.
SCARCE_NETWORK = "Eform_MP_2019"
#: Name and unit of each scarce property.
PROPERTIES = {"refractive index": "", "log10 bulk modulus": " log10 GPa"}


def cycles_of_paper(n_pool, n_cycles=PAPER["n_cycles"]):
    """Return as many cycles as are the same share of the pool as the paper's."""
    return max(1, round(n_pool * n_cycles / PAPER["n_pool"]))


def active_learning(settings, data, results, *, name):
    """Stage: max-std and random choice from one initial set, until the pool is empty."""
    trial = load_trial(data, results, name)
    n_pool, curves, records = len(trial.pool), [], []
    shares = {"paper": cycles_of_paper(n_pool)}
    shares["long run"] = cycles_of_paper(n_pool, PAPER["n_cycles_long"])
    states = settings.random_state + 100 * np.arange(settings.orders)
    for recipe in RECIPES:
        gp, y, scale = trial.process(recipe)
        table = _curves(gp, trial.X(recipe), y, states, **trial.sets)
        table[[*METRICS]] *= scale
        curves.append(table.assign(recipe=recipe))
        for metric in METRICS:
            for share, n in shares.items():
                key = {"trial": name, "recipe": recipe, "metric": metric, "share": share}
                records.append(key | gains(*_by_strategy(table, metric), n))
    facts = {"n_share": shares["paper"], "n_long": shares["long run"]}
    curves = pd.concat(curves, ignore_index=True)
    return {"records": {"active": records}, "facts": facts, "curves": curves}


def _curves(gp, X, y, states, **options):
    """Simulate max-std, and random choice with each random state; one long table."""
    runs = [("max-std", 0, simulate(gp, X, y, query_strategy=max_std, **options))]
    options |= {"query_strategy": random_sampling}
    for order, state in enumerate(states):
        runs.append(("random", order, simulate(gp, X, y, random_state=int(state), **options)))
    columns = ["n_labelled", *METRICS]
    tables = [run[columns].assign(strategy=name, order=order) for name, order, run in runs]
    return pd.concat(tables, ignore_index=True)


def _by_strategy(curves, metric):
    """Return the curve of max-std, and those of random choice, (n_orders, n_cycles + 1)."""
    table = curves.pivot(index=["strategy", "order"], columns="n_labelled", values=metric)
    return table.loc["max-std"].to_numpy()[0], table.loc["random"].to_numpy()


def labels_to_reach(curve, value):
    """Count the labels, at least 1, after which a curve is first at `value` or below, or None."""
    reached = np.flatnonzero(np.asarray(curve)[1:] <= value)
    return int(reached[0]) + 1 if len(reached) else None


def gains(active, random, n):
    """Compare a curve with the mean of random ones after n labels.

    ``lower`` is the part by which the error is lower than at random; ``factor`` the enhancement,
    MAE_random / MAE_active; ``n_parity`` the labels with which the error of n random ones is
    reached, or None; ``acceleration`` n / n_parity.
    """
    reference = random.mean(axis=0)
    parity = labels_to_reach(active, reference[n])
    return {
        "active": float(active[n]),
        "random": float(reference[n]),
        "lower": float(1 - active[n] / reference[n]),
        "factor": float(reference[n] / active[n]),
        "n_parity": parity,
        "acceleration": None if parity is None else n / parity,
    }


def advantage(settings, data, results):
    """Stage: with how many labels the error, in the mean over trials, is last lower than random."""
    records = []
    runs = [results[f"active_{name}"]["curves"] for name in trial_names(settings)]
    for recipe in RECIPES:
        for metric in METRICS:
            pairs = [_by_strategy(run[run["recipe"] == recipe], metric) for run in runs]
            last = end_of_advantage(*zip(*pairs, strict=True))
            records.append({"recipe": recipe, "metric": metric, "last": last})
    return {"records": {"advantage": records}}


def end_of_advantage(active, random):
    """Return the last number of labels with an error lower by `ADVANTAGE`, or None.

    `active` and `random` are sequences over trials; at least `LEAST_LEFT` crystals are left.
    """
    active = np.mean(active, axis=0)
    random = np.mean([curves.mean(axis=0) for curves in random], axis=0)
    lower = 1 - active[1:-LEAST_LEFT] / random[1:-LEAST_LEFT]
    better = np.flatnonzero(lower >= ADVANTAGE)
    return int(better[-1]) + 1 if len(better) else None


def batches(settings, data, results):
    """Stage: batches of largest standard deviations, conditioned ones and spaced ones."""
    n = cycles_of_paper(len(data.pool))
    size = max(2, n // settings.n_batches)
    strategies = {"largest": max_std, "conditioned": greedy_max_std}
    strategies |= {f"spaced {s:g} l": partial(spaced_max_std, spacing=s) for s in SPACINGS}
    options = {"n_cycles": n // size, "n_instances": size}
    records = []
    for trial in load_trials(settings, data, results):
        gp, y, scale = trial.process("paper")
        for strategy, query in strategies.items():
            run = simulate(gp, trial.X(), y, **trial.sets, **options, query_strategy=query)
            errors = {metric: float(scale * run[metric].iloc[-1]) for metric in METRICS}
            records.append({"trial": trial.name, "strategy": strategy} | errors)
    facts = {"batch_size": size, "n_batches": n // size}
    return {"records": {"batches": records}, "facts": facts}


def kernels(settings, data, results):
    """Stage: kernels by marginal likelihood, with white noise, on the test set.

    The hyper-parameters are found on every third row of the initial set, since those of the
    kernels that only scikit-learn's search knows take minutes on all.
    """
    noise, bounds = WhiteKernel(1e-3, (1e-8, 1e1)), {"length_scale_bounds": (1e-3, 1e5)}
    records = []
    for trial in load_trials(settings, data, results):
        X = trial.X().astype(float)
        length = float(np.sqrt(X[trial.initial].var(axis=0).sum()))
        scale = ConstantKernel(1.0, (1e-3, 1e5))
        for name, kernel in {
            "Laplacian": Laplacian() + noise,
            "Matern 3/2": scale * Matern(length, nu=1.5, **bounds) + noise,
            "RBF": scale * RBF(length, **bounds) + noise,
        }.items():
            found = _fit_and_score(kernel, X, trial, EVERY)
            records.append({"trial": trial.name, "kernel": name} | found)
    return {"records": {"kernels": records}}


def _fit_and_score(kernel, X, trial, every=1):
    rows = trial.initial[::every]
    gp = GaussianProcessRegressor(kernel, normalize_y=True).fit(X[rows], trial.y[rows])
    if every > 1:
        gp = GaussianProcessRegressor(gp.kernel_, optimizer=None, normalize_y=True)
        gp.fit(X[trial.initial], trial.y[trial.initial])
    found = quality(trial.y[trial.test], *gp.predict(X[trial.test], return_std=True))
    return found | {"fitted": str(gp.kernel_)}


def layers(settings, data, results, *, folder):
    """Stage: other layers of the network, with the kernel of the paper, on the test set."""
    records = []
    for trial in load_trials(settings, data, results):
        weights = weights_of(data, trial.network, folder)
        for label, layer in [*zip(LAYERS, LAYERS, strict=True), ("all three", list(LAYERS))]:
            featurizer = MEGNetFeaturizer(weights, layer=layer).fit(data.structures[:1])
            X = featurizer.transform(data.structures).astype(float)
            found = _fit_and_score(Laplacian(), X, trial)
            records.append({"trial": trial.name, "layer": label} | found)
    return {"records": {"layers": records}}


def calibrated_query(settings, data, results):
    """Stage: max-std with hyper-parameters by predictive likelihood instead of marginal likelihood.

    Multiplying all standard deviations by a number changes no choice, so a better calibrated query
    needs another length. The same process, that of predictive likelihood, learns the choices of
    each.
    """
    n, records = cycles_of_paper(len(data.pool)), []
    for trial in load_trials(settings, data, results):
        X, unseen, chosen = trial.X().astype(float), trial.unseen_mask, []
        predictive = GaussianProcessRegressor(Laplacian(), objective="leave_one_out")
        known = X[trial.initial], trial.y[trial.initial]
        kernel = predictive.fit(*known, unseen if unseen.any() else None).kernel_
        for objective, asker in zip(OBJECTIVES, (trial.kernel("paper"), kernel), strict=True):
            gp = GaussianProcessRegressor(asker, optimizer=None)
            run = simulate(gp, X, trial.y, **trial.sets, n_cycles=n, query_strategy=max_std)
            rows = np.array([row for (row,) in run["indices"][1:]])
            chosen.append(set(rows.tolist()))
            labelled = np.concatenate([trial.initial, rows])
            learner = GaussianProcessRegressor(kernel, optimizer=None)
            error = np.abs(learner.fit(X[labelled], trial.y[labelled]).predict(X) - trial.y)
            left = np.setdiff1d(trial.pool, rows)
            errors = {"mae_pool": error[left].mean(), "mae_test": error[trial.test].mean()}
            same = 100 * len(chosen[0] & chosen[-1]) / n  # as by the first objective
            key = {"trial": trial.name, "objective": objective, "same_percent": same}
            records.append(key | errors)
    return {"records": {"calibrated_query": records}}


def scarce_properties(settings, data, results):
    """Stage: accuracy and active learning on properties with a thousand labels.

    A fifth, at random, a seed, is the test set; 200 of the others are the initial set of active
    learning, which goes on for the paper's share of the rest.
    """
    elastic, dielectric = load_elastic(structures="arrays"), load_dielectric(structures="arrays")
    sources = {
        "refractive index": (dielectric.structures, dielectric.target),
        "log10 bulk modulus": (elastic.structures, np.log10(elastic.target)),
    }
    found = {"scarce": [], "scarce_learning": []}
    for name, (structures, y) in sources.items():
        if settings.n_initial is not None:  # a smaller run
            keep = check_random_state(settings.random_state).permutation(len(y))
            keep = np.sort(keep[: max(150, settings.n_initial)])
            structures, y = structures[keep], y[keep]
        featurizer = MEGNetFeaturizer(SCARCE_NETWORK, layer="set2set", on_error="nan")
        usable = np.isfinite(featurizer.fit(structures).transform(structures)).all(axis=1)
        structures, y = structures[usable], y[usable]
        splits = ShuffleSplit(settings.seeds, test_size=0.2, random_state=settings.random_state)
        for seed, split in enumerate(splits.split(y)):
            for table, rows in _of_split(settings, structures, y, *split, seed).items():
                key = {"property": name, "trial": trial_names(settings)[seed]}
                found[table] += [key | row for row in rows]
    return {"records": found}


def _of_split(settings, structures, y, train, test, seed):
    order = np.random.RandomState(settings.random_state + seed).permutation(train)
    initial, pool = np.split(order, [min(200, len(order) // 2)])
    n, learning = cycles_of_paper(len(pool)), []
    composition = CompositionFeaturizer(("mean", "deviation", "minimum", "maximum", "cell"))
    C = composition.fit_transform(structures)
    trees = ExtraTreesRegressor(300, random_state=settings.random_state).fit(C[train], y[train])
    mae = {"mean of the labels": np.abs(y[train].mean() - y[test]).mean()}
    mae["trees on composition"] = np.abs(trees.predict(C[test]) - y[test]).mean()
    sets = {"initial": initial, "pool": pool, "test": test, "n_cycles": n}
    z = (y - y[train].mean()) / y[train].std()
    for recipe in RECIPES:
        cfgp = make_cfgp(SCARCE_NETWORK, recipe=recipe, random_state=settings.random_state)
        X = cfgp[:-1].fit(structures[train]).transform(structures)
        gp = cfgp[-1].set_params(normalize_y=False).fit(X[train], z[train])
        mae[recipe] = y[train].std() * np.abs(gp.predict(X[test]) - z[test]).mean()
        fixed = GaussianProcessRegressor(gp.fit(X[initial], z[initial]).kernel_, optimizer=None)
        curves = _curves(fixed, X, z, 100 * np.arange(settings.orders), **sets)
        for metric in METRICS:
            found = gains(*_by_strategy(curves, metric), n)
            learning.append({"recipe": recipe, "metric": metric} | found)
    errors = [{"model": model, "mae": error} for model, error in mae.items()]
    return {"scarce": errors, "scarce_learning": learning}


def synthetic_vectors(n, random_state=None):
    """Make n vectors of the shape of latent ones, 32 wide and clustered, and a smooth target."""
    rng = check_random_state(random_state)
    centres = rng.gamma(2.0, 0.4, size=(200, 32))
    X = np.abs(centres[rng.randint(200, size=n)] + 0.15 * rng.normal(size=(n, 32)))
    return X, np.sin(X[:, :8]).sum(axis=1)


def cost(settings, data, results):
    """Stage: training, hyper-parameters, and 6,000 cycles with the error on pool and test set.

    Training is an epoch, measured, times the number of epochs; the other two are measured on
    synthetic vectors at the paper's sizes.
    """
    sizes = [round(PAPER[f"n_{part}"] * settings.cost_scale) for part in ("train", "pool", "test")]
    n_cycles = round(PAPER["n_cycles_long"] * settings.cost_scale)
    X, y = synthetic_vectors(sum(sizes), settings.random_state)
    initial, pool, test = np.split(np.arange(len(y)), np.cumsum(sizes[:2]))
    sets = {"initial": initial, "pool": pool, "test": test, "n_cycles": n_cycles}
    gp, fit = _timed(GaussianProcessRegressor().fit, X[initial], y[initial])
    fixed = GaussianProcessRegressor(gp.kernel_, optimizer=None)
    _, loop = _timed(simulate, fixed, X, y, query_strategy=max_std, **sets)
    trained = [found for name, found in results.items() if name.startswith("network_")]
    # Other work on the machine can only make an epoch longer.
    epochs = [found["seconds_per_epoch"] for found in trained] or [_seconds_per_epoch(data)]
    training = {"seconds": min(epochs) * settings.epochs, "processor_seconds": None}
    facts = {
        "training_how": "measured" if trained else "one epoch measured, times epochs",
        "epochs": settings.epochs,
        "cost_cycles": n_cycles,
        "cost_sizes": f"{sizes[0]:,} labels, pool {sizes[1]:,}, synthetic vectors",
        "machine": f"{_processor()}, {os.cpu_count()} processors visible",
    }
    steps = {"training": training, "hyperparameters": fit, "loop": loop}
    records = [{"step": step} | times for step, times in steps.items()]
    return {"records": {"cost": records}, "facts": facts}


def _timed(work, *args, **options):
    start = time.perf_counter(), time.process_time()
    result = work(*args, **options)
    wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    return result, {"seconds": wall, "processor_seconds": processor}


def _seconds_per_epoch(data):
    """Time epochs on the initial set, after the first one, in which the step is compiled."""
    network, times = MEGNet.initialize(Architecture(), 0), []
    train(
        network,
        [network.graph(structure) for structure in data.structures[data.train]],
        data.y[data.train],
        epochs=3,
        distance_noise=DISTANCE_NOISE,
        random_state=0,
        on_epoch=lambda epoch, history: times.append(time.perf_counter()),
    )
    return float(np.mean(np.diff(times)))


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()
