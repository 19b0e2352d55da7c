"""The small files of ``tests/structures/cases`` through `make_cfgp`: the right column, or its NaN.

What is right of each is a law of ``tests/structures/test_cases.py``; here it is what
`check_structures` says.
"""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skcfgp import make_cfgp
from skcfgp.calibration import predict_distribution
from skcfgp.models import predict_crystals
from skcfgp.structures import InvalidStructureError, InvalidStructureWarning, check_structures

pytestmark = pytest.mark.filterwarnings("ignore:.*files were passed over")
CASES = Path(__file__).parents[1] / "structures" / "cases"
FILES = sorted(CASES.iterdir())
N_REFUSED = 8
NETWORK = pytest.param("recommended", marks=pytest.mark.network)


def make(recipe="composition", **options):
    return make_cfgp("formation_energy_1800", recipe=recipe, **options)


@pytest.fixture(scope="module")
def fitted(crystals):
    """Models by what they do with errors; two methods of calibration, and a logarithm."""
    X, y = list(crystals[0][:30]), crystals[1][:30]
    models = {on_error: make(on_error=on_error).fit(X, y) for on_error in ("raise", "nan")}
    models["student_t"] = make(on_error="nan", calibrated=True).fit(X, y)
    models["log"] = make(on_error="nan", calibrated=True, log_target=True).fit(X, 10.0**y)
    models["conformal"] = make(on_error="nan", calibrated=True)
    return models | {"conformal": models["conformal"].set_params(gp__method="conformal").fit(X, y)}


def quiet(method, *arguments, **options):
    """Call a method that names what it cannot use, if there is anything."""
    with pytest.warns() as caught:
        found = method(*arguments, **options)
    caught = [warning for warning in caught if warning.category is InvalidStructureWarning]
    return found, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_case_is_predicted_or_nan_with_its_reason(fitted, path):
    known = check_structures(path, on_error="nan")
    good = [crystal for crystal in known.structures if crystal is not None]
    bad = np.array([crystal is None for crystal in known.structures])
    if not known.failures:
        expected = fitted["raise"].predict(path, return_std=True)
        np.testing.assert_array_equal(fitted["nan"].predict(path, return_std=True), expected)
        np.testing.assert_array_equal(expected, fitted["raise"].predict(good, return_std=True))
        return
    with pytest.raises(InvalidStructureError) as raised:
        fitted["raise"].predict(path)
    assert [(f.id, f.reason) for f in raised.value.failures] == [
        (f.id, f.reason) for f in known.failures
    ]
    (mean, std), (said,) = quiet(fitted["nan"].predict, path, return_std=True)
    for failure in known.failures:
        assert str(failure.id) in said
        assert failure.reason in said
    np.testing.assert_array_equal(np.isnan([mean, std]), [bad, bad])
    if good:
        expected = fitted["raise"].predict(good, return_std=True)
        np.testing.assert_array_equal([mean[~bad], std[~bad]], expected)


@pytest.mark.parametrize("on_error", ["raise", "nan"])
def test_labels_of_what_cannot_be_used_are_an_error_that_names_it(on_error):
    known = check_structures(CASES, on_error="nan")
    y = np.arange(len(known.ids), dtype=float)
    with pytest.raises(InvalidStructureError) as raised:
        make(on_error=on_error).fit(CASES, y)
    assert [(f.id, f.reason) for f in raised.value.failures] == [
        (f.id, f.reason) for f in known.failures
    ]
    assert len(known.failures) == N_REFUSED
    good = [row for row, crystal in enumerate(known.structures) if crystal is not None]
    model = make(on_error=on_error).fit(known.structures[good], y[good])
    assert np.isfinite(model.predict(["NaCl", "KCl"])).all()


