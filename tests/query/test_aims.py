"""Strategies with an aim: each against its formula, and laws that all of them keep."""

from functools import partial

import numpy as np
import pytest
from modAL.acquisition import max_EI, max_PI, max_UCB
from modAL.models import BayesianOptimizer
from scipy import integrate, stats
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR

from skcfgp import ActiveLearner, CalibratedRegressor, GaussianProcessRegressor
from skcfgp.calibration import FewScoresWarning, MonotoneTargetRegressor
from skcfgp.kernels import Laplacian
from skcfgp.models import ExtraTreesRegressor
from skcfgp.query import (
    cost_weighted,
    expected_improvement,
    level_set,
    log_expected_improvement,
    probability_of_improvement,
    thompson_sampling,
    upper_confidence_bound,
)
from skcfgp.query.tails import log_cdf, log_excess

X = np.random.default_rng(0).normal(size=(70, 2))
Y = np.sin(X).sum(axis=1)
TRAIN, POOL = X[:20], X[20:]
EXACT = [
    expected_improvement,
    log_expected_improvement,
    probability_of_improvement,
    upper_confidence_bound,
]
WITH_LEVEL = [*EXACT, partial(level_set, level=0.3)]


def learner_of(y=Y[:20], rows=TRAIN, cls=GaussianProcessRegressor, amplitude=1.5, **options):
    gp = cls(Laplacian(amplitude, 2.0), alpha=1e-3, optimizer=None, **options)
    return ActiveLearner(gp, X_training=rows, y_training=y)


@pytest.mark.parametrize("df", [None, 1.5, 3.0, 30.0])
@pytest.mark.parametrize("z", [-6.0, -1.0, -0.99, 0.0, 2.5])
def test_expected_excess_is_the_integral(z, df):
    pdf = stats.norm.pdf if df is None else stats.t(df).pdf
    expected, _ = integrate.quad(lambda t: (z + t) * pdf(t), -z, np.inf, epsabs=0, epsrel=1e-9)
    assert np.exp(log_excess(z, df)) == pytest.approx(expected, rel=1e-6)
    cdf = stats.norm.cdf if df is None else stats.t(df).cdf
    assert np.exp(log_cdf(z, df)) == pytest.approx(cdf(z))


def test_logarithm_far_below_the_best():
    z = -np.logspace(0.1, 8, 400)
    values = log_excess(z)
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()
    asymptotic = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(-z)
    np.testing.assert_allclose(values[z < -100], asymptotic[z < -100], rtol=1e-6)


@pytest.mark.parametrize("df", [1.1, 3.0, 300.0, 2e4])
@pytest.mark.parametrize("logarithm", [log_excess, log_cdf])
def test_logarithms_of_a_t_distribution_tell_points_far_below_apart(df, logarithm):
    z = -np.logspace(0, 8, 3000)
    values = logarithm(z, np.full(3000, df))
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()
    far = z < -1e6  # the density is C |z|^-(df + 1), C being its value there
    ratio = {log_cdf: -z / df, log_excess: z**2 / df / (df - 1)}[logarithm]
    expected = stats.t.logpdf(z, df) + np.log(ratio)
    np.testing.assert_allclose(values[far], expected[far], rtol=1e-6)


class Certain(ExtraTreesRegressor):
    """A model whose standard deviation is 0 everywhere."""

    def predict(self, X, return_std=False):
        mean = super().predict(X)
        return (mean, np.zeros(len(mean))) if return_std else mean


@pytest.mark.parametrize("strategy", WITH_LEVEL)
def test_certainty_everywhere(strategy):
    model = Certain(n_estimators=5, random_state=0)
    learner = ActiveLearner(model, X_training=TRAIN, y_training=Y[:20])
    indices, scores = strategy(learner, POOL, 50)
    assert len(set(indices)) == 50
    assert np.isfinite(scores).all()
    if strategy in EXACT:
        assert learner.predict(POOL)[indices[0]] == learner.predict(POOL).max()


