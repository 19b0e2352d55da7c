"""One SQLite file: events that are only ever appended, and the crystals that they are about.

Nothing but events changes the state of a campaign. Each verb is one transaction: it is in the file
altogether, on the disk, or not at all.
"""

import getpass
import json
import socket
import sqlite3
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from .damage import DamagedCampaignError, check_order, event_content
from .state import replay

FILE_NAME = "campaign.sqlite"

#: Marks the file, in its header, as a campaign.
APPLICATION_ID = 0x736B6366

#: Errors of SQLite when it writes, and when it finds less than it wrote.
_WRITE_FAILED = ("WRITE", "FSYNC", "TRUNCATE", "SHMOPEN", "SHMSIZE")
_CUT = ("SHORT_READ", "CORRUPTFS", "DATA")

_EVENTS = "SELECT number, time, who, verb, version, content FROM events"

_NEVER = "BEGIN SELECT RAISE(ABORT, 'a campaign only ever appends'); END"

#: SQL that leads from each version of the format to the next; version n is after the first n.
MIGRATIONS = (
    [
        """CREATE TABLE events (
            number INTEGER PRIMARY KEY,
            time TEXT NOT NULL,
            who TEXT NOT NULL,
            verb TEXT NOT NULL,
            version TEXT NOT NULL,
            content TEXT NOT NULL
        )""",
        """CREATE TABLE crystals (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            event INTEGER NOT NULL REFERENCES events (number),
            formula TEXT NOT NULL,
            n_sites INTEGER NOT NULL,
            cost REAL NOT NULL,
            digest TEXT NOT NULL
        )""",
        """CREATE TABLE structures (
            position INTEGER PRIMARY KEY REFERENCES crystals (position),
            structure TEXT NOT NULL
        )""",
        """CREATE TABLE features (
            position INTEGER PRIMARY KEY REFERENCES crystals (position),
            vector BLOB NOT NULL
        )""",
        """CREATE TABLE predictions (
            event INTEGER NOT NULL REFERENCES events (number),
            position INTEGER NOT NULL REFERENCES crystals (position),
            mean REAL NOT NULL,
            std REAL NOT NULL,
            PRIMARY KEY (event, position)
        ) WITHOUT ROWID""",
        # Hyper-parameters that were searched for: they follow from the labels, so this saves time.
        "CREATE TABLE fits (labels TEXT PRIMARY KEY, theta TEXT NOT NULL) WITHOUT ROWID",
        *(
            f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} {_NEVER}"
            for table in ("events", "crystals", "structures", "features", "predictions")
            for verb in ("UPDATE", "DELETE")
        ),
    ],
)


class Event(NamedTuple):
    """One entry of the history."""

    number: int
    time: str
    who: str
    verb: str
    version: str
    content: dict[str, Any]


class Ledger:
    """The file as one transaction sees it; events and state are read once, when first used."""

    def __init__(self, connection, path):
        self.connection = connection
        self.path = path

    @property
    def n_events(self):
        """Number of events in the file."""
        return self.connection.execute("SELECT COUNT(*) FROM events").fetchone()[0]

    @cached_property
    def events(self):
        """All events, in order."""
        rows = self.connection.execute(f"{_EVENTS} ORDER BY number")
        return [self._event(row) for row in rows]

    def _event(self, row):
        number, time, _, verb, _, text = row
        return Event(*row[:5], event_content(self.path, number, time, verb, text))

    @cached_property
    def ids(self):
        """Ids of all crystals, in the order in which they came in."""
        query = "SELECT id FROM crystals ORDER BY position"
        return [id_ for (id_,) in self.connection.execute(query)]

    def formulas(self):
        """Read the formula of each crystal, by id."""
        return dict(self.connection.execute("SELECT id, formula FROM crystals"))

    @property
    def settings(self):
        """Settings of the campaign, without replaying its events."""
        row = self.connection.execute(f"{_EVENTS} WHERE number = 1 AND verb = 'init'").fetchone()
        if row is None:
            raise DamagedCampaignError(self.path, "event 1", "it is not 'init'")
        return self._event(row).content["settings"]

    @cached_property
    def state(self):
        """State after all events."""
        return self.state_at()

    def state_at(self, number=None):
        """State after the event of a number; after all of them without one."""
        ids, query = {}, "SELECT id, event FROM crystals ORDER BY position"
        for id_, event in self.connection.execute(query):
            ids.setdefault(event, []).append(id_)
        check_order(self.path, self.events, ids)
        events = [event for event in self.events if number is None or event.number <= number]
        if not events:
            raise ValueError(f"there is no event {number}: the first one is 1.")
        return replay(events, ids)

    def append(self, verb, content):
        """Append an event with a content of plain JSON values; return its number."""
        from .. import __version__

        number = self.n_events + 1
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        row = (number, now, _whoami(), verb, __version__, json.dumps(content, allow_nan=False))
        self.connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)
        return number


