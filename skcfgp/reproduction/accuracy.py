"""Row 2: errors on the fixed test set, before and after the pool's labels are added."""

from pathlib import Path

import numpy as np
from sklearn.metrics import mean_squared_error, r2_score

from ..models.cfgp import make_cfgp
from ..network import load_network
from ..query import plan
from .networks import train_network
from .settings import PAPER
from .trials import MAIN, RECIPES, load_trial, trial_names, weights_of

__all__ = ["accuracy", "enlarged_rows", "enlarged_set", "scores"]


def scores(y, mean):
    """Return MAE, MSE and R2.

    Parameters
    ----------
    y, mean : ndarray of shape (n_samples,)

    Returns
    -------
    dict of str to float
    """
    return {
        "mae": float(np.abs(mean - y).mean()),
        "mse": float(mean_squared_error(y, mean)),
        "r2": float(r2_score(y, mean)),
    }


def accuracy(settings, data, results):
    """Stage: both pipelines, the network's readout and a published MEGNet on the test set.

    Returns
    -------
    dict
        ``main`` (the whole initial set) and ``seeds`` (a list): scores by model. ``better``: by
        recipe, the 95% interval of the MAE of the readout less that of the pipeline, from 2,000
        resamples of the test crystals.
    """
    y = data.y[data.test]

    def of_trial(name):
        trial = load_trial(data, results, name)
        found = {recipe: scores(y, trial.mean[recipe][data.test]) for recipe in RECIPES}
        return found | {"readout": scores(y, trial.readout[data.test])}

    out = {MAIN: of_trial(MAIN), "seeds": [of_trial(name) for name in trial_names(settings)]}
    if data.published is not None:
        network = load_network(data.published)
        out[MAIN]["published"] = scores(y, network.predict(data.structures[data.test]))
    trial = load_trial(data, results, MAIN)
    rng = np.random.RandomState(settings.random_state)
    sample = rng.randint(len(y), size=(2000, len(y)))
    readout = np.abs(trial.readout[data.test] - y)
    out["better"] = {}
    for recipe in RECIPES:
        gain = readout - np.abs(trial.mean[recipe][data.test] - y)
        out["better"][recipe] = np.quantile(gain[sample].mean(axis=1), [0.025, 0.975]).tolist()
    return out


def enlarged_rows(trial, recipe):
    """Choose what the paper adds: the first picks of max-std, its share of the pool.

    Parameters
    ----------
    trial : Trial
    recipe : str

    Returns
    -------
    ndarray of int
    """
    gp, y, _ = trial.process(recipe)
    gp.fit(trial.X[recipe][trial.initial], y[trial.initial])
    n_added = round(len(trial.pool) * PAPER["n_cycles_long"] / PAPER["n_pool"])
    return trial.pool[plan(gp, trial.X[recipe][trial.pool], n_added)[0]]


def enlarged_set(settings, data, results, *, folder):
    """Stage: the network again, on what was labelled by the end, and both pipelines on its vectors.

    Labels are added by max-std with the pipeline of the paper, 6,000 of 7,195 of the pool. The
    network goes on from the first one. A tenth of the new crystals, with those that the first one
    has not seen, chooses the epoch and the hyper-parameters of the recommended pipeline.

    Parameters
    ----------
    settings, data, results
        As in `Stage`.
    folder : Path
        Of all networks.

    Returns
    -------
    dict
        ``n_labelled``, ``history``, ``seconds_per_epoch``; scores by recipe in ``frozen`` (network
        as it was) and ``again``, and those of the new network's ``readout``.
    """
    trial = load_trial(data, results, MAIN)
    added = enlarged_rows(trial, "paper")
    rows = np.concatenate([trial.initial, added])
    rng = np.random.RandomState(settings.random_state)
    held = np.concatenate([trial.unseen, rng.permutation(added)[: max(1, len(added) // 10)]])
    unseen = np.isin(rows, held)
    start = weights_of(data, results[MAIN], folder)
    again = Path(folder) / "enlarged"
    history, _, seconds = train_network(
        data.structures[rows],
        data.y[rows],
        again,
        epochs=settings.refit_epochs,
        start=start,
        unseen=unseen,
        random_state=settings.random_state,
    )
    out = {"n_labelled": len(rows), "history": history, "seconds_per_epoch": seconds}
    y = data.y[data.test]
    for kind, weights in (("frozen", start), ("again", again)):
        out[kind] = {}
        for recipe in RECIPES:
            cfgp = make_cfgp(weights, recipe=recipe, random_state=settings.random_state)
            known = {"gp__unseen": unseen} if recipe == "recommended" else {}
            cfgp.fit(data.structures[rows], data.y[rows], **known)
            out[kind][recipe] = scores(y, cfgp.predict(data.structures[data.test]))
        readout = load_network(weights).predict(data.structures[data.test])
        out[kind]["readout"] = scores(y, readout)
    return out
