"""Opening the file of a campaign, and the verbs that change nothing."""

from __future__ import annotations

from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..structures.io import check_writable
from ..structures.typing import DataFrame, FilePath
from .goals import best_so_far, parse_goal
from .monitoring import rules_met, spent
from .prequential import alarm
from .store import Store
from .wording import status_lines

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

    from ..screening import Screening
    from .state import State
    from .store import Event


class CampaignReader:
    """The verbs of a `Campaign` that change nothing."""

    def __init__(self, folder: FilePath) -> None:
        self.store = Store(folder)
        with self.store.reading() as ledger:
            self.settings = ledger.settings

    def plan(self, n: int) -> DataFrame:
        """List the next `n` choices at once, with the uncertainty remaining after each.

        Nothing is marked. If the hyper-parameters stayed, it is the order in which `suggest` would
        choose, whatever the labels, except for those drawn at random.

        Parameters
        ----------
        n : int
            Number of choices.

        Returns
        -------
        pandas.DataFrame
            Columns ``id``, ``formula``, ``std`` (when its turn comes), and ``max_std``,
            ``mean_std`` and ``expected_error`` of all crystals that are in the pool then, and
            ``unit``.
        """
        from .engine import Engine
        from .tables import plan_table

        with self.store.reading() as ledger:
            return plan_table(ledger, Engine(ledger), n)

    def screen(
        self,
        *,
        below: float | None = None,
        above: float | None = None,
        between: tuple[float, float] | None = None,
        cut: float = 0.5,
        rescale: bool = False,
        coverage: float = 0.95,
    ) -> Screening:
        """Compute for each crystal the probability that it meets a condition.

        The probabilities are those of the predictive distributions, which have heavier tails than a
        Gaussian.

        Parameters
        ----------
        below, above : float, default=None
            Limit, in the unit of the target.
        between : (float, float), default=None
            Both limits. Give one of the three conditions.
        cut : float, default=0.5
            Probability from which a crystal is called found.
        rescale : bool, default=False
        coverage : float, default=0.95
            See `predict`.

        Returns
        -------
        skcfgp.screening.Screening
        """
        from ..screening import Condition, screen

        condition = Condition.of(below=below, above=above, between=between)
        return screen(self.export(rescale=rescale, coverage=coverage), condition, cut)

    def export(
        self, out: FilePath | None = None, *, rescale: bool = False, coverage: float = 0.95
    ) -> DataFrame:
        """Make a table of all crystals, and write it.

        Parameters
        ----------
        out : str or Path, default=None
            File to write, ``.csv`` or ``.json``.
        rescale : bool, default=False
        coverage : float, default=0.95
            See `predict`.

        Returns
        -------
        pandas.DataFrame
            Columns ``id``, ``formula``, ``status``, ``value``, ``label_std`` (standard error of the
            label), ``prediction``, ``std``, ``lower`` and ``upper`` (of a labelled crystal what was
            on record before its label), ``df``, ``unit``, ``arm``, ``cost``, ``reason``.
        """
        from .engine import Engine
        from .tables import check_table, export_table, write_table

        if out is not None:
            check_table(Path(out))
        with self.store.reading() as ledger:
            table = export_table(ledger, Engine(ledger), rescale, coverage)
        if out is not None:
            write_table(table, Path(out))
        return table

    def report(self, out: FilePath) -> Path:
        """Write a page to look at, one HTML file that needs no network.

        Parameters
        ----------
        out : str or Path

        Returns
        -------
        Path
        """
        from .engine import Engine
        from .report import write_report

        check_writable(Path(out))
        with self.store.reading() as ledger:
            return write_report(ledger, Engine(ledger), Path(out))

    def status(self) -> dict[str, Any]:
        """Summarise where the campaign stands; quick, since no model is asked.

        Returns
        -------
        dict
            ``counts`` (``labelled``, ``pending``, ``failed`` and ``pool``), ``total``, ``refused``
            (number of crystals that did not come in), ``estimates`` (errors of the predictions on
            record, by arm), ``alarm``, ``overdue`` (ids), ``spent`` (cost of what was suggested;
            None without costs), ``curve`` (largest and mean standard deviation at the last
            suggestion), ``gain``, ``best`` (best label so far, ``id`` and ``value``) and
            ``outlook`` (of the goal, see `State`), ``stop`` (rules that are met), ``settings``,
            ``n_events``.
        """
        with self.store.reading() as ledger:
            state = ledger.state
            curve = state.curve[-1] if state.curve else None
            stop = rules_met(ledger, curve, state.gain, state.outlook)
            goal = parse_goal(state.settings.get("goal", "explore"))
            cost = spent(ledger) if self.settings["cost"] else None
        now, seconds = datetime.now(timezone.utc), 86400 * self.settings["overdue_after"]
        return {
            "counts": state.counts(),
            "total": len(state.ids),
            "refused": len(state.refused),
            "estimates": state.estimates,
            "alarm": alarm(state.estimates),
            "overdue": [
                id_
                for id_, job in state.pending.items()
                if (now - datetime.fromisoformat(job["time"])).total_seconds() > seconds
            ],
            "spent": cost,
            "curve": curve,
            "gain": state.gain,
            "best": best_so_far(goal, state.labels),
            "outlook": state.outlook,
            "stop": stop,
            "settings": self.settings,
            "n_events": state.n_events,
        }

    def history(self) -> list[Event]:
        """List all events: who did what, and when.

        Returns
        -------
        list of Event
            ``number``, ``time`` (UTC), ``who`` ("user@host"), ``verb``, ``version`` (of skcfgp),
            ``content``.
        """
        with self.store.reading() as ledger:
            return ledger.events

    def state(self, at: int | None = None) -> State:
        """Replay the events.

        Parameters
        ----------
        at : int, default=None
            Number of the last event to replay; by default that of the last one.

        Returns
        -------
        State
        """
        with self.store.reading() as ledger:
            return ledger.state_at(at)

    def structure(self, id: str) -> Structure | Composition:
        """Return the structure of a crystal.

        Parameters
        ----------
        id : str

        Returns
        -------
        pymatgen.core.Structure or pymatgen.core.Composition
            The latter if it came in as a formula.
        """
        from .keeping import read_structures

        with self.store.reading() as ledger:
            if id not in ledger.ids:
                raise ValueError(f"there is no crystal {id!r}.")
            return read_structures(ledger, [id])[0]

    def __repr__(self):
        return f"{type(self).__name__}({str(self.store.path.parent)!r})"

    def _repr_html_(self):
        settings = self.settings
        title = f"{self!r}: {settings['target']} in {settings['unit']}"
        lines = "".join(f"<li>{escape(line)}</li>" for line in status_lines(self.status()))
        return f"<p><b>{escape(title)}</b></p><ul>{lines}</ul>"
