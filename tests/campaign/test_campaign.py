"""`Campaign`: the verbs, the ledger, and what the choices are worth."""

import csv
import gzip
import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skcfgp import query
from skcfgp.campaign import Campaign, RefusedRowsError, StoppedError, parse_rule
from skcfgp.campaign.engine import ATTEMPTS, Engine
from skcfgp.campaign.model import MIN_SEARCH, searched_labels
from skcfgp.campaign.prequential import alarm, estimate
from skcfgp.datasets import load_formation_energy


@pytest.fixture(scope="module")
def data():
    """120 crystals of the pool, by id, with their formation energies."""
    data = load_formation_energy(split="pool", structures="arrays")
    ids = data.material_id[:120].astype(object)
    return pd.Series(data.structures[:120], ids), pd.Series(data.target[:120], ids)


@pytest.fixture
def make(data, tmp_path):
    """Begin a campaign with the first so many crystals labelled."""

    def make(n_labelled=30, name="campaign", crystals=data[0], **options):
        options = {"recipe": "composition", "labelled": data[1][:n_labelled]} | options
        if not n_labelled:
            del options["labelled"]
        return Campaign.init(
            tmp_path / name,
            crystals,
            target="formation_energy_per_atom",
            unit="eV/atom",
            **options,
        )

    return make


def engine_of(campaign):
    with campaign.store.reading() as ledger:
        return Engine(ledger)


def check_ledger(state):
    counts = state.counts()
    assert sum(counts.values()) == len(state.ids) == len(set(state.ids))
    for status, n in counts.items():
        assert sum(state.status_of(id_) == status for id_ in state.ids) == n


def test_the_loop(make, data):
    campaign = make(random_fraction=0.25)
    for _ in range(4):
        picks = campaign.suggest(5)
        campaign.tell({p["id"]: data[1][p["id"]] for p in picks[:3]})
        check_ledger(campaign.state())
    state = campaign.state()
    assert state.counts() == {"labelled": 42, "pending": 8, "failed": 0, "pool": 70}
    assert list(state.arms.values()).count("random") == 5
    estimates = campaign.status()["estimates"]
    assert estimates["all"]["n"] == 12
    errors = [abs(data[1][i] - c["prediction"]) for i, c in state.comparisons.items()]
    assert estimates["all"]["mae"] == pytest.approx(np.mean(errors))
    assert Campaign(campaign.store.path.parent).state() == state


def test_a_second_suggestion_gives_others_given_the_pending_ones(make):
    """One batch of six equals two of three: the second is chosen given the first."""
    for strategy, cost in (
        ("recommended", None),
        ("integrated_variance", "nsites^1"),
        ("greedy_max_std", None),
        ("greedy_max_std", "nsites^1"),
        ("greedy_k_center", None),
    ):
        name = f"{strategy}-{cost}"
        whole = make(name=f"{name}-1", strategy=strategy, cost=cost).suggest(6)
        parts = make(name=f"{name}-2", strategy=strategy, cost=cost)
        both = [*parts.suggest(3), *parts.suggest(3)]
        assert [p["id"] for p in both] == [p["id"] for p in whole]
        np.testing.assert_allclose(
            [p["score"] for p in both], [p["score"] for p in whole], rtol=1e-6
        )
        for pick, same in zip(both, whole, strict=True):  # of the labels alone
            assert pick["std"] == pytest.approx(same["std"])


@pytest.mark.parametrize("strategy", ["max_std", "greedy_max_std", "integrated_variance"])
def test_the_choice_is_that_of_the_query_strategy(make, strategy):
    campaign = make(strategy=strategy)
    engine = engine_of(campaign)
    pool = engine.rows(campaign.state().pool)
    # All 120 crystals are the targets of the variance, labelled or not.
    options = {"X_target": engine.X} if strategy == "integrated_variance" else {}
    expected, scores = getattr(query, strategy)(engine.learner, engine.X[pool], 5, **options)
    picks = campaign.suggest(5)
    assert [p["id"] for p in picks] == [campaign.state().ids[pool[i]] for i in expected]
    np.testing.assert_allclose([p["score"] for p in picks], scores, rtol=1e-8)


