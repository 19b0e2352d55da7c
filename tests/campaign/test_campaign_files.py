"""Results with mistakes, pools from files and tables, and input files of calculations."""

import csv
import json
import signal

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Structure

from skcfgp.campaign import Campaign, RefusedRowsError
from skcfgp.campaign.crystals import read_labelled, read_pool
from skcfgp.campaign.jobs import job_names, write_job
from skcfgp.campaign.results import read_results
from skcfgp.campaign.tables import write_table
from skcfgp.structures import structure_digest
from skcfgp.structures.compositions import NEEDS_STRUCTURE
from skcfgp.structures.tables import read_table


@pytest.fixture
def campaign(crystals, tmp_path):
    ids = [f"c{i}" for i in range(12)]
    return Campaign.init(
        tmp_path / "campaign",
        pd.Series(crystals[0][:12], ids),
        target="energy",
        unit="eV/atom",
        labelled=dict(zip(ids[:2], [0.5, -0.5], strict=True)),
        recipe="composition",
    )


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_a_column_of_another_name_is_said_to_be_taken(campaign, tmp_path):
    path = write(tmp_path / "results.csv", "id,shear\nc2,1.5\n")
    with pytest.warns(UserWarning, match="the only other column, 'shear', is taken for it"):
        assert campaign.tell(path).labelled == ["c2"]


def test_a_formula_is_refused_where_the_model_needs_a_structure(tmp_path):
    path = write(tmp_path / "pool.csv", "id,formula\na,NaCl\n")
    (refusal,) = read_pool([path]).refused
    assert str(refusal) == f"line 2: a: {NEEDS_STRUCTURE}"
    assert read_pool([path], formulas=True).ids == ["a"]


def test_every_kind_of_mistake_is_refused_by_its_line_and_the_good_rows_are_kept(
    campaign, tmp_path
):
    path = write(
        tmp_path / "results.csv",
        "id,value,unit,failed\n"
        "c2,1.5,eV/atom,\n"
        "c3,nan,eV/atom,\n"
        "nope,1,eV/atom,\n"
        "c4,1,kJ/mol,\n"
        "\n"
        "c5,,,\n"
        "c6,abc,,\n"
        "c0,0.7,,\n"
        "c1,-0.5,,\n"
        "c7,1,\n"
        "c2,1.6,,\n"
        "c2,1.50,,\n"
        'c8,,,"SCF,\nno convergence"\n'
        "c9,inf,,\n"
        "c10,-2e-1,,\n",
    )
    with pytest.raises(RefusedRowsError) as error:
        campaign.tell(path)
    told = error.value.told
    assert {r.line: r.reason for r in told.refused} == {
        3: "there is no value",
        4: "there is no such id",
        5: "the unit is 'kJ/mol', and this campaign has 'eV/atom'",
        7: "there is no value",
        8: "the value 'abc' is not a number",
        9: "the value 0.7 contradicts the known one, 0.5; to replace it, use --replace",
        11: "3 fields where the header has 4",
        12: "the value 1.6 contradicts the known one, 1.5, further up",
        16: "the value 'inf' is not finite",
    }
    assert told.labelled == ["c2", "c10"]
    assert told.failed == ["c8"]
    assert told.repeated == ["c1", "c2"]
    state = campaign.state()
    assert state.labels == {"c0": 0.5, "c1": -0.5, "c2": 1.5, "c10": -0.2}
    assert state.failures == {"c8": "SCF,\nno convergence"}
    assert campaign.history()[-1].content["source"] == str(path)


def test_values_that_are_none_cost_no_other(campaign):
    values = pd.Series({"c2": 1.0, "c3": None, "c4": 1.7e308}, dtype="Float64")
    with pytest.raises(RefusedRowsError) as error:
        campaign.tell({**values, "c5": 10**400})
    assert [r.id for r in error.value.told.refused] == ["c3", "c4", "c5"]
    assert campaign.state().labels["c2"] == 1.0


@pytest.mark.parametrize("value", [1e31, -1e80, "2e300"])
def test_a_value_out_of_bounds_is_refused(campaign, value):
    with pytest.raises(RefusedRowsError, match=r"is larger than 1e\+30; take a larger unit"):
        campaign.tell({"c2": value})


