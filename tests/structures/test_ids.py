"""One function names crystals: no two alike, none lost, and files by as little as tells them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from skcfgp.screening.pool import Pool, read_records
from skcfgp.structures import Crystal, check_structures
from skcfgp.structures.ids import IdFinder, Name, all_ids, own_id, stem


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"material_id": "mp-1", "id": "x"}, "mp-1"),
        ({"material_id": None, "id": "b"}, "b"),
        ({"material_id": float("nan"), "id": 0}, "0"),
        ({"id": "", "jid": "J"}, "J"),
        ({"id": np.int64(7)}, "7"),
        ({"id": {"$oid": 1}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_id_in_the_data(record, expected):
    assert own_id(record) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mp-87.cif", "mp-87"),
        ("mp-87.CIF.gz", "mp-87"),
        ("a.b.json", "a.b"),
        ("mp-1.5", "mp-1.5"),
        ("POSCAR", "POSCAR"),
        (".cif", ".cif"),
    ],
)
def test_the_stem(name, expected):
    assert stem(name) == expected


def test_the_shortest_path_that_tells_files_apart():
    names = ["x/POSCAR", "y/POSCAR", "a/mp-1.cif", "b/mp-2.cif", "b/mp-2.json", "c/mp-3.vasp"]
    ids = all_ids([Name(path=Path("/top", name)) for name in names])
    assert ids == ["x/POSCAR", "y/POSCAR", "mp-1", "mp-2.cif", "mp-2.json", "mp-3"]
    same = [Name(own="m", path=Path("/top/a.json"), position=i) for i in range(2)]
    assert all_ids([*same, Name(own="m", path=Path("/top/b.json"))]) == ["a:m:0", "a:m:1", "b:m"]
    assert all_ids([Name("k", path=Path("p.json"), position=i) for i in (0, 1)]) == ["k:0", "k:1"]
    assert all_ids([Name(0), Name(own="0"), Name(2)]) == ["0:0", "0:1", 2]


text = st.sampled_from(["a", "b", "0", "a:0", "a.cif", "x/a.cif", "y/a.cif", "a.json"])
name = st.builds(
    Name,
    label=st.none() | st.integers(0, 3) | text,
    own=st.none() | text,
    path=st.none() | text.map(Path),
    position=st.none() | st.integers(0, 2),
)


@given(st.lists(name, max_size=12))
def test_no_two_ids_are_equal(names):
    assert len(set(map(str, all_ids(names)))) == len(names)


def test_crystals_of_one_id_are_all_kept():
    iron = Crystal(2.9 * np.eye(3), [[0, 0, 0]], [26])
    frame = pd.DataFrame({"structure": [iron, iron], "material_id": ["m", "m"]})
    found = check_structures(frame)
    assert found.ids.tolist() == ["m:0", "m:1"]
    assert [c.properties["material_id"] for c in found.structures] == ["m:0", "m:1"]
    assert iron.properties == {}


def test_a_label_that_is_missing_is_no_id(salt):
    for missing in (None, float("nan")):
        assert check_structures(pd.Series([salt, salt], ["a", missing])).ids.tolist() == ["a", 1]


def test_a_file_is_found_by_each_of_its_names():
    find = IdFinder(["mp-87", "mp-88.cif", "x/POSCAR", "y/POSCAR", "Fe/Ni"])
    for asked in ("mp-87", "mp-87.cif", "dir/mp-87.cif.gz"):
        assert find(asked) == "mp-87"
    for asked in ("mp-88", "mp-88.cif", "crystals/mp-88.vasp"):
        assert find(asked) == "mp-88.cif"
    assert find("x/POSCAR") == "x/POSCAR"
    for asked in ("POSCAR", "mp-8", "Ni", "z/POSCAR"):
        assert find(asked) is None


def test_a_file_name_that_is_not_unicode(salt, tmp_path):
    try:
        path = Path(str(tmp_path), b"M\xfcller.cif".decode("utf-8", "surrogateescape"))
        salt.to(str(tmp_path / "a.cif"), fmt="cif")
        (tmp_path / "a.cif").rename(path)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes names in Unicode only")
    assert check_structures(tmp_path).ids.tolist() == [r"M\udcfcller"]


def test_an_id_in_the_data_comes_before_a_key(salt):
    """In Python as in JSON; that of ASE's Atoms as in the extended XYZ that ASE writes."""
    records = {"k": {"material_id": "m", "structure": salt}, "l": {"structure": salt}}
    assert check_structures(records).ids.tolist() == ["m", "l"]
    assert check_structures(pd.Series(records)).ids.tolist() == ["m", "l"]
    atoms = salt.to_ase_atoms()
    atoms.info["material_id"] = "mine"
    assert check_structures([atoms, salt]).ids.tolist() == ["mine", 1]


def test_a_structure_and_its_dictionary_have_one_id(tmp_path):
    """That among its properties, in a list and in a file, alone and in a record."""
    salt = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    salt.properties["material_id"] = "mp-1"
    record = json.loads(json.dumps(salt.as_dict()))
    for item in (salt, record, {"structure": salt}, {"structure": record}):
        assert check_structures([item]).ids.tolist() == ["mp-1"]
        assert check_structures({"mine": item}).ids.tolist() == ["mine"]
    for content in (record, [record], {"structure": record}):
        (tmp_path / "salt.json").write_text(json.dumps(content))
        assert check_structures([tmp_path / "salt.json"]).ids.tolist() == ["mp-1"]
        ((_, records),) = Pool(tmp_path / "salt.json").chunks(5)
        assert read_records(records).ids.tolist() == ["mp-1"]
    (tmp_path / "salt.jsonl").write_text(json.dumps(record))
    ((_, records),) = Pool(tmp_path / "salt.jsonl").chunks(5)
    assert read_records(records).ids.tolist() == ["mp-1"]