def test_the_default_strategy_is_the_recommended_one(make):
    campaign = make()
    assert campaign.settings["strategy"] == "recommended"
    picks = campaign.suggest(3)
    assert {p["strategy"] for p in picks} == {"integrated_variance"}
    same = make(name="same", strategy="integrated_variance").suggest(3)
    assert [p["id"] for p in picks] == [p["id"] for p in same]


@pytest.mark.parametrize("strategy", ["integrated_variance", "greedy_max_std", "max_std"])
def test_equal_costs_do_not_change_the_choice(make, data, strategy):
    frame = pd.DataFrame({"structure": data[0], "hours": 2.0})
    plain = make(name="plain", strategy=strategy).suggest(4)
    costly = make(crystals=frame, cost="hours", strategy=strategy).suggest(4)
    assert [p["id"] for p in costly] == [p["id"] for p in plain]
    np.testing.assert_allclose(
        [2 * p["score"] for p in costly], [p["score"] for p in plain], rtol=1e-6
    )


@pytest.mark.parametrize("strategy", ["recommended", "greedy_max_std", "max_std"])
def test_plan_is_so_many_rounds_of_one(make, data, strategy):
    """Law 3, between two searches for the hyper-parameters, with labels of any value."""
    campaign = make(30, strategy=strategy)
    n = 3
    assert searched_labels(30 + n - 1) == searched_labels(30) > MIN_SEARCH
    plan = campaign.plan(n)
    for id_, std in zip(plan["id"], plan["std"], strict=True):
        (pick,) = campaign.suggest()
        assert pick["id"] == id_
        if strategy != "max_std" and id_ == plan["id"][0]:
            assert pick["std"] == pytest.approx(std)
        campaign.tell(id=id_, value=float(data[1][id_]))
    assert (np.diff(plan["mean_std"]) < 0).all()


def test_a_large_pool_is_sampled(make, data, monkeypatch):
    """The sample stays between two searches, and what is left of it may become too small."""
    monkeypatch.setattr("skcfgp.campaign.engine.N_LOOKED_AT", 60)
    monkeypatch.setattr("skcfgp.campaign.engine.N_LEAST", 10)
    campaign, looked_at = make(30, random_fraction=0.25), []
    for n_labels in (30, 34):
        engine = engine_of(campaign)
        assert len(engine.state.labels) == n_labels
        pool = engine.rows(engine.state.pool)
        some = engine.looked_at(pool, "integrated_variance", 1)
        looked_at.append(some.tolist())
        assert 10 <= len(some) < 60 < len(pool)
        assert engine.looked_at(pool, "max_std", 1).tolist() == pool
        assert engine.looked_at(pool, "integrated_variance", 60).tolist() == pool
        chosen = [engine.row[id_] for id_ in campaign.plan(3)["id"]]
        picks = campaign.suggest(4)
        by_arm = {
            arm: [engine.row[p["id"]] for p in picks if p["arm"] == arm]
            for arm in ("strategy", "random")
        }
        assert by_arm["strategy"] == chosen
        assert len(by_arm["random"]) == 1
        std = engine.predict(some)[1]
        curve = campaign.state().curve[-1]
        assert curve["max_std"] == pytest.approx(std.max())
        assert curve["mean_std"] == pytest.approx(std.mean())
        for pick in picks:
            row = engine.row[pick["id"]]
            mean, (own,) = engine.predict([row])
            assert (pick["prediction"], pick["std"]) == pytest.approx((mean[0], own))
            assert pick["std_rank"] == 1 + (std > own + 1e-12).sum()
        campaign.tell({pick["id"]: float(data[1][pick["id"]]) for pick in picks})
    assert searched_labels(30) != searched_labels(34)
    assert not set(looked_at[1]) <= set(looked_at[0])
    assert len(make(110, name="few").suggest(5)) == 5  # too few of the sample are left


def test_reasons(make, data):
    (pick,) = make(strategy="max_std").suggest()
    assert pick["std_rank"] == 1
    distances = [n["distance"] for n in pick["neighbours"]]
    assert distances == sorted(distances)
    assert all(n["value"] == data[1][n["id"]] for n in pick["neighbours"])
    engine = engine_of(make(name="other"))
    row = engine.row[pick["id"]]
    length = engine.gp.kernel_.k1.length_scale
    d = np.abs(engine.gp.X_train_ - engine.X[row]).sum(axis=1).min()
    assert distances[0] == pytest.approx(d / length)


