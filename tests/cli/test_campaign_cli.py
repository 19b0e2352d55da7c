"""The commands, as a laboratory would use them."""

import csv
import json
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from skcfgp.campaign import Campaign
from skcfgp.cli import main


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def write_csv(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def lab(crystals, tmp_path):
    """A folder of crystals, one of them broken, and the labels of ten."""
    structures, y = crystals
    (tmp_path / "crystals").mkdir()
    for i in range(30):
        structures[i].to(str(tmp_path / "crystals" / f"c{i:02d}.vasp"), fmt="poscar")
    (tmp_path / "crystals" / "broken.cif").write_text("nothing\n")
    rows = [[f"c{i:02d}.vasp", y[i]] for i in range(10)]
    write_csv(tmp_path / "labelled.csv", ["id", "energy"], *rows)
    return tmp_path


@pytest.fixture
def begun(lab):
    result = invoke(
        *("campaign", "init", lab / "demo", "--pool", lab / "crystals"),
        *("--labelled", lab / "labelled.csv", "--target", "energy", "--unit", "eV/atom"),
        *("--recipe", "composition"),
        code=1,  # one crystal is refused, the others are in
    )
    assert "30 crystals are in, 10 of them labelled; 1 refused." in result.output
    assert "refused: broken: " in result.stderr
    return lab / "demo"


def test_a_day_in_the_laboratory(begun, lab, crystals):
    output = invoke("campaign", "suggest", begun, "-n", 3, "--out", lab / "jobs").output
    ids = re.findall(r"^(c\d\d)\b", output, re.M)
    assert len(ids) == 3
    assert output.count("nearest labels c") == 3
    assert len(re.findall(r", correlation with the first 0\.\d\d", output)) == 3
    assert len(list((lab / "jobs").glob("*.cif"))) == 3
    assert [path.name for path in (lab / "jobs").glob("*.csv")] == ["batch-2.csv"]
    assert f"campaign tell {begun} {lab / 'jobs' / 'batch-2.csv'}" in output
    results = write_csv(
        lab / "results.csv",
        ["id", "energy", "unit"],
        [ids[0], 1.5, "eV/atom"],
        [ids[1], "nan", "eV/atom"],
        ["c99", 1, "eV/atom"],
    )
    result = invoke("campaign", "tell", begun, results, code=1)
    assert "refused: line 3: " in result.stderr
    assert "refused: line 4: c99: there is no such id" in result.stderr
    assert "1 labels are in, 0 failures, 0 were known, 2 refused." in result.stdout
    conflict = ["campaign", "tell", begun, "--id", ids[0], "--value", 2]
    assert "2.0 contradicts the known one, 1.5" in invoke(*conflict, code=1).stderr
    invoke(*conflict, "--replace")
    assert Campaign(begun).state().labels[ids[0]] == 2.0
    invoke("campaign", "tell", begun, "--failed", ids[1], "--reason", "SCF did not converge")
    status = invoke("campaign", "status", begun).output
    assert "11 labelled, 1 pending, 1 failed, 17 in the pool; 30 in all, 1 refused" in status
    assert "all: of 1 predictions before their label: MAE" in status
    assert json.loads(invoke("campaign", "status", begun, "--json").output)["total"] == 30
    assert ids[1] in invoke("campaign", "undo", begun).output
    invoke("campaign", "undo", begun)
    assert Campaign(begun).state().labels[ids[0]] == 1.5
    invoke("campaign", "release", begun, ids[1])
    history = invoke("campaign", "history", begun).output
    assert len(history.splitlines()) == 1 + 8
    assert f"tell {ids[1]} failed: SCF did not converge" in history


def test_tables(begun, lab):
    for verb, n in (("predict", 20), ("export", 30), ("plan", 10)):
        rows = list(csv.DictReader(invoke("campaign", verb, begun).output.splitlines()))
        assert len(rows) == n
        assert next(iter(rows[0])) == "id"
    invoke("campaign", "export", begun, "--out", lab / "all.json")
    assert len(json.loads((lab / "all.json").read_text())) == 30
    assert "wrote" in invoke("campaign", "report", begun, "--out", lab / "r.html").output
    assert (lab / "r.html").stat().st_size > 20_000
    result = invoke("screen", begun, "--below", -1, "--out", lab / "found.csv")
    assert "expected to meet the condition" in result.output
    assert "Edge cases" in result.output
    assert len((lab / "found.csv").read_text().splitlines()) == 31


def test_a_label_that_cannot_be_used_costs_no_other(lab, crystals):
    rows = [["c00", crystals[1][0]], ["c01", "n/a"], ["c02", 0.5], ["c02", 0.7], ["c99", 1]]
    write_csv(lab / "some.csv", ["id", "energy"], *rows)
    result = invoke(
        *("campaign", "init", lab / "demo", "--pool", lab / "crystals"),
        *("--labelled", lab / "some.csv", "--target", "energy", "--unit", "eV/atom"),
        *("--recipe", "composition"),
        code=1,
    )
    assert "30 crystals are in, 2 of them labelled; 1 and 3 labels refused." in result.output
    assert "refused label: line 3: c01: the value 'n/a' is not a number" in result.stderr
    assert "refused label: line 5: c02: the value 0.7 contradicts the known one" in result.stderr
    assert "refused label: line 6: c99: " in result.stderr
    assert [row["line"] for row in Campaign(lab / "demo").state().refused_labels] == [3, 5, 6]


def test_a_failure_among_the_first_labels_is_on_record_and_no_error(lab, crystals):
    (lab / "crystals" / "broken.cif").unlink()
    rows = [["c00", crystals[1][0], ""], ["c01", crystals[1][1], ""], ["c02", "", "no convergence"]]
    write_csv(lab / "some.csv", ["id", "energy", "failed"], *rows)
    result = invoke(
        *("campaign", "init", lab / "demo", "--pool", lab / "crystals"),
        *("--labelled", lab / "some.csv", "--target", "energy", "--unit", "eV/atom"),
        *("--recipe", "composition"),
    )
    assert "30 crystals are in, 2 of them labelled; 0 refused." in result.output
    state = Campaign(lab / "demo").state()
    assert state.failures == {"c02": "no convergence"}
    assert "c02" not in [pick["id"] for pick in Campaign(lab / "demo").suggest(20)]


def test_from_no_label_to_the_best(lab):
    """The normal case: a design, and then the goal."""
    invoke(
        *("campaign", "init", lab / "demo", "--pool", lab / "crystals"),
        *("--target", "energy", "--unit", "eV/atom", "--recipe", "composition"),
        *("--goal", "between -1 0", "--until", "expected-gain < 1e-6"),
        code=1,
    )
    result = invoke("campaign", "suggest", lab / "demo", "-n", 10)
    assert result.output.count("tells most about the others, before there are labels") == 10
    assert "A model needs two labels" in result.output
    campaign = Campaign(lab / "demo")
    campaign.tell({id_: k / 10 - 1 for k, id_ in enumerate(campaign.state().pending)})
    assert (
        "its side of the limit is least certain"
        in invoke("campaign", "suggest", lab / "demo").output
    )
    status = invoke("campaign", "status", lab / "demo").output
    assert "crystals without a label are expected to lie there" in status
    found = json.loads(invoke("campaign", "status", lab / "demo", "--json").output)
    assert found["settings"]["goal"] == "between -1 0"
    assert set(found["outlook"]) == {"expected_left", "expected_gain"}


@pytest.mark.parametrize(
    ("words", "goal"),
    [
        ("--goal between 1 2.50 demo", "between 1 2.5"),
        ("demo --goal between -1e-1 .5", "between -0.1 0.5"),
        ("demo --goal 'between -2 -1'", "between -2 -1"),
        ("demo --goal=between -2 -1", "between -2 -1"),
        ("demo --goal='between 1 2'", "between 1 2"),
        ("demo --goal minimize", "minimize"),
    ],
)
def test_a_goal_with_and_without_quotes(lab, monkeypatch, words, goal):
    monkeypatch.chdir(lab)
    write_csv(lab / "pool.csv", ["formula"], *[[f] for f in ("NaCl", "MgO", "LiF")])
    options = "--pool pool.csv --target between --unit eV --recipe composition"
    invoke("campaign", "init", *shlex.split(f"{words} {options}"))
    assert Campaign("demo").settings["goal"] == goal


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("demo --goal between", "needs two finite numbers A < B in the unit"),
        ("demo --goal between 1", "needs two finite numbers A < B"),
        ("--goal between 1 demo", "got 'between 1 demo'"),
        ("demo --goal between 2 1", "got 'between 2 1'"),
        ("demo --goal between -inf 1", "got 'between -inf 1'"),
        ("demo --goal between a b", "got 'between a b'"),
        ("demo --goal between 1 2 3", "unexpected extra argument (3)"),
        ("demo --goal maximise", "did you mean 'maximize'?"),
        ("demo --goal", "requires an argument"),
    ],
)
def test_what_is_no_goal(lab, monkeypatch, words, message):
    monkeypatch.chdir(lab)
    options = "--pool crystals --target energy --unit eV --recipe composition"
    result = invoke("campaign", "init", *shlex.split(f"{options} {words}"), code=2)
    assert message in " ".join(result.output.split())
    assert not (lab / "demo").exists()


