"""Campaigns from no label at all, and campaigns that look for the best."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skcfgp import query
from skcfgp.campaign import Campaign, StoppedError
from skcfgp.campaign.choosing import N_FIRST
from skcfgp.campaign.engine import Engine
from skcfgp.campaign.goals import parse_goal


@pytest.fixture(scope="module")
def data(formation_energy):
    ids = [f"c{i}" for i in range(90)]
    return (
        pd.Series(formation_energy.structures[:90], ids),
        pd.Series(formation_energy.target[:90], ids),
    )


@pytest.fixture
def make(data, tmp_path):
    def make(n_labelled=0, name="campaign", **options):
        if n_labelled:
            options["labelled"] = data[1][:n_labelled]
        options = {"target": "e", "unit": "eV", "recipe": "composition"} | options
        return Campaign.init(tmp_path / name, options.pop("pool", data[0]), **options)

    return make


def engine_of(campaign):
    with campaign.store.reading() as ledger:
        return Engine(ledger)


def truth(data, picks):
    return {pick["id"]: data[1][pick["id"]] for pick in picks}


@pytest.mark.parametrize("goal", ["explore", "maximize", "between -1 0"])
def test_the_first_labels_follow_the_design(make, data, goal):
    """Whatever the goal; one batch of six is three of two, and then comes the goal's strategy."""
    campaign = make(goal=goal)
    assert campaign.status()["counts"]["labelled"] == 0
    expected, _ = query.initial_design(
        engine_of(campaign).X, N_FIRST, estimator=engine_of(campaign).learner.estimator
    )
    planned = campaign.plan(N_FIRST)
    assert planned["id"].tolist() == [f"c{row}" for row in expected]
    assert planned["std"].isna().all()
    picks = []
    for n in (6, 2, 2):
        picks += campaign.suggest(n)
    assert [pick["id"] for pick in picks] == planned["id"].tolist()
    assert {pick["strategy"] for pick in picks} == {"initial_design"}
    campaign.tell(truth(data, picks))
    strategy = campaign.suggest()[0]["strategy"]
    assert (
        strategy
        == {
            "explore": "integrated_variance",
            "maximize": "expected_improvement",
            "between -1 0": "level_set",
        }[goal]
    )


def test_the_design_leaves_out_what_failed_and_weighs_costs(make, data):
    campaign = make()
    first = campaign.suggest(2)
    campaign.fail(first[0]["id"], "time limit")
    campaign.tell(truth(data, first[1:]))
    rows = [int(pick["id"][1:]) for pick in first]
    options = {"known": rows[1:], "excluded": rows[:1]}
    engine = engine_of(campaign)
    expected, _ = query.initial_design(engine.X, 3, estimator=engine.learner.estimator, **options)
    assert [pick["id"] for pick in campaign.suggest(3)] == [f"c{row}" for row in expected]
    cheap = np.where(np.arange(90) % 2, 1.0, 1e6)
    costly = make(name="costly", pool=pd.DataFrame({"structure": data[0], "h": cheap}), cost="h")
    assert all(int(pick["id"][1:]) % 2 for pick in costly.suggest(5))


@pytest.mark.parametrize(
    ("goal", "strategy"),
    [
        ("maximize", "recommended"),
        ("minimize", "recommended"),
        ("minimize", "upper_confidence_bound"),
        ("maximize", "probability_of_improvement"),
        ("minimize", "thompson_sampling"),
        ("between -1.5 -0.5", "recommended"),
    ],
)
def test_the_choice_is_that_of_the_strategy_given_the_pending_ones(make, goal, strategy):
    campaign = make(30, goal=goal, strategy=strategy)
    pending = campaign.suggest(2)
    engine = engine_of(campaign)
    state, predictor = engine.state, engine.predictor
    options = {"X_pending": predictor.X[engine.rows(state.pending)]}
    if goal.startswith("between"):
        name, options["level"] = "level_set", (-1.5, -0.5)
    else:
        name = "expected_improvement" if strategy == "recommended" else strategy
        options["mode"] = goal[:3]
    if strategy == "thompson_sampling":
        options["random_state"] = np.random.RandomState([0, 2])
    pool = engine.rows(state.pool)
    expected, scores = getattr(query, name)(predictor.learner, predictor.X[pool], 3, **options)
    picks = campaign.suggest(3)
    assert [pick["id"] for pick in picks] == [state.ids[pool[i]] for i in expected]
    np.testing.assert_allclose([pick["score"] for pick in picks], scores)
    assert not {pick["id"] for pick in picks} & {pick["id"] for pick in pending}


