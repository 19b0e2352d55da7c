"""Crystals and labels in any form of file: the same rules in predict, screen and campaign."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp.campaign import Campaign
from skcfgp.campaign.keeping import details
from skcfgp.cli import main
from skcfgp.structures import check_structures

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*files were passed over", "ignore::sklearn.exceptions.ConvergenceWarning"
)
CASES = Path(__file__).parents[1] / "structures" / "cases"
COMPOSITION = ("--recipe", "composition")
TARGET = ("--target", "e", "--unit", "eV/atom")
NAMES = ["prediction", "std", "lower", "upper", "df"]


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def write_csv(path, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def of(path):
    """What `check_structures` says of a file: formulas and reasons by id.

    A line separator, which an id of a campaign may not have, is a reason there.
    """
    known = check_structures(path, on_error="nan")
    formulas = {str(i): c for i, c in zip(known.ids, known.structures, strict=True) if c}
    formulas = {i: c.composition.reduced_formula for i, c in formulas.items()}
    reasons = {str(f.id): f.reason for f in known.failures}
    for id_ in [id_ for id_ in formulas if "\u2028" in id_]:
        del formulas[id_]
        reasons[id_] = "an id must be Unicode text on one line"
    return formulas, reasons


def formulas_in(folder):
    with Campaign(folder).store.reading() as ledger:
        return {i: row["formula"] for i, row in details(ledger.connection).items()}


@pytest.fixture(scope="module")
def salts(tmp_path_factory):
    """A campaign of two formulas, to which crystals can be added."""
    folder = tmp_path_factory.mktemp("salts")
    write_csv(folder / "pool.csv", ["id", "formula"], ["first", "LiF"], ["second", "KI"])
    options = ["--pool", folder / "pool.csv", *TARGET, *COMPOSITION]
    invoke("campaign", "init", folder / "c", *options)
    return folder / "c"


@pytest.mark.parametrize("path", sorted(CASES.iterdir()), ids=lambda path: path.name)
def test_a_campaign_takes_every_case_as_it_is_meant(path, salts, tmp_path):
    formulas, reasons = of(path)
    begun = tmp_path / "begun"
    options = ["--pool", path, *TARGET, *COMPOSITION]
    result = invoke("campaign", "init", begun, *options, code=int(bool(reasons)))
    assert (begun / "campaign.sqlite").exists() == bool(formulas)
    if formulas:
        assert formulas_in(begun) == formulas
        assert f"{len(formulas)} crystals are in" in result.stdout
    shutil.copytree(salts, tmp_path / "salts")
    added = invoke("campaign", "add", tmp_path / "salts", "--pool", path, code=int(bool(reasons)))
    expected = formulas | {"first": "LiF", "second": "KI"}
    assert formulas_in(tmp_path / "salts") == expected
    for id_, reason in reasons.items():
        for said in (result, added):
            text = " ".join(said.output.split())
            assert " ".join(id_.split()) in text
            assert " ".join(reason.split()) in text


def test_a_campaign_takes_all_cases_at_once(tmp_path):
    formulas, reasons = of(CASES)
    options = ["--pool", CASES, *TARGET, *COMPOSITION]
    result = invoke("campaign", "init", tmp_path / "c", *options, code=1)
    assert formulas_in(tmp_path / "c") == formulas
    assert f"{len(formulas)} crystals are in, 0 of them labelled; {len(reasons)} refused" in (
        result.stdout
    )


@pytest.fixture
def rows(formation_energy):
    """24 crystals, 14 of them labelled, as records with a cost."""
    crystals, y = formation_energy.structures[:24], formation_energy.target[:24]
    records = [crystal.as_dict() | {"properties": {}} for crystal in crystals]
    return [
        {"id": f"c{k}", "structure": record, "hours": 1.0 + k % 3, "e": float(energy)}
        for k, (record, energy) in enumerate(zip(records, y, strict=True))
    ]


def write_table(folder, kind, rows):
    """Write records as a table of some kind."""
    path = folder / f"pool.{kind}"
    if kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        frame = pd.DataFrame(rows)
        frame["structure"] = frame["structure"].map(json.dumps)
        if kind == "parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ";")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_every_kind_of_table_is_one_table_for_all_commands(rows, tmp_path, kind):
    pool = write_table(
        tmp_path, kind, [{name: row[name] for name in ("id", "structure", "hours")} for row in rows]
    )
    labels = write_csv(
        tmp_path / "labels.csv", ["id", "e"], *([r["id"], r["e"]] for r in rows[:14])
    )
    train = ["--train", labels, *TARGET, *COMPOSITION]
    invoke("predict", pool, *train, "--out", tmp_path / "predict.csv")
    invoke("screen", pool, "--below", -1, *train, "--out", tmp_path / "screen.csv")
    invoke("screen", pool, "--below", -1, *train, "--top", 24, "--out", tmp_path / "parts")
    begun = invoke("campaign", "init", tmp_path / "c", "--pool", pool, *train, "--cost", "hours")
    assert "24 crystals are in, 14 of them labelled; 0 refused" in begun.stdout
    invoke("campaign", "predict", tmp_path / "c", "--out", tmp_path / "campaign.csv")
    tables = {
        name: pd.read_csv(tmp_path / file).set_index("id")
        for name, file in (
            ("predict", "predict.csv"),
            ("screen", "screen.csv"),
            ("parts", "parts/top.csv"),
            ("campaign", "campaign.csv"),
        )
    }
    new = [row["id"] for row in rows[14:]]
    assert tables["predict"].index.tolist() == [row["id"] for row in rows]
    for name in ("screen", "parts", "campaign"):
        found = tables[name].loc[new, NAMES]
        pd.testing.assert_frame_equal(found, tables["predict"].loc[new, NAMES], rtol=1e-12)
    with Campaign(tmp_path / "c").store.reading() as ledger:
        costs = [row["cost"] for row in details(ledger.connection).values()]
    assert costs == [row["hours"] for row in rows]


@pytest.mark.network
@pytest.mark.parametrize("kind", ["jsonl"])
def test_numbers_beside_the_crystals_count_in_all_commands(rows, tmp_path, kind):
    """Labels by id alone take the numbers of the pool, too."""
    for row in rows:
        row["guess"] = 0.5 - 2.0 * row["e"]
    rows[-1]["guess"] = None
    names = ("id", "structure", "guess")
    pool = write_table(tmp_path, kind, [{name: row[name] for name in names} for row in rows])
    labels = write_csv(
        tmp_path / "labels.csv", ["id", "e"], *([r["id"], r["e"]] for r in rows[:14])
    )
    train = ["--train", labels, *TARGET, "--weights", "formation_energy_1800"]
    train += ["--estimates", "guess"]
    invoke("predict", pool, *train, "--out", tmp_path / "predict.csv", code=1)
    invoke("screen", pool, "--below", -1, *train, "--out", tmp_path / "screen.csv", code=1)
    invoke("screen", pool, "--below", -1, *train, "--out", tmp_path / "parts", code=1)
    invoke("campaign", "init", tmp_path / "c", "--pool", pool, *train, code=1)
    invoke("campaign", "predict", tmp_path / "c", "--out", tmp_path / "campaign.csv")
    new = [row["id"] for row in rows[14:-1]]
    files = ("predict.csv", "screen.csv", "parts/top.csv", "campaign.csv")
    expected, *tables = (pd.read_csv(tmp_path / file).set_index("id") for file in files)
    assert "its 'guess' is" in expected["error"].iloc[-1]
    errors = np.abs([expected.loc[r["id"], "prediction"] - r["e"] for r in rows[14:-1]])
    assert np.median(errors) < 0.1  # without the guess 0.5
    for found in tables:
        pd.testing.assert_frame_equal(found.loc[new, NAMES], expected.loc[new, NAMES], rtol=1e-6)


def test_a_streamed_pool_gives_its_crystals_to_labels_by_id(rows, tmp_path):
    """Of a folder of files, by file name; an id that two crystals have is none."""
    (tmp_path / "pool").mkdir()
    for row in rows:
        (tmp_path / "pool" / f"{row['id']}.json").write_text(json.dumps(row["structure"]))
    shutil.copytree(tmp_path / "pool", tmp_path / "elsewhere")
    named = [[f"pool/{row['id']}.json", row["e"]] for row in rows[:14]]
    labels = write_csv(tmp_path / "elsewhere" / "labels.csv", ["file", "e"], *named)
    train = ["--train", labels, *TARGET, *COMPOSITION]
    invoke("predict", tmp_path / "pool", *train, "--out", tmp_path / "predict.csv")
    invoke("screen", tmp_path / "pool", *train, "--out", tmp_path / "parts")
    expected, found = (
        pd.read_csv(tmp_path / name).set_index("id") for name in ("predict.csv", "parts/top.csv")
    )
    pd.testing.assert_frame_equal(found.loc[expected.index, NAMES], expected[NAMES], rtol=1e-6)
    lines = [json.dumps(row["structure"] | {"material_id": row["id"]}) for row in rows]
    (tmp_path / "pool.jsonl").write_text("\n".join([*lines, lines[0]]))
    result = invoke("screen", tmp_path / "pool.jsonl", *train, "--out", tmp_path / "two", code=1)
    assert "c0.json" not in result.stdout
    assert "1 rows cannot be used" in result.stderr
    assert "there is no file" in result.stderr


def test_a_label_is_not_for_another_compound_of_the_same_id(rows, tmp_path):
    """Two tables that both count their rows have the same ids."""
    formula = [check_structures([row["structure"]]).structures[0].composition for row in rows]
    formula = [composition.reduced_formula for composition in formula]
    pool = write_csv(tmp_path / "pool.csv", ["id", "formula"], *enumerate(formula))
    known = [[k, formula[k + 1 if k < 3 else k], rows[k]["e"]] for k in range(18)]
    labels = write_csv(tmp_path / "labels.csv", ["id", "formula", "e"], *known)
    options = ["--pool", pool, "--labelled", labels, *TARGET, *COMPOSITION]
    result = invoke("campaign", "init", tmp_path / "c", *options, code=1)
    assert f"0: it is {formula[1]}, and the crystal of this id is {formula[0]}" in result.stderr
    assert "24 crystals are in, 15 of them labelled; 0 and 3 labels refused" in result.stdout
    options = ["--train", labels, *TARGET, *COMPOSITION]
    invoke("predict", pool, *options, "--out", tmp_path / "a.csv")  # each row learnt as it says
    renamed = write_csv(
        tmp_path / "renamed.csv", ["id", "formula", "e"], *([f"t{k}", *row] for k, *row in known)
    )
    options = ["--train", renamed, *TARGET, *COMPOSITION]
    invoke("predict", pool, *options, "--out", tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_a_poscar_is_found_by_the_name_of_its_folder(formation_energy, tmp_path):
    for k in range(14):
        folder = tmp_path / "vasp" / f"job-{k}"
        folder.mkdir(parents=True)
        formation_energy.structures[k].to(str(folder / "POSCAR"), fmt="poscar")
    known = [[f"job-{k}", formation_energy.target[k]] for k in range(13)]
    labels = write_csv(tmp_path / "labels.csv", ["id", "e"], *known, ["POSCAR", 1.0])
    options = [*TARGET, *COMPOSITION, "--train", labels]
    begun = invoke(
        "campaign", "init", tmp_path / "c", "--pool", tmp_path / "vasp", *options, code=1
    )
    assert "14 crystals are in, 13 of them labelled; 0 and 1 labels refused" in begun.stdout
    result = invoke("predict", tmp_path / "vasp", *options, code=1)
    assert "line 15: POSCAR" in " ".join(begun.stderr.split())
    assert "labels.csv: 1 rows cannot be used" in result.stderr
    assert "nor has any of the other crystals" in result.stderr


def test_an_unreadable_file_is_said_before_any_model_is_fitted(tmp_path, monkeypatch):
    monkeypatch.setattr("skcfgp.models.default.fit_predictor", lambda *_, **__: 1 / 0)
    (tmp_path / "broken.cif").write_text("nothing\n")
    result = invoke("predict", tmp_path / "broken.cif", code=1)
    assert "not used: broken: " in result.stderr
    (row,) = csv.DictReader(result.stdout.splitlines())
    assert row["id"] == "broken"
    assert row["error"]
    screened = invoke("screen", tmp_path / "broken.cif", "--below", 0, code=1)
    assert "1 of 1 crystals could not be used" in screened.stderr


@pytest.mark.parametrize("command", ["screen", "screen --out {}/parts"])
def test_a_bound_in_another_unit_is_said_before_any_model_is_fitted(
    rows, tmp_path, monkeypatch, command
):
    monkeypatch.setattr("skcfgp.models.default.fit_predictor", lambda *_, **__: 1 / 0)
    pool = write_table(
        tmp_path, "jsonl", [{k: v for k, v in r.items() if k != "hours"} for r in rows]
    )
    command = [part.format(tmp_path) for part in command.split()]
    train = ["--train", pool, "--target", "e", "--unit", "eV/atom", *COMPOSITION]
    result = invoke(*command, pool, *train, "--above", "300 GPa", code=2)
    assert "the bound is in GPa, and the predictions are in eV/atom" in result.stderr
