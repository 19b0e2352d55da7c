"""What a record tells of its crystal more than once agrees, or the record is refused."""

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ase import Atoms
from pymatgen.core import Composition, Lattice, Structure

from skcfgp.campaign.crystals import read_pool
from skcfgp.screening import Pool
from skcfgp.screening.pool import read_records
from skcfgp.structures import Crystal, check_structures, crystal_from_optimade
from skcfgp.structures.crystal_tables import read_crystals
from skcfgp.structures.xyz import read_xyz

HALF = [[0, 0, 0], [0.5, 0.5, 0.5]]
CUBE = 4.1 * np.eye(3)
SALT = Structure(Lattice(CUBE), ["Na", "Cl"], HALF)
OTHER = Structure(Lattice(CUBE), ["K", "Cl"], HALF)
LARGER = Structure(Lattice(1.1 * CUBE), ["Na", "Cl"], HALF)
MOVED = Structure(Lattice(CUBE), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.3]])
DOUBLED = SALT * (2, 1, 1)
JARVIS = {
    "lattice_mat": CUBE.tolist(),
    "coords": HALF,
    "elements": ["Na", "Cl"],
    "cartesian": False,
    "abc": [4.1, 4.1, 4.1],
    "angles": [90, 90, 90],
}
ATTRIBUTES = {
    "lattice_vectors": CUBE.tolist(),
    "cartesian_site_positions": (np.array(HALF) @ CUBE).tolist(),
    "species": [
        {"name": name, "chemical_symbols": [name], "concentration": [1]} for name in ("Na", "Cl")
    ],
    "species_at_sites": ["Na", "Cl"],
}
ARRAYS = {"lattice": CUBE.tolist(), "frac_coords": HALF, "atomic_numbers": [11, 17]}


def plain(structure):
    return json.loads(json.dumps(structure.as_dict()))


def reason_of(record):
    (failure,) = check_structures([record], on_error="nan").failures
    return failure.reason


def formula_of(record):
    (crystal,) = check_structures([record]).structures
    return crystal.composition.formula


@pytest.mark.parametrize(
    "record",
    [
        {"structure": plain(SALT), "cif": OTHER.to(fmt="cif")},
        {"structure": plain(SALT), "atoms": JARVIS | {"elements": ["K", "Cl"]}},
        {"cif": SALT.to(fmt="cif"), "attributes": ATTRIBUTES | {"species_at_sites": ["Cl"] * 2}},
        {"structure": plain(SALT), "cif": LARGER.to(fmt="cif")},
        {"structure": plain(SALT), "cif": MOVED.to(fmt="cif")},
        plain(SALT) | {"cif": OTHER.to(fmt="cif")},
        plain(SALT) | JARVIS | {"coords": [[0, 0, 0], [0.5, 0.5, 0.2]]},
        {"structure": plain(SALT), "formula": "KCl"},
        {"structure": plain(SALT), "composition": {"Na": 1, "Cl": 2}},
        {"structure": plain(SALT), "formula_pretty": "KCl"},
        {"structure": plain(SALT), "chemsys": "Cl-K"},
        {"structure": plain(SALT), "nsites": 8},
        {"structure": plain(SALT), "nelements": 3},
        {"structure": plain(SALT), "elements": ["Cl", "K"]},
        {"structure": "KCl", "cif": SALT.to(fmt="cif")},
        {"atoms": JARVIS, "formula": "KCl", "jid": "J-1"},
        {"atoms": JARVIS | {"abc": [4.1, 4.1, 8.2]}},
        {"atoms": JARVIS | {"angles": [90, 90, 120]}},
        *(
            {"attributes": ATTRIBUTES | told}
            for told in (
                {"chemical_formula_reduced": "ClK"},
                {"chemical_formula_hill": "ClK"},
                {"chemical_formula_descriptive": "KCl"},
                {"chemical_formula_anonymous": "A2B"},
                {"nsites": 4},
                {"elements": ["Cl", "K"]},
                {"nelements": 1},
                {"fractional_site_positions": [[0, 0, 0], [0.5, 0.5, 0.2]]},
            )
        ),
        ARRAYS | {"species": ["K", "Cl"]},
        ARRAYS | {"species": ["Cl", "Na"]},
        ARRAYS | {"Z": [19, 17]},
        ARRAYS | {"formula": "KCl"},
    ],
)
def test_contradictions_are_refused_with_both_readings(record):
    reason = reason_of(record)
    told = [word for word in ("Correct one", "Remove the one", "must agree") if word in reason]
    assert told, reason


