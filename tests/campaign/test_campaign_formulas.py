"""A campaign over formulas without a structure."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pymatgen.core import Composition, Lattice, Structure

from skcfgp.campaign import Campaign, RefusedRowsError
from skcfgp.cli import main
from skcfgp.models import make_cfgp
from skcfgp.structures.tables import read_table

FORMULAS = [f"{a}{b}" for a in ("Na", "K", "Li", "Mg", "Ca", "Ba") for b in ("F", "Cl2", "Br", "O")]
FORMULAS += ["Fe0.5Ni0.5", "Ca(OH)2"]
Y = np.linspace(-1, 1, len(FORMULAS)) ** 3
OPTIONS = {"target": "gap", "unit": "eV", "recipe": "composition"}


def table(path, column="formula", rows=slice(None), **columns):
    frame = pd.DataFrame({"id": [f"f{k}" for k in range(len(FORMULAS))], column: FORMULAS})
    frame.assign(**columns)[rows].to_csv(path, index=False)
    return path


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.mark.parametrize("column", ["formula", "composition"])
def test_a_campaign_of_formulas_by_command(tmp_path, column):
    """From the beginning to the page, with the numbers of ``skcfgp predict``."""
    folder, pool = tmp_path / "c", table(tmp_path / "pool.csv", column, slice(22))
    known = table(tmp_path / "known.csv", column, slice(12), gap=Y)
    options = ["--target", "gap", "--unit", "eV", "--recipe", "composition"]
    run("campaign", "init", folder, "--pool", pool, "--labelled", known, *options)
    more = table(tmp_path / "more.csv", column, slice(22, None))
    assert "4 crystals are in; 0 refused" in run("campaign", "add", folder, "--pool", more)
    run("campaign", "predict", folder, "--out", tmp_path / "campaign.csv")
    new = table(tmp_path / "new.csv", column, slice(12, None))
    predict = ["--recipe", "composition", "--train", known, "--out", tmp_path / "p.csv"]
    run("predict", new, *predict)
    found, expected = (
        pd.read_csv(tmp_path / f"{n}.csv").set_index("id") for n in ("campaign", "p")
    )
    names = ["prediction", "std", "lower", "upper", "df"]
    pd.testing.assert_frame_equal(found[names], expected[names], rtol=1e-5)
    assert found["formula"].tolist() == expected["formula"].tolist()
    assert "edge cases" in run("screen", folder, "--above", 0).lower()
    run("campaign", "report", folder, "--out", tmp_path / "page.html")
    written = run("campaign", "suggest", folder, "-n", 3, "--out", tmp_path / "jobs")
    assert "wrote the table " in written
    assert "3 are formulas, without a structure to write" in written
    (batch,) = (tmp_path / "jobs").iterdir()
    rows = read_table(batch)[0]
    assert [set(fields) for _, fields in rows] == 3 * [{"id", "formula"}]
    filled = pd.read_csv(batch).assign(gap=[1.0, 2.0, 3.0])
    filled.to_csv(tmp_path / "results.csv", index=False)
    assert "3 labels are in" in run("campaign", "tell", folder, tmp_path / "results.csv")
    run("campaign", "report", folder, "--out", tmp_path / "page.html")


@pytest.mark.parametrize(
    "form",
    [
        lambda f: f,
        lambda f: [Composition(formula) for formula in f],
        lambda f: pd.DataFrame({"formula": f}),
        lambda f: pd.DataFrame({"structure": f}),
        lambda f: pd.Series(f),
    ],
    ids=["list", "Composition", "formula", "structure", "Series"],
)
def test_every_form_of_formulas_gives_the_predictions_of_the_pipeline(tmp_path, form):
    labels = {str(k): y for k, y in enumerate(Y[:15])}
    campaign = Campaign.init(tmp_path, form(FORMULAS), labelled=labels, **OPTIONS)
    model = make_cfgp(recipe="composition", calibrated=True).fit(FORMULAS[:15], Y[:15])
    mean, std = model.predict(FORMULAS[15:], return_std=True)
    found = campaign.predict()
    np.testing.assert_allclose(found["prediction"], mean, rtol=1e-6)
    np.testing.assert_allclose(found["std"], std, rtol=1e-6)
    assert campaign.structure("24").almost_equals(Composition("Fe0.5Ni0.5"))
    assert campaign.suggest(1)[0]["n_sites"] is None


def test_formulas_and_structures_in_one_pool(tmp_path):
    """The structure has a file of its job, the formula has none; equal formulas, equal features."""
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    pool = {"cell": salt, "formula": "NaCl", "twice": "Na2Cl2", "other": "MgO"}
    campaign = Campaign.init(tmp_path / "c", pool, labelled={"cell": 1.0, "other": 2.0}, **OPTIONS)
    predicted = campaign.predict().set_index("id")["prediction"]
    assert predicted["formula"] == predicted["twice"] == pytest.approx(1.0, abs=0.1)
    campaign = Campaign.init(tmp_path / "d", pool, **OPTIONS)
    picks = campaign.suggest(4, out=tmp_path / "jobs")
    assert [pick["id"] for pick in picks if "file" in pick] == ["cell"]
    names = {path.name for path in (tmp_path / "jobs").iterdir()}
    assert names == {"cell.cif", "batch-2.csv"}
    rows = {fields["id"]: fields for _, fields in read_table(tmp_path / "jobs" / "batch-2.csv")[0]}
    assert rows["cell"]["file"] == "cell.cif"
    assert rows["twice"]["file"] == ""


def test_a_formula_that_is_none_is_refused_by_name_and_reason(tmp_path):
    frame = pd.DataFrame(
        {"id": list("abcd"), "formula": ["NaCl", "Na+", "Xy2", None], "price": [1, 2, 3, 4]}
    )
    campaign = Campaign.init(tmp_path, frame, cost="price", **OPTIONS)
    reasons = {row["name"]: row["reason"] for row in campaign.state().refused}
    assert campaign.state().ids == ["a"]
    assert "not understood" in reasons["b"]
    assert "not an element" in reasons["c"]
    assert "missing" in reasons["d"]
    with pytest.raises(ValueError, match="a formula has no number of sites"):
        Campaign.init(tmp_path / "n", frame, cost="nsites^3", **OPTIONS)


@pytest.mark.parametrize("recipe", ["recommended", "paper"])
@pytest.mark.parametrize("as_file", [True, False])
def test_another_recipe_refuses_formulas_and_says_what_to_do(tmp_path, recipe, as_file):
    pool = table(tmp_path / "pool.csv") if as_file else FORMULAS
    options = OPTIONS | {"recipe": recipe, "weights": "formation_energy_1800"}
    name = "f3" if as_file else "3"
    with pytest.raises(ValueError, match=f"{name}: it is a formula .* --recipe composition"):
        Campaign.init(tmp_path / "c", pool, **options)


def test_an_id_that_a_formula_has_is_told_as_any_other(tmp_path):
    campaign = Campaign.init(tmp_path, FORMULAS, **OPTIONS)
    assert campaign.tell({"3": 1.5}).labelled == ["3"]
    with pytest.raises(RefusedRowsError, match="no such id"):
        campaign.tell({"NaO": 1.5})


def test_a_structure_beside_a_label_is_that_of_its_id(tmp_path):
    salts = {m: Structure(Lattice.cubic(4.1), [m, "Cl"], [[0] * 3, [0.5] * 3]) for m in ("Cs", "K")}
    campaign = Campaign.init(tmp_path / "c", salts, **OPTIONS)
    rows = pd.DataFrame({"id": ["Cs", "K"], "gap": [1.0, 2.0], "cif": salts["Cs"].to(fmt="cif")})
    rows.to_csv(tmp_path / "results.csv", index=False)
    with pytest.raises(RefusedRowsError, match="K: it is CsCl, and the crystal of this id is KCl"):
        campaign.tell(tmp_path / "results.csv")
    assert campaign.state().labels == {"Cs": 1.0}


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_amounts_by_symbol_beside_a_label_are_those_of_its_id(tmp_path, suffix):
    campaign = Campaign.init(tmp_path / "c", {"x": "KCl", "y": "KF", "z": "LiF"}, **OPTIONS)
    of_x, of_y = {"K": 1.0, "Cl": 1.0}, {"Li": 1.0, "F": 1.0}
    rows = pd.DataFrame({"id": ["x", "y"], "gap": [1.0, 2.0], "composition": [of_x, of_y]})
    path = tmp_path / f"results.{suffix}"
    rows.to_json(path, orient="records") if suffix == "json" else rows.to_parquet(path)
    with pytest.raises(RefusedRowsError, match="y: it is LiF, and the crystal of this id is KF"):
        campaign.tell(path)
    assert campaign.state().labels == {"x": 1.0}


@pytest.mark.parametrize("text", ["1_5", "1e1_0", "1,5", "1 000"])
def test_a_value_that_may_be_read_in_two_ways_is_refused(tmp_path, text):
    campaign = Campaign.init(tmp_path / "c", FORMULAS, **OPTIONS)
    with pytest.raises(RefusedRowsError, match="is not a number"):
        campaign.tell({"3": text})
    assert campaign.state().labels == {}
