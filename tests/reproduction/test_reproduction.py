"""The paper's experiment: its parts by laws and closed forms, the whole on a few crystals."""

import csv
import json
import signal

import numpy as np
import pytest
from click.testing import CliRunner
from pymatgen.core import Lattice, Structure
from skcfgp.reproduction.active import cycles_of_paper, gains, labels_to_reach
from skcfgp.reproduction.claims import all_below, effect, spread, within_factor
from skcfgp.reproduction.latent_structure import nearest_neighbour_mae
from skcfgp.reproduction.likelihood_map import LikelihoodMap, adam_paths, lbfgs_path
from skcfgp.reproduction.networks import train_network
from skcfgp.reproduction.table_learning import end_of_advantage

from skcfgp import GaussianProcessRegressor
from skcfgp.cli import main
from skcfgp.kernels import Laplacian
from skcfgp.reproduction import Settings, bundled_data, read_data, reproduce
from skcfgp.reproduction.store import Stage, run_stages
from skcfgp.reproduction.trials import network_rows, trial_rows

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
    "likelihood_map",
}  # fmt: skip


@pytest.fixture(scope="module")
def surface():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.sin(X).sum(axis=1) + 0.3 * rng.normal(size=80)
    unseen = np.arange(0, 80, 4)
    return X, y, unseen, LikelihoodMap(X, y, unseen, np.geomspace(0.05, 500, 81))


class TestLikelihoodMap:
    @pytest.mark.parametrize("theta", [(0.7, 1.3), (2.0, 0.31), (0.2, 40.0)])
    def test_is_the_likelihood_of_the_process(self, surface, theta):
        X, y, unseen, surface = surface
        gp = GaussianProcessRegressor(Laplacian(*theta), optimizer=None).fit(X, y)
        marginal, _ = surface("marginal_likelihood", *np.log(theta))
        assert marginal == pytest.approx(gp.log_marginal_likelihood_value_, rel=1e-5)
        mean, std = (values[unseen] for values in gp.predict_leave_one_out())
        left_out = -0.5 * np.sum(np.log(2 * np.pi * std**2) + ((y[unseen] - mean) / std) ** 2)
        assert surface("leave_one_out", *np.log(theta))[0] == pytest.approx(left_out, rel=1e-5)

    @pytest.mark.parametrize("objective", ["marginal_likelihood", "leave_one_out"])
    def test_gradient_and_best_point(self, surface, objective):
        surface = surface[-1]
        point, step = np.array([0.3, 0.4]), 1e-5
        _, gradient = surface(objective, *point)
        for axis in (0, 1):
            up, down = (
                surface(objective, *(point + s * np.eye(2)[axis]))[0] for s in (step, -step)
            )
            assert gradient[axis] == pytest.approx((up - down) / (2 * step), rel=1e-4)
        *best, value = surface.best(objective)
        around = np.array(best) + np.random.default_rng(0).normal(scale=0.3, size=(200, 2))
        assert (surface(objective, *around.T)[0] <= value + 1e-6).all()

    def test_best_is_what_fit_finds(self, surface):
        X, y, _, surface = surface
        gp = GaussianProcessRegressor().fit(X, y)
        log_a, log_l, value = surface.best("marginal_likelihood")
        assert value == pytest.approx(gp.log_marginal_likelihood_value_, abs=1e-3)
        assert np.exp([log_a, log_l]) == pytest.approx(np.exp(gp.kernel_.theta), rel=0.05)

    def test_paths_climb(self, surface):
        surface = surface[-1]
        objective = "marginal_likelihood"
        starts = np.log([[1.0, 1.0], [0.1, 10.0]])
        adam = adam_paths(surface, objective, starts, 6000)
        assert adam.shape == (6001, 2, 2)
        # The first steps of Adam are as long as its rate, in each coordinate.
        np.testing.assert_allclose(np.abs(adam[1] - adam[0]), 0.01, rtol=1e-6)
        top = surface.best(objective)[2]
        climb = lbfgs_path(surface, objective, *starts[0])
        np.testing.assert_array_equal(climb[0], starts[0])
        for end in (climb[-1], adam[-1, 0]):
            assert surface(objective, *end)[0] == pytest.approx(top, abs=0.1)
        values = surface(objective, *adam[::500, 1].T)[0]  # along the ridge it is slow
        assert (np.diff(values) > 0).all()
        assert values[-1] > top - 2