@pytest.mark.parametrize("recipe", ["composition", NETWORK])
def test_features_are_nan_where_the_pipeline_is_told_so(recipe, crystals):
    model = make(recipe, on_error="nan").fit(list(crystals[0][:12]), crystals[1][:12])
    known = check_structures(CASES, on_error="nan")
    good = [row for row, crystal in enumerate(known.structures) if crystal is not None]
    with pytest.raises(InvalidStructureError):
        model[:-1].transform(CASES)
    features = model[:-1].set_params(on_error="nan")
    X, (said,) = quiet(features.transform, CASES)
    np.testing.assert_array_equal(X[good], features.transform(known.structures[good]))
    assert np.isnan(np.delete(X, good, axis=0)).all()
    assert len(X) - len(good) == N_REFUSED
    assert all(failure.reason in said for failure in known.failures)
    nothing, _ = quiet(features.transform, CASES / "attached_hydrogens.cif")
    assert nothing.shape == (1, X.shape[1])
    assert np.isnan(nothing).all()


@pytest.mark.parametrize("name", ["nan", "student_t", "log", "conformal"])
def test_distributions_and_intervals_are_nan_where_predictions_are(fitted, name):
    model, known = fitted[name], check_structures(CASES, on_error="nan")
    good = [row for row, crystal in enumerate(known.structures) if crystal is not None]
    found, (said,) = quiet(model.predict_distribution, CASES)
    assert all(failure.reason in said for failure in known.failures)
    expected = model.predict_distribution(known.structures[good])
    asked = [
        *(lambda d, name=name: getattr(d, name)(0.7) for name in ("cdf", "sf", "logpdf", "ppf")),
        lambda d: d.median(),
        lambda d: d.interval(0.9)[0],
    ]
    for ask in asked:
        values = ask(found)
        np.testing.assert_array_equal(values[good], ask(expected))
        assert np.isnan(values).sum() == N_REFUSED
    assert np.isnan(found.rvs(random_state=0)).sum() == N_REFUSED
    ends, _ = quiet(model.predict_interval, CASES, 0.8)
    for end, of_good in zip(ends, model.predict_interval(known.structures[good], 0.8), strict=True):
        np.testing.assert_array_equal(end[good], of_good)
        assert np.isnan(end).sum() == N_REFUSED
    if name != "conformal":  # which rounds its ends up
        np.testing.assert_array_equal(ends, found.interval(0.8))


def test_the_function_does_what_the_method_does(fitted):
    model, path = fitted["student_t"], CASES / "ids.jsonl"
    bad = CASES / "disorder.extxyz"
    search = GridSearchCV(model, {"on_error": ["nan"]})
    search.best_estimator_ = model
    for form in (model, FrozenEstimator(model), pickle.loads(pickle.dumps(model)), search):
        np.testing.assert_array_equal(
            predict_distribution(form, path).cdf(-1.0), model.predict_distribution(path).cdf(-1.0)
        )
        found, said = quiet(predict_distribution, form, bad)
        assert np.isnan(found.cdf(-1.0)).all()
        assert "disordered" in said[0]
    with pytest.raises(InvalidStructureError):
        predict_distribution(fitted["raise"], bad)
    with pytest.raises(InvalidStructureError):
        fitted["raise"].predict_interval(bad)
    ends, _ = quiet(model.predict_interval, bad)
    assert np.isnan(ends).tolist() == [[True], [True]]


@pytest.mark.parametrize("recipe", ["composition", NETWORK])
@pytest.mark.parametrize("on_error", ["raise", "nan"])
def test_a_table_has_the_reasons_whatever_the_pipeline_does(recipe, on_error, crystals):
    model = make(recipe, on_error=on_error).fit(list(crystals[0][:12]), crystals[1][:12])
    known = check_structures(CASES, on_error="nan")
    table = predict_crystals(model, CASES)
    reasons = {failure.index: failure.reason for failure in known.failures}
    assert table["error"].tolist() == [reasons.get(row, "") for row in range(len(table))]
    assert table["prediction"].isna().sum() == N_REFUSED
    assert model.on_error == on_error
