"""Layouts of other programs: tables of pandas, pages of OPTIMADE, POTCAR beside POSCAR, ids."""

import gzip
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pymatgen.core import Lattice, Structure

from skcfgp.cli import main
from skcfgp.network.graphs import structure_graph
from skcfgp.screening import PoolPredictions
from skcfgp.structures import Crystal, check_structures
from skcfgp.structures.crystal_tables import read_crystals

HALF = [[0, 0, 0], [0.5, 0.5, 0.5]]
SALT = Structure(Lattice.cubic(4.1), ["Na", "Cl"], HALF)
RECORD = json.loads(SALT.to_json())
POSCAR = "Rock salt\n1\n4.1 0 0\n0 4.1 0\n0 0 4.1\n{}1 1\nDirect\n0 0 0\n.5 .5 .5\n"
POTCAR = "  PAW_PBE Na_pv 19Sep2006\n   TITEL  = PAW_PBE Na_pv 19Sep2006\n   VRHFIN =Na: p6\n"
POTCAR += "   TITEL  = PAW_PBE Cl 06Sep2000\n   VRHFIN =Cl: s2p5\n"


def formulas(found):
    return [c and c.composition.formula for c in found.structures]


@pytest.mark.parametrize("orient", ["split", "index", "columns", "table"])
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_what_pandas_writes(orient, suffix, tmp_path):
    frame = pd.DataFrame({"structure": [RECORD, RECORD], "gap": [1.0, 2.0]}, ["mp-1", "mp-2"])
    path = tmp_path / f"table{suffix}"
    frame.to_json(path, orient=orient)
    assert check_structures(path).ids.tolist() == ["mp-1", "mp-2"]
    table = read_crystals(path)
    assert [(row.id, row.fields["gap"]) for row in table.rows] == [("mp-1", 1.0), ("mp-2", 2.0)]
    numbered = frame.reset_index(names="material_id")
    numbered.to_json(path, orient=orient)  # a column is preferred to an index of positions
    assert check_structures(path).ids.tolist() == ["mp-1", "mp-2"]


def test_a_table_without_names_of_columns_is_refused_by_its_layout(tmp_path):
    frame = pd.DataFrame({"structure": [RECORD, RECORD], "gap": [1.0, 2.0]})
    frame.to_json(tmp_path / "t.json", orient="values")
    with pytest.raises(ValueError, match=r"orient='values'.* Write it with orient='split'"):
        check_structures(tmp_path / "t.json")
    text = json.dumps({"columns": ["structure"], "data": [[RECORD]]})
    (tmp_path / "t.json").write_text(text)  # without an index
    assert formulas(check_structures(tmp_path / "t.json")) == ["Na1 Cl1"]


def test_a_list_in_an_object(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps({"valid": True, "response": [RECORD, RECORD]}))
    assert check_structures(tmp_path / "t.json").ids.tolist() == ["t:0", "t:1"]


