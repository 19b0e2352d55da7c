"""The gain in mean variance that is kept between queries, against working it out afresh."""

import pickle
from functools import partial
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modAL.models import ActiveLearner as ModALActiveLearner
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from skcfgp import ActiveLearner, GaussianProcessRegressor, simulate
from skcfgp.gaussian_process import PoolPosterior, as_process, greedy
from skcfgp.gaussian_process.greedy import IntegratedVariance, first_of_largest
from skcfgp.kernels import Laplacian
from skcfgp.models.cfgp import block_kernel
from skcfgp.query import integrated_variance, variance

KERNELS = [
    Laplacian(1.2, 2.0),
    Laplacian() + WhiteKernel(0.05),
    Laplacian(1.0, 1e-3),
    1.0 * RBF(2.0),
    block_kernel(2),
]


def data(n=90, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 4))
    return X, np.sin(X).sum(axis=1)


def afresh(options, X, y, pool, n_instances, target=None):
    """Choose by scikit-learn's own process, fitted to everything, and each point in turn."""
    gp = as_process(SklearnGPR(**options).fit(X, y))
    points = pool if target is None else np.vstack([pool, target])
    targets = slice(None) if target is None else slice(len(pool), None)
    posterior, indices, gains = PoolPosterior(gp, points), [], []
    for _ in range(n_instances):
        gain = posterior.variance_reduction(slice(len(pool)), targets)
        gain[indices] = -np.inf
        indices.append(first_of_largest(gain))
        gains.append(gain[indices[-1]])
        posterior.condition_on(indices[-1])
    return np.array(indices), np.array(gains)


@given(
    kernel=st.sampled_from(KERNELS),
    cls=st.sampled_from([ActiveLearner, ModALActiveLearner]),
    n_first=st.integers(1, 20),
    steps=st.lists(
        st.tuples(st.sampled_from(["teach", "foreign", "stay", "other pool"]), st.integers(1, 4)),
        min_size=1,
        max_size=15,
    ),
    to_target=st.booleans(),
    doubled=st.booleans(),
    normalize_y=st.booleans(),
    block=st.sampled_from([1, 3, 64]),
)
def test_kept_choice_is_the_one_worked_out_afresh(
    kernel, cls, n_first, steps, to_target, doubled, normalize_y, block
):
    """Through labels of the pool and others, pools that shrink or change, and batches."""
    X, y = data(seed=n_first)
    if doubled:
        X[45:75] = X[15:45]
    options = {"kernel": kernel, "alpha": 1e-3, "normalize_y": normalize_y, "optimizer": None}
    # modAL's own learner fits anew each time; then the process must recognise the rows.
    gp = GaussianProcessRegressor(**options, warm_start=cls is ModALActiveLearner)
    learner = cls(gp, integrated_variance, X_training=X[:n_first], y_training=y[:n_first])
    left, foreign = np.arange(n_first, 75), np.arange(80, 90)
    target = X[75:80] if to_target else None
    with mock.patch.object(greedy, "BLOCK", block):
        for step, n_instances in steps:
            indices, gain = integrated_variance(learner, X[left], n_instances, X_target=target)
            expected, expected_gain = afresh(
                options, learner.X_training, learner.y_training, X[left], n_instances, target
            )
            assert indices.tolist() == expected.tolist()
            np.testing.assert_allclose(gain, expected_gain, rtol=1e-6)
            chosen = left[indices]
            if step == "foreign":
                chosen, foreign = foreign[:1], foreign[1:]
            learner.teach(X[chosen], y[chosen])
            if step == "teach":
                left = np.delete(left, indices)
            elif step == "other pool":
                left = left[::-1]
            if len(left) < 5 or not len(foreign):
                break


@pytest.mark.parametrize("to_target", [False, True])
def test_it_is_built_once_for_a_whole_loop(monkeypatch, to_target):
    built = []
    monkeypatch.setattr(
        variance, "IntegratedVariance", lambda *args: built.append(1) or IntegratedVariance(*args)
    )
    X, y = data()
    options = {"kernel": Laplacian(), "optimizer": None, "alpha": 1e-4}
    target = X[70:] if to_target else None
    strategy = partial(integrated_variance, X_target=target)
    gp = GaussianProcessRegressor(**options)
    learner = ActiveLearner(gp, strategy, X_training=X[:5], y_training=y[:5])
    left = np.arange(5, 70)
    while len(left) > 1:
        expected = afresh(options, learner.X_training, learner.y_training, X[left], 1, target)[0]
        index, x = learner.query(X[left])
        assert index.tolist() == expected.tolist()
        learner.teach(x, y[left[index]])
        left = np.delete(left, index)
    assert len(built) == 1
    integrated_variance(learner, X[left], X_target=X[:3])  # other targets
    learner.fit(learner.X_training, learner.y_training)
    integrated_variance(learner, X[left], X_target=X[:3])  # fitted anew
    assert len(built) == 3


