"""Compare kernels and layers by grid search.

    python docs/scripts/compare_kernels.py [--out docs/data] [--jobs 2]

A ``GridSearchCV`` over the kernel of the Gaussian process and the layers of the network, with
several metrics at once. Its one fold is the split into training and test part, so the scores are
those of the test part. Nothing is chosen from them; the recommended pipeline was fixed before.

900 labels are learnt, or four fifths where there are fewer. The seed draws them and the test part,
which for the formation energies is fixed. The network has seen no label: the formation energies are
those of the pool under the bundled network, the other properties are under the published network,
trained on formation energies. Columns are standardised, every kernel is in a sum with white noise,
and the hyper-parameters maximise the marginal likelihood of every second row, which keeps the
searches affordable. Writes ``kernel_comparison.csv``. A quarter of an hour of one core.
"""

import argparse
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from comparison import FORMATION, LAYERS, PROPERTIES, SEEDS
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import RBF, Matern, RationalQuadratic, WhiteKernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CompositionFeaturizer, GaussianProcessRegressor, MEGNetFeaturizer
from skcfgp.calibration import coverage, negative_log_likelihood
from skcfgp.calibration.scorers import predict_with_std
from skcfgp.kernels import Laplacian

NAMES = (FORMATION, "refractive index", "log10 K_VRH")
N_TRAIN = 900
LAPLACIAN = Laplacian(1.0, 10.0, length_scale_bounds=(1e-2, 1e5))
KERNELS = {
    "Laplacian": LAPLACIAN,
    "Laplacian, L1": Laplacian(1.0, 100.0, length_scale_bounds=(1e-2, 1e6), metric="cityblock"),
    "Matern 3/2": 1.0 * Matern(10.0, (1e-2, 1e5), nu=1.5),
    "Matern 5/2": 1.0 * Matern(10.0, (1e-2, 1e5), nu=2.5),
    "RBF": 1.0 * RBF(10.0, (1e-2, 1e5)),
    "rational quadratic": 1.0 * RationalQuadratic(10.0, 1.0, (1e-2, 1e5), (1e-2, 1e5)),
    "Laplacian + RBF": LAPLACIAN + 1.0 * RBF(10.0, (1e-2, 1e5)),
}
NOISE = WhiteKernel(0.01, (1e-6, 10.0))
WIDTHS = (96, 32, 16)  # of LAYERS
METRICS = ("MAE", "NLL", "within 2 sigma")
FEATURES = {
    "readout_1": ["readout_1"],
    "readout_0": ["readout_0"],
    "set2set": ["set2set"],
    "set2set, readout_0": ["set2set", "readout_0"],
    "all three": [*LAYERS],
    "composition": ["composition"],
    "composition, set2set": ["composition", "set2set"],
}


class SearchedOnHalf(RegressorMixin, BaseEstimator):
    """A Gaussian process of all rows with the hyper-parameters of every second one."""

    def __init__(self, kernel=None):
        self.kernel = kernel

    def fit(self, X, y):
        half = GaussianProcessRegressor(self.kernel, normalize_y=True).fit(X[::2], y[::2])
        gp = GaussianProcessRegressor(half.kernel_, normalize_y=True, optimizer=None)
        self.gp_ = gp.fit(X, y)
        return self

    def predict(self, X, return_std=False):
        return self.gp_.predict(X, return_std=return_std)


def scores(model, X, y):
    """Score one fold by several metrics, from one prediction."""
    mean, std = predict_with_std(model, X)
    return {
        "MAE": np.abs(mean - y).mean(),
        "NLL": negative_log_likelihood(y, mean, std),
        "within 2 sigma": coverage(y, mean, std),
    }


def load_features(name):
    """Return the features of all crystals, the target, and the rows to learn from and to test."""
    _, loader, logarithm = PROPERTIES[name]
    data = loader(structures="arrays")
    own = name == FORMATION
    network = MEGNetFeaturizer("formation_energy_1800" if own else "Eform_MP_2019", [*LAYERS])
    composition = CompositionFeaturizer().fit_transform(data.structures)
    X = np.hstack([composition, network.fit(data.structures).transform(data.structures)])
    y = np.log10(data.target) if logarithm else data.target
    splits = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        if own:  # the bundled network has seen the training part
            train = rng.permutation(np.flatnonzero(data.split == "pool"))
            test = np.flatnonzero(data.split == "test")
        else:  # as in comparison.py
            train, test = np.split(rng.permutation(len(y)), [round(0.8 * len(y))])
        splits.append((train[:N_TRAIN], test))
    return X, y, splits


def rows_of(name, seed, X, y, split):
    """Search over kernels and layers; the split is the one fold."""
    ends = np.cumsum([0, X.shape[1] - sum(WIDTHS), *WIDTHS])
    columns = {block: slice(*ends[i : i + 2]) for i, block in enumerate(("composition", *LAYERS))}
    select = [
        ColumnTransformer([(block, "passthrough", columns[block]) for block in blocks])
        for blocks in FEATURES.values()
    ]
    search = GridSearchCV(
        Pipeline([("columns", None), ("scale", StandardScaler()), ("gp", SearchedOnHalf())]),
        {"columns": select, "gp__kernel": [kernel + NOISE for kernel in KERNELS.values()]},
        scoring=scores,
        refit=False,
        cv=[split],
        error_score="raise",
    )
    with warnings.catch_warnings():  # a length at its bound is a result here
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y)
    found = search.cv_results_
    labels = product(FEATURES, KERNELS)
    return [
        {"property": name, "seed": seed, "layers": layers, "kernel": kernel}
        | {metric: found[f"mean_test_{metric}"][i] for metric in METRICS}
        for i, (layers, kernel) in enumerate(labels)
    ]


def main():
    """Write the rows, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    jobs = []
    for name in NAMES:
        X, y, splits = load_features(name)
        jobs += [delayed(rows_of)(name, seed, X, y, splits[seed]) for seed in SEEDS]
    found = Parallel(n_jobs=arguments.jobs, verbose=10)(jobs)
    table = pd.DataFrame([row for rows in found for row in rows])
    table.to_csv(arguments.out / "kernel_comparison.csv", index=False, float_format="%.4f")
    for name, rows in table.groupby("property", sort=False):
        for metric in METRICS:
            print(f"\n{name}: {metric}, mean (standard deviation over {len(SEEDS)} seeds)")
            print("layers, " + ", ".join(KERNELS))
            for layers, group in rows.groupby("layers", sort=False):
                values = group.groupby("kernel", sort=False)[metric]
                cells = values.mean().map("{:.3f}".format) + values.std(ddof=0).map(
                    " ({:.3f})".format
                )
                print(f'   "{layers}", ' + ", ".join(cells))


if __name__ == "__main__":
    main()
