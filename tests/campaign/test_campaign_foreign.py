"""Files of other programs are left as they are; damaged campaigns are refused in one line."""

import json
import os
import random
import re
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from skcfgp.campaign import Campaign


@pytest.fixture(scope="module")
def template(tmp_path_factory, formation_energy):
    """A campaign with an event of each verb, in one file without a log beside it."""
    folder = tmp_path_factory.mktemp("template") / "campaign"
    ids = [f"c{i}" for i in range(30)]
    campaign = Campaign.init(
        folder,
        pd.Series(formation_energy.structures[:30], ids),
        target="energy",
        unit="eV/atom",
        recipe="composition",
        random_fraction=0.3,
        until=["labels >= 100"],
        labelled=dict(zip(ids[:6], formation_energy.target[:6], strict=True)),
    )
    picks = campaign.suggest(4)
    campaign.tell({pick["id"]: 0.5 for pick in picks[:2]})
    campaign.fail(picks[2]["id"], "time limit")
    campaign.release(picks[3]["id"])
    campaign.predict()
    campaign.suggest(2)
    campaign.undo()
    with sqlite3.connect(campaign.store.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return folder


@pytest.fixture
def folder(template, tmp_path):
    return Path(shutil.copytree(template, tmp_path / "campaign"))


#: What SQLite and Python say of such files, which tells a user nothing.
JARGON = {"malformed", "image", "i/o", "encrypted", "column", "delimiter", "utf-8"}


def foreign(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path.read_bytes()


FOREIGN = {
    "a table": ["CREATE TABLE cells (x)"],
    "a table of one of our names": ["CREATE TABLE events (x)"],
    "marked by its program": ["PRAGMA application_id = 7"],
    "with a version": ["PRAGMA user_version = 3", "CREATE TABLE cells (x)"],
    "in WAL mode": ["PRAGMA journal_mode = WAL", "CREATE TABLE cells (x)"],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_program_stays_as_it_is(tmp_path, crystals, kind):
    before = foreign(tmp_path / "campaign.sqlite", *FOREIGN[kind])
    pool = {"a": crystals[0][0], "b": crystals[0][1]}
    for work in (
        lambda: Campaign.init(tmp_path, pool, target="e", unit="eV", recipe="composition"),
        lambda: Campaign(tmp_path).status(),
    ):
        with pytest.raises(ValueError, match="a file of another program"):
            work()
        assert (tmp_path / "campaign.sqlite").read_bytes() == before


@pytest.mark.posix
def test_what_is_not_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "campaign.sqlite")
    with pytest.raises(ValueError, match="is not a file"):
        Campaign(tmp_path)


def test_an_init_that_was_interrupted_can_be_run_again(tmp_path, crystals):
    foreign(tmp_path / "campaign.sqlite", "PRAGMA journal_mode = WAL")
    pool = {"a": crystals[0][0], "b": crystals[0][1]}
    Campaign.init(tmp_path, pool, target="e", unit="eV", recipe="composition")
    assert Campaign(tmp_path).state().ids == ["a", "b"]


def change(folder, statement, *values):
    """Change what a campaign never changes, as a person with an editor would."""
    with sqlite3.connect(folder / "campaign.sqlite") as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement, values)
    connection.close()


def use(folder):
    campaign = Campaign(folder)
    campaign.status()
    campaign.history()
    campaign.suggest(2)
    campaign.tell({campaign.state().pool[0]: 1.0})
    campaign.predict()
    campaign.report(folder / "report.html")
    for id_ in campaign.state().ids:
        campaign.structure(id_)


def refused(folder):
    """Use a campaign; return the one line that says what is wrong with it, None if nothing is."""
    try:
        use(folder)
    except (OSError, ValueError) as error:
        found = str(error)
    else:
        return None
    assert "\n" not in found
    assert str(folder / "campaign.sqlite") in found
    return found


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE events SET content = '{\"rows\": [' WHERE number = 3",
            r"event 3 \(tell\): .*JSON",
        ),
        ("UPDATE events SET verb = 'guess' WHERE number = 2", "event 2: there is no verb 'guess'"),
        ("UPDATE events SET time = 'noon' WHERE number = 4", r"event 4 \(tell\): the field 'time'"),
        ("DELETE FROM events WHERE number = 3", "event 3 is missing"),
        ("DELETE FROM events WHERE number = 1", "event 1: it is not 'init'"),
        ("UPDATE events SET number = 20 WHERE number = 1", "event 1: it is not 'init'"),
        (
            "UPDATE events SET content = json_set(content, '$.rows[0].value', 'high') "
            "WHERE number = 3",
            r"event 3 \(tell\): the field 'rows\[0\].value' must be a finite number, got 'high'",
        ),
        (
            "UPDATE events SET content = json_remove(content, '$.picks[1].arm') WHERE number = 2",
            r"event 2 \(suggest\): the field 'picks\[1\].arm' is missing",
        ),
        (
            "UPDATE events SET content = json_set(content, '$.settings.strategy', 'best') "
            "WHERE number = 1",
            r"event 1 \(init\): the field 'settings.strategy' must be one of",
        ),
        (
            "UPDATE events SET content = json_set(content, '$.event', 2) WHERE verb = 'undo'",
            "the field 'event' must be the number of a 'tell' before, got 2",
        ),
        ("DELETE FROM crystals WHERE id = 'c0'", r"event 1 \(init\): .*'c0', and there is no such"),
        ("UPDATE crystals SET cost = 'dear' WHERE id = 'c9'", "the cost of 'c9'"),
        (
            "UPDATE features SET vector = x'00' WHERE position = 4",
            "features of 'c4': they were cut",
        ),
        ("DELETE FROM features WHERE position = 4", "the table 'features': there are 29 for 30"),
        ("UPDATE structures SET structure = '{' WHERE position = 29", "the structure of 'c29'"),
        ("DELETE FROM structures WHERE position = 29", "the structure of 'c29': it is missing"),
    ],
)
def test_a_campaign_that_was_edited_is_refused_by_event_and_field(folder, statement, message):
    change(folder, statement)
    found = refused(folder)
    assert re.search(message, found), found
    assert "disk full" not in found


