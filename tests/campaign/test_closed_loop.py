"""The examples of a closed loop run from start to end, also when they are stopped half-way."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skcfgp.campaign import Campaign

EXAMPLES = Path(__file__).parents[2] / "docs" / "closed_loop"


def run(*command, **options):
    """Run a program with this Python first on the path; return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(EXAMPLES.parents[1])}
    options = {"text": True, "capture_output": True, "env": environment} | options
    return subprocess.run([str(part) for part in command], **options)


def check_labels(campaign):
    """Check each label against the calculation, and that what failed could not be computed."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        from alloys import crystals, energy_per_atom
    finally:
        sys.path.remove(str(EXAMPLES))
    state, pool = campaign.state(), crystals()
    assert state.labels == pytest.approx({id_: energy_per_atom(pool[id_]) for id_ in state.labels})
    assert all("Rh" in id_ for id_ in state.failures)
    assert sum(state.counts().values()) == len(pool) == 84


@pytest.mark.posix
def test_queue_in_a_folder(tmp_path):
    run(sys.executable, EXAMPLES / "alloys.py", tmp_path / "crystals", check=True)
    folder, queue = tmp_path / "alloys", tmp_path / "queue"
    pool = [tmp_path / "crystals"]
    rule = "labels >= 4"
    Campaign.init(folder, pool, target="energy", unit="eV/atom", recipe="composition", until=[rule])
    Campaign(folder).suggest(2, out=queue)  # as a script that was killed after `suggest`
    for _ in range(6):
        done = run("sh", EXAMPLES / "queue.sh", folder, queue, 2)
        if done.returncode:
            break
    assert done.returncode == 1
    assert rule in done.stderr
    check_labels(Campaign(folder))
    assert len(Campaign(folder).state().labels) >= 4
    assert not Campaign(folder).state().pending
    with (queue / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    state = Campaign(folder).state()
    assert {row["file"].removesuffix(".cif") for row in rows} == {*state.labels, *state.failures}


def test_jobs_of_jobflow(tmp_path):
    pytest.importorskip("jobflow")
    command = [sys.executable, EXAMPLES / "campaign_with_jobflow.py", tmp_path / "alloys", 12]
    path = f"{EXAMPLES}{os.pathsep}{EXAMPLES.parents[1]}"
    options = {"env": os.environ | {"PYTHONPATH": path}, "cwd": tmp_path, "text": True}
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, **options) as process:
        assert process.stdout.readline().startswith("{'labelled'")
        process.kill()  # somewhere in the second round
    kept = Campaign(tmp_path / "alloys").state()
    assert 0 < len(kept.labels) < 12
    done = run(*command, **options)
    assert done.returncode == 0, done.stderr
    assert "labels >= 12" in done.stdout
    campaign = Campaign(tmp_path / "alloys")
    check_labels(campaign)
    assert kept.labels.items() <= campaign.state().labels.items()
    assert not campaign.state().pending
