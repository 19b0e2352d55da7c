import pickle
import warnings

import numpy as np
import pytest
from sklearn import clone, config_context
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import BayesianRidge, LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CalibratedRegressor, GaussianProcessRegressor
from skcfgp.calibration import (
    coverage,
    crps_gaussian,
    ence,
    miscalibration_area,
    negative_log_likelihood,
    predict_distribution,
)
from skcfgp.calibration.scorers import (
    make_distribution_scorer,
    make_std_scorer,
    neg_crps_scorer,
    neg_miscalibration_area_scorer,
    neg_nll_scorer,
    predict_with_std,
)
from skcfgp.kernels import Laplacian

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
Y = np.sin(X).sum(axis=1) + 0.1 * RNG.normal(size=90)

SCORERS = {
    "nll": (neg_nll_scorer, negative_log_likelihood),
    "crps": (neg_crps_scorer, crps_gaussian),
    "area": (neg_miscalibration_area_scorer, miscalibration_area),
}
SCORING = {name: scorer for name, (scorer, _) in SCORERS.items()}


def gp(**options):
    options = {"kernel": Laplacian(1.0, 2.0), "alpha": 0.01, "optimizer": None} | options
    return GaussianProcessRegressor(**options)


def pipe():
    return make_pipeline(StandardScaler(), gp())


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("model", [gp, pipe, lambda: make_pipeline(StandardScaler(), pipe())])
def test_score_is_minus_the_metric(name, model, routing):
    scorer, metric = SCORERS[name]
    fitted = model().fit(X[:60], Y[:60])
    mean, std = fitted.predict(X[60:], return_std=True)
    assert scorer(fitted, X[60:], Y[60:]) == -metric(Y[60:], mean, std)


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_pipeline_predicts_std_with_routing_on_as_with_routing_off(calibrated):
    last = CalibratedRegressor(gp(), n_neighbors=5) if calibrated else gp()
    fitted = make_pipeline(StandardScaler(), last).fit(X[:60], Y[:60])
    expected = fitted.predict(X[60:], return_std=True)
    with config_context(enable_metadata_routing=True):
        found = clone(fitted).fit(X[:60], Y[:60]).predict(X[60:], return_std=True)
        score = -negative_log_likelihood(Y[60:], *expected)
        assert neg_nll_scorer(fitted, X[60:], Y[60:]) == pytest.approx(score, rel=1e-12)
    np.testing.assert_array_equal(found, expected)


def test_scores_are_of_the_distribution_that_is_predicted(routing):
    """Not of the Gaussian with the same standard deviation."""
    calibrated = CalibratedRegressor(gp(), method="student_t")
    fitted = make_pipeline(StandardScaler(), calibrated).fit(X[:60], Y[:60])
    distribution = predict_distribution(fitted, X[60:])
    nll = neg_nll_scorer(fitted, X[60:], Y[60:])
    assert nll == distribution.logpdf(Y[60:]).mean()
    mean, std = fitted.predict(X[60:], return_std=True)
    assert nll != pytest.approx(-negative_log_likelihood(Y[60:], mean, std), rel=1e-6)
    area = miscalibration_area(Y[60:], distribution)
    assert neg_miscalibration_area_scorer(fitted, X[60:], Y[60:]) == -area
    widest = make_distribution_scorer(lambda y, d, level: np.ptp(d.interval(level)), level=0.9)
    assert widest(fitted, X[60:], Y[60:]) == np.ptp(distribution.interval(0.9))


def test_a_regressor_of_scikit_learn_must_request_return_std():
    """Its Pipeline refuses what was not requested, and the scorer does not go round it."""
    with config_context(enable_metadata_routing=True):
        silent = make_pipeline(StandardScaler(), BayesianRidge()).fit(X, Y)
        with pytest.raises(UnsetMetadataPassedError, match="return_std"):
            neg_nll_scorer(silent, X, Y)
        asked = make_pipeline(
            StandardScaler(), BayesianRidge().set_predict_request(return_std=True)
        )
        score = neg_nll_scorer(asked.fit(X, Y), X, Y)
    assert score == neg_nll_scorer(silent, X, Y)


def test_cross_validate_equals_a_loop(routing):
    cv = KFold(3)
    scores = cross_validate(pipe(), X, Y, cv=cv, scoring=SCORING, error_score="raise")
    for fold, (train, test) in enumerate(cv.split(X)):
        fitted = pipe().fit(X[train], Y[train])
        for name, scorer in SCORING.items():
            assert scores[f"test_{name}"][fold] == scorer(fitted, X[test], Y[test])


