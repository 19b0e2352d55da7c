import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm, t
from sklearn import config_context
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcfgp import GaussianProcessRegressor, simulate
from skcfgp.calibration import TransformedDistribution
from skcfgp.displays import (
    CalibrationCurveDisplay,
    ErrorBarDisplay,
    LatentMapDisplay,
    LearningCurveDisplay,
    ParityDisplay,
    PITHistogramDisplay,
    ResidualDisplay,
    TrainingHistoryDisplay,
)
from skcfgp.query import max_std, random_sampling

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


@pytest.mark.parametrize("cls", [ErrorBarDisplay, ParityDisplay, ResidualDisplay])
def test_from_estimator_is_from_predictions(cls, gp):
    by_estimator = cls.from_estimator(gp, X[40:], Y[40:], unit="eV")
    mean, std = gp.predict(X[40:], return_std=True)
    by_predictions = cls.from_predictions(Y[40:], mean, std, unit="eV")
    for display in (by_estimator, by_predictions):
        np.testing.assert_array_equal(np.sort(display.y_pred), np.sort(mean))
        np.testing.assert_array_equal(np.sort(display.y_std), np.sort(std))
        assert "(eV)" in display.ax_.get_ylabel()
        assert display.figure_ is display.ax_.figure


@pytest.mark.parametrize(
    "cls",
    [
        CalibrationCurveDisplay,
        ErrorBarDisplay,
        ParityDisplay,
        PITHistogramDisplay,
        ResidualDisplay,
    ],
)
@pytest.mark.parametrize("routing", [False, True])
def test_from_estimator_takes_pipelines_and_searches(cls, routing):
    pipe = make_pipeline(StandardScaler(), GaussianProcessRegressor(optimizer=None))
    search = GridSearchCV(pipe, {"gaussianprocessregressor__alpha": [1e-6]}, cv=2)
    with config_context(enable_metadata_routing=routing):
        for model in (pipe, search):
            cls.from_estimator(model.fit(X[:40], Y[:40]), X[40:], Y[40:])
        with pytest.raises(TypeError, match=r"LinearRegression\.predict does not take return_std"):
            cls.from_estimator(LinearRegression().fit(X, Y), X, Y)


@pytest.mark.parametrize("cls", [ErrorBarDisplay, ParityDisplay])
def test_of_a_distribution_the_interval_is_drawn(cls):
    """Which is not symmetric of a logarithm."""
    inner = t(3, loc=X[:40, 0], scale=0.1)
    distribution = TransformedDistribution(inner, np.log10, lambda x: 10.0**x)
    y = distribution.rvs(random_state=0)
    display = cls.from_predictions(y, distribution)
    (bars,) = display.ax_.containers
    low, high = np.array(bars.lines[2][0].get_segments())[:, :, 1].T
    expected = np.sort(distribution.interval(0.95))
    np.testing.assert_allclose([np.sort(low), np.sort(high)], expected)
    assert any("95% interval" in text for text in display.ax_.get_legend_handles_labels()[1])
    if cls is ErrorBarDisplay:
        lower, upper = distribution.interval(0.95)
        count = f"inside the bar: {np.sum((lower <= y) & (y <= upper))}"
        assert any(count in text for text in display.ax_.get_legend_handles_labels()[1])
    sigma = cls.from_predictions(y, distribution, n_sigma=1).ax_.containers[0]
    low, high = np.array(sigma.lines[2][0].get_segments())[:, :, 1].T
    np.testing.assert_allclose(np.sort(high - low), np.sort(2 * display.y_std))


def test_pit_histogram_is_flat_for_what_is_right():
    distribution = t(3, loc=np.zeros(4000), scale=0.1)
    y = distribution.rvs(random_state=1)
    display = PITHistogramDisplay.from_predictions(y, distribution, name="t", n_bins=10)
    np.testing.assert_allclose([bar.get_height() for bar in display.ax_.patches[:10]], 1, atol=0.2)
    assert display.ax_.get_title() == "t"
    wide = PITHistogramDisplay.from_predictions(y, 0 * y, 0 * y + 0.5, n_bins=10)
    height = [bar.get_height() for bar in wide.ax_.patches[:10]]
    assert height[4] > 1.5 > 0.5 > height[0]
    assert np.mean(height) == pytest.approx(1)


