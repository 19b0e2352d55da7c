"""What is too large, or has no end, is refused before the work, and alone."""

import gzip
import json
import os
import time

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from skcfgp.network.graphs import structure_graph
from skcfgp.screening import Pool
from skcfgp.structures import Crystal, check_structures
from skcfgp.structures.bounds import LIMITS, limit
from skcfgp.structures.tables import read_table


def cell(a, b, c, *sites):
    return {
        "lattice": {"matrix": [[a, 0, 0], [0, b, 0], [0, 0, c]]},
        "sites": [{"species": [{"element": "Na", "occu": 1}], "abc": s} for s in sites],
    }


HOSTILE = {
    "needle": (cell(1e-4, 1e-4, 1e6, [0, 0, 0]), "angstrom"),
    "sheet": (cell(1e-3, 50, 50, [0, 0, 0]), "too close|apart"),
    "thread": (cell(0.01, 0.01, 2000, [0, 0, 0]), "too close|apart"),
    "huge": (cell(3000, 3000, 3000, [0, 0, 0]), "SKCFGP_MAX_VOLUME"),
    "overflow": (cell(1e308, 1e308, 1e308, [0, 0, 0]), "SKCFGP_MAX_VOLUME"),
    "infinite": (cell(float("inf"), 3, 3, [0, 0, 0]), "finite"),
    "far": (cell(3, 3, 3, [1e12, 0, 0]), "times the length of the cell"),
    "heap": (cell(9, 9, 9, *[[0, 0, 0]] * 9000), "apart"),
    "crowd": (cell(90, 90, 90, *np.full((9000, 3), 0.5).tolist()), "pairs of sites|apart"),
    "many": (cell(90, 90, 90, *np.zeros((10_001, 3)).tolist()), "SKCFGP_MAX_SITES"),
    "properties": (cell(3, 3, 3, [0, 0, 0]) | {"properties": ["x"]}, "properties"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_crystal_is_refused_alone_and_at_once(rock_salt, tmp_path, name):
    record, reason = HOSTILE[name]
    good = rock_salt.as_dict()
    (tmp_path / "x.json").write_text(json.dumps({"a": good, name: record, "z": good}))
    start = time.perf_counter()
    found = check_structures(tmp_path / "x.json", on_error="nan")
    assert time.perf_counter() - start < 5
    assert found.ids.tolist() == ["a", name, "z"]
    ((index, id_, why),) = found.failures
    assert (index, id_) == (1, name)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(why)


def test_a_site_far_outside_the_cell_is_moved_into_it(salt):
    moved = salt.copy()
    moved.translate_sites([3], [1_000_000, 0, 0], to_unit_cell=False)
    ours, expected = structure_graph(moved, 4.0), structure_graph(salt, 4.0)
    assert sorted(ours.first.tolist()) == sorted(expected.first.tolist())
    np.testing.assert_allclose(np.sort(ours.distances), np.sort(expected.distances), atol=1e-4)


def test_the_neighbours_of_many_sites_are_found_in_parts(monkeypatch):
    from skcfgp.structures import neighbours

    crystal = Crystal.from_structure(Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]]) * (3, 3, 4))

    def pairs():
        found = neighbours.find_neighbours(crystal.lattice, crystal.frac_coords, 4.0)
        rows = np.column_stack(found)
        return rows[np.lexsort(rows[:, :5].T)]

    whole = pairs()
    monkeypatch.setattr(neighbours, "CHUNK", 5)
    np.testing.assert_allclose(pairs(), whole, atol=1e-12)


def test_limits_are_raised_by_the_environment(salt, monkeypatch):
    for name in LIMITS:
        monkeypatch.setenv(name, "123456789012")
        assert limit(name) == 123456789012
        for text in ("-1", "1e3", "x", "9" * 400):
            monkeypatch.setenv(name, text)
            with pytest.raises(ValueError, match=f"{name} must be a whole number"):
                limit(name)
        monkeypatch.delenv(name)
    monkeypatch.setenv("SKCFGP_MAX_NEIGHBOURS", "50")
    with pytest.raises(ValueError, match="SKCFGP_MAX_NEIGHBOURS"):
        structure_graph(salt, 4.0)
    monkeypatch.setenv("SKCFGP_MAX_SITES", "7")
    with pytest.raises(ValueError, match="8 sites, more than 7"):
        check_structures([salt])


