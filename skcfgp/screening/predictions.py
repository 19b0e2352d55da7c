"""`PoolPredictions`: predictions of a pool in a folder, read a part at a time.

Each chunk of the pool is one Parquet file, which is there whole or not at all. A manifest says what
the parts were made from, so that a run which was stopped can go on, and nothing else can be mixed
in.
"""

import json
import os
from pathlib import Path

import pandas as pd

from .conditions import Condition, Screening
from .conditions import screen as screen_table

__all__ = ["PoolPredictions"]

MANIFEST = "manifest.json"
DONE = "complete.json"


class PoolPredictions:
    """Predictions of a pool, in a folder.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    FileNotFoundError
        If the folder holds no predictions.

    See Also
    --------
    skcfgp.screening.screen_pool : Writes them.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        if not path.exists():
            raise FileNotFoundError(f"{self.folder} holds no predictions: there is no {MANIFEST}.")
        self.manifest = json.loads(path.read_text(encoding="utf-8"))

    @classmethod
    def begin(cls, folder, settings):
        """Make the folder, or go on with what is in it.

        Parameters
        ----------
        folder : Path
        settings : dict
            What the predictions depend on.

        Returns
        -------
        PoolPredictions

        Raises
        ------
        ValueError
            If the folder holds predictions that were made with other settings.
        """
        folder = Path(folder)
        if not (folder / MANIFEST).exists():
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.glob("part-*.parquet")):
                raise ValueError(f"{folder} holds parts without a {MANIFEST}: use an empty folder.")
            _write(folder / MANIFEST, lambda p: p.write_text(json.dumps(settings, indent=1)))
        result = cls(folder)
        other = [k for k in settings if result.manifest.get(k) != settings[k]]
        if other:
            raise ValueError(
                f"{folder} holds predictions with another {' and '.join(other)}: "
                f"{[result.manifest.get(k) for k in other]} there, {[settings[k] for k in other]} "
                "now. Use another folder."
            )
        for left in folder.glob(".part-*"):  # of a run that was stopped
            left.unlink(missing_ok=True)
        return result

    def has(self, number):
        """Tell whether the part of a chunk is written."""
        return self._path(number).exists()

    def write(self, number, table):
        """Write the part of a chunk, whole or not at all.

        Parameters
        ----------
        number : int
        table : pandas.DataFrame
        """
        _write(self._path(number), lambda p: table.to_parquet(p, index=False, engine="pyarrow"))

    def finish(self):
        """Note that all parts are written."""
        parts = len(list(self.folder.glob("part-*.parquet")))
        text = json.dumps({"parts": parts})
        _write(self.folder / DONE, lambda p: p.write_text(text, encoding="utf-8"))

    @property
    def is_complete(self):
        """Whether the whole pool is predicted."""
        return (self.folder / DONE).exists()

    def parts(self):
        """Read the predictions, one part after another in the order of the pool.

        Yields
        ------
        pandas.DataFrame
            With the columns ``id``, ``formula``, ``prediction``, ``std`` (NaN for a crystal that
            could not be used) and ``error`` (why, or empty).
        """
        for path in sorted(self.folder.glob("part-*.parquet")):
            yield pd.read_parquet(path, engine="pyarrow")

    def top(self, k, by="std"):
        """Take the crystals that rank highest.

        Parameters
        ----------
        k : int
        by : "std", Condition or callable, default="std"
            The largest standard deviation, the largest probability of meeting a condition, or a
            function of a part (a DataFrame) that gives a score a row. NaN is never taken.

        Returns
        -------
        pandas.DataFrame
            Of at most `k` rows, with a column ``score``, the highest first; of equal ones the one
            that comes first in the pool.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}.")
        best = None
        for part in self.parts():
            part = part[part["error"] == ""]
            part = part.assign(score=_score(part, by))
            best = _best(best, part.dropna(subset="score"), "score", k)
        return best

    def failures(self):
        """Find the crystals that could not be used.

        Yields
        ------
        id, reason : str
        """
        for part in self.parts():
            failed = part[part["error"] != ""]
            yield from zip(failed["id"], failed["error"], strict=True)

    def screen(self, condition, cut=0.5, k=100):
        """Count what meets a condition, as `skcfgp.screening.screen` does in memory.

        Parameters
        ----------
        condition : Condition
        cut : float, default=0.5
        k : int, default=100
            Rows to keep of the table and of the edge cases.

        Returns
        -------
        Screening
        """
        totals, table, edge = {}, None, None
        for part in self.parts():
            found = screen_table(part, condition, cut)
            for name in _TOTALS:
                totals[name] = totals.get(name, 0) + getattr(found, name)
            table = _best(table, found.table.dropna(subset="p_meets"), "p_meets", k)
            doubt = (found.edge_cases["p_meets"] - 0.5).abs()
            edge = _best(edge, found.edge_cases.assign(_doubt=-doubt), "_doubt", k)
        edge = edge.drop(columns="_doubt")
        return Screening(table=table, edge_cases=edge, cut=float(cut), **totals)

    def _path(self, number):
        return self.folder / f"part-{number:09d}.parquet"


_TOTALS = (
    "n_found",
    "expected",
    "expected_found",
    "expected_missed",
    "expected_false",
    "n_unknown",
)


def _score(table, by):
    if isinstance(by, Condition):
        return by.probability(table["prediction"], table["std"])
    if callable(by):
        return by(table)
    if by != "std":
        raise ValueError(f'by must be "std", a Condition or a function of a table, got {by!r}.')
    return table["std"]


def _best(best, rows, column, k):
    """Keep the rows that are largest in a column; what was kept so far goes before equal ones."""
    rows = rows if best is None or best.empty else pd.concat([best, rows])
    return rows.sort_values(column, ascending=False, kind="stable").head(k).reset_index(drop=True)


def _write(path, write):
    """Write a file under another name, and give it its own when all of it is on the disk."""
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} could not be written ({error}). Make room if the disk is full, and run the "
            "same again: what was written is kept.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