@pytest.mark.parametrize("cls", [GaussianProcessRegressor, SklearnGPR])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_formulas(cls, mode):
    learner, sign = learner_of(cls=cls, normalize_y=True), {"max": 1, "min": -1}[mode]
    mean, std = learner.predict(POOL, return_std=True)
    best = (sign * Y[:20]).max()
    z = (sign * mean - best) / std
    improvement = std * (z * stats.norm.cdf(z) + stats.norm.pdf(z))
    bound = sign * mean + 3 * std
    straddle = 1.96 * std - np.abs(mean - 0.3)
    for strategy, score, returned in (
        (partial(expected_improvement, mode=mode), improvement, improvement),
        (partial(log_expected_improvement, mode=mode), improvement, np.log(improvement)),
        (partial(probability_of_improvement, mode=mode), z, stats.norm.cdf(z)),
        (partial(upper_confidence_bound, mode=mode, width=3), bound, sign * bound),
        (partial(level_set, level=0.3), straddle, straddle),
    ):
        (index,), (value,) = strategy(learner, POOL)
        assert index == np.argmax(score)
        assert value == pytest.approx(returned[index], rel=1e-5)


@pytest.mark.parametrize(("func", "inverse"), [(np.log, np.exp), (lambda y: -np.log(y), None)])
@pytest.mark.parametrize("trees", [False, True])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_function_of_the_label_is_learnt(func, inverse, trees, mode):
    model = learner_of().estimator if not trees else ExtraTreesRegressor(9, random_state=0)
    inverse = inverse or (lambda z: np.exp(-z))
    target = MonotoneTargetRegressor(model, func=func, inverse_func=inverse)
    y = np.exp(Y[:20])
    learner = ActiveLearner(target, X_training=TRAIN, y_training=y)
    by_hand = ActiveLearner(clone(model), X_training=TRAIN, y_training=func(y))
    rises = inverse(1.0) > inverse(0.0)
    same = mode if rises else {"max": "min", "min": "max"}[mode]
    for strategy in EXACT:
        found = strategy(learner, POOL, 3, mode=mode)
        expected = strategy(by_hand, POOL, 3, mode=same)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1])
    found = level_set(learner, POOL, 3, level=2.0)
    np.testing.assert_array_equal(found, level_set(by_hand, POOL, 3, level=func(2.0)))
    if not trees:
        options = {"random_state": 0}
        found = thompson_sampling(learner, POOL, mode=mode, **options)
        drawn = thompson_sampling(by_hand, POOL, mode=same, **options)
        np.testing.assert_array_equal(found, drawn)


def test_several_levels():
    mean, std = learner_of().predict(POOL, return_std=True)
    distance = np.minimum(np.abs(mean - 0.1), np.abs(mean + 0.8))
    index, score = level_set(learner_of(), POOL, level=(0.1, -0.8), width=1.0)
    assert score[0] == pytest.approx((std - distance).max())
    assert index[0] == np.argmax(std - distance)


def test_levels_that_no_label_can_have():
    model = MonotoneTargetRegressor(GaussianProcessRegressor(Laplacian(), optimizer=None))
    learner = ActiveLearner(model, X_training=TRAIN, y_training=np.exp(Y[:20]))
    expected = level_set(learner, POOL, 5, level=1.2)
    for level in ([0.0, 1.2], [-3.0, 1.2]):
        np.testing.assert_array_equal(level_set(learner, POOL, 5, level=level), expected)
    with pytest.raises(ValueError, match=r"no label can be below the level -1\.0"):
        level_set(learner, POOL, 5, level=-1.0)


@pytest.mark.parametrize("strategy", EXACT)
def test_smallest_is_largest_of_the_negative(strategy):
    smallest = strategy(learner_of(), POOL, 4, mode="min")
    largest = strategy(learner_of(-Y[:20]), POOL, 4)
    np.testing.assert_array_equal(smallest[0], largest[0])
    sign = -1 if strategy is upper_confidence_bound else 1
    np.testing.assert_allclose(smallest[1], sign * largest[1])


@pytest.mark.parametrize("strategy", WITH_LEVEL)
@pytest.mark.parametrize("pending", [0, 3])
def test_a_batch_is_one_at_a_time_with_means_for_labels(strategy, pending):
    together = strategy(
        learner_of(), POOL[pending:], 5, X_pending=POOL[:pending] if pending else None
    )
    learner, left, one_by_one = learner_of(), np.arange(pending, len(POOL)), []
    for row in range(pending):
        learner.teach(POOL[[row]], learner.predict(POOL[[row]]))
    for expected in together[1]:
        (index,), (score,) = strategy(learner, POOL[left])
        assert score == pytest.approx(expected, rel=1e-6)
        one_by_one.append(left[index] - pending)
        learner.teach(POOL[left[[index]]], learner.predict(POOL[left[[index]]]))
        left = np.delete(left, index)
    np.testing.assert_array_equal(together[0], one_by_one)