def test_nearest_neighbour_of_equal_rows_is_another_row():
    Z = np.array([[0.0], [0.0], [5.0], [5.5]])
    assert nearest_neighbour_mae(Z, np.array([1.0, 2.0, 7.0, 10.0])) == (1 + 1 + 3 + 3) / 4


def test_gains_at_equal_labels():
    active = np.array([1.0, 0.9, 0.6, 0.5, 0.4])
    random = np.array([[1.0, 0.9, 0.8, 0.7, 0.6], [1.0, 0.9, 0.8, 0.5, 0.6]])
    found = gains(active, random, 4)
    assert found["lower"] == pytest.approx(1 / 3)
    assert found["factor"] == pytest.approx(1.5)
    assert (found["n_parity"], found["acceleration"]) == (2, 2.0)
    worse = gains(random[0] + 1, random, 4)
    assert worse["n_parity"] is worse["acceleration"] is None
    assert labels_to_reach([0.1, 0.5, 0.2], 0.2) == 2  # what it was at the start does not count
    assert cycles_of_paper(7195) == 1500
    assert cycles_of_paper(1427, 6000) == 1190


def test_end_of_the_advantage():
    n = np.arange(121)
    random = np.ones((3, 121))
    run = {"max_std_paper_mae_pool": np.where((n > 0) & (n <= 40), 0.8, 1.0)}
    run["random_paper_mae_pool"] = random
    assert end_of_advantage([run, run], "paper", "mae_pool") == 40
    run["max_std_paper_mae_pool"] = np.ones(121)
    assert end_of_advantage([run], "paper", "mae_pool") is None


def test_criteria():
    assert effect([0.3, 0.2], 0.43) == "yes"
    assert effect([0.1, 0.2], 0.43) == "partly"  # less than half of it
    assert effect([0.6, -0.01], 0.43) == "partly"
    assert effect([0.1, None], 0.0) == "partly"
    assert effect([-0.1, 0.05], 0.43) == "no"
    assert effect([1e-6, 1e-6], 0.0, 1e-3) == "no"
    assert all_below([1, 2], [3, 3]) == "yes"
    assert all_below([1, 4], [3, 3]) == "partly"
    assert all_below([4, 4], 3) == "no"
    assert within_factor([1.0, 2.0], 1.5) == "yes"
    assert within_factor([1.0, 9.0], 1.5) == "partly"
    assert spread([1.0, None, 2.0], "{:.1f}") == "1.5 (1.0 to 2.0); not reached in 1 of 3 seeds"


class _Counted:
    """Stages that count how often they work."""

    def __init__(self):
        self.calls = []
        self.fail = None

    def stages(self):
        def work(name):
            def run(settings, data, results):
                self.calls.append(name)
                if self.fail == name:
                    raise KeyboardInterrupt
                return {"value": len(results), "array": np.arange(3.0)}

            return run

        return [
            Stage("first", work("first"), settings=["epochs"]),
            Stage("second", work("second"), settings=["orders"], needs=["first"]),
            Stage("third", work("third"), settings=["orders"]),
        ]


class _Named:
    def digest(self):
        return "data"


def test_stages_resume_and_run_again_only_if_they_must(tmp_path):
    counted, lines = _Counted(), []

    def run(**settings):
        counted.calls.clear()
        return run_stages(counted.stages(), Settings(**settings), _Named(), tmp_path, lines.append)

    counted.fail = "third"
    with pytest.raises(KeyboardInterrupt):
        run()
    counted.fail = None
    results = run()
    assert counted.calls == ["third"]  # the finished stages were left
    assert results["second"]["value"] == 1
    np.testing.assert_array_equal(results["third"]["array"], np.arange(3.0))
    run()
    assert counted.calls == []
    assert lines[-1] == "[3/3] third: there already"
    run(orders=3)
    assert counted.calls == ["second", "third"]
    run(orders=3, epochs=7)
    assert counted.calls == ["first", "second"]  # what the second needs has changed
    whole = (tmp_path / "second.npz").read_bytes()
    for torn in (b"torn", b"", whole[:200]):
        (tmp_path / "second.npz").write_bytes(torn)
        (tmp_path / "third.json").write_text('{"digest"')
        run(orders=3, epochs=7)
        assert counted.calls == ["second", "third"]
    assert not list(tmp_path.glob("*.part*"))


