"""`simulate` against the loop written out."""

from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CalibratedRegressor, GaussianProcessRegressor, MEGNetFeaturizer, simulate
from skcfgp.active_learning import simulation
from skcfgp.features.store import memory
from skcfgp.kernels import Laplacian
from skcfgp.models import ExtraTreesRegressor
from skcfgp.query import (
    greedy_k_center,
    initial_design,
    integrated_variance,
    max_std,
    random_sampling,
    recommended,
    spaced_max_std,
    thompson_sampling,
)


def data(n=80):
    X = np.random.default_rng(0).normal(size=(n, 3))
    return X, np.sin(X).sum(axis=1)


def gp():
    return GaussianProcessRegressor(Laplacian(), optimizer=None)


def test_simulation_is_the_loop_written_out():
    X, y = data()
    table = simulate(
        gp(),
        X,
        y,
        initial=range(10),
        pool=range(10, 60),
        test=range(60, 80),
        n_cycles=8,
        query_strategy=max_std,
    )
    labelled, left = list(range(10)), list(range(10, 60))
    for cycle in range(9):
        model = SklearnGPR(Laplacian(), optimizer=None).fit(X[labelled], y[labelled])
        mean, std = model.predict(X[left], return_std=True)
        row = table.loc[cycle]
        assert row.n_labelled == len(labelled)
        assert row.mae_pool == pytest.approx(np.mean(np.abs(mean - y[left])))
        assert row.mae_test == pytest.approx(np.mean(np.abs(model.predict(X[60:]) - y[60:])))
        assert row.max_std == pytest.approx(std.max())
        if cycle < 8:
            chosen = left.pop(int(np.argmax(std)))
            assert table.loc[cycle + 1].indices == (chosen,)
            labelled.append(chosen)


@pytest.mark.parametrize(
    "estimator",
    [
        SklearnGPR(Laplacian(), optimizer=None),
        make_pipeline(StandardScaler(with_mean=False, with_std=False), gp()),
        make_pipeline(gp()),
    ],
)
def test_simulation_of_other_estimators(estimator):
    X, y = data()
    options = {"initial": range(10), "pool": range(10, 60), "test": range(60, 80), "n_cycles": 5}
    found, expected = simulate(estimator, X, y, **options), simulate(gp(), X, y, **options)
    assert found.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(found.mae_test, expected.mae_test)
    np.testing.assert_allclose(found.mae_pool, expected.mae_pool)


def test_simulation_of_everything_at_random():
    X, y = data(40)
    options = {"initial": [0, 1], "pool": np.arange(40) > 1, "query_strategy": random_sampling}
    cycles = []
    first = simulate(gp(), X, y, **options, random_state=0, on_cycle=cycles.append)
    assert cycles == list(range(1, 39))
    chosen = [i for indices in first.indices for i in indices]
    assert sorted(chosen) == list(range(2, 40))
    assert first.mae_test.isna().all()
    assert np.isnan(first.mae_pool.iloc[-1])
    again = simulate(gp(), X, y, **options, random_state=0)
    other = simulate(gp(), X, y, **options, random_state=1)
    assert first.indices.tolist() == again.indices.tolist() != other.indices.tolist()
    batches = simulate(gp(), X, y, initial=[0, 1], pool=range(2, 40), n_instances=10)
    assert batches.n_labelled.tolist() == [2, 12, 22, 32]


def test_simulation_leaves_its_input_alone():
    X, y = data(40)
    estimator = gp()
    simulate(estimator, X, y, initial=range(5), pool=range(5, 40), n_cycles=2)
    assert not hasattr(estimator, "alpha_")


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"initial": [0, 1], "pool": [1, 2]}, "row 1 is repeated"),
        ({"initial": [0], "pool": [1, 2], "test": [2]}, "row 2 is repeated"),
        ({"initial": [0], "pool": [99]}, "do not exist"),
        ({"initial": [0], "pool": ["a"]}, "row numbers"),
        ({"initial": [1], "pool": []}, "at least one row"),
        ({"initial": [0], "pool": [1, 2], "n_cycles": 3}, "need a pool of 3"),
        ({"initial": [0], "pool": np.arange(30) > 1}, "pool is a mask of 30 rows, but X has 40"),
        ({"initial": [0], "pool": [1, 2], "n_instances": 0}, "n_instances must be .* got 0"),
    ],
)
def test_simulation_of_wrong_sets(sets, message):
    X, y = data(40)
    with pytest.raises(ValueError, match=message):
        simulate(gp(), X, y, **sets)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        simulate(gp(), X, y[:39], initial=[0], pool=[1, 2])


