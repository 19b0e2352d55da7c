import copy
import csv
import gzip
import io
import pickle
import sqlite3
from dataclasses import FrozenInstanceError

import joblib
import numpy as np
import pytest
from ase import Atoms
from ase.db import connect
from click.testing import CliRunner
from hypothesis import given, reject
from hypothesis import strategies as st
from pymatgen.core import DummySpecies, Lattice, Structure

from skcfgp.datasets import load_formation_energy
from skcfgp.network.graphs import structure_graph
from skcfgp.structures import Crystal, check_structures, structure_digest
from skcfgp.structures import ase as ase_crystals
from skcfgp.structures.checking import as_crystal

coordinate = st.floats(-2, 2, allow_nan=False)


@st.composite
def crystal_arrays(draw):
    n = draw(st.integers(1, 6))
    lattice = np.diag(draw(st.tuples(*3 * [st.floats(2, 9)])))
    lattice[np.tril_indices(3, -1)] = draw(st.tuples(*3 * [coordinate]))
    coords = draw(st.lists(st.tuples(*3 * [coordinate]), min_size=n, max_size=n))
    numbers = draw(st.lists(st.integers(1, 118), min_size=n, max_size=n))
    try:
        Crystal(lattice, coords, numbers)
    except ValueError:  # two sites at one place
        reject()
    return lattice, np.array(coords), np.array(numbers)


@pytest.fixture(scope="module")
def arrays():
    return load_formation_energy(split="test", structures="arrays").structures


@pytest.fixture
def no_structures(monkeypatch):
    """Nobody may build a ``Structure``."""

    def refuse(*args, **kwargs):
        raise RuntimeError("a Structure was built")

    monkeypatch.setattr(Structure, "__init__", refuse)


def atoms_of(crystal):
    return Atoms(crystal.atomic_numbers, crystal.cart_coords, cell=crystal.lattice, pbc=True)


def same_content(crystal, other):
    for name in ("lattice", "frac_coords", "atomic_numbers"):
        np.testing.assert_array_equal(getattr(crystal, name), getattr(other, name))
        assert not getattr(crystal, name).flags.writeable
    assert crystal.properties == other.properties


@given(crystal_arrays())
def test_a_crystal_is_its_structure(data):
    crystal = Crystal(*data, {"material_id": "x"})
    structure = crystal.to_structure()
    same_content(Crystal.from_structure(structure), crystal)
    assert structure_digest(crystal) == structure_digest(structure)
    assert len(crystal) == len(structure)
    assert crystal.volume == pytest.approx(structure.volume)
    assert crystal.composition == structure.composition
    np.testing.assert_allclose(crystal.cart_coords, structure.cart_coords, atol=1e-12)


@given(crystal_arrays(), st.randoms())
def test_digest_knows_no_order_of_sites(data, random):
    lattice, coords, numbers = data
    order = random.sample(range(len(numbers)), len(numbers))
    coords = np.round(coords, 6)  # away from the digest's own rounding
    moved = coords[order] + [1, -2, 0]
    assert structure_digest(Crystal(lattice, coords, numbers)) == structure_digest(
        Crystal(lattice, moved, numbers[order])
    )


