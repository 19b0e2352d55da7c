import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.model_selection import GridSearchCV

from skcfgp import ActiveLearner, make_cfgp
from skcfgp.gaussian_process.covariance import is_quick
from skcfgp.kernels import Laplacian, OnColumns
from skcfgp.models import predict_crystals
from skcfgp.models.cfgp import block_kernel
from skcfgp.query import integrated_variance, max_std
from skcfgp.structures import InvalidStructureError

NAME = "formation_energy_1800"
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
network = pytest.mark.network


@pytest.fixture(scope="module")
def table(crystals):
    """60 crystals with an estimate of the formation energy, and a temperature that shifts it."""
    structures, energy = crystals
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "structure": list(structures),
            "estimate": 2.0 * energy + rng.normal(0, 0.2, 60),
            "kelvin": rng.uniform(100, 1000, 60),
        },
        index=[f"crystal {i}" for i in range(60)],
    )
    return frame, energy + np.sin(frame["kelvin"].to_numpy() / 300)


@pytest.fixture(scope="module")
def both():
    return make_cfgp(NAME, estimates="estimate", columns=["kelvin"])


def test_kernel_without_columns_is_that_of_the_crystals():
    composition = Laplacian(1.0, 100.0, length_scale_bounds=(1e-2, 1e6), metric="cityblock")
    latent = Laplacian(1.0, 10.0, "fixed", (1e-2, 1e6))
    noise = WhiteKernel(1e-2, (1e-6, 1e1))
    product = OnColumns(composition, slice(3)) * OnColumns(latent, slice(3, None))
    assert block_kernel(3) == product + noise


@pytest.mark.parametrize(("n_columns", "n_estimates"), [(0, 1), (2, 0), (2, 2)])
def test_kernel_is_product_plus_linear_terms(n_columns, n_estimates):
    rng = np.random.default_rng(1)
    X, Y = (
        rng.normal(size=(9, 7 + n_columns + n_estimates)),
        rng.normal(size=(4, 7 + n_columns + n_estimates)),
    )
    kernel = block_kernel(3, n_columns, n_estimates)
    assert is_quick(kernel)
    kernel.theta = rng.normal(size=kernel.n_dims)
    values = np.exp(kernel.theta)
    scale, lengths = values[0] ** 2, [values[1], values[2], *values[3 : 3 + (n_columns > 0)]]
    weights = values[len(values) - 1 - n_estimates : -1]
    expected = np.empty((9, 4))
    for i, x in enumerate(X):
        for j, y in enumerate(Y):
            difference = x - y
            distance = [np.abs(difference[:3]).sum(), np.linalg.norm(difference[3:7])]
            if n_columns:
                distance.append(np.abs(difference[7 : 7 + n_columns]).sum())
            expected[i, j] = scale * np.exp(-np.sum(np.divide(distance, lengths)))
            own = slice(len(x) - n_estimates, None)
            expected[i, j] += np.sum(weights * x[own] * y[own])
    np.testing.assert_allclose(kernel(X, Y), expected)


@network
def test_each_block_sees_its_own_columns(table, both):
    X, y = table
    for layer in ("set2set", "readout_0"):
        model = clone(both).set_params(features__megnet__megnetfeaturizer__layer=layer)
        names = model.fit(X[:20], y[:20])[:-1].get_feature_names_out()
        assert list(names[-2:]) == ["columns__kelvin", "estimates__estimate"]
        *factors, linear = _parts(model["gp"].kernel_, len(names))
        seen = [{name.split("__")[0] for name in names[columns]} for columns in factors]
        assert seen == [{"composition"}, {"megnet"}, {"columns"}]
        assert list(names[linear]) == ["estimates__estimate"]
        assert sum(len(names[columns]) for columns in factors) == len(names) - 1


def _parts(kernel, n):
    """Columns of composition, latent vectors, own columns and the estimate."""
    product, linear = kernel.k1.k1, kernel.k1.k2
    parts = [product.k1.k1, product.k1.k2, product.k2, linear.k2]
    return [np.arange(n)[part.columns] for part in parts]


@network
def test_an_estimate_may_be_a_factor_too(table):
    X, y = table
    X = X[["structure", "estimate"]]
    model = make_cfgp(NAME, estimates="estimate", columns=["estimate"]).fit(X[:40], y[:40])
    features = model[:-1].transform(X)
    np.testing.assert_array_equal(features[:, -2], features[:, -1])
    copied = make_cfgp(NAME, estimates="estimate", columns=["copy"])
    copied.fit(X.assign(copy=X["estimate"])[:40], y[:40])
    new = X[40:].assign(copy=X["estimate"])
    np.testing.assert_array_equal(model.predict(X[40:]), copied.predict(new))


@network
def test_columns_without_an_influence_change_no_other_feature(table, both):
    X, _ = table
    plain = make_cfgp(NAME)[:-1].fit(X["structure"]).transform(X["structure"])
    np.testing.assert_array_equal(both[:-1].fit(X).transform(X)[:, :-2], plain)