@pytest.mark.parametrize(
    "record",
    [
        {"structure": plain(SALT), "cif": DOUBLED.to(fmt="cif"), "formula": "Na2Cl2"},
        {"structure": SALT, "atoms": SALT.to_ase_atoms(), "composition": Composition("NaCl")},
        {"structure": plain(SALT), "atoms": 2, "cif": "salt.cif", "formula": "Halite"},
        {"structure": plain(SALT), "atoms": {"n": 2}, "nsites": "2", "elements": "['Na', 'Cl']"},
        {"structure": plain(SALT), "Z": 1, "species": "Na", "composition": 0.25},
        {"structure": "rocksalt", "cif": SALT.to(fmt="cif")},
        {"atoms": JARVIS, "formula": "ClNa", "structure": None},
        {"attributes": ATTRIBUTES | {"chemical_formula_anonymous": "AB", "nsites": 2}},
        {"attributes": {"colour": "white"}, "structure": plain(SALT)},
        ARRAYS | {"species": ["Na+", "Cl-"], "elements": ["Cl", "Na"], "symbols": ["Na", "Cl"]},
    ],
)
def test_what_agrees_or_tells_nothing_is_no_reason_to_refuse(record):
    assert formula_of(record) == "Na1 Cl1"


def test_a_crystal_in_another_orientation_or_cell_is_the_same():
    turned = Structure(Lattice.from_parameters(*SALT.lattice.parameters), SALT.species, HALF)
    face = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.7), ["Na", "Cl"], HALF)
    for first, second in ((SALT, turned), (face, face.get_primitive_structure())):
        assert formula_of({"structure": first, "cif": second.to(fmt="cif")}) in (
            "Na1 Cl1",
            "Na4 Cl4",
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["lattice"].update(a=4.3), "vectors 4.1 4.1 4.1 90 90 90"),
        (lambda d: d["lattice"].update(gamma=120), "90 90 120"),
        (lambda d: d["sites"][1].update(xyz=[2.05, 2.05, 0.4]), "which are two places"),
    ],
)
def test_the_cell_and_the_sites_of_a_dictionary(change, reason):
    record = plain(SALT)
    record["sites"][1]["xyz"] = [2.05, 2.05, 2.05 - 4.1]  # in another cell
    assert formula_of(record) == "Na1 Cl1"
    change(record)
    assert reason in reason_of(record)


def test_formulas_without_a_structure_agree_too():
    found = check_structures(
        [
            {"formula": "NaCl", "composition": {"Na": 2, "Cl": 2}},
            {"formula": "K", "elements": "Na"},
        ],
        formulas=True,
        on_error="nan",
    )
    assert [failure.index for failure in found.failures] == [1]


