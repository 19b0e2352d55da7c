"""Laws of the predictive distributions, and of the Student-t among them."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest, norm, t
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CalibratedRegressor, GaussianProcessRegressor, make_cfgp
from skcfgp.calibration import FewScoresWarning, predict_distribution
from skcfgp.calibration.score_distributions import METHODS, fit_scores
from skcfgp.kernels import Laplacian

TWO_SIGMA = 2 * norm.cdf(2) - 1


class FirstColumn(RegressorMixin, BaseEstimator):
    """Predicts the mean 0 and the first column as the standard deviation."""

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X, return_std=False):
        mean = np.zeros(len(X))
        return (mean, np.asarray(X)[:, 0]) if return_std else mean


def heavy(n, rng, df=3.0, scale=0.4):
    """Rows whose feature is their standard deviation, with errors of a Student-t."""
    std = rng.uniform(0.5, 2.0, size=n)
    return std[:, None], scale * std * rng.standard_t(df, size=n)


def process():
    return GaussianProcessRegressor(Laplacian(1.0, 3.0), alpha=0.1, optimizer=None)


def data(n=80, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.sin(X).sum(axis=1) + 0.2 * rng.standard_t(3, size=n)


@pytest.mark.parametrize("df", [1.5, 3.0, 8.0])
def test_the_t_that_made_the_scores_is_found(df):
    X, y = heavy(20_000, np.random.default_rng(0), df)
    model = CalibratedRegressor(FirstColumn(), method="student_t").fit(X, y)
    (nu,), scale = model.score_distribution_.args, model.score_distribution_.kwds["scale"]
    assert nu == pytest.approx(df, rel=0.1)
    assert scale == pytest.approx(0.4, rel=0.03)


def test_the_t_is_the_most_probable():
    z = np.random.default_rng(1).standard_t(2.5, size=60)
    found = fit_scores("student_t", z)

    def log_posterior(nu, scale):
        prior = norm.logpdf(np.log(nu - 1), np.log(4), 1.5)
        return t(nu, scale=scale).logpdf(z).sum() + prior

    (nu,), scale = found.args, found.kwds["scale"]
    best = log_posterior(nu, scale)
    for factor in (0.98, 1.02):
        assert log_posterior(nu * factor, scale) < best
        assert log_posterior(nu, scale * factor) < best


def test_pit_of_simulated_t_data_is_uniform():
    rng = np.random.default_rng(2)
    model = CalibratedRegressor(FirstColumn(), method="student_t").fit(*heavy(3000, rng))
    X, y = heavy(3000, rng)
    pit = model.predict_distribution(X).cdf(y)
    assert kstest(pit, "uniform").pvalue > 0.01
    gaussian = clone(model).set_params(method="std_scaling").fit(X, y)
    assert kstest(gaussian.predict_distribution(X).cdf(y), "uniform").pvalue < 1e-6


def test_nothing_is_lost_where_errors_are_normal():
    rng = np.random.default_rng(3)
    X, y = heavy(300, rng, df=1e6)
    X_new, y_new = heavy(20_000, rng, df=1e6)
    nll = {}
    for method in ("student_t", "std_scaling"):
        model = CalibratedRegressor(FirstColumn(), method=method).fit(X, y)
        nll[method] = -model.predict_distribution(X_new).logpdf(y_new).mean()
    assert nll["student_t"] < nll["std_scaling"] + 0.02


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_neighbors", [None, 10])
def test_interval_cdf_and_std_agree(method, n_neighbors):
    X, y = data()
    model = CalibratedRegressor(process(), method=method, n_neighbors=n_neighbors).fit(X, y)
    distribution = model.predict_distribution(X)
    for level in (0.5, 0.8, 0.9):
        lower, upper = distribution.interval(level)
        np.testing.assert_allclose(distribution.cdf(upper) - distribution.cdf(lower), level)
        found = np.array(model.predict_interval(X, level))
        if method == "conformal":  # rounded up, to keep its guarantee
            assert (found[0] <= lower).all()
            assert (found[1] >= upper).all()
        else:
            np.testing.assert_allclose(found, [lower, upper])
    _, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(np.diff(distribution.interval(TWO_SIGMA), axis=0)[0], 4 * std)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30), st.sampled_from(sorted(METHODS)))
@example([0.0, 0.0, 2.3e-183], "student_t")
@example([0.0, 1e-99, 5.0], "conformal")
@pytest.mark.filterwarnings("ignore::skcfgp.calibration.FewScoresWarning")
def test_a_distribution_of_any_scores_is_one(z, method):
    distribution = fit_scores(method, np.array(z))
    q = np.linspace(0.001, 0.999, 41)
    x = distribution.ppf(q)
    assert np.isfinite(x).all()
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(distribution.cdf(x), q, atol=1e-6)
    np.testing.assert_allclose(distribution.sf(x), 1 - q, atol=1e-6)
    np.testing.assert_allclose(distribution.isf(q), x[::-1], rtol=1e-6, atol=1e-6)
    assert np.isfinite(distribution.logpdf(x)).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_density_is_the_derivative_of_the_cdf(method):
    z = np.random.default_rng(4).standard_t(3, size=15)
    distribution = fit_scores(method, z)
    ends = np.unique(np.concatenate([[-30.0, 30.0], z, -z, [0.0]]))
    for low, high in itertools.pairwise(ends):
        area, _ = quad(distribution.pdf, low, high)
        assert area == pytest.approx(distribution.cdf(high) - distribution.cdf(low), abs=1e-6)


@pytest.mark.parametrize("method", ["isotonic", "conformal"])
def test_moments_are_those_of_the_quantiles(method):
    distribution = fit_scores(method, np.random.default_rng(5).standard_exponential(size=15))
    x = distribution.ppf((np.arange(10**5) + 0.5) / 10**5)
    assert distribution.mean() == pytest.approx(x.mean(), abs=1e-3)
    assert distribution.var() == pytest.approx(x.var(), rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cv", [3, "leave_one_out", "prefit"])
@given(exponent=st.integers(-200, 200), shift=st.sampled_from([0.0, 7.0]))
@example(exponent=-200, shift=0.0)
@example(exponent=200, shift=0.0)
def test_units_scale(method, cv, exponent, shift):
    """The squares of labels need not be numbers."""
    X, y = data(40)
    gp, unit = process().set_params(normalize_y=True), 10.0**exponent

    def distribution(y):
        base = gp.fit(X[:20], y[:20]) if cv == "prefit" else gp
        model = CalibratedRegressor(base, method=method, n_neighbors=9, cv=cv)
        return model.fit(X, y).predict_distribution(X)

    expected = np.array(distribution(y).interval(0.8))
    found = np.array(distribution(unit * (y + shift)).interval(0.8))
    np.testing.assert_allclose(found / unit - shift, expected, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_pickles_and_draws(method):
    X, y = data()
    model = CalibratedRegressor(process(), method=method, n_neighbors=9).fit(X, y)
    distribution = model.predict_distribution(X)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict_distribution(X).cdf(y), distribution.cdf(y))
    draws = distribution.rvs(size=(4000, len(X)), random_state=0)
    assert kstest(distribution.cdf(draws).ravel()[::7], "uniform").pvalue > 1e-3
    again = pickle.loads(pickle.dumps(distribution))
    np.testing.assert_array_equal(again.ppf(0.1), distribution.ppf(0.1))


def test_of_a_bare_process():
    X, y = data()
    gp = process().set_params(normalize_y=True).fit(X, y)
    mean, std = gp.predict(X, return_std=True)
    np.testing.assert_allclose(
        gp.predict_distribution(X).interval(0.9), norm(mean, std).interval(0.9)
    )
    two = process().fit(X, np.c_[y, 2 * y])
    assert two.predict_distribution(X[:5]).cdf(0.0).shape == (5, 2)
    exact = process().set_params(alpha=0.0).fit(X, y).predict_distribution(X)
    assert np.isfinite(exact.interval(0.95)).all()


def test_every_way_to_wrap_a_model():
    X, y = data()
    Z = StandardScaler().fit_transform(X)
    calibrated = CalibratedRegressor(process(), method="student_t")
    expected = clone(calibrated).fit(Z, y).predict_distribution(Z).cdf(0.3)
    pipe = make_pipeline(StandardScaler(), calibrated).fit(X, y)
    grid = {"calibratedregressor__method": ["student_t"]}
    for model in (
        pipe,
        FrozenEstimator(pipe),
        GridSearchCV(pipe, grid, cv=2).fit(X, y),
        make_pipeline(StandardScaler(), GridSearchCV(calibrated, {"cv": [5]}, cv=2)).fit(X, y),
    ):
        np.testing.assert_allclose(predict_distribution(model, X).cdf(0.3), expected)
    ridge = BayesianRidge().fit(X, y)
    gaussian = norm(*ridge.predict(X, return_std=True))
    np.testing.assert_array_equal(predict_distribution(ridge, X).cdf(0.3), gaussian.cdf(0.3))
    with pytest.raises(TypeError, match="cannot return a standard deviation"):
        predict_distribution(TransformedTargetRegressor(process()).fit(X, y), X)


@pytest.mark.parametrize("n", [2, 5, 11])
def test_few_scores_stay_wide_and_warn(n):
    """As wide as the estimator says at least, and with the tails of a t of so many scores."""
    z = np.random.default_rng(n).normal(scale=0.3, size=n)
    with pytest.warns(FewScoresWarning, match=f"{n} errors of other rows are too few"):
        distribution = fit_scores("student_t", z)
    for level in (0.5, 0.9, 0.99):
        assert distribution.ppf(level) >= norm.ppf(level)
        assert distribution.ppf(level) >= t(n).ppf(level) * (1 - 1e-9)
    with pytest.warns(FewScoresWarning):
        wider = fit_scores("student_t", 10 * z)
    assert wider.ppf(0.9) > distribution.ppf(0.9)


@pytest.mark.filterwarnings("ignore::skcfgp.calibration.FewScoresWarning")
def test_intervals_of_few_normal_scores_hold_what_they_claim():
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(1500):
        distribution = fit_scores("student_t", 1.5 * rng.normal(size=4))
        lower, upper = distribution.interval(0.9)
        hits.append(np.diff(norm.cdf([lower / 1.5, upper / 1.5])))
    assert np.mean(hits) > 0.88


def test_rows_that_equal_others_do_not_make_it_sure():
    """Two thirds of the errors are 0, since their rows were learnt elsewhere."""
    z = np.random.default_rng(6).standard_t(4, size=100)
    copies = np.concatenate([z, np.zeros(200)])
    alone, among = fit_scores("student_t", z), fit_scores("student_t", copies)
    assert among.interval(0.9) == pytest.approx(alone.interval(0.9))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n", [3, 20])
@pytest.mark.parametrize("label", [0.0, 0.1, -700.0])
@pytest.mark.parametrize("equal_crystals", [False, True])
def test_equal_labels_are_no_certainty(n, label, equal_crystals):
    """Nor does the process say that equal labels differ."""
    X = np.ones((n, 2)) if equal_crystals else data(n)[0][:, :2]
    kernel = Laplacian() + WhiteKernel(1e-2, (1e-6, 1e1))
    gp = GaussianProcessRegressor(kernel, normalize_y=True, objective="leave_one_out")
    model = CalibratedRegressor(gp, method="student_t", n_neighbors=20, cv="leave_one_out")
    with pytest.warns(FewScoresWarning) as caught:
        model.fit(X, np.full(n, label))
    assert not any("different labels" in str(warning.message) for warning in caught)
    _, std = model.predict(np.concatenate([X, X + 3]), return_std=True)
    assert (std > 0.999 * (abs(label) or 1.0)).all()
    lower, upper = model.predict_interval(X)
    assert (upper - lower >= 2 * std.min()).all()


def test_the_recommended_pipeline_is_calibrated_by_a_t():
    model = make_cfgp(None, calibrated=True)["gp"]
    assert (model.method, model.n_neighbors, model.cv) == ("student_t", 20, "leave_one_out")
