"""Crystals and a fitted model become a table with a row, or a reason, for each crystal."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
from pymatgen.core import Lattice, Structure
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcfgp import CompositionFeaturizer, GaussianProcessRegressor, MEGNetFeaturizer, make_cfgp
from skcfgp.datasets import load_formation_energy
from skcfgp.models import (
    DummyRegressor,
    ExtraTreesRegressor,
    MEGNetEnsemble,
    MEGNetRegressor,
    featurize,
    predict_crystals,
    unseen_mask,
)
from skcfgp.models.default import fit_predictor
from skcfgp.models.reading import read_files
from skcfgp.network import load_network
from skcfgp.structures import check_structures

WEIGHTS = "formation_energy_1800"
COLUMNS = ["id", "formula", "prediction", "std", "lower", "upper", "df", "unit", "error"]


@pytest.fixture(scope="module")
def mixed(formation_energy):
    """Eight crystals by id, of which three cannot be used, each found out at another place."""
    data = dict(zip(formation_energy.material_id, formation_energy.structures[-8:], strict=False))
    names = list(data)
    cubic = Lattice.cubic(9)
    data[names[1]] = Structure(cubic, [], [])  # refused when it is read
    data[names[3]] = Structure(Lattice.cubic(40), ["Ar"], [[0, 0, 0]])  # no bond for the network
    data[names[6]] = Structure(cubic, ["Am", "Am"], [[0, 0, 0], [0.3, 0.3, 0.3]])  # past plutonium
    return data, [1, 3, 6]


@pytest.fixture(scope="module")
def models(formation_energy):
    """One model of each kind, fitted on 40 crystals."""
    X, y = formation_energy.structures[:40], formation_energy.target[:40]
    composition = make_pipeline(CompositionFeaturizer(), GaussianProcessRegressor())
    network = MEGNetRegressor(WEIGHTS, epochs=0, verbose=0)
    trees = make_pipeline(CompositionFeaturizer(), ExtraTreesRegressor(5, random_state=0))
    found = {
        "recommended": make_cfgp(WEIGHTS),
        "calibrated": make_cfgp(WEIGHTS, calibrated=True),
        "paper": make_cfgp(WEIGHTS, recipe="paper values"),
        "composition": composition,
        "network": network,
        "trees": trees,
    }
    return {name: model.fit(X, y) for name, model in found.items()}


KINDS = ["recommended", "calibrated", "paper", "composition", "network", "trees"]


@pytest.mark.network
@pytest.mark.parametrize("kind", KINDS)
def test_each_crystal_has_a_prediction_or_a_reason(models, mixed, kind):
    """Labelled + refused = all: no row is lost or moved, and the numbers are those of `predict`."""
    crystals, bad = mixed
    if kind in ("composition", "trees"):
        bad = [1, 6]
    model = models[kind]
    table = predict_crystals(model, crystals, "eV/atom")
    assert list(table) == COLUMNS
    assert table["id"].tolist() == list(crystals)
    assert np.flatnonzero(table["error"] != "").tolist() == bad
    assert table.index[table["prediction"].isna()].tolist() == bad
    assert table.index[table["std"].isna()].tolist() == bad
    assert set(table["unit"]) == {"eV/atom"}
    good = [row for row in range(8) if row not in bad]
    structures = list(crystals.values())
    expected = model.predict([structures[row] for row in good], return_std=True)
    np.testing.assert_allclose(table.loc[good, ["prediction", "std"]].T, expected, rtol=1e-5)
    formulas = [structures[row].composition.reduced_formula for row in good]
    assert table.loc[good, "formula"].tolist() == formulas


@pytest.mark.network
def test_features_of_the_good_and_reasons_of_the_others(models, mixed):
    crystals, bad = mixed
    transformer = models["recommended"][:-1]
    X, errors = featurize(transformer, crystals)
    assert sorted(errors) == bad
    assert np.flatnonzero(np.isnan(X).any(axis=1)).tolist() == bad
    good = [row for row in range(8) if row not in bad]
    expected = transformer.transform([list(crystals.values())[row] for row in good])
    np.testing.assert_allclose(X[good], expected, atol=1e-4)


def test_failures_of_several_featurizers_are_all_named(mixed):
    crystals, _ = mixed
    union = FeatureUnion([("a", CompositionFeaturizer("cell")), ("b", CompositionFeaturizer())])
    X, errors = featurize(union.fit(list(crystals.values())[:1]), crystals)
    assert sorted(errors) == [1, 6]
    assert "Am" in errors[6]
    assert X.shape[0] == 8


def test_nothing_usable_is_a_table_of_reasons(mixed):
    crystals, _ = mixed
    nothing = {id_: s for id_, s in crystals.items() if not len(s)}
    model = make_pipeline(CompositionFeaturizer(), DummyRegressor())
    model.fit([crystals[name] for name in list(crystals)[4:6]], [1.0, 2.0])
    table = predict_crystals(model, nothing)
    assert list(table) == COLUMNS
    assert table["error"].all()
    X, errors = featurize(model[:-1], nothing)
    assert len(X) == len(errors) == 1
    assert len(predict_crystals(model, [])) == 0


def test_crystals_that_are_read_already_keep_their_reasons(mixed):
    crystals, _ = mixed
    read = check_structures(crystals, on_error="nan")
    model = make_pipeline(CompositionFeaturizer(), DummyRegressor())
    model.fit([crystals[name] for name in list(crystals)[4:6]], [1.0, 2.0])
    first, second = predict_crystals(model, read), predict_crystals(model, crystals)
    assert first.equals(second)
    assert read.failures[0].reason == first["error"][1]


def test_a_prediction_that_is_not_finite_is_no_prediction(formation_energy):
    class Broken(DummyRegressor):
        def predict(self, X, return_std=False):
            mean = np.where(np.arange(len(X)) == 1, np.inf, 1.0)
            return (mean, np.ones(len(X))) if return_std else mean

    X = formation_energy.structures[:3]
    table = predict_crystals(Broken().fit(X, [0.0, 1.0, 2.0]), X)
    assert table["error"].tolist() == ["", "the model gives no finite prediction.", ""]
    assert np.isnan(table["prediction"][1])


def test_an_error_of_the_model_is_not_a_failure_of_a_crystal(formation_energy):
    def wrong(X):
        raise ValueError("a bug")

    X = formation_energy.structures[:3]
    model = make_pipeline(FunctionTransformer(wrong), DummyRegressor())
    model.steps[-1][1].fit(X, [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="a bug"):
        predict_crystals(model, X)


@pytest.mark.network
def test_threads_may_share_a_model(models, formation_energy, mixed):
    """Each gets its own crystals' predictions and failures."""
    crystals, _ = mixed
    others = dict(zip("abcdefgh", formation_energy.structures[50:58], strict=True))
    model = models["calibrated"]
    both = (crystals, others)
    expected = [predict_crystals(model, X) for X in both]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(predict_crystals, model, X) for _ in range(8) for X in both]
        for k, job in enumerate(jobs):
            found = job.result()
            assert found["error"].tolist() == expected[k % 2]["error"].tolist()
            np.testing.assert_allclose(
                found["prediction"], expected[k % 2]["prediction"], rtol=1e-6
            )
    assert not expected[1]["error"].any()


