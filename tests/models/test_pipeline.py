"""One bad crystal does not stop the rest, and formulas are enough for composition."""

import pickle

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Composition, Lattice, Structure
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skcfgp import CompositionFeaturizer, make_cfgp
from skcfgp.features import TableReader
from skcfgp.models import CrystalPipeline, DummyRegressor, predict_crystals
from skcfgp.structures import InvalidStructureError, InvalidStructureWarning

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NOTHING = Structure(Lattice.cubic(9), [], [])


@pytest.fixture(scope="module", params=[False, True], ids=["process", "calibrated"])
def model(request, crystals):
    return make_cfgp(recipe="composition", on_error="nan", calibrated=request.param).fit(*crystals)


def test_what_cannot_be_used_is_nan_and_named(model, formation_energy):
    good = list(formation_energy.structures[60:64])
    X = [good[0], NOTHING, good[1], None, good[2], "no such file.cif", good[3], "Am2"]
    with pytest.warns(InvalidStructureWarning, match="What is predicted of them is NaN") as caught:
        mean, std = model.predict(X, return_std=True)
    assert len(caught) == 1
    for name in ("position 1", "position 3", "'no such file'", "position 7"):
        assert f"Crystal {'at ' * (name[0] == 'p')}{name}" in str(caught[0].message)
    bad = np.isin(np.arange(8), [1, 3, 5, 7])
    for values, expected in zip((mean, std), model.predict(good, return_std=True), strict=True):
        np.testing.assert_array_equal(np.isnan(values), bad)
        np.testing.assert_array_equal(values[~bad], expected)


def test_nothing_usable_is_nan(model):
    with pytest.warns(InvalidStructureWarning):
        mean, std = model.predict([NOTHING], return_std=True)
    assert np.isnan([*mean, *std]).all()
    with pytest.warns(InvalidStructureWarning):
        assert np.isnan(model.predict([NOTHING])).all()


def test_the_process_and_its_calibration_still_refuse_nan(model):
    X = model[:-1].transform(["NaCl", "KCl"])
    X[1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model["gp"].predict(X)


def test_raising_is_the_default_and_fit_always_raises(crystals):
    X, y = crystals
    with pytest.raises(InvalidStructureError):
        make_cfgp(recipe="composition", on_error="nan").fit([*X[:9], NOTHING], y[:10])
    model = make_cfgp(recipe="composition").fit(X[:20], y[:20])
    with pytest.raises(InvalidStructureError):
        model.predict([X[0], NOTHING])
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'nan', got 'skip'"):
        make_cfgp(recipe="composition", on_error="skip").fit(X, y)


def test_it_is_a_pipeline(model, crystals):
    assert isinstance(model, Pipeline)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(crystals[0]), model.predict(crystals[0]))
    assert clone(model).on_error == "nan"
    assert model.set_params(on_error="raise").get_params()["on_error"] == "raise"
    model.set_params(on_error="nan")


def test_parameters_are_searched_as_in_a_pipeline():
    steps = [("features", CompositionFeaturizer("mean")), ("mean", DummyRegressor())]
    grid = {"mean__strategy": ["mean", "median"]}
    search = GridSearchCV(CrystalPipeline(steps, on_error="nan"), grid, cv=2)
    search.fit(["NaCl", "KCl", "LiF", "KI"], [1.0, 2.0, 3.0, 4.0])
    with pytest.warns(InvalidStructureWarning, match="Xx"):
        assert np.isnan(search.predict(["NaCl", "Xx"])).tolist() == [False, True]


def test_the_covariance_has_no_row_to_leave_out(model):
    with pytest.raises(ValueError, match="return_cov is not for on_error='nan'"):
        model.predict(["NaCl"], return_cov=True)


def test_formulas_are_learnt_like_the_crystals_that_have_them(crystals, formation_energy):
    X, y = crystals
    formulas = [crystal.composition.reduced_formula for crystal in X]
    compositions = [Composition(formula) for formula in formulas]
    new = list(formation_energy.structures[60:70])
    expected = make_cfgp(recipe="composition").fit(X, y).predict(new, return_std=True)
    for rows in (formulas, compositions):
        model = make_cfgp(recipe="composition").fit(rows, y)
        told = [crystal.composition.reduced_formula for crystal in new]
        np.testing.assert_allclose(model.predict(told, return_std=True), expected, rtol=1e-6)


def test_a_table_of_predictions_of_formulas(model):
    table = predict_crystals(model, ["NaCl", "Xx", "Fe0.5Ni0.5"], "eV/atom")
    assert table["formula"].tolist() == ["NaCl", "", "Fe0.5Ni0.5"]
    assert [bool(error) for error in table["error"]] == [False, True, False]
    good = table[table["error"] == ""]
    assert (good["lower"] < good["prediction"]).all()
    assert (good["prediction"] < good["upper"]).all()


def test_the_groups_of_the_cell_need_a_structure(salt):
    featurizer = CompositionFeaturizer(["mean", "cell"])
    with pytest.raises(InvalidStructureError, match="the group 'cell' is computed from the cell"):
        featurizer.transform([salt, "NaCl"])
    assert featurizer.transform([salt]).shape == (1, 18)
    rows = CompositionFeaturizer(["mean", "deviation", "fractions"]).transform([salt, "NaCl"])
    np.testing.assert_allclose(rows[0], rows[1])


def test_groups_are_of_recipes_that_have_them():
    with pytest.raises(ValueError, match="groups are for the recipes"):
        make_cfgp(recipe="paper", groups="mean")
    names = make_cfgp(recipe="composition", groups=["mean", "cell"])["features"][0]
    assert names.groups == ["mean", "cell"]


def test_a_row_without_a_named_number_is_nan(crystals):
    table = pd.DataFrame({"structure": list(crystals[0][:6]), "kelvin": [1.0, 2, 3, 4, 5, 6]})
    numbers = FunctionTransformer(lambda table: table[["kelvin"]].to_numpy())
    steps = [("table", TableReader(["kelvin"])), ("numbers", numbers), ("mean", DummyRegressor())]
    model = CrystalPipeline(steps, on_error="nan").fit(table, crystals[1][:6])
    table.loc[2, "kelvin"] = np.nan
    with pytest.warns(InvalidStructureWarning, match="its 'kelvin' is nan"):
        mean = model.predict(table)
    assert np.isnan(mean).tolist() == [False, False, True, False, False, False]
