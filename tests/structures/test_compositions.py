"""Formulas: every character means something, or the formula is refused."""

import contextlib
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Structure

from skcfgp.structures import InvalidStructureError, check_structures
from skcfgp.structures.compositions import is_formula, read_formula


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("NaCl", {"Na": 1, "Cl": 1}),
        ("Fe0.5Ni.5", {"Fe": 0.5, "Ni": 0.5}),
        ("Ca(OH)2", {"Ca": 1, "O": 2, "H": 2}),
        ("[Co(NH3)6]Cl3", {"Co": 1, "N": 6, "H": 18, "Cl": 3}),
        ("CuSO4·5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("Na Cl", {"Na": 1, "Cl": 1}),
        ("Fe₂O₃", {"Fe": 2, "O": 3}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
        ("NaNaCl2", {"Na": 2, "Cl": 2}),
        ("La1.85Sr0.15CuO4", {"La": 1.85, "Sr": 0.15, "Cu": 1, "O": 4}),
        ("Ba1.5La1.5Cu3O7", {"Ba": 1.5, "La": 1.5, "Cu": 3, "O": 7}),
        ("Al F2.5 H2 O", {"Al": 1, "F": 2.5, "H": 2, "O": 1}),
        ("Al2O3.SiO2", {"Al": 2, "Si": 1, "O": 5}),
    ],
)
def test_formula(text, amounts):
    assert read_formula(text).as_dict() == amounts


def test_heavy_hydrogen_is_hydrogen_and_said_to_be():
    with pytest.warns(UserWarning, match="deuterium and tritium are taken for hydrogen"):
        assert read_formula("D2O").as_dict() == {"H": 2, "O": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Xx2", "Xx in the formula 'Xx2' is not an element"),
        ("nacl", "not understood at 'nacl'"),
        ("Na+Cl-", "not understood at '\\+Cl-'"),
        ("Na0Cl", "there are 0 atoms of Na"),
        ("Na1e9", "not understood at 'e9'"),
        ("Na9999999", "1e\\+07 atoms of Na"),
        ("Na(Cl", "a bracket of the formula"),
        ("Na(Cl]", "not understood at '\\]'"),
        ("()", "empty brackets"),
        ("", "empty"),
        ("Na·", "not understood at '·'"),
        ("2NaCl", "not understood at '2'"),
        ("(" * 30 + "Na" + ")" * 30, "more than 20 nested brackets"),
        ("Na" * 600, "1200 characters"),
        ("CuSO4.5H2O", "a fraction or of a hydrate. Write CuSO4·5H2O for a hydrate"),
        ("MgCl2.6H2O", "Write MgCl2·6H2O"),
        ("CaSO4.2 H2O", "Write CaSO4·2 H2O"),
        ("NaBr.2H2O", "Write NaBr·2H2O"),
        ("NiCl2.6NH3", "Write NiCl2·6NH3"),
        ("Al2O3.2SiO2", "Write Al2O3·2SiO2"),
    ],
)
def test_what_is_no_formula_is_refused_by_its_part(text, reason):
    with pytest.raises(ValueError, match=reason):
        read_formula(text)


@given(st.text(string.ascii_letters + string.digits + "()[]{}.·* ₂+-", max_size=12))
@pytest.mark.filterwarnings("ignore:deuterium")
def test_a_formula_is_read_or_refused(text):
    with contextlib.suppress(ValueError):
        assert sum(read_formula(text).values()) > 0


@pytest.mark.parametrize("text", ["salt.cif", "a/b", "POSCAR\nNa", "{}", "data_x", "mp-149", ""])
def test_paths_and_texts_are_no_formulas(text):
    assert not is_formula(text)


def test_rows_of_formulas_are_named_where_a_structure_is_needed(salt):
    rows = {"a": salt, "b": "KCl", "c": Composition("Fe0.5Ni0.5"), "d": {"formula": "LiF"}}
    with pytest.raises(InvalidStructureError, match="recipe='composition'") as caught:
        check_structures(rows)
    assert [failure.id for failure in caught.value.failures] == ["b", "c", "d"]
    found = check_structures(rows, formulas=True)
    assert [type(item).__name__ for item in found.structures] == ["Crystal", *["Composition"] * 3]
    again = check_structures(found, on_error="nan")  # what was read is checked for its use
    assert [failure.index for failure in again.failures] == [1, 2, 3]


def test_a_formula_that_is_the_name_of_a_file_is_the_file(tmp_path, monkeypatch, salt):
    monkeypatch.chdir(tmp_path)
    salt.to("NaCl.vasp", fmt="poscar")
    found = check_structures(["NaCl.vasp", "NaCl"], formulas=True)
    assert [type(item).__name__ for item in found.structures] == ["Crystal", "Composition"]
    assert isinstance(salt, Structure)


def test_a_formula_with_two_readings_agrees_with_either():
    record = {"formula": "Na2SiO3.2NaF", "composition": {"Na": 4, "Si": 1, "O": 3, "F": 2}}
    found = check_structures([{"id": "x"} | record], on_error="nan", formulas=True)
    assert found.failures  # as the formula of the row it is read, or refused
    crystal = {"lattice": 4.0 * np.eye(3), "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]]}
    crystal |= {"atomic_numbers": [11, 17]}
    told = {"agrees": "NaCl.1NaCl", "differs": "NaCl.2H2O"}
    found = check_structures(
        {name: crystal | {"formula_pretty": text} for name, text in told.items()}, on_error="nan"
    )
    assert [failure.id for failure in found.failures] == ["differs"]
