"""A pool predicted in chunks, also by processes of which one is killed, equals the whole."""

import json
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster
from sklearn.base import clone

from skcfgp import make_cfgp
from skcfgp.cli import main
from skcfgp.screening import Condition, PoolPredictions, model_digest, predict_pool
from skcfgp.screening import screen as screen_table

resource = pytest.importorskip("resource")  # not on Windows
pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def model(formation_energy):
    model = make_cfgp("formation_energy_1800", recipe="paper values")
    return model.fit(formation_energy.structures[:40], formation_energy.target[:40])


@pytest.fixture(scope="module")
def pool(formation_energy, tmp_path_factory):
    """70 crystals, of which three are broken in different ways."""
    rows = [s.as_dict() for s in formation_energy.structures[-70:]]
    rows = [{"id": f"c{i}", "structure": row} for i, row in enumerate(rows)]
    rows[5]["structure"]["sites"] = []
    rows[20]["structure"]["lattice"]["matrix"] = (100 * np.eye(3)).tolist()  # no neighbours
    path = tmp_path_factory.mktemp("pool") / "pool.jsonl"
    lines = [json.dumps(row) for row in rows]
    lines[40] = lines[40][:-9]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def calibrated(formation_energy):
    """The recommended pipeline, calibrated, with hyper-parameters of its own."""
    model = make_cfgp("formation_energy_1800", calibrated=True)
    return model.fit(formation_energy.structures[:40], formation_energy.target[:40])


@pytest.fixture(scope="module")
def whole(formation_energy, model):
    return np.array(model.predict(formation_energy.structures[-70:], return_std=True))


@pytest.fixture(scope="module")
def in_process(model, pool, tmp_path_factory):
    return predict_pool(model, pool, tmp_path_factory.mktemp("out"), chunk_size=16)


def all_of(found):
    return pd.concat(found.parts(), ignore_index=True)


def test_equal_to_the_prediction_in_memory(in_process, whole):
    table = all_of(in_process)
    assert in_process.is_complete
    assert [len(part) for part in in_process.parts()] == [16, 16, 16, 16, 6]
    broken = [5, 20, 40]
    assert table.index[table["error"] != ""].tolist() == broken
    assert table["id"].tolist() == [f"c{i}" if i != 40 else "pool:40" for i in range(70)]
    assert (
        table[["prediction", "std"]].isna().all(axis=1).to_numpy().nonzero()[0].tolist() == broken
    )
    left = np.delete(np.arange(70), broken)
    np.testing.assert_allclose(table.loc[left, ["prediction", "std"]].T, whole[:, left], atol=1e-5)
    assert [id_ for id_, _ in in_process.failures()] == ["c5", "c20", "pool:40"]
    assert all(reason for _, reason in in_process.failures())


def test_the_recommended_pipeline(calibrated, pool, formation_energy, tmp_path):
    """Two featurizers refuse crystals, and the standard deviation is the calibrated one."""
    found = predict_pool(calibrated, pool, tmp_path, chunk_size=30, unit="eV/atom")
    table = all_of(found)
    broken = [5, 20, 40]
    assert table.index[table["error"] != ""].tolist() == broken
    assert list(table)[:4] == ["id", "formula", "prediction", "std"]
    assert set(table["unit"]) == {"eV/atom"}
    left = np.delete(np.arange(70), broken)
    structures = formation_energy.structures[-70:][left]
    expected = calibrated.predict(structures, return_std=True)
    np.testing.assert_allclose(table.loc[left, ["prediction", "std"]].T, expected, atol=1e-5)
    std = calibrated["gp"].estimator_.predict(calibrated[:-1].transform(structures), True)[1]
    assert not np.allclose(std, expected[1], rtol=1e-3)


def test_ranks_are_those_of_the_whole_table(in_process):
    table = all_of(in_process)
    good = table[table["error"] == ""]
    top = in_process.top(9)
    assert top["id"].tolist() == good.nlargest(9, "std")["id"].tolist()
    condition = Condition.of(below=-1.0)
    p = condition.probability(good["prediction"], good["std"])
    assert in_process.top(9, condition)["score"].tolist() == sorted(p, reverse=True)[:9]
    own = in_process.top(100, lambda part: -part["prediction"])
    assert own["id"].tolist() == good.sort_values("prediction", kind="stable")["id"].tolist()
    with pytest.raises(ValueError, match='by must be "std"'):
        in_process.top(3, "variance")


