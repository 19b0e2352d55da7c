"""`Run`: what the claims are judged by, as tables of records and a few facts."""

import numpy as np

from .trials import MAIN, trial_names

__all__ = ["Run", "Seeds"]


class Seeds(list):
    """A value for each seed, None where it was not reached; written as the mean and the range."""

    @property
    def mean(self):
        """The mean of the values that were reached."""
        return float(np.mean([value for value in self if value is not None]))

    def times(self, factor):
        """Return all values times a factor."""
        return Seeds(None if value is None else factor * value for value in self)

    def __format__(self, form):
        known = [value for value in self if value is not None]
        missing = len(self) - len(known)
        if not known:
            return f"not reached in any of {missing} seeds"
        text = format(self.mean, form)
        if len(known) > 1:
            text += f" ({format(min(known), form)} to {format(max(known), form)})"
        return text + (f"; not reached in {missing} of {len(self)} seeds" if missing else "")


class Run:
    """Tables of records, and facts that hold for the whole run.

    Both are plain values: the runs of two data sets can be kept, and shown side by side.
    """

    def __init__(self, facts, records):
        self.facts = facts
        self.records = records

    @classmethod
    def from_results(cls, data, settings, results):
        """Collect the records and facts of all stages."""
        facts = {"unit": data.unit, "published": data.published, "trials": trial_names(settings)}
        facts["seen"] = "has seen" if data.network else "may have seen"
        facts |= {f"n_{part}": len(getattr(data, part)) for part in ("train", "pool", "test")}
        records = {}
        for result in results.values():
            facts |= result.get("facts", {})
            for table, rows in result.get("records", {}).items():
                records.setdefault(table, []).extend(rows)
        return cls(facts, records)

    def select(self, table, **where):
        """Return the records of a table that have these values."""
        items = where.items()
        return [row for row in self.records[table] if all(row[name] == v for name, v in items)]

    def first(self, table, **where):
        """Return the first such record, or None."""
        return next(iter(self.select(table, **where)), None)

    def main(self, table, **where):
        """Return such a record of the whole initial set, or None."""
        return self.first(table, trial=MAIN, **where)

    def spread(self, table, **where):
        """Return such records of the trials that show the spread over seeds."""
        return [row for row in self.select(table, **where) if row["trial"] in self.facts["trials"]]

    def seeds(self, table, column, **where):
        """Return a column of `spread`."""
        return Seeds(row[column] for row in self.spread(table, **where))
