"""Rows 1, 2 and 4: structure of the latent space, errors on the test set, and error bars."""

from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from ..calibration import (
    coverage_by_level,
    crps,
    error_enrichment,
    miscalibration_area,
    negative_log_likelihood,
    pit_values,
    predict_distribution,
    uncertainty_report,
)
from ..models.cfgp import make_cfgp
from ..network import load_network
from ..query import plan
from .settings import PAPER
from .trials import MAIN, RECIPES, load_trial, scores, train_network, trial_names, weights_of

#: Levels of central intervals; the last is that within two standard deviations of a Gaussian.
LEVELS, TWO_SIGMA = (0.5, 0.68, 0.9, 0.99), 0.9545
FAMILY = ["kind", "group", "n", "n_bad", "expected", "q_value", "mean_absolute_error"]


def nearest_neighbour_mae(Z, y):
    """Return the mean absolute error of predicting each target by that of the nearest other row."""
    nearest = NearestNeighbors(n_neighbors=1).fit(Z).kneighbors(return_distance=False)[:, 0]
    return float(np.abs(y[nearest] - y).mean())


def latent_structure(settings, data, results):
    """Stage: error of the nearest neighbour in the layer, in its map, and in a shuffled map."""
    records, maps = [], {}
    names = trial_names(settings)
    names = names if settings.retrain else names[:1]  # the others have the same network
    for number, name in enumerate(names):
        trial = load_trial(data, results, name)
        rows = np.concatenate([trial.pool, trial.test])  # the network has trained on none of them
        y, rng = data.y[rows], np.random.RandomState(settings.random_state + number)
        for recipe in RECIPES:
            Z = trial.X(recipe)[rows]
            perplexity = min(30.0, (len(rows) - 1) / 3)
            plane = TSNE(perplexity=perplexity, random_state=rng).fit_transform(Z)
            shuffled = [nearest_neighbour_mae(plane, rng.permutation(y)) for _ in range(20)]
            errors = {"layer": nearest_neighbour_mae(Z, y), "map": nearest_neighbour_mae(plane, y)}
            errors["shuffled"] = float(np.mean(shuffled))
            records.append({"trial": name, "recipe": recipe} | errors)
            maps.setdefault(recipe, {"embedding": plane, "y": y})  # of the first trial
    return {"records": {"latent": records}, "maps": maps}


def accuracy(settings, data, trial):
    """Yield the errors on the test set, and the 95% interval over its resamples of the gain."""
    y, means = data.y[data.test], {recipe: trial.tested(recipe)[1] for recipe in RECIPES}
    means["readout"] = trial.readout[data.test]
    if trial.name == MAIN and data.published is not None:
        means["published"] = load_network(data.published).predict(data.structures[data.test])
    for model, mean in means.items():
        yield "accuracy", {"model": model} | scores(y, mean)
    rng = np.random.RandomState(settings.random_state)
    sample = rng.randint(len(y), size=(2000, len(y)))
    for recipe in RECIPES:
        mine, readout = np.abs(means[recipe] - y), np.abs(means["readout"] - y)
        gain = readout - mine
        low, high = np.quantile(gain[sample].mean(axis=1), [0.025, 0.975])
        found = {"mae": mine.mean(), "readout": readout.mean(), "gain": gain.mean()}
        yield "better", {"recipe": recipe, "low": low, "high": high} | found