@network
def test_what_is_known_is_learnt(table, both):
    """The estimate extrapolates by a straight line; the temperature bends as it likes."""
    X, y = table
    train, test = slice(45), slice(45, None)
    errors = {}
    for name, model, columns in (
        ("crystals", make_cfgp(NAME), ["structure"]),
        ("columns", make_cfgp(NAME, columns="kelvin"), ["structure", "kelvin"]),
        ("both", both, ["structure", "kelvin", "estimate"]),
    ):
        model = clone(model).fit(X[columns][train], y[train])
        errors[name] = np.abs(model.predict(X[columns][test]) - y[test]).mean()
    assert errors["both"] < errors["columns"] < errors["crystals"]
    far = X[test].assign(estimate=X["estimate"].max() + 100.0)
    farther = far.assign(estimate=far["estimate"] + 100.0)
    model = clone(both).fit(X[train], y[train])
    start, middle, end = (model.predict(frame) for frame in (X[test], far, farther))
    slope = (end - middle) / 100.0
    np.testing.assert_allclose(slope, slope[0], rtol=1e-6)
    assert 0.2 < slope[0] < 0.8  # the estimate is twice the energy
    np.testing.assert_allclose(
        middle - start, slope[0] * (far["estimate"] - X["estimate"][test]), rtol=1e-6
    )


@network
def test_works_where_models_work(table):
    X, y = table
    model = make_cfgp(NAME, estimates=["estimate"], columns=["kelvin"], calibrated=True)
    model.fit(X[:40], y[:40], gp__unseen=np.arange(40) % 2 == 0)
    assert model["gp"].n_calibration_ == 20
    again = pickle.loads(pickle.dumps(model))
    expected = model.predict(X[40:], return_std=True)
    np.testing.assert_array_equal(again.predict(X[40:], return_std=True), expected)
    shuffled = X[["kelvin", "estimate", "structure"]].assign(formula="not a number")
    np.testing.assert_array_equal(model.predict(shuffled[40:]), expected[0])
    grid = {"features__megnet__megnetfeaturizer__layer": ["set2set", "readout_0"]}
    search = GridSearchCV(clone(model), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@network
@pytest.mark.parametrize("strategy", [max_std, integrated_variance])
def test_an_active_learner_takes_tables(table, both, strategy):
    X, y = table
    learner = ActiveLearner(clone(both), strategy, X_training=X[:30], y_training=y[:30])
    picks, rows = learner.query(X[30:])
    pd.testing.assert_frame_equal(rows, X[30:].iloc[picks])
    learner.teach(rows, y[30:][picks])
    assert list(learner.X_training.index) == [*X.index[:30], *rows.index]
    kernel = learner.estimator["gp"].kernel_
    features = learner.estimator[:-1].transform(learner.X_training)
    np.testing.assert_allclose(learner.estimator["gp"].X_train_, features)
    assert kernel.n_dims == both["gp"].kernel.n_dims


@network
def test_a_table_of_predictions_has_every_row_or_its_reason(table, both):
    X, y = table
    model = clone(both).fit(X[:40], y[:40])
    new = X[40:46].copy()
    expected = model.predict(new, return_std=True)
    new.iloc[1, new.columns.get_loc("estimate")] = np.nan
    new.iloc[4, new.columns.get_loc("structure")] = None
    found = predict_crystals(model, new, "eV/atom")
    assert found["id"].tolist() == list(new.index)
    assert "its 'estimate' is nan" in found["error"][1]
    assert "missing" in found["error"][4]
    good = [0, 2, 3, 5]
    np.testing.assert_allclose(found[["prediction", "std"]].T[good], np.array(expected)[:, good])
    assert found["prediction"][[1, 4]].isna().all()


@network
def test_missing_values_and_unnamed_columns_are_refused(table, both):
    X, y = table
    with pytest.raises(InvalidStructureError, match="'crystal 3': its 'kelvin' is nan"):
        clone(both).fit(X.assign(kelvin=X["kelvin"].where(X.index != "crystal 3")), y)
    with pytest.raises(ValueError, match=r"what the columns \['energy'\] of numbers are for"):
        clone(both).fit(X.assign(energy=y), y)
    model = clone(both).fit(X[:20], y[:20])
    with pytest.raises(ValueError, match="X has no column 'estimate'"):
        model.predict(X.drop(columns="estimate"))
    with pytest.raises(TypeError, match="expected a DataFrame"):
        model.predict(X["structure"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimates": ["a", "a"]}, "each once, got"),
        ({"columns": ("a", "b", "a")}, "each once, got"),
        ({"columns": ["structure"]}, "beside the column 'structure'"),
        ({"columns": "a", "recipe": "paper"}, "for the recommended recipe, and recipe is 'paper'"),
    ],
)
def test_names_that_make_no_model(options, message):
    with pytest.raises(ValueError, match=message):
        make_cfgp(**options)