def test_bundled_crystals_are_their_structures(arrays, formation_energy):
    structures = formation_energy.structures[formation_energy.split == "test"]
    for crystal, structure in zip(arrays, structures, strict=True):
        assert structure_digest(crystal) == structure_digest(structure)
        graph, expected = structure_graph(crystal, 4.0), structure_graph(structure, 4.0)
        for ours, theirs in zip(graph[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_it_cannot_be_written_to(salt):
    lattice, properties = np.eye(3), {"a": 1}
    crystal = Crystal(lattice, [[0, 0, 0]], [6], properties)
    lattice[0, 0], properties["a"] = 7, 8  # these stay the caller's
    same_content(crystal, Crystal(np.eye(3), [[0, 0, 0]], [6], {"a": 1}))
    with pytest.raises(ValueError, match="read-only"):
        crystal.frac_coords[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        crystal.lattice = np.eye(3)


def test_copies_are_equal_and_as_read_only(arrays, tmp_path):
    joblib.dump(arrays[:3], tmp_path / "crystals")
    copies = [pickle.loads(pickle.dumps(arrays[0])), joblib.load(tmp_path / "crystals")[0]]
    copies += [copy.copy(arrays[0]), copy.deepcopy(arrays[0])]
    for other in copies:
        same_content(other, arrays[0])
    changed = copy.deepcopy(arrays[0])
    changed.properties["material_id"] = "other"
    assert arrays[0].properties["material_id"] != "other"


def test_numpy_does_not_look_inside():
    crystal = Crystal(np.eye(3), [[0, 0, 0]], [6])
    assert np.array([crystal, crystal]).shape == (2,)
    assert check_structures(np.array([crystal, crystal])).structures[1] is crystal


def test_its_name():
    water = Crystal(9 * np.eye(3), np.eye(3) / 9, [8, 1, 1])
    assert repr(water) == "Crystal(H2O, 3 sites)"
    assert repr(Crystal(9 * np.eye(3), [[0, 0, 0]], [6])) == "Crystal(C, 1 site)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(2), [[0, 0, 0]], [6]), r"lattice must be of shape \(3, 3\), got \(2, 2\)"),
        ((np.eye(3), [[0, 0]], [6]), r"frac_coords must be of shape \(1, 3\).*got \(1, 2\)"),
        ((np.eye(3), [[0, 0, 0]], [6, 8]), r"shape \(2, 3\)"),
        ((np.eye(3), [[0, 0, 0]], [6.5]), "integers.*float64"),
        ((np.eye(3), [[0, 0, 0]], ["C"]), "integers"),
        ((np.eye(3), [[0, 0, 0]], [0]), "atomic number 0"),
        ((np.eye(3), [[0, 0, 0]], [119]), "atomic number 119"),
    ],
)
def test_what_is_not_a_crystal(arguments, message):
    with pytest.raises(ValueError, match=message):
        Crystal(*arguments)


def test_structures_that_are_no_crystals(salt):
    for structure, message in [
        (Structure(salt.lattice, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]), "disordered"),
        (Structure(Lattice(np.eye(3) * 9, pbc=(1, 1, 0)), ["C"], [[0, 0, 0]]), "periodic"),
        (Structure(salt.lattice, [DummySpecies("X")], [[0, 0, 0]]), "element"),
    ]:
        with pytest.raises(ValueError, match=message):
            Crystal.from_structure(structure)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(3), [], []), "no sites"),
        ((5 * np.eye(3), [[np.nan, 0, 0]], [6]), "not a finite"),
        ((np.diag([5, 5, 0]), [[0, 0, 0]], [6]), "no volume"),
        ((5 * np.eye(3), [[0, 0, 0], [0, 0, 0.01]], [6, 8]), r"0 \(C\) and 1 \(O\) are 0.050"),
        ((5 * np.eye(3), [[0, 0, 0], [0, 1, 2.98]], [6, 8]), "0.100 angstrom"),
        ((np.diag([5, 5, 0.4]), [[0, 0, 0]], [6]), r"0 \(C\) and 0 \(C\)"),
    ],
)
def test_what_no_crystal_can_be_is_refused_at_every_door(arguments, message):
    lattice, coords, numbers = arguments
    structure = Structure(Lattice(lattice), numbers, coords)
    with pytest.raises(ValueError, match=message):
        Crystal(*arguments)
    with pytest.raises(ValueError, match=message):
        as_crystal(structure)


def test_sites_at_the_smallest_distance_are_separate():
    close = Crystal(5 * np.eye(3), [[0, 0, 0], [0, 0, 0.101]], [1, 1])
    same_content(as_crystal(close.to_structure()), close)


def test_ids_and_advice(arrays):
    found = check_structures(arrays[:4])
    assert found.ids.tolist() == [c.properties["material_id"] for c in arrays[:4]]
    with pytest.raises(TypeError, match=r"\[structure\]"):
        check_structures(arrays[0])


def test_atoms_become_crystals(arrays, no_structures):
    found = check_structures([atoms_of(c) for c in arrays[:20]])
    for ours, crystal in zip(found.structures, arrays[:20], strict=True):
        assert isinstance(ours, Crystal)
        np.testing.assert_allclose(ours.frac_coords, crystal.frac_coords, atol=1e-12)
    carbon = Atoms("C", cell=5 * np.eye(3), pbc=(True, True, False))
    with pytest.raises(ValueError, match="periodic in three"):
        check_structures([carbon])
    with pytest.raises(ValueError, match="no volume"):
        check_structures([Atoms("C", pbc=True)])
    with pytest.raises(ValueError, match="atomic number 0"):
        check_structures([Atoms("X", cell=5 * np.eye(3), pbc=True)])


def test_from_data_to_graphs_without_a_structure(no_structures, tmp_path):
    bundled = load_formation_energy(split="test", structures="arrays").structures[:20]
    with connect(tmp_path / "some.db") as database:
        for crystal in bundled:
            database.write(atoms_of(crystal))
    found = check_structures(tmp_path / "some.db").structures
    for ours, crystal in zip(found, bundled, strict=True):
        graph, expected = structure_graph(ours, 4.0), structure_graph(crystal, 4.0)
        np.testing.assert_array_equal(graph.second, expected.second)
        np.testing.assert_allclose(graph.distances, expected.distances, rtol=1e-6)
        assert structure_digest(ours) == structure_digest(crystal)


