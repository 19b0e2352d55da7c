"""Small files of other programs, each of a kind that was read wrongly once, on every way in."""

import csv
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp import CompositionFeaturizer
from skcfgp.campaign import Campaign
from skcfgp.cli import main
from skcfgp.screening import Pool
from skcfgp.screening.pool import read_records
from skcfgp.structures import InvalidStructureWarning, check_structures

CASES = Path(__file__).with_name("cases")

#: Ids with a formula, or with the reason of the refusal.
EXPECTED = {
    "vasp4/POSCAR": {"POSCAR": "NaCl"},
    "vasp4_untold/POSCAR": {"POSCAR": "its elements are not in the file"},
    "dummy_atom.cif": {"dummy_atom": "NaCl"},
    "occupancy_default.cif": {"occupancy_default": "Na2Cl2"},
    "attached_hydrogens.cif": {"attached_hydrogens": "the site N1 has 4 attached hydrogens"},
    "formula_says_more_0.cif": {"formula_says_more_0": "'Na Cl H2 O', and its sites are 'Na Cl'"},
    "formula_says_more_1.cif": {"formula_says_more_1": "'K Cl H2 O', and its sites are 'Cl K'"},
    "occupancy_rounded_up.cif": {"occupancy_rounded_up": "NaCl"},
    "occupancy_rounded_down.cif": {"occupancy_rounded_down": "NaCl"},
    "latin1_comment.cif": {"latin1_comment": "NaCl"},
    "middle_frame_broken.extxyz": {
        "middle_frame_broken:0": "NaCl",
        "middle_frame_broken:1": "3 atoms for the frame; lines of atoms found: 1",
        "middle_frame_broken:2": "NaCl",
    },
    "own_id.extxyz": {"mine-1": "NaCl"},
    "disorder.extxyz": {"disorder": "'Na0.6 K0.4': disordered"},
    "ids.jsonl": {"0": "NaCl", "b": "NaCl"},
    "one_key_twice.json": {"a:0": "NaCl", "a:1": "KCl"},
    "line_separator.jsonl": {"x\u2028y": "NaCl"},
    "same_name": {"x/POSCAR": "NaCl", "y/POSCAR": "KCl"},
    "cif_text.json": {"m-1": "NaCl"},
    "split_orient.json": {"m-1": "NaCl", "m-2": "NaCl"},
    "jarvis_records.json": {"J-1": "NaCl"},
    "optimade_answer.json": {
        "o-1": "attached atoms, H x 4",
        "o-2": "'N0.5': disordered",
        "o-3": "NCl",
    },
    "cgcnn": {"1001": "NaCl", "1002": "KCl"},
}


def formula_of(crystal):
    return crystal.composition.formula.replace("1", "").replace(" ", "")


def quiet(function, *arguments, action="ignore", **options):
    """Call a function; the folders hold a file of atoms and a table that are passed over."""
    with warnings.catch_warnings():
        warnings.filterwarnings(action, ".*files were passed over")
        return function(*arguments, **options)


@pytest.fixture(scope="module")
def every():
    """All cases, as one folder."""
    return quiet(check_structures, CASES, on_error="nan")


def test_each_case_is_here():
    assert {p.name for p in CASES.iterdir()} == {name.split("/")[0] for name in EXPECTED}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_is_what_it_means(name):
    path = CASES / name
    found = quiet(check_structures, path, on_error="nan")
    reasons = {failure.id: failure.reason for failure in found.failures}
    assert found.ids.tolist() == list(EXPECTED[name])
    for id_, crystal in zip(found.ids, found.structures, strict=True):
        if crystal is None:
            assert EXPECTED[name][id_] in reasons[id_]
        else:
            assert formula_of(crystal) == EXPECTED[name][id_]
            assert crystal.properties["material_id"] == id_


def test_a_folder_of_all_gives_each(every):
    expected = [value for rows in EXPECTED.values() for value in rows.values()]
    formulas = [formula_of(c) for c in every.structures if c is not None]
    assert sorted(formulas) == sorted(v for v in expected if v.isalnum())
    assert len(every.ids) == len(set(map(str, every.ids))) == len(expected)
    assert {"cif_text:m-1", "split_orient:m-1", "m-2", "vasp4/POSCAR", "x/POSCAR"} < {*every.ids}


def test_other_files_are_counted():
    with pytest.warns(UserWarning, match=r"2 of 4 files .*: atom_init\.json, id_prop\.csv\."):
        check_structures(CASES / "cgcnn")


def test_featurizers_give_nan_for_what_is_refused(every):
    failed = [failure.index for failure in every.failures]
    transformer = CompositionFeaturizer(on_error="nan")
    with pytest.warns(InvalidStructureWarning, match="8 crystals cannot be used"):
        X = np.asarray(transformer.fit_transform(every))
    assert np.flatnonzero(np.isnan(X).any(axis=1)).tolist() == failed


def test_a_campaign_takes_the_same_crystals(every, tmp_path):
    refused = {failure.id: failure.reason for failure in every.failures}
    campaign = quiet(
        Campaign.init, tmp_path / "c", CASES, target="e", unit="eV", recipe="composition"
    )
    state = campaign.state()
    inside = [str(id_) for id_ in every.ids if id_ not in refused and "\u2028" not in id_]
    assert state.ids == inside
    for row in state.refused:
        assert row["reason"] == refused.get(row["name"], "an id must be Unicode text on one line")


def test_a_pool_that_is_streamed_takes_the_same_crystals(every):
    pool = quiet(Pool, CASES)
    parts = [read_records(records) for _, records in pool.chunks(7)]
    crystals = [crystal for part in parts for crystal in part.structures]
    assert [c and formula_of(c) for c in crystals] == [
        c and formula_of(c) for c in every.structures
    ]
    assert sum(len(part.failures) for part in parts) == len(every.failures)


def test_tables_take_the_same_crystals(every):
    paths = [CASES / name for name in EXPECTED if (CASES / name).is_file()]
    table = pd.DataFrame({"structure": list(map(str, paths))})
    found = check_structures(table, on_error="nan")
    formulas = [formula_of(c) for c in found.structures if c is not None]
    assert len(formulas) == sum(c is not None for c in every.structures) - 4  # two folders
    texts = pd.Series(
        {path.stem: path.read_text("latin-1") for path in paths if path.suffix == ".cif"}
    )
    as_text = check_structures(texts, on_error="nan")
    as_file = check_structures([p for p in paths if p.suffix == ".cif"], on_error="nan")
    assert as_text.ids.tolist() == as_file.ids.tolist()
    assert [f.reason for f in as_text.failures] == [f.reason for f in as_file.failures]


@pytest.mark.network
def test_the_commands_take_the_same_crystals(every, tmp_path):
    result = quiet(CliRunner().invoke, main, ["predict", str(CASES)], action="always")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "files were passed over" in result.stderr
    reasons = {failure.index: failure.reason for failure in every.failures}
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    assert [row["id"] for row in rows] == list(map(str, every.ids))
    for index, (row, crystal) in enumerate(zip(rows, every.structures, strict=True)):
        assert row["error"] == reasons.get(index, "")
        assert bool(row["prediction"]) == (crystal is not None)
    out = tmp_path / "table.json"
    command = ["screen", str(CASES), "--below", "0", "--out", str(out)]
    assert quiet(CliRunner().invoke, main, command).exit_code == 1
    table = {row["id"]: row["prediction"] for row in json.loads(out.read_text())}
    for row in rows:
        expected = float(row["prediction"]) if row["prediction"] else None
        assert table[row["id"]] == (None if expected is None else pytest.approx(expected))
