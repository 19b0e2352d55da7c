"""Rows 5 to 7: what labels are worth, the paper's future work, and what it all costs."""

import time
from functools import partial

import numpy as np
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
from sklearn.utils import check_random_state

from ..active_learning.simulation import simulate
from ..calibration import CalibratedRegressor
from ..features.megnet import LAYERS, MEGNetFeaturizer
from ..gaussian_process import PoolPosterior
from ..gaussian_process.greedy import first_of_largest
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from ..query import greedy_max_std, max_std, plan, random_sampling, spaced_max_std
from .hyperparameters import OBJECTIVES
from .settings import PAPER, batches_of_run, cycles_of_paper
from .trials import MAIN, RECIPES, load_trial, trial_names, weights_of

METRICS = ("mae_pool", "mae_test")
#: Crystals that must be left for an error on the remaining pool to mean something.
LEAST_LEFT = 50
#: Cut-offs between the members of a batch are in kernel lengths. The length may be much longer than
#: any distance; the query then halves it until enough crystals qualify.
BATCHES = {"largest": max_std, "conditioned": greedy_max_std}
BATCHES |= {f"spaced {s:g} l": partial(spaced_max_std, spacing=s) for s in (1.0, 0.01)}


def active_learning(settings, data, results, *, name):
    """Stage: max-std and random choice from one initial set, until the pool is empty."""
    trial, curves, records = load_trial(data, results, name), [], []
    states = settings.random_state + 100 * np.arange(settings.orders)
    for recipe in RECIPES:
        gp, y, scale = trial.process(recipe)
        runs = learning_curves(gp, trial.X(recipe), y, states, scale, **trial.sets)
        curves += [{"recipe": recipe} | run for run in runs]
        for metric in METRICS:
            for share, n in (("paper", "n_cycles"), ("long run", "n_cycles_long")):
                key = {"trial": name, "recipe": recipe, "metric": metric, "share": share}
                n = cycles_of_paper(len(trial.pool), PAPER[n])
                records.append(key | gains(runs, metric, n))
    return {"records": {"active": records}, "curves": curves}


def learning_curves(gp, X, y, states, scale=1.0, **options):
    """Simulate max-std, and random choice with each random state; a dict of columns for each."""
    queries = [("max-std", max_std, None)]
    queries += [("random", random_sampling, int(state)) for state in states]
    curves = []
    for strategy, query, state in queries:
        run = simulate(gp, X, y, query_strategy=query, random_state=state, **options)
        columns = {metric: scale * run[metric].to_numpy() for metric in METRICS}
        columns["n_labelled"] = run["n_labelled"].to_numpy()
        curves.append({"strategy": strategy, "order": state} | columns)
    return curves


def mean_curves(curves, metric, **where):
    """Return the mean curves of max-std and of random choice."""
    for strategy in ("max-std", "random"):
        chosen = [c for c in curves if all(c[k] == v for k, v in where.items())]
        yield np.mean([c[metric] for c in chosen if c["strategy"] == strategy], axis=0)


def gains(curves, metric, n):
    """Compare max-std with random choice by `compare`; with the range over the random orders."""
    active, random = mean_curves(curves, metric)
    orders = [c[metric][n] for c in curves if c["strategy"] == "random"]
    percent = [100 * (1 - float(active[n] / error)) for error in orders]
    found = compare(active, random, n)
    return found | {"percent_low": min(percent), "percent_high": max(percent)}


def compare(active, random, n):
    """Compare a curve with that of random choice after n labels, and to reach its error."""
    error, reference = float(active[n]), float(random[n])
    parity = first_at(active, reference)
    lower, acceleration = 1 - error / reference, None if parity is None else n / parity
    found = {"active": error, "random": reference, "factor": reference / error}
    found |= {"lower": lower, "percent": 100 * lower, "n_parity": parity}
    return found | {"acceleration": acceleration, "faster": acceleration and acceleration - 1}


