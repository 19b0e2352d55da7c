import pickle
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats
from sklearn.metrics import mean_absolute_error, r2_score

from skcfgp import calibration
from skcfgp.calibration import (
    ause,
    calibrated_reference,
    calibration_curve,
    coverage,
    coverage_by_level,
    coverage_interval,
    crps_gaussian,
    dispersion,
    ence,
    error_decay_curve,
    mean_squared_z,
    mean_squared_z_interval,
    miscalibration_area,
    negative_log_likelihood,
    sharpness,
    spearman,
    uncertainty_report,
)

# Errors at the 2,000 mid-quantiles of a normal distribution: a sample without sampling error.
NORMAL = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)

#: Every metric of (y_true, y_pred, y_std), and by how much it grows with the unit of y.
METRICS = {
    coverage: 0,
    miscalibration_area: 0,
    ence: 0,
    mean_squared_z: 0,
    crps_gaussian: 1,
    spearman: 0,
    ause: 1,
}


def sample(n=400, seed=0, spread=0.5):
    """A calibrated model with standard deviations of several sizes."""
    rng = np.random.default_rng(seed)
    y_std = np.exp(spread * rng.normal(size=n))
    y_pred = rng.normal(size=n)
    return y_pred + y_std * rng.normal(size=n), y_pred, y_std


def constant(error, std=1.0):
    return error, np.zeros_like(error), np.full_like(error, std)


def predictions(min_size=2):
    """Rows on a coarse grid, so that ties occur."""
    numbers = st.integers(-20, 20).map(lambda i: i / 4)
    positive = st.integers(1, 8).map(lambda i: i / 4)
    return st.integers(min_size, 30).flatmap(
        lambda n: st.tuples(
            arrays(float, n, elements=numbers),
            arrays(float, n, elements=numbers),
            arrays(float, n, elements=positive),
        )
    )


# Closed forms


@pytest.mark.parametrize("n_sigma", [0.5, 1, 2, 3])
def test_coverage_of_a_normal(n_sigma):
    expected = stats.norm.cdf(n_sigma) - stats.norm.cdf(-n_sigma)
    assert coverage(*constant(NORMAL), n_sigma=n_sigma) == pytest.approx(expected, abs=1e-3)


def test_areas_of_overconfident_and_of_biased():
    """The two forms on the same data; integrals of their definitions."""

    def area(observed):
        return integrate.quad(lambda p: abs(observed(p) - p), 0, 1)[0]

    cases = {
        ("interval", "wide"): lambda p: 2 * stats.norm.cdf(stats.norm.ppf((1 + p) / 2) / 2) - 1,
        ("quantile", "wide"): lambda p: stats.norm.cdf(stats.norm.ppf(p) / 2),
        ("interval", "shifted"): lambda p: np.diff(
            stats.norm.cdf(stats.norm.ppf([(1 - p) / 2, (1 + p) / 2]) - 1)
        )[0],
        ("quantile", "shifted"): lambda p: stats.norm.cdf(stats.norm.ppf(p) - 1),
    }
    error = {"wide": 2 * NORMAL, "shifted": NORMAL + 1}
    for (form, case), observed in cases.items():
        measured = miscalibration_area(*constant(error[case]), form=form)
        assert measured == pytest.approx(area(observed), abs=1e-3)
    wide = [miscalibration_area(*constant(2 * NORMAL), form=f) for f in ("interval", "quantile")]
    assert wide == pytest.approx([0.205, 0.102], abs=1e-3)


@pytest.mark.parametrize("form", ["interval", "quantile"])
def test_area_of_a_calibrated_sample_falls_with_its_size(form):
    def area(*predictions):
        return miscalibration_area(*predictions, form=form)

    for n in (50, 800):
        areas = calibrated_reference(area, np.ones(n), n_resamples=150, random_state=0)
        assert areas.mean() == pytest.approx(np.sqrt(2 * np.pi / n) / 8, rel=0.12)


def test_quantile_curve_is_the_fraction_below():
    y_true, y_pred, y_std = sample(seed=3)
    probability, observed = calibration_curve(y_true, y_pred + 0.7, y_std, form="quantile")
    below = [
        np.mean(y_true <= stats.norm.ppf(p, loc=y_pred + 0.7, scale=y_std)) for p in probability
    ]
    np.testing.assert_allclose(observed, below)
    assert observed[50] > 0.6  # predicted too high: more than half lie below the median