def test_screening_in_parts_is_screening_in_memory(in_process):
    condition = Condition.of(below=-1.0)
    parts, memory = (
        in_process.screen(condition, 0.6, 9),
        screen_table(all_of(in_process), condition, 0.6),
    )
    assert str(parts) == str(memory)
    assert (parts.n_found, parts.n_unknown) == (memory.n_found, 3)
    for name in ("table", "edge_cases"):
        pd.testing.assert_frame_equal(getattr(parts, name), getattr(memory, name).head(9))


def test_a_killed_worker_costs_only_its_chunk(model, pool, in_process, dask_client, tmp_path):
    predicted, killed = [], []
    pids = dask_client.run(os.getpid)

    def kill_one(n_records):
        predicted.append(n_records)
        if not killed:
            busy = [address for address, tasks in dask_client.processing().items() if tasks]
            killed.append(pids[busy[0]])
            os.kill(killed[0], signal.SIGKILL)

    found = predict_pool(
        model, pool, tmp_path, chunk_size=3, scheduler=dask_client, progress=kill_one
    )
    dask_client.wait_for_workers(2)
    assert killed[0] not in dask_client.run(os.getpid).values()
    assert sorted(predicted) == [1] + 23 * [3]  # each chunk was written once
    pd.testing.assert_frame_equal(all_of(found), all_of(in_process), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shared", [True, False])
def test_workers_read_and_write_for_themselves(
    model, pool, in_process, dask_client, tmp_path, shared, monkeypatch
):
    """Or are sent what they cannot read, and send what they cannot write."""
    written = []
    if not shared:
        monkeypatch.setattr("skcfgp.screening.run._sees", lambda files: False)
        monkeypatch.setattr("skcfgp.screening.run._predict", _without_folder)
    write = PoolPredictions.write
    monkeypatch.setattr(PoolPredictions, "write", lambda *args: written.append(1) or write(*args))
    found = predict_pool(model, pool, tmp_path, chunk_size=16, scheduler=dask_client)
    assert len(written) == (0 if shared else 5)
    assert found.is_complete
    pd.testing.assert_frame_equal(all_of(found), all_of(in_process), atol=1e-5, rtol=0)


def _without_folder(model, number, chunk, options, out, settings):
    from skcfgp.screening.run import _predict

    assert len(pickle.loads(chunk).read()) <= 16
    return _predict(model, number, chunk, options, out / "not there", settings)


def test_a_stopped_run_goes_on_from_what_is_written(model, pool, in_process, tmp_path):
    class Stop(Exception):  # noqa: N818
        pass

    written = []

    def stop(n_records):
        written.append(n_records)
        if len(written) == 3:
            raise Stop

    with pytest.raises(Stop):
        predict_pool(model, pool, tmp_path, chunk_size=16, progress=stop)
    assert not PoolPredictions(tmp_path).is_complete
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("part-*")}
    assert len(times) == 3
    (tmp_path / "part-000000003.parquet.1.part").write_bytes(b"half of it")
    found = predict_pool(model, pool, tmp_path, chunk_size=16)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "complete.json",
        "manifest.json",
        *(f"part-00000000{i}.parquet" for i in range(5)),
    ]
    pd.testing.assert_frame_equal(all_of(found), all_of(in_process), atol=1e-5, rtol=0)


def test_nothing_else_is_mixed_in(model, pool, in_process, formation_energy, tmp_path):
    other = make_cfgp("formation_energy_1800", recipe="paper values")
    other.fit(formation_energy.structures[:41], formation_energy.target[:41])
    assert model_digest(other) != model_digest(model)
    with pytest.raises(ValueError, match="predictions with another model"):
        predict_pool(other, pool, in_process.folder, chunk_size=16)
    with pytest.raises(ValueError, match="another chunk_size: \\[16\\] there, \\[8\\] now"):
        predict_pool(model, pool, in_process.folder, chunk_size=8)
    copy = tmp_path / "pool.jsonl"
    copy.write_text(pool.read_text() + "{}\n")
    with pytest.raises(ValueError, match="another pool"):
        predict_pool(model, copy, in_process.folder, chunk_size=16)


