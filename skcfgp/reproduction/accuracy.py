"""Rows 1, 2 and 4: structure of the latent space, errors on the test set, and error bars."""

from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.neighbors import NearestNeighbors

from ..calibration import uncertainty_report
from ..calibration.enrichment import error_enrichment
from ..models.cfgp import make_cfgp
from ..network import load_network
from ..query import plan
from .settings import PAPER
from .trials import MAIN, RECIPES, load_trial, load_trials, train_network, weights_of

__all__ = ["accuracy", "calibration", "enlarged_set", "latent_structure", "nearest_neighbour_mae"]

N_SHUFFLES = 20
PERPLEXITY = 30.0
N_RESAMPLES = 2000
N_WORST = 10
N_FAMILIES = 12
FAMILY = ["kind", "group", "n", "n_bad", "expected", "q_value", "mean_absolute_error"]


def nearest_neighbour_mae(Z, y):
    """Return the mean absolute error of predicting each target by that of the nearest other row."""
    neighbour = NearestNeighbors(n_neighbors=2).fit(Z).kneighbors(Z, return_distance=False)
    itself = neighbour[:, 0] == np.arange(len(Z))  # not always first among equal rows
    nearest = np.where(itself, neighbour[:, 1], neighbour[:, 0])
    return float(np.abs(y[nearest] - y).mean())


def latent_structure(settings, data, results):
    """Stage: error of the nearest neighbour in latent space, in its map and in a shuffled map.

    It is that of the crystals of pool and test set: the network has trained on none of them.
    """
    records, maps = [], {}
    for number, trial in enumerate(load_trials(settings, data, results)):
        rows = np.concatenate([trial.pool, trial.test])
        y = data.y[rows]
        rng = np.random.RandomState(settings.random_state + number)
        for recipe in RECIPES:
            Z = trial.X(recipe)[rows]
            perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
            plane = TSNE(perplexity=perplexity, random_state=rng).fit_transform(Z)
            shuffled = [nearest_neighbour_mae(plane, rng.permutation(y)) for _ in range(N_SHUFFLES)]
            errors = {"layer": nearest_neighbour_mae(Z, y), "map": nearest_neighbour_mae(plane, y)}
            errors["shuffled"] = float(np.mean(shuffled))
            records.append({"trial": trial.name, "recipe": recipe} | errors)
            if not number:
                maps[recipe] = {"embedding": plane, "y": y}
    return {"records": {"latent": records}, "maps": maps}


def scores(y, mean):
    """Return MAE, MSE and R2 by name."""
    return {
        "mae": float(np.abs(mean - y).mean()),
        "mse": float(mean_squared_error(y, mean)),
        "r2": float(r2_score(y, mean)),
    }


def accuracy(settings, data, results):
    """Stage: both pipelines, the network's readout and a published MEGNet on the test set.

    ``better`` has the 95% interval, over resamples of the test crystals, of the MAE of the readout
    less that of each pipeline.
    """
    records, better, y = [], [], data.y[data.test]
    for trial in load_trials(settings, data, results, MAIN):
        means = {recipe: trial.tested(recipe)[1] for recipe in RECIPES}
        means["readout"] = trial.readout[data.test]
        for model, mean in means.items():
            records.append({"trial": trial.name, "model": model} | scores(y, mean))
    if data.published is not None:
        mean = load_network(data.published).predict(data.structures[data.test])
        records.append({"trial": MAIN, "model": "published"} | scores(y, mean))
    rng, trial = np.random.RandomState(settings.random_state), load_trial(data, results, MAIN)
    sample = rng.randint(len(y), size=(N_RESAMPLES, len(y)))
    for recipe in RECIPES:
        gain = np.abs(trial.readout[data.test] - y) - np.abs(trial.tested(recipe)[1] - y)
        low, high = np.quantile(gain[sample].mean(axis=1), [0.025, 0.975]).tolist()
        better.append({"recipe": recipe, "low": low, "high": high})
    return {"records": {"accuracy": records, "better": better}}


def enlarged_set(settings, data, results, *, folder):
    """Stage: the network again, on what was labelled by the end, and both pipelines on its vectors.

    Max-std with the pipeline of the paper adds labels, 6,000 of 7,195 of the pool. The network
    goes on from the first one. A tenth of the new crystals, with those that the first one has not
    seen, chooses the epoch and the hyper-parameters of the recommended pipeline.
    """
    trial = load_trial(data, results, MAIN)
    gp, labels, _ = trial.process("paper")
    gp.fit(trial.X()[trial.initial], labels[trial.initial])
    n_added = round(len(trial.pool) * PAPER["n_cycles_long"] / PAPER["n_pool"])
    added = trial.pool[plan(gp, trial.X()[trial.pool], n_added)[0]]
    rows = np.concatenate([trial.initial, added])
    rng = np.random.RandomState(settings.random_state)
    held = np.concatenate([trial.unseen, rng.permutation(added)[: max(1, len(added) // 10)]])
    unseen = np.isin(rows, held)
    frozen, again = weights_of(data, trial.network, folder), Path(folder) / "enlarged"
    options = {"epochs": settings.refit_epochs, "random_state": settings.random_state}
    known = data.structures[rows], data.y[rows]
    history, _, seconds = train_network(*known, again, start=frozen, unseen=unseen, **options)
    records, y, crystals = [], data.y[data.test], data.structures[data.test]
    for network, weights in (("frozen", frozen), ("again", again)):
        means = {}
        for recipe in RECIPES:
            cfgp = make_cfgp(weights, recipe=recipe, random_state=settings.random_state)
            params = {"gp__unseen": unseen} if recipe == "recommended" else {}
            means[recipe] = cfgp.fit(*known, **params).predict(crystals)
        means["readout"] = load_network(weights).predict(crystals)
        records += [{"network": network, "model": m} | scores(y, means[m]) for m in means]
    found = {"records": {"enlarged": records}, "facts": {"n_enlarged": len(rows)}}
    return found | {"history": history, "seconds_per_epoch": seconds}


def calibration(settings, data, results):
    """Stage: all metrics of the error bars on the test set, the worst crystals and their families.

    The worst are those with the largest errors beyond 2 sigma; families are rows of
    `error_enrichment`, by absolute error, with q below 0.05.
    """
    records, worst, families = [], [], []
    for trial in load_trials(settings, data, results, MAIN):
        for recipe in RECIPES:
            y, mean, std = trial.tested(recipe)
            report = uncertainty_report(
                y, mean, std, n_bins=min(10, len(y)), unit=data.unit, random_state=0
            )
            records.append({"trial": trial.name, "recipe": recipe} | report.to_dict())
            if trial.name != MAIN:
                continue
            for row in np.argsort(2 * std - np.abs(mean - y), kind="stable")[:N_WORST]:
                at = data.test[row]
                crystal = {"id": str(data.ids[at]), "formula": str(data.formulas[at])}
                numbers = {"true": y[row], "predicted": mean[row], "std": std[row]}
                worst.append({"recipe": recipe} | crystal | numbers)
            table = error_enrichment(data.structures[data.test], y, mean).query("q_value < 0.05")
            families += table[FAMILY].head(N_FAMILIES).assign(recipe=recipe).to_dict("records")
    return {"records": {"calibration": records, "worst": worst, "families": families}}
