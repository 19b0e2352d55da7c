"""Laws of a regressor that learns a function of the target and answers in its unit."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy.integrate import quad
from scipy.stats import kstest, lognorm, norm, t
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcfgp import ActiveLearner, CalibratedRegressor, GaussianProcessRegressor
from skcfgp.calibration import (
    MonotoneTargetRegressor,
    TransformedDistribution,
    crps,
    predict_distribution,
    uncertainty_report,
)
from skcfgp.calibration.scorers import neg_nll_scorer
from skcfgp.calibration.transformed import exp10
from skcfgp.kernels import Laplacian
from skcfgp.query import greedy_max_std, integrated_variance, max_std, recommended

TWO_SIGMA = norm.cdf(2) - norm.cdf(-2)


def minus_log(y):
    return -np.log(y)


def exp_minus(z):
    return np.exp(-z)


def logit(y):
    return np.log(y / (1 - y))


def expit(z):
    return 1 / (1 + np.exp(-z))


#: Monotone pairs, and labels in their domain from standard normal numbers.
PAIRS = {
    "log10": (np.log10, exp10, lambda x: 10**x),
    "log1p": (np.log1p, np.expm1, np.exp),
    "-log, which falls": (minus_log, exp_minus, np.exp),
    "asinh, of any sign": (np.arcsinh, np.sinh, np.sinh),
    "logit, between 0 and 1": (logit, expit, expit),
}


def process():
    return GaussianProcessRegressor(
        Laplacian(1.0, 3.0), alpha=0.05, normalize_y=True, optimizer=None
    )


def calibrated():
    return CalibratedRegressor(process(), method="student_t", n_neighbors=10, cv="leave_one_out")


def data(n=90, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.sin(X).sum(axis=1) + 0.2 * rng.standard_t(4, size=n)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        MonotoneTargetRegressor(process(), func=np.arcsinh, inverse_func=np.sinh),
        MonotoneTargetRegressor(process()),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("make", [process, calibrated])
def test_what_is_said_of_y_is_said_of_its_function(name, make):
    func, inverse, label = PAIRS[name]
    X, x = data()
    y = label(x)
    model = MonotoneTargetRegressor(make(), func=func, inverse_func=inverse).fit(X, y)
    inner = make().fit(X, func(y))
    np.testing.assert_allclose(model.predict(X), inverse(inner.predict(X)))
    distribution, known = model.predict_distribution(X), inner.predict_distribution(X)
    upwards = func(y.max()) > func(y.min())
    assert model.increasing_ == upwards
    below = known.cdf(func(y)) if upwards else known.sf(func(y))
    np.testing.assert_allclose(distribution.cdf(y), below)
    np.testing.assert_allclose(distribution.sf(y), 1 - below, atol=1e-12)
    for q in (0.1, 0.5, 0.8):
        np.testing.assert_allclose(distribution.cdf(distribution.ppf(q)), q)
        np.testing.assert_allclose(distribution.sf(distribution.isf(q)), q)
    lower, upper = model.predict_interval(X, 0.8)
    np.testing.assert_allclose([lower, upper], distribution.interval(0.8))
    assert (lower < model.predict(X)).all()
    assert (model.predict(X) < upper).all()
    lower, upper = distribution.interval(TWO_SIGMA)
    np.testing.assert_allclose(model.predict(X, return_std=True)[1], (upper - lower) / 4)


@pytest.mark.parametrize("name", PAIRS)
def test_the_density_is_the_derivative_of_the_cdf(name):
    func, inverse, label = PAIRS[name]
    inner = t(4, loc=func(label(np.array(0.3))), scale=0.05)
    rising = func(label(1.0)) > func(label(0.0))
    distribution = TransformedDistribution(inner, func, inverse, rising)
    low, high = distribution.ppf([0.05, 0.9])
    area, _ = quad(distribution.pdf, low, high)
    assert area == pytest.approx(0.85, abs=1e-7)


#: Pairs whose inverse takes back a part of all numbers, its ends, and the y there.
PARTS = {
    "square root": (np.sqrt, np.square, (0.0, np.inf), (0.0, np.inf)),
    "reciprocal, which falls": (np.reciprocal, np.reciprocal, (0.0, np.inf), (np.inf, 0.0)),
    "square": (np.square, np.sqrt, (0.0, np.inf), (0.0, np.inf)),
    "arc tangent": (np.arctan, np.tan, (-np.pi / 2, np.pi / 2), (-np.inf, np.inf)),
    "exponential": (np.exp, np.log, (0.0, np.inf), (-np.inf, np.inf)),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("factor", [1.0, 1e-6])
def test_what_the_function_cannot_be_is_put_at_the_end(name, factor):
    func, inverse, domain, ends = PARTS[name]
    X, x = data()
    y = factor * np.exp(0.5 * x)
    model = MonotoneTargetRegressor(process(), func=func, inverse_func=inverse).fit(X, y)
    np.testing.assert_allclose(model.domain_, domain, rtol=1e-9)
    inner = norm(loc=func(y), scale=func(y.max()))  # wide: some is beyond the end
    distribution = TransformedDistribution(inner, func, inverse, model.increasing_, model.domain_)
    lower, upper = distribution.interval(1 - 1e-9)
    assert (lower <= y).all()
    assert (y <= upper).all()
    below = inner.cdf(func(y)) if model.increasing_ else inner.sf(func(y))
    np.testing.assert_allclose(distribution.cdf(y), below)
    np.testing.assert_allclose(distribution.sf(y), 1 - below)
    low, high = sorted(ends)
    if np.isfinite(low):
        at_the_end = distribution.cdf(np.full(90, low)) > 1e-9
        np.testing.assert_array_equal(lower[at_the_end], low)
        np.testing.assert_array_equal(distribution.cdf(np.full(90, low - 1e-9)), 0.0)
    np.testing.assert_array_equal(distribution.cdf(np.full(90, high)), 1.0)
    draws = distribution.rvs(random_state=0)
    assert ((low <= draws) & (draws <= high)).all()


def test_a_gap_of_zero_can_be_learnt_as_its_square_root():
    X, x = data()
    y = np.maximum(x, 0.0) ** 2
    model = MonotoneTargetRegressor(calibrated(), func=np.sqrt, inverse_func=np.square).fit(X, y)
    lower, upper = model.predict_interval(X, 0.9)
    assert (lower >= 0).all()
    assert np.mean((lower <= y) & (y <= upper)) > 0.85


def test_a_logarithm_of_a_gaussian_is_a_log_normal():
    inner = norm(loc=[0.5, -1.0], scale=[0.2, 0.4])
    distribution = TransformedDistribution(inner, np.log10, exp10)
    known = lognorm(s=np.log(10) * inner.std(), scale=exp10(inner.mean()))
    y = np.array([2.0, 0.3])
    for name in ("cdf", "sf", "pdf", "logpdf"):
        np.testing.assert_allclose(getattr(distribution, name)(y), getattr(known, name)(y))
    np.testing.assert_allclose(distribution.interval(0.9), known.interval(0.9))
    np.testing.assert_allclose(distribution.mean(), known.mean(), rtol=0.01)
    draws = distribution.rvs(size=(3000, 2), random_state=0)
    assert kstest(distribution.cdf(draws)[:, 0], "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(distribution.cdf(np.array([0.0, -1.0])), 0.0)
    np.testing.assert_array_equal(distribution.logpdf(np.array([0.0, -1.0])), -np.inf)


def test_a_log_t_has_no_mean_and_is_measured_by_its_likelihood():
    inner = t(3, loc=np.linspace(-1, 2, 500), scale=0.1)
    distribution = TransformedDistribution(inner, np.log10, exp10)
    y = distribution.rvs(random_state=0)
    assert np.isinf(distribution.mean()).all()
    assert crps(y, distribution) == np.inf
    report = uncertainty_report(y, distribution, n_resamples=100, random_state=0)
    assert report.miscalibration_area_interval < 0.03
    assert report.nll == pytest.approx(report.table.reference["nll"], abs=0.2)
    plain = uncertainty_report(np.log10(y), inner, n_resamples=100, random_state=0)
    assert report.coverage_95 == plain.coverage_95
    # The density of y is that of its logarithm over y ln 10.
    assert report.nll == pytest.approx(plain.nll + np.mean(np.log(y * np.log(10))))


def test_the_mean_is_that_of_scikit_learn():
    X, x = data()
    theirs = TransformedTargetRegressor(process(), func=np.log10, inverse_func=exp10)
    ours = MonotoneTargetRegressor(process()).fit(X, 10**x)
    np.testing.assert_allclose(ours.predict(X), theirs.fit(X, 10**x).predict(X))


@pytest.mark.parametrize("factor", [1e-6, 300.0])
def test_units_scale(factor):
    X, x = data()
    model = MonotoneTargetRegressor(calibrated())
    expected = np.array(model.fit(X, 10**x).predict_interval(X))
    scaled = clone(model).fit(X, factor * 10**x).predict_interval(X)
    np.testing.assert_allclose(scaled, factor * expected, rtol=1e-4)


def test_unseen_selected_and_partial_fit_reach_the_calibration():
    X, x = data()
    y, unseen = 10**x, np.arange(90) % 2 == 0
    selected = np.arange(90) < 10
    model = MonotoneTargetRegressor(calibrated()).fit(X, y, unseen=unseen, selected=selected)
    assert model.regressor_.n_calibration_ == np.sum(unseen & ~selected)
    first = MonotoneTargetRegressor(calibrated()).fit(X[:60], y[:60])
    first.partial_fit(X[60:], y[60:])
    inner = calibrated().fit(X[:60], x[:60]).partial_fit(X[60:], x[60:])
    np.testing.assert_allclose(first.predict(X), 10 ** inner.predict(X))
    MonotoneTargetRegressor(process()).fit(X, y, selected=selected)  # has nothing to tell
    with sklearn.config_context(enable_metadata_routing=True):
        routed = MonotoneTargetRegressor(calibrated().set_fit_request(unseen=True))
        pipe = make_pipeline(StandardScaler(), routed).fit(X, y, unseen=unseen)
    assert pipe[-1].regressor_.n_calibration_ == unseen.sum()


@pytest.mark.parametrize("strategy", [recommended, max_std, greedy_max_std, integrated_variance])
def test_strategies_work_on_the_scale_that_was_learnt(strategy):
    X, x = data()
    options = {"X_training": X[:40], "query_strategy": strategy}
    plain = ActiveLearner(calibrated(), y_training=x[:40], **options)
    log = ActiveLearner(MonotoneTargetRegressor(calibrated()), y_training=10 ** x[:40], **options)
    for _ in range(3):
        picks = plain.query(X[40:], n_instances=2)[0]
        np.testing.assert_array_equal(log.query(X[40:], n_instances=2)[0], picks)
        plain.teach(X[40:][picks], x[40:][picks])
        log.teach(X[40:][picks], 10 ** x[40:][picks])
    assert log.estimator.regressor_.n_calibration_ == 40


def test_search_pickle_and_pipelines():
    X, x = data()
    y = 10**x
    pipe = make_pipeline(StandardScaler(), MonotoneTargetRegressor(calibrated()))
    grid = {"monotonetargetregressor__regressor__method": ["student_t", "std_scaling"]}
    search = GridSearchCV(pipe, grid, scoring=neg_nll_scorer, cv=2, error_score="raise").fit(X, y)
    distribution = predict_distribution(search, X)
    assert (distribution.ppf(0.01) > 0).all()
    again = predict_distribution(pickle.loads(pickle.dumps(search)), X)
    np.testing.assert_array_equal(again.cdf(y), distribution.cdf(y))
    # What is better on the scale of the logarithm is better in the unit, by the same amount.
    scores = cross_val_score(pipe, X, y, scoring=neg_nll_scorer, cv=3)
    plain = cross_val_score(
        make_pipeline(StandardScaler(), calibrated()), X, x, scoring=neg_nll_scorer, cv=3
    )
    shift = [np.log(part * np.log(10)).mean() for part in np.split(y, 3)]
    np.testing.assert_allclose(scores, plain - shift)


def test_a_known_error_of_a_label_is_that_of_its_function():
    X, x = data()
    y, relative = 10**x, np.where(np.arange(90) < 45, 0.3, 0.0)
    found = MonotoneTargetRegressor(process()).fit(X, y, y_std=relative * y)
    np.testing.assert_allclose(found.regressor_.label_std_, relative / np.log(10))
    found = found.partial_fit(X[:2] + 9, y[:2], y_std=y[:2])
    np.testing.assert_allclose(found.regressor_.label_std_[-2:], 1 / np.log(10))


def test_what_cannot_be_learnt_is_refused_by_row():
    X, x = data(20)
    y = 10**x
    y[[3, 7]] = 0.0, -1.0
    with pytest.raises(ValueError, match=r"log10 .* in 2 of 20 rows \(first: row 3, 0\).*positive"):
        MonotoneTargetRegressor(process()).fit(X, y)
    model = MonotoneTargetRegressor(process()).fit(X[8:], y[8:])
    with pytest.raises(ValueError, match=r"remove rows \[3, 7\]"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="inverse_func does not undo log10"):
        MonotoneTargetRegressor(process(), inverse_func=np.exp).fit(X[8:], y[8:])
    with pytest.raises(ValueError, match=r"(undo|monotone)"):
        MonotoneTargetRegressor(process(), func=np.square, inverse_func=np.sqrt).fit(X, x)
    with pytest.raises(ValueError, match="rises between some labels and falls between others"):
        MonotoneTargetRegressor(process(), func=np.reciprocal, inverse_func=np.reciprocal).fit(X, x)
    with pytest.raises(ValueError, match="between 0 and 1"):
        model.predict_interval(X, 90)


@pytest.mark.parametrize(("wrong", "message"), [(-np.ones(20), "got -1 in"), ([1.0], "must be 20")])
def test_standard_errors_are_refused_in_the_unit_of_y(wrong, message):
    X, y = np.linspace(0, 1, 20)[:, None], np.linspace(10, 20, 20)
    model = MonotoneTargetRegressor(GaussianProcessRegressor(alpha=0.1, optimizer=None))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, y_std=wrong)
    model.fit(X[:10], y[:10])
    with pytest.raises(ValueError, match=message.replace("20", "10")):
        model.partial_fit(X[10:], y[10:], y_std=wrong[:10])


def test_labels_as_text():
    """As the csv module reads them."""
    X, y = np.linspace(0, 1, 20)[:, None], np.linspace(10, 20, 20)
    gp = GaussianProcessRegressor(alpha=0.1, optimizer=None)
    for model in (MonotoneTargetRegressor(gp), CalibratedRegressor(gp, cv="leave_one_out")):
        expected = clone(model).fit(X, y).predict(X)
        np.testing.assert_array_equal(model.fit(X, [str(v) for v in y]).predict(X), expected)
