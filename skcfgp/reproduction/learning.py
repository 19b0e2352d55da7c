"""Rows 5 to 7: what labels are worth, the paper's future work, and what it all costs."""

import time
from functools import partial

import numpy as np
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
from ..query import greedy_max_std, max_std, random_sampling, spaced_max_std
from .hyperparameters import OBJECTIVES
from .settings import PAPER, batches_of_run, cycles_of_paper
from .trials import RECIPES, load_trial, trial_names, weights_of

__all__ = [
    "LEAST_LEFT", "METRICS", "PROPERTIES", "active_learning", "advantage", "batches",
    "calibrated_query", "cost", "end_of_advantage", "gains", "kernels", "layers",
    "scarce_properties", "synthetic_vectors",
]  # fmt: skip

METRICS = ("mae_pool", "mae_test")
#: Crystals that must be left for an error on the remaining pool to mean something.
LEAST_LEFT = 50
#: Cut-offs between the members of a batch are in kernel lengths. The length may be much longer than
#: any distance; the query then halves it until enough crystals qualify.
BATCHES = {"largest": max_std, "conditioned": greedy_max_std}
BATCHES |= {f"spaced {s:g} l": partial(spaced_max_std, spacing=s) for s in (1.0, 0.01)}
#: It has seen formation energies of such crystals, but no refractive index and no modulus.
SCARCE_NETWORK = "Eform_MP_2019"
#: Loader, unit and transformation of each scarce property.
PROPERTIES = {
    "refractive index": (load_dielectric, "", np.asarray),
    "log10 bulk modulus": (load_elastic, " log10 GPa", np.log10),
}


def active_learning(settings, data, results, *, name):
    """Stage: max-std and random choice from one initial set, until the pool is empty."""
    trial, curves, records = load_trial(data, results, name), [], []
    states = settings.random_state + 100 * np.arange(settings.orders)
    for recipe in RECIPES:
        gp, y, scale = trial.process(recipe)
        runs = _curves(gp, trial.X(recipe), y, states, scale, **trial.sets)
        curves += [{"recipe": recipe} | run for run in runs]
        for metric in METRICS:
            for share, n in (("paper", "n_cycles"), ("long run", "n_cycles_long")):
                key = {"trial": name, "recipe": recipe, "metric": metric, "share": share}
                n = cycles_of_paper(len(trial.pool), PAPER[n])
                records.append(key | gains(*_means(runs, metric), n))
    return {"records": {"active": records}, "curves": curves}


def _curves(gp, X, y, states, scale=1.0, **options):
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


def _means(curves, metric, **where):
    """Return the mean curves of max-std and of random choice."""
    for strategy in ("max-std", "random"):
        chosen = [c for c in curves if all(c[k] == v for k, v in where.items())]
        yield np.mean([c[metric] for c in chosen if c["strategy"] == strategy], axis=0)


def gains(active, random, n):
    """Compare a curve with that of random choice after n labels, and to reach its error."""
    error, reference = float(active[n]), float(random[n])
    reached, lower = np.flatnonzero(active[1:] <= reference), 1 - error / reference
    parity = int(reached[0]) + 1 if len(reached) else None
    acceleration = None if parity is None else n / parity
    found = {"active": error, "random": reference, "factor": reference / error}
    found |= {"lower": lower, "percent": 100 * lower, "n_parity": parity}
    return found | {"acceleration": acceleration, "faster": acceleration and acceleration - 1}


def advantage(settings, data, results):
    """Stage: the last share of the pool with an error, in the mean over trials, below random."""
    names, records = trial_names(settings), []
    curves = [curve for name in names for curve in results[f"active_{name}"]["curves"]]
    for recipe in RECIPES:
        lasts = (end_of_advantage(*_means(curves, m, recipe=recipe)) for m in METRICS)
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
    # On every third row: scikit-learn's search, the only one for the others, takes minutes on all.
    X, some = trial.X().astype(float), trial.initial[::3]
    length = float(np.sqrt(X[trial.initial].var(axis=0).sum()))
    scale, noise = ConstantKernel(1.0, (1e-3, 1e5)), WhiteKernel(1e-3, (1e-8, 1e1))
    bounds = {"length_scale_bounds": (1e-3, 1e5)}
    for name, kernel in {
        "Laplacian": Laplacian() + noise,
        "Matern 3/2": scale * Matern(length, nu=1.5, **bounds) + noise,
        "RBF": scale * RBF(length, **bounds) + noise,
    }.items():
        kernel = (
            GaussianProcessRegressor(kernel, normalize_y=True).fit(X[some], trial.y[some]).kernel_
        )
        gp = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
        yield "kernels", {"kernel": name, "fitted": str(kernel)} | trial.fit_and_score(gp, X)


def layers(settings, data, trial, *, folder):
    """Yield the scores of other layers of the network, with the kernel of the paper."""
    weights = weights_of(data, trial.network, folder)
    for name, layer in [*zip(LAYERS, LAYERS, strict=True), ("all three", list(LAYERS))]:
        featurizer = MEGNetFeaturizer(weights, layer=layer).fit(data.structures[:1])
        X = featurizer.transform(data.structures).astype(float)
        gp = GaussianProcessRegressor(Laplacian(), normalize_y=True)
        yield "layers", {"layer": name} | trial.fit_and_score(gp, X)


