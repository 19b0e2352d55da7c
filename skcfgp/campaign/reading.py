"""Opening the file of a campaign, and the verbs that change nothing."""

import os
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from .crystals import read_arrays, read_structures
from .state import replay
from .store import Store, read_events

__all__ = ["CampaignReader"]


class CampaignReader:
    """A campaign that is looked at; see `Campaign`.

    Parameters
    ----------
    folder : str or Path
    """

    def __init__(self, folder):
        self._store = Store(folder)
        self._arrays = None
        with self._reading():
            pass  # is it one?

    def plan(self, n):
        """List the next `n` choices at once, with what will be left to know after each.

        Nothing is marked. If the hyper-parameters stayed, it is the order in which `suggest` would
        choose, whatever the labels, but for those drawn at random.

        Parameters
        ----------
        n : int

        Returns
        -------
        pandas.DataFrame
            Columns ``id``, ``formula``, ``std`` (when its turn comes), and ``max_std``,
            ``mean_std`` and ``expected_error`` of all crystals that are in the pool then.
        """
        from .tables import plan_table

        with self._reading() as (connection, state, _events):
            return plan_table(connection, self._engine(connection, state), n)

    def screen(self, *, below=None, above=None, between=None, cut=0.5, rescale=False):
        """Ask of each crystal how probably it meets a condition.

        Parameters
        ----------
        below, above : float, default=None
        between : (float, float), default=None
            The condition, in the unit of the target.
        cut : float, default=0.5
            Probability from which a crystal is called found.
        rescale : bool, default=False
            See `predict`.

        Returns
        -------
        skcfgp.screening.Screening
        """
        from ..screening import Condition, screen
        from .tables import export_table

        condition = Condition.of(below=below, above=above, between=between)
        with self._reading() as (connection, state, _events):
            table = export_table(connection, self._engine(connection, state), rescale)
        return screen(table, condition, cut)

    def export(self, out=None, *, rescale=False):
        """Make a table of all crystals, and write it.

        Parameters
        ----------
        out : str or Path, default=None
            A file ``.csv`` or ``.json``. None writes nothing.
        rescale : bool, default=False
            See `predict`.

        Returns
        -------
        pandas.DataFrame
            Columns ``id``, ``formula``, ``status``, ``value``, ``prediction`` and ``std`` (of a
            labelled crystal what was on record before its label), ``unit``, ``arm``, ``cost``,
            ``reason``.
        """
        from .tables import export_table, write_table

        with self._reading() as (connection, state, _events):
            table = export_table(connection, self._engine(connection, state), rescale)
        if out is not None:
            write_table(table, Path(out))
        return table

    def report(self, out):
        """Write a page to look at, one HTML file that needs no network.

        Parameters
        ----------
        out : str or Path

        Returns
        -------
        Path
        """
        from .report import write_report

        with self._reading() as (connection, state, events):
            return write_report(connection, self._engine(connection, state), events, Path(out))

    def status(self):
        """Sum up where the campaign stands; quick, since no model is asked.

        Returns
        -------
        dict
            ``counts`` (``labelled``, ``pending``, ``failed`` and ``pool``), ``total``, ``refused``
            (how many did not come in), ``estimates`` (see `skcfgp.campaign.monitoring.estimates`),
            ``alarm``, ``overdue`` (ids), ``spent`` (cost of what was suggested; None without
            costs), ``curve`` (largest and mean standard deviation at the last
            suggestion), ``gain``, ``stop`` (rules that are met), ``settings``, ``n_events``.
        """
        from .suggesting import rules_met, spent

        with self._reading() as (connection, state, _events):
            curve = state.curve[-1] if state.curve else None
            stop = rules_met(connection, state, curve, state.gain)
            cost = spent(connection, state) if state.settings["cost"] else None
        from .monitoring import alarm

        return {
            "counts": state.counts(),
            "total": len(state.ids),
            "refused": len(state.refused),
            "estimates": state.estimates,
            "alarm": alarm(state.estimates),
            "overdue": self._overdue(state),
            "spent": cost,
            "curve": curve,
            "gain": state.gain,
            "stop": stop,
            "settings": state.settings,
            "n_events": state.n_events,
        }

    def history(self):
        """List all events: who did what, and when.

        Returns
        -------
        list of Event
            ``number``, ``time`` (UTC), ``who`` ("user@host"), ``verb``, ``version`` (of skcfgp),
            ``content``.
        """
        with self._reading() as (_, _state, events):
            return events

    def state(self, at=None):
        """Replay the events.

        Parameters
        ----------
        at : int, default=None
            Number of the last event to replay; None means all.

        Returns
        -------
        State
        """
        with self._store.reading() as connection:
            return _load(connection, at)[0]

    def structure(self, id):
        """Return the structure of a crystal.

        Parameters
        ----------
        id : str

        Returns
        -------
        pymatgen.core.Structure
        """
        with self._reading() as (connection, state, _events):
            if id not in set(state.ids):
                raise ValueError(f"there is no crystal {id!r}.")
            return read_structures(connection, [id])[0]

    def _overdue(self, state):
        now, days = datetime.now(timezone.utc), state.settings["overdue_after"]
        return [
            id_
            for id_, job in state.pending.items()
            if (now - datetime.fromisoformat(job["time"])).total_seconds() > 86400 * days
        ]

    @contextmanager
    def _reading(self):
        with self._store.reading() as connection:
            yield connection, *_load(connection)

    @contextmanager
    def _writing(self):
        with self._store.writing() as connection:
            yield connection, *_load(connection)

    def _engine(self, connection, state, keep=False):
        from .engine import Engine

        if self._arrays is None or len(self._arrays[0]) != len(state.ids):
            self._arrays = read_arrays(connection)
        return Engine(state, *self._arrays, connection, keep)

    def __repr__(self):
        return f"{type(self).__name__}({os.fspath(self._store.path.parent)!r})"


def _load(connection, until=None):
    """Read events and replay them."""
    events = read_events(connection, until)
    if not events:
        raise ValueError("the campaign was not begun: 'campaign init' did not come to its end.")
    ids = {}
    for id_, number in connection.execute("SELECT id, event FROM crystals ORDER BY position"):
        ids.setdefault(number, []).append(id_)
    return replay(events, ids), events
