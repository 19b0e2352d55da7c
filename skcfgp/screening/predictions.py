"""`PoolPredictions`: predictions of a pool in a folder, read a part at a time.

Each chunk of the pool is one Parquet file, written whole or not at all. A manifest says what the
parts were made from, so that a run that was stopped can be continued, by the same model only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..structures.io import atomic_write
from ..structures.typing import ArrayLike, FilePath, Self
from .conditions import Condition, Screening, probability_of
from .conditions import screen as screen_table

MANIFEST = "manifest.json"
DONE = "complete.json"
PARTS = "part-*.parquet"


class PoolPredictions:
    """Predictions of a pool, in a folder.

    Parameters
    ----------
    folder : str or Path
        Folder that `predict_pool` wrote.

    Raises
    ------
    FileNotFoundError
        If the folder holds no predictions.

    See Also
    --------
    skcfgp.screening.predict_pool : Writes them.
    """

    def __init__(self, folder: FilePath) -> None:
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        if not path.exists():
            raise FileNotFoundError(f"{self.folder} holds no predictions: there is no {MANIFEST}.")
        self.manifest = json.loads(path.read_text(encoding="utf-8"))

    @classmethod
    def begin(cls, folder: FilePath, settings: dict[str, Any]) -> Self:
        """Make the folder, or check that what is in it was made with the same settings."""
        folder = Path(folder)
        if not (folder / MANIFEST).exists():
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.glob(PARTS)):
                raise ValueError(f"{folder} holds parts without a {MANIFEST}: use an empty folder.")
            _write_json(folder / MANIFEST, settings)
        result = cls(folder)
        other = [k for k in settings if result.manifest.get(k) != settings[k]]
        if other:
            raise ValueError(
                f"{folder} holds predictions with another {' and '.join(other)}: "
                f"{[result.manifest.get(k) for k in other]} there, {[settings[k] for k in other]} "
                "now. Use another folder."
            )
        for unfinished in folder.glob("*.part"):  # left by a run that was killed
            unfinished.unlink(missing_ok=True)
        return result

    def has(self, number: int) -> bool:
        """Tell whether the part of a chunk is written."""
        return self._path(number).exists()

    def write(self, number: int, table: pd.DataFrame) -> None:
        """Write the part of a chunk, whole or not at all."""
        with atomic_write(self._path(number)) as path, path.open("wb") as file:
            table.to_parquet(file, index=False, engine="pyarrow")
            _sync(file)

    def write_if_same(self, settings: dict[str, Any], number: int, table: pd.DataFrame) -> bool:
        """Write a part, if the folder was made with these settings; tell whether it was."""
        if self.manifest != settings:
            return False
        self.write(number, table)
        return True

    def finish(self) -> None:
        """Tell equal ids apart, and record that all parts are written."""
        self._tell_apart()
        _write_json(self.folder / DONE, {"parts": len(list(self.folder.glob(PARTS)))})

    @property
    def is_complete(self) -> bool:
        """Whether the whole pool is predicted."""
        return (self.folder / DONE).exists()

    def parts(self) -> Iterator[pd.DataFrame]:
        """Read the predictions, one part after another in the order of the pool.

        Yields
        ------
        DataFrame
            Table of a chunk, as `skcfgp.models.predict_crystals` returns it.
        """
        for path in sorted(self.folder.glob(PARTS)):
            yield pd.read_parquet(path, engine="pyarrow")

    def top(
        self,
        n_instances: int,
        by: Literal["std"] | Condition | Callable[[pd.DataFrame], ArrayLike] = "std",
    ) -> pd.DataFrame:
        """Take the crystals that rank highest.

        Parameters
        ----------
        n_instances : int
            Number of crystals to take.
        by : "std", Condition or callable, default="std"
            Score of a crystal: the standard deviation, the probability of meeting a condition, or
            a function of a part (a DataFrame) that returns a score for each row. Crystals whose
            score is NaN are never taken.

        Returns
        -------
        DataFrame
            At most `n_instances` rows, with a column ``score``, the highest first; among equal
            scores the one that comes first in the pool.
        """
        if n_instances < 1:
            raise ValueError(f"n_instances must be at least 1, got {n_instances}.")
        best = None
        for part in self.parts():
            part = part[part["error"] == ""]
            part = part.assign(score=_score(part, by))
            best = _best(best, part.dropna(subset="score"), "score", n_instances)
        return best

    def failures(self) -> Iterator[tuple[str, str]]:
        """Yield the id of each crystal that could not be used, and the reason."""
        for part in self.parts():
            failed = part[part["error"] != ""]
            yield from zip(failed["id"], failed["error"], strict=True)

    def screen(self, condition: Condition, cut: float = 0.5, n_instances: int = 100) -> Screening:
        """Count what meets a condition, as `skcfgp.screening.screen` does in memory.

        Parameters
        ----------
        condition : Condition
            Condition on the value.
        cut : float, default=0.5
            Probability from which a crystal counts as found.
        n_instances : int, default=100
            Number of rows to keep of the table and of the edge cases.

        Returns
        -------
        Screening
        """
        totals: dict[str, Any] = {}
        table: Any = None
        edge: Any = None
        for part in self.parts():
            found = screen_table(part, condition, cut)
            for name in _TOTALS:
                totals[name] = totals.get(name, 0) + getattr(found, name)
            table = _best(table, found.table.dropna(subset="p_meets"), "p_meets", n_instances)
            doubt = (found.edge_cases["p_meets"] - 0.5).abs()
            edge = _best(edge, found.edge_cases.assign(_doubt=-doubt), "_doubt", n_instances)
        edge = edge.drop(columns="_doubt")
        return Screening(table=table, edge_cases=edge, cut=float(cut), **totals)

    def _tell_apart(self):
        """Add to an id that is in the pool twice its position there; eight bytes are held a row."""
        paths = sorted(self.folder.glob(PARTS))
        parts = [_hashes(pd.read_parquet(path, columns=["id"])["id"]) for path in paths]
        known, count = np.unique(np.concatenate([*parts, _hashes([])]), return_counts=True)
        twice, first = known[count > 1], 0
        for path, part in zip(paths, parts, strict=True):
            if (rows := np.flatnonzero(np.isin(part, twice))).size:
                table = pd.read_parquet(path, engine="pyarrow")
                ids = table["id"].tolist()
                for row in rows.tolist():
                    while np.isin(_hashes([ids[row]]), known).all():
                        ids[row] = f"{ids[row]}:{first + row}"
                self.write(int(path.stem.removeprefix("part-")), table.assign(id=ids))
            first += len(part)

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
        return probability_of(table, by)
    if callable(by):
        return by(table)
    if by != "std":
        raise ValueError(f'by must be "std", a Condition or a function of a table, got {by!r}.')
    return table["std"]


def _hashes(ids):
    return pd.util.hash_array(np.array(list(ids), dtype=object), categorize=False)


def _best(best, rows, column, k):
    """Keep the rows that are largest in a column; among equal ones, those kept so far."""
    rows = rows if best is None or best.empty else pd.concat([best, rows])
    return rows.sort_values(column, ascending=False, kind="stable").head(k).reset_index(drop=True)


def _write_json(path, content):
    with atomic_write(path) as part, part.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        _sync(file)


def _sync(file):
    """Flush a file to the disk, so that a power failure after the renaming cannot empty it."""
    file.flush()
    os.fsync(file.fileno())
