"""What was acknowledged is never lost: real processes, killed, at once, and out of disk."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from skcfgp.campaign import Campaign
from skcfgp.campaign.store import MIGRATIONS, Store
from skcfgp.datasets import load_formation_energy

pytestmark = pytest.mark.posix

SCRIPT = Path(__file__).with_name("campaign_processes.py")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A campaign of 400 crystals, none labelled by random draws, so that a verb is quick."""
    data = load_formation_energy(split="train", structures="arrays")
    pool = pd.Series(data.structures[:400], data.material_id[:400].astype(object))
    folder = tmp_path_factory.mktemp("template") / "campaign"
    Campaign.init(
        folder,
        pool,
        target="energy",
        unit="eV/atom",
        recipe="composition",
        strategy="random_sampling",
        labelled=dict(zip(pool.index[:5], data.target[:5], strict=True)),
    )
    return folder


@pytest.fixture
def folder(template, tmp_path):
    return Path(shutil.copytree(template, tmp_path / "campaign"))


@pytest.fixture(scope="module")
def run(template):
    """Run a task of `campaign_processes` in a process of its own; return the lines it prints."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(template)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def run(name, folder, number):
            print(json.dumps([name, str(folder), number]), file=process.stdin, flush=True)
            lines = []
            while not (line := process.stdout.readline().rstrip("\n")).startswith("end "):
                assert process.poll() is None or line, "the process has ended"
                lines.append(line)
            assert line == "end 0", lines
            return lines

        yield run
        process.stdin.close()


def check_intact(folder):
    connection = sqlite3.connect(folder / "campaign.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def verb_and_ids(event):
    """What a worker would have acknowledged."""
    content = event.content
    if event.verb == "suggest":
        return ["suggest", [pick["id"] for pick in content["picks"]]]
    if event.verb == "release":
        return ["release", content["ids"]]
    if event.verb == "undo":
        return ["undo", content["event"]]
    if content["failed"]:
        return ["fail", [row["id"] for row in content["failed"]]]
    return ["tell", [row["id"] for row in content["rows"]]]


def test_killed_at_random_moments_nothing_acknowledged_is_lost(folder, run, nightly):
    n_kills = 120 if nightly else 35
    lines = [json.loads(line) for line in run("kill", folder, n_kills)]
    assert sum(number == 9 for *_, number in lines) >= (100 if nightly else 30)
    check_kills(folder, lines)
    events = Campaign(folder).history()[1:]
    assert len(events) > n_kills * 5 // 6
    from campaign_processes import value_of

    state = Campaign(folder).state()
    told = [id_ for id_ in state.labels if id_ in state.arms]
    assert len(told) > n_kills // 6
    assert all(state.labels[id_] == value_of(id_) for id_ in told)


def test_killed_while_writing_an_event_is_there_altogether_or_not_at_all(folder, run, nightly):
    n_kills = 100 if nightly else 10
    lines = [json.loads(line) for line in run("kill_while_writing", folder, n_kills)]
    assert len(lines) == n_kills + 1
    n_unacknowledged = check_kills(folder, lines)
    if nightly:  # some were killed after the end of the transaction, and before they could say so
        assert n_unacknowledged > 0


def check_kills(folder, lines):
    """Compare what workers acknowledged with the events; count those that nobody acknowledged."""
    events = Campaign(folder).history()[1:]
    position, n_unacknowledged = 0, 0
    for done, counts, n_crystals, n_events, _ in lines:
        assert sum(counts.values()) == n_crystals == 400  # the ledger, after every kill
        of_worker = [verb_and_ids(event) for event in events[position : n_events - 1]]
        position = n_events - 1
        # At most the verb that was being acknowledged is there without an acknowledgement.
        assert of_worker[: len(done)] == done
        assert len(of_worker) - len(done) in (0, 1)
        n_unacknowledged += len(of_worker) - len(done)
    assert position == len(events)
    check_intact(folder)
    return n_unacknowledged


def test_two_processes_at_once(folder, run, nightly):
    (line,) = run("race", folder, 60 if nightly else 30)
    done, statuses = json.loads(line)
    assert statuses == [0, 0]
    assert min(map(len, done)) > 2
    events = [verb_and_ids(event) for event in Campaign(folder).history()[1:]]
    assert sorted(map(str, events)) == sorted(str(d) for of in done for d in of)
    waited_for = set()
    for verb, ids in events:  # nothing is suggested while somebody works on it
        if verb == "suggest":
            assert not waited_for & set(ids)
            waited_for |= set(ids)
        elif verb == "release":
            waited_for -= set(ids)
        elif verb == "undo":
            break
    assert sum(Campaign(folder).state().counts().values()) == 400
    check_intact(folder)


def test_a_label_does_not_wait_for_a_suggestion(folder, run):
    (line,) = run("tell_while_suggesting", folder, 2)
    waited, status, told, done = json.loads(line)
    assert waited < 1
    assert status == 0
    # It was computed twice: the second time with the labels that had come.
    assert [what for what, *_ in done] == ["computing", "suggest"]
    history = Campaign(folder).history()
    assert [event.verb for event in history] == ["init", "tell", "suggest"]
    picks = [pick["id"] for pick in history[-1].content["picks"]]
    assert picks == done[-1][1]
    assert not set(picks) & set(told)
    assert set(told) <= set(Campaign(folder).state().labels)
    check_intact(folder)


def test_the_next_suggestion_after_a_crash_is_that_of_an_uninterrupted_run(run, tmp_path, nightly):
    """Bit for bit: ids, predictions, reasons."""
    data = load_formation_energy(split="train", structures="arrays")
    pool = pd.Series(data.structures[:200], data.material_id[:200].astype(object))
    start = tmp_path / "start"
    campaign = Campaign.init(
        start,
        pool,
        target="energy",
        unit="eV/atom",
        recipe="composition",
        random_fraction=0.34,
        labelled=dict(zip(pool.index[:40], data.target[:40], strict=True)),
    )
    lines = [json.loads(line) for line in run("resume", start, 12 if nightly else 8)]
    campaign.suggest(3)
    expected = campaign.history()[-1].content["picks"]
    assert [pick["arm"] for pick in expected] == ["strategy", "strategy", "random"]
    assert sum(interrupted for interrupted, _ in lines) >= 2
    for _, picks in lines:
        assert picks == expected


def test_a_full_disk_is_an_error_and_leaves_the_file_intact(folder, run):
    before = Campaign(folder).state()
    for limit in (0, 4096, 12_000):
        lines = run("full", folder, limit)
        assert len(lines) == 2
        assert all("cannot be used" in line and "disk full" in line for line in lines), lines
        check_intact(folder)
        assert Campaign(folder).state() == before
    Campaign(folder).suggest()


def test_a_read_only_folder_is_an_error_and_leaves_the_file_intact(template, run):
    """Root may write anywhere, so the process becomes nobody, in a folder that nobody may read."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        folder = Path(shutil.copytree(template, place / "campaign"))
        before = Campaign(folder).state()
        place.chmod(0o755)
        (folder / "campaign.sqlite").chmod(0o444)
        folder.chmod(0o555)
        try:
            lines = run("read_only", folder, 65534 if os.getuid() == 0 else 0)
        finally:
            folder.chmod(stat.S_IRWXU)
            (folder / "campaign.sqlite").chmod(0o644)
        assert len(lines) == 2
        assert all("cannot be used" in line and "read-only" in line for line in lines)
        assert Campaign(folder).state() == before
        check_intact(folder)


