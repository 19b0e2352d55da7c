"""`save_model` and `load_model`: the same predictions, and nothing else than what was written."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skcfgp import (
    CompositionFeaturizer,
    GaussianProcessRegressor,
    MEGNetFeaturizer,
    load_model,
    make_cfgp,
    save_model,
)
from skcfgp.calibration import MonotoneTargetRegressor, predict_distribution
from skcfgp.models import (
    MEGNetRegressor,
    OtherVersionWarning,
    model_card,
    model_folders,
    persistence,
    predict_crystals,
)
from skcfgp.models.array_files import arrays_from_bytes, arrays_to_bytes
from skcfgp.models.plain_values import PARTS, FromPlain, ToPlain
from skcfgp.network import load_network, save_network
from skcfgp.screening import model_digest

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WEIGHTS = "formation_energy_1800"
N = 40


@pytest.fixture(scope="module")
def data(formation_energy):
    """40 crystals with positive labels and two columns, and 20 new ones, as a table."""
    rng = np.random.default_rng(0)
    n = N + 20
    table = pd.DataFrame(
        {
            "structure": formation_energy.structures[:n],
            "gap": rng.normal(size=n),
            "kelvin": rng.uniform(200, 400, size=n),
        },
        index=formation_energy.material_id[:n],
    )
    return table[:N], np.exp(formation_energy.target[:N]), table[N:]


def fitted(data, weights=WEIGHTS, fit=None, set_params=None, **options):
    X, y, _ = data
    X = X if "estimates" in options or "columns" in options else X["structure"]
    model = make_cfgp(weights, **options).set_params(**(set_params or {}))
    with threadpool_limits(1):
        return model.fit(X, y, **(fit or {}))


def new(data, model):
    table = data[2]
    return table if "gap" in str(model[0]) else table["structure"]


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory):
    """A model of formulas and its folder; tests copy it before they change it."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = fitted(data, recipe="composition", calibrated=True)
    save_model(model, folder, target="stability", unit="1")
    return model, folder


MODELS = {
    "paper": {"recipe": "paper", "on_error": "nan"},
    "paper values": {"recipe": "paper values", "calibrated": True},
    "recommended": {},
    "calibrated": {"calibrated": True, "random_state": 3},
    "logarithm": {"calibrated": True, "log_target": True, "groups": ("mean", "size")},
    "columns": {"estimates": "gap", "columns": ["kelvin"], "calibrated": True},
    "composition": {"recipe": "composition", "log_target": True},
    "readout": {"set_params": {"features__megnet__megnetfeaturizer__layer": ["readout_1"]}},
    "label_std": {"calibrated": True, "fit": {"gp__y_std": np.full(N, 0.1)}},
    "std_scaling": {"calibrated": True, "set_params": {"gp__method": "std_scaling", "gp__cv": 3}},
    "isotonic": {
        "recipe": "composition",
        "calibrated": True,
        "set_params": {"gp__method": "isotonic", "gp__cv": KFold(4, shuffle=True, random_state=0)},
    },
    "conformal": {
        "recipe": "composition",
        "calibrated": True,
        "set_params": {"gp__method": "conformal", "gp__n_neighbors": None, "gp__cv": 3},
    },
}


@pytest.mark.network
@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_is_the_one_that_was_saved(name, data, tmp_path):
    model = fitted(data, **MODELS[name])
    save_model(model, tmp_path / "model", target="stability", unit="1")
    again = load_model(tmp_path / "model")
    X = new(data, model)
    with threadpool_limits(1):
        expected, found = (predict_crystals(m, X, coverage=0.8) for m in (model, again))
        pd.testing.assert_frame_equal(expected, found, check_exact=True)
        draws = [predict_distribution(m, X).rvs(random_state=0) for m in (model, again)]
    np.testing.assert_array_equal(*draws)
    assert model_digest(model) == model_digest(again)
    assert str(model) == str(again)
    save_model(again, tmp_path / "again", target="stability", unit="1")
    for file in ("arrays.npz", "README.md", "model.json"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "model" / file).read_bytes()