def test_intervals_of_any_coverage(begun):
    tables = [
        list(csv.DictReader(invoke("campaign", "predict", begun, *options).output.splitlines()))
        for options in ([], ["--coverage", "0.5"])
    ]
    for wide, narrow in zip(*tables, strict=True):
        numbers = [wide["lower"], narrow["lower"], wide["prediction"]]
        numbers += [narrow["upper"], wide["upper"]]
        assert sorted(map(float, numbers)) == list(map(float, numbers))
    invoke("campaign", "predict", begun, "--coverage", 95, code=2)


@pytest.mark.parametrize("verb", ["predict", "export", "plan", "report", "suggest"])
def test_where_nothing_can_be_written_nothing_is_computed(begun, lab, verb, monkeypatch):
    monkeypatch.setattr("skcfgp.campaign.engine.Engine.__init__", lambda *_: 1 / 0)
    (lab / "a file").write_text("")
    result = invoke("campaign", verb, begun, "--out", lab / "a file" / "table.csv", code=1)
    assert "a file" in result.output
    assert len(result.output.splitlines()) == 1


def test_a_rule_to_stop_is_said(lab):
    invoke(
        *("campaign", "init", lab / "demo", "--pool", lab / "crystals"),
        *("--labelled", lab / "labelled.csv", "--target", "energy", "--unit", "eV/atom"),
        *("--recipe", "composition", "--until", "labels >= 10"),
        code=1,
    )
    result = invoke("campaign", "suggest", lab / "demo", code=1)
    assert "labels >= 10: there are 10. Use --anyway" in result.output
    invoke("campaign", "suggest", lab / "demo", "--anyway")


