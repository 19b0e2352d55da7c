"""The table on the page is made of the records that are kept beside it."""

import json
import runpy
from pathlib import Path

import pytest

from skcfgp.datasets import load_formation_energy
from skcfgp.network import load_network
from skcfgp.reproduction.records import Run
from skcfgp.reproduction.table import make_table

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_are_those_of_the_records():
    pytest.importorskip("PIL")
    script = runpy.run_path(str(DOCS / "scripts" / "reproduction.py"))
    kept = json.loads((DOCS / "data" / "reproduction_oxides.json").read_text())
    kept.pop("captions")
    others = script["rows_of"](DOCS / "data" / "reproduction_flla.csv")
    lines = list(script["tables"](make_table(Run(**kept)), others))
    text = (DOCS / "images" / "reproduction" / "results.inc").read_text()
    assert text.startswith("\n".join(lines))
    rows = [line for line in lines if line.startswith("   * - ") and line[7].isdigit()]
    assert len(rows) > 60


def test_the_network_of_the_oxides_loads():
    network = load_network(DOCS / "data" / "oxides_1800")
    assert network.card["unit"] == "eV/atom"
    data = load_formation_energy(split="test", structures="arrays")
    oxides = [row for row, c in enumerate(data.structures) if 8 in c.atomic_numbers][:100]
    error = network.predict(data.structures[oxides]) - data.target[oxides]
    assert abs(error).mean() < 0.2