@pytest.mark.network
@pytest.mark.parametrize("name", ["recommended", "columns", "logarithm"])
def test_a_loaded_model_learns_and_is_fitted_as_the_saved_one(name, data, tmp_path):
    model = fitted(data, **MODELS[name])
    save_model(model, tmp_path / "model")
    again, X, y = load_model(tmp_path / "model"), new(data, model), np.linspace(0.1, 3, 20)
    with threadpool_limits(1):
        for m in (model, again):
            m[-1].partial_fit(m[:-1].transform(X)[:5], y[:5])
        np.testing.assert_array_equal(model.predict(X), again.predict(X))
        save_model(again, tmp_path / "model")  # learnt in two blocks
        third = load_model(tmp_path / "model")
        np.testing.assert_array_equal(
            model.predict(X, return_std=True), third.predict(X, return_std=True)
        )
        known = data[0] if name == "columns" else data[0]["structure"]
        for m in (model, third):
            m.fit(known, data[1])
        np.testing.assert_array_equal(model.predict(X), third.predict(X))


@pytest.mark.network
def test_another_process_predicts_the_same_after_the_folder_has_moved(data, tmp_path):
    model = fitted(data, calibrated=True)
    save_model(model, tmp_path / "model")
    (tmp_path / "model").rename(tmp_path / "sent")
    crystals = tmp_path / "new.json"
    crystals.write_text(json.dumps([s.as_dict() for s in data[2]["structure"]]))
    code = (
        "import sys, json; from skcfgp import load_model; from pymatgen.core import Structure\n"
        "model = load_model(sys.argv[1])\n"
        "X = [Structure.from_dict(s) for s in json.load(open(sys.argv[2]))]\n"
        "print(json.dumps([v.tolist() for v in model.predict(X, return_std=True)]))"
    )
    command = [sys.executable, "-W", "error::UserWarning:skcfgp", "-c", code]
    command += [str(tmp_path / "sent"), str(crystals)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    with threadpool_limits(1):
        expected = model.predict(list(data[2]["structure"]), return_std=True)
    np.testing.assert_array_equal(json.loads(out.stdout.splitlines()[-1]), expected)


@pytest.mark.network
def test_a_network_of_ones_own_is_in_the_folder(data, tmp_path):
    network = load_network(WEIGHTS)
    network.weights["readout_1/bias"] = network.weights["readout_1/bias"] + 1
    save_network(network, tmp_path / "own")
    model = fitted(data, weights=tmp_path / "own")
    save_model(model, tmp_path / "model")
    shutil.rmtree(tmp_path / "own")
    again = load_model(tmp_path / "model")
    X = new(data, model)
    with threadpool_limits(1):
        np.testing.assert_array_equal(model.predict(X), again.predict(X))
    (described,) = model_card(tmp_path / "model")["networks"]
    assert described["name"] is None
    assert described["digest"] == network.digest()
    assert str(tmp_path / "own") not in (tmp_path / "model" / "model.json").read_text()
    refitted = load_model(tmp_path / "model").fit(data[0]["structure"], data[1])
    np.testing.assert_allclose(refitted.predict(X), again.predict(X))
    other = load_network(WEIGHTS)  # whole, and not the one that was saved
    shutil.rmtree(tmp_path / "model" / "network")
    save_network(other, tmp_path / "model" / "network")
    with pytest.raises(ValueError, match=r"network/\w+\.\w+ was changed"):
        load_model(tmp_path / "model")


@pytest.mark.network
def test_a_trained_network_and_one_without_a_process(data, tmp_path):
    X, y, _ = data
    trained = MEGNetFeaturizer(WEIGHTS, epochs=1, verbose=0, random_state=0)
    network = MEGNetRegressor(WEIGHTS, epochs=1, dropout=0.1, n_passes=3, verbose=0, random_state=0)
    for number, model in enumerate((make_pipeline(trained, GaussianProcessRegressor()), network)):
        model.fit(X["structure"], y)
        save_model(model, tmp_path / str(number))
        again = load_model(tmp_path / str(number))
        found = [m.predict(data[2]["structure"], return_std=True) for m in (model, again)]
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "kernel",
    [None, RBF([1.0, 2.0]) + WhiteKernel(), 2.0 * Matern(0.5, "fixed") ** 2, RBF() * RBF(3.0)],
)
def test_processes_of_plain_numbers(kernel, tmp_path):
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.normal(size=(30, 2)))
    y = np.exp(X[:, 0])
    gp = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None)
    log = MonotoneTargetRegressor(gp, func=np.log, inverse_func=np.exp)
    for model in (gp, log, make_pipeline(StandardScaler(), gp)):
        with threadpool_limits(1):
            model.fit(X, y)
            save_model(model, tmp_path / "model")
            again = load_model(tmp_path / "model")
            found = [m.predict(X + 0.1, return_std=True) for m in (model, again)]
        np.testing.assert_array_equal(*found)