def test_scores_of_one_standard_normal():
    """Their expectations when error and prediction have the same distribution."""
    many = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    for std in (0.5, 3.0):
        predictions = constant(std * many, std)
        assert mean_squared_z(*predictions) == pytest.approx(1, abs=1e-3)
        assert crps_gaussian(*predictions) == pytest.approx(std / np.sqrt(np.pi), rel=1e-4)
        entropy = stats.norm(scale=std).entropy()
        assert negative_log_likelihood(*predictions) == pytest.approx(entropy, abs=1e-3)


def test_crps_is_the_integral():
    for error, std in [(0.0, 1.0), (1.3, 0.4), (-2.0, 1.5)]:
        normal = stats.norm(scale=std)
        below = integrate.quad(lambda x, n=normal: n.cdf(x) ** 2, -20, error)[0]
        above = integrate.quad(lambda x, n=normal: n.sf(x) ** 2, error, 20)[0]
        assert crps_gaussian([error], [0.0], [std]) == pytest.approx(below + above, abs=1e-6)


def test_ence_of_a_wrong_factor():
    """Every bin is off by the same factor, whatever the bins."""
    y_std = np.repeat([0.5, 1.0, 2.0, 4.0], 500)
    error = 1.7 * y_std * np.tile([1.0, -1.0], 1000)
    for n_bins in (1, 4, 7):
        assert ence(error, 0 * error, y_std, n_bins=n_bins) == pytest.approx(0.7)


def test_ence_grows_as_the_root_of_the_bins():
    y_std = sample(2000)[2]
    means = [
        calibrated_reference(
            lambda *p, b=n_bins: ence(*p, n_bins=b), y_std, n_resamples=60, random_state=0
        ).mean()
        for n_bins in (10, 40)
    ]
    assert means[1] / means[0] == pytest.approx(2, rel=0.1)


def test_dispersion_and_sharpness():
    y_std = np.array([1.0, 2.0, 6.0])
    assert dispersion(y_std) == pytest.approx(stats.variation(y_std, ddof=1))
    assert sharpness(y_std) == pytest.approx(np.sqrt(41 / 3))
    assert dispersion(np.ones(5)) == 0
    assert np.isnan(dispersion([1.0]))


def test_ranking_by_the_error_itself_is_perfect():
    y_true, y_pred, _ = sample()
    error = np.abs(y_true - y_pred)
    assert ause(y_true, y_pred, error**3) == pytest.approx(0, abs=1e-12)
    assert spearman(y_true, y_pred, error**3) == pytest.approx(1)
    assert spearman(y_true, y_pred, 1 / error) == pytest.approx(-1)


def test_constant_std_ranks_as_random_order_does():
    y_true, y_pred, _ = sample(60)
    random = np.random.default_rng(0)
    shuffled = [ause(y_true, y_pred, 1 + random.permutation(60)) for _ in range(2000)]
    none = ause(y_true, y_pred, np.ones(60))
    assert none == pytest.approx(np.mean(shuffled), rel=0.02)
    worst = ause(y_true, y_pred, 1 / np.abs(y_true - y_pred))
    assert 0 < none < worst


def test_error_decay_curve_is_the_error_of_what_is_left():
    y_true, y_pred, y_std = sample(30)
    removed, by_std, by_error = error_decay_curve(y_true, y_pred, y_std)
    error = np.abs(y_true - y_pred)
    for k in range(30):
        assert removed[k] == k / 30
        kept = np.argsort(y_std)[: 30 - k]
        assert by_std[k] == pytest.approx(mean_absolute_error(y_true[kept], y_pred[kept]))
        assert by_error[k] == pytest.approx(np.sort(error)[: 30 - k].mean())


# Agreement with other libraries


def test_agreement_with_uncertainty_toolbox():
    uct = pytest.importorskip("uncertainty_toolbox")
    for seed, factor, shift in [(0, 1, 0), (1, 2, 0.3), (2, 0.5, -1)]:
        y_true, y_pred, y_std = sample(seed=seed)
        y_std, y_pred = y_std * factor, y_pred + shift
        for form in ("interval", "quantile"):
            # Theirs counts y_pred - y_true below a quantile, its sources y_true - y_pred: swapped.
            theirs = uct.get_proportion_lists_vectorized(y_true, y_std, y_pred, prop_type=form)
            ours = calibration_curve(y_true, y_pred, y_std, form=form)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
            area = uct.miscalibration_area(y_true, y_std, y_pred, prop_type=form)
            found = miscalibration_area(y_true, y_pred, y_std, form=form)
            assert found == pytest.approx(area, rel=1e-9)
        for ours, theirs in [
            (negative_log_likelihood, uct.nll_gaussian),
            (crps_gaussian, uct.crps_gaussian),
        ]:
            expected = theirs(y_pred, y_std, y_true)
            assert ours(y_true, y_pred, y_std) == pytest.approx(expected, rel=1e-12)
        assert sharpness(y_std) == pytest.approx(uct.sharpness(y_std), rel=1e-12)


