import numpy as np
import pandas as pd
import pytest

from skcfgp import GaussianProcessRegressor, simulate
from skcfgp.displays import LearningCurveDisplay, ParityDisplay, ResidualDisplay
from skcfgp.query import random_sampling

matplotlib = pytest.importorskip("matplotlib")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.sin(X).sum(axis=1)


@pytest.fixture(autouse=True)
def _close():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def gp():
    return GaussianProcessRegressor(optimizer=None).fit(X[:40], Y[:40])


@pytest.mark.parametrize("cls", [ParityDisplay, ResidualDisplay])
def test_from_estimator_is_from_predictions(cls, gp):
    by_estimator = cls.from_estimator(gp, X[40:], Y[40:], unit="eV")
    mean, std = gp.predict(X[40:], return_std=True)
    by_predictions = cls.from_predictions(Y[40:], mean, std, unit="eV")
    for display in (by_estimator, by_predictions):
        np.testing.assert_array_equal(display.y_pred, mean)
        np.testing.assert_array_equal(display.y_std, std)
        assert "(eV)" in display.ax_.get_xlabel()
        assert "(eV)" in display.ax_.get_ylabel()
        assert display.figure_ is display.ax_.figure


def test_parity_draws_two_sigma(gp):
    mean, std = gp.predict(X[40:], return_std=True)
    display = ParityDisplay.from_predictions(Y[40:], mean, std)
    (bars,) = display.ax_.containers
    low, high = np.array(bars.lines[2][0].get_segments())[:, :, 1].T
    np.testing.assert_allclose(high - low, 4 * std)
    without = ParityDisplay.from_predictions(Y[40:], mean)
    assert not without.ax_.containers[0].has_yerr


def test_residual_names_the_worst_and_counts(gp):
    y_true, y_pred, y_std = np.zeros(10), np.r_[np.full(8, 0.1), 3.0, 5.0], np.ones(10)
    labels = [f"crystal {i}" for i in range(10)]
    display = ResidualDisplay.from_predictions(y_true, y_pred, y_std, labels=labels, n_worst=2)
    assert [text.get_text() for text in display.ax_.texts] == ["crystal 9", "crystal 8"]
    assert "80.0% within" in display.ax_.get_title()


def test_plot_on_given_axes_with_options(gp):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    display = ParityDisplay.from_estimator(gp, X, Y, ax=ax, line_kw={"color": "red"})
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert any(line.get_color() == "red" for line in ax.lines)


def test_learning_curve():
    options = {"initial": range(10), "pool": range(10, 40), "test": range(40, 60), "n_cycles": 5}
    gp = GaussianProcessRegressor(optimizer=None)
    curves = {
        "largest std": simulate(gp, X, Y, **options),
        "random": [
            simulate(gp, X, Y, query_strategy=random_sampling, random_state=s, **options)
            for s in range(3)
        ],
    }
    display = LearningCurveDisplay.from_simulations(curves, unit="eV/atom")
    first, second = display.ax_.lines
    np.testing.assert_array_equal(first.get_ydata(), curves["largest std"].mae_test)
    median = pd.concat([run.mae_test for run in curves["random"]], axis=1).median(axis=1)
    np.testing.assert_allclose(second.get_ydata(), median)
    assert len(display.ax_.collections) == 1  # a band where there are seeds
    assert display.ax_.get_ylabel() == "MAE on the fixed test set (eV/atom)"
    with pytest.raises(ValueError, match="metric"):
        LearningCurveDisplay.from_simulations(curves, metric="r2")
