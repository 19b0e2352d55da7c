import gzip
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import DummySpecies, Lattice, Structure

from skcfgp.structures import (
    Crystal,
    InvalidStructureError,
    check_structures,
    structure_digest,
)
from skcfgp.structures.checking import as_crystal


@pytest.fixture
def quartet(salt):
    """Four crystals with one, two and several sites, two of them of equal size."""
    iron = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    cesium = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    copper = Structure(Lattice.from_parameters(2.55, 2.55, 2.55, 60, 60, 60), ["Cu"], [[0, 0, 0]])
    return [salt, iron, cesium, copper]


def same(found, expected):
    assert found.structures.shape == (len(expected),)
    assert found.structures.dtype == object
    assert [structure_digest(s) for s in found.structures] == [
        structure_digest(s) for s in expected
    ]


def test_collections_of_structures(quartet):
    array = np.empty(4, dtype=object)
    for i, structure in enumerate(quartet):
        array[i] = structure
    for X in (quartet, tuple(quartet), array, array[:, None], iter(quartet)):
        found = check_structures(X)
        same(found, quartet)
        assert found.ids.tolist() == [0, 1, 2, 3]


def test_ids_of_pandas_and_records(quartet):
    series = pd.Series(quartet, index=list("abcd"))
    frame = series.to_frame("crystal")
    table = pd.DataFrame({"structure": quartet, "material_id": list("wxyz"), "y": 1.0})
    records = [
        {"structure": s.as_dict(), "material_id": i} for s, i in zip(quartet, "pqrs", strict=True)
    ]
    cases = [(series, "abcd"), (frame, "abcd"), (table, "wxyz"), (records, "pqrs")]
    cases.append((dict(zip("efgh", quartet, strict=True)), "efgh"))
    for X, ids in cases:
        found = check_structures(X)
        same(found, quartet)
        assert found.ids.tolist() == list(ids)


def test_bundled_crystals_know_their_id(formation_energy):
    assert check_structures(formation_energy.structures[:5]).ids.tolist() == (
        formation_energy.material_id[:5].tolist()
    )


def test_dictionaries_and_atoms(quartet):
    from pymatgen.io.ase import AseAtomsAdaptor

    same(check_structures([s.as_dict() for s in quartet]), quartet)
    same(check_structures([AseAtomsAdaptor.get_atoms(s) for s in quartet]), quartet)


def test_files_and_folder(quartet, tmp_path):
    salt, iron, cesium, copper = quartet
    salt.to(str(tmp_path / "a.cif"), fmt="cif")
    iron.to(str(tmp_path / "POSCAR_b"), fmt="poscar")
    (tmp_path / "c.json").write_text(cesium.to_json())
    with gzip.open(tmp_path / "d.json.gz", "wt") as file:
        file.write(copper.to_json())
    (tmp_path / "notes.txt").write_text("not a crystal")
    names = ["POSCAR_b", "a.cif", "c.json", "d.json.gz"]
    ids = ["POSCAR_b", "a", "c", "d"]
    with pytest.warns(UserWarning, match=r"1 of 5 files were passed over.*: notes\.txt\."):
        found = check_structures(tmp_path)
    assert found.ids.tolist() == ids
    assert [s.composition.reduced_formula for s in found.structures] == ["Fe", "NaCl", "CsCl", "Cu"]
    listed = check_structures([str(tmp_path / name) for name in names])
    assert listed.ids.tolist() == ids
    assert check_structures(str(tmp_path / "a.cif")).ids.tolist() == ["a"]


def test_files_of_many(quartet, tmp_path):
    from ase.io import write
    from pymatgen.io.ase import AseAtomsAdaptor

    records = [{"id": f"x{i}", "structure": s.as_dict()} for i, s in enumerate(quartet)]
    (tmp_path / "list.json").write_text(json.dumps(records))
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "named.json").write_text(json.dumps({r["id"]: r["structure"] for r in records}))
    for name in ("list.json", "lines.jsonl", "named.json"):
        found = check_structures(tmp_path / name)
        same(found, quartet)
        assert found.ids.tolist() == ["x0", "x1", "x2", "x3"]
    write(tmp_path / "all.xyz", [AseAtomsAdaptor.get_atoms(s) for s in quartet], format="extxyz")
    found = check_structures(tmp_path / "all.xyz")
    assert [len(s) for s in found.structures] == [len(s) for s in quartet]
    assert found.ids.tolist() == [f"all:{i}" for i in range(4)]


