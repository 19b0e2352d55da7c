"""Crystals from ASE: ``Atoms``, and SQLite databases of the ``ase.db`` module.

Cell, positions and elements go straight into a `Crystal`. The key-value pairs of a database become
its ``properties``; calculators and other attached data are not read. A database is read as numbers
and JSON, without ASE, so that a damaged row costs no other.
"""

import json
import sqlite3
from contextlib import closing

import numpy as np

from .dictionaries import crystal_from_dictionary, row_of_ase
from .ids import own_id

#: Rows of a database that are held in memory at a time.
PAGE = 1000

_COLUMNS = ("numbers", "positions", "cell", "pbc", "key_value_pairs", "masses")


def is_atoms(item):
    """Whether `item` is an ``ase.Atoms``, told without importing ASE."""
    return hasattr(item, "get_atomic_numbers") and hasattr(item, "get_scaled_positions")


def crystal_from_atoms(atoms):
    """Convert ASE ``Atoms``; ValueError if it is not a crystal."""
    info = getattr(atoms, "info", None) or {}
    record = atoms.arrays | {"cell": np.asarray(atoms.cell), "pbc": atoms.pbc, "info": info}
    return crystal_from_dictionary(record)


def read_ase_database(path):
    """Yield the id and the crystal, or the error, of each row of an SQLite database of ASE.

    The id is the ``material_id`` or ``id`` of the row's key-value pairs, else the row's number,
    which counts from 1. ValueError if the file is not such a database.
    """
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'systems'"
            if not connection.execute(query).fetchone()[0]:
                raise ValueError("it is not a database of ASE: it has no table 'systems'.")
            last, query = -1, f"SELECT id, {', '.join(_COLUMNS)} FROM systems WHERE id > ?"
            while rows := connection.execute(
                f"{query} ORDER BY id LIMIT ?", (last, PAGE)
            ).fetchall():
                for number, *row in rows:
                    if not isinstance(number, int) or number <= last:
                        raise ValueError("it is a damaged database: its rows are not in order.")
                    last = number
                    yield _row(number, *row)
        except sqlite3.Error as error:
            raise ValueError(f"it is not a database of ASE, or damaged ({error}).") from error


def _row(number, numbers, positions, cell, pbc, pairs, masses):
    """Make the id and the crystal, or the error, of a row."""
    id_, row = str(number), {}
    try:
        row["key_value_pairs"] = json.loads(pairs or "{}")
        row["pbc"] = [bool(int(pbc) & bit) for bit in (1, 2, 4)]
        row["numbers"] = np.frombuffer(numbers, "<i4")
        row["positions"] = np.frombuffer(positions, "<f8").reshape(-1, 3)
        row["cell"] = np.frombuffer(cell, "<f8").reshape(3, 3)
        row["masses"] = np.frombuffer(masses, "<f8") if masses else None
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"a column of its row is missing or damaged ({error})."
        return own_id(row.get("key_value_pairs")) or id_, ValueError(problem)
    return row_of_ase(id_, row)