def test_no_pool_holds_a_label_that_its_network_has_seen():
    data = bundled_data()
    for settings in (Settings(), Settings(retrain=True)):
        initial, pool = trial_rows(settings, data, None)
        assert (len(initial), len(pool)) == (1800, 1427)
        for seed in (0, 1, 2):
            initial, pool = trial_rows(settings, data, seed)
            seen = network_rows(settings, data, seed if settings.retrain else 0)
            assert not set(seen) & set(pool)
            assert not set(initial) & set(pool)
            assert not (set(initial) | set(pool)) & set(data.test)
            if settings.retrain:  # its network is trained on `initial`
                assert len(initial) == 1800
                assert set(initial) | set(pool) == set(data.train) | set(data.pool)
                assert bool(set(initial) & set(data.pool)) == bool(seed)
            else:  # its network has seen `train`
                assert len(initial) == 1620
                assert set(initial) < set(data.train)
                np.testing.assert_array_equal(pool, data.pool)


def test_a_sample_keeps_rows_together():
    data = bundled_data()
    part = data.sample(100, 50, None, 0)
    assert [len(getattr(part, name)) for name in ("train", "pool", "test")] == [100, 50, 700]
    whole = dict(zip(data.ids, zip(data.y, data.formulas, strict=True), strict=True))
    assert all(whole[i] == (y, f) for i, y, f in zip(part.ids, part.y, part.formulas, strict=True))
    assert set(part.ids[part.train]) <= set(data.ids[data.train])
    assert set(part.ids[part.unseen]) == set(data.ids[data.unseen]) & set(part.ids)
    assert data.digest() != part.digest() == data.sample(100, 50, None, 0).digest()


