"""The crystals in the file of a campaign: written once, never changed."""

import json

__all__ = ["details", "insert_crystals", "read_arrays", "read_structures"]


def insert_crystals(connection, event, pool, costs, features, first=0):
    """Write crystals, their structures and their features.

    Parameters
    ----------
    connection : sqlite3.Connection
    event : int
        Number of the event with which they came in.
    pool : Pool
    costs : dict of str to float
    features : ndarray of shape (n_crystals, n_features)
    first : int, default=0
        Position of the first one.
    """
    from ..structures import structure_digest

    for position, (id_, crystal, vector) in enumerate(
        zip(pool.ids, pool.structures, features.astype("<f8"), strict=True), first
    ):
        formula, digest = crystal.composition.reduced_formula, structure_digest(crystal)
        row = (position, id_, event, formula, len(crystal), costs[id_], digest)
        connection.execute("INSERT INTO crystals VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        row = (position, structure_text(crystal))
        connection.execute("INSERT INTO structures VALUES (?, ?)", row)
        row = (position, vector.tobytes())
        connection.execute("INSERT INTO features VALUES (?, ?)", row)


def structure_text(crystal):
    """Write a crystal as JSON: pymatgen's ``Structure.as_dict``."""
    structure = crystal.to_structure() if hasattr(crystal, "to_structure") else crystal
    return json.dumps(structure.as_dict(), default=_plain, separators=(",", ":"))


def read_structures(connection, ids):
    """Read the structures of some ids, as a list of pymatgen's ``Structure``."""
    from pymatgen.core import Structure

    query = "SELECT structure FROM structures JOIN crystals USING (position) WHERE id = ?"
    return [
        Structure.from_dict(json.loads(connection.execute(query, [id_]).fetchone()[0]))
        for id_ in ids
    ]


def read_arrays(connection):
    """Read the features and the costs.

    Returns
    -------
    features : ndarray of shape (n_crystals, n_features)
    cost : ndarray of shape (n_crystals,)
    """
    import numpy as np

    vectors = [v for (v,) in connection.execute("SELECT vector FROM features ORDER BY position")]
    costs = [c for (c,) in connection.execute("SELECT cost FROM crystals ORDER BY position")]
    features = np.frombuffer(b"".join(vectors), dtype="<f8").reshape(len(vectors), -1)
    return features, np.array(costs)


def details(connection):
    """Read what is known of each crystal beside its structure.

    Returns
    -------
    dict of str to dict
        By id, in order: ``formula``, ``n_sites``, ``cost``, ``digest``.
    """
    names = ("formula", "n_sites", "cost", "digest")
    query = f"SELECT id, {', '.join(names)} FROM crystals ORDER BY position"
    return {id_: dict(zip(names, row, strict=True)) for id_, *row in connection.execute(query)}


def _plain(value):
    """Turn what JSON does not know, in the bookkeeping of a structure, into what it does."""
    for method in ("tolist", "as_dict"):
        if hasattr(value, method):
            return getattr(value, method)()
    return str(value)
