"""One SQLite file: events that are only ever appended, and the crystals that they speak of.

Nothing but events changes the state of a campaign, so the state is what comes out of replaying
them. Each verb is one transaction: it is in the file altogether, on the disk, or not at all.
"""

import getpass
import json
import socket
import sqlite3
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

__all__ = ["FILE_NAME", "MIGRATIONS", "Event", "Store", "append_event", "read_events"]

FILE_NAME = "campaign.sqlite"

#: Marks the file as one of a campaign, in its header.
APPLICATION_ID = 0x736B6366

_NEVER = "BEGIN SELECT RAISE(ABORT, 'a campaign only ever appends'); END"

#: What makes each version of the format from the one before. Version n is that after the first n.
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
    content: dict


class Store:
    """The file of a campaign.

    Parameters
    ----------
    folder : str or Path
        Of the campaign; the file in it is ``campaign.sqlite``.
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
        """Connect, for one consistent look at the file."""
        with self._connection(create=False) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self, create=False):
        """Connect, for one transaction; nobody else writes meanwhile.

        When the ``with`` block ends without an exception, what it wrote is on the disk.
        """
        with self._connection(create) as connection:
            self._begin(connection)
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self, create):
        if not create and not self.path.exists():
            raise FileNotFoundError(
                f"there is no campaign in {self.path.parent}; make one with 'campaign init'."
            )
        try:
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=0.2, isolation_level=None)
            try:
                self._prepare(connection, create)
                yield connection
            finally:
                connection.close()  # an open transaction is rolled back
        except sqlite3.Error as error:
            raise OSError(
                f"the campaign file {self.path} cannot be used: {error}. Nothing was changed. Is "
                "the disk full, or the folder read-only?"
            ) from error

    def _prepare(self, connection, create):
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # of macOS
        version = self._version(connection)
        if version == 0 and not create:
            raise ValueError(
                f"{self.path} holds no campaign: 'campaign init' did not come to its end. Run it "
                "again."
            )
        if version < len(self.migrations):
            self._patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
            self._migrate(connection)

    def _version(self, connection):
        version, mark = (
            self._patiently(lambda name=name: connection.execute(f"PRAGMA {name}").fetchone()[0])
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
        self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))

    def _patiently(self, action):
        """Wait for a lock in short naps, between which an interrupt is heard."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                locked = "locked" in str(error) or "busy" in str(error)
                if not locked or time.monotonic() > end:
                    raise
            time.sleep(0.01)


def append_event(connection, verb, content):
    """Append an event; return its number.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of `Store.writing`.
    verb : str
    content : dict
        Plain JSON values.
    """
    from .. import __version__

    (last,) = connection.execute("SELECT COALESCE(MAX(number), 0) FROM events").fetchone()
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    connection.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
        (last + 1, now, whoami(), verb, __version__, json.dumps(content, allow_nan=False)),
    )
    return last + 1


def read_events(connection, until=None):
    """Read events in order.

    Parameters
    ----------
    connection : sqlite3.Connection
    until : int, default=None
        Number of the last one; None means all.

    Returns
    -------
    list of Event
    """
    rows = connection.execute(
        "SELECT * FROM events WHERE number <= ? ORDER BY number",
        [2**62 if until is None else until],
    )
    return [Event(*row[:5], json.loads(row[5])) for row in rows]


def whoami():
    """Name the person and the machine: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without an entry for the user
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
