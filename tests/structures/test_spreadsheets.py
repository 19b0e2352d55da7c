"""Tables that are written for spreadsheets: no cell is run, and all are read back unchanged."""

import csv
import math

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from skcfgp.structures.io import csv_text, from_cell, to_cell
from skcfgp.structures.tables import read_table

STARTS = ("=", "+", "-", "@", "\t", "\r")


def runs(cell):
    """Whether a spreadsheet may take a cell for a formula."""
    try:
        float(cell)
    except ValueError:
        return cell.startswith(STARTS)
    return False


@given(st.text(alphabet="=+-@'\t\r\n1.e a\",;\u00e4", max_size=8))
def test_no_text_is_run_and_all_come_back(text):
    cell = to_cell(text)
    assert not runs(cell)
    assert from_cell(cell) == text


def test_a_table_comes_back_as_it_was(tmp_path):
    cells = ["=cmd|'/c calc'!A0", "'=1", "''@x", "\tx", "\rx", "a\rb", "a\r\nb", "-1.5", "- 5"]
    cells += ["-1_0", "+x", "@y", "'tis", "a,b", 'q"=', '="x"', "Fe2O3", "\u00e5"]
    table = pd.DataFrame({"=id": cells, "value": np.arange(len(cells)) / 3})
    path = tmp_path / "table.csv"
    path.write_text(csv_text(table), encoding="utf-8", newline="")
    rows, refused = read_table(path)
    assert refused == []
    assert [row["=id"] for _, row in rows] == cells
    assert [float(row["value"]) for _, row in rows] == table["value"].tolist()
    with path.open(encoding="utf-8", newline="") as file:
        written = [cell for row in csv.reader(file) for cell in row]
    assert len(written) == 2 * (1 + len(cells))
    assert not any(map(runs, written))


def test_numbers_and_missing_values_are_those_of_pandas():
    table = pd.DataFrame(
        {
            "a": ["x", None],
            "b": [1 / 3, math.nan],
            "c": [True, False],
            "d": pd.Series([1, None], dtype="Int64"),
            "e": [-1.5, 2e-300],
        }
    )
    assert csv_text(table) == table.to_csv(index=False, lineterminator="\n")
    assert csv_text(table[:0]) == "a,b,c,d,e\n"
    assert csv_text(table[["a"]][1:]) == 'a\n""\n'
