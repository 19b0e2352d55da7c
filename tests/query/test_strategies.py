"""Strategies beyond max_std: each against its definition, written out."""

from functools import partial

import numpy as np
import pytest
from modAL.models import ActiveLearner as ModALActiveLearner
from modAL.models import CommitteeRegressor
from scipy.spatial.distance import cdist
from sklearn.dummy import DummyRegressor
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, CalibratedRegressor, GaussianProcessRegressor
from skcfgp.gaussian_process import PoolPosterior, as_process
from skcfgp.kernels import Laplacian
from skcfgp.models import ExtraTreesRegressor
from skcfgp.query import (
    cost_weighted,
    expected_improvement,
    greedy_k_center,
    greedy_max_std,
    integrated_variance,
    level_set,
    log_expected_improvement,
    max_std,
    probability_of_improvement,
    random_sampling,
    recommended,
    spaced_max_std,
    thompson_sampling,
    upper_confidence_bound,
    variance,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 2))
Y = np.sin(X).sum(axis=1)
TRAIN, POOL, TARGET = X[:10], X[10:50], X[50:]
AIMS = [
    expected_improvement,
    log_expected_improvement,
    probability_of_improvement,
    upper_confidence_bound,
    thompson_sampling,
    partial(level_set, level=0.5),
]
OPTIONS = {"kernel": Laplacian(1.5, 2.0), "alpha": 1e-3, "optimizer": None, "normalize_y": True}


@pytest.fixture(params=[GaussianProcessRegressor, SklearnGPR])
def learner(request):
    return ModALActiveLearner(
        request.param(**OPTIONS), query_strategy=max_std, X_training=TRAIN, y_training=Y[:10]
    )


def std_after(rows, points):
    """Standard deviation at points once the rows of the pool are labelled, with any label."""
    unit = np.std(Y[:10])
    gp = SklearnGPR(**OPTIONS | {"normalize_y": False})
    gp.fit(np.vstack([TRAIN, POOL[rows]]), np.zeros(10 + len(rows)))
    return gp.predict(points, return_std=True)[1] * unit


@pytest.mark.parametrize("target", [None, TARGET])
def test_integrated_variance(learner, target):
    points = POOL if target is None else target
    indices, gain = integrated_variance(learner, POOL, 3, X_target=target)
    before, chosen = np.mean(std_after([], points) ** 2), []
    for index, expected in zip(indices, gain, strict=True):
        after = [
            np.inf if i in chosen else np.mean(std_after([*chosen, i], points) ** 2)
            for i in range(len(POOL))
        ]
        assert index == np.argmin(after)
        assert before - after[index] == pytest.approx(expected, rel=1e-6)
        before, chosen = after[index], [*chosen, index]


def test_k_center(learner):
    indices, distance = greedy_k_center(learner, POOL, 4)
    centres = list(TRAIN)
    for index, expected in zip(indices, distance, strict=True):
        nearest = cdist(POOL, np.array(centres)).min(axis=1)
        assert index == np.argmax(nearest)
        assert expected == pytest.approx(nearest[index])
        centres.append(POOL[index])
    fresh = ActiveLearner(GaussianProcessRegressor(), greedy_k_center)
    assert fresh.query(POOL, n_instances=2)[0][0] == 0


def test_k_center_knows_the_labels_of_a_committee(learner):
    halves = [
        ModALActiveLearner(SklearnGPR(**OPTIONS), X_training=TRAIN[k::2], y_training=Y[:10][k::2])
        for k in (0, 1)
    ]
    committee = CommitteeRegressor(halves, query_strategy=greedy_k_center)
    indices, _ = committee.query(POOL, n_instances=4)
    np.testing.assert_array_equal(indices, greedy_k_center(learner, POOL, 4)[0])