def test_parity_draws_two_sigma(gp):
    mean, std = gp.predict(X[40:], return_std=True)
    display = ParityDisplay.from_predictions(Y[40:], mean, std)
    (bars,) = display.ax_.containers
    low, high = np.array(bars.lines[2][0].get_segments())[:, :, 1].T
    np.testing.assert_allclose(high - low, 4 * std)
    without = ParityDisplay.from_predictions(Y[40:], mean)
    assert not without.ax_.containers


def test_parity_kinds():
    y = RNG.normal(size=6000)
    std = np.ones(6000)
    points = ParityDisplay.from_predictions(y[:5000], y[:5000])
    assert not points.ax_.containers
    assert len(points.ax_.collections[0].get_offsets()) == 5000
    with_bars = ParityDisplay.from_predictions(y[:1000], y[:1000], std[:1000])
    assert with_bars.ax_.containers[0].has_yerr
    many_bars = ParityDisplay.from_predictions(y[:1001], y[:1001], std[:1001])
    assert not many_bars.ax_.containers
    for display in (ParityDisplay.from_predictions(y, y), points.plot(kind="density")):
        (cells,) = display.ax_.collections
        assert cells.get_array().sum() == len(display.y_true)
    with pytest.raises(ValueError, match="kind must be one of"):
        points.plot(kind="violin")
    with pytest.raises(ValueError, match="needs y_std"):
        points.plot(kind="errorbar")


@pytest.mark.parametrize(("unit", "ending"), [("", "0.121"), ("1", "0.121"), ("eV", "0.121 eV")])
def test_titles_keep_the_digits_of_the_error(unit, ending):
    display = ParityDisplay.from_predictions([0.0, 0.0], [0.121, -0.121], unit=unit)
    assert display.ax_.get_title().endswith(ending)


@pytest.mark.parametrize("cls", [ErrorBarDisplay, ParityDisplay, ResidualDisplay])
def test_name_is_that_of_the_model_and_the_property_has_its_own(cls):
    columns = np.arange(3.0), np.arange(3.0) + 0.1, np.ones(3)
    ax = cls.from_predictions(*columns, name="CFGP", target_name="band gap").ax_
    assert "band gap" in ax.get_ylabel()
    plain = cls.from_predictions(*columns).ax_
    assert ax.get_title() == f"CFGP: {plain.get_title()}"


def test_error_bars_of_a_random_choice():
    y = RNG.normal(size=300)
    std = np.arange(1, 301) / 300
    display = ErrorBarDisplay.from_predictions(y, y + 0.7, std, random_state=3)
    rows = display.rows_
    assert len(np.unique(rows)) == 100  # no crystal twice
    assert (np.diff(y[rows]) > 0).all()
    again = ErrorBarDisplay.from_predictions(y, y + 0.7, std, random_state=3)
    np.testing.assert_array_equal(again.rows_, rows)
    (bars,) = display.ax_.containers
    low, high = np.array(bars.lines[2][0].get_segments())[:, :, 1].T
    np.testing.assert_allclose((low + high) / 2, y[rows] + 0.7)
    np.testing.assert_allclose(high - low, 4 * std[rows])
    inside, outside = (points.get_offsets()[:, 1] for points in display.ax_.collections[1:])
    np.testing.assert_array_equal(inside, y[rows][2 * std[rows] >= 0.7])
    np.testing.assert_array_equal(outside, y[rows][2 * std[rows] < 0.7])
    labels = display.ax_.get_legend_handles_labels()[1]
    assert {label.split(": ")[1] for label in labels if ": " in label} == {
        str(len(inside)),
        str(len(outside)),
    }
    few = ErrorBarDisplay.from_predictions(y[:7], y[:7], std[:7])
    np.testing.assert_array_equal(np.sort(few.rows_), np.arange(7))


def test_residual_names_crystals_by_formula(salt):
    class Fixed:
        def predict(self, X, return_std):
            return np.full(len(X), 5.0), np.ones(len(X))

    display = ResidualDisplay.from_estimator(Fixed(), [salt, salt], [5.0, 0.0], n_worst=1)
    assert [text.get_text() for text in display.ax_.texts] == ["NaCl"]
    with pytest.raises(ValueError, match="as many labels"):
        ResidualDisplay.from_predictions([1.0], [1.0], [1.0], labels=["a", "b"])