def test_migration_is_all_or_nothing(folder):
    before = Campaign(folder).state()
    more = (*MIGRATIONS, ["CREATE TABLE notes (text TEXT)", "INSERT INTO notes VALUES ('new')"])
    broken = (*MIGRATIONS, ["CREATE TABLE half (text TEXT)", "INSERT INTO nowhere VALUES (1)"])
    with (
        pytest.raises(OSError, match="it is damaged"),
        Store(folder, migrations=broken).reading(),
    ):
        pass
    assert Campaign(folder).state() == before
    with Store(folder, migrations=more).reading() as ledger:
        execute = ledger.connection.execute
        assert execute("SELECT text FROM notes").fetchall() == [("new",)]
        assert execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
        assert len(ledger.events) == before.n_events
    with pytest.raises(ValueError, match=r"newer skcfgp.*Upgrade"):
        Campaign(folder)


def test_the_file_is_as_durable_as_sqlite_can_make_it(folder):
    with Store(folder).writing() as ledger:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert ledger.connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_an_exception_rolls_back(folder):
    def interrupted():
        with Store(folder).writing() as ledger:
            ledger.append("release", {"ids": []})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Campaign(folder).state().n_events == 1


def test_files_that_are_no_campaign(tmp_path):
    path = tmp_path / "campaign.sqlite"
    with pytest.raises(FileNotFoundError, match="campaign init"):
        Campaign(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="was interrupted"):
        Campaign(tmp_path)
    path.write_bytes(b"something else, and longer than the header of a database" * 10)
    with pytest.raises(OSError, match=r"is not a campaign\. Put back a copy of it\.$"):
        Campaign(tmp_path)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE t (x); PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(ValueError, match="another program"):
        Campaign(tmp_path)


def test_waiting_for_another_writer_ends(folder):
    with (
        Store(folder).writing(),
        pytest.raises(OSError, match="locked"),
        Store(folder, timeout=0.3).writing(),
    ):
        pass