class Store:
    """The file of a campaign.

    Parameters
    ----------
    folder : str or Path
        Folder with the file ``campaign.sqlite``.
    timeout : float, default=600.0
        Seconds to wait for another process that is writing.
    migrations : sequence of list of str, default=MIGRATIONS
        SQL that leads from each version of the format to the next.
    """

    def __init__(self, folder, timeout=600.0, migrations=MIGRATIONS):
        self.path = Path(folder).expanduser() / FILE_NAME
        self.timeout = timeout
        self.migrations = migrations

    @contextmanager
    def reading(self):
        """Give a `Ledger` for one consistent look at the file; others may write meanwhile."""
        with self._connection(create=False) as connection:
            connection.execute("BEGIN")
            yield self._ledger(connection)

    @contextmanager
    def writing(self, create=False):
        """Give a `Ledger` for one transaction; nobody else writes meanwhile.

        When the ``with`` block ends without an exception, what it wrote is on the disk. With
        `create` there must not be a campaign yet.
        """
        with self._connection(create) as connection:
            self._begin(connection)
            yield self._ledger(connection, create)
            connection.execute("COMMIT")

    def _ledger(self, connection, create=False):
        ledger = Ledger(connection, self.path)
        if create and ledger.n_events:
            raise FileExistsError(
                f"there is a campaign in {self.path.parent} already. Go on with it, or choose "
                "another name."
            )
        if not create and not ledger.n_events:
            raise ValueError(self._interrupted)
        return ledger

    @property
    def _interrupted(self):
        return (
            f"{self.path} holds no campaign: 'campaign init' was interrupted, or the file was "
            "emptied. Run 'campaign init' again, or put back a copy of it."
        )

    @contextmanager
    def _connection(self, create):
        if self.path.exists():
            self._look()
        elif not create:
            raise FileNotFoundError(
                f"there is no campaign in {self.path.parent}; make one with 'campaign init'."
            )
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = sqlite3.connect(self.path, timeout=0.2, isolation_level=None)
            try:
                self._prepare(connection, create)
                yield connection
            finally:
                connection.close()  # an open transaction is rolled back
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _look(self):
        """Raise if the file is of another program, without changing it or waiting for it."""
        if not self.path.is_file():
            raise ValueError(f"{self.path} is not a file.")
        with self.path.open("rb") as file:
            header = file.read(72)
        if not header or header[68:72] == APPLICATION_ID.to_bytes(4, "big"):
            return
        try:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=self.timeout)
            try:
                if self._version(connection) == 0:
                    self._refuse_tables(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _refuse_tables(self, connection):
        """Raise if a file that nobody has marked holds something."""
        if names := [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]:
            raise ValueError(
                f"{self.path} is a file of another program: it has {', '.join(names[:5])}. Choose "
                "another folder."
            )

    def _failed(self, error):
        return OSError(
            f"the campaign file {self.path} cannot be used, and was not changed: {_in_words(error)}"
        )

    def _prepare(self, connection, create):
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # for macOS
        version = self._version(connection)
        if version == 0 and not create:
            raise ValueError(self._interrupted)
        if version < len(self.migrations):
            self._wait_for_lock(lambda: connection.execute("PRAGMA journal_mode = WAL"))
            self._migrate(connection)

    def _version(self, connection):
        version, mark = (
            self._wait_for_lock(
                lambda name=name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            )
            for name in ("user_version", "application_id")
        )
        if mark not in (0, APPLICATION_ID) or (version and not mark):
            raise ValueError(f"{self.path} is a file of another program.")
        if version > len(self.migrations):
            raise ValueError(
                f"{self.path} was written by a newer skcfgp: it has version {version} of the "
                f"format, and this one knows up to {len(self.migrations)}. Upgrade skcfgp."
            )
        return version

    def _migrate(self, connection):
        """Bring the file to the newest version, at once or not at all."""
        self._begin(connection)
        for version in range(self._version(connection), len(self.migrations)):
            for statement in self.migrations[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")

    def _begin(self, connection):
        self._wait_for_lock(lambda: connection.execute("BEGIN IMMEDIATE"))

    def _wait_for_lock(self, action):
        """Wait in short naps, between which an interrupt is heard."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                locked = "locked" in str(error) or "busy" in str(error)
                if not locked or time.monotonic() > end:
                    raise
            time.sleep(0.01)


def _in_words(error):
    """Say what an error of SQLite means for a campaign, and what to do."""
    message = str(error)
    # Python 3.10 has no names of errors; there a disk that fails may be a full one.
    name = getattr(error, "sqlite_errorname", "WRITE" if "disk I/O" in message else "")
    short = name.removeprefix("SQLITE_IOERR_")
    if "is full" in message or short in _WRITE_FAILED:
        return "it could not be written. Is the disk full?"
    if "not a database" in message:
        return "it was overwritten, or is not a campaign. Put back a copy of it."
    if "readonly" in message or "unable to open" in message:
        return "it could not be opened for writing. Is the folder read-only?"
    if "locked" in message:
        return "it is locked, since another process is writing. Try again."
    if short != name and short not in _CUT:
        return f"the file system failed ({name}). Is it a network file system?"
    # Also a table or column that is missing, and text that is not UTF-8.
    return "it is damaged: was it cut or edited? Put back a copy of it."


def _whoami():
    """Name the person and the machine: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without an entry for the user
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
