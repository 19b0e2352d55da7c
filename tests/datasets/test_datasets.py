from functools import partial

import numpy as np
import pandas as pd
import pytest

from skcfgp.datasets import load_dielectric, load_elastic, load_formation_energy
from skcfgp.structures import Crystal


@pytest.fixture(scope="module")
def everything():
    return load_formation_energy(structures="arrays")


def test_formation_energy(everything):
    data = everything
    assert data.structures.shape == data.target.shape == (3938,)
    assert data.unit == "eV/atom"
    assert len(set(data.material_id)) == 3938
    counts = {part: int((data.split == part).sum()) for part in set(data.split)}
    assert counts == {"train": 1800, "pool": 1427, "test": 700, "unbonded": 11}
    elements = [set(s.atomic_numbers.tolist()) for s in data.structures]
    assert len(set.union(*elements)) == 86
    assert sum(8 in numbers for numbers in elements) == 1233
    assert max(len(s.atomic_numbers) for s in data.structures) == 25
    assert data.target.mean() == pytest.approx(-1.257953, abs=1e-6)
    formulas = [s.to_structure().composition.reduced_formula for s in data.structures[:50]]
    assert formulas == data.formula[:50].tolist()
    assert "10.1002/qua.24917" in data.DESCR


def test_arsenic_is_as_in_the_source(everything):
    (row,) = np.flatnonzero(everything.material_id == "mp-10")
    assert everything.target[row] == 0.1074050600000005
    structure = everything.structures[row].to_structure()
    np.testing.assert_allclose(structure.lattice.matrix[0], [3.35275227, 0, 1.93571242], atol=1e-6)
    np.testing.assert_allclose(structure.frac_coords, [[0.25] * 3, [0.75] * 3])
    assert structure.properties["material_id"] == "mp-10"


def test_splits_are_disjoint_and_in_order():
    parts = {
        part: load_formation_energy(split=part, structures="arrays")
        for part in ("train", "pool", "test")
    }
    together = load_formation_energy(split="paper", structures="arrays")
    ids = np.concatenate([parts[part].material_id for part in parts])
    assert len(set(ids)) == len(ids) == 3927
    np.testing.assert_array_equal(together.material_id, ids)
    np.testing.assert_array_equal(
        together.split, np.repeat(["train", "pool", "test"], [1800, 1427, 700])
    )
    with pytest.raises(ValueError, match="split"):
        load_formation_energy(split="validation")


@pytest.mark.parametrize(
    ("load", "n", "target", "unit"),
    [
        (load_dielectric, 1056, "refractive_index", "1"),
        (load_dielectric, 1056, "poly_total", "1"),
        (load_dielectric, 1056, "band_gap", "eV"),
        (load_elastic, 1181, "K_VRH", "GPa"),
        (load_elastic, 1181, "G_VRH", "GPa"),
    ],
)
def test_the_other_properties(load, n, target, unit):
    data = load(target=target, structures="arrays")
    assert data.structures.shape == data.target.shape == (n,)
    assert (data.target_name, data.unit) == (target, unit)
    assert np.isfinite(data.target).all()
    assert data.target is data[target]
    assert target in data.DESCR
    structures, y = load(target=target, return_X_y=True, structures="arrays")
    assert len(structures) == n
    np.testing.assert_array_equal(y, data.target)
    with pytest.raises(ValueError, match="target"):
        load(target="colour")


def test_as_frame():
    data = load_elastic(as_frame=True, structures="arrays")
    assert data.structures.index.tolist() == data.material_id.tolist()
    assert data.target.name == "K_VRH"
    assert isinstance(data.frame, pd.DataFrame)
    assert {"structure", "formula", "K_VRH", "G_VRH", "poisson_ratio"} == set(data.frame.columns)
    X, y = load_elastic(return_X_y=True, as_frame=True, structures="arrays")
    assert X.index.equals(y.index)


def test_arrays_are_the_same_crystals(formation_energy):
    for load, data in (
        (partial(load_formation_energy, split="paper"), formation_energy),
        (load_dielectric, load_dielectric()),
        (load_elastic, load_elastic()),
    ):
        arrays = load(structures="arrays")
        np.testing.assert_array_equal(arrays.target, data.target)
        for crystal, structure in zip(arrays.structures, data.structures, strict=True):
            assert isinstance(crystal, Crystal)
            assert (crystal.lattice == structure.lattice.matrix).all()
            assert (crystal.frac_coords == structure.frac_coords).all()
            assert crystal.atomic_numbers.tolist() == list(structure.atomic_numbers)
            assert crystal.properties == structure.properties
    with pytest.raises(ValueError, match="'arrays', got 'ase'"):
        load_elastic(structures="ase")


def test_loaded_crystals_are_the_callers():
    first, second = load_elastic(), load_elastic()
    first.structures[0].translate_sites([0], [0.1, 0, 0])
    assert first.structures[0] != second.structures[0]
