import gc
import weakref
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modAL.models import ActiveLearner as ModALActiveLearner
from modAL.models import CommitteeRegressor
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, DotProduct, Matern, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, GaussianProcessRegressor
from skcfgp.gaussian_process import PoolPosterior
from skcfgp.kernels import Laplacian
from skcfgp.models.cfgp import block_kernel
from skcfgp.query import max_std, random_sampling, uncertainty
from skcfgp.query.common import rows_left


def data(n=80, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, np.sin(X).sum(axis=1)


def learner_of(estimator, X, y, cls=ActiveLearner):
    return cls(estimator, query_strategy=max_std, X_training=X, y_training=y)


def ours(kernel=None, **options):
    return GaussianProcessRegressor(kernel or Laplacian(), optimizer=None, **options)


def plain(kernel=None, **options):
    return SklearnGPR(kernel or Laplacian(), optimizer=None, **options)


lengths = st.floats(0.3, 30.0)
kernels = st.one_of(
    st.builds(Laplacian, st.floats(0.1, 10.0), lengths),
    st.builds(
        lambda length, noise: Laplacian(1.0, length) + WhiteKernel(noise),
        lengths,
        st.floats(1e-3, 1.0),
    ),
    st.builds(lambda length: 2.0 * RBF(length), lengths),
    st.builds(lambda length: Matern(length, nu=1.5) + DotProduct(), lengths),
    st.just(block_kernel(1)),
)


@pytest.mark.filterwarnings("ignore:.* equal to others")  # doubled rows, by design
@given(
    n_first=st.integers(1, 20),
    picks=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    doubled=st.booleans(),
    normalize_y=st.booleans(),
)
def test_kept_posterior_equals_predicting_afresh(n_first, picks, doubled, normalize_y):
    """Queries between teachings choose what scikit-learn's std chooses, over pools that shrink."""
    X, y = data(70, seed=n_first)
    if doubled:
        X[40:] = X[10:40]
    left = np.arange(n_first, 70)
    fast = learner_of(ours(alpha=1e-4, normalize_y=normalize_y), X[:n_first], y[:n_first])
    for n_instances in picks:
        indices, std = max_std(fast, X[left], n_instances)
        slow = plain(alpha=1e-4, normalize_y=normalize_y).fit(fast.X_training, fast.y_training)
        expected = slow.predict(X[left], return_std=True)[1]
        np.testing.assert_allclose(std, expected[indices], atol=1e-8)
        np.testing.assert_allclose(std, np.sort(expected)[::-1][:n_instances], atol=1e-8)
        fast.teach(X[left[indices]], y[left[indices]])
        left = np.delete(left, indices)


OPERATIONS = ["query", "teach", "partial_fit", "append", "refit", "return", "shuffle"]


@pytest.mark.filterwarnings("ignore:the standard deviations of all")  # short lengths, by design
@given(
    cls=st.sampled_from([ActiveLearner, ModALActiveLearner]),
    operations=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.integers(1, 4)), min_size=1, max_size=12
    ),
    kernel=kernels,
    n_first=st.integers(1, 20),
    doubled=st.booleans(),
    normalize_y=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_order_of_query_teach_partial_fit_and_fit(
    cls, operations, kernel, n_first, doubled, normalize_y, seed
):
    """After each step the process and its choice are those of scikit-learn, fitted afresh."""
    X, y = data(80, seed=seed)
    if doubled:
        X[40:] = X[:40]
    rng = np.random.default_rng(seed)
    options = {"kernel": kernel, "alpha": 1e-3, "normalize_y": normalize_y}
    gp = ours(warm_start=True, **options)
    learner = learner_of(gp, X[:n_first], y[:n_first], cls)
    labelled, left = np.arange(n_first), np.arange(n_first, 80)
    for operation, k in operations:
        new = rng.choice(left, k, replace=False)
        if operation == "teach":
            new = left[max_std(learner, X[left], k)[0]]
            learner.X_training, learner.y_training = X[labelled], y[labelled]
            learner.teach(X[new], y[new])
        elif operation == "partial_fit":
            gp.partial_fit(X[new], y[new])
        elif operation == "append":
            rows = np.concatenate([labelled, new])
            gp.fit(X[rows], y[rows])
        else:
            new = new[:0]
        if operation == "refit":
            labelled = rng.permutation(labelled)
            gp.fit(X[labelled], y[labelled])
        labelled = np.concatenate([labelled, new])
        left = np.setdiff1d(left, new, assume_unique=True)
        if operation == "return":  # labelled points are in the pool again
            left = np.union1d(left, labelled[:k])
        if operation == "shuffle":
            left = rng.permutation(left)
        naive = plain(**options).fit(X[labelled], y[labelled])
        mean, std = naive.predict(X[left], return_std=True)
        tolerance = {"rtol": 1e-6, "atol": 1e-8}
        np.testing.assert_allclose(gp.predict(X[left]), mean, **tolerance)
        np.testing.assert_allclose(gp.predict(X[left], return_std=True)[1], std, **tolerance)
        assert gp.log_marginal_likelihood_value_ == pytest.approx(
            naive.log_marginal_likelihood_value_, rel=1e-8, abs=1e-6
        )
        indices, found = max_std(learner, X[left], k)
        np.testing.assert_allclose(found, std[indices], **tolerance)
        np.testing.assert_allclose(found, np.sort(std)[::-1][:k], **tolerance)


