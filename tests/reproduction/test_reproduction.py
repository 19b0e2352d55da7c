"""The paper's experiment as a whole, on a few crystals."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from skcfgp.calibration import (
    ExchangeabilityWarning,
    negative_log_likelihood,
    predict_distribution,
)
from skcfgp.cli import main
from skcfgp.models import make_cfgp
from skcfgp.network import checkpoints, load_network
from skcfgp.reproduction import Settings, accuracy, trials
from skcfgp.reproduction.data import bundled_data, read_data
from skcfgp.reproduction.learning import active_learning
from skcfgp.reproduction.records import Run
from skcfgp.reproduction.report import stages_of
from skcfgp.reproduction.store import run_stages
from skcfgp.reproduction.table import claims_of, make_table
from skcfgp.reproduction.variations import VARIATIONS, variation, variations_of

pytestmark = pytest.mark.network

SMALL = {
    "n_initial": 100,
    "n_pool": 70,
    "n_test": 60,
    "seeds": 2,
    "orders": 2,
    "epochs": 1,
    "refit_epochs": 1,
    "grid": 15,
    "n_batches": 2,
    "cost_scale": 0.02,
}
FIGURES = {
    "latent_map", "parity", "error_bars", "calibration", "learning_curves", "long_run", "training",
}  # fmt: skip


@pytest.fixture(scope="session")
def small():
    """Let ``--quick`` be quicker."""
    quick = Settings.quick
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "quick", lambda **changes: quick(**SMALL | changes))
        yield


@pytest.fixture(scope="session")
def ran(small, formation_energy, tmp_path_factory):
    """The command on a user's own crystals, each seed with its own network: all that it can do."""
    folder, data = tmp_path_factory.mktemp("reproduction"), formation_energy
    with (folder / "mine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["material_id", "structure", "split", data.target_name])
        for i in range(240):
            part = "train" if i < 100 else "pool" if i < 170 else "test"
            text = json.dumps(data.structures[i].as_dict())
            writer.writerow([data.material_id[i], text, part, data.target[i]])
    command = ["reproduce", "--quick", "--retrain", "--out", str(folder / "out")]
    command += ["--data", str(folder / "mine.csv"), "--megnet", "Eform_MP_2019"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return SimpleNamespace(
        command=command,
        output=result.output,
        folder=folder / "out",
        report=(folder / "out" / "report.md").read_text(),
        data=read_data(folder / "mine.csv", published="Eform_MP_2019"),
    )


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_report_table_and_figures(ran):
    assert "Held, recommended pipeline: yes" in ran.output
    assert "mine.csv" in ran.report
    assert "its own network" in ran.report
    rows = rows_of(ran.folder / "table.csv")
    run = Run(**json.loads((ran.folder / "records.json").read_text()))
    claims = [c for c in claims_of(run) if run.records.get("phosphates") or c.row != "4.6"]
    assert [row["row"] for row in rows] == [claim.row for claim in claims]
    for row in rows:
        assert row["claim"] in ran.report
        held = [value for name, value in row.items() if name.startswith("held")]
        assert set(held) <= {"yes", "partly", "no", "-"}
        assert bool(row["criterion"]) == (set(held) != {"-"})
        assert any(value for name, value in row.items() if name.startswith("ours"))
    drawn = list((ran.folder / "figures").glob("*.png"))
    assert {path.stem for path in drawn} == FIGURES
    assert all(path.stat().st_size > 10_000 for path in drawn)
    assert all("seed" in row["caption"] for row in rows_of(ran.folder / "figures" / "captions.csv"))


def test_the_table_is_made_of_the_records_that_are_kept(ran):
    run = Run(**json.loads((ran.folder / "records.json").read_text()))
    assert make_table(run) == rows_of(ran.folder / "table.csv")


def test_learning_curves_have_a_row_a_label_and_an_order(ran):
    rows = rows_of(ran.folder / "learning_curves.csv")
    for strategy, orders in (("max-std", 1), ("random", 2)):
        chosen = [
            row
            for row in rows
            if (row["strategy"], row["recipe"], row["seed"]) == (strategy, "paper", "fit_1")
        ]
        assert len(chosen) == 71 * orders
        assert [int(row["n_labelled"]) for row in chosen[:71]] == list(range(100, 171))
        first = {row["mae_test"] for row in chosen if row["n_labelled"] == "100"}
        assert len(first) == 1  # before the first query all know the same


def test_a_second_run_takes_everything_from_the_folder(ran):
    again = CliRunner().invoke(main, ran.command)
    assert again.exit_code == 0, again.output
    assert again.output.count("there already") == ran.output.count(" s\n")
    assert (ran.folder / "report.md").read_text() == ran.report


def test_each_seed_has_its_own_network_and_the_test_set_informs_nothing(ran):
    settings = Settings.quick(retrain=True)
    sample = ran.data.sample(*(SMALL[f"n_{part}"] for part in ("initial", "pool", "test")), 0)
    stages = stages_of(settings, sample, ran.folder / "networks")
    lines = []
    found = run_stages(stages, settings, sample, ran.folder / "stages", lines.append)
    assert all("there already" in line for line in lines)
    assert found["network_0"]["history"]["loss"]
    assert not set(found["network_1"]["unseen"]) - set(found["fit_1"]["initial"])
    fits = found["main"]["fits"]
    assert not np.array_equal(fits["paper"]["X"], found["fit_1"]["fits"]["paper"]["X"])

    sample.y = np.where(np.isin(np.arange(len(sample.y)), sample.test), 1e3, sample.y)
    options = {"seed": None, "network": "network_0", "folder": ran.folder / "networks"}
    other = found | {"main": trials.fit_trial(settings, sample, found, **options)}
    for recipe, fit in other["main"]["fits"].items():
        np.testing.assert_array_equal(fit["theta"], fits[recipe]["theta"])
    curves = active_learning(settings, sample, other, name="main")["curves"]
    before = found["active_main"]["curves"]
    for curve, old in zip(curves, before, strict=True):
        np.testing.assert_allclose(curve["mae_pool"], old["mae_pool"], rtol=1e-9)
        assert curve["recipe"] == "recommended" or (curve["mae_test"] > 900).all()


def test_bundled_data_share_a_network_that_has_seen_no_pool(small, tmp_path):
    settings = Settings.quick()
    sizes = settings.n_initial, settings.n_pool, settings.n_test
    data = bundled_data().sample(*sizes, settings.random_state)
    stages = {stage.name: stage for stage in stages_of(settings, data, tmp_path)}
    assert not any(name.startswith("network") for name in stages)
    chosen = [stages[name] for name in ("main", "fit_0", "fit_1", "accuracy", "calibration")]
    found = run_stages(chosen, settings, data, tmp_path, [].append)
    assert found["fit_0"]["network"] is None
    np.testing.assert_array_equal(found["main"]["unseen"], data.unseen)
    assert set(found["fit_1"]["unseen"]) <= set(data.unseen) & set(found["fit_1"]["initial"])
    run = Run.from_results(data, settings, found)
    assert len(run.found("accuracy", model="paper")["mae"]) == 2
    assert run.found("accuracy", model="published")["main"]["mae"] < 0.1  # it has seen them all


def test_the_library_leaves_the_threads_of_tensorflow_alone(monkeypatch, tmp_path):
    import tensorflow as tf

    def refuse(n):
        raise AssertionError("a setting for the whole process")

    for name in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, name, refuse)
    data = bundled_data().sample(30, 20, 10, 0)
    rows = data.train
    trials.train_network(data.structures[rows], data.y[rows], tmp_path / "n", epochs=1)
    assert (tmp_path / "n").exists()


def test_an_interrupted_training_is_no_result_and_goes_on(monkeypatch, tmp_path):
    data = bundled_data().sample(40, 20, 10, 0)
    known = data.structures[data.train], data.y[data.train]
    save = checkpoints.Checkpoint.save

    def stop(self, *args):
        save(self, *args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "save", stop)
        with pytest.warns(UserWarning, match="after 1 of 3"), pytest.raises(KeyboardInterrupt):
            trials.train_network(*known, tmp_path / "n", epochs=3)
    assert not (tmp_path / "n").exists()
    history, _, fastest = trials.train_network(*known, tmp_path / "n", epochs=3)
    assert len(history["loss"]) == 3
    assert fastest == min(history["seconds"])
    again, _, _ = trials.train_network(*known, tmp_path / "n", epochs=3)
    assert again == history  # seconds and all: nothing was trained again


@pytest.fixture(scope="session")
def results(ran):
    """Settings, data, results of all stages, and the folder of the networks."""
    settings = Settings.quick(retrain=True)
    data = ran.data.sample(*(SMALL[f"n_{part}"] for part in ("initial", "pool", "test")), 0)
    stages = stages_of(settings, data, ran.folder / "networks")
    found = run_stages(stages, settings, data, ran.folder / "stages", [].append)
    return settings, data, found, ran.folder / "networks"


def test_a_variation_changes_one_thing(results):
    settings, data, found, folder = results
    trial = trials.load_trial(data, found, "main")
    assert variations_of(data) == list(VARIATIONS)
    assert "a tenth of the pool without oxygen" not in variations_of(bundled_data())
    for name, change in VARIATIONS.items():
        if "epochs" in name:  # another network
            continue
        X, y, sets, _ = change(settings, data, trial, folder)
        same = np.isclose(X, trial.X()).all(axis=1)
        changed = {name: np.mean(~same[rows]) for name, rows in trial.sets.items()}
        sets_changed = [not np.array_equal(sets[k], trial.sets[k]) for k in sets]
        if name.startswith(("a tenth", "a fifth")):
            assert changed["pool"] == pytest.approx(0.2 if "fifth" in name else 0.1)
            assert changed["initial"] == changed["test"] == 0
            assert np.array_equal(y != trial.y, ~same) or name.endswith("too long")
            assert not any(sets_changed)
        elif name.startswith("initial set"):
            assert same.all()
            assert not set(sets["initial"]) & set(trial.initial)
            assert sets_changed == [True, True, False]
        else:
            assert same.all() or name.startswith("min-max")
            assert not any(sets_changed)


def test_a_variation_with_another_network_and_nothing_varied(results):
    settings, data, found, folder = results
    options = {"name": "nothing", "folder": folder}
    (plain,) = variation(settings, data, found, **options)["records"]["variations"]
    active = found["active_main"]["records"]["active"]
    for metric in ("mae_pool", "mae_test"):
        where = {"recipe": "paper", "metric": metric, "share": "paper"}
        (known,) = [r for r in active if all(r[k] == v for k, v in where.items())]
        assert plain[metric]["active"] == pytest.approx(known["active"])
        assert plain[metric]["random"] == pytest.approx(known["random"])
    options["name"] = "cut-off of 5 angstrom, a third of the epochs"
    (other,) = variation(settings, data, found, **options)["records"]["variations"]
    assert other["before"]["mae"] != plain["before"]["mae"]
    network = load_network(folder / "variation_3_5")
    assert network.architecture.cutoff == 5.0


def test_the_t_distribution_is_that_of_the_calibrated_pipeline(results):
    settings, data, found, folder = results
    trial = trials.load_trial(data, found, "main")
    with pytest.warns(ExchangeabilityWarning, match="10 others are too few"):
        mine = accuracy.predictive_distribution(settings, data, trial, "recommended")
    cfgp = make_cfgp(folder / "seed_0", calibrated=True, random_state=settings.random_state)
    known = data.structures[trial.initial], trial.y[trial.initial]
    with pytest.warns(ExchangeabilityWarning, match="10 others are too few"):
        cfgp.fit(*known, gp__unseen=trial.unseen_mask)
    whole = predict_distribution(cfgp, data.structures[data.test])
    for q in (0.025, 0.5, 0.9):
        np.testing.assert_allclose(mine.ppf(q), whole.ppf(q), rtol=1e-5, atol=1e-6)
    records = found["calibration"]["records"]["distributions"]
    (row,) = [r for r in records if (r["trial"], r["recipe"]) == ("main", "recommended")]
    labels = data.y[data.test]
    assert row["nll"] == pytest.approx(negative_log_likelihood(labels, whole), rel=1e-4)
    low, high = whole.interval(0.9)
    assert row["in 0.9"] == np.mean((low <= labels) & (labels <= high))
