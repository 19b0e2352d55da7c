"""Compare the recommended pipeline with everything that a reader would use instead.

    python docs/scripts/compare_models.py [--cache comparison] [--out docs/data] [--jobs 2]

Each model is fitted on the training part of each task of ``comparison.py`` and measured once on its
test part. Writes a row for each property, seed and model to ``model_comparison.csv`` and prints a
table of means and standard deviations over the seeds. Half an hour of one core after
``comparison.py``.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from comparison import FORMATION, PROPERTIES, SEEDS, load_task
from joblib import Parallel, delayed
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CalibratedRegressor, GaussianProcessRegressor
from skcfgp.calibration import (
    coverage,
    crps,
    mean_squared_z,
    miscalibration_area,
    negative_log_likelihood,
    spearman,
)
from skcfgp.calibration.distribution_metrics import two_sigma_std
from skcfgp.kernels import Laplacian
from skcfgp.models import DummyRegressor, ExtraTreesRegressor
from skcfgp.models.cfgp import block_kernel

COLUMNS = ("MAE", "RMSE", "NLL", "CRPS", "within 2 sigma", "mean z^2", "area", "Spearman")


def distribution_of(prediction):
    """Return a distribution; that of a mean and a standard deviation is Gaussian."""
    return prediction if hasattr(prediction, "cdf") else norm(*prediction)


def measure(y, prediction):
    """Return the values of `COLUMNS` of a model on a test set; the area is the interval form."""
    found = distribution_of(prediction)
    mean, rows = found.median(), (y, found.median(), two_sigma_std(found))
    values = [np.abs(mean - y).mean(), np.sqrt(np.mean((mean - y) ** 2))]
    values += [negative_log_likelihood(y, found), crps(y, found), coverage(*rows)]
    values += [mean_squared_z(*rows), miscalibration_area(y, found), spearman(*rows)]
    return dict(zip(COLUMNS, values, strict=True))


def recommended(task, tuned="", method="student_t", objective="leave_one_out", by_unseen=False):
    """Fit `make_cfgp`'s regressor on features computed before, or a variant of it.

    Without a method it is not calibrated.
    """
    blocks = task.features["composition"], task.features[f"{tuned}set2set"]
    X = np.hstack([StandardScaler().fit(b[task.train]).transform(b) for b in blocks])
    X_train, X_test, y_train, _ = task.split(X)
    gp = GaussianProcessRegressor(
        block_kernel(blocks[0].shape[1]), normalize_y=True, objective=objective
    )
    if method is None:
        gp.fit(X_train, y_train, unseen=task.unseen if by_unseen else None)
        return gp.predict(X_test, return_std=True)
    model = CalibratedRegressor(gp, method=method, n_neighbors=20, cv="leave_one_out")
    trained = tuned or task.name == FORMATION
    model.fit(X_train, y_train, unseen=task.unseen if trained else None)
    return model.predict_distribution(X_test)


def paper(task, tuned="", by_unseen=False, calibrated=False):
    """Fit the paper's recipe, or a variant of it."""
    X_train, X_test, y_train, _ = task.split(task.features[f"{tuned}readout_0"])
    gp = GaussianProcessRegressor(Laplacian())
    if calibrated:
        model = CalibratedRegressor(gp, n_neighbors=20, cv="leave_one_out")
        return model.fit(X_train, y_train, unseen=task.unseen).predict(X_test, return_std=True)
    if by_unseen:
        gp.set_params(objective="leave_one_out").fit(X_train, y_train, unseen=task.unseen)
    else:
        gp.fit(X_train, y_train)
    return gp.predict(X_test, return_std=True)


def composition(task):
    """Fit a Gaussian process on composition alone."""
    X_train, X_test, y_train, _ = task.split(task.features["composition"])
    kernel = Laplacian(1.0, 100.0, metric="cityblock") + WhiteKernel(0.01, (1e-6, 10))
    gp = make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True))
    return gp.fit(X_train, y_train).predict(X_test, return_std=True)


def trees(task):
    """Fit extremely randomised trees.

    Their spread is zero where all trees agree, so it is given the best line: sigma^2 = a spread^2 +
    b, by the likelihood of five folds of the training part.
    """
    X_train, X_test, y_train, _ = task.split(task.features["composition for trees"])
    model = ExtraTreesRegressor(300, random_state=0)
    folds = KFold(5, shuffle=True, random_state=0)
    mean, spread = np.empty((2, len(y_train)))
    for fit, left_out in folds.split(X_train):
        model.fit(X_train[fit], y_train[fit])
        mean[left_out], spread[left_out] = model.predict(X_train[left_out], return_std=True)
    error = (mean - y_train) ** 2

    def nll(log_line):
        variance = np.exp(log_line[0]) * spread**2 + np.exp(log_line[1])
        return np.mean(np.log(variance) + error / variance)

    a, b = np.exp(minimize(nll, [0.0, np.log(error.mean() / 2)], method="Nelder-Mead").x)
    mean, spread = model.fit(X_train, y_train).predict(X_test, return_std=True)
    return mean, np.sqrt(a * spread**2 + b)


