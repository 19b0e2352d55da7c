"""Compare query strategies by the labels they save on a fixed test set.

    python docs/scripts/compare_queries.py [--cache comparison] [--out docs/data] [--jobs 2]

One crystal at a time, with the features and the kernel of the recommended pipeline. The
hyper-parameters are fitted to the initial set, and again whenever the number of labels has doubled.
Five seeds draw the initial set, and for all but the formation energies the split into candidates
and test set. Formation energies come from the part of the data that the bundled network has not
seen: 1,427 candidates, 700 to test. The bound "oracle" knows the labels of the test set. Writes the
curves' means to ``query_curves.csv`` and the labels needed to ``query_comparison.csv``. An hour of
one core after ``comparison.py``.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from comparison import FORMATION, SEEDS, load_task
from joblib import Parallel, delayed
from scipy.linalg import blas
from scipy.ndimage import uniform_filter1d
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler

from skcfgp import GaussianProcessRegressor
from skcfgp.kernels import Laplacian
from skcfgp.models.cfgp import block_kernel

#: Property: sizes of the initial set, labels added.
SETTINGS = {
    FORMATION: ((100, 400), 300),
    "log10 K_VRH": ((50, 200), 300),
    "log10 refractive index": ((50, 200), 300),
}
N_RANDOM = 5
LAYERS = ("set2set", "readout_0", "readout_1")


class Posterior:
    """Mean and covariance of all rows, conditioned label by label.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        To fit to the labelled rows.
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    labelled : list of int
    """

    def __init__(self, gp, X, y, labelled):
        with warnings.catch_warnings():  # a length at its bound is no news for 50 labels
            warnings.simplefilter("ignore", ConvergenceWarning)
            gp.fit(X[labelled], y[labelled])
        self.y, self.kernel = y, gp.kernel_
        self.mean, cov = gp.predict(X, return_cov=True)
        self.cov = np.asfortranarray(cov)
        noise = getattr(gp.kernel_, "k2", None)
        noise = noise.noise_level if isinstance(noise, WhiteKernel) else 0.0
        self.noise = noise * gp.y_scale_**2  # is on the diagonal of `cov`

    def learn(self, row):
        """Condition on the label of a row."""
        column = self.cov[:, row].copy()
        variance = column[row]
        column[row] -= self.noise  # of the crystal, not of another label of it
        self.mean += column * ((self.y[row] - self.mean[row]) / variance)
        blas.dger(-1.0 / variance, column, column, a=self.cov, overwrite_a=1)


def process(composition=True):
    """Make the Gaussian process of the recommended pipeline, or one of a single layer."""
    kernel = block_kernel(34) if composition else Laplacian(1.0, 10.0) + WhiteKernel(1e-2)
    return GaussianProcessRegressor(kernel, normalize_y=True, objective="leave_one_out")


class Run:
    """What a strategy may look at."""

    def __init__(self, task, initial, pool, test):
        rows = np.concatenate([initial, pool, test])
        n_known = len(rows) - len(test)  # the test set scales nothing
        blocks = {
            name: StandardScaler().fit(values[rows[:n_known]]).transform(values[rows])
            for name, values in task.features.items()
            if name in ("composition", *LAYERS)
        }
        self.X = np.hstack([blocks["composition"], blocks["set2set"]])
        self.members = [blocks[layer] for layer in ("composition", *LAYERS)]
        self.y, self.test = task.y[rows], np.arange(n_known, len(rows))
        self.labelled = list(range(len(initial)))
        self.pool = np.arange(len(initial), n_known)
        self.committee = None
        self.refit()

    def refit(self):
        """Fit the hyper-parameters to the labels so far."""
        self.refitted_at = len(self.labelled)
        self.posterior = Posterior(process(), self.X, self.y, self.labelled)
        self.correlation = None
        if self.committee is not None:
            self.start_committee()

    def start_committee(self):
        """Fit a process to each layer by itself."""
        self.committee = [Posterior(process(False), X, self.y, self.labelled) for X in self.members]

    def learn(self, row):
        """Add the label of a row."""
        self.labelled.append(row)
        self.pool = self.pool[self.pool != row]
        if len(self.labelled) >= 2 * self.refitted_at:
            self.refit()
            return
        for posterior in (self.posterior, *(self.committee or ())):
            posterior.learn(row)

    @property
    def error(self):
        """Mean absolute error on the test set."""
        return np.abs(self.posterior.mean - self.y)[self.test].mean()


def at_random(run, rng):
    """Any crystal."""
    return rng.choice(run.pool)


def max_std(run, rng):
    """Largest standard deviation (the paper)."""
    return run.pool[np.argmax(np.diag(run.posterior.cov)[run.pool])]


def integrated_variance(run, rng):
    """Largest reduction of the mean variance over the pool."""
    cov = run.posterior.cov[np.ix_(run.pool, run.pool)]
    variance = np.diag(cov).copy()
    np.fill_diagonal(cov, variance - run.posterior.noise)
    return run.pool[np.argmax(np.einsum("ij,ij->i", cov, cov) / variance)]


def density_weighted(run, rng):
    """Standard deviation times mean correlation with the pool (Settles and Craven 2008)."""
    if run.correlation is None:
        kernel = run.posterior.kernel.k1
        run.correlation = kernel(run.X) / kernel.diag(run.X[:1])
    density = run.correlation[np.ix_(run.pool, run.pool)].mean(axis=1)
    return run.pool[np.argmax(np.sqrt(np.diag(run.posterior.cov)[run.pool]) * density)]


def k_center(run, rng):
    """Farthest from all labelled (Sener and Savarese 2018)."""
    if not hasattr(run, "distance"):
        run.distance = pairwise_distances(run.X, run.X[run.labelled]).min(axis=1)
        run.n_seen = len(run.labelled)
    for row in run.labelled[run.n_seen :]:
        to_row = np.linalg.norm(run.X - run.X[row], axis=1)
        run.distance = np.minimum(run.distance, to_row)
    run.n_seen = len(run.labelled)
    return run.pool[np.argmax(run.distance[run.pool])]


def committee(run, rng):
    """Largest disagreement of four processes, one a layer (Seung et al. 1992)."""
    if run.committee is None:
        run.start_committee()
    means = [member.mean[run.pool] for member in run.committee]
    return run.pool[np.argmax(np.std(means, axis=0))]


def oracle(run, rng):
    """The label after which the error on the test set is smallest: a bound, not a strategy."""
    post = run.posterior
    gain = post.cov[np.ix_(run.pool, run.test)]
    gain *= ((run.y - post.mean) / np.diag(post.cov))[run.pool, None]
    return run.pool[np.argmin(np.abs((post.mean - run.y)[run.test] + gain).sum(axis=1))]


STRATEGIES = {
    "max-std": max_std,
    "integrated variance": integrated_variance,
    "density-weighted std": density_weighted,
    "greedy k-center": k_center,
    "committee": committee,
    "oracle (bound)": oracle,
}


def curve(task, strategy, n_initial, n_labels, seed, draw=0):
    """Return the error on the test set after each label."""
    rng = np.random.default_rng([seed, 0])
    candidates = np.setdiff1d(np.arange(len(task.y)), task.test)
    if task.name == FORMATION:
        candidates = np.setdiff1d(candidates, task.train)  # the network has seen these
    candidates = rng.permutation(candidates)
    run = Run(task, candidates[:n_initial], candidates[n_initial:], task.test)
    rng = np.random.default_rng([seed, 1, draw])
    errors = [run.error]
    for _ in range(n_labels):
        run.learn(strategy(run, rng))
        errors.append(run.error)
    return np.array(errors)


def curves_of(name, n_initial, seed, cache):
    """Return a row for each strategy and number of labels."""
    n_labels = SETTINGS[name][1]
    # The bundled network for all seeds of the formation energies.
    task = load_task(name, max(SEEDS) if name == FORMATION else seed, cache)
    setting = n_initial, n_labels, seed
    found = {
        "random": np.mean(
            [curve(task, at_random, *setting, draw) for draw in range(N_RANDOM)], axis=0
        )
    }
    found |= {label: curve(task, choose, *setting) for label, choose in STRATEGIES.items()}
    return [
        pd.DataFrame(
            {
                "property": name,
                "n_initial": n_initial,
                "seed": seed,
                "strategy": label,
                "n_added": np.arange(n_labels + 1),
                "mae_test": errors,
            }
        )
        for label, errors in found.items()
    ]


def labels_needed(errors, target):
    """Labels after which the error, smoothed over 11, is at or below the target; NaN if never."""
    reached = np.flatnonzero(uniform_filter1d(errors, 11, mode="nearest") <= target)
    return max(reached[0], 1) if len(reached) else np.nan


def summarize(curves):
    """Compare with the error that random choice reaches at the end."""
    rows = []
    for key, group in curves.groupby(["property", "n_initial", "seed"], sort=False):
        errors = {s: g["mae_test"].to_numpy() for s, g in group.groupby("strategy", sort=False)}
        n_labels = len(errors["random"]) - 1
        target = uniform_filter1d(errors["random"], 11, mode="nearest")[-1]
        for strategy, values in errors.items():
            needed = labels_needed(values, target)
            row = dict(zip(("property", "n_initial", "seed"), key, strict=True))
            rows.append(
                row
                | {
                    "strategy": strategy,
                    "needed": needed,
                    "acceleration": n_labels / needed,
                    "enhancement": errors["random"][-1] / values[-1],
                    "mae_start": values[0],
                    "mae_end": values[-1],
                }
            )
    return pd.DataFrame(rows)


def main():
    """Write both tables, print the second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("comparison"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--properties", nargs="+", default=list(SETTINGS))
    arguments = parser.parse_args()
    jobs = [
        delayed(curves_of)(name, n_initial, seed, arguments.cache)
        for name in arguments.properties
        for n_initial in SETTINGS[name][0]
        for seed in SEEDS
    ]
    found = Parallel(n_jobs=arguments.jobs, verbose=5)(jobs)
    curves = pd.concat([frame for frames in found for frame in frames])
    table = summarize(curves)
    keys = ["property", "n_initial", "strategy"]
    means = curves.groupby([*keys, "n_added"], sort=False)["mae_test"].agg(["mean", "std"])
    means.reset_index().to_csv(arguments.out / "query_curves.csv", index=False, float_format="%.5f")
    table.to_csv(arguments.out / "query_comparison.csv", index=False, float_format="%.4f")
    columns = ["acceleration", "enhancement", "mae_start", "mae_end"]
    groups = table.groupby(keys, sort=False)[columns]
    print(groups.mean().join(groups.std(ddof=0)[columns[:2]], rsuffix=" sd").round(3).to_string())
    missed = table[table["needed"].isna()].groupby(keys, sort=False).size()
    print("\nSeeds that never got there, left out of the mean acceleration:", missed, sep="\n")


if __name__ == "__main__":
    main()
