"""What a campaign knows after some of its events: a function of these and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .store import Event


@dataclass
class State:
    """A campaign at one moment.

    Attributes
    ----------
    n_events : int
        Number of events that led here.
    settings : dict
        Arguments of `Campaign.init`.
    ids : list of str
        All crystals, in the order in which they came in.
    refused : list of dict
        ``name`` and ``reason`` of each crystal that could not come in.
    refused_labels : list of dict
        ``line``, ``id`` and ``reason`` of each label at the beginning that could not be used.
    labels : dict of str to float
        Labels in the unit of the target, in the order in which they arrived.
    label_std : dict of str to float
        Standard errors of the labels that have one, in the same unit.
    pending : dict of str to dict
        Suggested crystals that have no label yet: ``time``, ``event``.
    failures : dict of str to str
        Reason why there will be no label.
    arms : dict of str to str
        Whether each suggested crystal was chosen (``"strategy"``) or drawn (``"random"``).
    records : dict of str to dict
        The prediction that `suggest` recorded last for each crystal: ``prediction``, ``std``,
        ``df`` (degrees of freedom of the Student-t; None for a Gaussian), ``event``. Here and
        below, those of the logarithm where that is learnt.
    predicted_at : int or None
        Number of the last event that recorded predictions of all crystals.
    predicted_df : float or None
        Degrees of freedom of these.
    comparisons : dict of str to dict
        Labels that had a prediction on record: ``prediction``, ``std``, ``df``, ``arm``, and the
        ``label_std`` of the label, where there is one.
    estimates : dict
        Errors of these predictions, as of the last label.
    n_suggested, n_random : int
        Number of suggestions so far, and of those that were drawn at random.
    curve : list of dict
        ``n_labels``, ``max_std`` and ``mean_std`` at each suggestion.
    gain : dict or None
        Gain of the strategy over random choice, as of the last suggestion.
    outlook : dict or None
        What the last suggestion said of the goal: ``expected_gain`` of the next label, and
        ``p_better`` or ``expected_left``.
    """

    n_events: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    refused_labels: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, float] = field(default_factory=dict)
    label_std: dict[str, float] = field(default_factory=dict)
    pending: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    arms: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    predicted_at: int | None = None
    predicted_df: float | None = None
    comparisons: dict[str, dict[str, Any]] = field(default_factory=dict)
    estimates: dict[str, Any] = field(default_factory=dict)
    n_suggested: int = 0
    n_random: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    gain: dict[str, Any] | None = None
    outlook: dict[str, Any] | None = None

    @property
    def pool(self) -> list[str]:
        """Ids of the crystals that may be suggested, in order."""
        return [id_ for id_ in self.ids if self.status_of(id_) == "pool"]

    def status_of(self, id_: str) -> Literal["labelled", "pending", "failed", "pool"]:
        """Return one of ``"labelled"``, ``"pending"``, ``"failed"`` and ``"pool"``."""
        if id_ in self.labels:
            return "labelled"
        if id_ in self.pending:
            return "pending"
        return "failed" if id_ in self.failures else "pool"

    def counts(self) -> dict[str, int]:
        """Return how many crystals have each status; they add up to all that came in."""
        known = (("labelled", self.labels), ("pending", self.pending), ("failed", self.failures))
        n = {status: len(ids) for status, ids in known}
        return n | {"pool": len(self.ids) - sum(n.values())}


def replay(events: Sequence[Event], ids_by_event: Mapping[int, Sequence[str]]) -> State:
    """Derive the state after some events.

    Parameters
    ----------
    events : sequence of Event
        The first events of a campaign, in order.
    ids_by_event : dict of int to list of str
        Crystals that came in with each event.

    Returns
    -------
    State
    """
    undone = {event.content["event"] for event in events if event.verb == "undo"}
    state = State(n_events=len(events))
    for event in events:
        state.ids += ids_by_event.get(event.number, ())
        if event.number not in undone:
            _APPLY[event.verb](state, event)
    return state


def _init(state, event):
    state.settings = event.content["settings"]
    state.refused += event.content["refused"]
    state.refused_labels += event.content.get("refused_labels", ())
    for row in event.content["labelled"]:
        _learn(state, row)


def _learn(state, row):
    """Take in a label and its standard error, in place of those that it may have had."""
    state.labels[row["id"]] = row["value"]
    state.label_std.pop(row["id"], None)
    if "label_std" in row:
        state.label_std[row["id"]] = row["label_std"]


def _add(state, event):
    state.refused += event.content["refused"]


def _suggest(state, event):
    for pick in event.content["picks"]:
        if pick["id"] not in state.labels:  # 'undo' gave it back a label that it had before
            state.pending[pick["id"]] = {"time": event.time, "event": event.number}
        state.arms[pick["id"]] = pick["arm"]
        state.n_suggested += 1
        state.n_random += pick["arm"] == "random"
        if pick["prediction"] is not None:
            record = {key: pick[key] for key in ("prediction", "std")}
            record |= {"df": event.content.get("df"), "event": event.number}
            state.records[pick["id"]] = record
    if event.content["curve"]:
        state.curve.append(event.content["curve"])
    state.gain = event.content["gain"] or state.gain
    state.outlook = event.content.get("outlook")


def _tell(state, event):
    for row in event.content["rows"]:
        id_ = row["id"]
        _learn(state, row)
        state.pending.pop(id_, None)
        state.failures.pop(id_, None)
        if row["comparison"] is not None:
            state.comparisons[id_] = row["comparison"]
    for row in event.content["failed"]:
        id_ = row["id"]
        state.failures[id_] = row["reason"]
        state.pending.pop(id_, None)
        state.labels.pop(id_, None)
        state.label_std.pop(id_, None)
        state.comparisons.pop(id_, None)
    state.estimates = event.content["estimates"]


def _release(state, event):
    for id_ in event.content["ids"]:
        state.pending.pop(id_, None)
        state.failures.pop(id_, None)


def _predict(state, event):
    state.predicted_at = event.number
    state.predicted_df = event.content.get("df")


_APPLY = {
    "init": _init,
    "add": _add,
    "suggest": _suggest,
    "tell": _tell,
    "release": _release,
    "predict": _predict,
    "undo": lambda state, event: None,  # what it undid is left out
}