def test_labels_as_large_as_can_be_are_workable(campaign, crystals, tmp_path):
    """No crystal is suggested twice, and the page can be made."""
    campaign.tell({f"c{i}": (-1) ** i * 1e30 for i in range(2, 8)})
    picks = campaign.suggest(3)
    assert len({pick["id"] for pick in picks}) == 3
    assert np.isfinite([[pick[k] for k in ("prediction", "std", "score")] for pick in picks]).all()
    campaign.report(tmp_path / "report.html")


def test_one_form_of_a_table_of_labels(campaign, tmp_path):
    """By file; the column of the target counts; columns that a campaign writes are no values."""
    path = write(
        tmp_path / "r.csv", "file,std,value,energy\nruns/c3.cif,0.1,9,1.5\nc4.vasp,0.1,9,2\n"
    )
    assert campaign.tell(path).labelled == ["c3", "c4"]
    assert campaign.state().labels["c3"] == 1.5
    path = write(tmp_path / "s.csv", "id,label_std,energy\nc5,0.1,1.5\n")
    assert campaign.tell(path).labelled == ["c5"]
    assert campaign.state().label_std == {"c5": 0.1}


def test_an_export_with_values_filled_in_can_be_told(campaign, tmp_path):
    table = campaign.export()
    table.loc[table["id"] == "c7", "value"] = -3.25
    table[table["id"].isin(["c0", "c7"])].to_csv(tmp_path / "e.csv", index=False)
    told = campaign.tell(tmp_path / "e.csv")
    assert (told.labelled, told.repeated) == (["c7"], ["c0"])


def test_a_row_of_another_compound_is_refused(campaign, tmp_path):
    formula = campaign.export().set_index("id")["formula"]
    rows = [f"c2,{formula['c2']},1\n", f"c3,{formula['c4']},1\n", "c4,quartz (alpha),1\n"]
    path = write(tmp_path / "r.csv", "id,formula,value\n" + "".join(rows))
    wrong = f"line 3: c3: it is {formula['c4']}, and the crystal of this id is {formula['c3']}; "
    wrong += "give it another id"
    with pytest.raises(RefusedRowsError) as raised:
        campaign.tell(path)
    assert [str(refusal) for refusal in raised.value.told.refused] == [wrong]
    assert raised.value.told.labelled == ["c2", "c4"]


def test_a_unit_goes_for_the_rows_of_a_file_that_have_none(campaign, tmp_path):
    path = write(tmp_path / "r.csv", "id,value,unit\nc2,1,\nc3,1,eV/atom\n")
    with pytest.raises(RefusedRowsError, match="line 2: c2: the unit is 'kJ/mol'"):
        campaign.tell(path, unit="kJ/mol")
    assert campaign.tell(path, unit="eV/atom").labelled == ["c2"]


def test_a_failed_crystal_may_succeed_later(campaign):
    campaign.fail("c5", "time limit")
    assert campaign.tell({"c5": 1.0}).labelled == ["c5"]
    assert campaign.state().failures == {}


@pytest.mark.parametrize("text", ["id,value\r\nc3,1\r\n", "\ufeffmaterial_id,energy\nc3,1\n"])
def test_how_spreadsheets_write(campaign, tmp_path, text):
    assert campaign.tell(write(tmp_path / "r.csv", text)).labelled == ["c3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,value\nc3,1\n", "expected a column 'id' or 'file'"),
        (b"id,a,b\nc3,1,2\n", "expected a column 'energy' or 'value'"),
        (b"id,id\nc3,1\n", "two columns have one name"),
        (b"id,value\n", "holds no results"),
        (b"", "holds no results"),
        (b"id,value\na\0,1\n", "not a table in CSV: line 2: a zero byte"),
    ],
)
def test_files_that_are_no_results(campaign, tmp_path, content, message):
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        campaign.tell(path)
    assert campaign.state().n_events == 1


