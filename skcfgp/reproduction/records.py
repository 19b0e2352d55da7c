"""`Run`: what the claims are judged by, as tables of records and a few facts."""

from dataclasses import dataclass

import numpy as np

from .settings import PAPER, batches_of_run, cycles_of_paper
from .trials import MAIN, RECIPES, trial_names

SHARED = "each nine tenths of the crystals that the one network was given"
OWN = "each with its own network and its own draw of initial set and pool"


class Seeds(list):
    """A value for each seed, None where it was not reached; written as the mean and the range."""

    @property
    def known(self):
        """The values that were reached."""
        return [value for value in self if value is not None]

    @property
    def mean(self):
        """The mean of the values that were reached."""
        return float(np.mean(self.known))

    def __format__(self, form):
        known, missing = self.known, self.count(None)
        if not known:
            return f"not reached in any of {missing} seeds"
        text = format(self.mean, form)
        if len(known) > 1:
            text += f" ({min(known):{form}} to {max(known):{form}})"
        return text + (f"; not reached in {missing} of {len(self)} seeds" if missing else "")


@dataclass(frozen=True)
class Run:
    """Tables of records, and facts that hold for the whole run; all of them plain values."""

    facts: dict
    records: dict

    @classmethod
    def from_results(cls, data, settings, results):
        """Collect the records and facts of all stages, and what captions say of the run."""
        facts = {f"n_{part}": len(getattr(data, part)) for part in ("train", "pool", "test")}
        n_pool, fits = facts["n_pool"], results[MAIN]["fits"]
        facts["batch_size"], facts["n_batches"] = batches_of_run(settings, n_pool)
        facts["seen"] = "has seen" if data.network else "may have seen"
        facts |= {"unit": data.unit, "published": data.published, "trials": trial_names(settings)}
        facts |= {"n_seeds": settings.seeds, "orders": settings.orders}
        split, n = OWN if settings.retrain else SHARED, settings.seeds
        facts |= {"split": split, "n_mapped": n_pool + facts["n_test"]}
        facts["seeds"] = f"{n} seeds of the initial set ({split})" if n > 1 else "one initial set"
        n_long = cycles_of_paper(n_pool, PAPER["n_cycles_long"])
        facts |= {"n_share": cycles_of_paper(n_pool), "n_long": n_long}
        facts |= {f"n_{recipe}": fits[recipe]["X"].shape[1] for recipe in RECIPES}
        records = {}
        for result in results.values():
            facts |= result.get("facts", {})
            for table, rows in result.get("records", {}).items():
                records.setdefault(table, []).extend(rows)
        return cls(facts, records)

    def select(self, table, **where):
        """Return the records of a table that have these values."""
        rows = self.records.get(table, [])
        return [row for row in rows if all(row[name] == value for name, value in where.items())]

    def found(self, table, **where):
        """Return the columns of such records as `Seeds`, and ``main``, that of the whole set."""
        rows, trials = self.select(table, **where), self.facts["trials"]
        if not rows:
            return None
        main = next((row for row in rows if row.get("trial", MAIN) == MAIN), None)
        spread = [row for row in rows if row.get("trial", trials[0]) in trials]
        return {name: Seeds(row[name] for row in spread) for name in rows[0]} | {"main": main}
