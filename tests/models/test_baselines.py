"""Baselines with error bars: the network's own prediction, dropout, ensembles, trees, a dummy."""

import pickle

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy import sparse
from sklearn import dummy, ensemble
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcfgp import MEGNetFeaturizer
from skcfgp.models import DummyRegressor, ExtraTreesRegressor, MEGNetEnsemble, MEGNetRegressor
from skcfgp.network import Architecture, MEGNet, save_network

SHAPE = {"n_blocks": 1, "n1": 16, "n2": 8, "n3": 4}
QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}


@parametrize_with_checks([DummyRegressor(), ExtraTreesRegressor(n_estimators=5)])
def test_scikit_learn_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, X @ [[1.0, 0.0], [2.0, 1.0], [0.0, -1.0]] + rng.normal(size=(60, 2))


@pytest.mark.parametrize("column", [0, slice(None)])
def test_spread_of_trees(table, column):
    """The mean is scikit-learn's; the spread that of the trees, whatever holds X."""
    X, y = table[0], table[1][:, column]
    trees = ExtraTreesRegressor(20, random_state=0).fit(X[:40], y[:40])
    mean, std = trees.predict(X[40:], return_std=True)
    expected = ensemble.ExtraTreesRegressor(20, random_state=0).fit(X[:40], y[:40])
    np.testing.assert_array_equal(mean, expected.predict(X[40:]))
    each = [tree.predict(X[40:]) for tree in expected.estimators_]
    np.testing.assert_allclose(std, np.std(each, axis=0, ddof=1))
    np.testing.assert_allclose(trees.predict(sparse.csr_matrix(X[40:]), return_std=True)[1], std)
    assert trees.predict(X[:40], return_std=True)[1].max() < 1e-12  # no bootstrap, grown to the end


def test_trees_and_data_frames(table):
    """With column names, with a missing value, and never a warning of either."""
    pd = pytest.importorskip("pandas")
    X, y = table
    X[3, 1] = np.nan
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    fitted = [ExtraTreesRegressor(5, random_state=0).fit(data, y) for data in (frame, X)]
    spreads = [
        fit.predict(X_, return_std=True)[1] for fit, X_ in zip(fitted, (frame, X), strict=True)
    ]
    np.testing.assert_array_equal(*spreads)


def test_one_tree_has_no_spread(table):
    trees = ExtraTreesRegressor(1).fit(*table)
    assert trees.predict(table[0]).shape == (60, 2)
    with pytest.raises(ValueError, match="at least 2, got 1"):
        trees.predict(table[0], return_std=True)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"strategy": "median"}, {"strategy": "quantile", "quantile": 0.9},
     {"strategy": "constant", "constant": [0.5, -3.0]}],
)  # fmt: skip
def test_spread_about_the_dummy(table, parameters):
    X, y = table
    regressor = DummyRegressor(**parameters).fit(X, y)
    mean, std = regressor.predict(X[:7], return_std=True)
    np.testing.assert_array_equal(mean, dummy.DummyRegressor(**parameters).fit(X, y).predict(X[:7]))
    np.testing.assert_allclose(
        std, np.broadcast_to(np.sqrt(np.mean((y - mean[0]) ** 2, 0)), (7, 2))
    )
    if not parameters:
        np.testing.assert_allclose(std[0], y.std(axis=0))


def test_dummy_counts_a_weight_as_so_many_rows(table):
    X, y = table[0], table[1][:, 0]
    weight = np.arange(60) % 4
    weighted = DummyRegressor().fit(X, y, sample_weight=weight)
    repeated = DummyRegressor().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    found, expected = (d.predict(X, return_std=True) for d in (weighted, repeated))
    np.testing.assert_allclose(found, expected)
    assert found[1].shape == (60,)


def test_dummy_takes_crystals(crystals):
    X, y = crystals
    mean, std = DummyRegressor().fit(X, y).predict(X[:3], return_std=True)
    np.testing.assert_allclose([mean, std], [[y.mean()] * 3, [y.std()] * 3])


