import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modAL.models import ActiveLearner as ModALActiveLearner
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, GaussianProcessRegressor
from skcfgp.gaussian_process.greedy import first_of_largest, largest_first
from skcfgp.gaussian_process.shortlist import shortlist_picks
from skcfgp.gaussian_process.succession import greedy_picks
from skcfgp.kernels import Laplacian
from skcfgp.query import greedy_max_std, max_std, plan

KERNELS = [
    Laplacian(1.2, 2.0),
    Laplacian() + WhiteKernel(0.05),
    Laplacian(1.0, 1e-3),
    1.0 * RBF(2.0),
]


def data(n, seed=0, doubled=0):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    X[n - doubled :] = X[:doubled]
    return X, np.sin(X).sum(axis=1)


def rounds(gp, X, y, n):
    """Query and teach, n times: the definition."""
    learner = ActiveLearner(gp, max_std)
    learner.X_training, learner.y_training = gp.X_train_, gp.y_train_
    learner.selected = np.zeros(len(gp.X_train_), dtype=bool)
    left, indices, std = np.arange(len(X)), [], []
    for _ in range(n):
        index, x, score = learner.query(X[left], return_metrics=True)
        learner.teach(x, y[left[index]])
        indices.append(left[index[0]])
        std.append(score[0])
        left = np.delete(left, index)
    return indices, std


