"""Labels with a standard error: how they come in, and what the models make of them."""

import math

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp.campaign import Campaign, RefusedRowsError, Result
from skcfgp.campaign.prequential import compared
from skcfgp.cli import main
from skcfgp.models import make_cfgp

N = 24
ERRORS = {f"c{k}": 0.2 * (k % 3) for k in range(N)}


@pytest.fixture
def make(formation_energy, tmp_path):
    ids = [f"c{k}" for k in range(60)]
    pool = pd.Series(formation_energy.structures[:60], ids)
    labels = dict(zip(ids, formation_energy.target[:60].tolist(), strict=True))

    def begin(name="c", n=N, errors=ERRORS, **options):
        options = {"target": "e", "unit": "eV", "recipe": "composition"} | options
        known = [
            Result(None, f"c{k}", labels[f"c{k}"], label_std=errors.get(f"c{k}")) for k in range(n)
        ]
        return Campaign.init(tmp_path / name, pool, labelled=known if n else None, **options)

    begin.pool, begin.labels = pool, labels
    return begin


def test_they_enter_the_model_that_predicts(make):
    table = make().predict()
    model = make_cfgp(recipe="composition", calibrated=True)
    y_std = np.array(list(ERRORS.values()))
    y = np.array([make.labels[id_] for id_ in ERRORS])
    model.fit(list(make.pool[:N]), y, gp__y_std=y_std)
    mean, std = model.predict(list(make.pool[N:]), return_std=True)
    np.testing.assert_allclose(table["prediction"], mean, rtol=1e-6)
    np.testing.assert_allclose(table["std"], std, rtol=1e-6)
    plain = make("plain", errors={}).predict()
    assert not np.allclose(table["prediction"], plain["prediction"], rtol=1e-3)


def test_they_enter_the_model_that_chooses(make):
    """A label of next to no weight leaves its crystal as uncertain as without the label."""
    vague, exact, without = (
        make("vague", errors={"c23": 100.0}, strategy="greedy_max_std"),
        make("exact", errors={}, strategy="greedy_max_std"),
        make("without", n=N - 1, errors={}, strategy="greedy_max_std"),
    )
    curves = [campaign.plan(2)["mean_std"][0] for campaign in (vague, exact, without)]
    assert curves[1] < curves[0]
    campaign = make("pending", strategy="integrated_variance")
    first = campaign.suggest(3)
    assert len({pick["id"] for pick in first + campaign.suggest(3)}) == 6


@pytest.mark.parametrize("recipe", ["composition"])
@pytest.mark.parametrize("strategy", ["recommended", "greedy_max_std"])
def test_a_batch_is_so_many_rounds_of_one(make, strategy, recipe):
    """Pending labels leave the noise of the others what it was."""
    batch = [pick["id"] for pick in make("batch", strategy=strategy).suggest(4)]
    campaign = make("rounds", strategy=strategy, recipe=recipe)
    assert [campaign.suggest(1)[0]["id"] for _ in range(4)] == batch


def test_without_them_a_campaign_is_what_it_was(make):
    """Standard errors of 0 are none: the same numbers, and nothing in the file."""
    zero, none = make("zero", errors=dict.fromkeys(ERRORS, 0.0)), make("none", errors={})
    pd.testing.assert_frame_equal(zero.predict(), none.predict())
    assert zero.state().label_std == {}
    assert "label_std" not in zero.history()[0].content["labelled"][0]


def test_told_by_id_by_value_or_by_file(make, tmp_path):
    campaign = make(n=0)
    campaign.tell(id="c0", value=1.0, std=0.25)
    campaign.tell({"c1": 2.0, "c2": 3.0}, std={"c1": 0.5})
    (tmp_path / "r.csv").write_text("id,e,label_std\nc3,1,0.1\nc4,2,\n")
    campaign.tell(tmp_path / "r.csv")
    arguments = ["--id", "c5", "--value", "1", "--std", "0.75"]
    result = CliRunner().invoke(main, ["campaign", "tell", str(tmp_path / "c"), *arguments])
    assert result.exit_code == 0, result.output
    expected = {"c0": 0.25, "c1": 0.5, "c3": 0.1, "c5": 0.75}
    assert campaign.state().label_std == expected
    table = campaign.export().set_index("id")["label_std"]
    assert table.dropna().to_dict() == expected
    assert campaign.undo().content["rows"][0]["label_std"] == 0.75
    assert campaign.state().label_std == {"c0": 0.25, "c1": 0.5, "c3": 0.1}


@pytest.mark.parametrize(
    ("std", "reason"),
    [(-0.1, "is negative"), (math.inf, "not finite"), ("nil", "not a number"), (1e31, "larger")],
)
def test_one_that_is_none_refuses_its_row_alone(make, std, reason):
    campaign = make(n=0)
    with pytest.raises(RefusedRowsError, match=f"c1: the label_std .* {reason}"):
        campaign.tell({"c0": 1.0, "c1": 2.0}, std={"c1": std})
    assert campaign.state().labels == {"c0": 1.0}


def test_another_standard_error_contradicts_the_known_one(make):
    campaign = make(n=0)
    campaign.tell(id="c0", value=1.0, std=0.25)
    assert campaign.tell({"c0": 1.0}).repeated == ["c0"]
    assert campaign.tell(id="c0", value=1.0, std=0.25).repeated == ["c0"]
    with pytest.raises(RefusedRowsError, match=r"label_std 0.5 contradicts the known one, 0.25"):
        campaign.tell(id="c0", value=1.0, std=0.5)
    campaign.tell(id="c0", value=1.0, std=0.5, replace=True)
    assert campaign.state().label_std == {"c0": 0.5}
    campaign.tell(id="c0", value=2.0, replace=True)
    assert campaign.state().label_std == {}
    with pytest.raises(ValueError, match="no value, of 'c9'"):
        campaign.tell({"c1": 1.0}, std={"c9": 0.1})


def test_a_label_is_compared_with_its_own_error_beside_that_of_the_prediction(make):
    campaign = make()
    record = campaign.predict().set_index("id").loc["c30"]
    campaign.tell(id="c30", value=record["prediction"], std=2 * record["std"])
    state = campaign.state()
    std = compared(state.comparisons, state.labels)[2]
    assert std == pytest.approx(math.sqrt(5) * record["std"])
    row = campaign.export().set_index("id").loc["c30"]
    assert row["std"] == record["std"]  # what was on record before the label
    campaign.tell(id="c30", value=record["prediction"], std=record["std"], replace=True)
    state = campaign.state()
    std = compared(state.comparisons, state.labels)[2]
    assert std == pytest.approx(math.sqrt(2) * record["std"])


def test_the_gain_over_random_choice_can_be_measured(make):
    campaign = make(n=4, random_fraction=0.5)
    for _ in range(3):
        picks = campaign.suggest(8)
        campaign.tell({p["id"]: make.labels[p["id"]] for p in picks}, std={picks[0]["id"]: 0.3})
    campaign.suggest(1)
    assert campaign.status()["gain"]["n"] == 12


def test_a_campaign_without_a_goal_begins_with_the_design(make):
    """Until there are ten labels; then its hyper-parameters are searched for."""
    campaign = make(n=0)
    assert {pick["strategy"] for pick in campaign.suggest(2)} == {"initial_design"}
    campaign.tell({f"c{k}": make.labels[f"c{k}"] for k in range(10, 19)})
    assert campaign.suggest(1)[0]["strategy"] == "initial_design"
    campaign.tell({"c20": make.labels["c20"]})
    assert campaign.suggest(1)[0]["strategy"] == "integrated_variance"
