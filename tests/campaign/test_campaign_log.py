"""Campaigns that learn the logarithm of a target over orders of magnitude."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp.calibration import predict_distribution
from skcfgp.campaign import Campaign, RefusedRowsError, Result, StoppedError
from skcfgp.campaign.prequential import compared, learnt_labels, pit_values
from skcfgp.cli import main
from skcfgp.models import make_cfgp

N = 24


@pytest.fixture
def make(formation_energy, tmp_path):
    ids = [f"c{k}" for k in range(60)]
    pool = pd.Series(formation_energy.structures[:60], ids)
    labels = pd.Series(10.0 ** formation_energy.target[:60], ids)

    def begin(name="c", values=labels[:N], log=True, pool=pool, **options):
        options = {"target": "e", "unit": "S/m", "recipe": "composition"} | options
        return Campaign.init(tmp_path / name, pool, labelled=values, log=log, **options)

    begin.pool, begin.labels = pool, labels
    return begin


@pytest.mark.parametrize("with_std", [False, True])
def test_predictions_are_those_of_the_pipeline_that_learns_the_logarithm(make, with_std):
    y_std = 0.2 * make.labels[:N] * (np.arange(N) % 3) * with_std
    known = [
        Result(None, id_, value, label_std=y_std[id_]) for id_, value in make.labels[:N].items()
    ]
    table = make(values=known).predict(coverage=0.8)
    model = make_cfgp(recipe="composition", calibrated=True, log_target=True)
    y = make.labels[:N].to_numpy()
    model.fit(list(make.pool[:N]), y, **({"gp__y_std": y_std.to_numpy()} if with_std else {}))
    median, std = model.predict(list(make.pool[N:]), return_std=True)
    np.testing.assert_allclose(table["prediction"], median, rtol=1e-5)
    np.testing.assert_allclose(table["std"], std, rtol=1e-5)
    interval = predict_distribution(model, list(make.pool[N:])).interval(0.8)
    np.testing.assert_allclose(table[["lower", "upper"]].T, interval, rtol=1e-5)


def test_predict_screen_and_campaign_give_the_same_numbers(make, tmp_path):
    for folder, some in (("known", slice(N)), ("new", slice(N, None))):
        (tmp_path / folder).mkdir()
        for id_, structure in make.pool[some].items():
            structure.to(str(tmp_path / folder / f"{id_}.vasp"), fmt="poscar")
    rows = [f"known/{id_}.vasp,{float(y)!r}\n" for id_, y in make.labels[:N].items()]
    (tmp_path / "train.csv").write_text("file,e\n" + "".join(rows))
    options = ["--unit", "S/m", "--recipe", "composition", "--log"]
    train, new = ["--train", tmp_path / "train.csv", *options], tmp_path / "new"
    run("predict", new, *train, "--out", tmp_path / "predict.csv")
    run("screen", new, "--above", 0.1, *train, "--out", tmp_path / "screen.csv")
    run("campaign", "init", tmp_path / "c", "--pool", new, "--target", "e", *train)
    run("campaign", "predict", tmp_path / "c", "--out", tmp_path / "campaign.csv")
    run("screen", tmp_path / "c", "--above", 0.1, "--out", tmp_path / "odds.csv")
    tables = [
        pd.read_csv(tmp_path / f"{name}.csv").set_index("id")
        for name in ("predict", "campaign", "screen", "odds")
    ]
    expected, found, *odds = (table.loc[tables[0].index] for table in tables)
    names = ["prediction", "std", "lower", "upper", "df", "std_log10"]
    pd.testing.assert_frame_equal(found[names], expected[names], rtol=1e-9)
    np.testing.assert_allclose(odds[1]["p_meets"], odds[0]["p_meets"], rtol=1e-8, atol=1e-12)


def run(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("goal", ["explore", "maximize", "between 0.01 1"])
def test_choices_are_those_of_a_campaign_that_is_told_logarithms(make, goal):
    limits = goal.replace("0.01 1", "-2 0")
    logs = np.log10(make.labels)
    told = make("told", logs[:N], log=False, goal=limits)
    learns = make("learns", goal=goal)
    for _ in range(2):
        picks, expected = learns.suggest(3), told.suggest(3)
        assert [p["id"] for p in picks] == [p["id"] for p in expected]
        for pick, other in zip(picks, expected, strict=True):
            assert pick["prediction"] == pytest.approx(10 ** other["prediction"])
            assert pick["lower"] == pytest.approx(10 ** other["lower"])
        learns.tell(make.labels[[p["id"] for p in picks]])
        told.tell(logs[[p["id"] for p in picks]])
    state, other = learns.state(), told.state()
    u, v = (
        pit_values(*compared(s.comparisons, learnt_labels(s.labels, s.settings)))
        for s in (state, other)
    )
    np.testing.assert_allclose(u, v, rtol=1e-6)
    assert state.estimates["all"]["mae"] == pytest.approx(other.estimates["all"]["mae"])


def test_a_label_without_a_logarithm_is_refused_by_row(make, tmp_path):
    values = make.labels[:N].copy()
    values.iloc[:2] = 0.0, -1.0
    campaign = make(values=values)
    reasons = {row["id"]: row["reason"] for row in campaign.state().refused_labels}
    assert set(reasons) == {"c0", "c1"}
    assert all("not positive" in reason for reason in reasons.values())
    with pytest.raises(RefusedRowsError, match=r"c40: the value 0\.0 is not positive"):
        campaign.tell({"c40": 0.0, "c41": 1.0})
    assert "c41" in campaign.state().labels
    with pytest.raises(ValueError, match="must be positive where the logarithm"):
        make("between", goal="between -1 1")


def test_what_remains_to_be_known_is_in_the_unit(make):
    """The plan, the curve and the rules say what the tables of predictions say."""
    campaign = make()
    table = campaign.export().set_index("id")
    left = table.loc[table["status"] == "pool", "std"]
    first, second = campaign.plan(2).itertuples()
    assert first.std == pytest.approx(left[first.id], rel=1e-9)
    assert first.unit == "S/m"
    assert second.std <= left[second.id]
    assert first.max_std <= left.drop(first.id).max()
    assert first.max_std > 0.5 * left.drop(first.id).max()
    assert first.expected_error == pytest.approx(np.sqrt(2 / np.pi) * first.mean_std)
    campaign.suggest()
    curve = campaign.status()["curve"]
    assert curve["max_std"] == pytest.approx(left.max(), rel=1e-9)
    assert curve["mean_std"] == pytest.approx(left.mean(), rel=1e-9)
    for k, (limit, stops) in enumerate([(1.01 * left.max(), True), (0.99 * left.max(), False)]):
        until = make(f"until{k}", until=[f"max-std < {float(limit)!r}"])
        if stops:
            with pytest.raises(StoppedError, match="max-std"):
                until.suggest()
        else:
            assert until.suggest()


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_the_gain_of_a_goal_is_in_the_unit(make, goal):
    told = make("told", np.log10(make.labels[:N]), log=False, goal=goal)
    learns = make("learns", goal=goal)
    for campaign in (told, learns):
        campaign.suggest()
    factor = 10.0 ** told.status()["outlook"]["expected_gain"]
    best = learns.status()["best"]["value"]
    better = best * factor if goal == "maximize" else best / factor
    gain = learns.status()["outlook"]["expected_gain"]
    assert gain == pytest.approx(abs(better - best), rel=1e-6)
    assert make("all", make.labels, goal=goal).status()["outlook"] is None


def test_the_page_and_the_plan(make, tmp_path):
    campaign = make(goal="maximize", random_fraction=0.3)
    picks = campaign.suggest(10)
    campaign.tell(make.labels[[p["id"] for p in picks]])
    campaign.suggest(2)
    path = campaign.report(tmp_path / "page.html")
    assert "log10(S/m)" in path.read_text(encoding="utf-8")
    assert "log10(S/m)" in run("campaign", "status", tmp_path / "c")
    assert (campaign.plan(3)["std"] > 0).all()
    table = campaign.export(rescale=False).dropna(subset=["prediction"])
    assert (table["lower"] > 0).all()
    assert (table["upper"] - table["prediction"] > table["prediction"] - table["lower"]).all()