def readout(task, tuned=""):
    """Take the network's own prediction, with its error on the rows that it has not seen."""
    prediction = task.features[f"{tuned}readout"]
    unseen = task.train[task.unseen]
    rms = np.sqrt(np.mean((prediction[unseen] - task.y[unseen]) ** 2))
    return prediction[task.test], np.full(len(task.test), rms)


def dummy(task):
    """Predict the mean."""
    X_train, X_test, y_train, _ = task.split(task.features["composition"])
    return DummyRegressor().fit(X_train, y_train).predict(X_test, return_std=True)


def bundled(task, name):
    """Read the predictions of several networks, or of passes with dropout (train_baselines.py).

    The variance is that of the predictions and of the error on rows that the networks had not seen.
    """
    table = pd.read_csv(NETWORKS.with_suffix(".csv")).query("split == 'test'")
    notes = json.loads(NETWORKS.with_suffix(".json").read_text())["models"]
    key = {"ensemble": "network_0"}.get(name, name)
    spread, noise = table[f"{name}_std"].to_numpy(), notes[key]["residual_std"]
    return table[f"{name}_mean"].to_numpy(), np.hypot(spread, noise)


NETWORKS = Path(__file__).parents[1] / "data" / "network_baselines"
EVERYWHERE = {
    "recommended": recommended,
    "recommended, as a Gaussian": partial(recommended, method="std_scaling"),
    "recommended, not calibrated": partial(recommended, method=None),
    "paper's recipe": paper,
    "Gaussian process on composition": composition,
    "extremely randomised trees on composition": trees,
    "dummy": dummy,
}
ON_FORMATION_ENERGY = {
    "network": readout,
    "recommended, kernel by marginal likelihood, not calibrated": partial(
        recommended, method=None, objective="marginal_likelihood"
    ),
    "recommended, kernel by the unseen crystals, not calibrated": partial(
        recommended, method=None, by_unseen=True
    ),
    "paper's recipe, kernel by the unseen crystals": partial(paper, by_unseen=True),
    "paper's recipe, calibrated": partial(paper, calibrated=True),
}
ONCE = {  # of one seed
    "four networks": partial(bundled, name="ensemble"),
    "network with dropout": partial(bundled, name="dropout"),
}
ON_OTHERS = {
    "recommended, fine-tuned network": partial(
        recommended, tuned="fine-tuned ", method="std_scaling"
    ),
    "paper's recipe, fine-tuned network": partial(paper, tuned="fine-tuned "),
    "network, fine-tuned": partial(readout, tuned="fine-tuned "),
}


def rows_of(name, seed, cache):
    """Return the rows of the table of one task."""
    task = load_task(name, seed, cache)
    if name == FORMATION:
        models = EVERYWHERE | ON_FORMATION_ENERGY | (ONCE if seed == 0 else {})
    else:
        models = EVERYWHERE | ON_OTHERS
    return [
        {"property": name, "seed": seed, "model": model} | measure(task.y[task.test], predict(task))
        for model, predict in models.items()
    ]


def main():
    """Write the rows, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("comparison"))
    parser.add_argument("--out", type=Path, default=NETWORKS.parent)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    jobs = [delayed(rows_of)(name, seed, arguments.cache) for name in PROPERTIES for seed in SEEDS]
    found = Parallel(n_jobs=arguments.jobs, verbose=5)(jobs)
    table = pd.DataFrame([row for rows in found for row in rows])
    table.to_csv(arguments.out / "model_comparison.csv", index=False, float_format="%.4f")
    for name, rows in table.groupby("property", sort=False):
        print(f"\n{name} ({PROPERTIES[name][0] or 'no unit'})")
        groups = rows.groupby("model", sort=False)[list(COLUMNS)]
        mean, spread = groups.mean(), groups.std(ddof=0)
        print(f"{'':60}" + "".join(f"{column:>16}" for column in COLUMNS))
        for model in mean.index:
            cells = zip(mean.loc[model], spread.loc[model], strict=True)
            print(f"{model:60}" + "".join(f"{m:8.3f} ({s:.3f})" for m, s in cells))


if __name__ == "__main__":
    main()