def test_posterior_is_kept_for_what_is_left_of_the_pool(monkeypatch):
    built = []
    monkeypatch.setattr(
        uncertainty, "PoolPosterior", lambda *args: built.append(1) or PoolPosterior(*args)
    )
    X, y = data()
    learner = learner_of(ours(), X[:10], y[:10])
    left = np.arange(10, 80)
    for n_instances in (1, 1, 40, 3):
        index, x = learner.query(X[left], n_instances=n_instances)
        learner.teach(x, y[left[index]])
        left = np.delete(left, index)
    assert len(built) == 1
    learner.query(X[left][::-1])  # another order is another pool
    assert len(built) == 2
    learner.fit(learner.X_training, learner.y_training)
    learner.query(X[left][::-1])  # fitted anew
    assert len(built) == 3


def test_rows_left():
    old = np.arange(12.0)[:, None]
    for removed in ([], [0], [11], [3], [0, 1, 5, 11], [4, 5]):
        new = np.delete(old, removed, axis=0)
        found = rows_left(old, new)
        np.testing.assert_array_equal(found, np.delete(np.arange(12), removed))
    assert rows_left(old, old[::-1]) is None
    assert rows_left(old, np.vstack([old, [[12.0]]])) is None
    assert rows_left(old, np.delete(old, 3, axis=0) + 0.5) is None
    assert rows_left(old, np.vstack([old[1:5], old[6:], [[99.0]]])) is None


@given(
    old=st.lists(st.integers(0, 2), min_size=1, max_size=20),
    new=st.lists(st.integers(0, 2), max_size=20),
    kept=st.sets(st.integers(0, 19)),
)
def test_rows_left_finds_what_is_left_and_nothing_else(old, new, kept):
    """Also among equal rows; `new` is any rows, or some of `old`."""
    old = np.array(old, dtype=float)[:, None]
    for rows in (np.array(new, dtype=float)[:, None], old[sorted(k for k in kept if k < len(old))]):
        rest = iter(old[:, 0])
        is_left = all(any(value == other for other in rest) for value in rows[:, 0])
        found = rows_left(old, rows)
        assert (found is not None) == is_left
        if is_left:
            assert (np.diff(found) > 0).all()
            np.testing.assert_array_equal(old[found], rows)


@pytest.mark.parametrize("cls", [ActiveLearner, ModALActiveLearner])
def test_what_is_kept_goes_with_the_learner(cls, monkeypatch):
    """At once, since the matrices are large: no cycle waits for the garbage collector."""
    built = []

    def make(*args):
        posterior = PoolPosterior(*args)
        built.append(weakref.ref(posterior))
        return posterior

    monkeypatch.setattr(uncertainty, "PoolPosterior", make)
    X, y = data()
    gp = ours()
    before = set(vars(gp.fit(X[:10], y[:10])))
    learner = learner_of(gp, X[:10], y[:10], cls)
    learner.query(X[10:])
    assert set(vars(gp)) == before  # nothing is hung on the user's estimator
    gc.disable()
    try:
        assert built[0]() is not None
        del learner
        assert built[0]() is None
        max_std(gp, X[10:])  # a process is no learner: nothing is kept
        assert built[1]() is None
    finally:
        gc.enable()


def test_pool_posterior_follows_and_says_when_it_cannot():
    X, y = data()
    gp = ours(normalize_y=True).fit(X[:20], 3 * y[:20] + 5)
    posterior = PoolPosterior(gp, X[40:])
    gp.partial_fit(X[20:23], y[20:23]).partial_fit(X[23:40], y[23:40])
    posterior.update()
    mean, std = gp.predict(X[40:], return_std=True)
    np.testing.assert_allclose(posterior.mean, mean, atol=1e-10)
    np.testing.assert_allclose(posterior.std, std, atol=1e-8)
    gp.partial_fit(X[:1], 3 * y[:1] + 5)  # not taken in yet
    np.testing.assert_allclose(posterior.std, std, rtol=0.1)
    assert posterior.mean.shape == mean.shape
    gp.fit(X[:20], y[:20])
    assert not posterior.is_current()
    with pytest.raises(ValueError, match="fitted anew"):
        posterior.update()


def test_a_pickled_learner_leaves_the_posterior_behind():
    import pickle

    X, y = data()
    learner = learner_of(ours(), X[:10], y[:10])
    before = len(pickle.dumps(learner))
    learner.query(X[10:])
    assert len(pickle.dumps(learner)) == before


