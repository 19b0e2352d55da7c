"""Row 6: what the paper leaves to future work, on the vectors of the paper's pipeline."""

import numpy as np
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from ..active_learning.simulation import simulate
from ..features.megnet import LAYERS, MEGNetFeaturizer
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from ..query import greedy_max_std, max_std, spaced_max_std
from .active import cycles_of_paper
from .hyperparameters import quality
from .trials import load_trial, trial_names, weights_of

__all__ = ["SPACINGS", "batches", "calibrated_query", "kernels", "layers"]

#: Cut-offs between the members of a batch. The length may be much longer than any distance; the
#: query then halves it until enough crystals qualify.
SPACINGS = (1.0, 0.01)

#: Rows of which one is used for the hyper-parameters, where kernels are compared.
EVERY = 3


def _last(table, scale=1.0):
    return {metric: float(scale * table[metric].iloc[-1]) for metric in ("mae_pool", "mae_test")}


def batches(settings, data, results):
    """Stage: batches of largest standard deviations, spaced ones, and one crystal at a time.

    Returns
    -------
    dict
        A list over trials of the errors after the same number of labels, by strategy; ``size`` of
        a batch and ``n_batches``.
    """
    n = cycles_of_paper(len(data.pool))
    size = max(2, n // settings.n_batches)
    n_batches = n // size

    def spaced(spacing):
        def spaced_batch(learner, X_pool, n_instances=1):
            return spaced_max_std(learner, X_pool, n_instances, spacing=spacing)

        return spaced_batch

    strategies = {"largest": max_std, "conditioned": greedy_max_std}
    strategies |= {f"spaced {spacing:g} l": spaced(spacing) for spacing in SPACINGS}
    out = {name: [] for name in strategies}
    for name in trial_names(settings):
        trial = load_trial(data, results, name)
        gp, y, scale = trial.process("paper")
        sets = {"initial": trial.initial, "pool": trial.pool, "test": trial.test}
        for strategy, query in strategies.items():
            table = simulate(
                gp,
                trial.X["paper"],
                y,
                **sets,
                n_cycles=n_batches,
                n_instances=size,
                query_strategy=query,
            )
            out[strategy].append(_last(table, scale))
    return out | {"size": size, "n_batches": n_batches}


def kernels(settings, data, results):
    """Stage: kernels by marginal likelihood, with white noise, on the test set.

    The hyper-parameters of all are found on every third row of the initial set, since those of the
    kernels that only scikit-learn's search knows take minutes on all.

    Returns
    -------
    dict
        A list over trials of MAE, coverage and NLL, by kernel.
    """

    def scaled(kernel, length):
        return ConstantKernel(1.0, (1e-3, 1e5)) * kernel(length) + WhiteKernel(1e-3, (1e-8, 1e1))

    def of(length):
        bounds = {"length_scale_bounds": (1e-3, 1e5)}
        return {
            "Laplacian": Laplacian() + WhiteKernel(1e-3, (1e-8, 1e1)),
            "Matern 3/2": scaled(lambda l0: Matern(l0, nu=1.5, **bounds), length),
            "RBF": scaled(lambda l0: RBF(l0, **bounds), length),
        }

    out = {}
    for name in trial_names(settings):
        trial = load_trial(data, results, name)
        X = trial.X["paper"].astype(float)
        spread = float(np.sqrt(X[trial.initial].var(axis=0).sum()))
        for kernel, start in of(spread).items():
            out.setdefault(kernel, []).append(_fit_and_score(start, X, trial, EVERY))
    return out


def _fit_and_score(kernel, X, trial, every=1):
    rows = trial.initial[::every]
    gp = GaussianProcessRegressor(kernel, normalize_y=True).fit(X[rows], trial.y[rows])
    if every > 1:
        gp = GaussianProcessRegressor(gp.kernel_, optimizer=None, normalize_y=True)
        gp.fit(X[trial.initial], trial.y[trial.initial])
    found = quality(trial.y[trial.test], *gp.predict(X[trial.test], return_std=True))
    return found | {"kernel": str(gp.kernel_)}


def layers(settings, data, results, *, folder):
    """Stage: other layers of the network, with the kernel of the paper, on the test set.

    Parameters
    ----------
    settings, data, results
        As in `Stage`.
    folder : Path
        Of all networks.

    Returns
    -------
    dict
        A list over trials of MAE, coverage and NLL, by layer.
    """
    out = {}
    for name in trial_names(settings):
        trial = load_trial(data, results, name)
        weights = weights_of(data, results[name], folder)
        for layer in (*LAYERS, list(LAYERS)):
            featurizer = MEGNetFeaturizer(weights, layer=layer).fit(data.structures[:1])
            X = featurizer.transform(data.structures).astype(float)
            label = layer if isinstance(layer, str) else "all three"
            out.setdefault(label, []).append(_fit_and_score(Laplacian(), X, trial))
    return out


def calibrated_query(settings, data, results):
    """Stage: max-std with hyper-parameters by predictive likelihood instead of marginal likelihood.

    To multiply all standard deviations by a number changes no choice, so a better calibrated query
    needs another length. Choices of each are learnt by the same process, that of predictive
    likelihood.

    Returns
    -------
    dict
        A list over trials of the errors after the paper's share of the pool, by objective;
        ``same`` (list): part of the choices that both make.
    """
    n = cycles_of_paper(len(data.pool))
    out = {"marginal_likelihood": [], "leave_one_out": [], "same": []}
    for name in trial_names(settings):
        trial = load_trial(data, results, name)
        X = trial.X["paper"].astype(float)
        unseen = np.isin(trial.initial, trial.unseen)
        predictive = GaussianProcessRegressor(Laplacian(), objective="leave_one_out")
        known = X[trial.initial], trial.y[trial.initial]
        kernel = predictive.fit(*known, unseen if unseen.any() else None).kernel_
        sets = {"initial": trial.initial, "pool": trial.pool, "test": trial.test}
        chosen = []
        for objective, asker in (
            ("marginal_likelihood", trial.kernel("paper")),
            ("leave_one_out", kernel),
        ):
            gp = GaussianProcessRegressor(asker, optimizer=None)
            table = simulate(gp, X, trial.y, **sets, n_cycles=n)
            rows = np.array([row for (row,) in table["indices"][1:]])
            chosen.append(set(rows.tolist()))
            learner = GaussianProcessRegressor(kernel, optimizer=None)
            labelled = np.concatenate([trial.initial, rows])
            learner.fit(X[labelled], trial.y[labelled])
            left = np.setdiff1d(trial.pool, rows)
            error = np.abs(learner.predict(X) - trial.y)
            out[objective].append(
                {"mae_pool": float(error[left].mean()), "mae_test": float(error[trial.test].mean())}
            )
        out["same"].append(len(chosen[0] & chosen[1]) / n)
    return out