def test_several_processes_read_as_one(quartet, tmp_path, monkeypatch):
    """A file that holds several crystals, one that is broken and one that is not there included."""
    monkeypatch.setattr("skcfgp.structures.checking.FILES", 2)
    paths = [tmp_path / f"{k}.json" for k in range(6)]
    for path, crystal in zip(paths, quartet, strict=False):
        path.write_text(crystal.to_json())
    paths[1].write_text(json.dumps([s.as_dict() for s in quartet]))
    paths[4].write_text('{"lattice": 1, "sites": 2}')
    expected, found = (
        check_structures([*paths, quartet[0]], on_error="nan", n_jobs=n) for n in (1, 2)
    )
    same(
        found._replace(structures=np.delete(found.structures, [7, 8])),
        np.delete(expected.structures, [7, 8]),
    )
    assert found.structures[7] is found.structures[8] is None
    assert found.ids.tolist() == expected.ids.tolist()
    assert len(found.failures) == 2
    assert found.failures == expected.failures
    for n in (1, 2):
        with pytest.raises(InvalidStructureError, match=r"Crystal '5': there is no file"):
            check_structures(paths[5:], n_jobs=n)


def test_json_is_data_only(tmp_path):
    """A file that names a class to build gets an error, and the class is not imported."""
    record = {"@module": "os", "@class": "system", "lattice": "x", "sites": []}
    (tmp_path / "evil.json").write_text(json.dumps([record]))
    with pytest.raises(ValueError, match=r"Crystal 'evil'"):
        check_structures(tmp_path / "evil.json")


def disordered(salt):
    return Structure(salt.lattice, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (disordered, "disordered"),
        (lambda s: Structure(s.lattice, [], []), "no sites"),
        (lambda s: Structure(s.lattice, ["Na", "Na"], [[0, 0, 0], [0, 0, 0.01]]), "apart"),
        (lambda s: Structure(Lattice.cubic(0.3), ["H"], [[0, 0, 0]]), "apart"),
        (lambda s: Structure(s.lattice, [DummySpecies("X")], [[0, 0, 0]]), "not an element"),
        (lambda s: Structure(s.lattice, ["Na"], [[np.nan, 0, 0]]), "finite"),
        (
            lambda s: Structure(Lattice(np.eye(3) * 9, pbc=(1, 1, 0)), ["C"], [[0, 0, 0]]),
            "periodic",
        ),
        (lambda s: {"sites": [], "cell": 1}, "keys"),
        (lambda s: 7, "expected a pymatgen Structure"),
    ],
)
def test_bad_crystals_are_named(salt, make, message):
    bad = make(salt)
    with pytest.raises(InvalidStructureError, match=f"Crystal 'mp-2': .*{message}") as error:
        check_structures(pd.Series([salt, bad], index=["mp-1", "mp-2"]))
    assert [(f.index, f.id) for f in error.value.failures] == [(1, "mp-2")]
    found = check_structures(pd.Series([bad, salt], index=["mp-2", "mp-1"]), on_error="nan")
    assert found.structures[0] is None
    assert structure_digest(found.structures[1]) == structure_digest(salt)
    assert [(f.index, f.id) for f in found.failures] == [(0, "mp-2")]
    assert message in found.failures[0].reason


def test_one_bad_crystal_does_not_cost_its_file(salt, tmp_path):
    content = {"good": salt.as_dict(), "bad": {"lattice": {}, "sites": []}, "fine": salt.as_dict()}
    (tmp_path / "many.json").write_text(json.dumps(content))
    found = check_structures(tmp_path / "many.json", on_error="nan")
    assert found.ids.tolist() == ["good", "bad", "fine"]
    assert [failure.id for failure in found.failures] == ["bad"]