def first_at(curve, error):
    """Return the least number of labels, at least 1, with such an error or a lower one, or None."""
    reached = np.flatnonzero(curve[1:] <= error)
    return int(reached[0]) + 1 if len(reached) else None


def advantage(settings, data, results):
    """Stage: the last share of the pool with an error, in the mean over trials, below random."""
    names, records = trial_names(settings), []
    curves = [curve for name in names for curve in results[f"active_{name}"]["curves"]]
    for recipe in RECIPES:
        lasts = (end_of_advantage(*mean_curves(curves, m, recipe=recipe)) for m in METRICS)
        shares = ("never" if last is None else f"{last / len(data.pool):.0%}" for last in lasts)
        records.append({"recipe": recipe} | dict(zip(METRICS, shares, strict=True)))
    return {"records": {"advantage": records}}


def end_of_advantage(active, random):
    """Return the last number of labels with an error lower by 1%, or None."""
    better = np.flatnonzero(1 - active[1:-LEAST_LEFT] / random[1:-LEAST_LEFT] >= 0.01)
    return int(better[-1]) + 1 if len(better) else None


def batches(settings, data, trial):
    """Yield the errors of batches of largest standard deviations, conditioned and spaced ones."""
    gp, y, _ = trial.process("paper")
    size, n = batches_of_run(settings, len(data.pool))
    for strategy, query in BATCHES.items():
        options = {"n_cycles": n, "n_instances": size, "query_strategy": query}
        last = simulate(gp, trial.X(), y, **trial.sets, **options).iloc[-1]
        yield "batches", {"strategy": strategy} | {metric: last[metric] for metric in METRICS}


def kernels(settings, data, trial):
    """Yield the scores of kernels by marginal likelihood, with white noise."""
    X = trial.X().astype(float)
    length = float(np.sqrt(X[trial.initial].var(axis=0).sum()))
    scale, noise = ConstantKernel(1.0, (1e-3, 1e5)), WhiteKernel(1e-3, (1e-8, 1e1))
    bounds = {"length_scale_bounds": (1e-3, 1e5)}
    for name, kernel in {
        "Laplacian": Laplacian() + noise,
        "Matern 3/2": scale * Matern(length, nu=1.5, **bounds) + noise,
        "RBF": scale * RBF(length, **bounds) + noise,
    }.items():
        gp = GaussianProcessRegressor(kernel, normalize_y=True)
        found = trial.fit_and_score(gp, X)
        yield "kernels", {"kernel": name, "fitted": str(gp.kernel_)} | found


def layers(settings, data, trial, *, folder):
    """Yield the scores of other layers of the network, with the kernel of the paper."""
    weights = weights_of(data, trial.network, folder)
    for name, layer in [*zip(LAYERS, LAYERS, strict=True), ("all three", list(LAYERS))]:
        featurizer = MEGNetFeaturizer(weights, layer=layer).fit(data.structures[:1])
        X = featurizer.transform(data.structures).astype(float)
        gp = GaussianProcessRegressor(Laplacian(), normalize_y=True)
        yield "layers", {"layer": name} | trial.fit_and_score(gp, X)


