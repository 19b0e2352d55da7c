"""What counts as a crystal.

`check_structures` turns whatever a materials scientist has at hand (pymatgen ``Structure`` objects,
their dictionaries, ASE ``Atoms``, file names, a folder, a file of many structures) into one 1-D
object array of ``Structure`` with an id beside each. `structure_digest` names a crystal by its
content.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pymatgen.core import DummySpecies, Element, Structure

from .structure_files import read_structure_file, structure_files

__all__ = [
    "Failure",
    "Structures",
    "check_structures",
    "convert_structures",
    "object_array",
    "structure_digest",
    "structure_error",
    "validate_structure",
]

#: Two sites closer than this many angstrom are taken for one atom listed twice.
MINIMUM_DISTANCE = 0.5


class Failure(NamedTuple):
    """A row that could not be used: its position, its id, and why."""

    index: int
    id: object
    reason: str


class Structures(NamedTuple):
    """What `check_structures` returns.

    Attributes
    ----------
    structures : ndarray of shape (n_samples,), dtype object
        One ``Structure`` per row, None where the row failed.
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
        Crystals as pymatgen ``Structure``, ``Structure.as_dict()`` dictionaries, ASE ``Atoms`` or
        paths of CIF, POSCAR, JSON or XYZ files, in a list, tuple, Series, 1-D object array or
        DataFrame of one column (or with a column ``structure``); or one path: of a folder, or of a
        file, which may hold many crystals (``.json``, ``.json.gz``, ``.jsonl``, extended XYZ).
    on_error : {"raise", "collect"}, default="raise"
        Whether the first unusable crystal raises, or all of them are listed in ``failures``.

    Returns
    -------
    Structures
        Named tuple ``(structures, ids, failures)``. The id is the ``material_id`` where the data
        has one, else the index of the Series or DataFrame, the file name, or the position.

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


def convert_structures(X, *, on_error="raise"):
    """Read and convert crystals as `check_structures` does, but do not validate them.

    For callers who know most of the crystals already and validate the others.
    """
    if on_error not in ("raise", "collect"):
        raise ValueError(f"on_error must be 'raise' or 'collect', got {on_error!r}.")
    structures, ids, failures = [], [], []
    for id_, item in _rows(X):
        try:
            if isinstance(item, Exception):
                raise item
            structure = _to_structure(item)
        except Exception as error:  # the parsers of a crystal raise anything
            if on_error == "raise":
                raise structure_error(error, id_, len(ids)) from error
            failures.append(Failure(len(ids), id_, str(error)))
            structure = None
        structures.append(structure)
        ids.append(id_)
    return Structures(object_array(structures), object_array(ids), failures)


def structure_error(error, id_, position):
    """Build the exception that names the crystal which `error` is about."""
    kind = type(error) if isinstance(error, TypeError | FileNotFoundError) else ValueError
    name = f"at position {position}" if isinstance(id_, int | np.integer) else f"{id_!r}"
    return kind(f"Crystal {name}: {error}")