def test_line_numbers_are_those_of_an_editor(tmp_path):
    path = write(tmp_path / "r.csv", 'id,value,failed\na,,"x\ny"\nb,1,\n\nc,2,\n')
    results, refused = read_results(path, "energy")
    assert [(r.line, r.id) for r in results] == [(2, "a"), (4, "b"), (6, "c")]
    assert refused == []


def test_unknown_ids_come_with_a_guess(campaign):
    with pytest.raises(RefusedRowsError, match="did you mean 'c11'"):
        campaign.tell({"C11": 1.0})


@pytest.mark.parametrize("name", ["c11", "c11.cif", "crystals/c11.vasp"])
def test_a_crystal_is_found_by_its_file_too(campaign, name):
    assert campaign.tell({name: 1.0}).labelled == ["c11"]


def test_a_pool_of_many_files_with_some_broken(crystals, tmp_path):
    folder = tmp_path / "pool"
    folder.mkdir()
    for i, structure in enumerate(crystals[0][:20]):
        structure.to(str(folder / f"good-{i:02d}.vasp"), fmt="poscar")
    write(folder / "broken.cif", "nothing")
    write(folder / "empty.vasp", "")
    structure = crystals[0][0].copy()
    structure.append("Fe", structure.frac_coords[0])
    structure.to(str(folder / "overlap.vasp"), fmt="poscar")
    far = Structure(np.eye(3) * 12, ["He"], [[0, 0, 0]])  # no bond: a MEGNet cannot use it
    far.to(str(folder / "lonely.vasp"), fmt="poscar")
    campaign = Campaign.init(
        tmp_path / "campaign", folder, target="e", unit="eV", recipe="composition"
    )
    state = campaign.state()
    assert len(state.ids) == 21
    assert [r["name"] for r in state.refused] == ["broken", "empty", "overlap"]
    assert all(r["reason"] for r in state.refused)
    assert campaign.status()["refused"] == 3


@pytest.mark.network
def test_what_the_network_cannot_use_is_refused_too(crystals, tmp_path):
    far = Structure(np.eye(3) * 12, ["He"], [[0, 0, 0]])
    campaign = Campaign.init(
        tmp_path / "campaign",
        {"good": crystals[0][0], "lonely": far},
        target="e",
        unit="eV",
        weights="formation_energy_1800",
    )
    (refused,) = campaign.state().refused
    assert refused["name"] == "lonely"
    assert "no two atoms" in refused["reason"]


def test_thousands_of_records_of_which_some_are_broken(crystals, nightly):
    n, every = (10_000, 333) if nightly else (2_000, 66)
    records = {}
    good = [s.as_dict() for s in crystals[0] if len(s) < 4]
    for i in range(n):
        broken = {"lattice": {}, "sites": []} if i % 2 else {"no": "crystal"}
        records[f"r{i}"] = broken if i % every == 7 and i < 30 * every else good[i % len(good)]
    pool = read_pool(records)
    assert len(pool.ids) == n - 30
    assert len(pool.refused) == 30
    assert [r.id for r in pool.refused] == [f"r{i}" for i in range(7, 30 * every, every)]
    assert all(r.reason for r in pool.refused)


def test_every_kind_of_source(crystals, tmp_path):
    structures = crystals[0][:3]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    structures[0].to(str(tmp_path / "a" / "POSCAR"), fmt="poscar")
    structures[1].to(str(tmp_path / "b" / "POSCAR"), fmt="poscar")
    structures[2].to_ase_atoms().write(tmp_path / "c.xyz")
    records = {"r0": structures[0].as_dict(), "r1": structures[1].as_dict()}
    (tmp_path / "records.json").write_text(json.dumps(records))
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["file", "id", "hours"], ["a/POSCAR", "t0", 3], ["nope.cif", "t1", 4]]
        )
    paths = [tmp_path / name for name in ("a/POSCAR", "b/POSCAR", "c.xyz", "records.json")]
    pool = read_pool([*paths, tmp_path / "table.csv"])
    assert pool.ids == ["a/POSCAR", "b/POSCAR", "mp-10074", "r0", "r1", "t0"]
    assert pool.columns[-1]["hours"] == "3"
    assert [(r.line, r.id) for r in pool.refused] == [(3, "t1")]
    pd.DataFrame({"id": ["s0"], "structure": [structures[0].to(fmt="cif")]}).to_csv(
        tmp_path / "text.csv", index=False
    )
    (s0,) = read_pool(tmp_path / "text.csv").structures
    assert s0.to_structure().matches(structures[0])
    frame = pd.DataFrame({"structure": list(structures), "material_id": ["x", "y", "z"], "k": 1})
    assert read_pool(frame).ids == ["x", "y", "z"]
    assert read_pool(frame[["structure", "k"]]).ids == ["0", "1", "2"]


