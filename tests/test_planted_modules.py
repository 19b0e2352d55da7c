"""Nothing that is opened runs code: a module that a file names is not imported, on any way in."""

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from click.testing import CliRunner
from pymatgen.core import Lattice, Structure

from skcfgp.campaign import Campaign
from skcfgp.cli import main
from skcfgp.screening.pool import Pool, read_records
from skcfgp.structures import check_structures, crystal_from_optimade
from skcfgp.structures.crystal_tables import read_crystals

PLANTED = {"@module": "planted_module", "@class": "Name", "x": 1}


@pytest.fixture(autouse=True)
def no_import(tmp_path, monkeypatch):
    """A module that leaves a trace if anything imports it."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "planted_module.py").write_text("class Name:\n    from_dict = dict\n")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    yield
    assert "planted_module" not in sys.modules
    __import__("planted_module")  # it could have been
    del sys.modules["planted_module"]


@pytest.fixture
def record():
    """A pymatgen dictionary with objects of a foreign class wherever there is room for one."""
    structure = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    record = json.loads(json.dumps(structure.as_dict()))
    for site in record["sites"]:
        site["properties"] = {"magmom": PLANTED}
        site["species"][0]["properties"] = PLANTED
        site |= PLANTED
    record["properties"] = {"object": PLANTED, "list": [PLANTED]}
    record["lattice"] |= PLANTED
    return record | PLANTED


@pytest.fixture
def files(record, tmp_path):
    """The same in each kind of file of crystals."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(record))
    (folder / "many.json").write_text(json.dumps({"a": record, "b": {"structure": record}}))
    (folder / "lines.jsonl").write_text(f"{json.dumps(record)}\n" * 2)
    atoms = Atoms("CsCl", [[0, 0, 0], [2.06, 2.06, 2.06]], cell=[4.12] * 3, pbc=True)
    numbers = {name: value.tolist() for name, value in atoms.todict().items()}
    extra = {"constraints": [PLANTED], "data": PLANTED, "calculator_parameters": PLANTED}
    row = numbers | extra | {"key_value_pairs": {"x": PLANTED}, "__ase_objtype__": "atoms"}
    (folder / "ase.json").write_text(json.dumps({"1": row, "ids": [1], "nextid": 2}))
    from ase.db import connect

    with connect(str(folder / "ase.db")) as database:
        database.write(atoms, data={"x": 1})
    with closing(sqlite3.connect(folder / "ase.db")) as connection, connection:
        for column in ("key_value_pairs", "data", "constraints", "calculator_parameters"):
            connection.execute(f"UPDATE systems SET {column} = ?", [json.dumps({"x": PLANTED})])
        connection.execute("INSERT INTO information VALUES ('external_table_name', 'planted')")
    return folder


def test_files_and_dictionaries_of_crystals(files, record):
    found = check_structures(files)
    assert len(found.ids) == 7
    assert {crystal.composition.formula for crystal in found.structures} == {"Cs1 Cl1"}
    assert check_structures([record, {"structure": record}]).failures == []


def test_tables_and_pools(record, tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"material_id": ["a", "b"], "structure": [json.dumps(record)] * 2})
    table.attrs = {"planted": PLANTED}
    table.to_csv(tmp_path / "x.csv", index=False)
    assert len(read_crystals(tmp_path / "x.csv").rows) == 2
    table.to_parquet(tmp_path / "x.parquet")
    (tmp_path / "x.jsonl").write_text(f"{json.dumps(record)}\n")
    for name, n in (("x.parquet", 2), ("x.jsonl", 1)):
        ((_, records),) = Pool(tmp_path / name).chunks(9)
        found = read_records(records)
        assert (len(found.ids), found.failures) == (n, [])


def test_metadata_of_parquet(record, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    hostile = {
        b"pandas": json.dumps({"index_columns": [PLANTED], "columns": [PLANTED]}).encode(),
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": b"cplanted_module\nName\n.",
    }
    field = pa.field("structure", pa.string(), metadata=hostile)
    table = pa.table([[json.dumps(record)]], schema=pa.schema([field], metadata=hostile))
    write_table(table, tmp_path / "x.parquet")
    ((_, records),) = Pool(tmp_path / "x.parquet").chunks(9)
    assert read_records(records).failures == []


def test_answers_of_databases(record):
    attributes = {
        "lattice_vectors": (4.12 * np.eye(3)).tolist(),
        "cartesian_site_positions": [[0, 0, 0], [2.06, 2.06, 2.06]],
        "species": [
            {"name": name, "chemical_symbols": [name], "concentration": [1.0]} | PLANTED
            for name in ("Cs", "Cl")
        ],
        "species_at_sites": ["Cs", "Cl"],
        "_x_object": PLANTED,
    }
    assert len(crystal_from_optimade(attributes | PLANTED)) == 2


def test_campaigns(record, tmp_path):
    """As it comes in, and as it lies in the file, where another program may have put it."""
    pool = {f"mp-{k}": record for k in range(3)}
    settings = {"target": "y", "unit": "eV", "recipe": "composition"}
    campaign = Campaign.init(tmp_path / "c", pool, **settings)
    (path,) = (tmp_path / "c").glob("*.sqlite*")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER structures_update")
        connection.execute("UPDATE structures SET structure = ?", [json.dumps(record)])
    campaign.suggest(1, out=tmp_path / "jobs")
    assert [*(tmp_path / "jobs").rglob("*.cif")]


@pytest.mark.network
def test_commands(files, tmp_path):
    for command in (["predict"], ["screen", "--below", "0"]):
        out = tmp_path / f"{command[0]}.csv"
        result = CliRunner().invoke(main, [*command, str(files), "--out", str(out)])
        assert result.exit_code == 0, result.output
        assert len(pd.read_csv(out)) == 7


@pytest.mark.network
def test_networks(hdf5_network, tmp_path):
    import h5py

    from skcfgp.network import load_network, save_network

    network = load_network("formation_energy_1800")
    network.card["object"] = PLANTED
    save_network(network, tmp_path / "net")
    assert load_network(tmp_path / "net").card["object"] == PLANTED
    path = tmp_path / "net.hdf5"
    shutil.copy(hdf5_network, path)
    description = json.loads(Path(f"{hdf5_network}.json").read_text())
    description["graph_converter"] |= PLANTED
    description["metadata"] = {"object": PLANTED}
    (tmp_path / "net.hdf5.json").write_text(json.dumps(description | PLANTED))
    expected = load_network("Eform_MP_2019").digest()
    assert load_network(path).digest() == expected
    with h5py.File(path, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        config = {"name": "lambda", "module": "planted_module", "function": ["", None, None]}
        model["config"]["layers"].append({"class_name": "Lambda", "name": "l", "config": config})
        file.attrs["model_config"] = json.dumps(model)
    with pytest.raises(ValueError, match="layers of the kind 'Lambda'"):
        load_network(path)