def write_data(path, columns, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def cell(a, elements=("Na", "Cl")):
    return Structure(Lattice.cubic(a), elements, [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_data_of_the_user(tmp_path):
    rows = [[f"m-{i}", json.dumps(cell(3 + 0.005 * i).as_dict()), i / 7] for i in range(200)]
    rows[3][1] = cell(3.015).to(fmt="cif")
    rows[5][1] = json.dumps(cell(20.0).as_dict())  # no bonds
    rows[6][1] = json.dumps(cell(4.0, ("Cm", "Cl")).as_dict())
    columns = ["material_id", "structure", "formation_energy_per_atom"]
    data = read_data(write_data(tmp_path / "d.csv", columns, rows))
    assert len(data.y) == 198
    assert [name for name, _ in data.left_out] == ["m-5", "m-6"]
    assert "cut-off" in data.left_out[0][1]
    assert data.unit == "eV/atom"
    assert [len(getattr(data, part)) for part in ("train", "pool", "test")] == [34, 136, 28]
    together = np.concatenate([data.train, data.pool, data.test])
    assert sorted(together) == list(range(198))
    assert data.y[3] == pytest.approx(3 / 7)
    assert data.structures[3].volume == pytest.approx(3.015**3, rel=1e-5)
    again = read_data(tmp_path / "d.csv", random_state=0)
    assert again.digest() == data.digest() != read_data(tmp_path / "d.csv", random_state=1).digest()

    files = []
    for i in range(60):
        cell(3 + 0.01 * i).to(str(tmp_path / f"{i}.vasp"), fmt="poscar")
        files.append([f"{i}.vasp", i, 2 * i, ("train", "pool", "test")[i % 3]])
    path = write_data(tmp_path / "f.csv", ["file", "gap", "other", "split"], files)
    data = read_data(path, "gap")
    np.testing.assert_array_equal(data.pool, np.arange(1, 60, 3))
    with pytest.raises(ValueError, match="name the column of values; there are"):
        read_data(path)
    path.write_text(path.read_text(), encoding="utf-8-sig")  # a spreadsheet's CSV
    assert read_data(path, "gap").digest() == data.digest()
    with path.open("a") as file:
        file.write("0.vasp,1,2\n1.vasp,1,2,here\n")  # one without its split, one with a wrong one
    with pytest.raises(ValueError, match=r"split must be one of .*, got ''"):
        read_data(path, "gap")


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (["path", "y"], ["a", 1], "expected a column 'file' or 'structure'.*pickle"),
        (["structure", "y"], ["{}", "one"], "line 2: 'one' is not a finite number"),
        (["structure", "y", "split"], [json.dumps(cell(3).as_dict()), 1, "tset"], "'tset'"),
        (["structure", "y"], [json.dumps(cell(3).as_dict()), 1], "'train' has 0 of 1 usable"),
    ],
)
def test_mistakes_in_the_data(tmp_path, columns, row, message):
    with pytest.raises(ValueError, match=message):
        read_data(write_data(tmp_path / "d.csv", columns, [row]))


def test_settings_are_checked():
    assert Settings.quick(seeds=4).seeds == 4
    with pytest.raises(ValueError, match="seeds must be an integer of at least 1, got 0"):
        Settings(seeds=0)
    with pytest.raises(ValueError, match="cost_scale"):
        Settings(cost_scale=2.0)


@pytest.mark.network
@pytest.mark.filterwarnings("ignore:training was interrupted")
def test_an_interrupted_training_is_no_result(formation_energy, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    labelled = formation_energy.structures[:60], formation_energy.target[:60]
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 10.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_network(*labelled, tmp_path / "n", epochs=10**6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert not (tmp_path / "n").exists()


@pytest.mark.network
def test_command(tmp_path, monkeypatch):
    """The command with fewer crystals: report, table and figures; then again, from the folder."""
    quick = Settings.quick
    monkeypatch.setattr(Settings, "quick", lambda **changes: quick(**SMALL | changes))
    command = ["reproduce", "--out", str(tmp_path), "--quick"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "Held, recommended pipeline: yes" in result.output
    report = (tmp_path / "report.md").read_text()
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["row"].split(".")[0] for row in rows} == set("1234567")
    for row in rows:
        assert row["claim"] in report
        held = [value for name, value in row.items() if name.startswith("held")]
        assert set(held) <= {"yes", "partly", "no", "-"}
        assert bool(row["criterion"]) == (set(held) != {"-"})
        assert any(value for name, value in row.items() if name.startswith("ours"))
    drawn = list((tmp_path / "figures").glob("*.png"))
    assert {path.stem for path in drawn} == FIGURES
    assert all(path.stat().st_size > 10_000 for path in drawn)
    with (tmp_path / "figures" / "captions.csv").open(newline="") as file:
        assert all("seed" in row["caption"] for row in csv.DictReader(file))
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 0, again.output
    assert again.output.count("there already") == result.output.count(" s\n")
    assert (tmp_path / "report.md").read_text() == report


@pytest.mark.network
def test_data_of_the_user_from_labels_to_figures(formation_energy, tmp_path):
    """Each seed has its own network; the test set informs no fit and no choice."""
    data = formation_energy
    columns = ["material_id", "structure", data.target_name]
    rows = [
        [data.material_id[i], json.dumps(data.structures[i].as_dict()), data.target[i]]
        for i in range(150)
    ]
    mine = read_data(write_data(tmp_path / "mine.csv", columns, rows))
    settings = Settings.quick(**SMALL | {"retrain": True, "orders": 1, "seeds": 2})
    lines = []
    report = reproduce(tmp_path / "out", data=mine, settings=settings, progress=lines.append)
    assert [claim.row for claim in report.claims][-1] == "7.3"
    found = report.results
    assert found["network_0"]["history"]["loss"]
    assert not set(found["network_1"]["unseen"]) - set(found["fit_1"]["initial"])
    assert not np.array_equal(found["main"]["X_paper"], found["fit_1"]["X_paper"])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "mine.csv" in text
    assert "its own network" in text

    mine.y = np.where(np.isin(np.arange(len(mine.y)), mine.test), 1e3, mine.y)
    from skcfgp.reproduction.active import active_learning

    from skcfgp.reproduction.trials import fit_trial

    folder = tmp_path / "out" / "networks"
    sample = mine.sample(*(SMALL[f"n_{part}"] for part in ("initial", "pool", "test")), 0)
    other = dict(found)
    other["main"] = fit_trial(
        settings, sample, found, seed=None, network="network_0", folder=folder
    )
    for recipe in ("paper", "recommended"):
        np.testing.assert_array_equal(
            other["main"][f"theta_{recipe}"], found["main"][f"theta_{recipe}"]
        )
    curves = active_learning(settings, sample, other, name="main")
    key = "max_std_recommended_mae_pool"
    np.testing.assert_allclose(curves[key], found["active_main"][key], rtol=1e-9)
    assert (curves["max_std_paper_mae_test"] > 900).all()