def test_spaced_batch(learner):
    spacing = 0.4
    indices, std = spaced_max_std(learner, POOL, 6, spacing=spacing)
    all_std = learner.predict(POOL, return_std=True)[1]
    np.testing.assert_allclose(std, all_std[indices])
    assert indices[0] == np.argmax(all_std)
    apart = cdist(POOL[indices], POOL[indices]) + 1e9 * np.eye(6)
    assert apart.min() >= spacing * 2.0  # kernel length 2
    for k, index in enumerate(indices):  # nobody better was passed over who was far enough
        better = np.flatnonzero(all_std > all_std[index])
        better = better[~np.isin(better, indices[:k])]
        if k and len(better):
            assert (cdist(POOL[better], POOL[indices[:k]]).min(axis=1) < spacing * 2.0).all()
    none, _ = spaced_max_std(learner, POOL, 6, spacing=0)
    np.testing.assert_array_equal(none, max_std(learner, POOL, 6)[0])
    everyone, _ = spaced_max_std(learner, POOL, 40, spacing=100)  # relaxed until all fit
    assert sorted(everyone) == list(range(40))


def test_spacing_needs_one_length():
    gp = SklearnGPR(ConstantKernel(), optimizer=None).fit(TRAIN, Y[:10])
    with pytest.raises(ValueError, match="0 lengths"):
        spaced_max_std(ActiveLearner(gp), POOL, 2)
    gp = SklearnGPR(1.0 * RBF(3.0), optimizer=None).fit(TRAIN, Y[:10])
    assert len(spaced_max_std(ActiveLearner(gp), POOL, 2)[0]) == 2
    with pytest.raises(ValueError, match="spacing"):
        spaced_max_std(ActiveLearner(gp), POOL, 2, spacing=-1)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_spacing_does_not_depend_on_the_unit_of_the_features(scale):
    chosen = []
    for unit in (1.0, scale):
        gp = GaussianProcessRegressor(Laplacian(1.5, 2.0 * unit), optimizer=None, alpha=1e-3)
        gp.fit(TRAIN * unit, Y[:10])
        chosen.append(spaced_max_std(ActiveLearner(gp), POOL * unit, 12, spacing=0.6)[0].tolist())
    assert chosen[0] == chosen[1]


def test_with_noise_by_label_a_new_label_has_their_mean():
    alpha = np.linspace(0.0, 0.2, 10)
    gp = GaussianProcessRegressor(Laplacian(1.5, 2.0), optimizer=None, alpha=alpha)
    posterior = PoolPosterior(gp.fit(TRAIN, Y[:10]), POOL)
    variance = posterior.std[3] ** 2
    posterior.condition_on(3)
    assert posterior.std[3] ** 2 == pytest.approx(variance - variance**2 / (variance + 0.1))


def test_cost_weighted(learner):
    cost = 1.0 + np.arange(len(POOL)) % 7
    indices, scores = cost_weighted(max_std, lambda pool: cost)(learner, POOL, 5)
    expected = learner.predict(POOL, return_std=True)[1] / cost
    np.testing.assert_array_equal(indices, np.argsort(-expected)[:5])
    np.testing.assert_allclose(scores, expected[indices])
    for bad in (lambda pool: cost[:3], lambda pool: -cost, lambda pool: cost * np.nan):
        with pytest.raises(ValueError, match="40 positive numbers"):
            cost_weighted(max_std, bad)(learner, POOL, 5)


@pytest.mark.parametrize(
    "strategy",
    [
        recommended,
        max_std,
        greedy_max_std,
        spaced_max_std,
        integrated_variance,
        partial(integrated_variance, X_target=TARGET),
        greedy_k_center,
        random_sampling,
        cost_weighted(max_std, lambda pool: np.ones(len(pool))),
        *AIMS,
        *(cost_weighted(aim, lambda pool: 1.0 + np.arange(len(pool))) for aim in AIMS),
    ],
)
def test_every_strategy_in_a_modal_loop_with_a_pipeline(strategy):
    pipeline = make_pipeline(StandardScaler(), GaussianProcessRegressor(optimizer=None))
    learner = ActiveLearner(pipeline, strategy, X_training=TRAIN, y_training=Y[:10])
    left = np.arange(10, 50)
    for n_instances in (1, 2, 5):
        indices, rows = learner.query(X[left], n_instances=n_instances)
        assert len(set(indices.tolist())) == n_instances
        learner.teach(rows, Y[left[indices]])
        left = np.delete(left, indices)
    assert len(learner.estimator[-1].X_train_) == 18
    with pytest.raises(ValueError, match="pool is empty"):
        learner.query(X[:0])
    with pytest.raises(ValueError, match="got 99"):
        learner.query(X[left], n_instances=99)