def enlarged_set(settings, data, results, *, folder):
    """Stage: the network again, on what max-std has labelled after 6,000 of 7,195 cycles."""
    trial = load_trial(data, results, MAIN)
    gp, labels, _ = trial.process("paper")
    gp.fit(trial.X()[trial.initial], labels[trial.initial])
    n_added = round(len(trial.pool) * PAPER["n_cycles_long"] / PAPER["n_pool"])
    added = trial.pool[plan(gp, trial.X()[trial.pool], n_added)[0]]
    rows = np.concatenate([trial.initial, added])
    # They choose the epoch, and the hyper-parameters of the recommended pipeline.
    rng = np.random.RandomState(settings.random_state)
    held = np.concatenate([trial.unseen, rng.permutation(added)[: max(1, len(added) // 10)]])
    unseen = np.isin(rows, held)
    frozen, again = weights_of(data, trial.network, folder), Path(folder) / "enlarged"
    options = {"epochs": settings.refit_epochs, "random_state": settings.random_state}
    known = data.structures[rows], data.y[rows]
    history, _, seconds = train_network(*known, again, start=frozen, unseen=unseen, **options)
    y, crystals = data.y[data.test], data.structures[data.test]
    found = {recipe: {"recipe": recipe, "note": ""} for recipe in RECIPES}
    for recipe, record in found.items():
        record["before"] = scores(*trial.tested(recipe))["mae"]
        for network, weights in (("frozen", frozen), ("again", again)):
            cfgp = make_cfgp(weights, recipe=recipe, random_state=settings.random_state)
            params = {"gp__unseen": unseen} if recipe == "recommended" else {}
            record[network] = scores(y, cfgp.fit(*known, **params).predict(crystals))
    readout = scores(y, load_network(again).predict(crystals))["mae"]
    found["paper"]["note"] = f"; readout {readout:.4f}"
    found = {"records": {"enlarged": [*found.values()]}, "facts": {"n_enlarged": len(rows)}}
    return found | {"history": history, "epoch": seconds / len(rows)}


def predictive_distribution(settings, data, trial, recipe):
    """Return the distributions of the test set.

    The Gaussian of the pipeline of the paper, or the Student-t of ``make_cfgp(calibrated=True)``.
    """
    X, known = trial.X(recipe), {}
    if recipe == "recommended":
        gp = make_cfgp(calibrated=True, random_state=settings.random_state)[-1]
        known = {"unseen": trial.unseen_mask} if trial.unseen_mask.any() else {}
    else:
        gp, _, _ = trial.process(recipe)
    gp.fit(X[trial.initial], trial.y[trial.initial], **known)
    return predict_distribution(gp, X[data.test])


def _of_distributions(settings, data, trial, recipe):
    """Score the distributions of the test set, and count what is in intervals of each level."""
    y, distribution = data.y[data.test], predictive_distribution(settings, data, trial, recipe)
    found = {"nll": negative_log_likelihood(y, distribution), "crps": crps(y, distribution)}
    found |= {"mae": np.abs(distribution.median() - y).mean()}
    found |= {"area": miscalibration_area(y, distribution)}
    table = coverage_by_level(y, distribution, levels=[*LEVELS, TWO_SIGMA])
    found |= {f"in {level:.4g}": row.coverage for level, row in table.iterrows()}
    found |= {f"coverage_2sigma_{end}": table.loc[TWO_SIGMA, end] for end in ("low", "high")}
    found = {name: float(value) for name, value in found.items()}
    return found | {"pit": np.round(pit_values(y, distribution), 5).tolist()}


def calibration(settings, data, trial):
    """Yield the metrics of the error bars, the errors furthest beyond 2 sigma, and families."""
    for recipe in RECIPES:
        y, mean, std = trial.tested(recipe)
        options = {"n_bins": min(10, len(y)), "unit": data.unit, "random_state": 0}
        yield (
            "calibration",
            {"recipe": recipe} | uncertainty_report(y, mean, std, **options).to_dict(),
        )
        yield (
            "distributions",
            {"recipe": recipe} | _of_distributions(settings, data, trial, recipe),
        )
        if trial.name != MAIN:
            continue
        for row in np.argsort(2 * std - np.abs(mean - y), kind="stable")[:10]:
            at = data.test[row]
            crystal = {"id": str(data.ids[at]), "formula": str(data.formulas[at])}
            numbers = {"true": y[row], "predicted": mean[row], "std": std[row]}
            yield "worst", {"recipe": recipe} | crystal | numbers
        table = error_enrichment(data.structures[data.test], y, mean)
        for name, rows in (
            ("families", table.query("q_value < 0.05").head(12)),
            ("phosphates", table.query("kind == 'pair' and group == 'O-P'")),
        ):
            for family in rows[FAMILY].to_dict("records"):
                yield name, {"recipe": recipe} | family