@pytest.mark.parametrize("name", ["crystals.db", "crystals.json"])
def test_ase_database(arrays, name, tmp_path, monkeypatch):
    """Ids, key-value pairs, a gap, a row that is no crystal, and more rows than a page holds."""
    monkeypatch.setattr(ase_crystals, "PAGE", 2)
    database = connect(tmp_path / name)
    for i, crystal in enumerate(arrays[:5]):
        database.write(atoms_of(crystal), gap=float(i), data={"x": np.ones(3)})
    database.write(Atoms("H2O"), material_id="water")
    database.write(atoms_of(arrays[5]), material_id="mp-1")
    database.delete([2])
    with pytest.raises(ValueError, match="Crystal 'water': it is not periodic"):
        check_structures(tmp_path / name)
    found = check_structures(tmp_path / name, on_error="nan")
    assert found.ids.tolist() == ["1", "3", "4", "5", "water", "mp-1"]
    assert [(f.index, f.id) for f in found.failures] == [(4, "water")]
    assert [c.properties["gap"] for c in found.structures[:4]] == [0, 2, 3, 4]
    kept = [arrays[i] for i in (0, 2, 3, 4)]
    assert [structure_digest(c) for c in found.structures[:4]] == [*map(structure_digest, kept)]
    if name.endswith("json"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / "other.json.gz").write_bytes(gzip.compress(content))
        other = check_structures(tmp_path / "other.json.gz", on_error="nan")
        assert other.ids.tolist() == found.ids.tolist()


def test_database_in_a_folder(arrays, salt, tmp_path):
    salt.to(str(tmp_path / "a.cif"), fmt="cif")
    with connect(tmp_path / "b.db") as database:
        database.write(atoms_of(arrays[0]), material_id="mp-0")
    assert check_structures(tmp_path).ids.tolist() == ["a", "mp-0"]


def test_reading_writes_nothing(tmp_path):
    """ASE itself would make its tables in a database of something else."""
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    content = other.read_bytes()
    with pytest.raises(ValueError, match="not a database of ASE"):
        check_structures(other)
    assert other.read_bytes() == content
    (tmp_path / "text.db").write_text("not SQLite at all " * 100)
    with pytest.raises(ValueError, match=r"text\.db could not be read as db"):
        check_structures(tmp_path / "text.db")
    with connect(tmp_path / "empty.db") as database:
        database.delete([database.write(Atoms("C"))])
    with pytest.raises(ValueError, match="no crystal"):
        check_structures(tmp_path / "empty.db")
    with pytest.raises(FileNotFoundError, match="no file"):
        check_structures(tmp_path / "absent.db")
    assert not (tmp_path / "absent.db").exists()


@pytest.mark.network
def test_vectors_are_those_of_the_structures(arrays, monkeypatch):
    from skcfgp import MEGNetFeaturizer
    from skcfgp.features.store import memory
    from skcfgp.network import MEGNet

    transformer = MEGNetFeaturizer("formation_energy_1800", ["set2set", "readout_0"])
    memory.clear()
    ours = transformer.fit(arrays[:40]).transform(arrays[:40])
    structures = [crystal.to_structure() for crystal in arrays[:40]]
    memory.clear()
    expected = transformer.transform(structures)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-7)

    def refuse(*args, **kwargs):
        raise RuntimeError("the network was run")

    monkeypatch.setattr(MEGNet, "compute", refuse)  # what is stored for one kind serves the other
    np.testing.assert_array_equal(transformer.transform(arrays[:40]), expected)


@pytest.mark.network
def test_learner_takes_crystals(arrays):
    from sklearn.pipeline import make_pipeline

    from skcfgp import ActiveLearner, GaussianProcessRegressor, MEGNetFeaturizer

    cfgp = make_pipeline(
        MEGNetFeaturizer("formation_energy_1800"), GaussianProcessRegressor(optimizer=None)
    )
    learner = ActiveLearner(cfgp, X_training=arrays[:10], y_training=np.arange(10.0))
    index, crystal = learner.query(arrays[10:30])
    assert crystal[0] is arrays[10:30][index[0]]
    learner.teach(crystal, [0.0])
    assert len(learner.X_training) == 11
    learner.predict(arrays[:3])


@pytest.mark.network
def test_unknown_elements_and_lone_atoms_are_named():
    from skcfgp.network import load_network

    network = load_network("formation_energy_1800")
    with pytest.raises(ValueError, match=r"element Og \(atomic number 118\)"):
        network.graph(Crystal(3 * np.eye(3), [[0, 0, 0]], [118]))
    with pytest.raises(ValueError, match="no two atoms"):
        network.graph(Crystal(9 * np.eye(3), [[0, 0, 0]], [18]))


@pytest.mark.network
@pytest.mark.filterwarnings("ignore:3 errors of other rows are too few")
def test_predict_on_the_command_line(arrays, tmp_path):
    from skcfgp.cli import main

    lines = ["file,y"]
    for i, crystal in enumerate(arrays[1:4]):
        with connect(tmp_path / f"known{i}.db") as database:
            database.write(atoms_of(crystal))
        lines.append(f"known{i}.db,{i}")
    (tmp_path / "known.csv").write_text("\n".join(lines))
    with connect(tmp_path / "new.db") as database:
        database.write(atoms_of(arrays[0]))
        database.write(Atoms("H2O"), material_id="water")
    command = ["predict", str(tmp_path / "new.db"), "--train", str(tmp_path / "known.csv")]
    result = CliRunner().invoke(main, command)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 1
    assert [row["id"] for row in rows] == ["1", "water"]
    assert rows[0]["formula"] == arrays[0].composition.reduced_formula
    assert np.isfinite(float(rows[0]["prediction"]))
    assert "periodic" in rows[1]["error"]