def test_no_crystal_of_a_file_is_lost_and_none_takes_the_place_of_another(crystals, tmp_path):
    structures = crystals[0][:5]
    for name, of in (("a.json", (0, 1)), ("b.json", (1, 2, 3))):
        records = {f"r{i}": structures[i].as_dict() for i in of}
        (tmp_path / name).write_text(json.dumps(records))
    pool = read_pool([tmp_path / "a.json", tmp_path / "b.json"])
    assert pool.ids == ["r0", "a:r1", "b:r1", "r2", "r3"]
    assert pool.refused == []
    rows = {"id": ["two", "one"], "structure": [str(tmp_path / "a.json"), structures[4]]}
    pool = read_pool(pd.DataFrame(rows))
    assert pool.ids == ["one"]
    assert [structure_digest(s) for s in pool.structures] == [structure_digest(structures[4])]
    assert "holds 2 crystals; one is needed" in pool.refused[0].reason
    rows = {"id": ["two", "one"], "structure": [None, structures[4]]}
    rows["file"] = [str(tmp_path / "b.json"), None]
    pool = read_pool(pd.DataFrame(rows))
    assert pool.ids == ["one"]
    assert [structure_digest(s) for s in pool.structures] == [structure_digest(structures[4])]
    assert [refusal.id for refusal in pool.refused] == ["two"]
    assert "b.json holds 3 crystals; one is needed" in pool.refused[0].reason


def test_a_label_of_a_crystal_that_was_refused_says_why(crystals, tmp_path):
    doubled = crystals[0][0].copy()
    doubled.append("Fe", doubled.frac_coords[0])
    pool = read_pool({"good": crystals[0][1], "doubled": doubled})
    with pytest.raises(ValueError, match=r"doubled: the sites .* Remove the doubled site"):
        read_labelled({"doubled": 1.0}, pool, "energy", "eV")
    path = write(tmp_path / "labelled.csv", "id,failed\ngood,time limit\n")
    assert read_labelled(path, pool, "energy", "eV") == {}
    assert pool.failed == {"good": "time limit"}


def test_labelled_crystals_may_come_with_their_own_files(crystals, tmp_path):
    crystals[0][0].to(str(tmp_path / "known.vasp"), fmt="poscar")
    pool = read_pool({"p0": crystals[0][1]})
    path = write(tmp_path / "labelled.csv", "file,energy\nknown.vasp,1.5\n")
    assert read_labelled(path, pool, "energy", "eV") == {"known": 1.5}
    assert pool.ids == ["p0", "known"]
    for text in ("id,energy\np0,x\n", "id,energy\np9,1\n"):
        with pytest.raises(ValueError, match="1 rows cannot be used"):
            read_labelled(write(path, text), pool, "energy", "eV")
    write(path, "id,energy\np0,1\np0,2\n")
    assert read_labelled(path, pool, "energy", "eV") == {"p0": 1.0}
    (refusal,) = pool.refused_labels
    assert str(refusal).startswith("line 3: p0: the value 2.0 contradicts the known one, 1.0")


@pytest.mark.parametrize("fmt", ["cif", "poscar"])
def test_job_files_hold_the_crystal(campaign, tmp_path, fmt):
    for pick in campaign.suggest(3, out=tmp_path / "jobs", fmt=fmt):
        again = Structure.from_file(pick["file"])
        original = campaign.structure(pick["id"])
        assert structure_digest(again) == structure_digest(original) or original.matches(again)


