"""The main job on the bundled data: error bars, and active learning against random choice."""

import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.utils import Bunch
from tqdm import tqdm

from ..active_learning import simulate
from ..calibration import (
    coverage_by_level,
    miscalibration_area,
    negative_log_likelihood,
    predict_distribution,
)
from ..calibration.distribution_metrics import two_sigma_std
from ..datasets import load_formation_energy
from ..displays import (
    CalibrationCurveDisplay,
    LearningCurveDisplay,
    ParityDisplay,
    PITHistogramDisplay,
    ResidualDisplay,
)
from ..models import make_cfgp, unseen_mask
from ..network import load_network
from ..query import max_std, random_sampling

WEIGHTS = "formation_energy_1800"
RECOMMENDED = "recommended pipeline"


@dataclass
class Demo:
    """Results of `run_demo`."""

    test: Bunch  # material_id, formula, target, target_name and unit of the test crystals
    predictions: dict  # by model, in eV/atom: distributions, or values of the network alone
    kernel: object  # of the recommended pipeline, fitted
    curves: dict  # results of `simulate` by strategy, a list over seeds
    seconds: dict  # wall time of each step

    @property
    def prediction(self):
        """Median by the recommended pipeline, in eV/atom."""
        return self.predictions[RECOMMENDED].median()

    @property
    def std(self):
        """Standard deviation by the recommended pipeline, in eV/atom; see `two_sigma_std`."""
        return two_sigma_std(self.predictions[RECOMMENDED])

    def table(self):
        """Format the results as text."""
        y, unit = self.test.target, self.test.unit
        head = ("MAE", "RMSE", "R2", "in 50 %", "in 95 %", "area", "NLL")
        lines = [
            f"Formation energies of {len(y)} unseen crystals ({unit})",
            f"  {'':34}" + "".join(f"{name:>11}" for name in head),
            *(f"  {name:34}" + self._line(found) for name, found in self.predictions.items()),
            f"  {'if the error bars were perfect':34}{'':33}{0.5:>11.1%}{0.95:>11.1%}{0:>11.3f}",
            f"  kernel: {self.kernel}",
            "",
            *self._learning_lines(unit),
            "",
            "Seconds: " + ", ".join(f"{name} {s:.1f}" for name, s in self.seconds.items()),
        ]
        return "\n".join(lines)

    def _line(self, found):
        y, has_error_bar = self.test.target, hasattr(found, "cdf")
        mean = found.median() if has_error_bar else found
        cells = f"{np.abs(mean - y).mean():11.4f}{root_mean_squared_error(y, mean):11.4f}"
        cells += f"{r2_score(y, mean):11.4f}"
        if not has_error_bar:
            return cells + f"{'no error bar':>22}"
        cells += "".join(f"{p:11.1%}" for p in coverage_by_level(y, found).coverage[[0.5, 0.95]])
        area, nll = miscalibration_area(y, found), negative_log_likelihood(y, found)
        return cells + f"{area:11.3f}{nll:11.3f}"

    def _learning_lines(self, unit):
        first = next(iter(self.curves.values()))[0]
        n_labels, start = first["n_labelled"].iloc[-1] - first["n_labelled"].iloc[0], first.iloc[0]
        yield f"Active learning, {n_labels} labels more: MAE ({unit}), median over seeds"
        yield f"  {'':34}{'fixed test set':>16}{'remaining pool':>16}"
        yield f"  {'before':34}{start['mae_test']:16.4f}{start['mae_pool']:16.4f}"
        for name, runs in self.curves.items():
            last = pd.concat([run.tail(1) for run in runs])
            label = name if len(runs) == 1 else f"{name} ({len(runs)} seeds)"
            yield f"  {label:34}{last.mae_test.median():16.4f}{last.mae_pool.median():16.4f}"
        yield "  (the remaining pool, as in the paper, gets easier when the hard crystals leave it)"

    def write(self, folder):
        """Write two CSV files and four figures to an existing folder, and return their paths."""
        test = self.test
        columns = {"material_id": test.material_id, "formula": test.formula}
        columns |= {test.target_name: test.target, "prediction": self.prediction, "std": self.std}
        lower, upper = self.predictions[RECOMMENDED].interval(0.95)
        columns |= {"lower": lower, "upper": upper, "unit": test.unit}
        curves = {
            (name, seed): run.drop(columns="indices")
            for name, runs in self.curves.items()
            for seed, run in enumerate(runs)
        }
        paths = [folder / "predictions.csv", folder / "learning_curves.csv"]
        pd.DataFrame(columns).to_csv(paths[0], index=False)
        pd.concat(curves, names=["strategy", "seed"]).to_csv(paths[1])
        for name, figure in self._figures():
            paths.append(folder / name)
            figure.savefig(paths[-1], dpi=150)
        return paths

    def _figures(self):
        """Yield figures by file name."""
        test, unit = self.test, self.test.unit
        numbers = test.target, self.predictions[RECOMMENDED]
        options = {"target_name": "formation energy", "unit": unit}
        figure, ax = _new_figure()
        ParityDisplay.from_predictions(*numbers, ax=ax, **options)
        yield "parity.png", figure
        figure, ax = _new_figure()
        ResidualDisplay.from_predictions(*numbers, ax=ax, labels=test.formula, **options)
        yield "residual.png", figure
        figure, axes = _new_figure(2)
        for name, found in self.predictions.items():
            if hasattr(found, "cdf"):
                CalibrationCurveDisplay.from_predictions(test.target, found, name=name, ax=axes[0])
        PITHistogramDisplay.from_predictions(*numbers, name=RECOMMENDED, ax=axes[1])
        yield "calibration.png", figure
        figure, axes = _new_figure(2)
        for ax, metric in zip(axes, ("mae_test", "mae_pool"), strict=True):
            LearningCurveDisplay.from_simulations(self.curves, metric=metric, unit=unit, ax=ax)
        yield "learning_curve.png", figure


