"""The data of a run: parts that keep apart, and tables of a user's own crystals."""

import csv
import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from skcfgp.reproduction import Settings, data
from skcfgp.reproduction.data import bundled_data, read_data
from skcfgp.reproduction.trials import trial_rows


def test_no_pool_holds_a_label_that_its_network_has_seen():
    data = bundled_data()
    for settings in (Settings(), Settings(retrain=True)):
        initial, pool = trial_rows(settings, data, None)
        assert (len(initial), len(pool)) == (1800, 1427)
        for seed in (None, 1, 2) if settings.retrain else (0, 1, 2):
            initial, pool = trial_rows(settings, data, seed)
            seen = initial if settings.retrain else data.train
            assert not set(seen) & set(pool)
            assert not set(initial) & set(pool)
            assert not (set(initial) | set(pool)) & set(data.test)
            if settings.retrain:  # its network is trained on `initial`
                assert len(initial) == 1800
                assert set(initial) | set(pool) == set(data.train) | set(data.pool)
                assert bool(set(initial) & set(data.pool)) == bool(seed)
            else:  # its network has seen `train`
                assert len(initial) == 1620
                assert set(initial) < set(data.train)
                np.testing.assert_array_equal(pool, data.pool)


def test_a_sample_keeps_rows_together():
    data = bundled_data()
    part = data.sample(100, 50, None, 0)
    assert [len(getattr(part, name)) for name in ("train", "pool", "test")] == [100, 50, 700]
    whole = dict(zip(data.ids, zip(data.y, data.formulas, strict=True), strict=True))
    assert all(whole[i] == (y, f) for i, y, f in zip(part.ids, part.y, part.formulas, strict=True))
    assert set(part.ids[part.train]) <= set(data.ids[data.train])
    assert set(part.ids[part.unseen]) == set(data.ids[data.unseen]) & set(part.ids)
    assert data.digest() != part.digest() == data.sample(100, 50, None, 0).digest()


def write_data(path, columns, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def cell(a, elements=("Na", "Cl")):
    return Structure(Lattice.cubic(a), elements, [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_data_of_the_user(tmp_path):
    rows = [[f"m-{i}", json.dumps(cell(3 + 0.005 * i).as_dict()), i / 7] for i in range(200)]
    rows[3][1] = cell(3.015).to(fmt="cif")
    rows[5][1] = json.dumps(cell(20.0).as_dict())  # no bonds
    rows[6][1] = json.dumps(cell(4.0, ("Cm", "Cl")).as_dict())
    columns = ["material_id", "structure", "formation_energy_per_atom"]
    data = read_data(write_data(tmp_path / "d.csv", columns, rows))
    assert len(data.y) == 198
    assert [name for name, _ in data.left_out] == ["m-5", "m-6"]
    assert "cut-off" in data.left_out[0][1]
    assert data.unit == "eV/atom"
    assert [len(getattr(data, part)) for part in ("train", "pool", "test")] == [34, 136, 28]
    together = np.concatenate([data.train, data.pool, data.test])
    assert sorted(together) == list(range(198))
    assert data.y[3] == pytest.approx(3 / 7)
    assert data.structures[3].volume == pytest.approx(3.015**3, rel=1e-5)
    again = read_data(tmp_path / "d.csv", random_state=0)
    assert again.digest() == data.digest() != read_data(tmp_path / "d.csv", random_state=1).digest()

    files = []
    for i in range(60):
        cell(3 + 0.01 * i).to(str(tmp_path / f"{i}.vasp"), fmt="poscar")
        files.append([f"{i}.vasp", i, 2 * i, ("train", "pool", "test")[i % 3]])
    path = write_data(tmp_path / "f.csv", ["file", "gap", "other", "split"], files)
    data = read_data(path, "gap")
    np.testing.assert_array_equal(data.pool, np.arange(1, 60, 3))
    with pytest.raises(ValueError, match="name the column of values with --target; there are"):
        read_data(path)
    path.write_text(path.read_text(), encoding="utf-8-sig")  # a spreadsheet's CSV
    assert read_data(path, "gap").digest() == data.digest()
    before = csv.field_size_limit()
    assert before == 131_072  # Python's own: nothing was changed for the whole process
    with path.open("a") as file:
        file.write("0.vasp,1,2\n")  # without its split
    assert read_data(path, "gap").left_out == [("0.vasp", "3 fields where the header has 4")]
    with path.open("a") as file:
        file.write("1.vasp,1,2,here\n0.vasp,1,2,\n")
    with pytest.raises(ValueError, match=r"split must be one of .*, got ''"):
        read_data(path, "gap")


def test_crystals_that_cannot_be_read_are_left_out_and_errors_of_the_program_are_not(
    tmp_path, monkeypatch
):
    rows = [[json.dumps(cell(3 + 0.005 * i).as_dict()), i] for i in range(130)]
    bad = ("data_x", '{"lattice"', "", '{"a": 1}')
    for row, text in enumerate(bad, start=7):
        rows[row][0] = text
    path = write_data(tmp_path / "d.csv", ["structure", "y"], rows)
    found = read_data(path)
    assert [name for name, _ in found.left_out] == [f"d:{row}" for row in (7, 8, 9, 10)]
    assert all(reason for _, reason in found.left_out)

    def broken(*_):
        raise AttributeError("a mistake of the programmer")

    monkeypatch.setattr(data, "structure_graph", broken)
    with pytest.raises(AttributeError, match="a mistake"):
        read_data(path)


def test_a_crystal_may_be_a_long_field(tmp_path):
    """Longer than what Python's csv takes unless its limit is changed for the whole process."""
    structure = cell(3.0)
    structure.properties["note"] = "x" * 200_000
    rows = [[json.dumps(cell(3.0).as_dict()), i] for i in range(129)]
    rows.append([json.dumps(structure.as_dict()), 1])
    assert len(read_data(write_data(tmp_path / "d.csv", ["structure", "y"], rows)).y) == 130
    assert csv.field_size_limit() == 131_072


SALT = json.dumps(cell(3).as_dict())


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (["crystal", "y"], ["a", 1], "expected a column 'structure', 'file'"),
        (
            ["structure", "y"],
            [json.dumps(cell(3).as_dict()), "one"],
            "line 2: the value 'one' is not a number",
        ),
        (
            ["structure", "y"],
            [json.dumps(cell(3).as_dict()), "inf"],
            "line 2: the value 'inf' is not finite",
        ),
        (["structure", "y", "split"], [SALT, 1, "tset"], "'tset'"),
        (["structure", "y"], [SALT, 1], "'train' has 0 of 1 usable"),
    ],
)
def test_mistakes_in_the_data(tmp_path, columns, row, message):
    with pytest.raises(ValueError, match=message):
        read_data(write_data(tmp_path / "d.csv", columns, [row]))


def test_a_pickle_is_not_read(tmp_path):
    with pytest.raises(ValueError, match="a pickle can run code: write it as CSV"):
        read_data(tmp_path / "oxides.pkl")


def test_settings_are_checked():
    assert Settings.quick(seeds=4).seeds == 4
    with pytest.raises(ValueError, match="seeds must be an integer of at least 1, got 0"):
        Settings(seeds=0)
    with pytest.raises(ValueError, match="cost_scale"):
        Settings(cost_scale=2.0)
