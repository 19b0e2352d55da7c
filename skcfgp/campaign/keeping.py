"""The crystals of a campaign, as its file keeps them."""

import json

import numpy as np

from .damage import DamagedCampaignError, feature_rows


def insert_crystals(connection, event, pool, costs, features, first=0):
    """Write crystals that came in with an event, from position `first` on."""
    rows = zip(pool.ids, pool.structures, features.astype("<f8"), strict=True)
    for position, (id_, crystal, vector) in enumerate(rows, first):
        formula, n_sites, digest, content = _to_keep(crystal)
        row = (position, id_, event, formula, n_sites, costs[id_], digest)
        connection.execute("INSERT INTO crystals VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        text = json.dumps(content, default=_plain, separators=(",", ":"))
        connection.execute("INSERT INTO structures VALUES (?, ?)", (position, text))
        connection.execute("INSERT INTO features VALUES (?, ?)", (position, vector.tobytes()))


def _to_keep(crystal):
    """Return formula, number of sites, digest and dictionary; a formula has 0 sites."""
    from pymatgen.core import Composition

    from ..structures.compositions import digest_of
    from ..structures.dictionaries import dictionary_of

    if not isinstance(crystal, Composition):
        formula = crystal.composition.reduced_formula
        return formula, len(crystal), digest_of(crystal), dictionary_of(crystal)
    amounts = {key.symbol: amount for key, amount in sorted(crystal.items())}
    return crystal.reduced_formula, 0, digest_of(crystal), {"formula": amounts}


def _plain(value):
    """Turn what JSON does not know, in the bookkeeping of a structure, into what it does."""
    for method in ("tolist", "as_dict"):
        if hasattr(value, method):
            return getattr(value, method)()
    return str(value)


def read_structures(ledger, ids):
    """Read some ids as pymatgen's ``Structure`` each, or ``Composition`` of a formula."""
    from ..structures.compositions import formula_of
    from ..structures.dictionaries import crystal_from_dictionary

    query = "SELECT structure FROM structures JOIN crystals USING (position) WHERE id = ?"
    found = []
    for id_ in ids:
        row = ledger.connection.execute(query, [id_]).fetchone()
        try:
            if row is None:
                raise ValueError("it is missing")
            content = json.loads(row[0])
            if "formula" in content:
                found.append(formula_of(content["formula"]))
            else:
                found.append(crystal_from_dictionary(content).to_structure())
        except (TypeError, ValueError, RecursionError) as error:
            where = f"the structure of {id_!r}"
            problem = str(error).rstrip(".") if type(error) is ValueError else "it is not JSON"
            raise DamagedCampaignError(ledger.path, where, problem) from error
    return found


def read_arrays(ledger):
    """Read the features, of shape (n_crystals, n_features), and the costs."""
    execute = ledger.connection.execute
    vectors = [v for (v,) in execute("SELECT vector FROM features ORDER BY position")]
    costs = [c for (c,) in execute("SELECT cost FROM crystals ORDER BY position")]
    features = feature_rows(ledger.path, ledger.ids, vectors)
    for id_, cost in zip(ledger.ids, costs, strict=True):
        if not isinstance(cost, float) or not cost > 0:
            problem = f"it must be a positive number, got {cost!r}"
            raise DamagedCampaignError(ledger.path, f"the cost of {id_!r}", problem)
    return features, np.array(costs)


def details(connection, ids=None):
    """Read ``formula``, ``n_sites``, ``cost`` and ``digest`` of all crystals, or some, by id.

    A formula without a structure has no ``n_sites``.
    """
    names = ("formula", "n_sites", "cost", "digest")
    query = "SELECT id, formula, NULLIF(n_sites, 0), cost, digest FROM crystals"
    if ids is None:
        rows = connection.execute(f"{query} ORDER BY position")
    else:
        rows = (connection.execute(f"{query} WHERE id = ?", [id_]).fetchone() for id_ in ids)
    return {id_: dict(zip(names, row, strict=True)) for id_, *row in rows}
