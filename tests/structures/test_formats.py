"""POSCAR and extended XYZ by the rules of VASP and ASE, and one rule for all of them."""

import bz2
import gzip
import json
import lzma

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from pymatgen.core import DummySpecies, Lattice, Structure
from pymatgen.io.vasp import Poscar

from skcfgp.structures import Crystal, check_structures, crystal_from_optimade, structure_digest
from skcfgp.structures.checking import as_crystal
from skcfgp.structures.documents import read_json
from skcfgp.structures.vasp import read_poscar
from skcfgp.structures.xyz import read_xyz

POSCAR = "c\n1\n4.1 0 0\n0 4.1 0\n0 0 4.1\nNa Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
XYZ = '2\nLattice="4.1 0 0 0 4.1 0 0 0 4.1"\nNa 0 0 0\nCl 2.05 2.05 2.05\n'


@pytest.fixture(scope="module")
def salt_of_two():
    return structure_digest(Crystal(4.1 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17]))


@pytest.mark.parametrize("direct", [True, False])
def test_pymatgen_writes_what_is_read(crystals, direct):
    for structure in crystals[0]:
        text = Poscar(structure, sort_structure=True).get_str(direct=direct)
        assert read_poscar(text).composition == structure.composition
        theirs = structure_digest(Poscar.from_str(text).structure)
        assert structure_digest(read_poscar(text)) == theirs or not direct


def test_ase_writes_what_is_read(crystals, tmp_path):
    frames = [structure.to_ase_atoms() for structure in crystals[0]]
    write(tmp_path / "all.extxyz", frames)
    found = check_structures(tmp_path / "all.extxyz")
    for ours, theirs in zip(found.structures, read(tmp_path / "all.extxyz", ":"), strict=True):
        assert structure_digest(ours) == structure_digest(as_crystal(theirs))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c\n", "Na Cl\n"),
        ("4.1 0 0\n0 4.1 0\n0 0 4.1", "1 0 0\n0 1 0\n0 0 1"),
        ("Na Cl\n1 1", "Na_pv/123 Cl/45\n1 1"),
        ("Na Cl\n1 1", "Na\nCl\n1\n1"),
        ("Direct", "Selective\nDirect"),
        ("0 0 0\n.5 .5 .5", "0 0 0 Na\n.5 .5 .5 Cl"),
        ("0 0 0\n.5 .5 .5", "0 0 0 T T F\n.5 .5 .5 F F F\n\n0 0 0\n0 0 0"),
        ("Direct\n0 0 0\n.5 .5 .5", "Cart ! of VASP\n0 0 0\n2.05 2.05d0 2.05"),
        ("\n", "\n"),
    ],
)
def test_forms_of_a_poscar(old, new, salt_of_two):
    text = POSCAR.replace(old, new)
    if "\n1 0 0\n" in text:
        for scale in ("4.1", "4.1 4.1 4.1", str(-(4.1**3))):
            scaled = text.replace("c\n1\n", f"c\n{scale}\n")
            assert structure_digest(read_poscar(scaled)) == salt_of_two
        return
    assert structure_digest(read_poscar(text)) == salt_of_two


