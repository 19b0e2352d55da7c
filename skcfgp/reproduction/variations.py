"""Row 9: the paper's active learning with one thing changed at a time."""

from pathlib import Path

import numpy as np
from sklearn.preprocessing import MinMaxScaler

from ..datasets import load_formation_energy
from ..features.composition import N_ELEMENTS
from ..features.megnet import MEGNetFeaturizer
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian
from ..models.cfgp import PAPER_KERNEL
from ..network.graphs import structure_graph
from ..structures import Crystal, object_array
from .data import CUTOFF
from .learning import METRICS, first_at, gains, learning_curves, mean_curves
from .settings import PAPER, cycles_of_paper
from .trials import MAIN, load_trial, scores, train_network, weights_of

#: Part of the pool that becomes outliers, and by how much a damaged cell is too long.
OUTLIERS, TOO_LONG = 0.1, 1.1


def variation(settings, data, results, *, name, folder):
    """Stage: one of `VARIATIONS`: the error at the start, and max-std beside random choice."""
    trial = load_trial(data, results, MAIN)
    X, y, sets, kernel = VARIATIONS[name](settings, data, trial, Path(folder))
    X, initial, pool = np.asarray(X, dtype=float), sets["initial"], sets["pool"]
    if kernel is None:
        kernel = GaussianProcessRegressor(Laplacian()).fit(X[initial], y[initial]).kernel_
    gp = GaussianProcessRegressor(kernel, optimizer=None)
    mean, std = gp.fit(X[initial], y[initial]).predict(X[sets["test"]], return_std=True)
    found = {"variation": name, "kernel": str(gp.kernel_)}
    found |= {"before": scores(y[sets["test"]], mean, std)}
    states, n = settings.random_state + 100 * np.arange(settings.orders), cycles_of_paper(len(pool))
    curves = learning_curves(gp, X, y, states, **sets)
    for metric in METRICS:
        active, random = mean_curves(curves, metric)
        found[metric] = gains(curves, metric, n)
        # after how many labels the difference is what the paper has
        found[metric]["n_as_paper"] = first_at(active / random, 1 - PAPER["lower"])
    return {"records": {"variations": [found]}}


def variations_of(data):
    """List the variations that apply: outliers of other chemistry need other formation energies."""
    other = data.network is None and data.target_name.startswith("formation energy")
    return [name for name in VARIATIONS if other or not name.endswith("without oxygen")]


def _as_it_is(settings, data, trial, folder):
    return trial.X(), trial.y, trial.sets, trial.process("paper")[0].kernel


def _retrained(share, cutoff=CUTOFF):
    """Train another network on the initial set, for a share of the epochs."""

    def change(settings, data, trial, folder):
        path = folder / f"variation_{share}_{cutoff:g}"
        epochs = max(1, settings.epochs // share)
        known = data.structures[trial.initial], data.y[trial.initial]
        options = {"epochs": epochs, "cutoff": cutoff, "random_state": settings.random_state}
        train_network(*known, path, **options)
        return _features(path, data.structures), trial.y, trial.sets, None

    return change


def _with_values(scaled):
    """Take the values of the paper for a and l, on raw or on min-max scaled features."""

    def change(settings, data, trial, folder):
        X = trial.X().astype(float)
        X = MinMaxScaler().fit(X[trial.initial]).transform(X) if scaled else X
        return X, trial.y, trial.sets, PAPER_KERNEL

    return change


def _not_trained_on(order):
    """Begin with crystals of the pool, which the network has not seen, as many as before."""

    def change(settings, data, trial, folder):
        rows = order(settings, data, trial.pool)
        initial, pool = np.split(rows, [min(len(trial.initial), len(rows) // 2)])
        return trial.X(), trial.y, trial.sets | {"initial": initial, "pool": np.sort(pool)}, None

    return change


def _at_random(settings, data, pool):
    return np.random.RandomState(settings.random_state).permutation(pool)


def _by_id(settings, data, pool):
    """Order by id, numbers by their value: in the Materials Project roughly by age."""
    return np.array(sorted(pool, key=lambda row: (len(data.ids[row]), data.ids[row])))


def _damaged(settings, data, trial, folder):
    """Stretch the cells of a part of the pool, so that they are not those of their labels."""
    rows = _some(settings, trial.pool)
    X = trial.X().copy()
    longer = [
        Crystal(TOO_LONG * c.lattice, c.frac_coords, c.atomic_numbers)
        for c in data.structures[rows]
    ]
    X[rows] = _features(weights_of(data, trial.network, folder), object_array(longer))
    return X, trial.y, trial.sets, trial.process("paper")[0].kernel


def _foreign(share):
    """Put crystals without oxygen, of the bundled formation energies, in place of some oxides."""

    def change(settings, data, trial, folder):
        other, rows = load_formation_energy(structures="arrays"), _some(settings, trial.pool, share)
        order, found = np.random.RandomState(settings.random_state), []
        for row in order.permutation(len(other.target)):
            numbers = other.structures[row].atomic_numbers
            if len(found) < len(rows) and 8 not in numbers and max(numbers) <= N_ELEMENTS:
                try:
                    structure_graph(other.structures[row], CUTOFF)
                except ValueError:  # no bond
                    continue
                found.append(row)
        X, y, rows = trial.X().copy(), trial.y.copy(), rows[: len(found)]
        X[rows] = _features(weights_of(data, trial.network, folder), other.structures[found])
        y[rows] = other.target[found]
        return X, y, trial.sets, trial.process("paper")[0].kernel

    return change


def _some(settings, pool, share=OUTLIERS):
    """Draw the part of the pool that becomes outliers."""
    n = max(1, round(share * len(pool)))
    return np.random.RandomState(settings.random_state).permutation(pool)[:n]


def _features(weights, structures):
    return MEGNetFeaturizer(weights).fit(structures[:1]).transform(structures)


#: What is changed, by name: a function that returns features, labels, sets and the kernel, None if
#: its hyper-parameters are to be found.
VARIATIONS = {
    "nothing": _as_it_is,
    "network trained for a third of the epochs": _retrained(3),
    "network trained for a ninth of the epochs": _retrained(9),
    "cut-off of 5 angstrom, a third of the epochs": _retrained(3, 5.0),
    "raw features, a and l of the paper": _with_values(scaled=False),
    "min-max scaled features, a and l of the paper": _with_values(scaled=True),
    "initial set that the network was not trained on": _not_trained_on(_at_random),
    "a tenth of the pool with cells 10% too long": _damaged,
    "a tenth of the pool without oxygen": _foreign(OUTLIERS),
    "initial set of the first ids, not trained on": _not_trained_on(_by_id),
    "a fifth of the pool without oxygen": _foreign(2 * OUTLIERS),
}