@given(predictions(), st.integers(2, 9), st.sampled_from(["interval", "quantile"]))
def test_area_is_that_of_straight_pieces_by_brute_force(columns, n_levels, form):
    probability, observed = calibration_curve(*columns, form=form, n_levels=n_levels)
    p = np.linspace(0, 1, 200_001)
    expected = np.mean(np.abs(np.interp(p, probability, observed) - p))
    area = miscalibration_area(*columns, form=form, n_levels=n_levels)
    assert area == pytest.approx(expected, abs=1e-5)


def test_agreement_with_scipy():
    y_true, y_pred, y_std = sample()
    error = y_true - y_pred
    assert spearman(y_true, y_pred, y_std) == pytest.approx(
        stats.spearmanr(y_std, np.abs(error)).statistic
    )
    nll = -stats.norm.logpdf(y_true, y_pred, y_std).mean()
    assert negative_log_likelihood(y_true, y_pred, y_std) == pytest.approx(nll)


def test_bootstrap_interval_is_efrons():
    """BCa by its formulas, with the jackknife of a mean in closed form."""
    y_true = np.random.default_rng(0).standard_t(5, size=150)  # heavy tails: the correction matters
    found = mean_squared_z_interval(*constant(y_true), n_resamples=20_000, random_state=0)
    squares, random = y_true**2, np.random.default_rng(1)
    value, deviation = squares.mean(), squares - squares.mean()
    means = np.array([random.choice(squares, 150).mean() for _ in range(20_000)])
    bias = stats.norm.ppf(np.mean(means < value))
    acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    tails = bias + stats.norm.ppf([0.025, 0.975])
    levels = stats.norm.cdf(bias + tails / (1 - acceleration * tails))
    np.testing.assert_allclose(found, np.quantile(means, levels), rtol=0.015)
    plain = np.quantile(means, [0.025, 0.975])
    assert found[1] > 1.03 * plain[1]  # without the correction the test would fail
    assert found[0] < value < found[1]


def test_wilson_interval_is_its_formula():
    y_true = np.r_[np.zeros(18), 5, 5]
    low, high = coverage_interval(*constant(y_true))
    # Those k for which the score test does not reject 18 of 20: the roots of a quadratic.
    q = stats.norm.ppf(0.975) ** 2
    np.testing.assert_allclose(
        [low, high], np.sort(np.roots([1 + q / 20, -2 * 0.9 - q / 20, 0.9**2]))
    )
    assert coverage_interval(*constant(np.zeros(20)))[1] == 1


# Laws


@given(predictions(), st.randoms(use_true_random=False))
def test_order_of_rows_makes_no_odds(columns, random):
    order = list(range(len(columns[0])))
    random.shuffle(order)
    for metric in [*METRICS, negative_log_likelihood]:
        options = {"n_bins": 2} if metric is ence else {}
        value = metric(*columns, **options)
        shuffled = metric(*[column[order] for column in columns], **options)
        np.testing.assert_allclose(shuffled, value, rtol=1e-9, atol=1e-12)


@given(predictions(), st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-9, 9))
def test_unit_and_zero_of_y(columns, unit, zero):
    y_true, y_pred, y_std = columns
    other = y_true * unit + zero, y_pred * unit + zero, y_std * unit
    for metric, power in METRICS.items():
        options = {"n_bins": 2} if metric is ence else {}
        expected = metric(*columns, **options) * unit**power
        np.testing.assert_allclose(metric(*other, **options), expected, rtol=1e-9, atol=1e-12)
    shift = negative_log_likelihood(*other) - negative_log_likelihood(*columns)
    assert shift == pytest.approx(np.log(unit), abs=1e-8)


@given(predictions())
def test_bounds(columns):
    y_true, y_pred, y_std = columns
    fraction = coverage(*columns)
    low, high = coverage_interval(*columns)
    assert 0 <= low <= fraction <= high <= 1
    for form in ("interval", "quantile"):
        assert 0 <= miscalibration_area(*columns, form=form) <= 0.5 + 0.01  # 100 levels
    assert ause(*columns) >= -1e-12
    assert 0 <= crps_gaussian(*columns) <= np.mean(np.abs(y_true - y_pred) + y_std)