def test_the_elements_of_vasp_4(salt_of_two):
    untold = POSCAR.replace("Na Cl\n", "")
    for comment in ("Na Cl", "Na1 Cl1"):
        assert structure_digest(read_poscar(untold.replace("c\n", f"{comment}\n"))) == salt_of_two
    rows = untold.replace("0 0 0\n.5 .5 .5", "0 0 0 Na\n.5 .5 .5 Cl")
    assert structure_digest(read_poscar(rows)) == salt_of_two
    flags = untold.replace("0 0 0\n.5 .5 .5", "0 0 0 F\n.5 .5 .5 F")  # not fluorine
    with pytest.raises(ValueError, match="its elements are not in the file"):
        read_poscar(flags)
    for comment in ("relaxed", "Na", "Na2 Cl2", "Na Cl K", "Na Q"):
        with pytest.raises(ValueError, match="its elements are not in the file"):
            read_poscar(untold.replace("c\n", f"{comment}\n"))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0 0 4.1", "0 0 x", "line 5 must be a vector of the cell"),
        ("c\n1\n", "c\nnone\n", "line 2 must be scale factors"),
        ("c\n1\n", "c\n0\n", "scale factors must be positive"),
        ("Na Cl", "Na", "names 1 elements"),
        ("Na Cl", "Na Q", "Q is not an element"),
        ("Direct\n", "", "line 8 must be 'Direct' or 'Cartesian'"),
        ("1 1\n", "1 3\n", "4 atoms, by the counts .*, and 2 lines"),
        (
            ".5 .5 .5\n",
            ".5 .5 .5\nDirect configuration= 2\n0 0 0\n.4 .4 .4\n",
            "a further configuration in line 11",
        ),
        ("1 1\n", "1 0\n", "further coordinates in line 10"),
        (".5 .5 .5", ".5 .5", "line 10 must be coordinates"),
        ("0 0 0\n.5 .5 .5", "0 0 0 Na\n.5 .5 .5 K", "atom 2 is Cl by line 6 and K by the rows"),
    ],
)
def test_what_is_wrong_with_a_poscar(old, new, reason):
    with pytest.raises(ValueError, match=reason):
        read_poscar(POSCAR.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Lattice", "Cell", "no Lattice"),
        ("0 0 4.1", "0 0", "nine numbers, got 8"),
        ("4.1 0 0 0", "4.1 0 x 0", "Lattice must be numbers"),
        ('"\nNa', '" pbc="T T F"\nNa', "not periodic"),
        ('"\nNa', '" pbc="T maybe F"\nNa', "pbc must be three"),
        ('"\nNa', '" Properties=pos:R:3\nNa', "Properties must tell species and pos"),
        ('"\nNa', '" Properties=species:S:1:pos:R:3:f:R:3\nNa', "atom 1 has 4 values"),
        ('"\nNa', '" occupancy="none"\nNa', "occupancy cannot be read"),
        ('"\nNa', '" Lattice="9 0 0 0 9 0 0 0 9"\nNa', "tells Lattice twice"),
        ("Na 0 0 0", "1 0 0 0", "its species are numbers, such as 1"),
        ("Na 0 0 0", "Na 0 0", "atom 1 has 3 values"),
        ("Na 0 0 0", "Na 0 0 O", "coordinates of atom 1 must be numbers"),
        ("Na 0", "Xx 0", "'Xx' is not an element"),
        ("2\n", "3\n", "3 atoms for the frame; lines of atoms found: 2"),
        ("2\n", "1\n", "1 atoms for the frame; lines of atoms found: 2"),
    ],
)
def test_what_is_wrong_with_a_frame(old, new, reason):
    (_, first), (_, second), (_, third) = read_xyz(XYZ + XYZ.replace(old, new, 1) + XYZ)
    assert isinstance(second, ValueError)
    assert reason in str(second)
    assert isinstance(first, Crystal)
    assert isinstance(third, Crystal)


def test_a_broken_line_between_frames_costs_no_frame():
    rows = list(read_xyz(f"{XYZ}2x\n{XYZ[2:]}{XYZ}"))
    assert [isinstance(item, Crystal) for _, item in rows] == [True, False, True]
    assert "must be the number of atoms" in str(rows[1][1])


def test_the_id_of_a_frame_is_text():
    text = XYZ.replace('4.1"', '4.1" material_id=007 note="id=x"')
    ((id_, _),) = read_xyz(text)
    assert id_ == "007"
    for none in ("material_id=None", "id=nan", "id"):  # ASE writes the last
        ((id_, _),) = read_xyz(XYZ.replace('4.1"', f'4.1" {none}'))
        assert id_ is None


def test_atomic_numbers_in_a_frame(salt_of_two):
    text = XYZ.replace('4.1"', '4.1" Properties=Z:I:1:pos:R:3')
    ((_, crystal),) = read_xyz(text.replace("Na", "11").replace("Cl", "17"))
    assert structure_digest(crystal) == salt_of_two


def test_the_coordinates_of_jarvis_are_fractions_only_if_it_says_so(salt_of_two):
    atoms = {"lattice_mat": CUBE, "coords": HALF, "elements": ["Na", "Cl"], "cartesian": False}
    assert structure_digest(as_crystal({"atoms": atoms})) == salt_of_two
    for told in ("False", None):
        with pytest.raises(ValueError, match="'cartesian' as true or false"):
            as_crystal({"atoms": atoms | {"cartesian": told}})