def test_hyper_parameters_that_cannot_be_read_are_searched_for_again(folder, tmp_path):
    campaign = Campaign(folder)
    campaign.tell({id_: k / 10 for k, id_ in enumerate(campaign.state().pool[:15])})
    campaign.suggest()
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    change(other, "UPDATE fits SET theta = '[1, 2'")
    assert Campaign(other).suggest(2) == campaign.suggest(2)


def test_a_campaign_that_was_cut_is_refused_in_one_line(folder, nightly):
    path = folder / "campaign.sqlite"
    whole = path.read_bytes()
    for part in range(1, 100, 3 if nightly else 24):
        path.write_bytes(whole[: len(whole) * part // 100])
        found = refused(folder)
        assert found is not None, part
        assert "disk full" not in found
        assert not JARGON & set(found.lower().replace(".", " ").split()), found
        assert "ut back a copy of" in found
    path.write_bytes(whole)
    assert refused(folder) is None


def mutated(content, rng):
    """Take away or replace one value somewhere in plain JSON."""
    places = []

    def walk(value):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            places.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    walk(content)
    place, key = rng.choice(places)
    if rng.random() < 0.4:
        del place[key]
    else:
        place[key] = rng.choice([None, "x", -1, 10**400, [], {}, True, "c0", 1e308])
    return content


def test_a_campaign_with_any_value_changed_is_used_or_refused_in_one_line(folder, nightly):
    rng = random.Random(0)
    path = folder / "campaign.sqlite"
    whole = path.read_bytes()
    events = Campaign(folder).history()
    n_refused = 0
    for _ in range(300 if nightly else 25):
        event = rng.choice(events)
        text = json.dumps(mutated(json.loads(json.dumps(event.content)), rng))
        change(folder, "UPDATE events SET content = ? WHERE number = ?", text, event.number)
        n_refused += refused(folder) is not None
        path.write_bytes(whole)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    assert n_refused > 5
