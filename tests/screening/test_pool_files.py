"""A pool is cut into the same chunks of the same crystals, whatever files it is in."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from ase.db import connect
from pymatgen.core import Structure

from skcfgp.models.reading import read_files
from skcfgp.screening.pool import Pool, read_records
from skcfgp.structures import Crystal, check_structures, structure_digest


@pytest.fixture(scope="module")
def six(formation_energy):
    return dict(zip(formation_energy.material_id[:6], formation_energy.structures[:6], strict=True))


def as_json_lines(six, folder):
    rows = [{"material_id": id_, "structure": s.as_dict()} for id_, s in six.items()]
    (folder / "pool.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    return folder / "pool.jsonl"


def as_parquet(six, folder):
    table = pd.DataFrame({"id": list(six), "structure": [s.to_json() for s in six.values()]})
    table.to_parquet(folder / "pool.parquet")
    return folder / "pool.parquet"


def as_arrays(six, folder):
    table = pd.DataFrame({"material_id": list(six)})
    table["lattice"] = [s.lattice.matrix.ravel().tolist() for s in six.values()]
    table["frac_coords"] = [s.frac_coords.tolist() for s in six.values()]
    table["atomic_numbers"] = [list(s.atomic_numbers) for s in six.values()]
    table.to_parquet(folder / "pool.parquet")
    return folder / "pool.parquet"


def as_parts(six, folder):
    (folder / "parts").mkdir()
    for i in range(3):
        path = as_arrays(dict(list(six.items())[2 * i : 2 * i + 2]), folder)
        path.rename(folder / "parts" / f"{i}.parquet")
    return folder / "parts"


def as_cif(six, folder):
    (folder / "cif").mkdir()
    for i, structure in enumerate(six.values()):
        structure.to(str(folder / "cif" / f"{i}.cif"), fmt="cif")
    (folder / "cif" / "README").write_text("not a crystal")
    return folder / "cif"


def as_database(six, folder):
    with connect(folder / "pool.db") as database:
        for id_, structure in six.items():
            database.write(structure.to_ase_atoms(msonable=False), material_id=id_)
    return folder / "pool.db"


@pytest.mark.filterwarnings("ignore:.*1 of 7 files were passed over")
@pytest.mark.parametrize(
    "write", [as_json_lines, as_parquet, as_arrays, as_parts, as_cif, as_database]
)
def test_every_kind_of_pool_gives_the_same_crystals(six, write, tmp_path):
    pool = Pool(write(six, tmp_path))
    chunks = list(pool.chunks(4))
    assert [(number, len(records)) for number, records in chunks] == [(0, 4), (1, 2)]
    assert pool.count() == 6
    found = [read_records(records) for _, records in chunks]
    crystals = [s for part in found for s in part.structures]
    assert [s.composition for s in crystals] == [s.composition for s in six.values()]
    ids = [id_ for part in found for id_ in part.ids]
    assert ids == ([f"{i}" for i in range(6)] if write is as_cif else list(six))
    if write not in (as_cif, as_database):  # these are written with fewer digits
        assert list(map(structure_digest, crystals)) == list(map(structure_digest, six.values()))
    assert not [failure for part in found for failure in part.failures]


def test_what_is_broken_is_named_and_the_others_are_read(six, tmp_path):
    good = next(iter(six.values())).as_dict()
    empty = Structure(np.eye(3) * 4, [], []).as_dict()
    lines = ["{", json.dumps({"id": "e"} | empty), "[1]", '{"id": "x"}', json.dumps(good)]
    path = tmp_path / "pool.jsonl"
    path.write_text("\n".join(lines))
    ((_, records),) = Pool(path).chunks(9)
    found = read_records(records)
    assert [(f.index, f.id) for f in found.failures] == [
        (0, "pool:0"),
        (1, "e"),
        (2, "pool:2"),
        (3, "x"),
    ]
    assert "expected the keys 'lattice' and 'sites'" in found.failures[3].reason
    assert isinstance(found.structures[4], Crystal)


def test_a_file_of_a_folder_may_hold_several_crystals_or_none(six, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([s.as_dict() for s in six.values()]))
    (tmp_path / "b.cif").write_text("data_broken")
    ((_, records),) = Pool(tmp_path).chunks(9)
    found = read_records(records)
    assert found.ids.tolist() == [*(s.properties["material_id"] for s in six.values()), "b"]
    assert found.ids.tolist() == check_structures(tmp_path, on_error="nan").ids.tolist()
    assert [failure.id for failure in found.failures] == ["b"]


def test_a_path_in_a_file_is_not_opened(six, tmp_path):
    """A pool from elsewhere cannot make a worker read other files."""
    (tmp_path / "pool").mkdir()
    next(iter(six.values())).to(str(tmp_path / "secret.vasp"), fmt="poscar")
    (tmp_path / "pool" / "a.json").write_text(json.dumps([str(tmp_path / "secret.vasp")] * 2))
    ((_, records),) = Pool(tmp_path / "pool").chunks(9)
    found = read_records(records)
    assert [s is None for s in found.structures] == [True, True]
    assert "path of a file" in found.failures[0].reason


def test_parquet_is_not_kept(six, tmp_path):
    """PyArrow would keep what it read ahead until the file is closed, which is all of it."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import ParquetWriter

    rows = [json.dumps(s.as_dict()) for s in six.values()]
    noise = np.random.default_rng(0)
    with ParquetWriter(
        tmp_path / "pool.parquet", pyarrow.schema({"structure": pyarrow.string()})
    ) as writer:
        for _ in range(12):  # of 4 MB, which do not get smaller
            long = [rows[k % 6] + noise.bytes(2000).hex() for k in range(1000)]
            writer.write_table(pyarrow.table({"structure": long}))
    before, pool = pyarrow.total_allocated_bytes(), Pool(tmp_path / "pool.parquet")
    held = []
    for _, records in pool.chunks(100):
        assert len(list(records)) == len(records) == 100
        held.append(pyarrow.total_allocated_bytes() - before)
    assert pool.path.stat().st_size > 40e6
    assert max(held) < 24e6


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("kind", ["rows", "lines", "both"])
def test_chunks_say_where_their_records_are(kind, size, tmp_path):
    """Whoever has one reads it, in any order, wherever row groups and files end."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import ParquetWriter

    expected = []
    if kind != "lines":
        with ParquetWriter(
            tmp_path / "a.parquet", pyarrow.schema({"formula": pyarrow.string()})
        ) as writer:
            for n in (1, 20, 2):
                writer.write_table(pyarrow.table({"formula": [f"H{n}O"] * n}))
        expected += [(f"a:{i}", f"H{n}O") for i, n in enumerate([1] + 20 * [20] + 2 * [2])]
    if kind != "rows":
        lines = [json.dumps({"text": "x" * n}) for n in range(17)]
        (tmp_path / "b.jsonl").write_text("\n \n".join(["", *lines]))
        expected += [(f"b:{i}", line) for i, line in enumerate(lines)]
    chunks = dict(Pool(tmp_path).chunks(size))
    assert [len(chunk) for chunk in chunks.values()][:-1] == [size] * (len(chunks) - 1)
    found = {}
    for number in np.random.default_rng(0).permutation(len(chunks)):
        sent = pickle.dumps(chunks[number])
        assert len(sent) < 1000 + 200 * kind.count("both")
        found[number] = list(pickle.loads(sent))
    records = [record for number in range(len(chunks)) for record in found[number]]
    assert [id_ for id_, _ in records] == [id_ for id_, _ in expected]
    for (_, record), (_, content) in zip(records, expected, strict=True):
        text = record.decode().strip() if isinstance(record, bytes) else record.fields["formula"]
        assert text == content


def test_arrays_that_do_not_fit_fail_alone(six, tmp_path):
    path = as_arrays(six, tmp_path)
    table = pd.read_parquet(path)
    table.at[1, "atomic_numbers"] = [8]
    table.at[2, "lattice"] = None
    table.to_parquet(path)
    ((_, records),) = Pool(path).chunks(9)
    assert [failure.index for failure in read_records(records).failures] == [1, 2]


def test_the_digest_tells_pools_apart(six, tmp_path):
    path = as_json_lines(six, tmp_path)
    first = Pool(path).digest()
    assert Pool(path).digest() == first
    with path.open("a") as file:
        file.write("{}\n")
    assert Pool(path).digest() != first


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        Pool(tmp_path / "pool.jsonl")
    with pytest.raises(ValueError, match="holds no structure file"):
        Pool(tmp_path)
    (tmp_path / "pool.txt").write_text("")
    with pytest.raises(ValueError, match="is not known: expected"):
        Pool(tmp_path / "pool.txt")
    pd.DataFrame({"name": ["a"]}).to_parquet(tmp_path / "pool.parquet")
    with pytest.raises(ValueError, match="needs a column 'structure'"):
        next(Pool(tmp_path / "pool.parquet").chunks(1))
    (tmp_path / "pool.db").write_bytes(b"not a database" * 100)
    with pytest.raises(ValueError, match="could not be read"):
        next(Pool(tmp_path / "pool.db").chunks(1))


def test_a_table_is_named_and_read_as_by_the_other_commands(tmp_path):
    """The index of pandas is an id; rows without one are counted; a CSV may be compressed."""
    table = pd.DataFrame({"formula": ["NaCl", "KCl"]})
    table.set_axis(["i", "j"]).to_parquet(tmp_path / "index.parquet")
    table.to_parquet(tmp_path / "none.parquet")
    table.assign(id=["a", None]).to_parquet(tmp_path / "half.parquet")
    table.to_csv(tmp_path / "zipped.csv.gz", index=False)
    files = pd.DataFrame({"file": ["a.vasp", "b.vasp"]})
    files.to_parquet(tmp_path / "files.parquet")
    expected = {
        "files.parquet": ["a", "b"],
        "index.parquet": ["i", "j"],
        "none.parquet": ["none:0", "none:1"],
        "half.parquet": ["a", "half:1"],
        "zipped.csv.gz": ["zipped.csv:0", "zipped.csv:1"],
    }
    for name, ids in expected.items():
        pool = Pool(tmp_path / name)
        ((_, records),) = pool.chunks(9)
        assert read_records(records).ids.tolist() == ids
        assert read_files([tmp_path / name]).crystals.ids.tolist() == ids
        assert pool.count() == 2
