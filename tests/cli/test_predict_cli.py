"""`skcfgp predict` and `screen`: one model, one meaning of each option, no row lost."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp import make_cfgp
from skcfgp.calibration import predict_distribution
from skcfgp.cli import main
from skcfgp.cli import model as model_of_commands
from skcfgp.models import predict_crystals
from skcfgp.screening import Condition
from skcfgp.screening.conditions import probability_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
COMPOSITION = ("--recipe", "composition")


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows_of(text):
    return list(csv.DictReader(text.splitlines()))


def write(path, header, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def tables(tmp_path, formation_energy):
    """30 labelled formulas and 4 new ones, as tables."""
    names = formation_energy.formula if "formula" in formation_energy else None
    crystals = formation_energy.structures
    formula = [c.composition.reduced_formula for c in crystals] if names is None else names
    rows = [(f"t{i}", formula[i], formation_energy.target[i]) for i in range(30)]
    train = write(tmp_path / "train.csv", ("id", "formula", "energy"), *rows)
    new = write(tmp_path / "new.csv", ("id", "formula"), *((f"n{i}", formula[-i]) for i in (1, 2)))
    return train, new


@pytest.mark.parametrize("command", ["predict", "screen"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unit", "GPa"], "--unit has no effect without --train"),
        (["--target", "K_VRH"], "--target has no effect without --train"),
        (["--log"], "--log has no effect without --train"),
        (["--estimates", "gap"], "--estimates has no effect without --train"),
        ([*COMPOSITION, "--layer", "readout_0"], "--layer has no effect with --recipe composition"),
        ([*COMPOSITION, "--weights", "x"], "--weights has no effect with --recipe composition"),
        (
            ["--train", "{train}", *COMPOSITION, "--estimates", "gap"],
            "--estimates has no effect with another recipe than the recommended one",
        ),
        (["--out", "missing/p.csv"], "cannot be written"),
        (["--coverage", "1.5"], "--coverage"),
    ],
)
def test_options_without_effect_are_errors_before_the_work(tables, command, options, message):
    condition = ["--below", "0"] if command == "screen" else []
    options = [option.replace("{train}", str(tables[0])) for option in options]
    result = invoke(command, tables[1], *condition, *options)
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.output.split())
    assert not result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--below", "0", "--top", "5"], "--top has no effect without --out FOLDER"),
        (["--below", "0", "--chunk-size", "5"], "--chunk-size has no effect without --out FOLDER"),
        (["--out", "folder", "--cut", "0.9"], "--cut has no effect without a condition"),
        (["--above", "300"], "300 is no formation energy in eV/atom"),
        (["--above", "300 GPa"], "the bound is in GPa, and the predictions are in eV/atom"),
        (["--between", "1 eV", "2 GPa"], "the bounds have different units: GPa and eV"),
        (["--above", "much"], "'much' is not a number"),
    ],
)
def test_screen_compares_in_the_right_unit_or_refuses(tables, options, message):
    result = invoke("screen", tables[1], *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_bound_is_checked_against_the_unit_of_the_labels(tables):
    train = ("--train", tables[0], *COMPOSITION)
    known = invoke("screen", tables[1], "--below", "0 eV/atom", *train, "--unit", "eV/atom")
    assert known.exit_code == 0, known.output
    assert known.stdout.startswith("below 0 eV/atom: ")
    assert "eV/atom, p = " in known.stdout
    other = invoke("screen", tables[1], "--below", "0 meV", *train, "--unit", "eV/atom")
    assert "the bound is in meV, and the predictions are in eV/atom" in other.output
    nameless = invoke("screen", tables[1], "--below", "0 meV", *train)
    assert "the predictions have no unit; name it with --unit" in nameless.output


def test_predict_screen_and_python_give_the_same_numbers(tables, tmp_path):
    train, new = tables
    options = ["--train", train, *COMPOSITION, "--unit", "eV/atom"]
    out = tmp_path / "p.csv"
    assert invoke("predict", new, *options, "-o", out).exit_code == 0
    screened = invoke("screen", new, *options, "--below", "0", "-o", tmp_path / "s.csv")
    assert screened.exit_code == 0, screened.output
    pool = invoke("screen", new, *options, "--below", "0", "-o", tmp_path / "pool")
    assert pool.exit_code == 0, pool.output
    known, rows = pd.read_csv(train), pd.read_csv(new)
    model = make_cfgp(recipe="composition", calibrated=True).fit(known["formula"], known["energy"])
    expected = predict_crystals(model, rows.set_index("id")["formula"], "eV/atom")
    mean, std = model.predict(rows["formula"], return_std=True)
    np.testing.assert_allclose(expected[["prediction", "std"]].T, [mean, std], rtol=1e-6)
    lower, upper = predict_distribution(model, rows["formula"]).interval(0.95)
    np.testing.assert_allclose(expected[["lower", "upper"]].T, [lower, upper])
    for name in ("p.csv", "s.csv", "pool/top.csv"):
        found = pd.read_csv(tmp_path / name).set_index("id").loc[rows["id"]]
        for column in ("prediction", "std", "lower", "upper", "df"):
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-6)
        assert set(found["unit"]) == {"eV/atom"}


def test_the_odds_are_those_of_the_distribution(tables, tmp_path):
    known, rows = (pd.read_csv(path) for path in tables)
    model = make_cfgp(recipe="composition", calibrated=True).fit(known["formula"], known["energy"])
    table = predict_crystals(model, rows["formula"])
    assert np.isfinite(table["df"]).all()
    for bound in (-2.0, -1.0, 0.0, 3.0):
        p = Condition.of(below=bound).probability(table["prediction"], table["std"], table["df"])
        np.testing.assert_allclose(p, predict_distribution(model, rows["formula"]).cdf(bound))
    gaussian = Condition.of(above=1.0).probability([0.0], [0.5])
    assert Condition.of(above=1.0).probability([0.0], [0.5], [np.inf]) == gaussian
    assert Condition.of(above=1.0).probability([0.0], [0.5], 1e9) == pytest.approx(gaussian, 1e-6)


@pytest.mark.parametrize("coverage", [0.5, 0.95])
def test_the_interval_has_the_coverage_that_was_asked_for(tables, coverage):
    found = invoke("predict", tables[1], "--train", tables[0], *COMPOSITION, "--coverage", coverage)
    assert found.exit_code == 0, found.output
    widths = {float(r["upper"]) - float(r["lower"]) for r in rows_of(found.stdout)}
    wider = invoke("predict", tables[1], "--train", tables[0], *COMPOSITION, "--coverage", 0.99)
    assert max(widths) < min(float(r["upper"]) - float(r["lower"]) for r in rows_of(wider.stdout))


def test_one_label_that_is_none_refuses_its_row_and_not_the_run(tables):
    train, new = tables
    text = train.read_text().splitlines()
    text[3] = text[3].rsplit(",", 1)[0] + ",n/a"
    text += [text[1], text[5].rsplit(",", 1)[0] + ",7.0", "x,Xx,1.0"]
    train.write_text("\n".join(text))
    result = invoke("predict", new, "--train", train, *COMPOSITION)
    assert result.exit_code == 1
    assert [row["error"] for row in rows_of(result.stdout)] == ["", ""]
    lines = result.stderr.splitlines()
    assert lines[0].endswith("3 rows cannot be used:")
    assert lines[1].split() == ["line", "id", "reason"]
    assert [line.split()[:2] for line in lines[2:5]] == [["4", "t2"], ["33", "t4"], ["34", "x"]]
    assert "'n/a' is not a number" in lines[2]
    assert "the value 7.0 contradicts the known one" in lines[3]
    assert "1 crystals are there twice: t0" in result.stderr
    assert "3 rows of --train could not be used" in lines[-1]


def test_many_refused_rows_are_a_table_with_an_end(tables):
    train, new = tables
    train.write_text(train.read_text() + "".join(f"b{i},NaCl,n/a\n" for i in range(50)))
    result = invoke("predict", new, "--train", train, *COMPOSITION)
    assert "50 rows cannot be used" in result.stderr
    assert "and 30 more." in result.stderr
    assert max(map(len, result.stderr.splitlines())) < 200


def test_a_model_that_needs_structures_names_the_rows_that_have_none(
    tables, tmp_path, formation_energy
):
    formulas = invoke("predict", tables[1], "--train", tables[0])
    assert "not used: n1: it is a formula without a structure" in formulas.stderr
    assert [row["id"] for row in rows_of(formulas.stdout)] == ["n1", "n2"]
    formation_energy.structures[-1].to(str(tmp_path / "new.vasp"), fmt="poscar")
    result = invoke("predict", tmp_path / "new.vasp", "--train", tables[0])
    assert result.exit_code == 1
    assert "line 2: t0: it is a formula without a structure" in result.output
    assert result.output.count("--recipe composition") == 1
    assert "(and 29 rows more)" in result.output


def test_rows_that_cannot_be_used_are_rows_with_a_reason(tables, tmp_path):
    train, new = tables
    new.write_text(new.read_text() + "bad,Xx\nshort\n,\nlast,NaCl\n")
    options = ["--train", train, *COMPOSITION]
    result = invoke("predict", new, *options)
    assert result.exit_code == 1
    rows = rows_of(result.stdout)
    assert [row["id"] for row in rows] == ["n1", "n2", "bad", "short", "last"]
    assert "line 4: Xx in the formula" in rows[2]["error"]
    assert "line 5: 1 fields where the header has 2" in rows[3]["error"]
    for out in ("s.csv", "pool"):
        screened = invoke("screen", new, *options, "--below", "0", "-o", tmp_path / out)
        assert screened.exit_code == 1
        assert "not used: bad: " in screened.stderr
        assert "not used: short: " in screened.stderr


def test_a_table_that_is_none_is_one_row_beside_the_others(tables, tmp_path):
    (tmp_path / "broken.csv").write_bytes(b"a,b\n1,2\n")
    options = ["--train", tables[0], *COMPOSITION]
    result = invoke("predict", tmp_path / "broken.csv", tables[1], *options)
    assert result.exit_code == 1
    rows = rows_of(result.stdout)
    assert [row["id"] for row in rows] == ["broken.csv", "n1", "n2"]
    assert "expected a column" in rows[0]["error"]
    assert rows[1]["prediction"]


@pytest.mark.parametrize("error", [MemoryError("no memory is left"), KeyboardInterrupt()])
@pytest.mark.parametrize("command", ["predict", "screen --below 0"])
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_finished_rows_survive_an_error_after_them(
    tables, tmp_path, monkeypatch, suffix, command, error
):
    from skcfgp.models import predictor

    calls, predict = [], predictor.predict_crystals

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return predict(*arguments)

    monkeypatch.setattr(model_of_commands, "PART", 1)
    monkeypatch.setattr(predictor, "predict_crystals", failing)
    out = tmp_path / f"p{suffix}"
    result = invoke(*command.split(), tables[1], "--train", tables[0], *COMPOSITION, "-o", out)
    assert result.exit_code == 1
    assert not out.exists()
    text = (tmp_path / f"p.unfinished{suffix}").read_text()
    rows = json.loads(text) if suffix == ".json" else rows_of(text)
    assert [row["id"] for row in rows] == ["n1"]
    assert "1 rows are finished, and are kept" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on files stands for a full disk")
@pytest.mark.parametrize("command", ["predict", "screen --below 0"])
def test_on_a_full_disk_the_rows_are_printed(tables, tmp_path, command):
    import resource

    out = tmp_path / "p.csv"
    arguments = [*command.split(), tables[1], "--train", tables[0], *COMPOSITION, "-o", out]
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "skcfgp.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert found.returncode == 1
    assert f"Error: {out} could not be written: " in found.stderr
    assert len(found.stderr.splitlines()) == 1
    lines = found.stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("id,"))
    assert {row["id"] for row in rows_of("\n".join(lines[start:]))} == {"n1", "n2"}
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv", "new.csv"]


@pytest.mark.parametrize("name", ["p.txt", "folder", "folder.csv"])
def test_a_table_is_csv_or_json(tables, tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    result = invoke("predict", tables[1], "--out", tmp_path / name)
    assert result.exit_code == 2
    assert "the name of a table must end in" in result.output or "is a folder" in result.output


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only there")
def test_names_that_are_not_utf_8(tables, tmp_path):
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.csv")
    options = ["--train", tables[0], *COMPOSITION]
    result = invoke("predict", tables[1], *options, "-o", out)
    assert result.exit_code == 0, result.output
    with open(out, encoding="utf-8") as file:
        assert len(rows_of(file.read())) == 2


def test_the_folder_of_cgcnn_gives_crystals_and_labels(tmp_path, formation_energy):
    folder = tmp_path / "cgcnn"
    folder.mkdir()
    for i in range(12):
        formation_energy.structures[i].to(str(folder / f"{i + 100}.cif"), fmt="cif")
    (folder / "atom_init.json").write_text('{"1": [0, 1]}')
    with (folder / "id_prop.csv").open("w") as file:
        file.writelines(f"{i + 100},{formation_energy.target[i]}\n" for i in range(12))
    result = invoke("predict", folder, "--train", folder / "id_prop.csv", *COMPOSITION)
    assert result.exit_code == 0, result.output
    assert [row["id"] for row in rows_of(result.stdout)] == [str(i + 100) for i in range(12)]
    same = invoke("predict", folder, "--labelled", folder, *COMPOSITION)
    assert same.stdout == result.stdout


def test_logarithms_are_learnt_and_answered_in_the_unit(tables, tmp_path):
    train, new = tables
    table = pd.read_csv(train)
    table["energy"] = 10.0 ** table["energy"]
    table.loc[3, "energy"] = -1.0
    table.to_csv(train, index=False)
    options = ["--train", train, *COMPOSITION, "--log", "--unit", "GPa"]
    result = invoke("predict", new, *options)
    assert result.exit_code == 1
    assert "the value '-1.0' is not positive and has no logarithm" in result.stderr
    found = pd.read_csv(io.StringIO(result.stdout))
    table, rows = table.drop(index=3), pd.read_csv(new)
    model = make_cfgp(recipe="composition", calibrated=True, log_target=True)
    model.fit(table["formula"], table["energy"])
    expected = model.predict(rows["formula"], return_std=True)
    np.testing.assert_allclose(found[["prediction", "std"]].T, expected, rtol=1e-6)
    assert (found["lower"] > 0).all()
    distribution = predict_distribution(model, rows["formula"])
    for condition in (Condition.of(below=0.1), Condition.of(between=(0.1, 3.0))):
        p = probability_of(found, condition)
        at_most = distribution.cdf(condition.low) if condition.low > 0 else 0.0
        np.testing.assert_allclose(p, distribution.cdf(condition.high) - at_most, rtol=1e-6)
    assert (probability_of(found, Condition.of(below=0.0)) == 0).all()


def test_a_standard_error_of_each_label_counts(tables):
    train, new = tables
    table = pd.read_csv(train)
    table["label_std"] = 0.4
    plain = pd.read_csv(io.StringIO(invoke("predict", new, "--train", train, *COMPOSITION).stdout))
    table.to_csv(train, index=False)
    result = invoke("predict", new, "--train", train, *COMPOSITION)
    assert result.exit_code == 0, result.output
    found, rows = pd.read_csv(io.StringIO(result.stdout)), pd.read_csv(new)
    model = make_cfgp(recipe="composition", calibrated=True)
    model.fit(table["formula"], table["energy"], gp__y_std=table["label_std"].to_numpy())
    np.testing.assert_allclose(found["prediction"], model.predict(rows["formula"]), rtol=1e-6)
    assert not np.allclose(found["prediction"], plain["prediction"])


def test_labels_may_name_the_crystals_that_are_predicted(tables, tmp_path):
    train, new = tables
    everything, labels = tmp_path / "everything.csv", tmp_path / "elsewhere" / "labels.csv"
    pd.read_csv(train)[["id", "formula"]].to_csv(everything, index=False)
    labels.parent.mkdir()
    pd.read_csv(train)[["id", "energy"]].to_csv(labels, index=False)
    found = invoke("predict", new, everything, "--train", labels, *COMPOSITION)
    assert found.exit_code == 0, found.output
    expected = invoke("predict", new, "--train", train, *COMPOSITION)
    for row, other in zip(rows_of(expected.stdout), rows_of(found.stdout), strict=False):
        assert row["id"] == other["id"]
        assert float(row["prediction"]) == pytest.approx(float(other["prediction"]))


def test_two_crystals_of_one_id_are_told_apart(tables, tmp_path):
    train, new = tables
    (tmp_path / "more.csv").write_text("id,formula\nn1,KI\nn1,LiF\nn3,NaCl\n")
    found = invoke("predict", new, tmp_path / "more.csv", "--train", train, *COMPOSITION)
    assert found.exit_code == 0, found.output
    ids = [row["id"] for row in rows_of(found.stdout)]
    assert len(set(ids)) == 5
    assert {"n2", "n3"} < set(ids)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only there")
def test_a_terminal_that_is_not_utf_8(tables, tmp_path):
    (tmp_path / "é.csv").write_text("id,formula\nβ-1,NaCl\n", encoding="utf-8")
    command = [sys.executable, "-m", "skcfgp.cli", "predict", tmp_path / "é.csv"]
    found = subprocess.run(
        [*map(str, command), "--train", str(tables[0]), *COMPOSITION],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
    )
    assert found.returncode == 0, found.stderr
    assert rows_of(found.stdout.decode("latin-1"))[0]["id"] == "?-1"