def test_more_crystals(begun, lab, crystals):
    (lab / "more").mkdir()
    crystals[0][40].to(str(lab / "more" / "new.vasp"), fmt="poscar")
    assert "1 crystals are in" in invoke("campaign", "add", begun, "--pool", lab / "more").output
    result = invoke("campaign", "add", begun, "--pool", lab / "more", code=1)
    assert "there are two crystals of this id" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "nowhere"], "there is no campaign in nowhere"),
        (["suggest", "{}", "-n", "100"], "the pool has 20 crystals left"),
        (["suggest", "{}", "-n", "0"], "the pool has 20 crystals left"),
        (["tell", "{}", "nothing.csv"], "there is no file nothing.csv"),
        (["release", "{}", "c05"], "neither pending nor failed, but labelled"),
        (["undo", "{}"], "there is no tell to undo"),
        (["export", "{}", "--out", "table.xlsx"], "must end in .csv or .json"),
        (["predict", "{}", "--rescale"], "too few labels"),
    ],
)
def test_mistakes_are_one_line(begun, arguments, message):
    result = invoke("campaign", *(a.replace("{}", str(begun)) for a in arguments), code=1)
    assert message in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["--id", "c01.vasp"], ["--failed", "c01.vasp"], ["x.csv", "--id", "a"]]
)
def test_wrong_usage_of_tell(begun, arguments):
    invoke("campaign", "tell", begun, *arguments, code=2)


def test_status_is_quick_and_loads_no_model(begun):
    code = (
        "import sys; from skcfgp.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "print({'scipy', 'sklearn', 'pymatgen', 'tensorflow', 'pandas'} & set(sys.modules))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, "campaign", "status", str(begun)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "set()"


@pytest.mark.posix
def test_interrupt_while_another_process_writes(begun):
    """Ctrl-C ends the wait for a lock, and nothing is lost."""
    command = [sys.executable, "-W", "ignore", "-m", "skcfgp.cli", "campaign", "tell", str(begun)]
    with (
        Campaign(begun).store.writing(),
        subprocess.Popen(
            [*command, "--id", "c20.vasp", "--value", "1"],
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs tests in the background lets them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process,
    ):
        try:
            time.sleep(3)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 1
    assert "Aborted!" in output
    assert "Traceback" not in output
    assert Campaign(begun).state().n_events == 1
    assert Campaign(begun).tell(id="c20.vasp", value=1.0).labelled == ["c20"]


def test_the_command_that_comes_next_can_be_pasted_and_succeeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    formulas = ("NaCl", "KCl", "LiF", "MgO", "CaO", "KBr")
    pool = write_csv(tmp_path / "pool.csv", ["id", "formula"], *enumerate(formulas))
    labels = [[k, 1.0 + k] for k in range(4)]
    train = write_csv(tmp_path / "labels.csv", ["id", "gap"], *labels)
    said = invoke(
        *("campaign", "init", "Ann's oxides", "--pool", pool, "--train", train),
        *("--target", "gap", "--unit", "eV", "--recipe", "composition"),
    ).output
    command = shlex.split(said.splitlines()[-1].removeprefix("next: "))
    assert command[-4:] == ["-n", "2", "--out", "jobs"]
    said = invoke(*command[1:-1], "the jobs").output
    assert said.splitlines()[-1].endswith(
        f"run {shlex.join(['skcfgp', 'campaign', 'tell', command[3], 'the jobs/batch-2.csv'])}"
    )
    labels += [[k, 2.0] for k in (4, 5)]
    train = write_csv(tmp_path / "labels.csv", ["id", "gap"], *labels)
    said = invoke(
        *("campaign", "init", "all", "--pool", pool, "--train", train),
        *("--target", "gap", "--unit", "eV", "--recipe", "composition"),
    ).output
    assert "next" not in said
