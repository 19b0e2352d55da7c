"""Compare kernels and layers by cross-validated grid search.

    python docs/scripts/compare_kernels.py [--cache comparison] [--out docs/data] [--jobs 2]

A ``GridSearchCV`` over the kernel of the Gaussian process and the layers of the network, with
several metrics at once, on the splits of ``comparison.py``: those are its folds, so the scores are
those of the test parts. Nothing is chosen from them; the recommended pipeline was fixed before.
Columns are standardised, the noise is a ``WhiteKernel``, and hyper-parameters maximise the marginal
likelihood. Of the 1,800 formation energies the 900 first in a random order are learnt, as many as
there are of the other properties. Writes ``kernel_comparison.csv``. An hour of one core after
``comparison.py``.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from comparison import FORMATION, LAYERS, SEEDS, load_task
from joblib import Parallel, delayed
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import RBF, Matern, RationalQuadratic, WhiteKernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import GaussianProcessRegressor
from skcfgp.calibration import coverage, negative_log_likelihood
from skcfgp.kernels import Laplacian
from skcfgp.scorers import predict_with_std

PROPERTIES = (FORMATION, "refractive index", "log10 K_VRH")
KERNELS = {
    "Laplacian": Laplacian(1.0, 10.0, length_scale_bounds=(1e-2, 1e5)),
    "Laplacian, L1": Laplacian(1.0, 100.0, length_scale_bounds=(1e-2, 1e6), metric="cityblock"),
    "Matern 3/2": 1.0 * Matern(10.0, (1e-2, 1e5), nu=1.5),
    "Matern 5/2": 1.0 * Matern(10.0, (1e-2, 1e5), nu=2.5),
    "RBF": 1.0 * RBF(10.0, (1e-2, 1e5)),
    "rational quadratic": 1.0 * RationalQuadratic(10.0, 1.0, (1e-2, 1e5), (1e-2, 1e5)),
}
NOISE = WhiteKernel(0.01, (1e-6, 10.0))
BLOCKS = ("composition", *LAYERS)
METRICS = ("MAE", "NLL", "within 2 sigma")
FEATURES = {
    **{layer: [layer] for layer in LAYERS},
    "set2set, readout_0": ["set2set", "readout_0"],
    "composition": ["composition"],
    "composition, set2set": ["composition", "set2set"],
}


def scores(model, X, y):
    """Score one fold by several metrics, from one prediction."""
    mean, std = predict_with_std(model, X)
    return {
        "MAE": np.abs(mean - y).mean(),
        "NLL": negative_log_likelihood(y, mean, std),
        "within 2 sigma": coverage(y, mean, std),
    }


def rows_of(name, seed, cache):
    """Search over kernels and layers of one task, which is one fold."""
    task = load_task(name, seed, cache)
    train = np.random.default_rng(seed).permutation(task.train)[:900]
    ends = np.cumsum([0, *(task.features[layer].shape[1] for layer in BLOCKS)])
    columns = {layer: slice(*ends[i : i + 2]) for i, layer in enumerate(BLOCKS)}
    select = {
        label: ColumnTransformer([(layer, "passthrough", columns[layer]) for layer in layers])
        for label, layers in FEATURES.items()
    }
    model = Pipeline(
        [
            ("columns", select["set2set"]),
            ("scale", StandardScaler()),
            ("gp", GaussianProcessRegressor(normalize_y=True)),
        ]
    )
    grid = {
        "columns": list(select.values()),
        "gp__kernel": [kernel + NOISE for kernel in KERNELS.values()],
    }
    search = GridSearchCV(
        model, grid, scoring=scores, refit=False, cv=[(train, task.test)], error_score="raise"
    )
    with warnings.catch_warnings():  # a length at its bound is a result here
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(np.hstack([task.features[layer] for layer in BLOCKS]), task.y)
    found = search.cv_results_
    labels = [(layers, kernel) for layers in FEATURES for kernel in KERNELS]
    return [
        {"property": name, "seed": seed, "layers": layers, "kernel": kernel}
        | {metric: found[f"mean_test_{metric}"][i] for metric in METRICS}
        for i, (layers, kernel) in enumerate(labels)
    ]


def main():
    """Write the rows, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("comparison"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    jobs = [delayed(rows_of)(name, seed, arguments.cache) for name in PROPERTIES for seed in SEEDS]
    found = Parallel(n_jobs=arguments.jobs, verbose=5)(jobs)
    table = pd.DataFrame([row for rows in found for row in rows])
    table.to_csv(arguments.out / "kernel_comparison.csv", index=False, float_format="%.4f")
    for name, rows in table.groupby("property", sort=False):
        for metric in METRICS:
            groups = rows.groupby(["layers", "kernel"], sort=False)[metric]
            cells = [
                values.map(lambda value: f"{value:.3f}").unstack()[list(KERNELS)]
                for values in (groups.mean(), groups.std(ddof=0))
            ]
            print(f"\n{name}: {metric}, mean (standard deviation over {len(SEEDS)} seeds)")
            print((cells[0] + " (" + cells[1] + ")").loc[list(FEATURES)].to_string())


if __name__ == "__main__":
    main()
