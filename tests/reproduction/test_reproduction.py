"""The paper's experiment as a whole, on a few crystals."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from skcfgp.cli import main
from skcfgp.reproduction import Settings, trials
from skcfgp.reproduction.data import bundled_data, read_data
from skcfgp.reproduction.learning import active_learning
from skcfgp.reproduction.records import Run
from skcfgp.reproduction.report import stages_of
from skcfgp.reproduction.store import run_stages
from skcfgp.reproduction.table import CLAIMS, make_table

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
    assert [row["row"] for row in rows] == [claim.row for claim in CLAIMS]
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


def test_an_interrupted_training_is_no_result(monkeypatch, tmp_path):
    class Interrupted(trials.MEGNetFeaturizer):
        def fit(self, X, y, unseen=None):
            self.history_ = {"loss": [0.5, 0.4]}  # Ctrl-C in the third epoch
            return self

    monkeypatch.setattr(trials, "MEGNetFeaturizer", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        trials.train_network(np.array([]), np.array([]), tmp_path / "n", epochs=3)
    assert not (tmp_path / "n").exists()