@given(predictions(min_size=4), st.floats(1.05, 4))
def test_proper_scores_are_best_at_the_right_width(columns, factor):
    """The NLL over a common factor of the standard deviations has its minimum at mean z^2 = 1."""
    y_true, y_pred, y_std = columns
    z2 = mean_squared_z(*columns)
    assume(z2 > 1e-3)
    best = y_std * np.sqrt(z2)
    least = negative_log_likelihood(y_true, y_pred, best)
    for wrong in (best * factor, best / factor):
        assert negative_log_likelihood(y_true, y_pred, wrong) > least


def test_reference_holds_what_a_calibrated_model_gives():
    """95% intervals of the references hold about 95% of fresh calibrated samples."""
    y_std = sample(120)[2]
    for metric in (ence, spearman, ause):
        reference = calibrated_reference(metric, y_std, n_resamples=400, random_state=0)
        fresh = calibrated_reference(metric, y_std, n_resamples=400, random_state=1)
        low, high = np.quantile(reference, [0.025, 0.975])
        assert 0.91 <= np.mean((low <= fresh) & (fresh <= high)) <= 0.99


# The report


def test_report_holds_the_metrics():
    columns = y_true, y_pred, y_std = sample()
    report = uncertainty_report(*columns, n_resamples=100, random_state=0)
    levels = coverage_by_level(*columns)
    expected = {
        "mae": mean_absolute_error(y_true, y_pred),
        "rmse": np.sqrt(np.mean((y_true - y_pred) ** 2)),
        "median_absolute_error": np.median(np.abs(y_true - y_pred)),
        "r2": r2_score(y_true, y_pred),
        **{f"coverage_{100 * level:.0f}": inside for level, inside in levels.coverage.items()},
        "coverage_2sigma": coverage(*columns, n_sigma=2),
        "miscalibration_area_interval": miscalibration_area(*columns, form="interval"),
        "miscalibration_area_quantile": miscalibration_area(*columns, form="quantile"),
        "nll": negative_log_likelihood(*columns),
        "crps": crps_gaussian(*columns),
        "width_95": 2 * stats.norm.ppf(0.975) * y_std.mean(),
        "mean_squared_z": mean_squared_z(*columns),
        "ence": ence(*columns, n_bins=10),
        "sharpness": sharpness(y_std),
        "dispersion": dispersion(y_std),
        "spearman": spearman(*columns),
        "ause": ause(*columns),
    }
    table = report.table
    assert list(table.index) == list(expected)
    row = report.to_dict()
    for name, value in expected.items():
        assert getattr(report, name) == row[name] == table.value[name] == pytest.approx(value)
        assert isinstance(row[name], float)
    assert (row["coverage_2sigma_low"], row["coverage_2sigma_high"]) == coverage_interval(*columns)
    assert table.reference_high["ence"] == row["ence_reference_high"]
    assert "mae_low" not in row
    assert np.isnan(table.low["mae"])
    with pytest.raises(AttributeError, match="no attribute 'mea'"):
        report.mea  # noqa: B018


def test_references_are_the_means_of_calibrated_models():
    """The closed forms of the report against resampling."""
    y_std = sample(300)[2]
    metrics = {
        "mae": lambda y, mean, std: mean_absolute_error(y, mean),
        "rmse": lambda y, mean, std: np.sqrt(np.mean((y - mean) ** 2)),
        "nll": negative_log_likelihood,
        "crps": crps_gaussian,
        "mean_squared_z": mean_squared_z,
        "coverage_2sigma": coverage,
        "ence": ence,
        "ause": ause,
    }
    simulated = calibrated_reference(
        lambda *columns: [metric(*columns) for metric in metrics.values()],
        y_std,
        n_resamples=400,
        random_state=0,
    )
    error = simulated.std(axis=0) / 20
    report = uncertainty_report(y_std, 0 * y_std, y_std, random_state=1)
    for name, mean, tolerance in zip(metrics, simulated.mean(axis=0), error, strict=True):
        assert report.table.reference[name] == pytest.approx(mean, abs=4 * tolerance)


def test_report_is_repeatable_frozen_and_pickled():
    first, second = (uncertainty_report(*sample(), n_resamples=100, random_state=7) for _ in "ab")
    assert first == second == pickle.loads(pickle.dumps(first))
    assert first != uncertainty_report(*sample(), n_resamples=100, random_state=8)
    with pytest.raises(AttributeError):
        first.mae = 0