def test_grid_search_with_several_at_once(routing):
    grid = {"gaussianprocessregressor__kernel": [Laplacian(1.0, 0.01), Laplacian(1.0, 2.0)]}
    scoring = SCORING | {"mae": "neg_mean_absolute_error"}
    search = GridSearchCV(pipe(), grid, scoring=scoring, refit="nll", cv=3, error_score="raise")
    search.fit(X, Y)
    assert search.best_index_ == 1
    alone = GridSearchCV(pipe(), grid, scoring=neg_nll_scorer, cv=3).fit(X, Y)
    for score in ("mean_test_nll", "mean_test_crps", "mean_test_area", "mean_test_mae"):
        assert np.isfinite(search.cv_results_[score]).all()
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_nll"], alone.cv_results_["mean_test_score"]
    )
    assert alone.score(X, Y) == neg_nll_scorer(alone.best_estimator_, X, Y)


def test_nested_cross_validation(routing):
    """The search itself takes no return_std; its best estimator does."""
    search = GridSearchCV(pipe(), {"gaussianprocessregressor__alpha": [0.01, 0.1]}, cv=2)
    scores = cross_validate(search, X, Y, cv=2, scoring=neg_crps_scorer, error_score="raise")
    fitted = clone(search).fit(X[:45], Y[:45]).best_estimator_
    assert scores["test_score"][1] == neg_crps_scorer(fitted, X[45:], Y[45:])


def test_two_processes_give_what_one_gives():
    with config_context(enable_metadata_routing=True):
        one, two = (
            cross_validate(pipe(), X, Y, cv=2, scoring=SCORING, n_jobs=n, error_score="raise")
            for n in (None, 2)
        )
    for name in SCORING:
        np.testing.assert_allclose(one[f"test_{name}"], two[f"test_{name}"], rtol=1e-10)


def test_sample_weight_of_fit():
    """A dict of scorers is asked whether they take weights: a plain function would not answer."""
    search = GridSearchCV(BayesianRidge(), {"alpha_1": [1e-6]}, scoring=SCORING, refit="nll", cv=2)
    with warnings.catch_warnings():
        # scikit-learn 1.8 and newer warn that the scores have no weights
        warnings.filterwarnings("ignore", "The scoring .* does not support sample_weight")
        search.fit(X, Y, sample_weight=np.ones(90))
    assert np.isfinite(search.best_score_)


def test_pickle_clone_and_repr():
    for scorer in SCORING.values():
        assert pickle.loads(pickle.dumps(scorer)) == scorer
    search = clone(GridSearchCV(gp(), {}, scoring=SCORING))
    assert search.scoring == SCORING
    assert repr(neg_nll_scorer) == (
        "make_distribution_scorer(negative_log_likelihood, greater_is_better=False)"
    )
    assert repr(make_std_scorer(coverage, n_sigma=1)) == "make_std_scorer(coverage, n_sigma=1)"


def test_options_and_sign_of_make_std_scorer():
    fitted = gp().fit(X[:60], Y[:60])
    mean, std = fitted.predict(X[60:], return_std=True)
    up = make_std_scorer(coverage, n_sigma=1)(fitted, X[60:], Y[60:])
    assert up == coverage(Y[60:], mean, std, n_sigma=1)
    down = make_std_scorer(ence, greater_is_better=False, n_bins=3)(fitted, X[60:], Y[60:])
    assert down == -ence(Y[60:], mean, std, n_bins=3)
    with pytest.raises(TypeError, match="metric must be a function"):
        make_std_scorer("nll")


@pytest.mark.parametrize(
    "wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)]
)
def test_no_standard_deviation_is_said(wrap, routing):
    transformed = TransformedTargetRegressor(gp(), transformer=StandardScaler())
    with pytest.raises(TypeError, match=r"TransformedTargetRegressor .* normalize_y=True"):
        neg_nll_scorer(wrap(transformed).fit(X, Y), X, Y)
    with pytest.raises(TypeError, match=r"LinearRegression\.predict does not take return_std"):
        neg_nll_scorer(wrap(LinearRegression()).fit(X, Y), X, Y)


def test_other_errors_are_left_alone():
    class Broken(LinearRegression):
        def predict(self, X, return_std=False):
            raise TypeError("no such crystal")

    with pytest.raises(TypeError, match=r"^no such crystal$"):
        predict_with_std(Broken().fit(X, Y), X)


def test_estimator_that_returns_no_pair_is_refused():
    class MeanOnly(LinearRegression):
        def predict(self, X, return_std=False):
            return super().predict(X)

    with pytest.raises(TypeError, match="to return mean and standard deviation, got ndarray"):
        predict_with_std(MeanOnly().fit(X, Y), X)


def test_zero_std_makes_the_score_nan_with_a_warning():
    class Certain(LinearRegression):
        def predict(self, X, return_std=False):
            return super().predict(X), np.zeros(len(X))

    with pytest.warns(UserWarning, match="y_std must be positive, got 0 in row 0 and 45 such rows"):
        scores = cross_validate(Certain(), X, Y, cv=2, scoring=neg_nll_scorer)
    assert np.isnan(scores["test_score"]).all()
