"""What counts as a crystal.

`check_structures` turns whatever a materials scientist has at hand (pymatgen ``Structure`` objects,
their dictionaries, `Crystal` objects, ASE ``Atoms``, file names, a folder, a file of many crystals)
into one 1-D object array with an id beside each.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import effective_n_jobs
from pymatgen.core import Structure
from sklearn.utils.parallel import Parallel, delayed

from .ase import crystal_from_atoms, is_atoms
from .crystal import Crystal
from .files import read_structure_file, structure_files
from .validation import validate_structure

__all__ = [
    "Failure",
    "Structures",
    "check_structures",
    "convert_structures",
    "object_array",
    "structure_error",
]


#: Files that one job of `n_jobs` reads.
FILES = 50


class Failure(NamedTuple):
    """A row that could not be used.

    Attributes
    ----------
    index : int
        Its position.
    id : object
    reason : str
    """

    index: int
    id: object
    reason: str


class Structures(NamedTuple):
    """What `check_structures` returns.

    Attributes
    ----------
    structures : ndarray of shape (n_samples,), dtype object
        A ``Structure`` or a `Crystal` per row, None where the row failed.
    ids : ndarray of shape (n_samples,), dtype object
    failures : list of Failure
    """

    structures: np.ndarray
    ids: np.ndarray
    failures: list


def check_structures(X, *, on_error="raise"):
    """Read, convert and validate crystals.

    Parameters
    ----------
    X : array-like of shape (n_samples,), DataFrame, str or Path
        Crystals as pymatgen ``Structure``, ``Structure.as_dict()`` dictionaries,
        `skcfgp.structures.Crystal`, ASE ``Atoms`` or paths of CIF, POSCAR, JSON, XYZ or ASE
        database files, in a list, tuple, Series, 1-D object array or DataFrame of one column (or
        with a column ``structure``); or one path: of a folder, or of a file, which may hold many
        crystals (``.json``, ``.json.gz``, ``.jsonl``, ``.db``, extended XYZ).
    on_error : {"raise", "collect"}, default="raise"
        Whether the first unusable crystal raises, or all of them are listed in ``failures``.

    Returns
    -------
    Structures
        Named tuple ``(structures, ids, failures)``. ``Atoms`` and rows of an ASE database become
        `Crystal`; what else is not one becomes a ``Structure``. The id is the ``material_id`` where
        the data has one, else the index of the Series or DataFrame, the row of the database, the
        file name, or the position.

    Raises
    ------
    ValueError
        If a crystal is empty, disordered, of an element that does not exist, has overlapping sites
        or a cell without volume. The message names the crystal.
    FileNotFoundError
        If a path does not exist.
    TypeError
        If `X` is not a collection of crystals, or an item is not a crystal.

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> salt = Structure.from_spacegroup(
    ...     "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> structures, ids, failures = check_structures({"salt": salt})
    >>> structures.shape, ids.tolist(), failures
    ((1,), ['salt'], [])
    """
    found = convert_structures(X, on_error=on_error)
    failed = {failure.index for failure in found.failures}
    for index in sorted(set(range(len(found.ids))) - failed):
        try:
            validate_structure(found.structures[index])
        except ValueError as error:
            if on_error == "raise":
                raise structure_error(error, found.ids[index], index) from error
            found.failures.append(Failure(index, found.ids[index], str(error)))
            found.structures[index] = None
    return found._replace(failures=sorted(found.failures, key=lambda failure: failure.index))


def convert_structures(X, *, on_error="raise", n_jobs=None):
    """Read and convert crystals as `check_structures` does, but do not validate them.

    For callers who know most of the crystals already and validate the others. With several jobs, in
    the sense of joblib, files are read by as many processes.
    """
    if on_error not in ("raise", "collect"):
        raise ValueError(f"on_error must be 'raise' or 'collect', got {on_error!r}.")
    structures, ids, failures = [], [], []
    for id_, item in _converted(X, n_jobs):
        if isinstance(item, Exception):
            if on_error == "raise":
                raise structure_error(item, id_, len(ids)) from item
            failures.append(Failure(len(ids), id_, str(item)))
            item = None
        structures.append(item)
        ids.append(id_)
    return Structures(object_array(structures), object_array(ids), failures)


def structure_error(error, id_, position):
    """Build the exception that names the crystal which `error` is about."""
    name = f"at position {position}" if isinstance(id_, int | np.integer) else f"{id_!r}"
    return _kind(error)(f"Crystal {name}: {error}")


def _kind(error):
    """Type of the exception to raise for what a parser raised."""
    return type(error) if isinstance(error, TypeError | FileNotFoundError) else ValueError


def object_array(values):
    """Make a 1-D array of objects, whatever they are; np.array() would look inside a Structure."""
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def _items(X):
    """Yield (id, item) for each row of `X`; an item may still be a path or a dictionary."""
    if isinstance(X, str | Path):
        path = Path(X).expanduser()
        yield from structure_files(path) if path.is_dir() else [(path.name, path)]
    elif isinstance(X, Structure | Crystal) or is_atoms(X) or _is_structure_dict(X):
        raise TypeError("expected several crystals, got one; put it in a list: [structure].")
    elif isinstance(X, dict):
        yield from X.items()
    elif hasattr(X, "columns"):
        yield from _frame_items(X)
    elif hasattr(X, "items") and hasattr(X, "index"):  # Series
        yield from X.items()
    else:
        yield from _sequence_items(X)


def _frame_items(frame):
    if "structure" in frame.columns:
        column = frame["structure"]
    elif len(frame.columns) == 1:
        column = frame.iloc[:, 0]
    else:
        raise TypeError(
            "expected a DataFrame of one column or with a column 'structure', got the columns "
            f"{list(frame.columns)}."
        )
    ids = frame["material_id"] if "material_id" in frame.columns else frame.index
    return zip(ids, column, strict=True)


def _sequence_items(X):
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1:
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


def _converted(X, n_jobs):
    """Yield (id, crystal) for each row of `X`; an error in the place of what could not be used."""
    items = _items(X)
    if effective_n_jobs(n_jobs) == 1:
        yield from _convert(items)
        return
    items = list(items)
    if not any(isinstance(item, str | Path) for _, item in items):  # slower to send than to convert
        yield from _convert(items)
        return
    parts = (items[start : start + FILES] for start in range(0, len(items), FILES))
    jobs = (delayed(_convert_part)(part) for part in parts)
    for part in Parallel(n_jobs=n_jobs)(jobs):
        yield from part


def _convert_part(items):
    """Convert in another process, to which not every exception of a parser can travel."""
    return [
        (id_, _kind(item)(str(item)) if isinstance(item, Exception) else item)
        for id_, item in _convert(items)
    ]


def _convert(items):
    for id_, item in _opened(items):
        try:
            yield id_, item if isinstance(item, Exception) else _to_structure(item)
        except Exception as error:  # the parsers of a crystal raise anything
            yield id_, error


def _opened(items):
    """Open files, of which one may hold several crystals."""
    for id_, item in items:
        if isinstance(item, str | Path):
            path = Path(item).expanduser()
            name = path.name if isinstance(id_, int | np.integer) else id_
            try:
                yield from read_structure_file(path, name)
            except (ValueError, OSError) as error:
                yield name, error
        elif isinstance(item, dict) and not _is_structure_dict(item):
            yield item.get("material_id", item.get("id", id_)), item
        elif isinstance(item, Structure | Crystal) and isinstance(id_, int | np.integer):
            yield item.properties.get("material_id", id_), item
        else:
            yield id_, item


def _to_structure(item):
    if isinstance(item, Structure | Crystal):
        return item
    if isinstance(item, dict):
        record = item if _is_structure_dict(item) else item.get("structure")
        if not _is_structure_dict(record):
            got = record if isinstance(record, dict) else item
            raise ValueError(
                "expected the keys 'lattice' and 'sites', or 'structure' with these in it, in the "
                f"dictionary of a crystal, got {sorted(map(str, got))[:8]}."
            )
        return Structure.from_dict(record)
    if is_atoms(item):
        return crystal_from_atoms(item)
    raise TypeError(
        "expected a pymatgen Structure, its dictionary, a Crystal, ASE Atoms or a path, got "
        f"{type(item).__name__}: {str(item)[:60]!r}."
    )


def _is_structure_dict(item):
    return isinstance(item, dict) and "lattice" in item and "sites" in item