@pytest.mark.parametrize("n_labelled", [0, 1])
def test_too_few_labels_for_a_model(make, data, n_labelled):
    campaign = make(n_labelled)
    picks = campaign.suggest(3)
    assert {p["strategy"] for p in picks} == {"initial_design"}
    assert all(p["prediction"] is None for p in picks)
    with pytest.raises(ValueError, match="needs 2 labels"):
        campaign.predict()
    campaign.tell({p["id"]: data[1][p["id"]] for p in picks})
    assert campaign.suggest()[0]["std"] > 0
    assert campaign.export()["prediction"].isna().sum() == len(campaign.state().labels)


def test_conflicts_repeats_and_replacement(make, data):
    campaign = make()
    id_ = data[1].index[50]
    campaign.tell(id=id_, value=1.0)
    n = len(campaign.history())
    assert campaign.tell(id=id_, value=1.0).repeated == [id_]
    assert len(campaign.history()) == n
    with pytest.raises(RefusedRowsError, match=r"2\.0 contradicts the known one, 1\.0"):
        campaign.tell(id=id_, value=2.0)
    campaign.tell(id=id_, value=2.0, replace=True)
    assert campaign.state().labels[id_] == 2.0
    campaign.undo()
    assert campaign.state().labels[id_] == 1.0
    campaign.undo()
    assert campaign.state().status_of(id_) == "pool"
    with pytest.raises(ValueError, match="no tell to undo"):
        campaign.undo()


def test_failures_and_release(make):
    campaign = make()
    a, b = (p["id"] for p in campaign.suggest(2))
    campaign.fail(a, "SCF did not converge")
    check_ledger(campaign.state())
    assert campaign.state().failures == {a: "SCF did not converge"}
    assert a not in [p["id"] for p in campaign.suggest(10)]
    campaign.release([a, b])
    assert {campaign.state().status_of(i) for i in (a, b)} == {"pool"}
    with pytest.raises(ValueError, match="neither pending nor failed, but labelled"):
        campaign.release([campaign.state().ids[0]])
    with pytest.raises(RefusedRowsError, match="reported as failed"):
        campaign.fail(campaign.state().ids[0], "no")


def test_undo_of_a_failure_gives_the_label_back_whatever_was_suggested_since(make, data):
    campaign = make()
    first = data[1].index[0]
    campaign.fail(first, "wrong cell", replace=True)
    campaign.release(first)
    campaign.suggest(campaign.state().counts()["pool"])
    campaign.undo()
    state = campaign.state()
    check_ledger(state)
    assert state.labels[first] == data[1][first]
    assert first not in state.pending


def test_any_past_state_can_be_replayed(make, data):
    campaign = make(random_fraction=0.5)
    states = [campaign.state()]

    def keep(_):
        states.append(campaign.state())

    picks = campaign.suggest(4)
    keep(picks)
    keep(campaign.tell({p["id"]: data[1][p["id"]] for p in picks[:2]}))
    keep(campaign.fail(picks[2]["id"], "lost"))
    keep(campaign.predict())
    keep(campaign.undo())
    keep(campaign.suggest(2))
    keep(campaign.undo())
    assert [campaign.state(at=k + 1) for k in range(len(states))] == states
    assert [e.number for e in campaign.history()] == list(range(1, len(states) + 1))
    assert all("@" in e.who and e.time.endswith("+00:00") for e in campaign.history())


