"""A data set as plain arrays in one file: the crystals that were written, or a clear refusal."""

import numpy as np
import pytest
from pymatgen.core import Lattice

from skcfgp.datasets import load_formation_energy
from skcfgp.reproduction.arrays import read_arrays
from skcfgp.reproduction.data import read_data
from skcfgp.structures import structure_digest


@pytest.fixture(scope="module")
def bundled():
    return load_formation_energy(split="train", structures="arrays")


@pytest.fixture
def arrays(bundled):
    crystals = bundled.structures[:90]
    cells = [Lattice(crystal.lattice).parameters for crystal in crystals]
    coords = np.concatenate([np.mod(crystal.frac_coords, 1.0) for crystal in crystals])
    return {
        "cell": np.array(cells),
        "n_sites": np.array([len(crystal) for crystal in crystals], dtype=np.uint8),
        "atomic_numbers": np.concatenate([crystal.atomic_numbers for crystal in crystals]),
        "frac_coords_1e5": np.round(1e5 * coords).astype(np.int32),
        "material_id": bundled.material_id[:90].astype("U"),
        "part": np.array(["train", "pool", "test"] * 30),
        "band_gap": np.arange(90, dtype=np.float32),
        "formation_energy_per_atom": bundled.target[:90],
    }


def test_the_crystals_are_those_that_were_written(arrays, bundled, tmp_path):
    np.savez(tmp_path / "d.npz", **arrays)
    data = read_data(tmp_path / "d.npz", "formation_energy_per_atom")
    assert data.unit == "eV/atom"
    assert data.left_out == []
    for part, first in (("train", 0), ("pool", 1), ("test", 2)):
        np.testing.assert_array_equal(getattr(data, part), np.arange(first, 90, 3))
    np.testing.assert_array_equal(data.y, bundled.target[:90])
    np.testing.assert_array_equal(data.ids, arrays["material_id"])
    assert list(data.others) == ["band_gap"]
    for crystal, original in zip(data.structures, bundled.structures[:90], strict=True):
        np.testing.assert_array_equal(crystal.atomic_numbers, original.atomic_numbers)
        first, second = (Lattice(c.lattice).parameters for c in (crystal, original))
        np.testing.assert_allclose(first, second, rtol=1e-9)
        moved = crystal.frac_coords - original.frac_coords
        assert np.abs(moved - np.round(moved)).max() < 6e-6


def test_a_sample_keeps_the_other_properties_together(arrays, tmp_path):
    np.savez(tmp_path / "d.npz", **arrays)
    data = read_data(tmp_path / "d.npz", "formation_energy_per_atom")
    some = data.sample(20, 21, 22, 0)
    known = dict(zip(data.ids, data.others["band_gap"], strict=True))
    assert some.others["band_gap"].tolist() == [known[name] for name in some.ids]
    assert some.digest() != data.digest()
    data.others["band_gap"] = data.others["band_gap"] + 1
    assert data.digest() != read_data(tmp_path / "d.npz", "formation_energy_per_atom").digest()


def test_a_crystal_that_cannot_be_used_is_left_out_by_name(arrays, tmp_path):
    first = slice(*np.cumsum(arrays["n_sites"].astype(int))[[3, 4]])
    arrays["frac_coords_1e5"][first] = 0  # all atoms on one place
    arrays["cell"][7, :3] *= 20  # no bonds
    arrays["atomic_numbers"][0] = 96
    arrays["material_id"][[4, 7, 0]] = "twice", "far", "heavy"
    np.savez(tmp_path / "d.npz", **arrays)
    data = read_data(tmp_path / "d.npz", "formation_energy_per_atom")
    assert len(data.y) == 87
    reasons = dict(data.left_out)
    assert reasons.keys() == {"twice", "far", "heavy"}
    assert "angstrom apart" in reasons["twice"]
    assert "cut-off" in reasons["far"]
    assert "plutonium" in reasons["heavy"]
    assert set(data.ids) & reasons.keys() == set()


def remove(name):
    return lambda arrays: arrays.pop(name)


def put(name, change):
    def apply(arrays):
        arrays[name] = change(arrays[name])

    return apply


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove("cell"), r"there is no array 'cell'; it has \['atomic_numbers'"),
        (put("cell", lambda a: a[:, :5]), r"cell must be numbers in rows of 6, got .*\(90, 5\)"),
        (put("cell", lambda a: a[:-1]), "cell has 89 rows for 90 crystals"),
        (put("n_sites", lambda a: a.astype(float)), "n_sites must be integers"),
        (put("n_sites", lambda a: a + np.uint8(1)), "sites in all, but atomic_numbers has"),
        (put("n_sites", lambda a: a * np.uint8(0)), "n_sites must be at least 1, got 0"),
        (put("frac_coords_1e5", lambda a: a / 1e5), "frac_coords_1e5 must be integers in rows"),
        (put("band_gap", lambda a: a[1:]), r"band_gap must have one value for each of 90"),
        (put("material_id", lambda a: a[[0, *range(89)]]), "is there more than once"),
        (put("material_id", lambda a: a.astype(object)), "'material_id' cannot be read: .*pickle"),
        (put("part", lambda a: np.char.replace(a, "test", "tset")), "must be one of .*'tset'"),
        (put("part", lambda a: np.full(90, "pool")), "'train' has 0 of 90 usable"),
        (
            put("formation_energy_per_atom", lambda a: np.where(a == a[3], np.nan, a)),
            "formation_energy_per_atom of .* is not a finite number",
        ),
    ],
)
def test_what_is_wrong_is_said(arrays, tmp_path, change, message):
    change(arrays)
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_data(tmp_path / "d.npz", "formation_energy_per_atom")
    assert "d.npz" in str(caught.value)


def test_the_target_must_be_named_among_several(arrays, tmp_path):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(ValueError, match="name the column of values with --target; there are"):
        read_data(tmp_path / "d.npz")
    with pytest.raises(ValueError, match="there are"):
        read_data(tmp_path / "d.npz", "formation_energy")


def test_files_that_are_not_such_arrays(arrays, tmp_path, monkeypatch):
    path = tmp_path / "d.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"d\.npz: it is not a file of numpy\.savez"):
        read_arrays(path)
    np.savez_compressed(path, **arrays)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"not a file of numpy\.savez"):
        read_arrays(path)
    path.write_bytes(content)
    monkeypatch.setenv("SKCFGP_MAX_BYTES", "5000")  # of what is expanded, not of the file
    with pytest.raises(ValueError, match="SKCFGP_MAX_BYTES raises this limit"):
        read_arrays(path)
    monkeypatch.delenv("SKCFGP_MAX_BYTES")
    monkeypatch.setenv("SKCFGP_MAX_CRYSTALS", "89")
    with pytest.raises(ValueError, match="90 crystals, more than 89"):
        read_arrays(path)
    monkeypatch.setenv("SKCFGP_MAX_CRYSTALS", "90")
    found = read_arrays(path)
    assert len({structure_digest(crystal) for crystal in found.crystals}) > 80


def test_without_parts_they_are_drawn(arrays, tmp_path):
    del arrays["part"], arrays["material_id"], arrays["band_gap"]
    repeated = {k: np.concatenate([v] * 3) for k, v in arrays.items()}
    np.savez(tmp_path / "d.npz", **repeated)
    data = read_data(tmp_path / "d.npz")
    sizes = [len(getattr(data, part)) for part in ("train", "pool", "test")]
    assert sizes == [46, 186, 38]  # as 1,800 to 7,195 to 1,460
    assert data.ids[:2].tolist() == ["0", "1"]