def test_job_files_stay_in_their_folder_and_replace_nothing(tmp_path):
    path = tmp_path / "mine.cif"
    write(path, "mine")
    with pytest.raises(FileExistsError, match="another content"):
        write_job(path, "theirs")
    assert path.read_text() == "mine"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileExistsError, match="another content"):
        write_job(path, "theirs")


def test_every_crystal_has_a_file_name_of_its_own():
    ids = ["../../etc/passwd", "a/b", "a_b", "a b", "A_b", ".", "mp-1", "mp-1.cif", "mp-1-6"]
    ids += ["x" * 300, "x" * 301, "mp-2.vasp", "\u00c4 b", "mp-1-7"]
    names = job_names(ids)
    assert list(names) == ids
    assert len({name.lower() for name in names.values()}) == len(ids)
    for name in names.values():
        assert len(name) < 100
        assert "/" not in name
        assert name.strip(".") == name
    assert {names[id_] for id_ in ("mp-1", "a_b", "mp-2.vasp")} == {"mp-1", "a_b", "mp-2.vasp"}
    assert job_names(ids[:7]) == {id_: names[id_] for id_ in ids[:7]}


@pytest.mark.filterwarnings("ignore:Issues encountered while parsing CIF")
@pytest.mark.parametrize("fmt", ["cif", "poscar"])
def test_ids_that_are_no_file_names_are_one_batch(crystals, tmp_path, fmt):
    """Equal but for ``.cif`` or the case, or longer than a file name can be."""
    ids = ["a", "a.cif", "A", "y" * 300, "y" * 299 + "z", "=1+1"]
    campaign = Campaign.init(
        tmp_path / "campaign",
        dict(zip(ids, crystals[0], strict=False)),
        target="energy",
        unit="eV",
        recipe="composition",
    )
    picks = campaign.suggest(len(ids), out=tmp_path / "jobs", fmt=fmt)
    rows = read_table(tmp_path / "jobs" / "batch-2.csv")[0]
    files = {row["id"]: tmp_path / "jobs" / row["file"] for _, row in rows}
    assert {pick["id"]: pick["file"] for pick in picks} == {i: str(f) for i, f in files.items()}
    for id_, file in files.items():
        assert Structure.from_file(file).matches(campaign.structure(id_))
    # With its values in a column more, the table is one of results.
    lines = (tmp_path / "jobs" / "batch-2.csv").read_text().splitlines()
    lines = [f"{line},{'value' if k == 0 else k}" for k, line in enumerate(lines)]
    path = write(tmp_path / "results.csv", "\n".join(lines))
    assert set(campaign.tell(path).labelled) == set(ids)


def test_a_table_of_jobs_of_another_campaign_is_not_replaced(campaign, tmp_path):
    (tmp_path / "jobs").mkdir()
    path = write(tmp_path / "jobs" / "batch-2.csv", "theirs")
    campaign.suggest(out=tmp_path / "jobs")
    assert path.read_text() == "theirs"
    assert (tmp_path / "jobs" / "batch-2-2.csv").exists()


@pytest.mark.parametrize("id_", ["a\rb", "a\x00b", "a\u2028b", "a\tb", " a"])
def test_an_id_that_is_not_one_line_of_text_is_refused(crystals, id_):
    pool = read_pool({id_: crystals[0][0], "good": crystals[0][1]})
    assert pool.ids == ["good"]
    assert pool.refused[0].reason == "an id must be Unicode text on one line"


def test_no_job_file_means_nothing_pending(campaign, tmp_path):
    write(tmp_path / "jobs", "a file")
    with pytest.raises(OSError, match="jobs"):
        campaign.suggest(out=tmp_path / "jobs")
    assert campaign.state().counts()["pending"] == 0