@pytest.fixture(scope="module")
def small(crystals):
    return crystals[0][:40], crystals[1][:40]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small random network, which is quick to compile."""
    folder = tmp_path_factory.mktemp("networks") / "small"
    save_network(MEGNet.initialize(Architecture(**SHAPE), random_state=0), folder)
    return folder


@pytest.fixture(scope="module")
def trained(folder, small):
    return MEGNetRegressor(folder, **QUICK).fit(*small)


@pytest.fixture(scope="module")
def dropped(folder, small):
    return MEGNetRegressor(folder, **QUICK, dropout=0.1, n_passes=8).fit(*small)


@pytest.mark.network
def test_the_readout_is_that_of_the_featurizers_network(trained, folder, small):
    X, y = small
    network = MEGNetFeaturizer(folder, **QUICK).fit(X, y).network_
    assert trained.network_.digest() == network.digest()
    mean, std = trained.predict(X, return_std=True)
    np.testing.assert_allclose(mean, network.predict(X), rtol=1e-6)
    rows = trained.validation_indices_
    assert len(rows) == 4
    assert std == pytest.approx(np.full(40, np.sqrt(np.mean((mean - y)[rows] ** 2))), rel=1e-5)
    assert np.mean(np.abs((mean - y)[rows])) == pytest.approx(min(trained.history_["val_mae"]))


@pytest.mark.network
def test_frozen_network_on_the_crystals_it_is_given(folder, small):
    """Every row of fit is a validation row; no label can change the prediction."""
    X, y = small
    frozen = MEGNetRegressor(folder, epochs=0)
    mean, std = frozen.fit(X, y).predict(X, return_std=True)
    assert std[0] == pytest.approx(np.sqrt(np.mean((mean - y) ** 2)))
    shifted, wider = frozen.fit(X, y + 10).predict(X, return_std=True)
    np.testing.assert_array_equal(mean, shifted)
    assert wider[0] == pytest.approx(np.sqrt(np.mean((mean - y - 10) ** 2)))


@pytest.mark.network
def test_another_property_in_another_unit(trained, folder, small, tmp_path):
    """One that is linear in what the network predicts is learnt before the first step."""
    X, network = small[0], trained.network_
    save_network(network, tmp_path / "net")
    old = network.predict(X)
    still = MEGNetRegressor(tmp_path / "net", epochs=1, learning_rate=0.0, verbose=0)
    noise = np.random.default_rng(0).normal(size=40) * old.std()
    np.testing.assert_allclose(still.fit(X, old + 0.2 * noise).predict(X), old, atol=1e-4)
    new = 200.0 - 30.0 * old
    found = still.fit(X, new).predict(X)
    assert np.mean((found - new) ** 2) < 1e-3 * np.var(new)


@pytest.mark.network
def test_passes_of_dropout(dropped, small):
    """Mean and spread of thinned networks; a crystal's do not depend on the others."""
    X = small[0]
    mean, std = dropped.predict(X, return_std=True)
    assert (std > 0).all()
    for found, expected in zip(dropped.predict(X, return_std=True), (mean, std), strict=True):
        np.testing.assert_array_equal(found, expected)
    alone = np.concatenate([dropped.predict(X[i : i + 1], return_std=True) for i in (3, 8)], axis=1)
    np.testing.assert_allclose(alone, [mean[[3, 8]], std[[3, 8]]], rtol=1e-3, atol=1e-5)
    doubled = dropped.predict([X[3] * (2, 1, 1)], return_std=True)
    np.testing.assert_allclose(np.ravel(doubled), [mean[3], std[3]], rtol=1e-3, atol=1e-5)


@pytest.mark.network
def test_dropout_in_training(trained, dropped):
    """All else is equal: the rows that are set aside, and the start."""
    np.testing.assert_array_equal(dropped.validation_indices_, trained.validation_indices_)
    assert dropped.history_["learning_rate"] == trained.history_["learning_rate"]
    assert dropped.history_["loss"] != trained.history_["loss"]


@pytest.mark.network
def test_a_thinned_network_lacks_the_units_it_should(trained, small):
    """Against the pass written out: a dropped unit of the pooled vector is a zero in it."""
    from skcfgp.network.dropout import count_units, thin, thinned_networks

    network = trained.network_
    n_units = count_units(network.weights)
    n_pooled = 4 * SHAPE["n3"] + SHAPE["n2"]
    assert n_units == 3 * SHAPE["n2"] + n_pooled
    same = thin(network.weights, np.ones(n_units))
    for name, value in network.weights.items():
        np.testing.assert_array_equal(same[name], value)

    graphs = [network.graph(structure) for structure in small[0][:5]]
    pooled, whole = network.compute(graphs, ["set2set", "readout_0"])
    mask = np.ones(n_units, dtype=np.float32)
    mask[-n_pooled:] = np.arange(n_pooled) % 2 * 2
    other = network.copy()
    other.weights = thin(network.weights, mask)
    pooled_too, thinned = other.compute(graphs, ["set2set", "readout_0"])
    np.testing.assert_array_equal(pooled, pooled_too)
    line = (pooled * mask[-n_pooled:]) @ network.weights["readout_0/kernel"]
    expected = np.logaddexp(line + network.weights["readout_0/bias"], 0) - np.log(2)
    np.testing.assert_allclose(thinned, expected, atol=1e-4)
    assert not np.allclose(thinned, whole, atol=1e-2)

    for name, value in thin(network.weights, np.zeros(n_units)).items():
        if name.endswith(("_e_2", "_v_2", "_u_2")):  # what the blocks add is gone
            assert not value.any()
    kept = np.concatenate(
        [n.weights["readout_0/kernel"].any(1) for n in thinned_networks(network, 0.3, 160, 0)]
    )
    assert kept.mean() == pytest.approx(0.7, abs=0.04)  # 3,840 draws: five standard errors