@pytest.mark.parametrize("name", ["many.cif", "many.xyz", "many.jsonl"])
def test_one_broken_part_does_not_cost_its_file(quartet, tmp_path, name):
    """Every crystal that was written is there or named, under the id of its place."""
    parts = {
        "many.cif": [s.to(fmt="cif") for s in quartet],
        "many.xyz": [""] * 4,
        "many.jsonl": [json.dumps(s.as_dict()) + "\n" for s in quartet],
    }
    if name == "many.xyz":
        from ase.io import write

        for i, structure in enumerate(quartet):
            write(tmp_path / "one.xyz", structure.to_ase_atoms(), format="extxyz")
            parts[name][i] = (tmp_path / "one.xyz").read_text()
    lines = parts[name][1].splitlines(keepends=True)
    parts[name][1] = "".join([*lines[:-1], lines[-1][:9] + "\n"])  # cut off in its last line
    heading = "data_global\n_journal_name 'x'\n" if name == "many.cif" else ""
    (tmp_path / name).write_text(heading + "".join(parts[name]))
    found = check_structures(tmp_path / name, on_error="nan")
    assert found.ids.tolist() == [f"many:{i}" for i in range(4)]
    assert [failure.index for failure in found.failures] == [1]
    for i in (0, 2, 3):
        assert found.structures[i].composition == quartet[i].composition


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("no/such/folder", FileNotFoundError, "no file"),
        (["no/such.cif"], InvalidStructureError, "such.cif"),
        (5, TypeError, "type int"),
        (np.zeros((3, 2)), TypeError, "shape"),
        (pd.DataFrame({"a": [1], "b": [2]}), TypeError, "columns"),
    ],
)
def test_what_is_not_a_collection(X, error, message):
    with pytest.raises(error, match=message):
        check_structures(X)


def test_single_crystal_gets_advice(salt):
    with pytest.raises(TypeError, match=r"\[structure\]"):
        check_structures(salt)


def test_unreadable_files(tmp_path):
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a oops\n")
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(ValueError, match=r"_cell_length_a must be a number, got 'oops'"):
        check_structures([tmp_path / "broken.cif"])
    with pytest.raises(ValueError, match=r"format of note\.txt is not known"):
        check_structures([tmp_path / "note.txt"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no structure file"):
        check_structures(tmp_path / "empty")


def test_digest_of_equal_crystals(salt):
    digest = structure_digest(salt)
    shifted = salt.copy()
    shifted.translate_sites([0, 3], [1, -2, 0], to_unit_cell=False)
    reordered = Structure.from_sites(salt.sites[::-1])
    labelled = salt.copy(site_properties={"forces": [[0, 0, 0]] * len(salt)})
    equal = [salt.copy(), shifted, reordered, labelled, Structure.from_dict(salt.as_dict())]
    equal.append(pickle.loads(pickle.dumps(salt)))
    equal.append(Structure.from_str(salt.to_json(), fmt="json"))
    _ = salt.distance_matrix, salt.get_space_group_info()  # use fills caches
    assert [structure_digest(s) for s in [salt, *equal]] == [digest] * (len(equal) + 1)


def test_digest_is_stable_across_processes(salt, tmp_path):
    (tmp_path / "salt.json").write_text(salt.to_json())
    code = (
        "import sys; from pymatgen.core import Structure; from skcfgp.structures import *; "
        "print(structure_digest(Structure.from_file(sys.argv[1])))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "salt.json")]
    for seed in ("0", "1"):
        output = subprocess.run(
            command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        assert output.stdout.strip() == structure_digest(salt)


def test_digest_differs_with_the_physics(salt):
    moved, strained = salt.copy(), salt.copy()
    moved.translate_sites([0], [1e-5, 0, 0])
    strained.apply_strain(1e-4)
    other = salt.copy()
    other.replace_species({"Na": "K"})
    swapped = salt.copy()
    swapped.replace_species({"Na": "Cl", "Cl": "Na"})
    variants = [salt, moved, strained, other, salt * (2, 1, 1)]
    digests = {structure_digest(s) for s in variants}
    assert len(digests) == len(variants)
    assert structure_digest(swapped) != structure_digest(salt)


def test_digest_sees_what_the_features_see(salt):
    """Charge, oxidation state and moment change no vector, so they change no digest."""
    charged, oxidized = salt.copy(), salt.copy()
    charged.set_charge(1)
    oxidized.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    magnetic = salt.copy(site_properties={"magmom": [1.0] * len(salt)})
    digests = {structure_digest(s) for s in (salt, charged, oxidized, magnetic, as_crystal(salt))}
    assert len(digests) == 1


def test_digests_of_the_bundled_crystals_differ(formation_energy):
    digests = {structure_digest(s) for s in formation_energy.structures}
    assert len(digests) == len(formation_energy.structures)


def test_a_strained_cell_is_a_crystal(salt):
    """pymatgen gives it a matrix whose columns, not rows, lie together in memory."""
    strained = salt.copy()
    strained.apply_strain(0.01)
    assert not strained.lattice.matrix.flags.c_contiguous
    assert isinstance(as_crystal(strained), Crystal)


def test_a_byte_order_mark_is_no_part_of_a_file(salt, tmp_path):
    """Some editors write one."""
    path = tmp_path / "salt.json"
    path.write_text(json.dumps(salt.as_dict()), encoding="utf-8-sig")
    same(check_structures([path]), [salt])