def calibrated_query(settings, data, trial):
    """Yield max-std by each likelihood; one process, the predictive one, learns the choices."""
    n = cycles_of_paper(len(data.pool))
    X, unseen, first = trial.X().astype(float), trial.unseen_mask, None
    predictive = GaussianProcessRegressor(Laplacian(), objective="leave_one_out")
    known = X[trial.initial], trial.y[trial.initial]
    kernel = predictive.fit(*known, unseen if unseen.any() else None).kernel_
    learner = GaussianProcessRegressor(kernel, optimizer=None)
    for objective, asker in zip(OBJECTIVES, (trial.process("paper")[0], learner), strict=True):
        run = simulate(asker, X, trial.y, **trial.sets, n_cycles=n, query_strategy=max_std)
        rows = np.array([row for (row,) in run["indices"][1:]])
        first = rows if first is None else first
        labelled = np.concatenate([trial.initial, rows])
        error = np.abs(learner.fit(X[labelled], trial.y[labelled]).predict(X) - trial.y)
        left = np.setdiff1d(trial.pool, rows)
        errors = {"mae_pool": error[left].mean(), "mae_test": error[trial.test].mean()}
        same = 100 * len(np.intersect1d(first, rows)) / n  # as by the first objective
        yield "calibrated_query", {"objective": objective, "same_percent": same} | errors


def scarce_properties(settings, data, results):
    """Stage: accuracy and active learning on properties with a thousand labels."""
    records = {}
    for name, (load, _, transform) in PROPERTIES.items():
        loaded = load(structures="arrays")
        structures, y = loaded.structures, transform(loaded.target)
        if settings.n_initial is not None:  # a smaller run
            keep = check_random_state(settings.random_state).permutation(len(y))
            keep = np.sort(keep[: max(150, settings.n_initial)])
            structures, y = structures[keep], y[keep]
        featurizer = MEGNetFeaturizer(SCARCE_NETWORK, layer="set2set", on_error="nan")
        usable = np.isfinite(featurizer.fit(structures).transform(structures)).all(axis=1)
        structures, y = structures[usable], y[usable]
        splits = ShuffleSplit(settings.seeds, test_size=0.2, random_state=settings.random_state)
        for seed, split in enumerate(splits.split(y)):
            key = {"property": name, "trial": trial_names(settings)[seed]}
            for table, record in _of_split(settings, structures, y, *split, seed):
                records.setdefault(table, []).append(key | record)
    return {"records": records}


def _of_split(settings, structures, y, train, test, seed):
    order = np.random.RandomState(settings.random_state + seed).permutation(train)
    initial, pool = np.split(order, [min(200, len(order) // 2)])
    n, mean, std = cycles_of_paper(len(pool)), y[train].mean(), y[train].std()
    composition = CompositionFeaturizer(("mean", "deviation", "minimum", "maximum", "cell"))
    C = composition.fit_transform(structures)
    trees = ExtraTreesRegressor(300, random_state=settings.random_state).fit(C[train], y[train])
    for model, guess in (("mean of the labels", mean), ("trees on composition", trees.predict(C))):
        yield "scarce", {"model": model, "mae": np.abs(guess - y)[test].mean()}
    sets, z = {"initial": initial, "pool": pool, "test": test, "n_cycles": n}, (y - mean) / std
    for recipe in RECIPES:
        cfgp = make_cfgp(SCARCE_NETWORK, recipe=recipe, random_state=settings.random_state)
        X = cfgp[:-1].fit(structures[train]).transform(structures)
        gp = cfgp[-1].set_params(normalize_y=False).fit(X[train], z[train])
        error = std * np.abs(gp.predict(X[test]) - z[test]).mean()
        yield "scarce", {"model": recipe, "mae": error}
        fixed = GaussianProcessRegressor(gp.fit(X[initial], z[initial]).kernel_, optimizer=None)
        curves = _curves(fixed, X, z, 100 * np.arange(settings.orders), **sets)
        for metric in METRICS:
            found = gains(*_means(curves, metric), n)
            yield "scarce_learning", {"recipe": recipe, "metric": metric} | found


def synthetic_vectors(n, random_state=None):
    """Make n vectors of the shape of latent ones, 32 wide and clustered, and a smooth target."""
    rng = check_random_state(random_state)
    centres = rng.gamma(2.0, 0.4, size=(200, 32))
    X = np.abs(centres[rng.randint(200, size=n)] + 0.15 * rng.normal(size=(n, 32)))
    return X, np.sin(X[:, :8]).sum(axis=1)


def cost(settings, data, results):
    """Stage: training, and hyper-parameters and 6,000 cycles on vectors in the paper's numbers."""
    names = ("n_train", "n_pool", "n_test", "n_cycles_long")
    *sizes, n_cycles = (round(PAPER[name] * settings.cost_scale) for name in names)
    X, y = synthetic_vectors(sum(sizes), settings.random_state)
    initial, pool, test = np.split(np.arange(len(y)), np.cumsum(sizes[:2]))
    sets = {"initial": initial, "pool": pool, "test": test, "n_cycles": n_cycles}
    start = time.perf_counter()
    kernel = GaussianProcessRegressor().fit(X[initial], y[initial]).kernel_
    fitted = time.perf_counter()
    simulate(GaussianProcessRegressor(kernel, optimizer=None), X, y, query_strategy=max_std, **sets)
    times = {"hyperparameter": fitted - start, "loop": time.perf_counter() - fitted}
    # Seconds of an epoch, for each crystal: other work on the machine can only make it longer.
    epoch = min(result["epoch"] for result in results.values() if "epoch" in result)
    times["training"], records = epoch * len(data.train) * settings.epochs, []
    trained = any(name.startswith("network_") for name in results)
    facts = {"training_how": "measured" if trained else "one epoch measured, times epochs"}
    facts |= {"epochs": settings.epochs, "cost_cycles": n_cycles}
    facts["cost_sizes"] = f"{sizes[0]:,} labels, pool {sizes[1]:,}, synthetic vectors"
    for step, seconds in times.items():
        text = f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
        records.append({"step": step, "seconds": seconds, "time": text})
    return {"records": {"cost": records}, "facts": facts}
