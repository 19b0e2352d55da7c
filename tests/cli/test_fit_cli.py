"""`skcfgp fit` and ``--model``: learnt once, and the same numbers wherever the folder goes."""

import csv
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp import GaussianProcessRegressor, load_model, save_model
from skcfgp.campaign import Campaign
from skcfgp.cli import main
from skcfgp.models import model_card
from skcfgp.models.default import BUNDLED_MODEL, fit_bundled, fit_predictor
from skcfgp.models.persistence import training_labels
from skcfgp.network import load_network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
COMPOSITION = ("--recipe", "composition")


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(path, header, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory, formation_energy):
    """30 labelled formulas, 6 new ones of which one is none, and the model that was learnt."""
    folder = tmp_path_factory.mktemp("fit")
    formulas, y = formation_energy.formula, np.exp(formation_energy.target)
    rows = [(f"t{i}", formulas[i], y[i], 0.01 * i) for i in range(30)]
    write(folder / "train.csv", ("id", "formula", "stability", "label_std"), *rows)
    new = [*((f"n{i}", formulas[-i]) for i in range(1, 6)), ("bad", "Xx")]
    write(folder / "new.csv", ("id", "formula"), *new)
    options = [*COMPOSITION, "--unit", "kJ", "--log", "--out", folder / "model"]
    result = invoke("fit", folder / "train.csv", *options)
    assert result.exit_code == 0, result.output
    (folder / "said.txt").write_text(result.stdout)
    return folder


def test_fit_says_what_was_learnt_and_how_good_it_is(folder):
    said = (folder / "said.txt").read_text().splitlines()
    card = model_card(folder / "model")
    assert said[0] == "30 labels of the logarithm of stability (kJ), recipe composition"
    assert "each label when it is learnt from the others" in said[1]
    errors = card["evaluation"]["errors"]
    lines = [line.split() for line in said]
    assert ["mean", "absolute", "error", f"{errors['mae']:.4g}", "kJ"] in lines
    assert ["R2", f"{errors['r2']:.4g}"] in lines
    assert f"wrote {folder / 'model'}: README.md, arrays.npz, model.json" in said[-2]
    assert said[-1] == f"next: skcfgp predict new.csv --model {folder / 'model'}"
    assert {name: card[name] for name in ("target", "unit", "log", "has_label_std")} == {
        "target": "stability",
        "unit": "kJ",
        "log": True,
        "has_label_std": True,
    }
    known = pd.read_csv(folder / "train.csv")
    learnt = training_labels(folder / "model")
    assert learnt.ids == known["id"].tolist()
    np.testing.assert_array_equal(learnt.y, known["stability"])
    np.testing.assert_array_equal(learnt.y_std, known["label_std"])


def test_the_errors_are_those_of_the_labels_left_out(folder):
    """Each label is predicted by a process of the others, fitted with the same hyper-parameters."""
    from sklearn.base import clone

    gp = load_model(folder / "model")[-1].regressor_.estimator_
    fixed = clone(gp).set_params(kernel=gp.kernel_, optimizer=None, normalize_y=False)
    error, label_std = [], gp.label_std_ / gp.y_scale_
    for row in range(30):
        rest = np.arange(30) != row
        fixed.fit(gp.X_train_[rest], gp.y_train_[rest], y_std=label_std[rest])
        log = fixed.predict(gp.X_train_[[row]]) * gp.y_scale_ + gp.y_mean_
        error.append(10 ** log[0] - 10 ** gp.targets_[row])
    found = model_card(folder / "model")["evaluation"]["errors"]
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(error))))


@pytest.mark.parametrize("where", [[], ["-o", "out.csv"], ["-o", "out.json"]])
def test_predict_by_train_and_by_model_give_the_same_numbers(folder, tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "model", tmp_path / "sent")
    known = [*COMPOSITION, "--train", folder / "train.csv", "--unit", "kJ", "--log"]
    found = []
    for options in (known, ["--model", "sent"]):
        result = invoke("predict", folder / "new.csv", *options, "--coverage", 0.8, *where)
        assert result.exit_code == 1  # one formula is none
        found.append((tmp_path / where[-1]).read_text() if where else result.stdout)
    assert found[0] == found[1]
    assert "kJ" in found[0]


