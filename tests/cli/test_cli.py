import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import click
import numpy as np
import pytest
from click.testing import CliRunner

from skcfgp import __version__
from skcfgp.cli import Group, main
from skcfgp.cli.demo import run_demo
from skcfgp.cli.model import MODEL_NAMES
from skcfgp.datasets import load_formation_energy


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows_of(text):
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def written(formation_energy, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("files")
    data, folder = formation_energy, tmp_path / "crystals"
    folder.mkdir()
    for i in range(-4, 0):
        data.structures[i].to(str(folder / f"{data.material_id[i]}.cif"), fmt="cif")
    with (tmp_path / "labelled.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "energy"])
        for i in range(30):
            name = f"train-{i}.vasp"
            data.structures[i].to(str(tmp_path / name), fmt="poscar")
            writer.writerow([name, data.target[i]])
    return tmp_path


@pytest.fixture
def files(written, tmp_path):
    """Four crystals of the test set as CIF files, and 30 labelled ones."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    return tmp_path / "crystals"


def test_help_and_version():
    assert "Run the main job" in invoke("demo", "--help").output
    assert "skcfgp predict crystals/ --out" in invoke("predict", "-h").output
    assert __version__ in invoke("--version").output


@pytest.mark.parametrize("arguments", [["demos"], ["demo", "--cycles", "3"], ["predict"]])
def test_wrong_usage_is_exit_code_2(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_unwritable_folder_is_said_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    result = invoke("demo", "--out", tmp_path / "file" / "out")
    assert result.exit_code == 1
    assert result.output.startswith("Error: the folder")
    assert len(result.output.splitlines()) == 1


@pytest.mark.network
def test_demo(demo, tmp_path):
    """The main job with fewer cycles: table, CSV and figures."""
    table = demo.table()
    for word in (
        "MAE",
        "RMSE",
        "R2",
        "in 95 %",
        "area",
        "fixed test set",
        "remaining pool",
        "Seconds",
    ):
        assert word in table
    paths = demo.write(tmp_path)
    assert [path.name for path in paths] == [
        "predictions.csv",
        "learning_curves.csv",
        "parity.png",
        "residual.png",
        "calibration.png",
        "learning_curve.png",
    ]
    assert all(path.stat().st_size > 1000 for path in paths)
    rows = rows_of(paths[0].read_text())
    assert list(rows[0]) == [
        "material_id",
        "formula",
        "formation_energy_per_atom",
        "prediction",
        "std",
        "lower",
        "upper",
        "unit",
    ]
    assert len(rows) == 700
    for row in rows:
        assert float(row["lower"]) < float(row["prediction"]) < float(row["upper"])
    error = [float(r["prediction"]) - float(r["formation_energy_per_atom"]) for r in rows]
    assert np.mean(np.abs(error)) < 0.2  # eV/atom
    assert np.mean(np.abs(error)) == pytest.approx(
        np.abs(demo.prediction - demo.test.target).mean()
    )
    curves = rows_of(paths[1].read_text())
    assert len(curves) == 3 * 21
    assert {row["strategy"] for row in curves} == {"largest standard deviation", "random"}


@pytest.mark.network
def test_the_test_set_informs_nothing(demo, monkeypatch):
    """Law 7: other labels on the test set change no prediction and no choice."""

    def with_other_test_labels(**options):
        data = load_formation_energy(**options)
        data.target = np.where(data.split == "test", 1e3, data.target)
        return data

    monkeypatch.setattr("skcfgp.cli.demo.load_formation_energy", with_other_test_labels)
    other = run_demo(n_cycles=5, n_seeds=1, verbose=0)
    assert (other.test.target == 1e3).all()
    assert other.kernel == demo.kernel
    np.testing.assert_array_equal(other.prediction, demo.prediction)
    np.testing.assert_array_equal(other.std, demo.std)
    for name, (run, *_) in demo.curves.items():
        (same,) = other.curves[name]
        assert same.indices.tolist() == run.indices[: len(same)].tolist()
        # other lengths of the run sum the same numbers in other blocks
        np.testing.assert_allclose(same.mae_pool, run.mae_pool[: len(same)], rtol=1e-12)
        assert (same.mae_test > 900).all()


@pytest.mark.network
def test_predict_a_folder(files, formation_energy, tmp_path):
    out = tmp_path / "out.csv"
    result = invoke("predict", files, "--out", out)
    assert result.exit_code == 0, result.output
    rows = rows_of(out.read_text())
    numbers = ["prediction", "std", "lower", "upper", "df"]
    assert list(rows[0]) == ["id", "formula", *numbers, "unit", "error"]
    truth = dict(zip(formation_energy.material_id, formation_energy.target, strict=True))
    for row in rows:
        error = float(row["prediction"]) - truth[row["id"]]
        assert abs(error) < 5 * float(row["std"])
        assert row["unit"] == "eV/atom"


@pytest.mark.network
def test_predict_from_own_labels_and_a_broken_file(files, tmp_path):
    (files / "broken.cif").write_text("nothing\n")
    result = invoke(
        "predict",
        *sorted(files.iterdir()),
        "--train",
        tmp_path / "labelled.csv",
        "--weights",
        "formation_energy_1800",
        "--unit",
        "eV/atom",
    )
    assert result.exit_code == 1
    assert "1 of 5 crystals could not be used" in result.stderr
    rows = rows_of(result.stdout)
    (broken,) = [row for row in rows if row["id"] == "broken"]
    assert broken["prediction"] == broken["std"] == ""
    assert "could not be read as cif" in broken["error"]
    assert all(row["prediction"] and not row["error"] for row in rows if row is not broken)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,y\na.vasp,1\n", "expected a column 'structure', 'file'"),
        ("file,y,z\ntrain-0.vasp,1,2\n", "--target"),
        (
            "file,y\ntrain-0.vasp,1\ntrain-1.vasp,one\n",
            "line 3: train-1: the value 'one' is not a number",
        ),
        (
            "file,y\n\ntrain-0.vasp,1\ntrain-1.vasp,one\n",
            "line 4: train-1: the value 'one' is not a number",
        ),
        (
            "file,y\ntrain-0.vasp,1\ntrain-1.vasp\n",
            "line 3: train-1.vasp: 1 fields where the header has 2",
        ),
        ("\ufefffile,y\ntrain-0.vasp,1\n", "at least 2"),
        ("file,y\ntrain-0.vasp,nan\n", "line 2: train-0: there is no value"),
        ("file,y\ntrain-0.vasp,1\nmissing.vasp,1\n", "line 3: missing: there is no file"),
        ("file,y\ntrain-0.vasp,1\n", "at least 2"),
    ],
)
def test_mistakes_in_the_labels(files, tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_text(content, encoding="utf-8")
    result = invoke("predict", files, "--train", path)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.splitlines()) == 1


def test_misspelt_network(files, tmp_path):
    result = invoke("predict", files, "--weights", "Eform", "--train", tmp_path / "labelled.csv")
    assert result.exit_code == 1
    assert "Eform_MP_2019" in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "is_foreseen"),
    [
        (MemoryError(), True),
        (ValueError("Crystal 'a' has\nno atoms"), True),
        (FileNotFoundError(2, "No such file", "a.cif"), True),
        (ImportError("megnet needs Keras 2: pip install tf_keras"), True),
        (ModuleNotFoundError("No module named 'h5py'", name="h5py"), True),
        (ModuleNotFoundError("No module named 'skcfgp.quary'", name="skcfgp.quary"), False),
        (ImportError("cannot import name 'plam'", name="skcfgp.query"), False),
        (TypeError("f() takes 0 arguments"), False),
        (AttributeError("no attribute 'fitt'"), False),
    ],
)
def test_a_fault_of_the_program_is_one_line_and_exit_code_70(error, is_foreseen, monkeypatch):
    @click.group(cls=Group)
    def group():
        pass

    @group.command()
    @click.argument("file")
    def work(file):
        raise error

    result = CliRunner().invoke(group, ["work", "a b.cif"])
    assert len(result.output.splitlines()) == 1
    assert " ".join(str(error).split()) in result.output
    assert result.exit_code == (1 if is_foreseen else 70)
    if not is_foreseen:
        assert "fault of the program, in 'skcfgp work 'a b.cif''" in result.output
        assert type(error).__name__ in result.output
        assert "skcfgp doctor" in result.output
    monkeypatch.setenv("SKCFGP_TRACEBACK", "1")
    assert CliRunner().invoke(group, ["work", "x"]).exception is error


def interrupt_and_raise():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ValueError("a result with an exception set") from None


def interrupt_in_a_finalizer():
    class Held:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    Held()
    time.sleep(5)


@pytest.mark.parametrize("work", [interrupt_and_raise, interrupt_in_a_finalizer])
def test_interrupt_that_a_library_changes_or_drops(work):
    @click.group(cls=Group)
    def group():
        pass

    group.command("work")(work)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = CliRunner().invoke(group, ["work"])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 1
    assert result.output.strip() == "Aborted!"


@pytest.mark.network
def test_interrupt_is_no_traceback(tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "skcfgp.cli", "demo", "--out", str(tmp_path)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that runs tests in the background lets them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        time.sleep(6)
        process.send_signal(signal.SIGINT)
        output = "".join(process.communicate(timeout=60))
    assert process.returncode == 1
    assert "Aborted!" in output
    assert "Traceback" not in output


@pytest.mark.network
def test_predict_and_screen_give_the_same_numbers(files, tmp_path):
    """In memory, and in parts: one fit, one table."""
    model = ["--train", tmp_path / "labelled.csv", "--unit", "eV/atom", "--layer", "readout_0"]
    assert invoke("predict", files, *model, "--out", tmp_path / "predicted.csv").exit_code == 0
    screened = invoke("screen", files, *model, "--below", "9", "--out", tmp_path / "screened.csv")
    assert screened.exit_code == 0, screened.output
    pool = invoke("screen", files, *model, "--out", tmp_path / "pool")
    assert pool.exit_code == 0, pool.output
    names = ["predicted.csv", "screened.csv", "pool/top.csv"]
    tables = [
        sorted(rows_of((tmp_path / name).read_text()), key=lambda r: r["id"]) for name in names
    ]
    for table in tables:
        assert len(table) == 4
        for row, expected in zip(table, tables[0], strict=True):
            assert [row[key] for key in ("id", "formula", "unit", "error")] == [
                expected[key] for key in ("id", "formula", "unit", "error")
            ]
            for name in ("prediction", "std"):
                assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-4)


def all_commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_an_option_has_one_short_form_in_every_command():
    forms = {}
    for command, found in all_commands(main):
        for option in found.params:
            for name in option.opts:
                if name.startswith("--"):
                    short = {opt for opt in option.opts if not opt.startswith("--")}
                    forms.setdefault(name, {})[command] = short
    assert set(forms["--train"]) == set(forms["--labelled"])
    assert {"predict", "screen", "campaign init"} <= set(forms["--train"])
    for name, by_command in forms.items():
        assert len(set(map(frozenset, by_command.values()))) == 1, (name, by_command)


def test_options_of_the_model_are_the_same():
    """One name, one meaning and one default in 'predict' and 'screen'."""
    predict, screen = (
        {option.name: option for option in main.commands[name].params}
        for name in ("predict", "screen")
    )
    for name in (*MODEL_NAMES, "out"):
        if name == "out":
            assert predict[name].opts == screen[name].opts
            continue
        assert predict[name].to_info_dict() == screen[name].to_info_dict()


@pytest.fixture
def tables(files, formation_energy):
    """Tables of labelled and of new crystals with an estimate, which one new crystal lacks."""
    data = formation_energy
    for name, rows in (("known", range(30)), ("new", range(-4, 0))):
        with (files.parent / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            header = ["id", "structure", "guess", "energy"][: 4 if name == "known" else 3]
            writer.writerow(header)
            for i in rows:
                text = json.dumps(data.structures[i].as_dict())
                guess = "" if i == -2 else 3 * data.target[i] - 1 + 0.1 * np.sin(i)
                row = [data.material_id[i], text, guess, data.target[i]]
                writer.writerow(row[: len(header)])
    return files.parent


def test_predict_and_screen_with_an_estimate(tables, formation_energy):
    """The estimate is nearly a line in the label, so that the label is known with it."""
    model = ["--train", tables / "known.csv", "--target", "energy", "--estimates", "guess"]
    model += ["--weights", "formation_energy_1800"]
    result = invoke("predict", tables / "new.csv", *model, "--out", tables / "out.csv")
    assert result.exit_code == 1
    assert "1 of 4 crystals could not be used" in result.output
    rows = rows_of((tables / "out.csv").read_text())
    assert [row["id"] for row in rows] == list(formation_energy.material_id[-4:])
    assert "its 'guess' is ''" in rows[2]["error"]
    for row, y in zip(rows, formation_energy.target[-4:], strict=True):
        if not row["error"]:
            assert float(row["prediction"]) == pytest.approx(y, abs=0.1)
    screened = invoke("screen", tables / "new.csv", *model, "--below", "0")
    assert screened.exit_code == 1, screened.output
    assert "1 crystals have no prediction" in screened.output


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["predict", "new.csv", "--estimates", "guess"], 2, "without --train"),
        (
            ["predict", "crystals", "--train", "known.csv", "--estimates", "guess"],
            1,
            "expected a table",
        ),
        (["predict", "new.csv", "--train", "known.csv", "--columns", "gap"], 1, "column 'gap'"),
    ],
)
def test_columns_that_are_not_there(tables, monkeypatch, arguments, exit_code, message):
    monkeypatch.chdir(tables)
    result = invoke(*arguments)
    assert result.exit_code == exit_code, result.output
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize("options", [["--rescale"], ["--workers", "2"], ["--edge-cases", "-1"]])
def test_screen_refuses_options_that_make_no_sense_before_the_work(files, options):
    result = invoke("screen", files, "--below", "0", *options)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_screen_needs_one_condition(files):
    result = invoke("screen", files, "--below", "0", "--above", "1")
    assert result.exit_code == 2
    assert "give one of --below, --above and --between" in result.output