@pytest.mark.network
def test_ensemble(folder, small):
    X, y = small
    member = MEGNetRegressor(folder, **QUICK)
    regressor = MEGNetEnsemble(member, n_estimators=2, random_state=1).fit(X, y)
    mean, std = regressor.predict(X, return_std=True)
    first, second = (member.predict(X) for member in regressor.estimators_)
    np.testing.assert_allclose(mean, (first + second) / 2)
    np.testing.assert_allclose(std, np.abs(first - second) / 2**0.5)
    assert (std > 0).all()
    np.testing.assert_array_equal(regressor.predict(X), mean)
    assert regressor.estimator.random_state == 0  # what the user passed is as it was
    assert not hasattr(regressor.estimator, "network_")
    far = Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])
    with pytest.raises(ValueError, match="'lonely': no two atoms"):
        regressor.predict({"first": X[0], "lonely": far})
    restored = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(restored.predict(X, return_std=True)[1], std)


@pytest.mark.network
def test_conventions(trained, dropped, small):
    X = small[0]
    for regressor in (trained, dropped, MEGNetEnsemble(trained, n_estimators=2)):
        other = clone(regressor)
        assert repr(other) == repr(regressor)
        with pytest.raises(NotFittedError):
            other.predict(X)
    for regressor in (trained, dropped):
        state = dict(vars(regressor))
        mean = regressor.predict(X)
        assert vars(regressor) == state
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(regressor)).predict(X), mean)
        np.testing.assert_array_equal(regressor.predict(X, return_std=True)[0], mean)


@pytest.mark.network
def test_grid_search(folder, small):
    search = GridSearchCV(
        MEGNetRegressor(folder, random_state=0, verbose=0),
        {"epochs": [0, 1]},
        cv=[(np.arange(30), np.arange(30, 40))],
        refit=False,
        error_score="raise",
    ).fit(*small)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores[0] != scores[1]


@pytest.mark.network
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"dropout": 0.1, "epochs": 0}, "dropout=0.1 needs epochs > 0"),
        ({"n_passes": 1}, "n_passes must be an integer of at least 2, got 1"),
        ({"epochs": -1}, "epochs must be"),
    ],
)
def test_wrong_parameters(folder, small, parameters, message):
    with pytest.raises(ValueError, match=message):
        MEGNetRegressor(folder, **(QUICK | parameters)).fit(*small)


@pytest.mark.network
def test_wrong_input(trained, folder, small):
    X, y = small
    with pytest.raises(ValueError, match="n_estimators must be an integer of at least 2, got 1"):
        MEGNetEnsemble(n_estimators=1).fit(X, y)
    for epochs in (0, 1):
        with pytest.raises(ValueError, match="40 crystals, y 39"):
            MEGNetRegressor(folder, epochs=epochs).fit(X, y[:39])
        with pytest.raises(ValueError, match="NaN"):
            MEGNetRegressor(folder, epochs=epochs).fit(X, np.where(np.arange(40) == 3, np.nan, y))
    unvalidated = MEGNetRegressor(folder, **QUICK, validation_fraction=0.0).fit(X, y)
    np.testing.assert_equal(unvalidated.residual_std_, np.nan)
    assert unvalidated.predict(X).shape == (40,)
    with pytest.raises(ValueError, match="no row aside to take the standard deviation from"):
        unvalidated.predict(X, return_std=True)
    far = Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])
    with pytest.raises(ValueError, match="'lonely': no two atoms"):
        trained.predict({"salt": X[0], "lonely": far})
    assert trained.predict([]).shape == (0,)
