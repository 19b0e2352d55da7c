"""Metrics of predictive distributions: closed forms, agreement, and what is refused."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import laplace, norm, t

from skcfgp.calibration import (
    coverage_by_level,
    coverage_interval,
    crps,
    crps_gaussian,
    miscalibration_area,
    negative_log_likelihood,
    pit_values,
    uncertainty_report,
)
from skcfgp.calibration.resampling import calibrated_reference
from skcfgp.calibration.score_distributions import fit_scores, rescaled

LOC, SCALE = np.array([0.0, 1.0, -2.0, 0.5]), np.array([1.0, 0.3, 2.0, 0.7])
Y = np.array([0.4, 1.9, -9.0, 0.5])


def by_integral(distribution, y):
    """Integral of (F(x) - 1[x >= y])^2, the definition of the CRPS."""
    below, _ = quad(lambda x: distribution.cdf(x) ** 2, -np.inf, y, limit=200)
    above, _ = quad(lambda x: distribution.sf(x) ** 2, y, np.inf, limit=200)
    return below + above


@pytest.mark.parametrize("nu", [1.6, 3.0, 10.0])
def test_crps_of_a_t_is_its_integral(nu):
    expected = [
        by_integral(t(nu, loc, scale), y) for y, loc, scale in zip(Y, LOC, SCALE, strict=True)
    ]
    assert crps(Y, t(nu, loc=LOC, scale=SCALE)) == pytest.approx(np.mean(expected), rel=1e-6)


def test_crps_of_a_wide_t_is_that_of_a_gaussian():
    expected = crps_gaussian(Y, LOC, SCALE)
    assert crps(Y, t(1e6, loc=LOC, scale=SCALE)) == pytest.approx(expected, rel=1e-5)
    assert crps(Y, norm(loc=LOC, scale=SCALE)) == crps(Y, LOC, SCALE) == expected
    assert crps(Y, t(1.0, loc=LOC, scale=SCALE)) == np.inf


def test_crps_of_others_is_by_quantiles():
    expected = [
        by_integral(laplace(loc, scale), y) for y, loc, scale in zip(Y, LOC, SCALE, strict=True)
    ]
    assert crps(Y, laplace(loc=LOC, scale=SCALE)) == pytest.approx(np.mean(expected), rel=2e-3)
    known = crps(Y, t(4, loc=LOC, scale=SCALE))  # shape, location and scale by position
    assert crps(Y, t(4, LOC, SCALE)) == pytest.approx(known, rel=5e-3)


def test_what_is_known_of_a_gaussian_by_both_ways():
    distribution = norm(loc=LOC, scale=SCALE)
    for metric in (pit_values, miscalibration_area, negative_log_likelihood):
        np.testing.assert_array_equal(metric(Y, distribution), metric(Y, LOC, SCALE))
    table = coverage_by_level(Y, LOC, SCALE, levels=[0.5, norm.cdf(2) - norm.cdf(-2)])
    np.testing.assert_allclose(table.mean_width, SCALE.mean() * np.array([1.34898, 4]), rtol=1e-5)
    low, high = coverage_interval(Y, LOC, SCALE)
    assert tuple(table.iloc[1][["low", "high"]]) == (low, high)


@pytest.mark.parametrize("method", ["student_t", "isotonic", "conformal"])
def test_labels_drawn_from_a_distribution_are_calibrated(method):
    """And the report expects of them what they give."""
    rng = np.random.default_rng(0)
    scores = fit_scores(method, rng.standard_t(4, size=60))
    distribution = rescaled(scores, rng.normal(size=3000), rng.uniform(0.5, 2, size=3000))
    y = distribution.rvs(random_state=1)
    report = uncertainty_report(y, distribution, n_resamples=100, random_state=0)
    assert report.miscalibration_area_interval < 0.02
    assert report.miscalibration_area_quantile < 0.02
    for level, row in coverage_by_level(y, distribution).iterrows():
        assert row.coverage == pytest.approx(level, abs=0.03)
    for name in ("mae", "nll", "crps", "spearman", "coverage_2sigma"):
        assert report.table.value[name] == pytest.approx(report.table.reference[name], rel=0.08)
    assert report.crps == crps(y, distribution)
    assert np.isnan(report.table.reference["mean_squared_z"])


def test_a_report_of_a_t_is_right_where_that_of_a_gaussian_is_not():
    distribution = t(2.5, loc=np.zeros(2000), scale=0.1)
    y = distribution.rvs(random_state=2)
    options = {"n_resamples": 100, "random_state": 0}
    right = uncertainty_report(y, distribution, **options)
    sigma = np.diff(distribution.interval(norm.cdf(2) - norm.cdf(-2)), axis=0)[0] / 4
    gaussian = uncertainty_report(y, np.zeros(2000), sigma, **options)
    assert right.coverage_2sigma == gaussian.coverage_2sigma
    assert right.nll < gaussian.nll - 0.2
    assert right.miscalibration_area_interval < 0.02 < gaussian.miscalibration_area_interval
    assert right.width_95 == pytest.approx(0.2 * t.ppf(0.975, 2.5))
    assert "in the 95% interval" in str(right)


def test_references_are_drawn_from_the_distribution():
    distribution = t(3, loc=LOC, scale=SCALE)

    def metric(y, mean, std):
        np.testing.assert_allclose(mean, LOC)
        np.testing.assert_allclose(
            4 * std, np.diff(distribution.interval(0.9544997361036416), axis=0)[0]
        )
        return [*y]

    draws = calibrated_reference(metric, distribution, n_resamples=2000, random_state=0)
    np.testing.assert_allclose(np.median(draws, axis=0), LOC, atol=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Y, t(3, loc=LOC, scale=0 * SCALE)), "must be positive, got 0 in row 0 and 4 such rows"),
        ((Y, norm(loc=LOC, scale=1e-100)), "must be positive, got 0"),  # of a process without noise
        ((1e-95 * Y, t(3, loc=1e-95 * LOC, scale=1e-95)), "between 1e-90 and .* another unit of y"),
        ((1e200 * Y, t(3, loc=1e200 * LOC, scale=1e200)), "choose another unit of y"),
        ((Y[:3], norm(loc=LOC, scale=SCALE)), "same length, got 3 and 4"),
        ((Y, norm(loc=LOC * np.nan, scale=SCALE)), "the median must be finite"),
        ((Y, LOC), "expected a predictive distribution, or y_pred and y_std"),
        ((Y, norm(loc=LOC, scale=SCALE), SCALE), "leave y_std out"),
    ],
)
def test_what_is_no_distribution_is_refused(arguments, message):
    for metric in (pit_values, crps, negative_log_likelihood, coverage_by_level):
        with pytest.raises(ValueError, match=message):
            metric(*arguments)


def test_levels_are_probabilities():
    with pytest.raises(ValueError, match="a level must lie between 0 and 1, got 95"):
        coverage_by_level(Y, LOC, SCALE, levels=[95])
