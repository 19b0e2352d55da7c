"""Whatever stands for one crystal, as a `Crystal`: an object, a record, a text or a file.

A record of JSON, a row of a table or a dictionary may hold its crystal under several keys, and tell
its formula beside it; all of them must agree.
"""

from collections.abc import Sequence
from numbers import Real
from pathlib import Path

import numpy as np
from pymatgen.core import Composition, Structure

from .agreement import check_order, check_same, check_told
from .ase import crystal_from_atoms, is_atoms
from .compositions import as_composition, formula_of, is_formula
from .crystal import Crystal
from .dictionaries import crystal_from_dictionary
from .entries import crystal_from_jarvis, crystal_from_optimade
from .files import read_structure_file, read_structure_text
from .ids import path_in
from .keys import ARRAYS, CONTENT_KEYS, FORMULA_KEYS, MATERIAL_KEYS, PATH_KEYS, is_empty, is_missing
from .outcomes import MISSING

#: Objects within objects that are looked into.
DEEPEST = 3


def converted(item, depth=0):
    """Return the `Crystal` that an item stands for, or the ``Composition`` of a formula.

    ValueError says what is wrong with it, TypeError that it is nothing of this kind.
    """
    if item is None:
        raise ValueError(MISSING)
    if isinstance(item, Crystal):
        return item
    if isinstance(item, Structure):
        return Crystal.from_structure(item)
    if isinstance(item, Composition):
        return as_composition(item)
    if isinstance(item, dict):
        has_arrays = any(isinstance(value, np.ndarray) for value in item.values())
        return _from_record(_with_lists(item) if has_arrays else item, depth)
    if isinstance(item, str):
        if is_formula(item):
            return formula_of(item)
        return _only(read_structure_text(item), "its text", depth)
    if isinstance(item, Path):
        return _only([crystal for _, crystal in read_structure_file(item)], item.name, depth)
    if is_atoms(item):
        return crystal_from_atoms(item)
    raise TypeError(
        "expected a pymatgen Structure, its dictionary, a Crystal, ASE Atoms or a path, got "
        f"{type(item).__name__}: {str(item)[:60]!r}."
    )


def has_crystal(record):
    """Whether a record holds a crystal, in whatever form."""
    record = {key: value for key, value in record.items() if not is_empty(value)}
    forms = (set(keys) <= set(record) for keys, _ in FORMS.values())
    return bool(set(CONTENT_KEYS) & set(record)) or any(forms)


def _from_record(record, depth):
    """Read all that a record holds of its crystal, and return it if nothing contradicts it."""
    if depth > DEEPEST:
        raise ValueError("its crystal is nested too deeply in its record.")
    record = {key: value for key, value in record.items() if not is_missing(value)}
    held = {key: record[key] for key in CONTENT_KEYS if not is_empty(record.get(key))}
    forms = {name: build for name, (keys, build) in FORMS.items() if set(keys) <= set(record)}
    notes = {key for key, value in held.items() if not _may_be_crystal(value)}
    if not forms and notes == set(held):
        notes -= {*list(held)[:1]}  # there is nothing else
    found = {name: build(record) for name, build in forms.items()}
    found |= {key: _of_content(key, held[key], depth) for key in held if key not in notes}
    files = (key for key in PATH_KEYS if isinstance(record.get(key), Path))
    found |= {key: converted(record[key], depth + 1) for key in files}
    if not found and not _has_parts(record):
        found = {key: formula_of(record[key]) for key in FORMULA_KEYS if key in record}
    if not found and not _has_parts(record) and (path := path_in(record)):
        raise ValueError(
            f"it has no structure, and its file {path!r:.60} is only opened if it stands in a "
            "table: CSV, Parquet or DataFrame."
        )
    if not found:
        return crystal_from_dictionary(record)  # which says what is missing
    check_same(found)
    crystal = next((item for item in found.values() if isinstance(item, Crystal)), None)
    crystal = next(iter(found.values())) if crystal is None else crystal
    for told in (record, *({"formula": held[key]} for key in notes)):
        check_told(crystal, told)
    return crystal


def _of_content(key, content, depth):
    """Read what stands under a key of a record."""
    if key == "attributes":
        return crystal_from_optimade(content)
    try:
        return converted(content, depth + 1)
    except TypeError:
        raise ValueError(f"expected a crystal as {key}, got {content!r:.60}.") from None


def _with_lists(value):
    """Turn arrays into lists, of which pandas makes them when it reads a Parquet file."""
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return [_with_lists(item) for item in value] if isinstance(value, list) else value


def _may_be_crystal(value):
    """Whether a value is not only a number, or a text of one line such as a name or a formula."""
    if isinstance(value, dict):
        return _has_parts(value)
    if isinstance(value, str):
        return "\n" in value.strip() or value.lstrip().startswith(("{", "["))
    return isinstance(value, Path | Structure | Crystal | Composition) or is_atoms(value)


def _has_parts(record):
    """Whether an object holds a crystal, or a part of one."""
    parts = (key for key in ("lattice", "lattice_vectors", "positions") if key in record)
    return bool({*MATERIAL_KEYS, "sites"} & set(record)) or any(
        not isinstance(record[key], str | Real) for key in parts
    )


def _only(found, where, depth):
    """Return the crystal of a text or a file, which must be the only one in it."""
    if len(found) != 1:
        raise ValueError(f"{where} holds {len(found)} crystals; one is needed.")
    if isinstance(found[0], Exception):
        raise found[0]
    return converted(found[0], depth + 1)


def _from_atoms(record):
    """Read ``Atoms.todict()``, also where a ``Structure.as_dict()`` is in the same object."""
    return crystal_from_dictionary({key: v for key, v in record.items() if key != "sites"})


def _from_arrays(record):
    """Read cell, coordinates (in rows of three, or flat) and atomic numbers."""
    try:
        lattice, coords = (_rows_of_three(record[name]) for name in ARRAYS[:2])
        crystal = Crystal(lattice, coords, record["atomic_numbers"])
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{', '.join(ARRAYS)} must be arrays of numbers ({error}).") from None
    check_order(crystal, record)
    return crystal


def _rows_of_three(values):
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str):
        raise TypeError(f"got {values!r:.60}")
    values = np.array(list(values), dtype=float)
    return values.reshape(-1, 3) if values.ndim == 1 and values.size % 3 == 0 else values


#: Forms in which the crystal itself is the record: their keys, and how they are read.
FORMS = {
    "lattice with sites": (("lattice", "sites"), crystal_from_dictionary),
    "lattice_mat": (("lattice_mat",), crystal_from_jarvis),
    "lattice_vectors": (("lattice_vectors",), crystal_from_optimade),
    "lattice with atomic_numbers": (ARRAYS, _from_arrays),
    "cell with positions": (("numbers", "positions"), _from_atoms),
}