def test_minimizing_is_maximizing_the_opposite(make, data, tmp_path):
    lower = make(30, goal="minimize")
    options = {"target": "e", "unit": "eV", "recipe": "composition", "goal": "maximize"}
    upper = Campaign.init(tmp_path / "upper", data[0], labelled=-data[1][:30], **options)
    assert [p["id"] for p in lower.suggest(5)] == [p["id"] for p in upper.suggest(5)]
    assert lower.state().outlook == pytest.approx(upper.state().outlook)


def test_the_best_is_found_with_few_labels(make, data):
    """The lowest of 90 within 30 labels, of which at random there would be one chance in three."""
    campaign = make(goal="minimize")
    while len(campaign.state().labels) < 30 and data[1].idxmin() not in campaign.state().labels:
        campaign.tell(truth(data, campaign.suggest(5)))
    assert campaign.status()["best"] == {"id": data[1].idxmin(), "value": data[1].min()}
    campaign.suggest()
    assert 0 <= campaign.status()["outlook"]["p_better"] < 0.5


def test_the_outlook(make, data):
    """Chance and gain are those of draws from the predictive distributions."""
    campaign = make(40, goal="maximize")
    engine = engine_of(campaign)
    found = engine.outlook()
    open_ = engine.rows(engine.state.pool)
    distribution = engine.predictor.learner.estimator.predict_distribution(
        engine.predictor.X[open_]
    )
    best = max(engine.state.labels.values())
    p = distribution.sf(best)
    assert p.max() - 0.04 <= found["p_better"] <= p.sum() + 0.04  # whatever the correlations
    draws = distribution.rvs((200_000, len(open_)), random_state=0)
    gains = np.maximum(draws - best, 0).mean(axis=0)
    assert found["expected_gain"] == pytest.approx(gains.max(), rel=0.05)
    between = make(40, name="between", goal="between -1 0")
    found = engine_of(between).outlook()
    p = distribution.cdf(0) - distribution.cdf(-1)
    assert found["expected_left"] == pytest.approx(p.sum())
    assert found["expected_gain"] == pytest.approx(np.minimum(p, 1 - p).max())
    assert make(40, name="explore").status()["outlook"] is None


def test_the_end_is_when_a_label_is_not_worth_its_cost(make, data):
    campaign = make(40, goal="maximize", until="expected-gain < 100")
    with pytest.raises(StoppedError, match="expected-gain < 100: it is"):
        campaign.suggest()
    assert campaign.status()["stop"][0].startswith("expected-gain < 100: it is")
    assert len(campaign.suggest(anyway=True)) == 1
    assert make(40, name="b", goal="maximize", until="expected-gain < 1e-9").suggest()


def test_the_report_says_how_far_the_goal_is(make, data, tmp_path):
    campaign = make(30, goal="minimize")
    page = campaign.report(tmp_path / "report.html").read_text(encoding="utf-8")
    best = data[1][:30].idxmin()
    assert f"Best so far: {best}, {data[1][best]:.6g} eV." in page
    assert "The chance that something better is left is" in page


def test_goals():
    assert parse_goal("between 1 2") == parse_goal(("between", 1.0, 2.0)) == ("between", 1.0, 2.0)
    for wrong in ("best", "maximize 3", "explore a", ""):
        with pytest.raises(ValueError, match="the goal is one of"):
            parse_goal(wrong)
    for wrong in ("maximise", "MAXIMIZE", "max"):
        with pytest.raises(ValueError, match=f"got '{wrong}'; did you mean 'maximize'?"):
            parse_goal(wrong)
    for wrong in ("between", "between 1", "between 2 1", "between 0 inf", "between a b"):
        with pytest.raises(ValueError, match=f"needs two finite numbers A < B .*got '{wrong}'"):
            parse_goal(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "expected_improvement"},
        {"strategy": "level_set", "goal": "maximize"},
        {"strategy": "thompson_sampling", "goal": "between 0 1"},
        {"until": "expected-gain < 1"},
    ],
)
def test_a_strategy_or_rule_of_another_goal_is_refused(make, options):
    with pytest.raises(ValueError, match="goal"):
        make(10, **options)


def test_odds_are_those_of_the_distribution(make, data):
    """Not of a Gaussian with the same standard deviation."""
    campaign = make(40)
    table = campaign.screen(below=-1.0).table
    table = table[table["status"] == "pool"].set_index("id")
    engine = engine_of(campaign)
    assert engine.df < 50
    rows = engine.rows(table.index)
    distribution = engine.predictor.learner.estimator.predict_distribution(engine.predictor.X[rows])
    np.testing.assert_allclose(table["p_meets"], distribution.cdf(-1.0), atol=1e-9)
    gaussian = stats.norm(table["prediction"], table["std"]).cdf(-1.0)
    assert np.abs(table["p_meets"] - gaussian).max() > 0.01