def calibrated_query(settings, data, trial):
    """Yield max-std by sigmas that are corrected in two ways; one process learns all choices.

    Hyper-parameters by predictive likelihood, and a factor for each crystal, the root mean square
    z-score of its twenty nearest labels.
    """
    n, X = cycles_of_paper(len(data.pool)), trial.X().astype(float)
    unseen, first = trial.unseen_mask if trial.unseen_mask.any() else None, None
    known = X[trial.initial], trial.y[trial.initial]
    predictive = GaussianProcessRegressor(Laplacian(), objective="leave_one_out")
    kernel = predictive.fit(*known, unseen).kernel_
    learner = GaussianProcessRegressor(kernel, optimizer=None)
    marginal = trial.process("paper")[0]
    local = CalibratedRegressor(marginal, n_neighbors=20, cv="leave_one_out").fit(*known, unseen)
    factor = local.local_scale_(X[trial.pool])
    for sigma, gp, weight in (
        (OBJECTIVES[0], marginal, None),
        (OBJECTIVES[1], learner, None),
        ("local", marginal, factor),
    ):
        picks = _picks(gp.fit(*known), X[trial.pool], n, weight)
        rows = trial.pool[picks]
        first = rows if first is None else first
        labelled = np.concatenate([trial.initial, rows])
        error = np.abs(learner.fit(X[labelled], trial.y[labelled]).predict(X) - trial.y)
        left = np.setdiff1d(trial.pool, rows)
        errors = {"mae_pool": error[left].mean(), "mae_test": error[trial.test].mean()}
        same = 100 * len(np.intersect1d(first, rows)) / n  # as by the first sigma
        yield "calibrated_query", {"sigma": sigma, "same_percent": same} | errors


def _picks(gp, X_pool, n, factor=None):
    """Return the rows of largest sigma, times a factor of each row, given those before."""
    if factor is None:
        return plan(gp, X_pool, n)[0]
    posterior, picks = PoolPosterior(gp, X_pool), []
    rows = np.arange(len(X_pool))
    for _ in range(n):
        place = first_of_largest(posterior.variance[posterior.left] * factor[rows] ** 2)
        picks.append(rows[place])
        posterior.condition_on(posterior.left[place])
        still = np.delete(np.arange(len(rows)), place)
        posterior.keep(still)
        rows = rows[still]
    return np.array(picks)


def synthetic_vectors(n, random_state=None):
    """Make n vectors of the shape of latent ones, 32 wide and clustered, and a smooth target."""
    rng = check_random_state(random_state)
    centres = rng.gamma(2.0, 0.4, size=(200, 32))
    X = np.abs(centres[rng.randint(200, size=n)] + 0.15 * rng.normal(size=(n, 32)))
    return X, np.sin(X[:, :8]).sum(axis=1)


def cost(settings, data, results):
    """Stage: processor time of training, hyper-parameters and 6,000 cycles.

    The vectors are synthetic ones in the paper's numbers, unless the data have as many.
    """
    names = ("n_train", "n_pool", "n_test", "n_cycles_long")
    *sizes, n_cycles = (round(PAPER[name] * settings.cost_scale) for name in names)
    trial = load_trial(data, results, MAIN)
    if real := [len(rows) for rows in trial.sets.values()] == sizes:
        X, y, sets = trial.X().astype(float), trial.y, trial.sets
    else:
        X, y = synthetic_vectors(sum(sizes), settings.random_state)
        parts = np.split(np.arange(len(y)), np.cumsum(sizes[:2]))
        sets = dict(zip(("initial", "pool", "test"), parts, strict=True))
    initial, start = sets["initial"], time.process_time()
    kernel = GaussianProcessRegressor().fit(X[initial], y[initial]).kernel_
    fitted = time.process_time()
    fixed = GaussianProcessRegressor(kernel, optimizer=None)
    simulate(fixed, X, y, query_strategy=max_std, n_cycles=n_cycles, **sets)
    times = {"hyperparameter": fitted - start, "loop": time.process_time() - fitted}
    # Seconds of an epoch, for each crystal: other work on the machine can only make it longer.
    epoch = min(result["epoch"] for result in results.values() if "epoch" in result)
    times["training"], records = epoch * len(data.train) * settings.epochs, []
    facts = {"epochs": settings.epochs, "cost_cycles": n_cycles}
    vectors = "features of this network" if real else "synthetic vectors"
    facts["cost_sizes"] = f"{sizes[0]:,} labels, pool {sizes[1]:,}, {vectors}"
    for step, seconds in times.items():
        text = f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
        records.append({"step": step, "seconds": seconds, "time": text})
    return {"records": {"cost": records}, "facts": facts}