CLAIMS = {
    "POSCAR": ("x\n1\n5 0 0\n0 5 0\n0 0 5\nNa\n100000000\nDirect\n0 0 0\n", "lines for them"),
    "x.xyz": ('100000000\nLattice="5 0 0 0 5 0 0 0 5"\nNa 0 0 0\n', "lines of atoms found: 1"),
    "operations.cif": (
        "data_x\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n_cell_angle_alpha 90\n"
        "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_symmetry_equiv_pos_as_xyz\n"
        + "x,y,z\n"
        * 9000
        + "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
        "Na1 0 0 0\n",
        "9,000 symmetry operations",
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_looked_at_before_the_work(tmp_path, name):
    text, reason = CLAIMS[name]
    (tmp_path / name).write_text(text)
    start = time.perf_counter()
    (failure,) = check_structures([tmp_path / name], on_error="nan").failures
    assert time.perf_counter() - start < 5
    assert reason in failure.reason


def test_compressed_files_are_bounded_when_expanded(rock_salt, tmp_path, monkeypatch):
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 2_000_000))
    (tmp_path / "text.cif.gz").write_bytes(gzip.compress(b" " * 2_000_000))
    whole = gzip.compress(json.dumps(rock_salt.as_dict()).encode())
    (tmp_path / "whole.json.gz").write_bytes(whole)
    (tmp_path / "cut.json.gz").write_bytes(whole[:-20])
    monkeypatch.setenv("SKCFGP_MAX_BYTES", "1000000")
    found = check_structures(tmp_path, on_error="nan")
    reasons = {failure.id: failure.reason for failure in found.failures}
    assert [*reasons] == ["cut", "rows", "text"]
    assert "cut short or damaged" in reasons["cut"]
    assert "SKCFGP_MAX_BYTES" in reasons["text"]
    monkeypatch.delenv("SKCFGP_MAX_BYTES")
    start = time.perf_counter()
    (failure,) = check_structures(tmp_path / "rows.jsonl.gz", on_error="nan").failures
    assert time.perf_counter() - start < 5
    assert "SKCFGP_MAX_CRYSTALS" in failure.reason


@pytest.mark.posix
def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.cif")
    (tmp_path / "null.json").symlink_to("/dev/zero")
    found = check_structures([tmp_path / "pipe.cif", tmp_path / "null.json"], on_error="nan")
    assert [failure.index for failure in found.failures] == [0, 1]
    assert all("not a regular file" in failure.reason for failure in found.failures)


@pytest.mark.posix
def test_tables_and_pools_are_regular_files_too(tmp_path):
    for name in ("pipe.csv", "pipe.parquet", "pipe.json", "pipe.jsonl", "pipe.db"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ValueError, match="not a regular file"):
            Pool(tmp_path / name)
        if not name.endswith("db"):
            with pytest.raises(ValueError, match="not a regular file"):
                read_table(tmp_path / name)


def test_a_line_of_a_pool_is_bounded(tmp_path, monkeypatch):
    (tmp_path / "x.jsonl").write_text("{}\n" + " " * 2000)
    monkeypatch.setenv("SKCFGP_MAX_BYTES", "1000")
    for read in (lambda pool: list(pool.chunks(9)), lambda pool: pool.count()):
        with pytest.raises(ValueError, match="SKCFGP_MAX_BYTES"):
            read(Pool(tmp_path / "x.jsonl"))


MANY = 30_000

CIF = "data_x\n" + "".join(f"_cell_length_{axis} 4\n" for axis in "abc")
CIF += "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nloop_\n_atom_site_label\n_atom_site_type_symbol\n"
CIF += "".join(f"_atom_site_fract_{axis}\n" for axis in "xyz")

LONG = {
    "quotes.cif": "data_x\n_x\n" + " 'x" * MANY,
    "label.cif": f"{CIF}{'1' * MANY}a . 0 0 0\n",
    "type.cif": f"{CIF}Na Na{'1' * MANY}a 0 0 0\n",
    "coordinate.cif": f"{CIF}Na Na {'1' * MANY}a 0 0\n",
    "braces.xyz": "1\n" + "a={ " * MANY + "\nNa 0 0 0\n",
    "brackets.xyz": "1\n" + "a=[ " * MANY + "\nNa 0 0 0\n",
    "lines.json": json.dumps({"structure": "x" + " \n" * 4 * MANY}),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_is_refused_at_once(tmp_path, name):
    """Each was read again from every one of its characters."""
    (tmp_path / name).write_text(LONG[name])
    start = time.perf_counter()
    (failure,) = check_structures([tmp_path / name], on_error="nan").failures
    assert time.perf_counter() - start < 2
    assert len(failure.reason) < 1000