@pytest.mark.parametrize("to_target", [False, True])
def test_what_does_not_fit_is_not_kept(monkeypatch, to_target):
    X, y = data()
    gp = GaussianProcessRegressor(Laplacian(), alpha=1e-3, optimizer=None)
    learner = ActiveLearner(gp, X_training=X[:10], y_training=y[:10])
    options = {"X_target": X[70:] if to_target else None}
    expected = integrated_variance(learner, X[10:70], 5, **options)
    monkeypatch.setattr(variance, "MAX_BYTES", 100)
    monkeypatch.setattr(variance, "IntegratedVariance", None)  # must not be asked for
    found = integrated_variance(learner, X[10:70], 5, **options)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)


def test_sums_stay_exact_where_they_fall_by_many_orders():
    """With next to no noise, a sum falls to nothing when the twin of its point is labelled."""
    X, y = data(40)
    X[20:] = X[:20]
    gp = GaussianProcessRegressor(Laplacian(), alpha=1e-8, optimizer=None).fit(X[:1], y[:1])
    kept = IntegratedVariance(gp, X)
    for row in range(1, 15):
        gp.partial_fit(X[row : row + 1], y[row : row + 1])
        kept.update()
        expected = PoolPosterior(gp, X).variance_reduction(slice(None), slice(None))
        np.testing.assert_allclose(kept.gains(), expected, rtol=1e-7, atol=1e-12)


def test_a_batch_leaves_no_trace():
    X, y = data()
    gp = GaussianProcessRegressor(Laplacian(), alpha=1e-3, optimizer=None).fit(X[:10], y[:10])
    kept = IntegratedVariance(gp, X[10:])
    before = kept.gains()
    first = kept.choose(20)
    np.testing.assert_array_equal(kept.gains(), before)
    np.testing.assert_array_equal(kept.choose(20), first)
    assert len(set(first[0].tolist())) == 20


@pytest.mark.parametrize("n_calls", [1, 2, 3])
def test_an_interrupted_query_leaves_nothing_half_done(monkeypatch, n_calls):
    X, y = data()
    gp = GaussianProcessRegressor(Laplacian(), alpha=1e-3, optimizer=None)
    learner = ActiveLearner(gp, integrated_variance, X_training=X[:10], y_training=y[:10])
    learner.query(X[10:])
    learner.teach(X[10:14], y[10:14])
    calls, kernel = [], Laplacian.__call__

    def interrupted(self, *args, **options):
        calls.append(1)
        if len(calls) == n_calls:
            raise KeyboardInterrupt
        return kernel(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Laplacian, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            integrated_variance(learner, X[14:], 3)
    found = integrated_variance(learner, X[14:], 3)
    options = {"kernel": Laplacian(), "alpha": 1e-3, "optimizer": None}
    expected = afresh(options, X[:14], y[:14], X[14:], 3)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)


def test_a_pickled_process_leaves_it_behind():
    X, y = data()
    learner = ActiveLearner(GaussianProcessRegressor(optimizer=None), integrated_variance)
    learner.teach(X[:10], y[:10])
    before = len(pickle.dumps(learner.estimator))
    learner.query(X[10:])
    assert len(pickle.dumps(learner.estimator)) == before


@pytest.mark.parametrize("normalize_y", [False, True])
def test_simulation_with_the_test_set_as_target(normalize_y):
    X, y = data()
    options = {"kernel": block_kernel(2), "normalize_y": normalize_y, "optimizer": None}
    gp = GaussianProcessRegressor(**options)
    sets = {"initial": range(10), "pool": range(10, 70), "test": range(70, 90)}
    strategy = partial(integrated_variance, X_target=X[70:])
    table = simulate(gp, X, 5 + y, **sets, query_strategy=strategy, n_cycles=30)
    labelled, left = list(range(10)), list(range(10, 70))
    for cycle in range(1, 31):
        index, _ = afresh(options, X[labelled], 5 + y[labelled], X[left], 1, X[70:])
        assert table.indices[cycle] == (left[index[0]],)
        labelled.append(left.pop(index[0]))