@pytest.mark.parametrize(
    "more",
    [
        {"meta": {"more_data_available": True, "data_returned": 900}},
        {"meta": {}, "links": {"next": {"href": "http://x/2"}}},
    ],
)
def test_one_page_of_optimade_is_said_to_be_one(more, tmp_path):
    sites = {"lattice_vectors": (4.1 * np.eye(3)).tolist(), "species_at_sites": ["Na", "Na"]}
    sites["species"] = [{"name": "Na", "chemical_symbols": ["Na"], "concentration": [1]}]
    sites["cartesian_site_positions"] = [[0, 0, 0], [2, 2, 2]]
    path = tmp_path / "page.json"
    entry = {"id": "o-1", "type": "structures", "attributes": sites}
    path.write_text(json.dumps({"data": [entry], **more}))
    for read in (check_structures, read_crystals):
        with pytest.warns(UserWarning, match=r"page\.json is one page .* more on the next pages"):
            read(path)
    options = ["--target", "e", "--unit", "eV", "--recipe", "composition"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        command = ["campaign", "init", str(tmp_path / "c"), "--pool", str(path), *options]
        result = CliRunner().invoke(main, command)
    assert "page.json is one page" in result.output
    path.write_text(json.dumps({"data": [entry], "meta": {"more_data_available": False}}))
    assert check_structures(path).ids.tolist() == ["o-1"]


def test_the_elements_of_a_poscar_are_in_the_potcar_beside_it(tmp_path):
    path, potcar = tmp_path / "POSCAR", tmp_path / "POTCAR"
    path.write_text(POSCAR.format(""))
    with pytest.raises(ValueError, match=r"not in the file.* or put the POTCAR beside it"):
        check_structures([path])
    potcar.write_text(POTCAR)
    assert formulas(check_structures([path])) == ["Na1 Cl1"]
    (tmp_path / "CONTCAR.gz").write_bytes(gzip.compress(POSCAR.format("").encode()))
    found = check_structures([tmp_path / "CONTCAR.gz"])
    assert (found.ids[0], formulas(found)) == ("CONTCAR", ["Na1 Cl1"])
    path.write_text(POSCAR.format("K Cl\n"))
    with pytest.raises(ValueError, match="atom 1 is K by line 6 and Na by the POTCAR beside it"):
        check_structures([path])
    path.write_text(POSCAR.format(""))
    for text, reason in (
        (POTCAR * 2, "for 4 elements, Na Cl Na Cl, and"),
        (POTCAR.replace("Cl 06", "H1.25 06"), "H1.25 is not an element"),
    ):
        potcar.write_text(text)
        with pytest.raises(ValueError, match=reason):
            check_structures([path])


@pytest.mark.parametrize(
    "missing", ["None", "nan", "NaN", "null", "<NA>", " ", None, np.nan, pd.NA]
)
def test_what_says_that_there_is_no_id_is_none(missing, tmp_path):
    frame = pd.DataFrame(
        {"id": [missing, 0, 7.0], "structure": [RECORD] * 3}, ["x", "y", "z"], dtype=object
    )
    assert check_structures(frame).ids.tolist() == ["x", "0", "7"]
    text = frame.assign(structure=json.dumps(RECORD))
    text.to_csv(tmp_path / "t.csv", index=False)
    assert [row.id for row in read_crystals(tmp_path / "t.csv").rows] == ["t:0", "0", "7.0"]


def test_a_missing_formula_is_no_sodium_nitride(tmp_path):
    (tmp_path / "t.csv").write_text("id,formula\na,NaN\nb,NaCl\n")
    table = read_crystals(tmp_path / "t.csv", formulas=True)
    assert [row.id for row in table.rows] == ["b"]
    assert [refusal.id for refusal in table.refused] == ["a"]


def test_a_crystal_without_bonds_is_refused_in_the_same_words():
    far = Crystal(9 * np.eye(3), [[0, 0, 0]], [18])
    with pytest.raises(ValueError, match=r"no two atoms .* cut-off of 4\.0 angstrom") as caught:
        structure_graph(far, 4.0)
    found = check_structures([SALT, far, "NaCl"], cutoff=4.0, formulas=True, on_error="nan")
    assert [failure.index for failure in found.failures] == [1, 2]
    assert found.failures[0].reason == str(caught.value)
    assert len(structure_graph(far, 9.0).distances) == 6


def test_lists_of_a_parquet_file_are_arrays_in_pandas(tmp_path):
    record = {key: RECORD[key] for key in ("lattice", "sites")}
    for site in record["sites"]:
        site.pop("properties", None)
    pd.DataFrame({"id": ["a"], "structure": [record]}).to_parquet(tmp_path / "t.parquet")
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert formulas(check_structures(frame)) == ["Na1 Cl1"]
    assert [row.id for row in read_crystals(frame).rows] == ["a"]


def test_ids_that_are_twice_in_a_streamed_pool(tmp_path):
    """Those of `check_structures`, once all parts are written."""
    names = ["m", "a", "m", "m:0", "m", "b"]
    found = PoolPredictions.begin(tmp_path / "out", {})
    for number in range(3):
        ids = names[2 * number : 2 * number + 2]
        table = pd.DataFrame({"id": ids, "prediction": 1.0, "std": 0.1, "error": ""})
        found.write(number, table)
    for _ in range(2):  # and again, which changes nothing
        found.finish()
        ids = [id_ for part in found.parts() for id_ in part["id"]]
        assert len(set(ids)) == len(names)
        assert [id_ for id_ in ids if id_ in ("a", "b", "m:0", "m:2", "m:4")] == [
            "a",
            "m:2",
            "m:0",
            "m:4",
            "b",
        ]
    frame = pd.DataFrame({"id": ["m", "a", "m"], "structure": [SALT] * 3})
    assert check_structures(frame).ids.tolist() == ["m:0", "a", "m:2"]
