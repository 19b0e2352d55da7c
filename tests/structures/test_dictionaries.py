"""Dictionaries of crystals are read as data: nothing that they name is imported."""

import json

import numpy as np
import pytest
from ase import Atoms
from pymatgen.core import Structure

from skcfgp.structures import Crystal, check_structures, structure_digest
from skcfgp.structures.dictionaries import crystal_from_dictionary


def test_dictionaries_mean_what_pymatgen_means(formation_energy):
    for structure in formation_energy.structures[::40]:
        structure = structure.copy().add_oxidation_state_by_guess()
        for verbosity in (0, 1):
            record = json.loads(json.dumps(structure.as_dict(verbosity=verbosity)))
            ours = crystal_from_dictionary(record)
            theirs = Crystal.from_structure(Structure.from_dict(record))
            assert np.array_equal(ours.lattice, theirs.lattice)
            assert np.array_equal(ours.frac_coords, theirs.frac_coords)
            assert np.array_equal(ours.atomic_numbers, theirs.atomic_numbers)
        del record["lattice"]["matrix"]
        assert np.allclose(
            crystal_from_dictionary(record).lattice,
            Structure.from_dict(record).lattice.matrix,
            atol=1e-12,
        )


def test_dictionaries_of_ase(salt):
    atoms = Atoms(salt.labels, salt.cart_coords, cell=salt.lattice.matrix, pbc=True)
    assert structure_digest(crystal_from_dictionary(atoms.todict())) == structure_digest(salt)


def test_only_what_is_meant_is_kept(salt):
    salt.properties = {"material_id": "mp-1", "gap": 8.5, "tags": ["a"], "object": {"@module": "x"}}
    salt.add_site_property("magmom", [0.5] * len(salt))
    crystal = crystal_from_dictionary(salt.as_dict())
    assert crystal.properties == {"material_id": "mp-1", "gap": 8.5, "tags": ["a"]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(properties=["x"]), "properties must be an object"),
        (lambda d: d.update(lattice=[1]), "'lattice' as an object"),
        (lambda d: d["lattice"].update(matrix=[[1, 2], [3]]), "3 x 3 numbers"),
        (lambda d: d["lattice"].update(matrix=[["1", 0, 0]] * 3), "3 x 3 numbers"),
        (lambda d: d["lattice"].update(matrix=[[10**400, 0, 0]] * 3), "3 x 3 numbers"),
        (lambda d: d["lattice"].update(pbc=[True, True]), "'pbc'"),
        (lambda d: d["lattice"].update(pbc=[True, True, False]), "not periodic"),
        (lambda d: d.update(lattice=dict.fromkeys(["a", "b", "c"], 4)), "as 6 numbers"),
        (lambda d: d.update(sites={}), "'sites' as a list"),
        (lambda d: d.update(sites=[]), "no sites"),
        (lambda d: d["sites"].append([]), "'sites' as a list of objects"),
        (lambda d: d["sites"][0].update(abc=[0, None, 0]), "'abc' of the sites"),
        (lambda d: d["sites"][0].pop("abc"), "'abc' of the sites"),
        (lambda d: d["sites"][0].update(species="Na"), "'species' of a site"),
        (lambda d: d["sites"][0]["species"][0].update(occu=0.5), "disordered"),
        (lambda d: d["sites"][0]["species"][0].update(occu=[1]), "'occu' of each"),
        (lambda d: d["sites"][0]["species"].append({"element": "K", "occu": 0.5}), "disordered"),
        (lambda d: d["sites"][0]["species"][0].update(element=["Na"]), "not an element"),
        (lambda d: d["sites"][0]["species"][0].update(element="X"), "X is not an element"),
        (lambda d: d["sites"][0]["species"][0].update(element="\ud800"), r"\\ud800 is not"),
    ],
)
def test_what_is_wrong_is_said(rock_salt, change, reason):
    record = json.loads(json.dumps(rock_salt.as_dict()))
    change(record)
    with pytest.raises(ValueError, match=reason):
        crystal_from_dictionary(record)


def test_what_a_crystal_does_not_hold_is_not_read(rock_salt):
    record = json.loads(json.dumps(rock_salt.as_dict()))
    for charge in (10**400, [1], "x"):
        assert len(crystal_from_dictionary(record | {"charge": charge})) == 8


def test_an_id_that_no_file_takes_is_escaped(rock_salt, tmp_path):
    record = rock_salt.as_dict() | {"material_id": "mp-\udc80"}
    (tmp_path / "x.json").write_text(json.dumps([record, record | {"material_id": "mp-2"}]))
    found = check_structures(tmp_path / "x.json")
    assert found.ids.tolist() == [r"mp-\udc80", "mp-2"]
    assert found.structures[0].properties["material_id"] == r"mp-\udc80"