@pytest.mark.parametrize("name", ["table.csv", "table.json"])
def test_a_table_that_cannot_be_written_leaves_what_was_there(campaign, tmp_path, name):
    """Not even half of it under another name."""
    resource = pytest.importorskip("resource")  # not on Windows
    out = tmp_path / "out"
    out.mkdir()
    table = campaign.export(out / name)
    before = (out / name).read_text()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(OSError, match=rf"{name} could not be written"):
            write_table(table, out / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert (out / name).read_text() == before
    assert [path.name for path in out.iterdir()] == [name]


def test_links_that_lead_nowhere_are_passed_over_and_counted(crystals, tmp_path):
    pool = tmp_path / "pool"
    pool.mkdir()
    crystals[0][0].to(str(pool / "good.vasp"), fmt="poscar")
    for link, to in (
        ("itself.cif", "itself.cif"),
        ("a.cif", "b.cif"),
        ("b.cif", "a.cif"),
        ("up", "."),
    ):
        (pool / link).symlink_to(to)
    options = {"target": "e", "unit": "eV", "recipe": "composition"}
    with pytest.warns(UserWarning, match="4 of 5 files were passed over"):
        campaign = Campaign.init(tmp_path / "campaign", pool, **options)
    assert campaign.state().ids == ["good"]


@pytest.mark.parametrize("kind", ["parquet", "json"])
def test_a_row_is_named_and_read_as_in_any_table(campaign, tmp_path, kind):
    """By the first of its ids that is none missing; a number is an id, also an unknown one."""
    table = pd.DataFrame(
        {
            "material_id": [None, "c3", None, None, None],
            "id": ["c2", "x", 7.0, "c4", "c5"],
            "value": [1.0, 2.0, 3.0, 4.0, None],
            "failed": [None, "nan", None, float("nan"), "time limit"],
            "unit": [None, float("nan"), "eV/atom", "eV/atom", None],
        }
    )
    if kind == "json":
        path = tmp_path / "r.json"
        path.write_text(table.to_json(orient="records"))
    else:
        path = tmp_path / "r.parquet"
        table.astype({"id": str}).to_parquet(path)
        unknown = pd.DataFrame({"id": [7], "value": [1.0]})
        unknown.to_parquet(tmp_path / "n.parquet")
        with pytest.raises(RefusedRowsError, match="7: there is no such id"):
            campaign.tell(tmp_path / "n.parquet")
    with pytest.raises(RefusedRowsError, match="there is no such id") as raised:
        campaign.tell(path)
    told = raised.value.told
    assert (told.labelled, told.failed) == (["c2", "c3", "c4"], ["c5"])
    assert len(told.refused) == 1
    path = write(tmp_path / "t.csv", "material_id,id,value\n,,1\n,c6,2\n")
    with pytest.raises(RefusedRowsError, match="line 2: : it has no id"):
        campaign.tell(path)
    assert campaign.state().labels["c6"] == 2.0


def test_a_truth_value_is_no_label(campaign, tmp_path):
    path = write(tmp_path / "r.json", '[{"id": "c2", "value": true}, {"id": "c3", "value": 1}]')
    with pytest.raises(RefusedRowsError, match="c2: the value True is not a number"):
        campaign.tell(path)
    assert "c3" in campaign.state().labels


def test_a_labelled_crystal_that_is_there_twice_is_one(tmp_path):
    rows = "a,NaCl,1\nb,KCl,2\na,NaCl,1\nb,LiF,2\n"
    path = write(tmp_path / "labels.csv", "id,formula,e\n" + rows)
    settings = {"target": "e", "unit": "eV", "recipe": "composition"}
    pool = pd.DataFrame({"formula": ["KI", "KBr"]}, ["x", "y"])
    campaign = Campaign.init(tmp_path / "c", pool, labelled=path, **settings)
    state = campaign.state()
    assert state.labels == {"a": 1.0, "b": 2.0}
    assert [row["name"] for row in state.refused] == ["b"]  # another compound of this id


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_what_has_not_failed_is_no_failure(campaign, tmp_path, kind):
    """A column of truth values: False is no reason."""
    table = pd.DataFrame({"id": ["c2", "c3"], "value": [1.0, 2.0], "failed": [False, False]})
    path = tmp_path / f"r.{kind}"
    if kind == "json":
        path.write_text(table.to_json(orient="records"))
    else:
        table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    told = campaign.tell(path)
    assert (told.labelled, told.failed) == (["c2", "c3"], [])
