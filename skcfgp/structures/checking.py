"""The one door through which crystals come in.

`check_structures` turns the usual forms of crystals (pymatgen ``Structure`` objects,
their dictionaries, `Crystal` objects, ASE ``Atoms``, file names, a folder, a file of many crystals)
into one 1-D array of `Crystal` with an id beside each. Readers only bring what they find;
`as_crystal` alone decides what a crystal is.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs
from pymatgen.core import Composition, Structure
from sklearn.utils.parallel import Parallel, delayed

from .ase import is_atoms
from .compositions import NEEDS_STRUCTURE, is_formula
from .crystal import Crystal
from .dictionaries import is_structure_dictionary
from .files import file_beside, is_structure_file, read_structure_file, structure_files
from .ids import Name, is_number, own_id
from .keys import FORMULA_KEYS, PATH_KEYS, is_missing
from .neighbours import find_bonds
from .outcomes import (
    Failure,
    InvalidStructureError,
    Structures,
    named,
    named_structures,
    reason_of,
)
from .records import converted, has_crystal
from .tables import records_of_frame
from .typing import Crystals, OnError

#: Files that one job of `n_jobs` reads.
FILES = 50


def check_structures(
    X: Crystals | Structures,
    *,
    on_error: OnError = "raise",
    formulas: bool = False,
    cutoff: float | None = None,
    n_jobs: int | None = None,
) -> Structures:
    """Read, convert and check crystals.

    Parameters
    ----------
    X : array-like of shape (n_samples,), DataFrame, str or Path
        Crystals as pymatgen ``Structure``, ``Structure.as_dict()`` dictionaries,
        `skcfgp.structures.Crystal`, ASE ``Atoms`` or paths of CIF, POSCAR, JSON, XYZ or ASE
        database files, in a list, tuple, Series, 1-D object array or DataFrame of one column (or
        with a column ``structure``); or one path: of a folder, or of a file, which may hold many
        crystals (CIF, JSON, JSON lines, ``.db``, extended XYZ). `Structures` were
        checked before, and are returned.
    on_error : {"raise", "nan"}, default="raise"
        Whether crystals that cannot be used raise an error, once all were looked at, or are None
        and listed in ``failures``.
    formulas : bool, default=False
        Whether a row may be a formula without a structure: text such as ``"Fe0.5Ni0.5"``, a
        ``Composition`` of pymatgen, or ``formula`` or ``composition`` of a DataFrame or record. It
        becomes a ``Composition``. Otherwise such a row fails.
    cutoff : float, default=None
        Cut-off of a graph network, in angstrom. A crystal without two atoms within it fails, as it
        does in the network.
    n_jobs : int, default=None
        Number of processes that read files. 1 by default unless a joblib context says otherwise; -1
        uses all processors.

    Returns
    -------
    Structures
        Named tuple ``(structures, ids, failures)``. The id is ``material_id``, ``id`` or ``jid``
        where the data has one, else the index of the Series or DataFrame, the row of the database,
        the name of the file without its suffix, or the position. Where two are equal, as much of
        the path as tells them apart, or the position, is added. An id that is not a number is the
        ``material_id`` among the ``properties`` of its `Crystal` too.

    Raises
    ------
    InvalidStructureError
        If crystals cannot be used and ``on_error="raise"``: a file cannot be read, an item is not
        a crystal, or a crystal is empty, disordered, of an element that does not exist, has
        overlapping sites or a cell without volume, or the file leaves open what it is. The message
        names the crystals.
    FileNotFoundError
        If `X` is a path that does not exist.
    TypeError
        If `X` is not a collection of crystals.

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> salt = Structure.from_spacegroup(
    ...     "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> structures, ids, failures = check_structures({"salt": salt})
    >>> structures.tolist(), ids.tolist(), failures
    ([Crystal(NaCl, 8 sites)], ['salt'], [])
    """
    if on_error not in ("raise", "nan"):
        raise ValueError(f"on_error must be 'raise' or 'nan', got {on_error!r}.")
    found = X if isinstance(X, Structures) else _checked(X, n_jobs)
    if not formulas or cutoff is not None:
        found = _refused(found, _check_structure)
    if cutoff is not None:
        found = _refused(found, partial(find_bonds, cutoff=cutoff))
    if found.failures and on_error == "raise":
        raise InvalidStructureError(found.failures)
    return found


def as_crystal(item, id_=None, *, formulas=False):
    """Turn a `Crystal`, ``Structure``, ``Atoms``, record or text of one into a `Crystal`.

    The id becomes the ``material_id`` among its properties. With `formulas` a formula becomes a
    ``Composition``. ValueError if it is not a crystal of ordered, separate atoms of known elements,
    TypeError if `item` is of another type.
    """
    crystal = converted(item)
    if not formulas:
        _check_structure(crystal)
    return crystal if id_ is None or isinstance(crystal, Composition) else named(crystal, id_)


def _refused(found, check):
    """Move the items to the failures for which a function raises ValueError."""
    structures, failures = found.structures.copy(), []
    for row, item in enumerate(structures):
        try:
            if item is not None:
                check(item)
        except ValueError as error:
            structures[row] = None
            failures.append(Failure(row, found.ids[row], str(error)))
    every = sorted([*found.failures, *failures], key=lambda failure: failure.index)
    return Structures(structures, found.ids, every) if failures else found


def _check_structure(item):
    if isinstance(item, Composition):
        raise ValueError(NEEDS_STRUCTURE)


def _items(X):
    """Yield (label, item) for each row of `X`; an item may still be a path or a dictionary."""
    if isinstance(X, str | Path):
        path = Path(X).expanduser()
        if not path.exists():
            raise FileNotFoundError(f"there is no file {path}.")
        return enumerate(structure_files(path) if path.is_dir() else [path])
    one = isinstance(X, Structure | Crystal | Composition) or is_atoms(X)
    if one or is_structure_dictionary(X):
        raise TypeError("expected several crystals, got one; put it in a list: [structure].")
    if isinstance(X, dict):
        return X.items()
    if hasattr(X, "columns"):
        return _frame_items(*records_of_frame(X))
    if hasattr(X, "items") and hasattr(X, "index"):  # Series
        return X.items()
    return _sequence_items(X)


def _frame_items(rows, columns):
    """Yield label and item of each row of a table; paths become ``Path``."""
    if not (has_crystal(dict.fromkeys(columns, 1)) or {*PATH_KEYS, *FORMULA_KEYS} & set(columns)):
        if len(columns) != 1:
            raise TypeError(
                "expected a DataFrame of one column or with a column 'structure', got the columns "
                f"{columns}."
            )
        rows = [(label, {"structure": record[columns[0]]}) for label, record in rows]
    for label, record in rows:
        record = {key: value for key, value in record.items() if not is_missing(value)}
        own, item = own_id(record), record.get("structure")
        path = next((record[key] for key in PATH_KEYS if key in record), None)
        if path is not None and has_crystal(record):
            record |= file_beside(record)
        elif path is not None:
            item = Path(path) if isinstance(path, str) else path
        if (path := _path_of(item)) is not None:
            item = {**record, "structure": path}
        elif not isinstance(item, Exception):
            has_content = has_crystal(record) or not set(FORMULA_KEYS).isdisjoint(record)
            item = record if has_content else None
        yield label if own is None else own, item


def _sequence_items(X):
    if isinstance(X, np.ndarray) and X.shape[1:] == (1,):
        X = X[:, 0]
    if isinstance(X, np.ndarray) and (X.ndim != 1 or X.dtype.kind not in "OU"):
        raise TypeError(
            f"expected a 1-D array of crystals, got an array of shape {X.shape} and dtype "
            f"{X.dtype}. np.array() of structures makes an array of sites; fill "
            "np.empty(n, dtype=object) instead, or pass the list."
        )
    try:
        rows = list(X)
    except TypeError as error:
        raise TypeError(f"expected crystals, got an object of type {type(X).__name__}.") from error
    return enumerate(rows)


def _checked(X, n_jobs):
    """Read, convert and check the rows of `X`, in processes if there are files."""
    items = list(_items(X))
    if effective_n_jobs(n_jobs) > 1 and any(_file_of(item) for _, item in items):
        parts = (items[start : start + FILES] for start in range(0, len(items), FILES))
        read = Parallel(n_jobs=n_jobs)(delayed(_check_part)(part) for part in parts)
        rows = [row for part in read for row in part]
    else:
        rows = _check_part(items)
    return named_structures([name for name, _ in rows], [item for _, item in rows])


def _check_part(items):
    return [(name, _crystal_or_reason(item)) for name, item in _opened(items)]


def _crystal_or_reason(item):
    try:
        if isinstance(item, Exception):
            raise item
        return as_crystal(item, formulas=True)
    except Exception as error:  # whatever a crystal does, it costs no other
        return reason_of(error)


def _opened(items):
    """Open files, of which one may hold several crystals, and find the name of each item."""
    for label, item in items:
        if (path := _file_of(item)) is None:
            own = id_of(item) if is_number(label) else own_id(item)
            yield Name(label if own is None else None, own), item
            continue
        told = item if isinstance(item, dict) else None
        for name, found in _rows_of_file(label, path):
            if told is not None and not isinstance(found, Exception):
                found = told | {"structure": found}
            yield name, found


def id_of(item):
    """Return the id that a record, or a crystal, also one in a record, has of its own."""
    if isinstance(item, dict):
        inner = item.get("properties" if is_structure_dictionary(item) else "structure")
        return own_id(item) or id_of(inner)
    if is_atoms(item):
        return own_id(item.info)
    return own_id(item.properties) if isinstance(item, Structure | Crystal) else None


def _rows_of_file(label, path):
    """Yield the name and the record, or the error, of each crystal of a file."""
    found = []
    try:
        for row in read_structure_file(path):
            found.append(row)
    except Exception as error:  # also those that no parser foresaw
        found.append((None, error))
    for position, (own, item) in enumerate(found):
        own = id_of(item) if own is None else own
        yield Name(label, own, path, position if len(found) > 1 else None), item


def _file_of(item):
    """Return the path of the file that holds an item, also that of a row of a table, or None."""
    if isinstance(item, dict):
        item = item.get("structure")
        return item if isinstance(item, Path) else None
    return _path_of(item)


def _path_of(item):
    """Return an item as a path; None if it is not one, such as text of several lines or JSON."""
    if isinstance(item, str) and ("\n" in item or item.lstrip().startswith(("{", "["))):
        return None
    if is_formula(item) and not is_structure_file(Path(item)) and not Path(item).exists():
        return None
    return Path(item).expanduser() if isinstance(item, str | Path) else None