def test_a_model_without_covariance_is_refused():
    learner = ActiveLearner(DummyRegressor(), X_training=TRAIN, y_training=Y[:10])
    committee = CommitteeRegressor([ActiveLearner(DummyRegressor())])
    for strategy in (greedy_max_std, integrated_variance, spaced_max_std):
        with pytest.raises(TypeError, match="got DummyRegressor"):
            strategy(learner, POOL)
        with pytest.raises(TypeError, match="got CommitteeRegressor"):
            strategy(committee, POOL)
    two = GaussianProcessRegressor().fit(TRAIN, np.c_[Y[:10], Y[:10]])
    with pytest.raises(ValueError, match="one target"):
        integrated_variance(ActiveLearner(two), POOL)


def test_conditioning_a_posterior():
    gp = GaussianProcessRegressor(**OPTIONS | {"normalize_y": False}).fit(TRAIN, Y[:10])
    posterior = PoolPosterior(gp, POOL)
    covariance = SklearnGPR(**OPTIONS | {"normalize_y": False}).fit(TRAIN, Y[:10])
    covariance = covariance.predict(POOL, return_cov=True)[1]
    np.testing.assert_allclose(posterior.covariance([3, 5], [1, 2]), covariance[[3, 5]][:, [1, 2]])
    for index in (4, 17):
        posterior.condition_on(index, y=Y[10 + index])
    taught = SklearnGPR(**OPTIONS | {"normalize_y": False})
    taught.fit(np.vstack([TRAIN, POOL[[4, 17]]]), Y[[*range(10), 14, 27]])
    mean, std = taught.predict(POOL, return_std=True)
    np.testing.assert_allclose(posterior.mean, mean, atol=1e-10)
    np.testing.assert_allclose(posterior.std, std, atol=1e-8)
    assert len(gp.X_train_) == 10
    with pytest.raises(ValueError, match="make a new one"):
        posterior.update()


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("max_bytes", [2**31, 100])
def test_conditioning_on_labels_is_partial_fit(normalize_y, max_bytes):
    """Where labels are normalised each one moves their mean and scale as well."""
    options = OPTIONS | {"normalize_y": normalize_y}
    gp = GaussianProcessRegressor(**options).fit(TRAIN, 50 + Y[:10])
    posterior = PoolPosterior(gp, POOL, max_bytes)
    taught = GaussianProcessRegressor(**options).fit(TRAIN, 50 + Y[:10])
    for index in (4, 17, 30):
        posterior.condition_on(index, y=50 + Y[10 + index])
        taught.partial_fit(POOL[[index]], 50 + Y[[10 + index]])
        mean, std = taught.predict(POOL, return_std=True)
        np.testing.assert_allclose(posterior.mean, mean, atol=1e-9)
        np.testing.assert_allclose(posterior.std, std, atol=1e-7)


class CountingScaler(StandardScaler):
    n_rows = 0

    def transform(self, X, copy=None):
        type(self).n_rows += len(X)
        return super().transform(X, copy)


@pytest.mark.parametrize(
    "strategy",
    [recommended, max_std, greedy_max_std, spaced_max_std, integrated_variance, *AIMS],
)
@pytest.mark.parametrize("wrap", [lambda gp: gp, CalibratedRegressor])
def test_a_pool_is_featurized_once_for_each_query(strategy, wrap, monkeypatch):
    model = make_pipeline(CountingScaler(), wrap(GaussianProcessRegressor(**OPTIONS)))
    learner = ActiveLearner(model, strategy, X_training=X[:15], y_training=Y[:15])
    for n_instances in (1, 3):
        monkeypatch.setattr(CountingScaler, "n_rows", 0)
        learner.query(X[15:], n_instances=n_instances)
        assert CountingScaler.n_rows == 55


