"""The verb `tell`: every label is compared with the prediction before it, and then learnt."""

from typing import NamedTuple

from .monitoring import alarm, estimates
from .store import append_event

__all__ = ["RefusedRowsError", "Told", "tell"]


class Told(NamedTuple):
    """What `Campaign.tell` did.

    Attributes
    ----------
    labelled, failed, repeated : list of str
        Ids with a new label, with a new failure, and with one that was known.
    refused : list of Refusal
        ``line``, ``id`` and ``reason``.
    alarm : str or None
        What is wrong with the error bars, and what to do.
    """

    labelled: list
    failed: list
    repeated: list
    refused: list
    alarm: str | None


class RefusedRowsError(ValueError):
    """Some rows were refused; the others were taken in.

    Attributes
    ----------
    told : Told
    """

    def __init__(self, told):
        self.told = told
        rows = "".join(f"\n  {refusal}" for refusal in told.refused)
        super().__init__(f"{len(told.refused)} rows were refused:{rows}")


def tell(connection, state, new, failed, source=None):
    """Record labels and failures.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of a transaction.
    state : State
        Before.
    new : list of (str, float)
        Checked, see `skcfgp.campaign.results.check_results`.
    failed : list of (str, str)
        Id and reason.
    source : str, default=None

    Returns
    -------
    str or None
        The alarm that the error bars give now.
    """
    if not new and not failed:
        return alarm(state.estimates)
    rows = [
        {
            "id": id_,
            "value": value,
            "was": state.labels.get(id_),
            "comparison": None if id_ in state.labels else _on_record(connection, state, id_),
        }
        for id_, value in new
    ]
    labels = state.labels | dict(new)
    comparisons = state.comparisons | {
        row["id"]: row["comparison"] for row in rows if row["comparison"] is not None
    }
    for id_, _ in failed:
        comparisons.pop(id_, None)
    now = estimates(comparisons, labels)
    content = {
        "rows": rows,
        "failed": [{"id": id_, "reason": reason} for id_, reason in failed],
        "source": source,
        "estimates": now,
    }
    append_event(connection, "tell", content)
    return alarm(now)


def _on_record(connection, state, id_):
    """Return the newest prediction that was recorded of a crystal, or None."""
    record = state.records.get(id_)
    if state.predicted_at is not None and (record is None or state.predicted_at > record["event"]):
        found = connection.execute(
            "SELECT mean, std FROM predictions JOIN crystals USING (position) "
            "WHERE predictions.event = ? AND id = ?",
            [state.predicted_at, id_],
        ).fetchone()
        if found is not None:
            record = {"prediction": found[0], "std": found[1], "event": state.predicted_at}
    if record is None:
        return None
    return {**record, "arm": state.arms.get(id_)}