def test_rows_that_came_one_by_one(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    with threadpool_limits(1):
        gp = GaussianProcessRegressor(alpha=1e-3, optimizer=None).fit(X[:7], y[:7])
        for row in range(7, 60):
            gp.partial_fit(X[row : row + 1], y[row : row + 1])
        save_model(gp, tmp_path / "model")
        again = load_model(tmp_path / "model")
        np.testing.assert_array_equal(gp.L_, again.L_)
        found = [m.predict(X + 0.1, return_std=True) for m in (gp, again)]
    np.testing.assert_array_equal(*found)


def test_the_card_says_what_the_model_is(saved):
    model, folder = saved
    card = model_card(folder)
    assert {name: card[name] for name in ("target", "unit", "recipe", "log", "layer")} == {
        "target": "stability",
        "unit": "1",
        "recipe": "composition",
        "log": False,
        "layer": None,
    }
    assert card["n_labels"] == N
    assert card["calibration"] == "student_t"
    gp = model[-1].estimator_
    mean, _ = gp.predict_leave_one_out(equal_together=True)
    error = np.abs(mean - gp.targets_).mean()
    assert card["evaluation"]["errors"]["mae"] == pytest.approx(error)
    text = (folder / "README.md").read_text()
    assert text.startswith("# A model of stability (1)\n")
    for piece in ("| recipe | composition |", "| labels | 40 |", f"{error:.4g} 1", "load_model("):
        assert piece in text


@pytest.mark.network
@pytest.mark.parametrize("name", MODELS)
def test_the_recipe_is_found_in_the_model(name, data):
    """A model that `make_cfgp` would not make by a recipe alone has none."""
    from skcfgp.models.model_facts import facts_of

    options = MODELS[name]
    made_with = {k: v for k, v in options.items() if k not in ("fit", "set_params")}
    found = facts_of(make_cfgp(**made_with))
    expected = None if "groups" in options else options.get("recipe", "recommended")
    assert found["recipe"] == expected
    assert found["estimates"] == (["gap"] if "estimates" in options else [])
    assert found["columns"] == options.get("columns", [])
    assert found["log"] == options.get("log_target", False)


def sign(folder, **changed):
    """Change the description, with checksums that fit, as somebody with bad intent would."""
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").unlink()
    content.pop("sha256")
    model_folders.write_description(content | changed, folder)


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of a saved model, to be spoilt."""
    return shutil.copytree(saved[1], tmp_path / "model")


def refused(folder, *words):
    with pytest.raises(ValueError, match="model") as caught:
        load_model(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    for word in (str(folder), *words):
        assert word in text


@pytest.mark.parametrize("name", ["model.json", "arrays.npz"])
@pytest.mark.parametrize("place", [0.01, 0.3, 0.6, 0.99])
def test_a_changed_byte_is_damage(folder, name, place):
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= 1
    (folder / name).write_bytes(content)
    refused(folder)


@pytest.mark.parametrize("name", ["model.json", "arrays.npz"])
def test_a_cut_or_missing_file_is_damage(folder, name):
    whole = (folder / name).read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 2):
        (folder / name).write_bytes(whole[:size])
        refused(folder)
    (folder / name).unlink()
    refused(folder, name)


def test_swapped_files_are_damage(folder, saved, data, tmp_path):
    other = fitted(data, recipe="composition")
    save_model(other, tmp_path / "other")
    shutil.copy(tmp_path / "other" / "arrays.npz", folder)
    refused(folder, "arrays.npz was changed")
    shutil.copy(tmp_path / "other" / "model.json", folder)
    load_model(folder)  # the whole of the other model, under this name
    shutil.copy(saved[1] / "arrays.npz", folder)
    refused(folder, "arrays.npz was changed")


def test_a_card_may_be_edited_and_is_not_lost(folder, saved):
    with (folder / "README.md").open("a") as file:
        file.write("Our own words.")
    load_model(folder)
    with pytest.raises(FileExistsError, match=r"README\.md, which was edited"):
        save_model(saved[0], folder)
    assert "Our own words." in (folder / "README.md").read_text()


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


def test_nothing_in_a_folder_runs(folder, monkeypatch, tmp_path):
    """Pickles, wherever they are, are not opened; with checksums that fit."""
    monkeypatch.chdir(tmp_path)
    (folder / "model.pkl").write_bytes(pickle.dumps(Bomb()))
    load_model(folder)  # what is not in the list is not looked at
    (folder / "model.pkl").unlink()
    for content in (pickle.dumps(Bomb()), b"import os; os.system('touch exploded')"):
        (folder / "arrays.npz").write_bytes(content)
        sign(folder)
        refused(folder)
    array = np.array([Bomb()], dtype=object)
    np.savez(folder / "arrays.npz", **{"model": array})
    sign(folder)
    refused(folder)
    assert not (tmp_path / "exploded").exists()


HOSTILE = [
    {"class": "os.system", "state": {"params": {}, "fitted": {}}},
    {"class": "Popen", "state": {"params": {"args": "true"}, "fitted": {}}},
    {"class": "FunctionTransformer", "state": {"params": {"func": {"function": "eval"}}}},
    {"function": "system"},
    {"class": "StandardScaler", "state": {"params": {}, "fitted": {"__class__": "x"}}},
    {"class": "StandardScaler", "state": {"params": {}, "fitted": {"transform": "x"}}},
    {"class": "StandardScaler", "state": {"params": {"nothing": 1}, "fitted": {}}},
    {"class": "CrystalPipeline", "state": {"params": {"steps": [], "memory": "/"}, "fitted": {}}},
    {"class": "GaussianProcessRegressor", "state": {"params": {}, "fitted": {}, "blocks": [2]}},
    {"class": "distribution", "state": {"args": [], "kwds": {"dict": []}, "name": "rv_discrete"}},
    {"class": "RandomState", "state": {"bit_generator": "x"}},
    {"array": "../../etc/passwd"},
    {"network": 7},
    {"scalar": "O", "value": "x"},
    {"scalar": "nothing", "value": "x"},
    {"objects": [1, 2], "shape": [1]},
    {"pickle": "gASV"},
    {"tuple": [{"what": "x"}]},
    {"float": "1e5"},
    {},
    "text",
    None,
    7,
]


@pytest.mark.parametrize("model", HOSTILE, ids=str)
def test_descriptions_of_what_is_no_model_are_refused(folder, model):
    sign(folder, model=model)
    refused(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {"networks": [{"name": "/etc/passwd", "digest": "", "readout_digest": ""}]},
        {"networks": [{"name": None, "digest": "", "readout_digest": ""}]},
        {"networks": None},
        {"check": None, "model": []},
        {"check": [[1.0], [1.0]]},
        {"check": "text"},
        {"versions": None},
        {"about": None},
        {"format": "skcfgp-megnet-2"},
        {"format": None},
    ],
    ids=str,
)
def test_descriptions_that_make_no_sense_are_refused(folder, changed):
    sign(folder, **changed)
    with pytest.raises(ValueError, match="model"):
        load_model(folder)


def test_deep_descriptions_are_refused(folder):
    deep = "[" * 100_000 + "]" * 100_000
    (folder / "model.json").write_text(deep)
    refused(folder)


def test_other_numbers_than_when_it_was_saved_are_an_error(folder):
    arrays = arrays_from_bytes((folder / "arrays.npz").read_bytes())
    (name,) = (name for name in arrays if name.endswith("alpha_"))
    arrays[name] = arrays[name] * 1.1
    (folder / "arrays.npz").write_bytes(arrays_to_bytes(arrays))
    sign(folder)
    refused(folder, "predicts other numbers than when it was saved")


def test_a_newer_format_says_so(folder):
    sign(folder, format="skcfgp-model-2", skcfgp="9.1", model=None, files=None)
    refused(folder, "was written by a newer version, skcfgp 9.1", "Update skcfgp")


def test_other_versions_are_a_note(folder):
    content = json.loads((folder / "model.json").read_text())
    sign(folder, versions=content["versions"] | {"numpy": "1.2.3", "python": "3.1"})
    with pytest.warns(OtherVersionWarning, match=r"with numpy 1\.2\.3 \(here [\d.]+\): "):
        load_model(folder)


def test_what_is_no_folder_of_a_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load_model(tmp_path / "missing")
    problems = {"file": "model.json", "empty": "model.json", "network": "name it with --weights"}
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    save_network(load_network(WEIGHTS), tmp_path / "network")
    for name, word in problems.items():
        with pytest.raises(ValueError, match=word):
            load_model(tmp_path / name)


def test_what_is_not_ours_is_never_replaced(saved, folder, tmp_path):
    model, _ = saved
    (tmp_path / "file").write_text("x")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("x")
    (folder / "notes.txt").write_text("x")
    for path, word in ((tmp_path / "file", "is a file"), (tmp_path / "thesis", "thesis.tex")):
        with pytest.raises(FileExistsError, match=word):
            save_model(model, path)
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        save_model(model, folder)
    (folder / "notes.txt").unlink()
    save_model(model, folder, target="again")
    assert model_card(folder)["target"] == "again"
    (tmp_path / "empty").mkdir()
    save_model(model, tmp_path / "empty")
    load_model(tmp_path / "empty")
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space is left"), ValueError("x")])
def test_a_folder_is_written_whole_or_not_at_all(saved, folder, tmp_path, monkeypatch, error):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(*arguments):
        raise error

    monkeypatch.setattr(persistence, "write_description", fail)
    for path in (folder, tmp_path / "new"):
        with pytest.raises(type(error) if isinstance(error, Exception) else error):
            save_model(saved[0], path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(saved, folder, monkeypatch):
    replace, calls = os.replace, []

    def fail_once(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_once)
    with pytest.raises(KeyboardInterrupt):
        save_model(saved[0], folder, target="new")
    assert model_card(folder)["target"] == "stability"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_ctrl_c_at_any_time_leaves_a_whole_model(tmp_path):
    code = (
        "import numpy as np, signal, sys\n"
        "from skcfgp import GaussianProcessRegressor, save_model\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "gp = GaussianProcessRegressor(optimizer=None).fit(np.eye(30), np.arange(30.0))\n"
        "save_model(gp, sys.argv[1], target='x'); print('ready', flush=True)\n"
        "while True: save_model(gp, sys.argv[1], target='x')"
    )
    rng = np.random.default_rng(0)
    for _ in range(3):
        command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "model")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        time.sleep(rng.uniform(0.2, 0.8))
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.stdout.close()
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
        assert model_card(tmp_path / "model")["target"] == "x"


def test_what_has_another_class_is_for_skops(data, tmp_path):
    X, y, _ = data
    trees = make_pipeline(CompositionFeaturizer(), ExtraTreesRegressor(5))
    trees.fit(X["structure"], y)
    with pytest.raises(TypeError, match=r"ExtraTreesRegressor.*skops\.io\.dump\(model, "):
        save_model(trees, tmp_path / "model")
    log = MonotoneTargetRegressor(
        GaussianProcessRegressor(optimizer=None), func=lambda y: y, inverse_func=lambda y: y
    )
    with pytest.raises(TypeError, match=r"model/func is the function .*<lambda>"):
        save_model(log.fit(np.eye(3), [1.0, 2.0, 3.0]), tmp_path / "model")

    class Own(GaussianProcessRegressor):
        pass

    with pytest.raises(TypeError, match="Own"):
        save_model(Own(optimizer=None).fit(np.eye(3), [1.0, 2.0, 3.0]), tmp_path / "model")
    with pytest.raises(NotFittedError):
        save_model(make_cfgp(recipe="composition"), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_the_training_must_be_what_was_learnt(saved, data, tmp_path):
    model, _ = saved
    X, y, _ = data
    with pytest.raises(ValueError, match="training has 3 crystals and 3 labels, and the model 40"):
        save_model(model, tmp_path / "model", training=(X["structure"][:3], y[:3]))
    save_model(model, tmp_path / "model", training=(X["structure"], y))
    found = persistence.training_labels(tmp_path / "model")
    assert found.ids == list(X.index)
    np.testing.assert_array_equal(found.y, y)
    assert found.y_std is None


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3000.0).reshape(1000, 3) / [1, 3, 2],
        np.arange(2000.0) / 3,
        np.arange(2000.0),
        np.array([np.nan, np.inf, -0.0, 1e-310, 1e300] * 400),
        np.full((2000, 1), -0.0),
        np.asfortranarray(np.eye(50)),
        np.zeros((0, 3)),
        np.array(2.5),
        np.array(["é", "abc"]),
        np.arange(5, dtype=">i4"),
        np.array([True, False]),
        np.ones((4, 5, 60)),
    ],
)
def test_arrays_come_back_bit_by_bit(array):
    content = arrays_to_bytes({"a/b": array, "c": array[..., None]})
    found = arrays_from_bytes(content)
    for back, expected in ((found["a/b"], array), (found["c"], array[..., None])):
        assert back.dtype == expected.dtype
        assert back.shape == expected.shape
        assert back.tobytes() == expected.tobytes()
    assert arrays_to_bytes({"a/b": array, "c": array[..., None]}) == content


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        0.1,
        float("inf"),
        "text",
        [1, (2, "x"), {"a": slice(None, 3)}],
        {1: 2, "b": (None,)},
        np.float32(0.1),
        np.str_("x"),
        np.bool_(True),
        slice(1, None, 2),
        np.log10,
    ],
    ids=repr,
)
def test_values_come_back_as_they_were(value):
    writer = ToPlain()
    plain = json.loads(json.dumps(writer(value), allow_nan=False))
    back = FromPlain(writer.arrays, [])(plain)
    assert back == value
    assert type(back) is type(value)


def test_a_random_state_goes_on_where_it_was():
    rng = np.random.RandomState(3)
    rng.normal(size=3)
    writer = ToPlain()
    back = FromPlain(writer.arrays, [])(json.loads(json.dumps(writer(rng))))
    np.testing.assert_array_equal(back.normal(size=5), rng.normal(size=5))


def test_each_class_has_a_name_of_its_own():
    assert len({part.cls for part in PARTS.values()}) == len(PARTS)
