"""Crystals from ASE: ``Atoms``, and databases of the ``ase.db`` module.

Cell, positions and elements go straight into a `Crystal`. The key-value pairs of a database become
its ``properties``; calculators and other attached data are not read.
"""

import sqlite3
from contextlib import closing

import numpy as np

from .crystal import Crystal

__all__ = ["crystal_from_atoms", "is_atoms", "read_ase_database"]

#: Rows of a database that are held in memory at a time.
PAGE = 1000

_COLUMNS = ("id", "numbers", "positions", "cell", "pbc", "key_value_pairs")


def is_atoms(item):
    """Whether `item` is an ``ase.Atoms``, told without importing ASE."""
    return hasattr(item, "get_atomic_numbers") and hasattr(item, "get_scaled_positions")


def crystal_from_atoms(atoms, properties=None):
    """Convert ASE ``Atoms``, or a row of a database; ValueError if it is not a crystal."""
    if not all(atoms.pbc):
        raise ValueError("it is not periodic in three directions, so it is not a crystal.")
    cell = np.array(atoms.cell, dtype=float)
    try:
        coords = np.linalg.solve(cell.T, atoms.positions.T).T
    except np.linalg.LinAlgError as error:
        raise ValueError(f"its cell has no volume: {cell.tolist()}.") from error
    return Crystal(cell, coords, atoms.numbers, properties)


def read_ase_database(path):
    """Yield the id and the crystal, or the error, of each row of an SQLite database of ASE.

    The id is the ``material_id`` of the row's key-value pairs, else the row's id, which counts
    from 1. ValueError if the file is not such a database.
    """
    # ASE would make its tables in whatever SQLite file it is given.
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'systems'"
        if not connection.execute(query).fetchone()[0]:
            raise ValueError("it is not a database of ASE: it has no table 'systems'.")

    from ase.db import connect

    last = 0
    with connect(str(path), type="db", use_lock_file=False) as database:
        while last is not None:
            page = database.select(
                [("id", ">", last)], sort="id", limit=PAGE, columns=_COLUMNS, include_data=False
            )
            last = None
            for row in page:
                last = row.id
                yield _row(row)


def _row(row):
    properties = row.key_value_pairs
    id_ = str(properties.get("material_id", row.id))
    try:
        return id_, crystal_from_atoms(row, properties)
    except ValueError as error:
        return id_, error
