"""Typical code of a user, which mypy checks (see pyproject.toml); nothing runs it.

An ``ignore`` marks a wrong use: mypy says so where it is none, as it does of a wrong `assert_type`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

import skcfgp.structures
from skcfgp import (
    ActiveLearner,
    CalibratedRegressor,
    CompositionFeaturizer,
    GaussianProcessRegressor,
    MEGNetFeaturizer,
    __version__,
    load_model,
    make_cfgp,
    save_model,
    simulate,
)
from skcfgp.calibration import (
    UncertaintyReport,
    calibration_curve,
    crps,
    predict_distribution,
    uncertainty_report,
)
from skcfgp.campaign import Campaign, TellResult
from skcfgp.datasets import load_formation_energy
from skcfgp.displays import ParityDisplay
from skcfgp.gaussian_process import PoolPosterior
from skcfgp.kernels import Laplacian
from skcfgp.models import CrystalPipeline, predict_crystals
from skcfgp.network import MEGNet, load_network
from skcfgp.query import expected_improvement, initial_design, max_std
from skcfgp.screening import Condition, PoolPredictions, Screening, predict_pool, screen
from skcfgp.structures import Crystal, Structures, check_structures

if TYPE_CHECKING:
    from typing_extensions import assert_type

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]


def structures(cells: list[Structure]) -> None:
    found = check_structures(cells, on_error="nan")
    assert_type(found, Structures)
    assert_type(found.failures[0].reason, str)
    check_structures("crystals/", n_jobs=2)
    check_structures([Path("a.cif"), "b.cif", cells[0], None], formulas=True)
    check_structures({"salt": cells[0]})
    check_structures([1.0, 2.0])  # type: ignore[list-item]
    check_structures(cells, on_error="skip")  # type: ignore[arg-type]
    iron = Crystal(np.eye(3), [[0, 0, 0]], [26])
    assert_type(iron.to_structure(), Structure)
    assert_type(iron.volume, float)
    assert_type(Crystal.from_structure(Structure(Lattice.cubic(3), ["Fe"], [[0, 0, 0]])), Crystal)


def models(cells: list[Structure], y: list[float]) -> None:
    model = make_cfgp(random_state=0).fit(cells, y)
    assert_type(model, CrystalPipeline)
    assert_type(model.predict(cells), Floats)
    assert_type(model.predict(cells, return_std=True), tuple[Floats, Floats])
    assert_type(model.predict_interval(cells, coverage=0.9), tuple[Floats, Floats])
    make_cfgp(recipe="best")  # type: ignore[arg-type]
    make_cfgp(on_error="nan", estimates=["emt"], log_target=True, weights=None)
    save_model(model, Path("model"), target="energy", unit="eV/atom", training=(cells, y))
    load_model("model").predict(cells)
    predict_crystals(model, check_structures(cells), unit="eV/atom").to_csv("predictions.csv")
    assert_type(load_network("Eform_MP_2019"), MEGNet)
    MEGNetFeaturizer(layer=["set2set", "readout_0"], device="/CPU:0").fit(cells).transform(cells)
    CompositionFeaturizer("mean").fit_transform(["NaCl", "KCl"])
    __version__.split(".")
    skcfgp.make_model  # type: ignore[attr-defined]  # noqa: B018
    skcfgp.structures.make_crystal  # type: ignore[attr-defined]  # noqa: B018


def bundled() -> None:
    data = load_formation_energy(split="train")
    print(data.DESCR)
    X, y = load_formation_energy(return_X_y=True)
    load_formation_energy(split="all")  # type: ignore[call-overload]
    models(X, y)


def processes(X: Floats, y: Floats, ask: bool) -> None:
    gp = GaussianProcessRegressor(Laplacian(length_scale=2.0), alpha=1e-3).fit(X, y)
    assert_type(gp, GaussianProcessRegressor)
    assert_type(gp.predict(X), Floats)
    assert_type(gp.predict(X, return_std=True), tuple[Floats, Floats])
    assert_type(gp.predict(X, return_std=ask), Floats | tuple[Floats, Floats])
    assert_type(gp.partial_fit([[0.0, 1.0]], [2.0]), GaussianProcessRegressor)
    assert_type(Laplacian()(X), Floats)
    posterior = PoolPosterior(gp, X)
    posterior.condition_on(int(np.argmax(posterior.std)))
    calibrated = CalibratedRegressor(gp, method="student_t", cv="leave_one_out").fit(X, y)
    _, std = calibrated.predict(X, return_std=True)
    assert_type(std, Floats)
    CalibratedRegressor(gp, method="platt")  # type: ignore[arg-type]


def calibration(model: CrystalPipeline, cells: list[Structure], y: Floats) -> None:
    distribution = predict_distribution(model, cells)
    assert_type(distribution.interval(0.9), tuple[Floats, Floats])
    assert_type(crps(y, distribution), float)
    assert_type(calibration_curve(y, y, [0.1] * len(y)), tuple[Floats, Floats])
    report = uncertainty_report(y, distribution, unit="eV/atom", random_state=0)
    assert_type(report, UncertaintyReport)
    assert_type(report.mae, float)
    assert_type(ParityDisplay.from_estimator(model, cells, y), ParityDisplay)


def choices(X: Floats, y: Floats, cells: list[Structure]) -> None:
    learner = ActiveLearner(GaussianProcessRegressor(), max_std, X_training=X, y_training=y)
    indices, rows = learner.query(X, n_instances=3)
    assert_type(indices, Positions)
    assert_type(rows, Floats)
    learner.teach(rows, y[indices])
    _, some, _ = learner.query(cells, 3, return_metrics=True)
    assert_type(some, list[Structure])
    assert_type(expected_improvement(learner, X, 2, mode="min"), tuple[Positions, Floats])
    expected_improvement(learner, X, mode="low")  # type: ignore[arg-type]
    start, _ = initial_design(X, 10, costs=y)
    curve = simulate(learner.estimator, X, y, initial=start, pool=range(10, 20), test=None)
    print(curve["mae_pool"])


def campaigns(cells: list[Structure]) -> None:
    campaign = Campaign.init("folder", cells, target="energy", unit="eV/atom", goal="minimize")
    assert_type(campaign, Campaign)
    for pick in Campaign("folder").suggest(5, out=Path("inputs")):
        assert_type(pick, dict[str, Any])
        told = campaign.tell(id=pick["id"], value=-1.0)
        assert_type(told, TellResult)
        assert_type(told.labelled, list[str])
    campaign.suggest(fmt="xyz")  # type: ignore[arg-type]
    assert_type(campaign.state().labels, dict[str, float])
    assert_type(campaign.screen(below=0.0), Screening)


def screening(model: CrystalPipeline, cells: list[Structure]) -> None:
    condition = Condition.of(between=(0.0, 1.0))
    found = screen(predict_crystals(model, cells), condition, cut=0.9)
    assert_type(found.n_found, int)
    pool = predict_pool(model, Path("pool.parquet"), "out", progress=print)
    assert_type(pool, PoolPredictions)
    assert_type(pool.screen(condition).expected, float)