class WithAParameter(SklearnGPR):
    def __init__(
        self, kernel=None, *, alpha=1e-10, optimizer=None, normalize_y=False, colour="red"
    ):
        super().__init__(kernel, alpha=alpha, optimizer=optimizer, normalize_y=normalize_y)
        self.colour = colour


@pytest.mark.parametrize("cls", [SklearnGPR, WithAParameter])
def test_as_process_predicts_the_same(cls):
    theirs = cls(**OPTIONS).fit(TRAIN, 100 + 5 * Y[:10])
    ours = as_process(theirs)
    for found, expected in zip(
        ours.predict(POOL, return_std=True), theirs.predict(POOL, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-10)
    assert as_process(ours) is ours
    posterior = PoolPosterior(theirs, POOL)
    np.testing.assert_allclose(posterior.std, ours.predict(POOL, return_std=True)[1], atol=1e-10)


@pytest.mark.parametrize("normalize_y", [False, True])
def test_streamed_posterior_is_the_held_one(normalize_y):
    """What does not fit is worked out anew, with the same results at every step."""
    options = OPTIONS | {"normalize_y": normalize_y}
    processes = [GaussianProcessRegressor(**options).fit(TRAIN, Y[:10]) for _ in range(2)]
    held = PoolPosterior(processes[0], POOL)
    streamed = PoolPosterior(processes[1], POOL, max_bytes=100)
    assert (held.streamed, streamed.streamed) == (False, True)

    def compare():
        np.testing.assert_allclose(streamed.mean, held.mean, atol=1e-10)
        np.testing.assert_allclose(streamed.std, held.std, atol=1e-7)
        rows = slice(3, 7)
        np.testing.assert_allclose(streamed.covariance(rows), held.covariance(rows), atol=1e-10)
        gain = [p.variance_reduction(slice(None), rows) for p in (streamed, held)]
        np.testing.assert_allclose(*gain, rtol=1e-6)

    compare()
    for rows in ([4], [20, 21, 7]):
        for process in processes:
            process.partial_fit(POOL[rows], Y[10:][rows])
        held.update()
        streamed.update()
        compare()
    for posterior in (held, streamed):
        posterior.keep(np.arange(5, 40))
        posterior.condition_on(2, y=0.5)
    compare()


@pytest.mark.parametrize("make", [GaussianProcessRegressor, SklearnGPR])
@pytest.mark.parametrize("wrap", [lambda gp: gp, lambda gp: make_pipeline(StandardScaler(), gp)])
def test_default_is_integrated_variance_of_a_process(make, wrap):
    learner = ActiveLearner(wrap(make(**OPTIONS)), X_training=TRAIN, y_training=Y[:10])
    index, _, gain = learner.query(POOL, n_instances=2, return_metrics=True)
    expected, expected_gain = integrated_variance(learner, POOL, 2)
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_allclose(gain, expected_gain)


def test_default_is_max_std_of_anything_else():
    members = [
        ModALActiveLearner(
            SklearnGPR(RBF(length), optimizer=None), X_training=TRAIN, y_training=Y[:10]
        )
        for length in (0.5, 2.0)
    ]
    forest = ActiveLearner(
        ExtraTreesRegressor(9, random_state=0), X_training=TRAIN, y_training=Y[:10]
    )
    for learner in (forest, CommitteeRegressor(members)):
        for found, expected in zip(recommended(learner, POOL), max_std(learner, POOL), strict=True):
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="empty"):
        recommended(forest, POOL[:0])


def test_default_on_a_pool_too_large_to_hold(monkeypatch):
    learner = ActiveLearner(
        GaussianProcessRegressor(**OPTIONS), X_training=TRAIN, y_training=Y[:10]
    )
    monkeypatch.setattr(variance, "MAX_BYTES", 8 * 40 * 49)
    monkeypatch.setattr(variance, "N_TARGETS", 14)
    found = recommended(learner, POOL, 2)
    expected = integrated_variance(learner, POOL, 2, X_target=POOL[::3])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