@pytest.mark.parametrize("form", ["interval", "quantile"])
def test_calibration_curve_of_equal_residuals(form):
    # All crystals enter at one probability u: the curve is a step, its area u^2/2 + (1 - u)^2/2.
    u = 0.3
    z = norm.ppf(u) if form == "quantile" else norm.ppf(0.5 + u / 2)
    std = RNG.uniform(0.5, 2.0, size=50)
    y_pred = RNG.normal(size=50)
    display = CalibrationCurveDisplay.from_predictions(
        y_pred + z * std, y_pred, std, form=form, n_levels=2000
    )
    np.testing.assert_array_equal(display.observed, display.probability >= u)
    assert display.area == pytest.approx(u**2 / 2 + (1 - u) ** 2 / 2, abs=1e-3)
    assert form in display.ax_.get_title()


def test_calibration_of_several_models_on_the_same_axes(gp):
    first = CalibrationCurveDisplay.from_estimator(gp, X[40:], Y[40:])
    second = CalibrationCurveDisplay.from_estimator(gp, X[40:], Y[40:], name="b", ax=first.ax_)
    assert second.ax_ is first.ax_
    labels = first.ax_.get_legend_handles_labels()[1]
    for name in ("GaussianProcessRegressor", "b"):  # beside the diagonal and the band, once
        assert sum(label.startswith(f"{name},") for label in labels) == 1
    assert len(labels) == 4
    assert len(first.ax_.lines) == 3
    band, *levels = first.ax_.collections
    assert len(levels) == 2
    np.testing.assert_array_equal(levels[0].get_offsets()[:, 0], [0.5, 0.68, 0.8, 0.9, 0.95, 0.99])
    (low, high), n = band.get_paths()[0].get_extents().intervaly, 20
    assert (low, high) == (0, 1)
    at_half = band.get_paths()[0].vertices
    at_half = at_half[np.isclose(at_half[:, 0], first.probability[50]), 1]
    expected = binom.ppf([0.025, 0.975], n, first.probability[50]) / n
    np.testing.assert_allclose(np.sort(at_half), expected)
    with pytest.raises(ValueError, match="form must be 'interval' or 'quantile'"):
        CalibrationCurveDisplay.from_estimator(gp, X, Y, form="central")
    with pytest.raises(ValueError, match="y_std must be positive, got 0 in row 1"):
        CalibrationCurveDisplay.from_predictions([0.0, 0.0], [0.0, 0.0], [1.0, 0.0])


def test_latent_map_keeps_neighbours_together():
    Z = np.vstack([RNG.normal(size=(40, 5)), RNG.normal(size=(40, 5)) + 20])
    cluster = np.repeat([0.0, 1.0], 40)
    display = LatentMapDisplay.from_vectors(
        Z, cluster, perplexity=10, random_state=0, target_name="band gap", unit="eV"
    )
    distance = np.linalg.norm(display.embedding[:, None] - display.embedding, axis=2)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(cluster[distance.argmin(axis=1)], cluster)
    points = display.ax_.collections[0]
    np.testing.assert_array_equal(points.get_array(), cluster)
    assert points.colorbar.ax.get_ylabel() == "band gap (eV)"
    same = FunctionTransformer().fit(Z)
    again = LatentMapDisplay.from_estimator(same, Z, cluster, perplexity=10, random_state=0)
    np.testing.assert_array_equal(again.embedding, display.embedding)


def test_latent_map_refuses_failed_crystals():
    Z = RNG.normal(size=(50, 3))
    Z[7] = np.nan
    with pytest.raises(ValueError, match=r"1 rows .* position 7.*warning names them"):
        LatentMapDisplay.from_vectors(Z, np.zeros(50))
    with pytest.raises(ValueError, match=r"\(49, n\)"):
        LatentMapDisplay.from_vectors(Z, np.zeros(49))