def test_an_answer_of_one_entry_has_its_id():
    attributes = dict(doors({"Na": 1.0}))["OPTIMADE"]
    answer = {"data": {"id": "o-1", "attributes": attributes}, "meta": {}}
    ((id_, entry),) = read_json(json.dumps(answer))
    assert (id_, as_crystal(entry).composition.formula) == ("o-1", "Na1 Cl1")
    assert read_json('{"id": "a", "formula": "NaCl"}') == [("a", {"id": "a", "formula": "NaCl"})]
    with pytest.raises(ValueError, match="tells errors"):
        read_json('{"errors": [{"status": "500"}], "meta": {}}')


@pytest.mark.parametrize("opener", [gzip, bz2, lzma])
@pytest.mark.parametrize("name", ["a.mcif", "mp-2_POSCAR", "deep/er/CONTCAR"])
def test_all_of_a_folder_is_read(opener, name, tmp_path, salt_of_two):
    suffix = {gzip: ".gz", bz2: ".bz2", lzma: ".xz"}[opener]
    path = tmp_path / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    cif = Structure(Lattice.cubic(4.1), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="cif")
    path.write_bytes(opener.compress((cif if "cif" in name else POSCAR).encode()))
    (crystal,) = check_structures(tmp_path).structures
    assert structure_digest(crystal) == salt_of_two


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    (tmp_path / "POSCAR").write_text(POSCAR)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    with pytest.warns(UserWarning, match="1 of 2 files were passed over"):
        assert len(check_structures(tmp_path).ids) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_encodings(encoding, tmp_path, salt_of_two):
    path = tmp_path / "POSCAR"
    path.write_bytes(POSCAR.replace("c\n", "M\u00fcller\n").encode(encoding))
    assert structure_digest(check_structures([path]).structures[0]) == salt_of_two


CUBE = (4.1 * np.eye(3)).tolist()
HALF = [[0, 0, 0], [0.5, 0.5, 0.5]]


SPECIES = [{"name": name, "chemical_symbols": ["Na"], "concentration": [1]} for name in ("s", "Cl")]


def doors(occupants, pbc=(True, True, True)):
    """The same two sites, the first with `occupants`, as each door takes them."""
    lattice = Lattice(CUBE, pbc=pbc)
    species = {DummySpecies("X") if k == "vacancy" else k: v for k, v in occupants.items()}
    structure = Structure(lattice, [species, "Cl"], HALF)
    yield "structure", structure
    yield "dictionary", structure.as_dict()
    yield "JSON", json.loads(json.dumps({"id": "x", "structure": structure.as_dict()}))
    atoms = Atoms(["Na", "Cl"], scaled_positions=HALF, cell=CUBE, pbc=pbc)
    atoms.info["occupancy"] = {"0": occupants, "1": {"Cl": 1.0}}
    yield "ASE", atoms
    kind = {"name": "s", "chemical_symbols": list(occupants)}
    kind["concentration"] = list(occupants.values())
    chlorine = {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1]}
    yield (
        "OPTIMADE",
        {
            "lattice_vectors": CUBE,
            "cartesian_site_positions": (np.array(HALF) @ CUBE).tolist(),
            "species": [kind, chlorine],
            "species_at_sites": ["s", "Cl"],
            "dimension_types": [int(p) for p in pbc],
        },
    )
    if "vacancy" not in occupants and all(pbc):
        rows = [f"a{i} {kind} 0 0 0 {n}" for i, (kind, n) in enumerate(occupants.items())]
        tags = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy"]
        header = "data_x\n" + "".join(f"_cell_length_{a} 4.1\n" for a in "abc")
        header += "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nloop_\n"
        header += "".join(f"_atom_site_{tag}\n" for tag in tags)
        yield "CIF", header + "\n".join([*rows, "Cl Cl .5 .5 .5 1"])


