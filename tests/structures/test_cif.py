"""CIF by the rules of the format; pymatgen's own reader is the oracle where both read a file."""

import re
import warnings

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser, CifWriter

from skcfgp.structures import Crystal, structure_digest
from skcfgp.structures.cif import read_cif

CELL = """data_x
_cell_length_a 4.1
_cell_length_b 4.1
_cell_length_c 4.1
"""
IDENTITY = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n"
SITES = """loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""
SALT = f"{CELL}{IDENTITY}{SITES}Na1 0 0 0\nCl1 .5 .5 .5\n"


def only(text):
    (found,) = read_cif(text)
    if isinstance(found, Exception):
        raise found
    return found


@pytest.mark.parametrize("symprec", [None, 0.01])
def test_pymatgen_reads_the_same(crystals, symprec):
    structures = crystals[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for structure in structures:
            text = str(CifWriter(structure, symprec=symprec))
            (theirs,) = CifParser.from_str(text).parse_structures(primitive=False)
            assert structure_digest(only(text)) == structure_digest(theirs)


@pytest.mark.parametrize("formula", ["N", "O", "H", "F", "Cl", "NaO", "LiO", "KO", "NaCl", "HO"])
def test_the_formula_units_of_pymatgen_are_understood(formula):
    """It counts O8 as four O2, and Na4 O4 as two Na2O2."""
    symbols = re.findall("[A-Z][a-z]?", formula) * 8
    sites = [[k / len(symbols), 0, 0] for k in range(len(symbols))]
    structure = Structure(Lattice.orthorhombic(40, 5, 6), symbols, sites)
    assert len(only(str(CifWriter(structure)))) == len(symbols)
    without = str(CifWriter(structure)).replace("_cell_formula_units_Z", "_cell_formula_units_Z 3")
    with pytest.raises(ValueError, match="_cell_formula_units_Z 3"):
        only(re.sub("(_Z 3) .*", r"\1", without))


def test_a_space_group_stands_for_its_operations(crystals):
    """Without the list: the same crystal, or two settings that the name does not tell apart."""
    operations = r"loop_\n _symmetry_equiv_pos_site_id\n.*\n(?:  \d+  .*\n)+"
    open_settings = 0
    for structure in crystals[0]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = str(CifWriter(structure, symprec=0.01))
        with_operations = only(text)
        (found,) = read_cif(re.sub(operations, "", text))
        if isinstance(found, Exception):
            assert "choice 1 and" in str(found)
            open_settings += 1
        else:
            assert found.composition == with_operations.composition
            assert found.to_structure().matches(with_operations.to_structure())
    assert open_settings < len(crystals[0]) / 10


def test_what_the_format_leaves_out_has_its_default():
    salt = Crystal(Lattice.cubic(4.1).matrix, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
    assert structure_digest(only(SALT)) == structure_digest(salt)  # angles, occupancies
    angles = "_cell_angle_alpha ?\n_cell_angle_beta .\n_cell_angle_gamma 90.0(1)\n"
    for text in (
        SALT.replace(IDENTITY, angles + IDENTITY),
        SALT.replace("_atom_site_label", "_ATOM_SITE_LABEL").replace("data_", "DATA_"),
        SALT.replace("\n", "\r\n"),
        SALT.replace("\n", "\r"),
        SALT.replace("_cell_length_a", "# a comment with 'quotes\n_cell_length_a"),
        SALT.replace("data_x", "data_x\n_publ_title\n;\nloop_ data_ _cell_length_a 5\n;"),
        SALT.replace(IDENTITY, "_symmetry_space_group_name_H-M 'P 1'\n"),
        SALT.replace(IDENTITY, "_space_group_IT_number 1\n"),
        SALT.replace(IDENTITY, "_chemical_formula_sum 'Na2 Cl2'\n_cell_formula_units_Z 0.5\n"),
        SALT.replace(IDENTITY, "_cell.formula_units_Z 1\n_chemical_formula_sum 'Na Cl'\n"),
        SALT.replace("data_x", "data_x\n_chemical_formula_weight 58.44"),
    ):
        assert structure_digest(only(text)) == structure_digest(salt)


def with_column(name, *values):
    """Rock salt with a further column of the table of sites."""
    text = SALT.replace("_fract_z\n", f"_fract_z\n_atom_site_{name}\n")
    return text.replace("0 0 0", f"0 0 0 {values[0]}").replace(".5 .5 .5", f".5 .5 .5 {values[1]}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SALT.replace(IDENTITY, ""), "does not tell its symmetry"),
        (SALT.replace("x,y,z", "x,y,z\n-x,-y,z\n-x,y,-z"), "not those of a space group"),
        (SALT.replace("x,y,z", "x,y"), "'x,y' is not a symmetry operation"),
        (SALT.replace("x,y,z", "x,y,2z"), "changes the volume"),
        (SALT.replace("x,y,z", "x,y,z\ny,x,z").replace("c 4.1", "c 4.1\n_cell_angle_alpha 80"),
         "cell does not have the symmetry"),
        (SALT.replace(IDENTITY, "_space_group_name_H-M_alt 'P 63/m m c'\n"), "cell does not have"),
        (SALT.replace(IDENTITY, "_space_group_name_H-M_alt 'Q 3'\n"), "'Q 3' is not known"),
        (SALT.replace(IDENTITY, "_space_group_IT_number 231\n"), "no space group of the number"),
        (SALT.replace(IDENTITY, "_space_group_IT_number 2\n_space_group_name_H-M_alt 'P 4'\n"),
         "two different space groups"),
        (SALT.replace("data_x", "data_x\n_space_group_name_H-M_alt 'F m -3 m'"),
         "does not tell its symmetry"),
        (SALT.replace("data_x", "data_x\n_space_group_name_H-M_alt 'F m -3 m'\n"
                      "_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4")
         .replace("x,y,z", "x,y,z\n-x,-y,-z"), "with _cell_formula_units_Z 4, and the sites"),
        (SALT.replace("data_x", "data_x\n_space_group_name_H-M_alt 'P 1'\n"
                      "_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4"),
         "'Na Cl' with _cell_formula_units_Z 4, and the sites of its cell are 'Na Cl'"),
        (SALT.replace("data_x", "data_x\n_space_group_name_H-M_alt 'F m -3 m'\n"
                      "_chemical_formula_sum 'Na Cl'"), "fewer operations than its space"),
        (SALT.replace("data_x", "data_x\n_exptl_crystal_density_diffrn 2.17(1)"),
         "_exptl_crystal_density_diffrn is 2.17, and the density of its sites 'Na Cl' is 1.41"),
        (SALT.replace("data_x", "data_x\n_chemical_formula_weight 76.46"),
         "_chemical_formula_weight is 76.46, and the sites 'Na Cl' have 58.443, no multiple"),
        (SALT.replace("data_x", "data_x\n_cell_volume 179.4"),
         "_cell_volume is 179.4, and the volume of its lengths [4.1, 4.1, 4.1]"),
        (SALT.replace("data_x", "data_x\n_chemical_formula_structural 'Na Cl (H2 O)'"),
         "no site is H, O, which its _chemical_formula_structural"),
        (with_column("site_symmetry_multiplicity", "1", "4"),
         "the multiplicity of its site 2, Cl, is 4, and by its 1 symmetry operations 1"),
        (SALT.replace("Cl1", "W1"), "'W1' may be tungsten or a water"),
        (SALT.replace("Cl1", "O1W"), "'O1W' may be an oxygen or a water"),
        (SALT.replace("Cl1", "OW1"), "'OW1' may be an oxygen or a water"),
        (SALT.replace("Cl1", "WAT"), "'WAT', of which the hydrogens"),
        (SALT.replace("Cl1", "W1").replace("data_x", "data_x\n_chemical_formula_sum 'Na H2 O'"),
         "its sum formula is 'Na H2 O', and its sites are 'O Na'"),
        (SALT.replace("Cl1", "W1").replace("data_x", "data_x\n_chemical_formula_sum 'Na H W O'"),
         "the label 'W1' does not tell its element (O or W)"),
        (SALT.replace("a 4.1", "a 4,1"), "_cell_length_a must be a number, got '4,1'"),
        (SALT.replace("_cell_length_a 4.1\n", ""), "_cell_length_a is missing"),
        (SALT.replace("a 4.1", "a 4.1\n_cell_length_a 4.2"), "_cell_length_a is given twice"),
        (SALT.replace("Na1 0 0 0", "Na1 0 0"), "4 columns and 7 values"),
        (SALT.replace("0 0 0", "0 ? 0"), "the site Na1 has no coordinates"),
        (SALT.replace("_fract_x", "_Cartn_x"), "no fractional coordinates: _atom_site_fract_x"),
        (SALT.replace("Cl1", "CA1"), "the label 'CA1' does not tell its element"),
        (SALT.replace("Cl1", "Wat(1)"), "'Wat(1)', of which the hydrogens"),
        (SALT.replace("Cl1", "H2O(1)"), "'H2O(1)', of which the hydrogens"),
        (SALT.replace("Cl1", "OH1A"), "'OH1A', of which the hydrogens"),
        (SALT.replace("Cl1", "Vac1"), "the label 'Vac1' does not tell its element"),
        (SALT.replace("Cl1", "Du1"), "the label 'Du1' does not tell its element"),
        (SALT.replace("Cl1", "Ph1"), "the label 'Ph1' does not tell its element"),
        (SALT.replace("Na1", "T1"), "the label 'T1' does not tell its element"),
        (SALT.replace("data_x", "data_x\n_chemical_formula_sum Na Cl"), "put quotes around"),
        (SALT.replace("data_x", "data_x\n_chemical_formula_sum 'Na Q7'"), "'Na Q7' cannot be read"),
        (SALT.replace("data_x", "data_x\n_chemical_formula_sum 'Na1.5 Cl'"), "are 'Na Cl'"),
        (SALT.replace("data_x", "data_x\n_chemical_formula_moiety 'Na Cl, 2(H2 O)'"),
         "no site is H, O, which its _chemical_formula_moiety"),
        (SALT.replace("x,y,z", "x,y,z\n_cell_wave_vector_seq_id 1"), "modulated"),
        (with_column("type_symbol", "Na", "OH"), "'OH', of which the hydrogens"),
        (with_column("type_symbol", "Na", "'0.5Cl + 0.5Br'"), "which is not an element"),
        (with_column("occupancy", "0.5", "1"), "Na0.5': disordered"),
        (with_column("occupancy", "1.2", "1"), "add up to 1.2"),
        (with_column("occupancy", "-1", "1"), "occupancy -1"),
        (with_column("disorder_group", "1", "2"), "disorder groups 1, 2"),
        (with_column("disorder_group", "-1", "."), "disorder groups -1"),
    ],
)  # fmt: skip
def test_what_is_left_open_or_contradicts_itself_is_refused(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        only(text)


def test_labels_and_types_tell_the_element():
    assert only(SALT.replace("Cl1", "O1A")).composition.formula == "Na1 O1"
    assert only(SALT.replace("Cl1", "MG1")).composition.formula == "Na1 Mg1"
    carbon = SALT.replace("Cl1", "CA1").replace("data_x", "data_x\n_chemical_formula_sum 'C Na'")
    assert only(carbon).composition.formula == "Na1 C1"
    assert only(with_column("type_symbol", "Na1+", "CL1-")).composition.formula == "Na1 Cl1"
    assert len(only(with_column("occupancy", "0", "1"))) == 1
    heavy = only(with_column("type_symbol", "Na", "D"))
    assert heavy.composition.formula == "Na1 H1"
    assert heavy.properties == {"isotopes": {"D": 1}}


@pytest.mark.parametrize("label", ["W1", "O1W", "OW1", "WAT", "OH1"])
def test_the_sum_formula_tells_what_a_label_of_a_water_is(label):
    rows = "H1 .1 .1 0\nH2 -.1 -.1 0\n"
    text = SALT.replace("Na1 0", f"{rows}{label} 0").replace("Cl1", "Na1")
    text = text.replace("data_x", "data_x\n_chemical_formula_sum 'H2 Na O'")
    assert only(text).composition.formula == "Na1 H2 O1"
    tungsten = SALT.replace("Na1", "W1").replace("Cl1", "O")
    tungsten = tungsten.replace("data_x", "data_x\n_chemical_formula_sum 'O W'")
    assert only(tungsten).composition.formula == "W1 O1"


def test_what_is_told_twice_and_agrees_is_no_reason_to_refuse():
    """pymatgen writes the formula of the cell, and the number of units in it."""
    for told in (
        "_chemical_formula_sum 'Na1 Cl1'\n_cell_formula_units_Z 1",
        "_cell_volume 68.9(3)",
        "_exptl_crystal_density_diffrn 1.408",
        "_chemical_formula_structural NaCl",
    ):
        assert len(only(SALT.replace("data_x", f"data_x\n{told}"))) == 2
    cell = SALT.replace(
        "data_x", "data_x\n_chemical_formula_sum 'Na2 Cl2'\n_cell_formula_units_Z 2"
    )
    cell = cell.replace(IDENTITY, "").replace("Na1 0 0 0", "Na1 0 0 0\nNa2 0 0 .5\nCl2 .5 0 .5")
    assert len(only(cell)) == 4  # complete, though the symmetry is lost


def test_magnetic_operations_and_centring():
    text = SALT.replace(IDENTITY, "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n"
                        "loop_\n_space_group_symop_magn_centering.xyz\nx,y,z,+1\n"
                        "x+1/2,y+1/2,z+1/2,-1\n")  # fmt: skip
    assert only(text.replace(".5 .5 .5", ".5 0 0")).composition.formula == "Na2 Cl2"


def test_special_positions_with_rounded_coordinates():
    hexagonal = Structure.from_spacegroup(
        "P6_3/mmc", Lattice.hexagonal(3.2, 5.2), ["Mg"], [[1 / 3, 2 / 3, 0.25]]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = str(CifWriter(hexagonal, symprec=0.01))
    for digits in ("0.333", "0.3333", "0.33333", "0.333333333"):
        rounded = re.sub(r"0\.3333+\d*", digits, re.sub(r"0\.6666\d*", "0.667", text))
        assert len(only(rounded)) == len(hexagonal)


def test_blocks_do_not_cost_each_other():
    text = f"data_global\n_x y\n{SALT}{SALT.replace('a 4.1', 'a x')}{SALT.replace('Na', 'K')}"
    first, second, third = read_cif(text)
    assert first.composition.formula == "Na1 Cl1"
    assert "_cell_length_a" in str(second)
    assert third.composition.formula == "K1 Cl1"
    unfinished = SALT.replace("data_x", "data_x\n_publ_title\n;\na text that does not end")
    first, second = read_cif(unfinished + SALT.replace("Na", "K"))
    assert second.composition.formula == "K1 Cl1"