def test_events_cannot_be_changed(make):
    campaign = make()
    with sqlite3.connect(campaign.store.path) as connection:
        for table in ("events", "crystals", "structures", "features"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever appends"):
                connection.execute(f"DELETE FROM {table}")
    connection.close()


def test_prediction_on_record_is_the_newest_one_before_the_label(make, data):
    campaign = make()
    (pick,) = campaign.suggest()
    other = data[1].index[60]
    campaign.tell(id=other, value=data[1][other])
    assert campaign.state().comparisons == {}
    table = campaign.predict().set_index("id")
    n = len(campaign.history())
    campaign.predict()
    assert len(campaign.history()) == n  # nothing new
    campaign.tell(id=pick["id"], value=float(data[1][pick["id"]]))
    comparison = campaign.state().comparisons[pick["id"]]
    assert comparison["prediction"] == table.loc[pick["id"], "prediction"]
    assert comparison["event"] == n
    assert comparison["arm"] == "strategy"


def test_alarm_and_rescaling(make, data):
    """Labels that are ten times as wrong as their error bars say."""
    campaign = make(random_fraction=1.0)
    picks = campaign.suggest(25)
    df = campaign.history()[-1].content["df"]
    unit = 2 / stats.t.ppf(stats.norm.cdf(2), df)  # the scale of the distribution, in std
    for k, pick in enumerate(picks):
        value = pick["prediction"] + (-1) ** k * 10 * unit * pick["std"]
        told = campaign.tell(id=pick["id"], value=value)
    assert "too small: 0% of 25 labels are in their intervals of 50%" in told.alarm
    assert "by 10.00" in told.alarm
    assert campaign.status()["alarm"] == told.alarm
    plain, wide = campaign.predict(), campaign.predict(rescale=True)
    for name in ("lower", "std", "upper"):
        of = 0 if name == "std" else plain["prediction"]
        np.testing.assert_allclose(wide[name] - of, 10 * (plain[name] - of), rtol=1e-6)


def test_an_alarm_says_which_way_predictions_are_off(make):
    campaign = make(random_fraction=1.0)
    picks = campaign.suggest(25)
    told = campaign.tell({p["id"]: p["prediction"] + 1.5 * p["std"] for p in picks})
    assert "predictions are too low" in told.alarm
    campaign = make(name="other", random_fraction=1.0)
    picks = campaign.suggest(25)
    near = {p["id"]: p["prediction"] + (-1) ** k * 1e-3 * p["std"] for k, p in enumerate(picks)}
    assert "error bars are too large: 100% of 25 labels" in campaign.tell(near).alarm
    same = {p["id"]: p["prediction"] for p in picks}
    assert "equal their predictions" in campaign.tell(same, replace=True).alarm


@pytest.mark.parametrize("df", [2.5, 8.0, np.inf])
def test_there_is_an_alarm_once_in_twenty_where_all_is_right(df):
    rng = np.random.default_rng(0)
    unit = 2 / stats.t.ppf(stats.norm.cdf(2), df)
    alarms, factors = 0, []
    for _ in range(400):
        scores = stats.t.rvs(df, size=40, random_state=rng) if df < np.inf else rng.normal(size=40)
        comparisons = {
            str(i): {"prediction": 1.0, "std": 0.5, "df": None if df == np.inf else df, "arm": None}
            for i in range(40)
        }
        labels = {str(i): 1.0 + 0.5 * unit * score for i, score in enumerate(scores)}
        estimates = estimate(comparisons, labels)
        alarms += alarm(estimates) is not None
        factors.append(estimates["all"]["factor"])
    assert 8 <= alarms <= 36  # 20 expected
    assert np.median(factors) == pytest.approx(1.0, abs=0.05)


def test_gain_over_random_choice(make, data):
    campaign = make(10, random_fraction=0.5)
    while len(campaign.state().labels) < 50:
        campaign.tell({p["id"]: data[1][p["id"]] for p in campaign.suggest(8)})
    campaign.suggest()
    gain = campaign.status()["gain"]
    assert gain["n"] == 20
    assert gain["interval"][0] < gain["gain"] < gain["interval"][1]
    assert gain["gain"] == pytest.approx(gain["mae_random"] - gain["mae_strategy"])


def test_rules_to_stop(make, data):
    campaign = make(until=["labels >= 32"])
    picks = campaign.suggest(2)
    campaign.tell({p["id"]: data[1][p["id"]] for p in picks})
    assert campaign.status()["stop"] == ["labels >= 32: there are 32"]
    n = len(campaign.history())
    with pytest.raises(StoppedError, match="come to its end: labels >= 32"):
        campaign.suggest()
    assert len(campaign.history()) == n
    assert len(campaign.suggest(anyway=True)) == 1
    wide = make(name="std", until="max-std < 100")
    with pytest.raises(StoppedError, match="max-std < 100: it is"):
        wide.suggest()
    assert wide.state().counts()["pending"] == 0
    assert wide.status()["stop"][0].startswith("max-std < 100: it is")  # the end is on record
    n = len(wide.history())
    with pytest.raises(StoppedError, match="max-std < 100: it is"):
        wide.suggest()
    assert len(wide.history()) == n
    assert make(name="words", until="max std < 1").state().settings["until"] == ["max-std < 1"]
    with pytest.raises(ValueError, match="a rule is one of"):
        make(name="no", until=["max-std > 1"])


@pytest.mark.parametrize("rule", ["labels >= 1e999", "max-std < -1", "cost >= 0", "labels >= inf"])
def test_a_rule_that_is_never_or_always_met_is_refused(make, rule):
    with pytest.raises(ValueError, match=r"the limit of a rule must be a positive finite number"):
        make(until=rule)


@pytest.mark.parametrize(
    "rule", ["labels >= 1234567", "cost >= 12345678.5", "max-std < 0.12345678901234566"]
)
def test_a_limit_keeps_all_its_digits(make, rule):
    assert make(until=rule).settings["until"] == [rule]
    assert str(parse_rule(rule)) == rule


def test_a_rule_of_an_older_version_that_no_label_can_meet_stops_nothing(make):
    campaign = make()
    content = json.loads(json.dumps(campaign.history()[0].content))
    content["settings"]["until"] = ["labels >= inf"]
    with sqlite3.connect(campaign.store.path) as connection:
        connection.execute("DROP TRIGGER events_update")
        connection.execute("UPDATE events SET content = ?", [json.dumps(content)])
    connection.close()
    assert campaign.status()["stop"] == []
    assert len(campaign.suggest()) == 1


def test_an_end_that_more_crystals_undo(make, data):
    """The standard deviations are those of now, not of the last suggestion."""
    near, far = data[0][:60], data[0][60:]
    largest = make(name="probe", crystals=near, strategy="max_std")
    largest.suggest()
    limit = largest.status()["curve"]["max_std"] * 1.0001
    campaign = make(crystals=near, until=f"max-std < {limit}")
    with pytest.raises(StoppedError):
        campaign.suggest()
    campaign.add(far)
    assert campaign.suggest()[0]["std"] > 0


def test_a_budget_counts_what_runs_and_what_failed(make, data):
    campaign = make(
        crystals=pd.DataFrame({"structure": data[0], "hours": 2.0}), cost="hours", until="cost >= 8"
    )
    picks = [pick["id"] for pick in campaign.suggest(3)]
    campaign.fail(picks[0], "time limit")
    campaign.tell(id=picks[1], value=0.0)
    campaign.release(picks[2])
    assert campaign.status()["spent"] == 4.0
    campaign.suggest(2)
    with pytest.raises(StoppedError, match="cost >= 8: there are 8"):
        campaign.suggest()


def test_costs(make, data):
    campaign = make(cost="nsites^3", strategy="max_std")
    engine = engine_of(campaign)
    pool = engine.rows(campaign.state().pool)
    sites = np.array([len(s) for s in data[0]])[pool].astype(float)
    std = engine.gp.predict(engine.X[pool], return_std=True)[1]
    best = pool[np.argmax(std / sites**3)]
    assert campaign.suggest()[0]["id"] == campaign.state().ids[best]
    frame = pd.DataFrame({"structure": data[0], "hours": 2.0})
    frame.iloc[5, 1] = -1
    campaign = make(name="column", crystals=frame, cost="hours", labelled=data[1][:5])
    reason = "its cost is -1.0, and must be a positive number, between 1e-30 and 1e+30"
    assert campaign.state().refused == [{"name": data[0].index[5], "reason": reason}]
    assert set(campaign.export()["cost"]) == {2.0}


def test_export_and_plan_and_screen(make, tmp_path):
    campaign = make()
    for name in ("table.csv", "table.json"):
        table = campaign.export(tmp_path / name)
        if name.endswith("csv"):
            rows = list(csv.DictReader((tmp_path / name).read_text().splitlines()))
        else:
            rows = json.loads((tmp_path / name).read_text())
        assert next(iter(rows[0])) == "id"
        again = [float(row["prediction"] or "nan") for row in rows]
        np.testing.assert_array_equal(again, table["prediction"])
    with pytest.raises(ValueError, match=r"\.csv or \.json"):
        campaign.export(tmp_path / "table.xlsx")
    result = campaign.screen(below=-2.0)
    assert result.expected == pytest.approx(result.expected_found + result.expected_missed)
    assert set(result.edge_cases["status"]) == {"pool"}


def test_add(make, data):
    campaign = make(crystals=data[0][:100])
    ids, refused = campaign.add(data[0][99:])
    assert ids == data[0].index[100:].tolist()
    assert [r.reason for r in refused] == [
        "there are two crystals of this id; give this one another"
    ]
    assert campaign.state().counts()["pool"] == 90
    assert campaign.state(at=1).counts()["pool"] == 70
    assert len(campaign.predict()) == 90
    check_ledger(campaign.state())


@pytest.mark.network
def test_another_network_is_not_mixed(data, tmp_path):
    from skcfgp.network import load_network, save_network

    network = load_network("formation_energy_1800").copy()
    save_network(network, tmp_path / "network")
    campaign = Campaign.init(
        tmp_path / "campaign",
        data[0][:6],
        target="formation_energy_per_atom",
        unit="eV/atom",
        labelled=data[1][:4],
        weights=tmp_path / "network",
    )
    assert len(campaign.add(data[0][6:8])[0]) == 2
    assert campaign.suggest()[0]["std"] > 0
    network.weights["readout_0/bias"] = network.weights["readout_0/bias"] + 1
    save_network(network, tmp_path / "network")
    with pytest.raises(ValueError, match="cannot be mixed"):
        campaign.add(data[0][8:10])
    assert campaign.state().counts() == {"labelled": 4, "pending": 1, "failed": 0, "pool": 3}


def test_settings_are_checked(make):
    for options, message in (
        ({"strategy": "best"}, "strategy must be one of"),
        ({"recipe": "none"}, "recipe must be one of"),
        ({"random_fraction": 1.5}, "random_fraction must be between"),
        ({"cost": "price"}, "no crystal has a column 'price'"),
        ({"cost": "nsites^1000"}, "gives more than 1e\\+30 for a crystal of"),
        ({"cost": "nsites^2", "strategy": "greedy_k_center"}, "chooses without one"),
        ({"overdue_after": 0}, "positive number of days"),
        ({"random_state": -1}, "random_state must be an integer"),
        ({"random_state": "x"}, "random_state must be an integer"),
        ({"labelled": {"nope": 1.0}}, "there is no such id"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**options)
    make()
    with pytest.raises(FileExistsError, match=r"a campaign in .* already"):
        make()


def test_settings_may_be_numbers_of_numpy(make):
    campaign = make(random_state=np.int64(3), random_fraction=np.float32(0.5))
    assert campaign.state().settings["random_state"] == 3


def test_a_random_state_of_any_kind_becomes_an_integer_in_the_file(make):
    """So that whoever goes on draws the same."""
    seeds = [
        make(name=f"{k}", random_state=state).settings["random_state"]
        for k, state in enumerate((5, None, np.random.RandomState(5), np.random.RandomState(5)))
    ]
    assert seeds[0] == 5
    assert all(isinstance(seed, int) for seed in seeds)
    assert seeds[2] == seeds[3] != seeds[1]
    draws = [
        [
            p["id"]
            for p in make(
                name=f"d{seed}{k}", strategy="random_sampling", random_state=seed
            ).suggest(5)
        ]
        for k, seed in enumerate((0, 0, 1))
    ]
    assert draws[0] == draws[1] != draws[2]


def test_every_verb_replays_the_events_once(make, data, tmp_path, monkeypatch):
    from skcfgp.campaign import store

    campaign = make(until="labels >= 500", cost="nsites^3")
    calls, replay = [], store.replay
    monkeypatch.setattr(store, "replay", lambda *args: calls.append(1) or replay(*args))
    first, second = (p["id"] for p in campaign.suggest(2, out=tmp_path / "jobs"))
    assert len(calls) == 1
    for verb in (
        lambda: Campaign(campaign.store.path.parent).tell(id=first, value=0.0),
        lambda: campaign.fail(second, "lost"),
        lambda: campaign.release(second),
        campaign.predict,
        campaign.export,
        campaign.status,
        campaign.state,
        lambda: campaign.plan(2),
        lambda: campaign.report(tmp_path / "report.html"),
        lambda: campaign.screen(below=0.0),
    ):
        calls.clear()
        verb()
        assert len(calls) == 1


def test_a_label_that_comes_while_a_suggestion_is_computed_counts(make, data, monkeypatch):
    """The suggestion is that of the campaign with the label."""
    campaign, other = make(random_fraction=0.3), make(name="other", random_fraction=0.3)
    label = {data[1].index[50]: float(data[1].iloc[50])}
    suggest, n_calls = Engine.suggest, []

    def interrupted(engine, *args):
        n_calls.append(1)
        if len(n_calls) == 1:
            Campaign(campaign.store.path.parent).tell(label)
        return suggest(engine, *args)

    monkeypatch.setattr(Engine, "suggest", interrupted)
    picks = campaign.suggest(4)
    assert len(n_calls) == 2
    assert [event.verb for event in campaign.history()] == ["init", "tell", "suggest"]
    other.tell(label)
    assert other.suggest(4) == picks


def test_a_suggestion_among_many_who_write_comes_to_an_end(make, data, monkeypatch):
    campaign = make()
    labels = iter(data[1].items())
    suggest, told = Engine.suggest, []

    def interrupted(engine, *args):
        if len(told) < ATTEMPTS:  # after that nobody else may write
            told.append(next(labels))
            Campaign(campaign.store.path.parent).fail(told[-1][0], "wrong", replace=True)
        return suggest(engine, *args)

    monkeypatch.setattr(Engine, "suggest", interrupted)
    assert len(campaign.suggest(2)) == 2
    assert [event.verb for event in campaign.history()] == ["init", *["tell"] * ATTEMPTS, "suggest"]
    assert campaign.state().counts()["failed"] == ATTEMPTS


def test_a_campaign_of_an_older_version_goes_on(tmp_path):
    """Begun, suggested, told, failed, predicted and undone by commit 015ac3c."""
    with sqlite3.connect(tmp_path / "campaign.sqlite") as connection:
        script = Path(__file__).with_name("campaign_015ac3c.sql.gz").read_bytes()
        connection.executescript(gzip.decompress(script).decode())
    connection.close()
    campaign = Campaign(tmp_path)
    check_ledger(campaign.state())
    assert campaign.status()["counts"] == {"labelled": 6, "pending": 3, "failed": 0, "pool": 3}
    assert campaign.settings["strategy"] == "integrated_variance"
    verbs = [event.verb for event in campaign.history()]
    assert verbs == ["init", "suggest", "tell", "tell", "predict", "suggest", "undo"]
    assert campaign.state(at=4).failures == {"c10": "time limit"}
    picks = campaign.suggest(2)
    assert [(p["id"], p["arm"]) for p in picks] == [("c5", "strategy"), ("c9", "strategy")]
    for name, expected in (  # what 015ac3c suggests
        ("prediction", [-0.5316005993368831, -0.04124161749814029]),
        ("std", [0.5323617336607034, 0.37143409748077333]),
        ("score", [0.02166056789849828, 0.010541544403306227]),
    ):
        np.testing.assert_allclose([p[name] for p in picks], expected, rtol=1e-6)
    campaign.tell({p["id"]: 0.0 for p in picks})
    assert len(campaign.predict()) == 4
    assert campaign.add({"new": load_formation_energy(split="test").structures[0]})[0] == ["new"]
    assert len(campaign.predict()) == 5
    assert campaign.status()["outlook"] is None
    campaign.report(tmp_path / "report.html")


def test_structures_come_back_as_they_went_in(make, data):
    from skcfgp.structures import structure_digest

    campaign = make()
    for id_ in data[0].index[:5]:
        assert structure_digest(campaign.structure(id_)) == structure_digest(data[0][id_])
    with sqlite3.connect(campaign.store.path) as connection:
        (text,) = connection.execute("SELECT structure FROM structures").fetchone()
    connection.close()
    assert json.loads(text)["@class"] == "Structure"


def test_overdue(make):
    campaign = make(overdue_after=1e-9)
    (pick,) = campaign.suggest()
    assert campaign.status()["overdue"] == [pick["id"]]


def test_engine_needs_no_network_or_structure_to_suggest(make):
    """What was computed when the crystals came in is enough."""
    campaign = make()
    assert isinstance(engine_of(campaign), Engine)
    with sqlite3.connect(campaign.store.path) as connection:
        connection.execute("DROP TABLE structures")
    connection.close()
    assert len(campaign.suggest(2)) == 2


def test_a_notebook_shows_the_state(make):
    campaign = make(20)
    html = campaign._repr_html_()
    assert "20 labelled" in html
    assert campaign.settings["target"] in html
    assert html.count("<li>") == html.count("</li>") >= 1