def structure_digest(structure):
    """Name a crystal by its content: cell, species, coordinates and charge.

    Equal for crystals that list the same cell and sites in any order, also after pickling, an
    ``as_dict`` round trip or a shift of a site by a lattice vector. Different when the cell, an
    element, an occupancy, an oxidation state, a magnetic moment, the charge or, beyond 1e-7 of the
    cell, a coordinate differs. Labels and other bookkeeping properties of sites do not count.

    Parameters
    ----------
    structure : pymatgen.core.Structure

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    lattice = np.round(structure.lattice.matrix, 7) + 0.0
    coords = np.round(np.mod(structure.frac_coords, 1.0), 7)
    coords = np.mod(coords, 1.0) + 0.0
    species = [_species_name(site.species) for site in structure]
    moments = structure.site_properties.get("magmom")
    if moments is not None and any(m is not None for m in moments):
        species = [f"{name}@{moment}" for name, moment in zip(species, moments, strict=True)]
    names, kinds = np.unique(species, return_inverse=True)
    order = np.lexsort((*coords.T, kinds)) if len(kinds) else kinds
    digest = hashlib.blake2b(lattice.tobytes(), digest_size=16)
    digest.update("|".join(names).encode())
    digest.update(np.bincount(kinds).tobytes())
    digest.update(np.ascontiguousarray(coords[order]).tobytes())
    charge = getattr(structure, "_charge", None)  # the property warns and sums oxidation states
    if charge:
        digest.update(f"charge {float(charge)}".encode())
    return digest.hexdigest()


_NAMES = {}


def _species_name(composition):
    name = _NAMES.get(composition)
    if name is None:
        parts = sorted(f"{specie}:{amount:.6g}" for specie, amount in composition.items())
        name = _NAMES[composition] = ",".join(parts)
    return name


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
    elif isinstance(X, Structure) or _is_atoms(X) or _is_structure_dict(X):
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


def _rows(X):
    """Yield (id, crystal) with files opened: a file may hold several. An error is yielded too."""
    for id_, item in _items(X):
        if isinstance(item, str | Path):
            path = Path(item).expanduser()
            name = path.name if isinstance(id_, int | np.integer) else id_
            try:
                found = read_structure_file(path)
            except (ValueError, OSError) as error:
                yield name, error
                continue
            for i, (found_id, record) in enumerate(found):
                if found_id is None:
                    found_id = name if len(found) == 1 else f"{name}:{i}"
                yield found_id, record
        elif isinstance(item, dict) and not _is_structure_dict(item):
            yield item.get("material_id", item.get("id", id_)), item
        elif isinstance(item, Structure) and isinstance(id_, int | np.integer):
            yield item.properties.get("material_id", id_), item
        else:
            yield id_, item


def _to_structure(item):
    if isinstance(item, Structure):
        return item
    if isinstance(item, dict):
        record = item if _is_structure_dict(item) else item.get("structure")
        if not _is_structure_dict(record):
            raise ValueError(
                "expected the keys 'lattice' and 'sites', or 'structure', in the dictionary of a "
                f"crystal, got {sorted(map(str, item))[:8]}."
            )
        return Structure.from_dict(record)
    if _is_atoms(item):
        return _from_atoms(item)
    raise TypeError(
        "expected a pymatgen Structure, its dictionary, ASE Atoms or a path, got "
        f"{type(item).__name__}: {str(item)[:60]!r}."
    )


def _is_structure_dict(item):
    return isinstance(item, dict) and "lattice" in item and "sites" in item


def _is_atoms(item):
    return hasattr(item, "get_atomic_numbers") and hasattr(item, "get_scaled_positions")


def _from_atoms(atoms):
    if not all(atoms.get_pbc()):
        raise ValueError("it is not periodic in three directions, so it is not a crystal.")
    return Structure(
        atoms.cell.array,
        [Element.from_Z(int(z)) for z in atoms.get_atomic_numbers()],
        atoms.get_scaled_positions(wrap=False),
    )


def validate_structure(structure):
    """Refuse what is not a crystal of ordered, separate atoms of known elements.

    Parameters
    ----------
    structure : pymatgen.core.Structure

    Raises
    ------
    ValueError
        Saying what is wrong and, where there is a remedy, what to do.
    """
    if len(structure) == 0:
        raise ValueError("it has no sites.")
    for composition in {site.species for site in structure}:
        _validate_species(composition)
    lattice, coords = structure.lattice.matrix, structure.frac_coords
    if not (np.isfinite(lattice).all() and np.isfinite(coords).all()):
        raise ValueError("its cell or a coordinate is not a finite number.")
    if not all(structure.lattice.pbc):
        raise ValueError("it is not periodic in three directions, so it is not a crystal.")
    if abs(np.linalg.det(lattice)) < 1e-6:
        raise ValueError(f"its cell has no volume: {lattice.tolist()}.")
    first, second, distance = _close_sites(structure)
    if first is not None:
        raise ValueError(
            f"the sites {first} ({structure[first].species_string}) and {second} "
            f"({structure[second].species_string}) are {distance:.3f} angstrom apart; at least "
            f"{MINIMUM_DISTANCE} is expected. Remove the doubled site."
        )


def _validate_species(composition):
    if len(composition) != 1 or abs(next(iter(composition.values())) - 1) > 1e-8:
        raise ValueError(
            f"a site is occupied by {composition.formula!r}: disordered crystals cannot be used. "
            "Make it ordered, for example with pymatgen's OrderDisorderedStructureTransformation."
        )
    specie = next(iter(composition))
    if isinstance(specie, DummySpecies) or not hasattr(specie, "Z"):
        raise ValueError(f"{specie} is not an element.")


def _close_sites(structure):
    """Return the first pair of sites, or of a site and its image, that overlap."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    coords = np.ascontiguousarray(structure.cart_coords)
    first, second, images, distances = find_points_in_spheres(
        coords,
        coords,
        r=MINIMUM_DISTANCE,
        pbc=np.ones(3, dtype=int),
        lattice=np.ascontiguousarray(structure.lattice.matrix),
        tol=1e-8,
    )
    overlapping = np.flatnonzero((first != second) | np.any(images != 0, axis=1))
    if not overlapping.size:
        return None, None, None
    pair = overlapping[0]
    return int(first[pair]), int(second[pair]), float(distances[pair])