@pytest.mark.parametrize(
    ("occupants", "reason"),
    [
        ({"Na": 0.6, "K": 0.4}, "disordered"),
        ({"Na": 0.5}, "disordered"),
        ({"vacancy": 0.5, "Na": 0.5}, "disordered|not an element"),
        ({"Na": 1.0}, None),
        ({"Na": 0.9995}, None),
    ],
)
def test_one_rule_for_all_doors(occupants, reason):
    for door, item in doors(occupants):
        found = check_structures([item], on_error="nan")
        if reason is None:
            assert found.failures == [], door
            assert found.structures[0].composition.formula == "Na1 Cl1"
        else:
            assert reason.split("|")[0] in found.failures[0].reason or (
                reason.split("|")[-1] in found.failures[0].reason
            ), door


@pytest.mark.parametrize("name", ["occupancy", "occupancies"])
def test_an_occupancy_of_each_atom_is_one_rule(name, tmp_path):
    """Of Atoms, of their dictionary, and of the extended XYZ that ASE writes of them."""
    atoms = Atoms(["Na", "Cl"], scaled_positions=HALF, cell=CUBE, pbc=True)
    atoms.set_array(name, np.array([1.0, 0.9999]))
    assert not check_structures([atoms, {"atoms": atoms.todict()}]).failures
    atoms.arrays[name][0] = 0.6
    write(str(tmp_path / "a.extxyz"), atoms)
    found = check_structures([atoms, atoms.todict(), tmp_path / "a.extxyz"], on_error="nan")
    reasons = {failure.reason for failure in found.failures}
    assert len(found.failures) == 3
    assert len(reasons) == 1
    assert "disordered" in reasons.pop()


def test_partial_periodicity_at_all_doors():
    for door, item in doors({"Na": 1.0}, pbc=(True, True, False)):
        (failure,) = check_structures([item], on_error="nan").failures
        assert "not periodic in three directions" in failure.reason, door


def test_hydrogen_is_said_to_be_what_it_was():
    text = POSCAR.replace("Na", "D")
    with pytest.warns(UserWarning, match="taken for hydrogen in 1 crystals: heavy"):
        (crystal,) = check_structures({"heavy": text}).structures
    assert crystal.properties["isotopes"] == {"D": 1}
    assert crystal.composition.formula == "H1 Cl1"
    structure = Structure(Lattice.cubic(4.1), ["D", "Cl"], HALF)
    assert as_crystal(structure).properties["isotopes"] == {"D": 1}
    atoms = Atoms("HCl", scaled_positions=HALF, cell=CUBE, pbc=True)
    atoms.set_masses([2.014, 35.45])
    assert as_crystal(atoms).properties["isotopes"] == {"D": 1}
    attributes = dict(doors({"H": 1.0}))["OPTIMADE"]
    attributes["species"][0]["mass"] = [2.014]
    assert crystal_from_optimade(attributes).properties["isotopes"] == {"D": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"assemblies": [{"sites_in_groups": [[0], [1]]}]}, "assemblies"),
        ({"structure_features": ["implicit_atoms"]}, "implicit atoms"),
        ({"nsites": 6}, "nsites 6"),
        ({"species_at_sites": ["s", "s", "Cl"]}, "2 cartesian_site_positions, 3 species_at_sites"),
        ({"species_at_sites": ["s", "K"]}, "'K' of a site is not among"),
        ({"chemical_formula_reduced": "Cl2Na"}, "chemical_formula_reduced is 'Cl2Na'"),
        ({"species": [*SPECIES, {"name": "s", "chemical_symbols": ["K"]}]}, "the name 's'"),
        ({"nperiodic_dimensions": 2}, "not periodic"),
        ({"structure_features": ["disorder"]}, "'disorder', of which its species show nothing"),
        ({"structure_features": ["site_attachments"]}, "species show nothing"),
        ({"elements": ["Cl", "Na"], "elements_ratios": [0.25, 0.75]}, "elements_ratios is"),
    ],
)
def test_what_optimade_tells_beside_the_sites(change, reason):
    attributes = dict(doors({"Na": 1.0}))["OPTIMADE"]
    assert crystal_from_optimade(attributes).composition.formula == "Na1 Cl1"
    with pytest.raises(ValueError, match=reason):
        crystal_from_optimade(attributes | change)