@pytest.mark.parametrize("strategy", [*WITH_LEVEL, partial(thompson_sampling, random_state=0)])
def test_a_query_changes_nothing(strategy):
    learner = learner_of()
    first = strategy(learner, POOL, 5)
    again = strategy(learner, POOL, 5)
    fresh = strategy(learner_of(), POOL, 5)
    for other in (again, fresh):
        for found, expected in zip(other, first, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("strategy", EXACT)
def test_the_unit_of_the_labels(strategy):
    expected = strategy(learner_of(), POOL, 3)
    gp = GaussianProcessRegressor(Laplacian(1500.0, 2.0), alpha=1e3, optimizer=None)
    scaled = strategy(ActiveLearner(gp, X_training=TRAIN, y_training=1e3 * Y[:20]), POOL, 3)
    np.testing.assert_array_equal(scaled[0], expected[0])
    if strategy is log_expected_improvement:
        np.testing.assert_allclose(scaled[1], expected[1] + np.log(1e3))
    else:
        factor = 1.0 if strategy is probability_of_improvement else 1e3
        np.testing.assert_allclose(scaled[1], factor * expected[1], rtol=1e-6)


@pytest.mark.parametrize("strategy", [*WITH_LEVEL, partial(thompson_sampling, random_state=0)])
def test_costs(strategy):
    free, _ = strategy(learner_of(), POOL, 3)
    costs = np.where(np.isin(np.arange(len(POOL)), free), 1e6, 1.0)
    dear, _ = cost_weighted(strategy, lambda pool: costs)(learner_of(), POOL, 3)
    assert not set(free) & set(dear)
    one, _ = cost_weighted(strategy, lambda pool: np.ones(len(pool)))(learner_of(), POOL, 3)
    np.testing.assert_array_equal(one, free)
    with pytest.raises(ValueError, match="50 positive numbers"):
        strategy(learner_of(), POOL, costs=-costs)


@pytest.mark.parametrize("strategy", WITH_LEVEL)
def test_ties_go_to_the_lowest_index(strategy):
    far = np.array([[1e9, 0.0], [-1e9, 0.0], [0.0, 1e9]])
    assert strategy(learner_of(), far, 3)[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("strategy", WITH_LEVEL)
def test_calibration_scales_the_standard_deviation(strategy):
    gp = GaussianProcessRegressor(Laplacian(1.5, 2.0), alpha=1e-3, optimizer=None)
    calibrated = CalibratedRegressor(gp, method="std_scaling", cv="leave_one_out")
    calibrated.fit(TRAIN, Y[:20])
    amplitude = 1.5 * calibrated.scale_
    other = GaussianProcessRegressor(
        Laplacian(amplitude, 2.0), alpha=1e-3 * calibrated.scale_**2, optimizer=None
    )
    found = strategy(ActiveLearner(calibrated, X_training=TRAIN, y_training=Y[:20]), POOL, 1)
    expected = strategy(ActiveLearner(other, X_training=TRAIN, y_training=Y[:20]), POOL, 1)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)


def test_the_t_distribution_of_the_model():
    y = Y[:20] + 0.1 * np.random.default_rng(0).standard_t(2, 20)
    gp = GaussianProcessRegressor(Laplacian(1.5, 2.0), alpha=1e-3, optimizer=None)
    calibrated = CalibratedRegressor(gp, method="student_t", n_neighbors=5, cv="leave_one_out")
    learner = ActiveLearner(calibrated, X_training=TRAIN, y_training=y)
    indices, probability = probability_of_improvement(learner, POOL)
    above = calibrated.predict_distribution(POOL).sf(y.max())
    assert indices[0] == np.argmax(above)
    np.testing.assert_allclose(probability, above[indices], rtol=1e-6)
    indices, improvement = expected_improvement(learner, POOL)
    for row in (0, 7, indices[0]):
        one = calibrated.predict_distribution(POOL[[row]])
        expected, _ = integrate.quad(lambda v, one=one: one.sf(v)[0], y.max(), np.inf)
        assert expected <= improvement[0] * (1 + 1e-6)
    assert expected == pytest.approx(improvement[0], rel=1e-5)
    rng = np.random.RandomState(0)
    drawn = [thompson_sampling(learner, POOL[:1], random_state=rng)[1][0] for _ in range(3000)]
    quantiles = calibrated.predict_distribution(POOL[:1]).cdf(np.array(drawn))
    assert stats.kstest(quantiles, "uniform").pvalue > 1e-3


def test_thompson_sampling_chooses_as_often_as_a_point_is_best():
    learner = learner_of(normalize_y=True)
    pool = POOL[:6]
    mean, covariance = learner.estimator.predict(pool, return_cov=True)
    draws = np.random.default_rng(1).multivariate_normal(mean, covariance, 20000)
    expected = np.bincount(draws.argmax(axis=1), minlength=6) / 20000
    rng = np.random.RandomState(0)
    chosen = [thompson_sampling(learner, pool, random_state=rng)[0][0] for _ in range(1500)]
    np.testing.assert_allclose(np.bincount(chosen, minlength=6) / 1500, expected, atol=0.05)


def test_thompson_sampling_draws_jointly_and_in_little_memory():
    learner = learner_of()
    twins = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-9]])
    _, drawn = thompson_sampling(learner, twins, 2, random_state=0)
    assert np.isfinite(drawn).all()
    mean, std = learner.predict(POOL, return_std=True)
    likely = np.argsort(-(mean + 4 * std))[:10]
    for seed in range(20):
        indices, _ = thompson_sampling(learner, POOL, 3, n_candidates=10, random_state=seed)
        assert set(indices) <= set(likely)
    with pytest.raises(ValueError, match="at least n_instances, 3, got 2"):
        thompson_sampling(learner, POOL, 3, n_candidates=2)