@pytest.mark.parametrize("strategy", [max_std, random_sampling, integrated_variance, recommended])
@pytest.mark.parametrize("test", [None, range(100, 130)])
@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize(("n_listed", "doubled"), [(None, False), (3, False), (5, True)])
def test_simulation_in_one_go_is_the_loop(
    strategy, test, normalize_y, n_listed, doubled, monkeypatch
):
    """Whatever a block is, also with every crystal of the pool twice."""
    X, y = data(130)
    if doubled:
        X[55:100], y[55:100] = X[10:55], y[10:55]
    if n_listed:
        for name in ("Succession", "IntegratedSuccession"):
            listed = partial(getattr(simulation, name), n_listed=n_listed)
            monkeypatch.setattr(simulation, name, listed)
    y = y + 100 * normalize_y
    options = {"initial": range(10), "pool": range(10, 100), "test": test, "random_state": 3}
    options |= {"query_strategy": strategy}
    kernel = Laplacian() + WhiteKernel(0.01)
    gp = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-4, normalize_y=normalize_y)
    fast = simulate(gp, X, y, **options)
    monkeypatch.setattr(simulation, "MAX_BYTES", 0)
    slow = simulate(gp, X, y, **options)
    assert len(fast) == len(slow) == 91
    assert fast.indices.tolist() == slow.indices.tolist()
    for column in ("n_labelled", "mae_test", "mae_pool", "max_std"):
        np.testing.assert_allclose(fast[column], slow[column], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("strategy", [max_std, integrated_variance])
@pytest.mark.parametrize(("n_instances", "retrain_every"), [(1, 1), (1, 3), (3, 4)])
def test_retraining_is_the_loop_written_out(strategy, n_instances, retrain_every):
    """Hyper-parameters anew, on everything that is labelled, once enough labels have come."""
    X, y = data()
    estimator = GaussianProcessRegressor(Laplacian(), alpha=1e-4, normalize_y=True)
    table = simulate(
        estimator,
        X,
        y,
        initial=range(10),
        pool=range(10, 60),
        test=range(60, 80),
        n_cycles=5,
        n_instances=n_instances,
        query_strategy=strategy,
        retrain_every=retrain_every,
    )
    labelled, left, n_since = list(range(10)), list(range(10, 60)), 0
    model = clone(estimator).fit(X[labelled], y[labelled])
    for cycle in range(6):
        mean, std = model.predict(X[left], return_std=True)
        row = table.loc[cycle]
        assert row.mae_pool == pytest.approx(np.mean(np.abs(mean - y[left])))
        assert row.mae_test == pytest.approx(np.mean(np.abs(model.predict(X[60:]) - y[60:])))
        assert row.max_std == pytest.approx(std.max())
        if cycle < 5:
            learner = type("Learner", (), {"estimator": model})
            indices, _ = strategy(learner, X[left], n_instances)
            chosen = [left[index] for index in indices]
            assert table.loc[cycle + 1].indices == tuple(chosen)
            labelled += chosen
            left = [row for row in left if row not in chosen]
            n_since += n_instances
            if n_since >= retrain_every:
                model, n_since = clone(estimator).fit(X[labelled], y[labelled]), 0
            else:
                fixed = clone(estimator).set_params(kernel=model.kernel_, optimizer=None)
                model = fixed.fit(X[labelled], y[labelled])


@pytest.mark.network
def test_retraining_the_network(formation_energy, monkeypatch):
    """Each network sees each crystal once; what it makes of them is what a fit by hand makes."""
    computed = []

    def put(space, vectors, put=memory.put):
        computed.append((space, len(vectors)))
        put(space, vectors)

    memory.clear()
    monkeypatch.setattr(memory, "put", put)
    rows = np.flatnonzero(formation_energy.split == "pool")[:30]
    X, y = formation_energy.structures[rows].copy(), formation_energy.target[rows]
    X[29] = X[15]  # twice in the pool
    model = make_pipeline(
        MEGNetFeaturizer("formation_energy_1800", epochs=1, random_state=0, verbose=0),
        GaussianProcessRegressor(Laplacian(0.5, 2.0), alpha=1e-3, optimizer=None),
    )
    sets = {"initial": range(12), "pool": [*range(12, 22), 29], "test": range(22, 29)}
    options = {"n_cycles": 4, "retrain_every": 2, "query_strategy": max_std}
    table = simulate(model, X, y, **sets, **options)
    expected = []
    labelled, left = list(range(12)), [*range(12, 22), 29]
    for cycle in range(5):
        if cycle % 2 == 0:
            fitted = clone(model).fit(X[labelled], y[labelled])
        expected.append(np.abs(fitted.predict(X[22:29]) - y[22:29]).mean())
        if cycle < 4:
            std = fitted.predict(X[left], return_std=True)[1]
            labelled.append(left.pop(int(np.argmax(std))))
            assert table.indices[cycle + 1] == (labelled[-1],)
            fitted[-1].partial_fit(fitted[:-1].transform(X[labelled[-1:]]), y[labelled[-1:]])
    np.testing.assert_allclose(table.mae_test, expected, rtol=1e-4)
    networks = {network for network, _ in computed}
    assert len(networks) == 3
    for network in networks:
        assert sum(n for of, n in computed if of == network) == 29


@pytest.mark.parametrize("value", [0, -1, 2.5, "2"])
def test_retraining_at_no_time(value):
    X, y = data(40)
    with pytest.raises(ValueError, match="retrain_every must be None or an integer of at least 1"):
        simulate(gp(), X, y, initial=[0], pool=[1, 2], retrain_every=value)


class CountingScaler(StandardScaler):
    """Counts the rows that it transforms, by the number of its fit."""

    rows = ()

    def fit(self, X, y=None, sample_weight=None):
        type(self).rows = (*self.rows, 0)
        return super().fit(X, y, sample_weight)

    def transform(self, X, copy=None):
        type(self).rows = (*self.rows[:-1], self.rows[-1] + len(X))
        return super().transform(X, copy)


@pytest.mark.parametrize("strategy", [recommended, spaced_max_std, greedy_k_center])
@pytest.mark.parametrize("retrain_every", [None, 3])
def test_each_row_is_transformed_once_for_each_fit(strategy, retrain_every, monkeypatch):
    X, y = data()
    monkeypatch.setattr(CountingScaler, "rows", ())
    model = make_pipeline(CountingScaler(), gp())
    options = {"initial": range(10), "pool": range(10, 60), "test": range(60, 80), "n_cycles": 6}
    table = simulate(model, X, y, **options, query_strategy=strategy, retrain_every=retrain_every)
    assert len(table) == 7
    fitted_on = [10] if retrain_every is None else [10, 13, 16]
    # those that `fit` is given, and then all
    assert CountingScaler.rows == tuple(n + 80 for n in fitted_on)


def test_simulation_leaves_the_global_state_of_numpy_alone():
    X, y = data(40)
    np.random.seed(0)  # noqa: NPY002  the state that must stay
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    options = {"initial": [0, 1], "pool": range(2, 40), "query_strategy": random_sampling}
    runs = {tuple(simulate(gp(), X, y, **options).indices) for _ in range(3)}
    assert len(runs) == 3
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_default_strategy_is_the_recommended_one():
    X, y = data(40)
    options = {"initial": range(5), "pool": range(5, 40), "n_cycles": 5}
    found = simulate(gp(), X, y, **options).indices.tolist()
    assert found == simulate(gp(), X, y, **options, query_strategy=recommended).indices.tolist()
    assert found != simulate(gp(), X, y, **options, query_strategy=max_std).indices.tolist()


WHITE = Laplacian(1.0, 2.0) + WhiteKernel(1e-2, (1e-6, 1e1))


def searched():
    return GaussianProcessRegressor(WHITE, normalize_y=True, objective="leave_one_out")


@pytest.mark.parametrize("n_instances", [1, 4])
def test_simulation_from_no_label_is_the_loop_written_out(n_instances):
    X, y = data(60)
    test, pool = np.arange(50, 60), np.arange(50)
    table = simulate(
        make_pipeline(StandardScaler(), searched()),
        X,
        y,
        initial=[],
        pool=pool,
        test=test,
        n_cycles=24 // n_instances,
        n_instances=n_instances,
    )
    Z = StandardScaler().fit(X[pool]).transform(X)  # the test set scales nothing
    n_first = {1: 10, 4: 12}[n_instances]
    labelled = initial_design(Z[pool], n_first, estimator=searched())[0].tolist()
    assert sum(table["indices"][: n_first // n_instances + 1], ()) == tuple(labelled)
    gp, n_at_fit = searched().fit(Z[labelled[:10]], y[labelled[:10]]), 10
    if n_instances == 4:
        gp, n_at_fit = searched().fit(Z[labelled[:8]], y[labelled[:8]]), 8
        gp, n_at_fit = searched().fit(Z[labelled], y[labelled]), 12
    for _, row in table.iloc[n_first // n_instances + 1 :].iterrows():
        left = np.setdiff1d(pool, labelled)
        chosen = left[integrated_variance(gp, Z[left], n_instances)[0]]
        assert row["indices"] == tuple(chosen.tolist())
        labelled += chosen.tolist()
        if len(labelled) >= 1.5 * n_at_fit:
            gp, n_at_fit = searched().fit(Z[labelled], y[labelled]), len(labelled)
        else:
            gp.partial_fit(Z[chosen], y[chosen])
        error = np.abs(gp.predict(Z[test]) - y[test]).mean()
        assert row["mae_test"] == pytest.approx(error, rel=1e-6)
    assert table["n_labelled"].tolist() == list(range(0, 25, n_instances))
    assert table["mae_test"].isna().sum() == (2 if n_instances == 1 else 1)


@pytest.mark.parametrize("strategy", [random_sampling, greedy_k_center, max_std, thompson_sampling])
@pytest.mark.parametrize("estimator", [searched(), CalibratedRegressor(searched())])
@pytest.mark.filterwarnings("ignore::skcfgp.calibration.ExchangeabilityWarning")
def test_every_strategy_from_no_label(strategy, estimator):
    X, y = data(40)
    options = {"initial": [], "pool": range(30), "n_cycles": 4, "n_instances": 5}
    table = simulate(estimator, X, y, query_strategy=strategy, random_state=0, **options)
    chosen = sum(table["indices"], ())
    assert len(set(chosen)) == 20
    design = initial_design(X[:30], 10, estimator=estimator)[0].tolist()
    follows = strategy not in (random_sampling, greedy_k_center)
    assert (list(chosen[:10]) == design) == follows
    assert np.isfinite(table["mae_pool"][1:]).all()


def test_a_model_that_does_not_learn_by_row_from_no_label():
    X, y = data(40)
    trees = ExtraTreesRegressor(9, random_state=0)
    table = simulate(trees, X, y, initial=[], pool=range(30), test=range(30, 40), n_cycles=13)
    chosen = sum(table["indices"], ())
    assert list(chosen[:10]) == initial_design(X[:30], 10)[0].tolist()
    error = np.abs(clone(trees).fit(X[list(chosen)], y[list(chosen)]).predict(X[30:]) - y[30:])
    assert table["mae_test"].iloc[-1] == pytest.approx(error.mean())
