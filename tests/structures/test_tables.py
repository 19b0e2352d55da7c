"""Tables of crystals: one meaning of each column, every row taken in or refused by its line."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skcfgp.structures import Crystal, check_structures, structure_digest
from skcfgp.structures.io import from_cell
from skcfgp.structures.tables import (
    Refusal,
    find_target,
    read_crystals,
    read_labelled,
    read_numbers,
    read_table,
)


def write(path, header, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def table(tmp_path, salt):
    """The same crystal as a file, as CIF and as JSON."""
    salt.to(str(tmp_path / "salt.cif"), fmt="cif")
    text = (tmp_path / "salt.cif").read_text()
    rows = [
        ("a", "", text, 1.0),
        ("b", "", json.dumps(salt.as_dict()), 2.0),
        ("", "salt.cif", "", 3.0),
    ]
    return write(tmp_path / "table.csv", ("id", "file", "structure", "y"), *rows)


def test_a_structure_is_a_text_and_a_file_is_a_path(table, salt):
    columns, rows, refused = read_crystals(table)
    assert columns == ["id", "file", "structure", "y"]
    assert refused == []
    assert [row.id for row in rows] == ["a", "b", "salt"]
    lines = table.read_text().splitlines()
    assert [row.line for row in rows] == [2, len(lines) - 1, len(lines)]
    assert all(isinstance(row.crystal, Crystal) for row in rows)
    assert {row.crystal.properties["material_id"] for row in rows} == {"a", "b", "salt"}
    assert structure_digest(rows[1].crystal) == structure_digest(salt)
    crystals, y = read_labelled(table)
    assert [len(crystal) for crystal in crystals] == [8, 8, 8]
    np.testing.assert_array_equal(y, [1, 2, 3])


def test_refused_rows_are_all_named(tmp_path, salt):
    salt.to(str(tmp_path / "salt.cif"), fmt="cif")
    (tmp_path / "two.json").write_text(json.dumps({"a": salt.as_dict(), "b": salt.as_dict()}))
    path = write(
        tmp_path / "t.csv",
        ("id", "file", "structure", "y"),
        ("good", "salt.cif", "", 1),
        ("path", "", "salt.cif", 2),
        ("none", "", "", 3),
        ("gone", "gone.cif", "", 4),
        ("two", "two.json", "", 5),
        ("bad", "", '{"lattice": {}, "sites": []}', 6),
        ("short", "salt.cif"),
        ("high", "salt.cif", "", "inf"),
        ("text", "salt.cif", "", "n/a"),
    )
    _, rows, refused = read_crystals(path)
    assert [row.id for row in rows] == ["good", "high", "text"]
    reasons = {
        "path": "belongs into a column 'file'",
        "none": "neither a file nor a structure",
        "gone": "there is no file",
        "two": "two.json holds 2 crystals; one is needed",
        "bad": "of 'lattice' as 6 numbers",
        "short": "2 fields where the header has 4",
    }
    assert [(r.line, r.id) for r in refused] == [*zip(range(3, 9), reasons, strict=True)]
    for refusal in refused:
        assert reasons[refusal.id] in refusal.reason
    with pytest.raises(ValueError, match="8 rows cannot be used: line 3: path: ") as error:
        read_labelled(path)
    assert "line 9: high: the value 'inf' is not finite" in str(error.value)
    assert "line 10: text: the value 'n/a' is not a number" in str(error.value)


def test_known_crystals_are_not_read(tmp_path):
    path = write(tmp_path / "t.csv", ("id", "y"), ("a", 1), ("b", 2))
    _, rows, refused = read_crystals(path, known={"a"})
    assert [(row.id, row.crystal) for row in rows] == [("a", None)]
    assert refused == [Refusal(3, "b", "there is neither a file nor a structure")]
    with pytest.raises(ValueError, match="expected a column 'file' or 'structure'"):
        read_crystals(path)


def test_column_of_values():
    assert find_target("t.csv", ["id", "file", "formula", "gap"]) == "gap"
    assert find_target("t.csv", ["id", "gap", "energy"], "energy") == "energy"
    assert find_target("t.csv", ["id", "gap", "energy"], named=["energy"]) == "gap"
    with pytest.raises(ValueError, match="--target"):  # the labels are no estimate of themselves
        find_target("t.csv", ["id", "gap", "energy"], "energy", named=["energy"])
    for columns, target in [(["id", "a", "b"], None), (["id", "a"], "b"), (["id"], None)]:
        with pytest.raises(ValueError, match="--target"):
            find_target("t.csv", columns, target)


@pytest.fixture
def wide(tmp_path, salt):
    """A table of two crystals with a target, an estimate and other columns."""
    salt.to(str(tmp_path / "salt.cif"), fmt="cif")
    return write(
        tmp_path / "wide.csv",
        ("id", "file", "gap", "n", "note"),
        ("a", "salt.cif", 1.5, 1.8, "good"),
        ("b", "salt.cif", 2.5, 1.6, ""),
    )


def test_named_columns_stand_beside_the_crystals(wide):
    X, y = read_labelled(wide, "n", ["gap"])
    assert list(X.columns) == ["structure", "gap"]
    assert list(X.index) == ["a", "b"]
    assert X["gap"].tolist() == [1.5, 2.5]
    assert all(isinstance(crystal, Crystal) for crystal in X["structure"])
    np.testing.assert_array_equal(y, [1.8, 1.6])


def test_numbers_that_nobody_named_are_not_passed_over_in_silence(wide):
    for read in (
        lambda: read_labelled(wide, "n"),
        lambda: read_numbers(wide, ["n"]),
    ):
        with pytest.warns(UserWarning, match=r"the columns \['gap'\] of numbers are not used"):
            read()
    read_labelled(wide, "n", ["gap"])
    read_numbers(wide, ["gap", "n"])


def test_a_named_column_is_in_every_row(wide, tmp_path, salt):
    with pytest.raises(ValueError, match="expected a column 'pressure', got"):
        read_labelled(wide, "n", ["gap", "pressure"])
    with pytest.raises(ValueError, match="expected a column 'pressure', got"):
        read_numbers(wide, ["pressure"])
    wide.write_text(wide.read_text().replace("2.5", ""))
    with pytest.raises(ValueError, match="line 3: b: the value '' is not a number"):
        read_labelled(wide, "n", ["gap"])


def test_a_table_to_predict_keeps_all_its_rows(tmp_path, salt):
    salt.to(str(tmp_path / "salt.cif"), fmt="cif")
    path = write(
        tmp_path / "t.csv",
        ("id", "file", "gap"),
        ("a", "salt.cif", 1.5),
        ("gone", "gone.cif", 2.0),
        ("short", "salt.cif"),
        ("d", "salt.cif", "n/a"),
    )
    found = read_numbers(path, ["gap"])
    assert list(found.index) == ["a", "gone", "short", "d"]
    assert found["gap"].tolist() == ["1.5", None, None, "n/a"]
    crystals = check_structures(found, on_error="nan")
    assert crystals.ids.tolist() == list(found.index)
    assert [failure.id for failure in crystals.failures] == ["gone", "short"]
    assert "there is no file" in crystals.failures[0].reason
    assert "2 fields where the header has 3" in crystals.failures[1].reason


cell = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(cell, cell), max_size=4), st.sampled_from(["\n", "\r\n", "\r"]))
def test_agrees_with_the_csv_of_python(tmp_path_factory, rows, end):
    file = io.StringIO()
    quoting = csv.QUOTE_ALL if end == "\r" else csv.QUOTE_MINIMAL
    csv.writer(file, lineterminator=end, quoting=quoting).writerows([("a", "b"), *rows])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(file.getvalue().encode("utf-8-sig"))
    found, refused = read_table(path)
    assert refused == []
    cells = [[from_cell(cell.strip()) for cell in row] for row in rows]
    expected = [tuple(row) for row in cells if any(row)]
    assert [tuple(row.values()) for _, row in found] == expected


def test_long_fields_change_no_limit_of_the_process(tmp_path):
    limit = csv.field_size_limit()
    path = write(tmp_path / "t.csv", ("id", "text"), ("a", "x" * (limit + 1)))
    ((line, row),), _ = read_table(path)
    assert (line, len(row["text"])) == (2, limit + 1)
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,y\n\xff\xfe,1\n", "not a UTF-8 CSV"),
        (b'id,y\na,"1\nb,2\n', "line 2: a field that begins with a quote"),
        (b'id,y\na,"1"2\n', "line 2: a field that begins with a quote"),
        (b"id,id\na,1\n", "two columns have one name"),
    ],
)
def test_what_is_not_a_table(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv")