@pytest.mark.parametrize("cls", [ActiveLearner, ModALActiveLearner])
@pytest.mark.parametrize("make", [ours, plain])
def test_works_on_modals_and_scikit_learns_own(cls, make):
    X, y = data()
    learner = learner_of(make(), X[:10], y[:10], cls)
    expected = plain().fit(X[:10], y[:10]).predict(X[10:], return_std=True)[1]
    for n_instances in (1, 2, 5):
        indices, rows = learner.query(X[10:], n_instances=n_instances)
        np.testing.assert_array_equal(indices, np.argsort(-expected, kind="stable")[:n_instances])
        np.testing.assert_array_equal(rows, X[10:][indices])


@pytest.mark.parametrize("on_transformed", [False, True])
@pytest.mark.parametrize("make", [ours, plain])
def test_works_on_a_pipeline(make, on_transformed):
    X, y = data()
    pipeline = make_pipeline(StandardScaler(), make())
    learner = ActiveLearner(
        pipeline, max_std, X_training=X[:10], y_training=y[:10], on_transformed=on_transformed
    )
    index, _ = learner.query(X[10:])
    assert index[0] == np.argmax(pipeline.predict(X[10:], return_std=True)[1])


def test_works_on_a_committee():
    X, y = data()
    members = [learner_of(plain(), X[k : k + 10], y[k : k + 10]) for k in (0, 10)]
    committee = CommitteeRegressor(members, query_strategy=max_std)
    index, _ = committee.query(X[20:])
    assert index[0] == np.argmax(committee.predict(X[20:], return_std=True)[1])


def test_ties_go_to_the_lowest_index():
    X = np.array([[0.0], [5.0], [-5.0], [5.0], [-5.0]])
    learner = learner_of(ours(), X[:1], np.zeros(1))
    indices, _ = learner.query(X, n_instances=3)
    assert indices.tolist() == [1, 2, 3]


@pytest.mark.parametrize("strategy", [max_std, random_sampling])
def test_pools_that_cannot_be_queried(strategy):
    X, y = data(20)
    learner = ActiveLearner(ours(), strategy, X_training=X[:10], y_training=y[:10])
    with pytest.raises(ValueError, match="pool is empty"):
        learner.query(X[:0])
    for n_instances in (0, 11, 2.0):
        with pytest.raises(ValueError, match=f"10, got {n_instances}"):
            learner.query(X[10:], n_instances=n_instances)


def test_pools_with_rows_that_cannot_be_used():
    X, y = data(20)
    learner = learner_of(ours(), X[:10], y[:10])
    X[15, 0], X[17, 2] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"2 rows .* NaN or infinite .* \[5, 7\]"):
        learner.query(X[10:])
    with pytest.raises(ValueError, match="2 features, but the model was fitted on 3"):
        learner.query(X[10:15, :2])


def test_models_without_one_standard_deviation_a_row():
    X, y = data(20)
    two = learner_of(ours(), X[:10], np.c_[y, y][:10])
    with pytest.raises(ValueError, match=r"shape \(10, 2\). Use a model with one target"):
        two.query(X[10:])

    class Broken(SklearnGPR):
        def predict(self, X, return_std=False):
            return np.zeros(len(X)), np.full(len(X), np.nan)

    with pytest.raises(ValueError, match="standard deviation that is NaN"):
        learner_of(Broken(), X[:10], y[:10]).query(X[10:])


@pytest.mark.parametrize("make", [ours, plain])
def test_before_the_first_label_the_prior_decides(make):
    X, _ = data(20)
    kernel = Laplacian() + DotProduct()
    learner = ActiveLearner(make(kernel), max_std)
    assert learner.query(X)[0][0] == np.argmax(np.square(X).sum(axis=1))


def test_random_sampling():
    X, _ = data(20)
    indices, probability = random_sampling(None, X, 5, random_state=0)
    assert len(set(indices.tolist())) == 5
    np.testing.assert_allclose(probability, 0.25)
    np.testing.assert_array_equal(indices, random_sampling(None, X, 5, random_state=0)[0])
    stream = partial(random_sampling, random_state=np.random.RandomState(0))
    assert stream(None, X, 5)[0].tolist() != stream(None, X, 5)[0].tolist()


def test_random_sampling_leaves_the_global_state_of_numpy_alone():
    X, _ = data(20)
    np.random.seed(0)  # noqa: NPY002  the state that must stay
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    draws = {tuple(random_sampling(None, X, 10)[0].tolist()) for _ in range(5)}
    assert len(draws) == 5
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    assert tuple(random_sampling(None, X, 10)[0].tolist()) not in draws


def test_warning_where_all_standard_deviations_are_nearly_equal():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    blind = GaussianProcessRegressor(Laplacian(1.0, 1e-3), optimizer=None).fit(X, y)
    with pytest.warns(UserWarning, match=r"all 30 crystals .* between 1 and 1: .*scale"):
        max_std(ActiveLearner(blind), rng.normal(size=(30, 3)))
    sees = GaussianProcessRegressor(Laplacian(1.0, 1.0), optimizer=None).fit(X, y)
    max_std(ActiveLearner(sees), rng.normal(size=(30, 3)))