def test_report_reads_as_a_table():
    report = uncertainty_report(*sample(), n_resamples=100, unit="eV/atom", random_state=0)
    lines = str(report).splitlines()
    assert len(lines) == 1 + len(report.table) + 1
    for name, line in zip(report.table.index, lines[1:-1], strict=True):
        row = report.table.loc[name]
        assert f"  {row.value:.4g}" in line
        assert (f"[{row.low:.4g}, {row.high:.4g}]" in line) == np.isfinite(row.low)
        assert (f"  {row.reference:.4g}" in line) == np.isfinite(row.reference)
        assert line.endswith("eV/atom") == (row.unit == "eV/atom")
    assert [part.split()[0] for part in lines[-1].split("; ")] == ["400", "10", "100"]
    y_unit = ["mae", "rmse", "median_absolute_error", "crps", "width_95", "sharpness", "ause"]
    assert list(report.table.index[report.table.unit == "eV/atom"]) == y_unit


def test_constant_std_is_reported_without_a_warning():
    report = uncertainty_report(*constant(NORMAL[::10]), n_resamples=100, random_state=0)
    assert report.dispersion == 0
    assert np.isnan(report.spearman)
    assert np.isnan(report.table.reference["spearman"])
    assert report.ause == pytest.approx(ause(*constant(NORMAL[::10])))


# Bad input

GOOD = np.array([1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((GOOD, GOOD, [1, 0, 1, 0]), "y_std must be positive, got 0 in row 1 and 2 such rows of 4"),
        ((GOOD, GOOD, [1, 1, 1, -2]), "must be positive, got -2 in row 3"),
        (
            (GOOD, GOOD, [1, np.nan, 1, 1]),
            "y_std must be finite, got nan in row 1 and 1 such rows of 4",
        ),
        (([1, np.inf, 3, 4], GOOD, GOOD), "y_true must be finite, got inf in row 1"),
        ((GOOD, GOOD[:3], GOOD), r"must have the same length, got \[4, 3, 4\]"),
        ((GOOD[:, None], GOOD, GOOD), r"y_true must be a 1-D array .* got the shape \(4, 1\)"),
        (([], [], []), "at least one row"),
    ],
)
def test_bad_rows_are_refused_by_name(columns, message):
    for metric in [*METRICS, negative_log_likelihood, uncertainty_report]:
        with pytest.raises(ValueError, match=message):
            metric(*columns)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ence(GOOD, GOOD, GOOD), "n_bins=10 needs as many rows, got 4"),
        (lambda: uncertainty_report(GOOD, GOOD, GOOD), "n_bins=10 needs as many rows, got 4"),
        (lambda: uncertainty_report([1.0], [1.0], [1.0], n_bins=1), "at least 2 rows, got 1"),
        (lambda: ence(GOOD, GOOD, GOOD, n_bins=1.5), "n_bins must be an integer of at least 1"),
        (lambda: miscalibration_area(GOOD, GOOD, GOOD, form="x"), "'interval' or 'quantile'"),
        (lambda: coverage(GOOD, GOOD, GOOD, n_sigma=-1), "n_sigma must be positive, got -1"),
        (
            lambda: calibrated_reference(ence, GOOD, n_resamples=0),
            "n_resamples must be an integer of at least 1, got 0",
        ),
        (
            lambda: mean_squared_z_interval(GOOD, GOOD, GOOD, n_resamples=99),
            "n_resamples must be an integer of at least 100, got 99",
        ),
        (
            lambda: mean_squared_z_interval(GOOD, GOOD, GOOD, confidence_level=95),
            "confidence_level must lie between 0 and 1, got 95",
        ),
    ],
)
def test_bad_options_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_interval_of_equal_rows_is_a_point():
    assert mean_squared_z_interval([1.0, -1.0], [0.0, 0.0], [0.5, 0.5]) == (4.0, 4.0)


def test_lists_series_and_integers_are_taken():
    pd = pytest.importorskip("pandas")
    y_true, y_pred, y_std = [1, 2, 4], pd.Series([1, 3, 3], index=[7, 8, 9]), np.array([1, 1, 2])
    assert coverage(y_true, y_pred, y_std, n_sigma=0.75) == pytest.approx(2 / 3)


def test_every_public_name_is_there():
    assert all(hasattr(calibration, name) for name in calibration.__all__)


def test_a_notebook_shows_the_table_of_the_report():
    y_std = np.linspace(0.1, 1.0, 20)
    report = uncertainty_report(y_std, 0 * y_std, y_std, n_resamples=100, random_state=0)
    html = ElementTree.fromstring(f"<div>{report._repr_html_()}</div>")
    rows = [[cell.text for cell in row.iter("td")] for row in html.iter("tr")][1:]
    assert len(rows) == len(report.table)
    assert rows[0][0] == "MAE"
    assert float(rows[0][1]) == pytest.approx(report.mae, rel=1e-3)
