import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import norm
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcfgp import (
    ActiveLearner,
    CalibratedRegressor,
    GaussianProcessRegressor,
    MEGNetFeaturizer,
    simulate,
)
from skcfgp.calibration import ExchangeabilityWarning, FewScoresWarning
from skcfgp.calibration.scorers import neg_nll_scorer
from skcfgp.kernels import Laplacian
from skcfgp.query import greedy_max_std, integrated_variance, max_std

METHODS = ["std_scaling", "student_t", "isotonic", "conformal"]
ONE_SIGMA = 2 * norm.cdf(1) - 1


class Claims(RegressorMixin, BaseEstimator):
    """Predicts the mean 0 and `factor` times the first column as the standard deviation."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X, return_std=False):
        mean = np.zeros(len(X))
        return (mean, self.factor * np.asarray(X)[:, 0]) if return_std else mean


class NearestNeighbour(KNeighborsRegressor):
    """Knows its training rows by heart, and says 1 for the standard deviation."""

    def predict(self, X, return_std=False):
        mean = super().predict(X)
        return (mean, np.ones(len(mean))) if return_std else mean


def data(n=80, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.sin(X).sum(axis=1) + 0.3 * rng.normal(size=n)


def heteroscedastic(n, rng, draw="standard_normal"):
    """Rows whose only feature is their standard deviation."""
    std = rng.uniform(0.5, 2.0, size=n)
    return std[:, None], std * getattr(rng, draw)(size=n)


def gp():
    return GaussianProcessRegressor(Laplacian(1.0, 3.0), alpha=0.1, optimizer=None)


def held_out(estimator, method, X, y):
    return CalibratedRegressor(estimator.fit(X, y), method=method, cv="prefit").fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::skcfgp.calibration.FewScoresWarning")
@parametrize_with_checks(
    [CalibratedRegressor()]
    + [
        CalibratedRegressor(GaussianProcessRegressor(optimizer=None), method=method)
        for method in METHODS[1:]
    ]
    + [
        CalibratedRegressor(
            GaussianProcessRegressor(optimizer=None), n_neighbors=5, cv="leave_one_out"
        )
    ]
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_factor_is_found_and_taken_back(method):
    """Where the truth is known; and the intervals do not depend on the factor at all."""
    X, y = heteroscedastic(20_000, np.random.default_rng(0))
    true = held_out(Claims(), method, X, y)
    assert true.scale_ == pytest.approx(1, abs=0.03)
    for factor in (0.02, 0.3, 50.0):
        model = held_out(Claims(factor), method, X, y)
        assert model.scale_ == pytest.approx(true.scale_ / factor)
        np.testing.assert_allclose(model.predict_interval(X[:9]), true.predict_interval(X[:9]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1e-3, 7.0])
def test_equivariance_in_the_unit_of_y(method, factor):
    X, y = data()
    model = CalibratedRegressor(gp().set_params(normalize_y=True), method=method)
    mean, std = model.fit(X, y).predict(X, return_std=True)
    bounds = np.array(model.predict_interval(X))
    model.fit(X, factor * y + 3)
    expected = [factor * mean + 3, factor * std]
    np.testing.assert_allclose(model.predict(X, return_std=True), expected)
    np.testing.assert_allclose(model.predict_interval(X), factor * bounds + 3)


def test_std_scaling_is_the_maximum_of_the_likelihood():
    X, y = heteroscedastic(50, np.random.default_rng(1))
    model = held_out(Claims(0.4), "std_scaling", X, y)

    def nll(scale):
        return -norm.logpdf(y, 0, scale * 0.4 * X[:, 0]).sum()

    assert nll(model.scale_) < min(nll(model.scale_ * 1.001), nll(model.scale_ / 1.001))
    np.testing.assert_allclose(np.mean(model.z_scores_**2), model.scale_**2)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(np.mean(((y - mean) / std) ** 2), 1)
    expected = norm.interval(0.9, mean, std)
    np.testing.assert_allclose(model.predict_interval(X, 0.9), expected)


@pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy", "standard_exponential"])
def test_conformal_coverage_in_finite_samples(draw):
    """At least what was asked for: ceil((n + 1) c) / (n + 1) whatever the distribution."""
    rng, n, hits = np.random.default_rng(2), 20, {0.5: [], 0.9: []}
    for _ in range(400):
        model = held_out(Claims(3.0), "conformal", *heteroscedastic(n, rng, draw))
        X, y = heteroscedastic(300, rng, draw)
        for coverage, inside in hits.items():
            lower, upper = model.predict_interval(X, coverage)
            inside.append(np.mean((lower <= y) & (y <= upper)))
    for coverage, inside in hits.items():
        expected = np.ceil((n + 1) * coverage) / (n + 1)
        error = np.std(inside) / np.sqrt(len(inside))
        assert expected >= coverage
        assert np.mean(inside) == pytest.approx(expected, abs=4 * error)
        assert error < 0.01


@pytest.mark.parametrize("n", [19, 20, 39, 200])
@pytest.mark.parametrize("coverage", [0.3, 0.55, ONE_SIGMA, 0.9, 0.95])
def test_conformal_is_the_smallest_set_by_brute_force(n, coverage):
    """The interval holds the labels whose conformal p-value is larger than 1 - c."""
    X, y = heteroscedastic(n, np.random.default_rng(n))
    model = held_out(Claims(), "conformal", X, y)
    (lower,), (upper,) = model.predict_interval([[1.0]], coverage)
    scores = np.abs(y / X[:, 0])
    candidates = np.linspace(-1.2, 1.2, 4001) * scores.max()
    as_strange = 1 + (scores[None, :] >= np.abs(candidates)[:, None]).sum(axis=1)
    inside = as_strange > (1 - coverage) * (n + 1) + 1e-9
    np.testing.assert_array_equal((lower <= candidates) & (candidates <= upper), inside)


def test_conformal_upper_bound_agrees_with_mapie():
    mapie = pytest.importorskip("mapie.regression", reason="MAPIE is not installed")
    scores = pytest.importorskip("mapie.conformity_scores")
    X, y = data(150)
    model = gp().fit(X[:60], y[:60])
    ours = CalibratedRegressor(model, method="conformal", cv="prefit").fit(X[60:], y[60:])
    for coverage in (0.5, 0.9, 0.95):
        theirs = mapie.SplitConformalRegressor(
            model, confidence_level=coverage, conformity_score=scores.StdConformityScore()
        ).conformalize(X[60:], y[60:])
        upper = theirs.predict_interval(X)[1][:, 1, 0]
        np.testing.assert_allclose(ours.predict_interval(X, coverage)[1], upper)


def test_isotonic_intervals_are_nested_and_follow_any_distribution():
    rng = np.random.default_rng(3)
    X, y = heteroscedastic(4000, rng, "standard_exponential")
    model = held_out(Claims(0.2), "isotonic", X, y)
    levels = np.linspace(0.01, 0.999, 60)
    bounds = np.array([model.predict_interval([[1.0]], c) for c in levels])[:, :, 0]
    assert (np.diff(bounds[:, 0]) <= 0).all()
    assert (np.diff(bounds[:, 1]) >= 0).all()
    inner = levels < 0.99
    expected = -np.log(1 - (1 + np.c_[-levels, levels][inner]) / 2)
    np.testing.assert_allclose(bounds[inner], expected, atol=0.4, rtol=0.1)


def test_isotonic_quantiles_agree_with_uncertainty_toolbox():
    from uncertainty_toolbox import recalibration

    X, y = heteroscedastic(2000, np.random.default_rng(4))
    y = np.concatenate([y, -y]) / 2  # symmetric: its residuals are prediction minus truth
    X = np.concatenate([X, X])
    model = held_out(Claims(), "isotonic", X, y)
    theirs = recalibration.get_quantile_recalibrator(np.zeros(len(y)), X[:, 0], y)
    for coverage in (0.3, 0.6, 0.9):
        levels = (1 - coverage) / 2, (1 + coverage) / 2
        expected = [theirs(np.zeros(5), X[:5, 0], level) for level in levels]
        found = model.predict_interval(X[:5], coverage)
        np.testing.assert_allclose(found, expected, atol=0.02)  # theirs has 100 levels


def test_isotonic_mends_a_bias():
    X, y = heteroscedastic(20_000, np.random.default_rng(5))
    model = held_out(Claims(3.0), "isotonic", X, y - 2 * X[:, 0])
    found = model.predict_interval([[1.0], [2.0]], 0.9)
    np.testing.assert_allclose(found, norm.interval(0.9, [-2, -4], [1, 2]), atol=0.1)


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_isotonic_on_gaussian_quantiles_changes_nothing(n):
    z = norm.ppf(np.arange(1, n + 1) / (n + 1))
    model = held_out(Claims(), "isotonic", np.ones((n, 1)), z + 1)
    slope = np.sqrt(np.mean((z + 1) ** 2))
    for level in (0.2, 0.9, 0.9999):
        (lower,), (upper,) = model.predict_interval([[1.0]], level)
        wanted = norm.ppf((1 + level) / 2)
        within = min(wanted, z[-1])
        assert upper == pytest.approx(1 + within + slope * (wanted - within))
        assert lower == pytest.approx(2 - upper)


@pytest.mark.parametrize("method", METHODS)
def test_cross_validation_does_not_leak(method):
    """1-NN has no error on its own rows; the scores are those of folds by hand."""
    X, y = data()
    cv = KFold(4, shuffle=True, random_state=0)
    model = CalibratedRegressor(NearestNeighbour(1), method=method, cv=cv).fit(X, y)
    expected = np.empty(len(y))
    for train, test in cv.split(X):
        expected[test] = y[test] - KNeighborsRegressor(1).fit(X[train], y[train]).predict(X[test])
    np.testing.assert_allclose(model.z_scores_, expected)
    assert model.n_calibration_ == len(y)
    T, t = data(2000, seed=1)
    lower, upper = model.predict_interval(T, 0.9)
    assert np.mean((lower <= t) & (t <= upper)) == pytest.approx(0.9, abs=0.06)
    np.testing.assert_array_equal(model.predict(X), y)  # fitted on everything
    _, std = model.predict(X, return_std=True)
    assert std.min() > 0.5


def test_two_std_hold_what_two_sigma_hold():
    X, y = data()
    for method in METHODS:
        model = CalibratedRegressor(gp(), method=method).fit(X, y)
        lower, upper = model.predict_distribution(X).interval(2 * norm.cdf(2) - 1)
        mean, std = model.predict(X, return_std=True)
        np.testing.assert_allclose(std, (upper - lower) / 4)
        np.testing.assert_array_equal(mean, model.predict(X))
        np.testing.assert_array_equal(mean, gp().fit(X, y).predict(X))


@pytest.mark.parametrize("frozen", [False, True])
def test_prefit_leaves_the_estimator_as_it_is(frozen):
    X, y = data()
    model = gp().fit(X[:40], y[:40])
    before = copy.deepcopy(model.predict(X, return_std=True))
    options = {"estimator": FrozenEstimator(model)} if frozen else {"estimator": model}
    calibrated = CalibratedRegressor(**options, cv=5 if frozen else "prefit").fit(X[40:], y[40:])
    assert calibrated.n_calibration_ == 40
    mean, std = before
    np.testing.assert_allclose(calibrated.z_scores_, ((y - mean) / std)[40:])
    assert hasattr(calibrated, "partial_fit") != frozen
    if not frozen:
        calibrated.partial_fit(X[40:], y[40:])
        assert len(calibrated.estimator_.X_train_) == 80
    np.testing.assert_array_equal(model.predict(X, return_std=True), before)


def test_partial_fit_keeps_the_calibration():
    X, y = data()
    for estimator in (gp(), make_pipeline(StandardScaler(), gp())):
        model = CalibratedRegressor(estimator).fit(X[:60], y[:60])
        scale, z = model.scale_, model.z_scores_
        model.partial_fit(X[60:], y[60:])
        assert model.scale_ == scale
        assert model.z_scores_ is z
        plain = clone(estimator).fit(X[:60], y[:60])
        features = plain[:-1].transform(X) if hasattr(plain, "steps") else X
        expected = gp().fit(features, y).predict(features, return_std=True)[1]
        np.testing.assert_allclose(model.predict(X, return_std=True)[1], scale * expected)
    assert not hasattr(CalibratedRegressor(BayesianRidge()), "partial_fit")


def test_clone_pickle_and_containers():
    X, y = data()
    frame, series = pd.DataFrame(X, columns=list("abc")), pd.Series(y, index=np.arange(80)[::-1])
    model = CalibratedRegressor(make_pipeline(StandardScaler(), gp()), method="isotonic")
    model.fit(frame, series)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    expected = clone(model).fit(X, y).predict_interval(X)
    np.testing.assert_allclose(model.predict_interval(frame), expected)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_interval(frame), model.predict_interval(frame))
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")


def test_grid_search_over_the_method():
    X, y = data(120)
    grid = {"method": METHODS, "estimator__alpha": [1e-4, 0.1]}
    search = GridSearchCV(CalibratedRegressor(gp()), grid, scoring=neg_nll_scorer, cv=3).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    plain = cross_val_score(gp().set_params(alpha=1e-4), X, y, scoring=neg_nll_scorer, cv=3)
    assert search.best_score_ > plain.mean()


def test_fit_parameters_reach_every_fit():
    X, y = data()
    weight = np.random.default_rng(6).uniform(size=80)
    cv = KFold(4)
    weighted = CalibratedRegressor(BayesianRidge(), cv=cv).fit(X, y, sample_weight=weight)
    for train, test in cv.split(X):
        fold = BayesianRidge().fit(X[train], y[train], sample_weight=weight[train])
        mean, std = fold.predict(X[test], return_std=True)
        np.testing.assert_allclose(weighted.z_scores_[test], (y[test] - mean) / std)
    everything = BayesianRidge().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(weighted.predict(X), everything.predict(X))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = CalibratedRegressor(BayesianRidge().set_fit_request(sample_weight=True), cv=cv)
        routed.fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(routed.z_scores_, weighted.z_scores_)
        with pytest.raises(TypeError, match="groups"):
            routed.fit(X, y, groups=weight)
        grouped = CalibratedRegressor(BayesianRidge(), cv=GroupKFold(4))
        groups = np.repeat(np.arange(4), 20)  # the folds of KFold(4)
        expected = CalibratedRegressor(BayesianRidge(), cv=cv).fit(X, y)
        grouped.fit(X, y, groups=groups)
        np.testing.assert_allclose(grouped.z_scores_, expected.z_scores_)
        ridge = BayesianRidge().set_predict_request(return_std=True)
        piped = make_pipeline(StandardScaler(), ridge)
        for cv_ in (cv, "prefit"):
            model = CalibratedRegressor(piped.fit(X, y), cv=cv_).fit(X, y)
            assert np.isfinite(model.predict_interval(X)).all()
        routing = routed.get_metadata_routing()
        assert routing.consumes("fit", ["sample_weight", "groups"]) == {"sample_weight"}


def test_selected_rows_are_learnt_but_not_calibrated_on():
    X, y = data()
    wrong = y + np.where(np.arange(80) < 30, 1e3, 0.0)
    selected = np.arange(80) < 30
    everything = CalibratedRegressor(gp()).fit(X, wrong)
    model = CalibratedRegressor(gp()).fit(X, wrong, selected=selected)
    np.testing.assert_array_equal(model.z_scores_, everything.z_scores_[30:])
    np.testing.assert_array_equal(model.predict(X), gp().fit(X, wrong).predict(X))
    with pytest.warns(ExchangeabilityWarning, match="75 of 80 labels .* 5 others"):
        few = CalibratedRegressor(gp()).fit(X, y, selected=np.arange(80) >= 5)
    assert few.n_calibration_ == 80
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y, selected=selected[1:])


@pytest.mark.parametrize("estimator", [gp(), SklearnGPR(Laplacian(), alpha=0.1, optimizer=None)])
@pytest.mark.parametrize("last_step", [False, True])
def test_an_active_learner_tells_which_rows_it_chose(estimator, last_step):
    """With and without partial_fit; the picks are those of the bare estimator."""
    X, y = data(120)
    model = CalibratedRegressor(estimator)
    if last_step:
        model = make_pipeline(StandardScaler(), model)
    learner = ActiveLearner(model, X_training=X[:40], y_training=y[:40])
    inner = make_pipeline(StandardScaler(), estimator) if last_step else estimator
    bare = ActiveLearner(clone(inner), X_training=X[:40], y_training=y[:40])
    pool = np.arange(40, 120)
    for _ in range(5):
        (index,), rows = learner.query(X[pool])
        assert [index] == bare.query(X[pool])[0]
        learner.teach(rows, y[pool[[index]]])
        bare.teach(rows, y[pool[[index]]])
        pool = np.delete(pool, index)
    assert learner.selected.tolist() == [False] * 40 + [True] * 5
    last = learner.estimator[-1] if last_step else learner.estimator
    assert last.n_calibration_ == 40
    learner.fit(learner.X_training, learner.y_training, selected=learner.selected)  # anew
    assert last.n_calibration_ == 40
    assert learner.selected.sum() == 5
    learner.fit(X[:50], y[:50])
    assert last.n_calibration_ == 50
    assert not learner.selected.any()
    with pytest.warns(ExchangeabilityWarning, match="20 of 20"):
        learner.teach(X[50:70], y[50:70], only_new=True)


def test_campaigns_and_strategies():
    X, y = data(60)
    sets = {"initial": range(30), "pool": range(30, 60), "n_cycles": 4}
    table = simulate(CalibratedRegressor(gp()), X, y, **sets)
    bare = simulate(gp(), X, y, **sets)
    assert table.indices.tolist() == bare.indices.tolist()
    np.testing.assert_allclose(table.mae_pool, bare.mae_pool)
    ratio = table.max_std / bare.max_std
    np.testing.assert_allclose(ratio, ratio[0])
    model = CalibratedRegressor(gp()).fit(X[:30], y[:30])
    _, std = max_std(ActiveLearner(model), X[30:])
    assert std[0] == model.predict(X[30:], return_std=True)[1].max()


@pytest.mark.parametrize("wrapped", [False, True])
def test_strategies_that_plan_look_at_the_process_itself(wrapped):
    X, y = data()
    process, model = gp(), CalibratedRegressor(gp(), n_neighbors=5, cv="leave_one_out")
    if wrapped:
        process, model = (make_pipeline(StandardScaler(), last) for last in (process, model))
    plain = ActiveLearner(process, X_training=X[:40], y_training=y[:40])
    calibrated = ActiveLearner(model, X_training=X[:40], y_training=y[:40])
    for strategy in (integrated_variance, greedy_max_std):
        expected = strategy(plain, X[40:], n_instances=4)
        np.testing.assert_allclose(strategy(calibrated, X[40:], n_instances=4), expected)
    std = calibrated.predict(X[40:], return_std=True)[1]
    assert max_std(calibrated, X[40:])[1] == std.max()


def test_errors_say_what_to_do():
    X, y = data(20)
    with pytest.raises(ValueError, match=r"method must be one of .*'conformal'.*got 'platt'"):
        CalibratedRegressor(method="platt").fit(X, y)
    with pytest.raises(ValueError, match=r"'leave_one_out' or 'prefit', got 'loo'"):
        CalibratedRegressor(cv="loo").fit(X, y)
    with pytest.raises(TypeError, match=r"RandomForestRegressor.*return_std"):
        CalibratedRegressor(RandomForestRegressor(2)).fit(X, y)
    for unfitted in (None, gp(), make_pipeline(gp()), FrozenEstimator(gp()), BayesianRidge()):
        with pytest.raises(NotFittedError):
            CalibratedRegressor(unfitted, cv="prefit").fit(X, y)
    with pytest.raises(ValueError, match=r"'sample_weight'.*Leave them out"):
        CalibratedRegressor(gp().fit(X, y), cv="prefit").fit(X, y, sample_weight=y)
    with pytest.raises(ValueError, match=r"not positive at 1 of 20 .*row 3: 0, with an error of"):
        held_out(Claims(), "isotonic", np.where(np.arange(20) == 3, 0.0, 1.0)[:, None], y)
    with pytest.raises(ValueError, match="partitions"):
        CalibratedRegressor(gp(), cv=ShuffleSplit(2)).fit(X, y)
    with pytest.raises(ValueError, match="1d array"):
        CalibratedRegressor(gp()).fit(X, np.c_[y, y])
    for n in (19, 1):  # one would go with every row
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            CalibratedRegressor(gp().fit(X, y), cv="prefit").fit(X, y[:n])
    model = CalibratedRegressor(gp(), method="conformal").fit(X[:18], y[:18])
    with pytest.raises(ValueError, match=r"at least 19 calibration rows, got 18.*most 0.947"):
        model.predict_interval(X)
    assert np.isfinite(model.predict_interval(X, 18 / 19)).all()
    for coverage in (0, 1, 95):
        with pytest.raises(ValueError, match="between 0 and 1"):
            model.predict_interval(X, coverage)


@pytest.mark.parametrize("method", METHODS)
def test_exact_predictions_tell_nothing_of_others(method):
    """0 / 0 is a score of 0, and the error bars are as wide as the labels."""
    X, y = np.zeros((20, 1)), np.arange(20.0)
    model = CalibratedRegressor(Claims().fit(X, y), method=method, cv="prefit")
    with pytest.warns(FewScoresWarning, match="errors of all 20 rows are 0"):
        model.fit(X, np.zeros(20))
    np.testing.assert_array_equal(model.z_scores_, np.zeros(20))
    lower, upper = model.predict_interval([[0.0]])
    assert upper - lower > 2
    assert (model.predict([[0.0]], return_std=True)[1] > 1 - 1e-12).all()


@pytest.mark.network
@pytest.mark.parametrize("cv", [3, "prefit"])
def test_crystals(crystals, cv):
    structures, y = crystals
    model = make_pipeline(MEGNetFeaturizer("formation_energy_1800", verbose=0), gp())
    if cv == "prefit":
        model.fit(structures[:30], y[:30])
    calibrated = CalibratedRegressor(model, cv=cv).fit(structures[30:], y[30:])
    assert calibrated.n_calibration_ == 30
    calibrated = pickle.loads(pickle.dumps(calibrated))
    lower, upper = calibrated.predict_interval(structures[:5])
    assert (lower < upper).all()
    learner = ActiveLearner(calibrated, refit_growth=np.inf)
    learner.X_training, learner.y_training = structures[30:], y[30:]
    learner.selected = np.zeros(30, dtype=bool)
    learner.teach(structures[:2], y[:2])
    assert learner.estimator.n_calibration_ == 30
    assert len(learner.estimator.estimator_[-1].X_train_) == 32


@pytest.mark.parametrize("jitter", [0.0, 1e-9])
def test_rows_that_are_listed_twice_do_not_make_certain_of_others(jitter):
    """The copy of a row predicts it without error, which tells nothing about a new one."""
    X, y = data()
    copies = X[:40] + jitter * np.random.default_rng(0).normal(size=X[:40].shape)
    process = GaussianProcessRegressor(Laplacian(2.0, 3.0) + WhiteKernel(1e-4), optimizer=None)
    model = CalibratedRegressor(process, method="student_t", n_neighbors=20, cv="leave_one_out")
    once = clone(model).fit(X[:40], y[:40])
    twice = clone(model).fit(np.r_[X[:40], copies], np.r_[y[:40], y[:40]])
    np.testing.assert_allclose(twice.z_scores_[:40], twice.z_scores_[40:], rtol=1e-4)
    ratio = twice.predict(X[40:], return_std=True)[1] / once.predict(X[40:], return_std=True)[1]
    assert ratio.min() > 0.5
    assert ratio.max() < 2
