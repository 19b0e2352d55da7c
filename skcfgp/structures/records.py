"""A record of JSON, a row of a table or a dictionary as a `Crystal`, whatever its keys are."""

from collections.abc import Sequence

import numpy as np

from .crystal import Crystal
from .dictionaries import crystal_from_dictionary, is_structure_dictionary
from .entries import crystal_from_jarvis, crystal_from_optimade
from .files import read_structure_text

__all__ = ["ARRAYS", "content_of_record", "crystal_from_record", "crystal_from_text"]

#: Keys under which a record has its crystal.
CONTENT = ("structure", "atoms", "cif")

ARRAYS = ("lattice", "frac_coords", "atomic_numbers")


def content_of_record(record):
    """Return what stands for the crystal in a record: an object, a text, or the record itself."""
    if is_structure_dictionary(record):
        return record
    return next((record[key] for key in CONTENT if record.get(key) is not None), record)


def crystal_from_record(record):
    """Build a `Crystal` from an object of JSON; ValueError says what is wrong with it."""
    content = content_of_record(record)
    if isinstance(content, str):
        return crystal_from_text(content)
    if not isinstance(content, dict):
        raise ValueError(f"expected the crystal of a record, got {content!r:.60}.")
    record = content
    if "lattice_mat" in record:
        return crystal_from_jarvis(record)
    if "attributes" in record:
        return crystal_from_optimade(record["attributes"])
    if "lattice_vectors" in record:
        return crystal_from_optimade(record)
    if all(name in record for name in ARRAYS):
        return _from_arrays(record)
    return crystal_from_dictionary(record)


def crystal_from_text(text):
    """Build a `Crystal` from a text of CIF, POSCAR or JSON that holds exactly one."""
    found = read_structure_text(text)
    if len(found) != 1:
        raise ValueError(f"its text holds {len(found)} crystals; one is needed.")
    if isinstance(found[0], Exception):
        raise found[0]
    return crystal_from_record(found[0]) if isinstance(found[0], dict) else found[0]


def _from_arrays(record):
    """Read cell, coordinates (in rows of three, or flat) and atomic numbers."""
    try:
        lattice, coords = (_rows_of_three(record[name]) for name in ARRAYS[:2])
        return Crystal(lattice, coords, record["atomic_numbers"])
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{', '.join(ARRAYS)} must be arrays of numbers ({error}).") from None


def _rows_of_three(values):
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str):
        raise TypeError(f"got {values!r:.60}")
    values = np.array(list(values), dtype=float)
    return values.reshape(-1, 3) if values.ndim == 1 and values.size % 3 == 0 else values