def test_training_history():
    history = {"loss": [3.0, 2.0, 1.0], "val_mae": [3.0, 1.5, 2.0], "learning_rate": [1, 1, 1]}
    display = TrainingHistoryDisplay.from_history(history, unit="eV")
    loss, validation, best = display.ax_.lines
    np.testing.assert_array_equal(loss.get_ydata(), history["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), history["val_mae"])
    np.testing.assert_array_equal(best.get_data(), [[2], [1.5]])
    assert best.get_label().endswith("epoch 2, 1.5 eV")
    assert display.ax_.get_ylabel().endswith("(eV)")
    assert display.ax_.get_yscale() == "linear"  # a logarithmic axis would have one label
    history["loss"][0] = 4.0
    assert TrainingHistoryDisplay.from_history(history).ax_.get_yscale() == "log"
    history["val_mae"] = [np.nan] * 3  # nothing set aside: the last epoch is kept
    assert len(TrainingHistoryDisplay.from_history(history).ax_.lines) == 1
    with pytest.raises(ValueError, match=r"lacks \['val_mae'\]"):
        TrainingHistoryDisplay.from_history({"loss": [1.0]})


@pytest.mark.network
def test_training_history_of_networks(crystals, salt):
    from skcfgp import MEGNetFeaturizer

    bundled = MEGNetFeaturizer("formation_energy_1800", verbose=0).fit(crystals[0])
    display = TrainingHistoryDisplay.from_estimator(bundled)
    assert "(eV/atom)" in display.ax_.get_ylabel()
    training = bundled.network_.card["training"]
    assert len(display.ax_.lines[0].get_ydata()) == training["epochs"]
    assert display.ax_.lines[2].get_xdata()[0] == training["best_epoch"]
    tuned = MEGNetFeaturizer("formation_energy_1800", epochs=2, random_state=0, verbose=0)
    display = TrainingHistoryDisplay.from_estimator(tuned.fit(*crystals), unit="eV/atom")
    np.testing.assert_array_equal(display.ax_.lines[0].get_ydata(), tuned.history_["loss"])
    with pytest.raises(ValueError, match="was not trained"):
        TrainingHistoryDisplay.from_estimator(MEGNetFeaturizer(verbose=0).fit([salt]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_pred": [1.0, 2.0]}, "same length"),
        ({"y_true": [[1.0], [2.0], [3.0]]}, "1-D"),
        ({"y_pred": [1.0, np.nan, 3.0]}, "y_pred must be finite, got nan in row 1"),
        ({"y_std": [1.0, 1.0, -1.0]}, "y_std must be at least 0, got -1 in row 2"),
        ({"y_true": [], "y_pred": [], "y_std": []}, "at least one row"),
    ],
)
@pytest.mark.parametrize("cls", [ErrorBarDisplay, ParityDisplay, ResidualDisplay])
def test_bad_columns(cls, change, message):
    good = {key: [1.0, 2.0, 3.0] for key in ("y_true", "y_pred", "y_std")}
    with pytest.raises(ValueError, match=message):
        cls.from_predictions(**good | change)
    cls.from_predictions(**good | {"y_std": [0.0, 1.0, 1.0]})  # a row that was learnt exactly
    if cls is not ParityDisplay:
        with pytest.raises(ValueError, match="needs y_std, got None"):
            cls.from_predictions(good["y_true"], good["y_pred"])


def test_residual_names_the_worst_and_counts(gp):
    y_true, y_pred, y_std = np.zeros(10), np.r_[np.full(8, 0.1), 3.0, 5.0], np.ones(10)
    labels = [f"crystal {i}" for i in range(10)]
    display = ResidualDisplay.from_predictions(y_true, y_pred, y_std, labels=labels, n_worst=2)
    assert [text.get_text() for text in display.ax_.texts] == ["crystal 9", "crystal 8"]
    assert "80.0% within" in display.ax_.get_title()


def test_plot_on_given_axes_with_options(gp):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    display = ParityDisplay.from_estimator(gp, X, Y, ax=ax, line_kwargs={"color": "red"})
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert any(line.get_color() == "red" for line in ax.lines)


def test_learning_curve():
    options = {"initial": range(10), "pool": range(10, 40), "test": range(40, 60), "n_cycles": 5}
    gp = GaussianProcessRegressor(optimizer=None)
    curves = {
        "largest std": simulate(gp, X, Y, **options, query_strategy=max_std),
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
    assert display.ax_.get_ylabel().endswith("(eV/atom)")
    first_label, second_label = display.ax_.get_legend_handles_labels()[1]
    assert first_label == "largest std"
    assert second_label.startswith("random")
    assert "3" in second_label  # a median of so many runs
    assert first.get_linestyle() != second.get_linestyle()  # to be told apart in grey
    with pytest.raises(ValueError, match="metric"):
        LearningCurveDisplay.from_simulations(curves, metric="r2")
    del options["test"]
    with pytest.raises(ValueError, match="'largest std' has no mae_test: give simulate a test set"):
        LearningCurveDisplay.from_simulations(
            {"largest std": simulate(gp, X, Y, **options, query_strategy=max_std)}
        )
    with pytest.raises(ValueError, match="runs of 'random' must have the same numbers of labels"):
        LearningCurveDisplay.from_simulations(
            {"random": [curves["random"][0], curves["random"][1][:3]]}
        )