def test_the_digest_sees_all_that_a_prediction_depends_on(model, calibrated, formation_energy):
    """Crystals, labels, hyper-parameters, calibration; not what changes no prediction."""
    X, y = formation_energy.structures, formation_energy.target

    def fitted(crystals, labels, **parameters):
        other = make_cfgp("formation_energy_1800", recipe="paper values")
        return other.set_params(**parameters).fit(crystals, labels)

    digest = model_digest(model)
    assert model_digest(fitted(X[:40], y[:40])) == digest
    assert model_digest(pickle.loads(pickle.dumps(model))) == digest
    assert model_digest(fitted(X[:40], y[:40], features__verbose=0, features__n_jobs=2)) == digest
    assert model_digest(fitted(X[40:80], y[:40])) != digest  # the values are the same
    assert model_digest(fitted(X[:40], y[40:80])) != digest
    assert model_digest(fitted(X[:40], y[:40], gp__kernel__length_scale=2.4)) != digest
    assert model_digest(fitted(X[:40], y[:40], features__layer="readout_1")) != digest
    digest = model_digest(calibrated)
    other = clone(calibrated).fit(X[:40], y[:40], gp__unseen=np.arange(40) < 30)
    np.testing.assert_array_equal(other.predict(X[:9]), calibrated.predict(X[:9]))
    assert model_digest(other) != digest


def test_a_prediction_changes_no_digest(calibrated, formation_energy):
    digest = model_digest(calibrated)
    calibrated.predict(formation_energy.structures[50:60], return_std=True)
    assert model_digest(calibrated) == digest


def test_a_model_of_other_crystals_is_refused(model, pool, in_process, formation_energy):
    other = make_cfgp("formation_energy_1800", recipe="paper values")
    other.fit(formation_energy.structures[40:80], formation_energy.target[:40])
    with pytest.raises(ValueError, match="predictions with another model"):
        predict_pool(other, pool, in_process.folder, chunk_size=16)


def test_errors(model, pool, tmp_path):
    with pytest.raises(ValueError, match="chunk_size"):
        predict_pool(model, pool, tmp_path, chunk_size=0)
    with pytest.raises(FileNotFoundError, match="holds no predictions"):
        PoolPredictions(tmp_path)
    (tmp_path / "part-000000000.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match="parts without a manifest"):
        predict_pool(model, pool, tmp_path)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match=r"empty\.jsonl holds no crystal"):
        predict_pool(model, tmp_path / "empty.jsonl", tmp_path / "out")


def test_a_scheduler_that_is_not_there_is_named(model, pool, tmp_path, monkeypatch):
    monkeypatch.setattr("skcfgp.screening.run.TIMEOUT", 1)
    with pytest.raises(ConnectionError, match="no scheduler answers at 'tcp:/"):
        predict_pool(model, pool, tmp_path, scheduler="tcp://127.0.0.1:1")


def test_the_command_goes_on_and_tells_what_it_found(formation_energy, pool, tmp_path):
    lines = ["file,energy"]
    for i in range(30):
        formation_energy.structures[i].to(str(tmp_path / f"{i}.vasp"), fmt="poscar")
        lines.append(f"{i}.vasp,{formation_energy.target[i]}")
    (tmp_path / "labelled.csv").write_text("\n".join(lines))
    arguments = ["screen", pool, "--train", tmp_path / "labelled.csv", "--out", tmp_path / "out"]
    arguments = [str(argument) for argument in [*arguments, "--chunk-size", "30", "--top", "5"]]
    first = CliRunner().invoke(main, arguments)
    assert first.exit_code == 1, first.output
    assert "not used: pool:40: " in first.output
    found = PoolPredictions(tmp_path / "out")
    top = pd.read_csv(tmp_path / "out" / "top.csv")
    assert top["id"].tolist() == found.top(5)["id"].tolist()
    again = CliRunner().invoke(main, [*arguments, "--below", "-1"])
    assert again.exit_code == 1, again.output
    assert str(found.screen(Condition.of(below=-1.0))) in again.output
    wrong = CliRunner().invoke(main, ["screen", str(pool), "--below", "0", "--workers", "2"])
    assert "without --out FOLDER" in wrong.output
    assert wrong.exit_code == 2


