"""Tables of crystals: one meaning of each column, every row taken in or refused by its line."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skcfgp.models.reading import read_files
from skcfgp.screening.pool import Pool, read_records
from skcfgp.structures import Crystal, check_structures, structure_digest
from skcfgp.structures.crystal_tables import check_columns, read_crystals
from skcfgp.structures.io import from_cell
from skcfgp.structures.labels import find_target, read_labelled
from skcfgp.structures.tables import Refusal, read_table


def write(path, header, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def cases():
    """Folder of small files of other programs."""
    return Path(__file__).parent / "cases"


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
    found = read_labelled(table)
    assert [len(crystal) for crystal in found.X] == [8, 8, 8]
    np.testing.assert_array_equal(found.y, [1, 2, 3])
    assert found.ids == ["a", "b", "salt"]


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
    assert [(r.line, r.id) for r in refused] == [(3, "b")]
    assert "there is neither a file nor a structure" in refused[0].reason
    with pytest.raises(ValueError, match="expected a column 'structure', 'file', 'formula' or"):
        read_crystals(write(tmp_path / "t.csv", ("name", "y"), ("a", 1)))


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
    found = read_labelled(wide, "n", columns=["gap"])
    assert list(found.X.columns) == ["structure", "gap"]
    assert list(found.X.index) == ["a", "b"]
    assert found.X["gap"].tolist() == [1.5, 2.5]
    assert all(isinstance(crystal, Crystal) for crystal in found.X["structure"])
    np.testing.assert_array_equal(found.y, [1.8, 1.6])


def test_numbers_that_nobody_named_are_not_passed_over_in_silence(wide):
    for read in (
        lambda: read_labelled(wide, "n"),
        lambda: check_columns("wide.csv", read_crystals(wide), ["n"]),
    ):
        with pytest.warns(UserWarning, match=r"the columns \['gap'\] of numbers are not used"):
            read()
    read_labelled(wide, "n", columns=["gap"])
    check_columns("wide.csv", read_crystals(wide), ["gap", "n"])


def test_a_named_column_is_in_every_row(wide):
    with pytest.raises(ValueError, match="expected a column 'pressure', got"):
        read_labelled(wide, "n", columns=["gap", "pressure"])
    with pytest.raises(ValueError, match="expected a column 'pressure', got"):
        check_columns("wide.csv", read_crystals(wide), ["pressure"])
    wide.write_text(wide.read_text().replace("2.5", "").replace("a,", "c,salt.cif,1,1,\na,", 1))
    assert read_labelled(wide, "n", columns=["gap"]).refused == [Refusal(4, "b", "there is no gap")]


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
    found = read_files([path], ["gap"]).part(0, 4)
    assert list(found.index) == ["a", "gone", "short", "d"]
    assert found["gap"].tolist() == ["1.5", None, None, "n/a"]
    crystals = check_structures(found, on_error="nan")
    assert crystals.ids.tolist() == list(found.index)
    assert [failure.id for failure in crystals.failures] == ["gone", "short"]
    assert "line 3: there is no file" in crystals.failures[0].reason
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
        (b"id\xff,y\na,1\n", "the first line is not UTF-8"),
        (b"id,y\na\0,1\n", "line 2: a zero byte"),
        (b"\xff\xfeid,y\na,1\n\xd8", "begins as UTF-16 and is not"),
        (b"1,2.5\n2,3.5\n", "expected the names of the columns on the first line"),
        (b'id,y\na,"1\nb,2\n', "line 2: a field that begins with a quote"),
        (b'id,y\na,"1"2\n', "line 2: a field that begins with a quote"),
        (b"id,id\na,1\n", "two columns have one name"),
    ],
)
def test_what_is_not_a_table(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_line_ends_and_encodings(tmp_path, separator, end, encoding):
    rows = [("id", "value", "note"), ("a", "1.5", "è; fine, so"), ("b", "2.5", "")]
    lines = [separator.join(f'"{x}"' if ";" in x else x for x in row) for row in rows]
    (tmp_path / "t.csv").write_bytes(end.join(lines).encode(encoding))
    found, refused = read_table(tmp_path / "t.csv")
    assert refused == []
    assert [tuple(fields) for _, fields in found] == [rows[0]] * 2
    assert [tuple(fields.values()) for _, fields in found] == rows[1:]


def test_bytes_that_are_not_text_cost_their_line_only(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"id,y\na,1\nb\xe9,2\nc,3\n")
    rows, refused = read_table(tmp_path / "t.csv")
    assert [fields["id"] for _, fields in rows] == ["a", "c"]
    assert [(r.line, r.reason.split(";")[0]) for r in refused] == [(3, "the line is not UTF-8")]
    json.dumps(refused).encode()


def frames(table):
    """The same table in every form."""
    yield "pandas", table
    yield "records", table.to_dict("records")
    pyarrow = pytest.importorskip("pyarrow")
    yield "pyarrow", pyarrow.Table.from_pandas(table, preserve_index=False)
    try:
        import polars
    except ImportError:
        return
    yield "polars", polars.DataFrame(table.to_dict("list"))


def files(table, folder):
    for name in ("t.csv", "t.parquet", "t.json", "split.json", "t.jsonl"):
        path = folder / name
        if name == "t.csv":
            table.to_csv(path, index=False)
        elif name == "t.parquet":
            table.to_parquet(path)
        elif name == "split.json":
            path.write_text(table.to_json(orient="split"))
        else:
            path.write_text(table.to_json(orient="records", lines=name.endswith("l")))
        yield name, path


def test_every_form_of_a_table_is_read_alike(tmp_path, salt):
    table = pd.DataFrame(
        {"id": ["a", "b"], "structure": [json.dumps(salt.as_dict())] * 2, "y": [1.5, 2.5]}
    )
    for name, source in [*frames(table), *files(table, tmp_path)]:
        found = read_labelled(source)
        assert (found.ids, found.y.tolist(), found.target) == (["a", "b"], [1.5, 2.5], "y"), name
        assert {structure_digest(crystal) for crystal in found.X} == {structure_digest(salt)}


def test_objects_in_a_frame_and_ids_in_its_index(salt):
    table = pd.DataFrame({"structure": [salt, salt.as_dict()], "y": [1, 2]}, index=["p", "q"])
    found = read_labelled(table)
    assert found.ids == ["p", "q"]
    assert [len(crystal) for crystal in found.X] == [8, 8]
    nowhere = pd.DataFrame({"structure": [salt, None], "y": [1, 2]})
    assert [refusal.id for refusal in read_crystals(nowhere).refused] == ["1"]


def labelled(path, *rows, header=("id", "formula", "value", "label_std", "failed")):
    return read_labelled(write(path / "t.csv", header, *rows), formulas=True)


def test_a_label_that_cannot_be_used_refuses_its_row(tmp_path):
    found = labelled(
        tmp_path,
        ("a", "NaCl", 1.0, 0.1, ""),
        ("b", "KCl", "n/a", "", ""),
        ("c", "LiF", 2.0, "", ""),
        ("d", "RbI", "", "", "did not converge"),
        ("e", "KBr", "1,5", "", ""),
        ("f", "KI", 1e80, "", ""),
        ("g", "KF", 1.0, -1, ""),
        ("h", "Xx", 1.0, "", ""),
    )
    assert found.ids == ["a", "c"]
    assert found.label_std.tolist() == [0.1, 0.0]
    assert found.failed == ["d"]
    reasons = {refusal.id: refusal.reason for refusal in found.refused}
    assert list(reasons) == ["b", "e", "f", "g", "h"]
    assert "'n/a' is not a number" in reasons["b"]
    assert "write a point for the decimals" in reasons["e"]
    assert "larger than 1e+30" in reasons["f"]
    assert "negative" in reasons["g"]
    assert "Xx in the formula 'Xx' is not an element" in reasons["h"]


def test_labels_that_contradict_each_other_are_said(tmp_path):
    found = labelled(
        tmp_path,
        ("a", "NaCl", 1.0, "", ""),
        ("b", "KCl", 2.0, "", ""),
        ("a", "NaCl", 1.0, "", ""),
        ("b", "KCl", 2.5, "", ""),
        ("c", "ClNa", 3.0, "", ""),
    )
    assert (found.ids, found.repeated) == (["a", "b", "c"], ["a"])
    assert [(r.line, r.id) for r in found.refused] == [(5, "b")]
    assert found.refused[0].reason == "the value 2.5 contradicts the known one, 2.0, on line 3"
    assert found.doubts == ["a and c are equal and have 1 and 3"]


def test_units_of_a_table_must_agree(tmp_path):
    header = ("id", "formula", "value", "unit")
    rows = [("a", "NaCl", 1, "eV"), ("b", "KCl", 2, ""), ("c", "KI", 3, "meV")]
    found = labelled(tmp_path, *rows, header=header)
    assert (found.unit, found.ids) == ("eV", ["a", "b"])
    assert found.refused == [Refusal(4, "c", "the unit is 'meV', and the others have 'eV'")]


def test_files_beside_a_table_are_found_by_id(tmp_path, salt):
    salt.to(str(tmp_path / "a.cif"), fmt="cif")
    for name in ("b.vasp", "c.vasp", "b.cif"):
        salt.to(str(tmp_path / name), fmt="poscar" if name.endswith("vasp") else "cif")
    rows = [("a", 1), ("a.cif", 2), ("b", 3), ("b.vasp", 4), ("c", 5), ("d", 6)]
    _, found, refused = read_crystals(write(tmp_path / "t.csv", ("id", "y"), *rows))
    assert [row.id for row in found] == ["a", "a.cif", "b.vasp", "c"]
    assert [refusal.id for refusal in refused] == ["b", "d"]
    assert "several files have this name: b.cif, b.vasp" in refused[0].reason


def test_the_folder_of_cgcnn_is_read_as_its_authors_mean_it(cases):
    for source in (cases / "cgcnn", cases / "cgcnn" / "id_prop.csv"):
        found = read_labelled(source)
        assert found.ids == ["1001", "1002"]
        assert found.y.tolist() == [-2.1, -1.9]
        assert [c.composition.reduced_formula for c in found.X] == ["NaCl", "KCl"]


def test_a_table_in_the_form_of_matbench(cases):
    found = read_labelled(cases / "split_orient.json")
    assert (found.ids, found.y.tolist(), found.target) == (["m-1", "m-2"], [-2.1, -2.0], "e_form")


def test_a_table_in_the_form_of_jarvis(cases):
    (row,) = read_crystals(cases / "jarvis_records.json").rows
    assert (row.id, row.fields["formation_energy_peratom"]) == ("J-1", -2.1)
    assert row.crystal.composition.reduced_formula == "NaCl"


def test_a_saved_answer_of_optimade(cases):
    _, rows, refused = read_crystals(cases / "optimade_answer.json")
    assert [row.id for row in rows] == ["o-3"]
    assert [refusal.id for refusal in refused] == ["o-1", "o-2"]
    assert "attached" in refused[0].reason
    assert "disordered" in refused[1].reason


@pytest.mark.parametrize(
    ("name", "ids", "n_failed"),
    [
        ("cif_text.json", ["m-1"], 0),
        ("split_orient.json", ["m-1", "m-2"], 0),
        ("jarvis_records.json", ["J-1"], 0),
        ("optimade_answer.json", ["o-1", "o-2", "o-3"], 2),
        ("cgcnn", ["1001", "1002"], 0),
    ],
)
@pytest.mark.filterwarnings("ignore:.*files were passed over")
def test_the_same_crystals_through_every_door(cases, name, ids, n_failed):
    pool = [
        row
        for _, records in Pool(cases / name).chunks(10)
        for row in read_records(records).ids.tolist()
    ]
    of_commands = read_files([cases / name]).crystals
    for found in (check_structures(cases / name, on_error="nan"), of_commands):
        assert found.ids.tolist() == ids == pool
        assert len(found.failures) == n_failed


def test_formulas_of_a_table_need_a_model_that_takes_them(tmp_path):
    path = write(tmp_path / "t.csv", ("composition", "gap expt"), ("Fe0.5Ni0.5", 1), ("NaCl", 2))
    found = read_labelled(path, formulas=True)
    assert [str(item) for item in found.X] == ["Fe0.5 Ni0.5", "Na1 Cl1"]
    assert found.ids == ["t:0", "t:1"]
    _, rows, refused = read_crystals(path)
    assert not rows
    assert all("recipe='composition'" in refusal.reason for refusal in refused)


def test_a_row_with_a_value_and_a_reason_why_it_has_none_is_refused(tmp_path):
    found = labelled(
        tmp_path,
        ("a", "NaCl", 1.0, "", "None"),
        ("b", "KCl", 2.0, "", "nan"),
        ("c", "LiF", 3.0, "", "did not converge"),
        ("d", "KI", "n/a", "", "did not converge"),
    )
    assert (found.ids, found.failed) == (["a", "b"], ["d"])
    assert [str(refusal) for refusal in found.refused] == [
        "line 4: c: it has a value, 3.0, and has failed; remove one of them"
    ]
