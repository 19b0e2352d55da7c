import json
import pickle

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from sklearn.base import clone

from skcfgp.features import CrystalReader, TableReader
from skcfgp.structures import (
    Crystal,
    InvalidStructureError,
    InvalidStructureWarning,
    structure_digest,
)

METALS = ["Cu", "Ag", "Al", "Ni"]


@pytest.fixture
def table():
    frame = pd.DataFrame({"structure": [bulk(name) for name in METALS]}, index=list("abcd"))
    return frame.assign(kelvin=[300, 400, 500, 600], gap=0.1, formula=METALS)


def test_crystals_and_named_numbers_come_out(table):
    out = TableReader(["gap", "kelvin"]).fit_transform(table)
    assert list(out.columns) == ["structure", "gap", "kelvin"]
    assert all(isinstance(crystal, Crystal) for crystal in out["structure"])
    assert out["structure"].map(repr).tolist() == [f"Crystal({name}, 1 site)" for name in METALS]
    pd.testing.assert_frame_equal(out[["gap", "kelvin"]], table[["gap", "kelvin"]].astype(float))
    pd.testing.assert_index_equal(out.index, table.index)
    again = TableReader(["gap", "kelvin"]).fit_transform(out)
    pd.testing.assert_frame_equal(again, out)
    assert list(TableReader(["gap"]).fit(table).get_feature_names_out()) == ["structure", "gap"]


def test_the_table_that_came_in_stays(table):
    before = table.copy()
    TableReader(["gap", "kelvin"], on_error="nan").fit_transform(table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("value", [np.nan, None, np.inf, "", "high"])
def test_a_row_without_a_number_is_refused_by_name(table, value):
    table["gap"] = table["gap"].astype(object)
    table.loc["c", "gap"] = value
    reader = TableReader(["kelvin", "gap"])
    with pytest.raises(InvalidStructureError, match=r"'c': its 'gap' is .*finite") as caught:
        reader.fit_transform(table)
    assert [failure.index for failure in caught.value.failures] == [2]
    reader = clone(reader).set_params(on_error="nan")
    with pytest.warns(InvalidStructureWarning, match="'c': its 'gap'"):
        out = reader.fit_transform(table)
    assert out["structure"].isna().tolist() == [False, False, True, False]
    assert out["kelvin"].isna().tolist() == [False, False, True, False]


def test_a_number_as_text_is_a_number(table):
    table["gap"] = table["gap"].astype(str)
    assert TableReader(["kelvin", "gap"]).transform(table)["gap"].tolist() == [0.1] * 4


def test_all_that_is_wrong_is_named_at_once(table):
    table.loc["a", "structure"] = None
    table.loc[["a", "d"], "gap"] = np.nan
    with pytest.raises(InvalidStructureError) as caught:
        TableReader(["kelvin", "gap"]).fit_transform(table)
    assert [(failure.index, failure.id) for failure in caught.value.failures] == [
        (0, "a"),
        (3, "d"),
    ]


def test_a_column_of_numbers_that_nobody_named_is_refused(table):
    with pytest.raises(ValueError, match=r"nothing says what the columns \['gap'\] of numbers"):
        TableReader(["kelvin"]).fit_transform(table)
    table["gap"] = table["gap"].astype(object)  # numbers all the same
    with pytest.raises(ValueError, match=r"\['gap'\]"):
        TableReader(["kelvin"]).fit_transform(table)


def test_the_reader_of_crystals_alone_warns_of_numbers(table):
    with pytest.warns(UserWarning, match=r"columns \['kelvin', 'gap'\] of numbers are not used"):
        crystals = CrystalReader().fit_transform(table)
    assert [repr(crystal) for crystal in crystals] == [
        f"Crystal({name}, 1 site)" for name in METALS
    ]
    CrystalReader().fit_transform(table[["structure", "formula"]])  # no warning


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t: t["structure"], TypeError, "expected a DataFrame with the columns .*got Series"),
        (lambda t: t.drop(columns="structure"), TypeError, "'structure', 'kelvin', 'gap'.*formula"),
        (lambda t: t.drop(columns="gap"), ValueError, "X has no column 'gap'; it has"),
        (lambda t: pd.concat([t, t["gap"]], axis=1), ValueError, "two columns of X have one name"),
    ],
)
def test_what_is_no_such_table_is_refused(table, change, error, message):
    with pytest.raises(error, match=message):
        TableReader(["kelvin", "gap"]).fit_transform(change(table))


def test_files_are_read_and_each_holds_one_crystal(table, tmp_path):
    from ase.io import write

    paths = []
    for name, atoms in zip(METALS, table["structure"], strict=True):
        paths.append(str(tmp_path / f"{name}.cif"))
        write(paths[-1], atoms)
    files = table.assign(structure=paths)
    out = TableReader(["kelvin", "gap"]).fit_transform(files)
    assert (
        out["structure"].map(lambda crystal: crystal.composition.reduced_formula).tolist() == METALS
    )
    write(tmp_path / "two.xyz", list(table["structure"][:2]), format="extxyz")
    files.loc["b", "structure"] = str(tmp_path / "two.xyz")
    with pytest.raises(ValueError, match=r"4 rows, and their files hold 5 crystals"):
        TableReader(["kelvin", "gap"]).fit_transform(files)


def test_it_can_be_pickled(table):
    reader = pickle.loads(pickle.dumps(TableReader(["kelvin", "gap"]).fit(table)))
    assert len(reader.transform(table)) == 4


@pytest.mark.parametrize("package", ["pyarrow", "polars"])
def test_tables_of_other_packages_are_those_of_pandas(package, crystals):
    module = pytest.importorskip(package)
    structures, _ = crystals
    rows = [{"structure": s.as_dict(), "guess": 0.5 * i} for i, s in enumerate(structures[:4])]
    texts = [row | {"structure": json.dumps(row["structure"])} for row in rows]
    make = module.Table.from_pylist if package == "pyarrow" else module.DataFrame
    expected = TableReader(columns=["guess"]).fit_transform(pd.DataFrame(rows))
    found = TableReader(columns=["guess"]).fit_transform(make(texts))
    assert found["guess"].tolist() == expected["guess"].tolist()
    for ours, theirs in zip(found["structure"], expected["structure"], strict=True):
        assert structure_digest(ours) == structure_digest(theirs)