def _new_figure(n_axes=1):
    figure = Figure(figsize=(5.2 * n_axes, 4.4), layout="constrained")
    return figure, figure.subplots(1, n_axes)


def run_demo(*, n_cycles=300, n_seeds=3, verbose=1):
    """Run the main job on the bundled formation energies.

    The recommended pipeline and the paper's are fitted on the 1,800 crystals of the training part.
    Nine tenths of these trained the bundled network; the others calibrate the error bars of the
    recommended pipeline, and all 1,800 determine its hyper-parameters. Both predict the 700
    crystals of the test set. Then the process learns `n_cycles` crystals of the pool, one by one
    with fixed hyper-parameters: by largest standard deviation, and at random with `n_seeds` seeds.
    """
    seconds = {}

    @contextmanager
    def step(name, label):
        if verbose:
            tqdm.write(f"{label} ...")
        start = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - start

    with step("load", "Loading 3,927 crystals"):
        data = load_formation_energy(split="paper", structures="arrays")
        train, pool, test = (np.flatnonzero(data.split == p) for p in ("train", "pool", "test"))
        y = data.target
    model, paper = make_cfgp(WEIGHTS, calibrated=True), make_cfgp(WEIGHTS, recipe="paper")
    features, calibrated = model[:-1], model[-1]
    with step("featurize", "Composition, and latent vectors from the bundled network"):
        features.fit(data.structures[train])
        X = features.transform(data.structures)
    with step("fit", "Fitting the Gaussian process to 1,800 formation energies"):
        unseen = unseen_mask(WEIGHTS, data.material_id[train])
        gp = calibrated.fit(X[train], y[train], unseen=unseen).estimator_
    with step("predict", "Predicting 700 crystals"):
        predictions = {RECOMMENDED: calibrated.predict_distribution(X[test])}
    with step("compare", "The same by the recipe of the paper, and by the network alone"):
        paper.fit(data.structures[train], y[train])
        predictions["the paper's recipe"] = predict_distribution(paper, data.structures[test])
        readout = load_network(WEIGHTS).predict(data.structures[test])
        predictions["the network by itself"] = readout
    fixed = clone(gp).set_params(kernel=gp.kernel_, optimizer=None)
    runs = [("largest standard deviation", max_std, None)]
    runs += [("random", random_sampling, seed) for seed in range(n_seeds)]
    curves = {}
    with (
        step("learn", f"Active learning, {n_cycles} labels, {len(runs)} runs"),
        tqdm(total=n_cycles * len(runs), unit="label", disable=None if verbose else True) as bar,
    ):
        options = {"initial": train, "pool": pool, "test": test, "n_cycles": n_cycles}
        options["on_cycle"] = lambda cycle: bar.update()
        for name, strategy, seed in runs:
            run = simulate(fixed, X, y, query_strategy=strategy, random_state=seed, **options)
            curves.setdefault(name, []).append(run)
    rows = {key: data[key][test] for key in ("material_id", "formula", "target")}
    test_part = Bunch(**rows, target_name=data.target_name, unit=data.unit)
    return Demo(test_part, predictions, gp.kernel_, curves, seconds)
