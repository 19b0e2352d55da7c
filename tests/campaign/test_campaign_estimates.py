"""A campaign with numbers beside the crystals."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp import CompositionFeaturizer, MEGNetFeaturizer
from skcfgp.campaign import Campaign
from skcfgp.campaign.keeping import read_arrays
from skcfgp.cli import main

NAME = "formation_energy_1800"


@pytest.fixture
def table(crystals):
    """30 crystals with a guess of the formation energy; the last one has none."""
    structures, energy = crystals
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"structure": list(structures[:30])}, index=[f"c{i}" for i in range(30)])
    frame["guess"] = 1.0 - 3.0 * energy[:30] + 0.1 * rng.normal(size=30)
    frame["kelvin"] = rng.uniform(100, 900, 30)
    frame.loc["c29", "guess"] = np.nan
    return frame, dict(zip(frame.index, energy[:30], strict=True))


def begin(folder, table, n_labels, **options):
    frame, energy = table
    labelled = {id_: energy[id_] for id_ in frame.index[:n_labels]}
    options = {"weights": NAME, "target": "energy", "unit": "eV/atom", **options}
    return Campaign.init(folder, frame, labelled=labelled, **options)


@pytest.mark.network
def test_features_are_those_of_the_pipeline_in_its_order(tmp_path, table):
    campaign = begin(tmp_path / "c", table, 5, estimates="guess", columns=["kelvin"])
    state = campaign.state()
    assert state.ids == list(table[0].index[:29])
    (refused,) = state.refused
    assert refused["name"] == "c29"
    assert "its 'guess' is nan, and must be a finite number" in refused["reason"]
    with campaign.store.reading() as ledger:
        features, _ = read_arrays(ledger)
    X = table[0][:29]
    expected = [
        CompositionFeaturizer().fit_transform(X["structure"]),
        MEGNetFeaturizer(NAME, "set2set").fit_transform(X["structure"]),
        X[["kelvin", "guess"]],
    ]
    np.testing.assert_allclose(features, np.hstack(expected), rtol=1e-6)


@pytest.mark.network
@pytest.mark.parametrize("n_labels", [8, 22])
def test_an_estimate_is_used_from_the_first_labels_on(tmp_path, table, n_labels):
    """Also before there are enough labels for a search."""
    errors = {}
    for name, options in (("with", {"estimates": ["guess"]}), ("without", {})):
        campaign = begin(tmp_path / name, table, n_labels, **options)
        found = Campaign(tmp_path / name).predict().set_index("id")["prediction"][:7]
        errors[name] = np.mean([abs(found[id_] - table[1][id_]) for id_ in found.index])
    assert errors["with"] < 0.5 * errors["without"]
    picked = campaign.suggest(2)
    assert len({pick["id"] for pick in picked}) == 2


@pytest.mark.network
def test_crystals_that_come_later_have_the_columns_too(tmp_path, table):
    frame, _ = table
    campaign = begin(tmp_path / "c", (frame[:20], table[1]), 5, estimates=["guess"])
    ids, refused = campaign.add(frame[20:])
    assert ids == list(frame.index[20:29])
    assert [(r.id, "'guess'" in r.reason) for r in refused] == [("c29", True)]
    with pytest.raises(ValueError, match="no crystal has a column 'guess'"):
        campaign.add(frame[["structure"]].rename(index="new {}".format)[:3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimates": "energy"}, "the target 'energy' is no estimate of itself"),
        ({"columns": ["gap"], "recipe": "composition"}, "for the recommended recipe"),
        ({"estimates": "guess", "recipe": "paper"}, "for the recommended recipe"),
        ({"estimates": "gap"}, "no crystal has a column 'gap'"),
    ],
)
def test_columns_that_make_no_campaign(tmp_path, table, options, message):
    with pytest.raises(ValueError, match=message):
        begin(tmp_path / "c", table, 0, **options)
    assert not (tmp_path / "c" / "campaign.sqlite").exists()


@pytest.mark.network
def test_the_command_takes_the_columns_from_a_table(tmp_path, table, monkeypatch):
    frame, energy = table
    rows = [
        [id_, json.dumps(row.structure.as_dict()), "" if row.Index == "c29" else row.guess]
        for id_, row in zip(frame.index, frame.itertuples(), strict=True)
    ]
    pd.DataFrame(rows, columns=["id", "structure", "guess"]).to_csv(tmp_path / "pool.csv")
    labels = pd.Series(energy, name="energy")[:5].rename_axis("id").reset_index()
    labels.to_csv(tmp_path / "labels.csv", index=False)
    arguments = ["campaign", "init", "c", "--pool", "pool.csv", "--labelled", "labels.csv"]
    arguments += ["--target", "energy", "--unit", "eV/atom", "--weights", NAME]
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*arguments, "--estimates", "guess"])
    assert "29 crystals are in, 5 of them labelled; 1 refused." in result.output, result.output
    assert Campaign(tmp_path / "c").settings["estimates"] == ["guess"]