def test_random_draws_leave_the_global_state_of_numpy_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    thompson_sampling(learner_of(), POOL, 3)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_other_models():
    trees = ExtraTreesRegressor(9, random_state=0)
    trees = ActiveLearner(trees, X_training=TRAIN, y_training=Y[:20])
    mean, std = trees.predict(POOL, return_std=True)
    indices, bound = upper_confidence_bound(trees, POOL, 3)
    np.testing.assert_allclose(bound, np.sort(mean + 2 * std)[::-1][:3])
    assert len(set(indices.tolist())) == 3
    with pytest.raises(TypeError, match="got ExtraTreesRegressor"):
        thompson_sampling(trees, POOL)
    with pytest.raises(TypeError, match="X_pending needs a Gaussian process"):
        expected_improvement(trees, POOL, X_pending=POOL)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (partial(expected_improvement, mode="best"), "'max' or 'min', got 'best'"),
        (partial(thompson_sampling, mode="best"), "'max' or 'min', got 'best'"),
        (partial(probability_of_improvement, margin=-1), "margin must be at least 0"),
        (partial(upper_confidence_bound, width=-1), "width must be at least 0"),
        (partial(level_set, level=1.0, width=0), "width must be positive"),
        (partial(level_set, level=np.nan), "level must be a finite number"),
    ],
)
def test_arguments_that_make_no_sense(strategy, message):
    with pytest.raises(ValueError, match=message):
        strategy(learner_of(), POOL)


@pytest.mark.parametrize("strategy", [max_EI, max_PI, max_UCB, expected_improvement])
def test_the_optimizer_of_modal_finds_the_largest_label(strategy):
    gp = GaussianProcessRegressor(Laplacian(1.5, 2.0), alpha=1e-6, optimizer=None)
    optimizer = BayesianOptimizer(
        gp, query_strategy=strategy, X_training=TRAIN[:5], y_training=Y[:5]
    )
    left = np.arange(5, 70)
    for _ in range(30):
        index, row = optimizer.query(X[left])
        optimizer.teach(row, Y[left[index]])
        left = np.delete(left, index)
    assert optimizer.get_max()[1] == Y.max()


@pytest.mark.parametrize("strategy", [*WITH_LEVEL, partial(thompson_sampling, random_state=0)])
def test_a_single_label_is_enough(strategy):
    gp = GaussianProcessRegressor(Laplacian(1.5, 2.0), alpha=1e-3, normalize_y=True)
    calibrated = CalibratedRegressor(gp, method="student_t", n_neighbors=20, cv="leave_one_out")
    learner = ActiveLearner(calibrated, strategy)
    with pytest.warns(FewScoresWarning):
        learner.teach(TRAIN[:1], Y[:1])
    assert (learner.predict(POOL, return_std=True)[1] >= 0.9 * abs(Y[0])).all()
    indices, scores = strategy(learner, POOL, 3)
    assert len(set(indices)) == 3
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("strategy", [*WITH_LEVEL, partial(thompson_sampling, random_state=0)])
def test_nothing_may_be_pending(strategy):
    found = strategy(learner_of(), POOL, 3, X_pending=POOL[:0])
    np.testing.assert_array_equal(found, strategy(learner_of(), POOL, 3))