def test_another_process_predicts_the_same(folder, tmp_path):
    shutil.copytree(folder / "model", tmp_path / "sent")
    here = invoke("predict", folder / "new.csv", "--model", folder / "model")
    command = [sys.executable, "-W", "ignore", "-m", "skcfgp.cli", "predict"]
    command += [str(folder / "new.csv"), "--model", str(tmp_path / "sent")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    there = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert there.stdout == here.stdout
    assert "versions" not in there.stderr


def test_screen_by_train_and_by_model_give_the_same_numbers(folder, tmp_path):
    known = [*COMPOSITION, "--train", folder / "train.csv", "--unit", "kJ", "--log"]
    said, tables = [], []
    for number, options in enumerate((known, ["--model", folder / "model"])):
        out = tmp_path / f"{number}.csv"
        result = invoke("screen", folder / "new.csv", "--below", "1 kJ", *options, "-o", out)
        assert result.exit_code == 1
        said.append(result.stdout.replace(str(out), ""))
        tables.append(out.read_text())
    assert said[0] == said[1]
    assert tables[0] == tables[1]
    for options in (known, ["--model", folder / "model"]):  # the second finds all parts there
        result = invoke("screen", folder / "new.csv", *options, "-o", tmp_path / "pool")
        assert "another model" not in result.output
        assert (tmp_path / "pool" / "top.csv").exists(), result.output
    other = invoke("screen", folder / "new.csv", "--below", "1 GPa", "--model", folder / "model")
    assert "the bound is in GPa, and the predictions are in kJ" in other.output


@pytest.mark.parametrize("command", ["predict", "screen"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unit", "GPa"], "--unit GPa contradicts the model"),
        (["--unit", "GPa"], "where it is kJ"),
        (["--target", "gap"], "--target gap contradicts the model"),
        (["--recipe", "paper"], "--recipe paper contradicts the model"),
        (["--weights", "Eform_MP_2019"], "where it is none"),
        (["--layer", "readout_0"], "--layer readout_0 contradicts"),
        (["--columns", "kelvin"], "--columns kelvin contradicts"),
        (["--train", "train.csv"], "--train has no effect with --model"),
    ],
)
def test_an_option_that_contradicts_the_model_is_an_error(
    folder, monkeypatch, command, options, message
):
    monkeypatch.chdir(folder)
    condition = ["--below", "1"] if command == "screen" else []
    result = invoke(command, "new.csv", "--model", "model", *condition, *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not result.stdout


def test_an_option_that_agrees_with_the_model_is_none(folder):
    options = ["--unit", "kJ", "--target", "stability", *COMPOSITION, "--log"]
    plain = invoke("predict", folder / "new.csv", "--model", folder / "model")
    agreed = invoke("predict", folder / "new.csv", "--model", folder / "model", *options)
    assert agreed.stdout == plain.stdout


@pytest.mark.parametrize("command", ["predict", "screen", "campaign init"])
def test_a_folder_that_is_no_model_is_one_line(folder, tmp_path, command):
    (tmp_path / "empty").mkdir()
    shutil.copytree(folder / "model", tmp_path / "damaged")
    with (tmp_path / "damaged" / "arrays.npz").open("ab") as file:
        file.write(b"x")
    shutil.copytree(folder / "model", tmp_path / "newer")
    content = json.loads((tmp_path / "newer" / "model.json").read_text())
    content["format"] = "skcfgp-model-9"
    (tmp_path / "newer" / "model.json").write_text(json.dumps(content))
    files = [folder / "new.csv"]
    if command == "campaign init":
        files = [tmp_path / "campaign", "--pool", folder / "new.csv"]
    elif command == "screen":
        files += ["--below", "1"]
    for name, word in (
        ("empty", "is no model"),
        ("damaged", "changed"),
        ("newer", "newer version"),
    ):
        result = invoke(*command.split(), *files, "--model", tmp_path / name)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert str(tmp_path / name) in result.stderr
        assert word in result.stderr
    assert not (tmp_path / "campaign").exists()


def test_a_model_of_numbers_is_refused(rock_salt, tmp_path):
    rock_salt.to(str(tmp_path / "salt.cif"))
    save_model(GaussianProcessRegressor(optimizer=None).fit(np.eye(3), [1, 2, 3]), tmp_path / "m")
    result = invoke("predict", tmp_path / "salt.cif", "--model", tmp_path / "m")
    assert result.exit_code == 2
    assert "begins with GaussianProcessRegressor and takes no crystals" in result.output


def test_what_is_in_the_way_is_said_before_the_work(folder, tmp_path, monkeypatch):
    from skcfgp.models import default

    monkeypatch.setattr(default, "fit_predictor", None)  # nothing is fitted
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("x")
    result = invoke("fit", folder / "train.csv", *COMPOSITION, "-o", tmp_path / "thesis")
    assert result.exit_code == 1
    assert "is not replaced: it holds thesis.tex" in result.stderr


def test_rows_that_cannot_be_used_are_named_and_the_others_learnt(folder, tmp_path):
    text = (folder / "train.csv").read_text() + "x,Xx,1.0,0\ny,NaCl,n/a,0\n"
    (tmp_path / "train.csv").write_text(text)
    options = [*COMPOSITION, "--target", "stability", "-o", tmp_path / "model"]
    result = invoke("fit", tmp_path / "train.csv", *options)
    assert result.exit_code == 1
    assert "2 rows of LABELLED could not be used" in result.stderr
    assert model_card(tmp_path / "model")["n_labels"] == 30
    assert model_card(tmp_path / "model")["unit"] == ""


def test_a_campaign_begins_with_a_model(folder, tmp_path):
    known, new = (pd.read_csv(folder / name) for name in ("train.csv", "new.csv"))
    pool = [*zip(known["id"] + "-again", known["formula"], strict=True)][:12]
    write(tmp_path / "pool.csv", ("id", "formula"), *pool, *new.to_numpy()[:5].tolist())
    result = invoke(
        *("campaign", "init", tmp_path / "c", "--pool", tmp_path / "pool.csv"),
        *("--model", folder / "model", "--goal", "maximize"),
    )
    assert result.exit_code == 0, result.output
    assert "the model learnt 30 labels; those of crystals in the pool are taken" in result.stderr
    state = Campaign(tmp_path / "c").state()
    settings = {name: state.settings[name] for name in ("target", "unit", "log", "recipe")}
    assert settings == {
        "target": "stability",
        "unit": "kJ",
        "log": True,
        "recipe": "composition",
    }
    values = dict(zip(known["id"] + "-again", known["stability"], strict=True))
    assert state.labels == {id_: values[id_] for id_, _ in pool}
    other = invoke(
        *("campaign", "init", tmp_path / "d", "--pool", tmp_path / "pool.csv"),
        *("--model", folder / "model", "--unit", "GPa"),
    )
    assert "--unit GPa contradicts the model" in " ".join(other.output.split())
    without = invoke("campaign", "init", tmp_path / "d", "--pool", tmp_path / "pool.csv")
    assert "Missing option '--target'" in without.output


def test_labels_that_contradict_each_other_are_not_taken(folder, tmp_path):
    known = pd.read_csv(folder / "train.csv").drop(columns="label_std")
    twice = pd.DataFrame({"id": ["twice"], "formula": known["formula"][:1], "stability": [7.0]})
    pd.concat([known, twice]).to_csv(tmp_path / "train.csv", index=False)
    options = ["--unit", "eV", *COMPOSITION, "-o", tmp_path / "model"]
    assert invoke("fit", tmp_path / "train.csv", *options).exit_code == 0
    pool = [("p", known["formula"][0]), ("q", known["formula"][1]), ("r", "RbCl")]
    write(tmp_path / "pool.csv", ("id", "formula"), *pool)
    result = invoke(
        *("campaign", "init", tmp_path / "c", "--pool", tmp_path / "pool.csv"),
        *("--model", tmp_path / "model"),
    )
    assert result.exit_code == 1
    assert f"p: the model learnt {known['stability'][0]:g} and 7 for equal" in result.output
    assert Campaign(tmp_path / "c").state().labels == {"q": known["stability"][1]}


@pytest.mark.network
def test_a_model_with_columns_asks_for_them(formation_energy, tmp_path):
    for name, rows in (("train", range(25)), ("new", range(25, 30))):
        table = pd.DataFrame(
            {
                "structure": [json.dumps(formation_energy.structures[i].as_dict()) for i in rows],
                "kelvin": [300.0 + i for i in rows],
                "energy": [formation_energy.target[i] for i in rows],
            },
            index=pd.Index([f"x{i}" for i in rows], name="id"),
        )
        table.drop(columns=["energy"] if name == "new" else []).to_csv(tmp_path / f"{name}.csv")
    known = ["--columns", "kelvin", "--target", "energy", "--weights", "formation_energy_1800"]
    result = invoke("fit", tmp_path / "train.csv", *known, "-o", tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert "predict new.csv --model" in result.stdout
    by_train = invoke("predict", tmp_path / "new.csv", *known, "--train", tmp_path / "train.csv")
    by_model = invoke("predict", tmp_path / "new.csv", "--model", tmp_path / "model")
    assert by_train.exit_code == by_model.exit_code == 0, by_model.output
    assert by_train.stdout == by_model.stdout
    pool = pd.read_csv(tmp_path / "new.csv").drop(columns="kelvin")
    pool.to_csv(tmp_path / "plain.csv", index=False)
    refused = invoke("predict", tmp_path / "plain.csv", "--model", tmp_path / "model")
    assert "kelvin" in refused.output
    begun = invoke(
        *("campaign", "init", tmp_path / "c", "--pool", tmp_path / "new.csv"),
        *("--model", tmp_path / "model", "--unit", "eV/atom"),
    )
    assert begun.exit_code == 0, begun.output
    assert "labels of the model are not taken" in begun.stderr
    settings = Campaign(tmp_path / "c").state().settings
    assert (settings["columns"], settings["weights"]) == (["kelvin"], "formation_energy_1800")


def test_the_bundled_model_is_of_the_bundled_data_and_network(formation_energy):
    card, learnt = model_card(BUNDLED_MODEL), training_labels(BUNDLED_MODEL)
    data = formation_energy
    (network,) = card["networks"]
    assert network["name"] == "formation_energy_1800"
    assert network["digest"] == load_network("formation_energy_1800").digest()
    known = data.split != "test"
    assert learnt.ids == data.material_id[known].tolist()
    np.testing.assert_array_equal(learnt.y, data.target[known])
    assert (card["target"], card["unit"]) == (data.target_name, data.unit)
    assert (card["recipe"], card["calibration"]) == ("recommended", "student_t")
    assert sum(path.stat().st_size for path in BUNDLED_MODEL.iterdir()) < 1.7e6


@pytest.mark.network
def test_the_bundled_model_knows_its_crystals(formation_energy):
    model, unit = fit_predictor()
    assert unit == "eV/atom"
    rows = [0, 1, 900, 1800, 3000]
    features = model[:-1].transform(formation_energy.structures[rows])
    gp = model[-1].estimator_
    np.testing.assert_allclose(features, gp.X_train_[rows], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(gp.targets_[rows], formation_energy.target[rows])
    assert model[-1].n_calibration_ == 180


@pytest.mark.network
def test_the_bundled_model_is_the_one_that_is_fitted_now(formation_energy, nightly):
    if not nightly:
        pytest.skip("fits 3,227 labels: SKCFGP_NIGHTLY=1")
    bundled, (fitted, _) = load_model(BUNDLED_MODEL), fit_bundled()
    X = formation_energy.structures[formation_energy.split == "test"][:200]
    found = [model.predict(X, return_std=True) for model in (bundled, fitted)]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        bundled[-1].estimator_.kernel_.theta, fitted[-1].estimator_.kernel_.theta, rtol=1e-6
    )
