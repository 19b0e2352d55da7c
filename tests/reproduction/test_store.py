"""Stages on disk: a run goes on where it stopped, and runs again only what it must."""

import numpy as np
import pytest

from skcfgp.reproduction import Settings, store
from skcfgp.reproduction.store import Stage, run_stages


class Counted:
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
            Stage("first", work("first")),
            Stage("second", work("second"), settings=["orders"]),
            Stage("third", work("third"), settings=["orders", "grid"]),
        ]


class Named:
    def digest(self):
        return "data"


def test_stages_resume_and_run_again_only_if_they_must(tmp_path):
    counted, lines = Counted(), []

    def run(**settings):
        counted.calls.clear()
        return run_stages(counted.stages(), Settings(**settings), Named(), tmp_path, lines.append)

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
    run(orders=3, grid=9)
    assert counted.calls == ["third"]
    run(orders=3, epochs=7)
    assert counted.calls == ["first", "second", "third"]  # all need the network
    whole = (tmp_path / "second.npz").read_bytes()
    for torn in (b"torn", b"", whole[:200]):
        (tmp_path / "second.npz").write_bytes(torn)
        (tmp_path / "third.npz").unlink()
        run(orders=3, epochs=7)
        assert counted.calls == ["second", "third"]
    assert not list(tmp_path.glob("*.part*"))


def test_results_come_back_as_they_were(tmp_path):
    kept = {
        "fits": {"paper": {"X": np.arange(6.0).reshape(2, 3)}, "names": ["a"]},
        "paths": [{"start": [1.0, 1.0], "path": np.zeros((0, 2))}],
        "curves": [{"order": None, "mae": np.array([0.5, np.nan])}],
        "records": {"errors": [{"mae": np.float64(0.1), "n": np.int64(3), "last": None}]},
        "best": (1.0, 2.0),
    }
    stages = [Stage("first", lambda *_: kept)]
    for _ in range(2):  # made, and read
        result = run_stages(stages, Settings(), Named(), tmp_path, print)["first"]
        np.testing.assert_array_equal(result["fits"]["paper"]["X"], kept["fits"]["paper"]["X"])
        assert result["paths"][0]["path"].shape == (0, 2)
        np.testing.assert_array_equal(result["curves"][0]["mae"], [0.5, np.nan])
        assert result["records"] == {"errors": [{"mae": 0.1, "n": 3, "last": None}]}
        assert result["best"] == [1.0, 2.0]
        assert result["warnings"] == []


def test_what_cannot_be_kept_is_named(tmp_path):
    stages = [Stage("first", lambda *_: {"value": object()})]
    with pytest.raises(TypeError, match="cannot keep a object"):
        run_stages(stages, Settings(), Named(), tmp_path, print)
    assert not list(tmp_path.iterdir())


def test_a_stored_stage_of_another_version_is_made_again(tmp_path, monkeypatch):
    lines, counted = [], Counted()
    run_stages(counted.stages(), Settings(), Named(), tmp_path, lines.append)
    monkeypatch.setattr(store, "VERSION", "0.0.1, format 1")
    counted.calls.clear()
    lines.clear()
    run_stages(counted.stages(), Settings(), Named(), tmp_path, lines.append)
    assert counted.calls == ["first", "second", "third"]
    assert lines[0] == "[1/3] first ... (again: version, data or settings differ)"
