"""Stages on disk: a run goes on where it stopped, and runs again only what it must."""

import json

import numpy as np
import pandas as pd
import pytest

from skcfgp.reproduction import Settings
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
            Stage("first", work("first"), settings=["epochs"]),
            Stage("second", work("second"), settings=["orders"], needs=["first"]),
            Stage("third", work("third"), settings=["orders"]),
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
    run(orders=3, epochs=7)
    assert counted.calls == ["first", "second"]  # what the second needs has changed
    whole = (tmp_path / "second.npz").read_bytes()
    for torn in (b"torn", b"", whole[:200]):
        (tmp_path / "second.npz").write_bytes(torn)
        (tmp_path / "third.json").write_text('{"digest"')
        run(orders=3, epochs=7)
        assert counted.calls == ["second", "third"]
    assert not list(tmp_path.glob("*.part*"))


def test_results_come_back_as_they_were(tmp_path):
    frame = pd.DataFrame({"name": ["a", "bc"], "order": [0, 1], "mae": [0.5, np.nan]})
    kept = {
        "fits": {"paper": {"X": np.arange(6.0).reshape(2, 3)}, "names": ["a"]},
        "paths": [{"start": [1.0, 1.0], "path": np.zeros((0, 2))}],
        "curves": frame,
        "records": {"errors": [{"mae": np.float64(0.1), "n": np.int64(3), "last": None}]},
        "best": (1.0, 2.0),
    }
    stages = [Stage("first", lambda *_: kept)]
    for _ in range(2):  # made, and read
        result = run_stages(stages, Settings(), Named(), tmp_path, print)["first"]
        np.testing.assert_array_equal(result["fits"]["paper"]["X"], kept["fits"]["paper"]["X"])
        assert result["paths"][0]["path"].shape == (0, 2)
        pd.testing.assert_frame_equal(result["curves"], frame, check_dtype=False)
        assert result["records"] == {"errors": [{"mae": 0.1, "n": 3, "last": None}]}
        assert result["best"] == [1.0, 2.0]
        assert result["warnings"] == []


def test_what_cannot_be_kept_is_named(tmp_path):
    stages = [Stage("first", lambda *_: {"value": object()})]
    with pytest.raises(TypeError, match="cannot keep a object"):
        run_stages(stages, Settings(), Named(), tmp_path, print)
    assert not list(tmp_path.iterdir())


def test_a_stored_stage_of_another_version_is_named_and_made_again(tmp_path):
    lines, counted = [], Counted()

    def run():
        counted.calls.clear()
        lines.clear()
        run_stages(counted.stages(), Settings(), Named(), tmp_path, lines.append)

    run()
    path = tmp_path / "first.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"digest": "0" * 32, "version": "0.0.1, format 1"}))
    run()
    assert counted.calls == ["first"]
    assert lines[0] == "[1/3] first ... (again: the stored result is of 0.0.1, format 1)"
    del content["version"]  # as a version that did not write it
    path.write_text(json.dumps(content | {"digest": "0" * 32}))
    run()
    assert lines[0] == "[1/3] first ... (again: the stored result is of an older version)"