def test_a_full_disk_is_named_and_what_was_written_is_kept(model, pool, in_process, tmp_path):
    written = []

    def fill(n_records):
        written.append(n_records)
        if len(written) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match=r"part-000000002\.parquet could not be written"):
            predict_pool(model, pool, tmp_path, chunk_size=16, progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(p.name for p in tmp_path.glob("*part*")) == [
        f"part-00000000{i}.parquet" for i in range(2)
    ]
    found = predict_pool(model, pool, tmp_path, chunk_size=16)
    pd.testing.assert_frame_equal(all_of(found), all_of(in_process), atol=1e-5, rtol=0)


@contextmanager
def worker_of(code, **environment):
    """A cluster of one worker in a process that first runs some code."""
    code = f"{code}; from distributed.cli.dask_worker import main; main()"
    options = ["--no-nanny", "--no-dashboard", "--nworkers", "1"]
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
        subprocess.Popen(
            [sys.executable, "-c", code, cluster.scheduler_address, *options],
            stderr=subprocess.DEVNULL,
            env=os.environ | environment,
        ) as worker,
    ):
        try:
            yield client
        finally:
            worker.kill()


def test_workers_with_another_version_are_refused(model, pool, tmp_path):
    (tmp_path / "numpy-0.0.1.dist-info").mkdir()
    (tmp_path / "numpy-0.0.1.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 0.0.1\n")
    with (
        worker_of(f"import sys; sys.path.insert(0, {str(tmp_path)!r})") as client,
        pytest.raises(RuntimeError, match=r"has numpy 0\.0\.1, this process numpy \d"),
    ):
        predict_pool(model, pool, tmp_path / "out", scheduler=client)


def test_workers_without_the_package_are_refused(model, pool, tmp_path):
    without = (
        "import sys, importlib.metadata as m; sys.modules['skcfgp'] = None; v = m.version; "
        "m.version = lambda name: v('no such package' if name == 'skcfgp' else name)"
    )
    with (
        worker_of(without) as client,
        pytest.raises(RuntimeError, match=r"has no skcfgp, this process skcfgp 0\.1"),
    ):
        predict_pool(model, pool, tmp_path, scheduler=client)


def test_a_scheduler_that_goes_is_named_and_what_was_written_is_kept(model, pool, tmp_path):
    """The run ends with an error, and does not wait for ever."""
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**options) as cluster:

        def stop(n_records):
            cluster.close()

        with pytest.raises(ConnectionError, match="the scheduler is gone"):
            predict_pool(
                model,
                pool,
                tmp_path,
                chunk_size=3,
                scheduler=cluster.scheduler_address,
                progress=stop,
            )
    # a worker writes its parts itself, also one that this process has not heard of
    assert 1 <= len(list(tmp_path.glob("part-*.parquet"))) <= 3
    assert not PoolPredictions(tmp_path).is_complete


def test_a_chunk_that_kills_its_workers_is_named(model, pool, in_process, dask_client, tmp_path):
    """The others are written, and the next run does this one."""
    written, pids = [], dask_client.run(os.getpid)

    def allow(n, dask_scheduler):
        """Set how many workers a task may kill."""
        before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, n
        return before

    def kill_one(n_records):
        written.append(n_records)
        if len(written) == 1:
            busy = [address for address, tasks in dask_client.processing().items() if tasks]
            os.kill(pids[busy[0]], signal.SIGKILL)

    before = dask_client.run_on_scheduler(allow, 0)
    try:
        with pytest.raises(RuntimeError, match="chunks killed their workers repeatedly"):
            predict_pool(
                model, pool, tmp_path, chunk_size=3, scheduler=dask_client, progress=kill_one
            )
    finally:
        dask_client.run_on_scheduler(allow, before)
        dask_client.wait_for_workers(2)
    # a worker may be killed after it has written its part, and before it could say so
    assert 20 <= len(written) <= len(list(tmp_path.glob("part-*.parquet"))) <= 24
    assert not PoolPredictions(tmp_path).is_complete
    found = predict_pool(model, pool, tmp_path, chunk_size=3)
    assert found.is_complete
    pd.testing.assert_frame_equal(all_of(found), all_of(in_process), atol=1e-5, rtol=0)