@pytest.mark.network
def test_the_bundled_model_is_calibrated_by_what_its_network_has_not_seen():
    model, unit = fit_predictor(unit="ignored: the bundled labels have their own")
    train = load_formation_energy(split="train")
    unseen = unseen_mask(WEIGHTS, train.material_id)
    assert unit == "eV/atom"
    assert unseen.sum() == 180
    assert model["gp"].n_calibration_ == 180
    assert len(model["gp"].estimator_.X_train_) == 1800 + 1427  # the pool adds its labels


def test_unseen_mask():
    network = load_network(WEIGHTS)
    train = load_formation_energy(split="train", structures="arrays").material_id
    expected = np.isin(train, network.card["validation_material_id"])
    np.testing.assert_array_equal(unseen_mask(network, train), expected)
    np.testing.assert_array_equal(unseen_mask(WEIGHTS, train[::-1]), expected[::-1])
    silent = network.copy()
    silent.card = {}
    assert unseen_mask(silent, train).all()


def test_files_and_folders_are_read_in_order(formation_energy, tmp_path):
    (tmp_path / "folder").mkdir()
    for i in range(3):
        formation_energy.structures[i].to(str(tmp_path / "folder" / f"{i}.vasp"), fmt="poscar")
    (tmp_path / "broken.cif").write_text("nothing\n")
    found = read_files([tmp_path / "broken.cif", tmp_path / "folder"]).crystals
    assert found.ids.tolist() == ["broken", "0", "1", "2"]
    assert [failure.id for failure in found.failures] == ["broken"]


@pytest.mark.network
def test_standard_deviations_pass_through_pipelines_with_metadata_routing(formation_energy):
    """As `GaussianProcessRegressor.predict` of scikit-learn takes ``return_std`` there."""
    X, y = formation_energy.structures[:20], formation_energy.target[:20]
    network = MEGNetRegressor(WEIGHTS, epochs=0, verbose=0)
    trained = MEGNetRegressor(WEIGHTS, epochs=1, verbose=0)
    with sklearn.config_context(enable_metadata_routing=True):
        for regressor in (network, MEGNetEnsemble(trained, n_estimators=2), DummyRegressor()):
            model = make_pipeline(FunctionTransformer(), regressor).fit(X, y)
            assert [part.shape for part in model.predict(X, return_std=True)] == [(20,), (20,)]
        trees = make_pipeline(CompositionFeaturizer(), ExtraTreesRegressor(5)).fit(X, y)
        assert [part.shape for part in trees.predict(X, return_std=True)] == [(20,), (20,)]


@pytest.mark.network
def test_features_of_a_network_alone(mixed):
    crystals, bad = mixed
    featurizer = MEGNetFeaturizer(WEIGHTS, verbose=0).fit(list(crystals.values())[4:6])
    X, errors = featurize(featurizer, crystals)
    assert sorted(errors) == bad
    assert X.shape == (8, 32)
    assert X.dtype == np.float32