@pytest.mark.filterwarnings("ignore:the standard deviations of all")  # of a length of 1e-3
@pytest.mark.filterwarnings("ignore:.* rows of X are equal to others")  # and labels may differ
@given(
    n_train=st.integers(1, 20),
    n_pool=st.integers(1, 90),
    share=st.floats(0.05, 1.0),
    kernel=st.sampled_from(KERNELS),
    alpha=st.sampled_from([1e-6, 1e-2]),
    doubled=st.booleans(),
    normalize_y=st.booleans(),
)
def test_plan_equals_rounds_of_query_and_teach(
    n_train, n_pool, share, kernel, alpha, doubled, normalize_y
):
    """Law 3, with doubled points and with a kernel under which all points tie."""
    n = max(1, int(share * n_pool))
    X, y = data(n_train + n_pool, seed=n_pool, doubled=n_pool // 2 if doubled else 0)
    gp = GaussianProcessRegressor(kernel, alpha=alpha, normalize_y=normalize_y, optimizer=None)
    gp.fit(X[:n_train], y[:n_train])
    indices, std = plan(gp, X[n_train:], n)
    expected, expected_std = rounds(gp, X[n_train:], y[n_train:], n)
    assert indices.tolist() == expected
    if not normalize_y:  # else the unit moves with each label
        np.testing.assert_allclose(std, expected_std, rtol=1e-6, atol=1e-7)


@given(
    values=st.lists(st.sampled_from([0.0, 1e-12, 1.0, 1 + 6e-9, 1 + 1.2e-8, 2.0, 7.0]), min_size=1),
    share=st.floats(0.01, 1.0),
)
def test_largest_first_is_the_first_of_largest_again_and_again(values, share):
    """Also where a value ties with the next larger one, and that with another."""
    variance, expected = np.array(values), []
    n = max(1, int(share * len(values)))
    for _ in range(n):
        left = np.where(np.isin(np.arange(len(values)), expected), -np.inf, variance)
        expected.append(first_of_largest(left))
    assert largest_first(variance, n).tolist() == expected


@pytest.mark.parametrize("n_listed", [1, 3, 64])
def test_blocks_make_no_difference(n_listed):
    X, y = data(150)
    gp = GaussianProcessRegressor(optimizer=None).fit(X[:20], y[:20])
    reference = list(greedy_picks(gp, X[20:], 130))
    found = list(greedy_picks(gp, X[20:], 130, n_listed=n_listed))
    assert [i for i, _ in found] == [i for i, _ in reference]
    np.testing.assert_allclose([v for _, v in found], [v for _, v in reference], atol=1e-10)


def test_ties_go_to_the_lowest_index():
    X = np.array([[0.0], [5e3], [1e4], [5e3 + 1e-9], [1.5e4]])  # all but the first are far away
    gp = GaussianProcessRegressor(alpha=1e-6, optimizer=None).fit(X[:1], [0.0])
    assert plan(gp, X, 3)[0].tolist() == [1, 2, 4]
    assert [index for index, _ in shortlist_picks(gp, [X], 3, size=1)] == [1, 2, 4]


@given(
    n_pool=st.integers(1, 120),
    size=st.integers(1, 40),
    kernel=st.sampled_from(KERNELS),
    doubled=st.booleans(),
    normalize_y=st.booleans(),
)
def test_shortlist_makes_no_difference(n_pool, size, kernel, doubled, normalize_y):
    """However short the list is at first, and whichever points tie."""
    X, y = data(12 + n_pool, seed=n_pool, doubled=n_pool // 2 if doubled else 0)
    gp = GaussianProcessRegressor(kernel, alpha=1e-3, normalize_y=normalize_y, optimizer=None)
    gp.fit(X[:12], y[:12])
    n = max(1, n_pool // 2)
    expected = list(greedy_picks(gp, X[12:], n))
    found = list(shortlist_picks(gp, [X[12:]], n, size=size))
    assert [index for index, _ in found] == [index for index, _ in expected]
    np.testing.assert_allclose(
        [variance for _, variance in found],
        [variance for _, variance in expected],
        rtol=1e-6,
        atol=1e-9,
    )


def test_plan_within_its_memory():
    X, y = data(600)
    gp = GaussianProcessRegressor(alpha=1e-4, optimizer=None).fit(X[:20], y[:20])
    expected = [index for index, _ in greedy_picks(gp, X[20:], 40)]
    assert plan(gp, X[20:], 40)[0].tolist() == expected
    assert plan(gp, X[20:], 40, max_bytes=8 * 580 * 60)[0].tolist() == expected
    with pytest.raises(MemoryError, match="Ask for fewer points"):
        plan(gp, X[20:], 400, max_bytes=8 * 580 * 60)


def test_plan_needs_no_label_and_leaves_the_process_alone():
    X, y = data(60)
    first = GaussianProcessRegressor(optimizer=None).fit(X[:10], y[:10])
    other = GaussianProcessRegressor(optimizer=None).fit(X[:10], -7 * y[:10] + 3)
    np.testing.assert_array_equal(plan(first, X[10:], 20)[0], plan(other, X[10:], 20)[0])
    assert len(first.X_train_) == 10


@pytest.mark.parametrize("kernel", KERNELS[:2])
def test_plan_of_scikit_learns_own_process(kernel):
    X, y = data(60)
    options = {"kernel": kernel, "alpha": 1e-3, "optimizer": None, "normalize_y": True}
    ours = GaussianProcessRegressor(**options).fit(X[:20], y[:20])
    theirs = SklearnGPR(**options).fit(X[:20], y[:20])
    for found, expected in zip(plan(theirs, X[20:], 30), plan(ours, X[20:], 30), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("cls", [ActiveLearner, ModALActiveLearner])
@pytest.mark.parametrize("make", [GaussianProcessRegressor, SklearnGPR])
def test_greedy_batch_is_what_single_queries_would_choose(cls, make):
    X, y = data(60)
    gp = make(Laplacian(), alpha=1e-6, optimizer=None)
    learner = cls(gp, query_strategy=greedy_max_std, X_training=X[:10], y_training=y[:10])
    indices, batch, std = learner.query(X[10:], n_instances=8, return_metrics=True)
    ours = GaussianProcessRegressor(Laplacian(), alpha=1e-6, optimizer=None).fit(X[:10], y[:10])
    expected, expected_std = rounds(ours, X[10:], y[10:], 8)
    assert indices.tolist() == expected
    np.testing.assert_allclose(std, expected_std, rtol=1e-6)
    np.testing.assert_array_equal(batch, X[10:][indices])


def test_greedy_batch_on_a_pipeline():
    X, y = data(60)
    pipeline = make_pipeline(StandardScaler(), GaussianProcessRegressor(optimizer=None))
    learner = ActiveLearner(pipeline, greedy_max_std, X_training=X[:10], y_training=y[:10])
    indices, _ = learner.query(X[10:], n_instances=5)
    expected = plan(pipeline[-1], pipeline[0].transform(X[10:]), 5)[0]
    np.testing.assert_array_equal(indices, expected)
    for model in (learner, pipeline):
        np.testing.assert_array_equal(plan(model, X[10:], 5)[0], expected)


def test_pools_that_cannot_be_planned():
    X, y = data(20)
    gp = GaussianProcessRegressor(optimizer=None).fit(X[:10], y[:10])
    with pytest.raises(ValueError, match="pool is empty"):
        plan(gp, X[:0], 1)
    with pytest.raises(ValueError, match="10, got 11"):
        plan(gp, X[10:], 11)
    with pytest.raises(ValueError, match="NaN"):
        plan(gp, np.where(X[10:] > 1, np.nan, X[10:]), 2)