def test_the_same_through_every_door(tmp_path):
    """A formula beside the crystal of a row of a table, whatever holds the table."""
    cif = SALT.to(fmt="cif")
    SALT.to(str(tmp_path / "salt.cif"), fmt="cif")
    text = pd.DataFrame({"id": ["a", "b"], "cif": [cif, cif], "formula": ["NaCl", "KCl"]})
    files = text.drop(columns="cif").assign(file="salt.cif")
    objects = text.drop(columns="cif").assign(structure=[SALT, SALT])
    paths = text.drop(columns="cif").assign(structure=str(tmp_path / "salt.cif"))
    expected = "its formula is 'KCl', and its 2 sites are 'Na Cl'"
    for frame in (text, objects, paths, pa.Table.from_pandas(text)):
        found = check_structures(frame, on_error="nan")
        assert found.ids.tolist() == ["a", "b"]
        assert [(f.id, expected in f.reason) for f in found.failures] == [("b", True)]
        if frame is objects or frame is paths:
            pool = read_pool(frame)
            assert (pool.ids, pool.refused[0].id) == (["a"], "b")
            assert expected in pool.refused[0].reason
    for name, frame in (("text", text), ("files", files)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        frame.to_parquet(tmp_path / f"{name}.parquet")
        frame.to_json(tmp_path / f"{name}.json", orient="records")
        for suffix in ("csv", "parquet", "json"):
            table = read_crystals(tmp_path / f"{name}.{suffix}")
            assert [row.id for row in table.rows] == ["a"]
            assert expected in table.refused[0].reason
            if suffix != "json":
                ((_, records),) = Pool(tmp_path / f"{name}.{suffix}").chunks(5)
                found = read_records(records)
                assert [(f.id, expected in f.reason) for f in found.failures] == [("b", True)]


def test_frames_and_databases_of_ase(tmp_path):
    frame = '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:Z:I:1:pos:R:3{}\n{}\n'
    (tmp_path / "a.xyz").write_text(
        frame.format("", "Na 11 0 0 0\nCl 17 2 2 2")
        + frame.format("", "Na 19 0 0 0\nCl 17 2 2 2")
        + frame.format(" formula=KCl", "Na 11 0 0 0\nCl 17 2 2 2")
        + frame.format(":occupancy:R:1", "Na 11 0 0 0 0.5\nCl 17 2 2 2 1.0")
        + frame.format(":masses:R:1", "H 1 0 0 0 2.01\nCl 17 2 2 2 35.5")
    )
    with pytest.warns(UserWarning, match="taken for hydrogen in 1 crystals: a:4"):
        found = check_structures(tmp_path / "a.xyz", on_error="nan")
    reasons = {failure.index: failure.reason for failure in found.failures}
    assert sorted(reasons) == [1, 2, 3]
    assert "Na and 19 in two columns" in reasons[1]
    assert "its formula is 'KCl'" in reasons[2]
    assert "disordered" in reasons[3]
    atoms = Atoms("NaCl", scaled_positions=HALF, cell=CUBE, pbc=True, info={"formula": "KCl"})
    for door in (atoms, atoms.todict() | {"info": atoms.info}):
        assert "its formula is 'KCl'" in reason_of(door)
    connect = pytest.importorskip("ase.db").connect
    with connect(tmp_path / "a.db") as database:
        atoms = Atoms("NaCl", scaled_positions=HALF, cell=CUBE, pbc=True)
        database.write(atoms, formula_pretty="NaCl")
        database.write(atoms, formula_pretty="KCl")
        heavy = Atoms("HCl", scaled_positions=HALF, cell=CUBE, pbc=True)
        heavy.set_masses([2.014, 35.45])
        database.write(heavy)
    with pytest.warns(UserWarning, match="taken for hydrogen in 1 crystals: 3"):
        found = check_structures(tmp_path / "a.db", on_error="nan")
    assert [failure.id for failure in found.failures] == ["2"]


def test_a_lattice_in_brackets():
    for lattice in ("[[4,0,0],[0,4,0],[0,0,4]]", '"4 0 0 0 4 0 0 0 4"', "[4,0,0,0,4,0,0,0,4]"):
        text = f"1\nLattice={lattice} a=[[1, 2], [3]] Properties=pos:R:3:species:S:1\n0 0 0 Na\n"
        ((_, crystal),) = read_xyz(text)
        assert (round(crystal.volume, 9), len(crystal)) == (64.0, 1)


def test_a_crystal_has_no_more_to_agree_with():
    assert formula_of(Crystal(CUBE, HALF, [11, 17], {"formula": "not a formula"})) == "Na1 Cl1"
    assert crystal_from_optimade(ATTRIBUTES | {"chemical_formula_descriptive": "salt"})


def test_a_file_beside_a_structure_is_compared_with_it(tmp_path, monkeypatch):
    """Where there is such a file; else its name says only where the structure came from."""
    monkeypatch.chdir(tmp_path)
    SALT.to("salt.cif", fmt="cif")
    other = SALT.copy()
    other.replace_species({"Na": "K"})
    cif, wrong = SALT.to(fmt="cif"), other.to(fmt="cif")
    columns = {"id": list("abc"), "file": ["salt.cif", "salt.cif", "gone.cif"]}
    text = pd.DataFrame(columns | {"cif": [cif, wrong, wrong]})
    text.to_csv("table.csv", index=False)
    objects = pd.DataFrame(columns | {"structure": [SALT, other, other]})
    expected = "Na Cl' in .* cubic angstrom .another composition.. Remove the one that is wrong"
    for frame in (text, objects):
        (failure,) = check_structures(frame, on_error="nan").failures
        assert failure.id == "b"
        assert re.search(expected, failure.reason)
    table = read_crystals(tmp_path / "table.csv")
    assert [row.id for row in table.rows] == ["a", "c"]
    assert re.search(expected, table.refused[0].reason)
