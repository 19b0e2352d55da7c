"""Read a data set that is kept as plain arrays in one ``.npz`` file.

Beside the arrays of `LAYOUT` it has columns of values, with a number for each crystal, and may have
``part`` (or ``split``), ``material_id`` and ``unit``.
"""

import zipfile
from typing import NamedTuple

import numpy as np
from pymatgen.core import Lattice

from ..structures import Crystal
from ..structures.bounds import check_count, check_regular, limit

#: Dtypes and number of columns of the arrays that hold the crystals.
LAYOUT = {
    "cell": ("iuf", 6),  # a, b, c in angstrom; alpha, beta, gamma in degrees
    "n_sites": ("iu", None),
    "atomic_numbers": ("iu", None),  # of all sites, one crystal after another
    "frac_coords_1e5": ("iu", 3),  # fractional coordinates times 1e5
}
NAMES = ("part", "split", "material_id", "unit")
SCALE = 1e5


class CrystalArrays(NamedTuple):
    """Ids, crystals (or why one cannot be used), columns of values, and the parts, if given."""

    ids: list
    crystals: list
    columns: dict
    parts: np.ndarray | None
    unit: str


def read_arrays(path):
    """Read and check the arrays of a file; ValueError, which names the file, says what is wrong."""
    try:
        return _checked(_load(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _load(path):
    """Read a file whose arrays, expanded, are not too large; nothing in it is run."""
    check_regular(path)
    largest = limit("SKCFGP_MAX_BYTES")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise ValueError(f"it is not a file of numpy.savez: {error}.") from None
    if size > largest:
        raise ValueError(
            f"its arrays have {size:,} bytes, more than {largest:,}; the environment variable "
            "SKCFGP_MAX_BYTES raises this limit."
        )
    arrays = {}
    with np.load(path, allow_pickle=False) as file:
        for name in file.files:
            try:
                arrays[name] = file[name]
            except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
                raise ValueError(
                    f"the array {name!r} cannot be read: {error}. Only arrays of numbers and "
                    "of text (dtype '<U...') are."
                ) from None
    return arrays


def _checked(arrays):
    for name, (kinds, width) in LAYOUT.items():
        if name not in arrays:
            raise ValueError(f"there is no array {name!r}; it has {sorted(arrays)}.")
        array = arrays[name]
        row = () if width is None else (width,)
        if array.ndim < 1 or array.shape[1:] != row or array.dtype.kind not in kinds:
            expected = "integers" if kinds == "iu" else "numbers"
            columns = "" if width is None else f" in rows of {width}"
            raise ValueError(
                f"{name} must be {expected}{columns}, got an array of shape {array.shape} and "
                f"dtype {array.dtype}."
            )
    n_sites = arrays["n_sites"].astype(int)
    n, total = len(n_sites), len(arrays["atomic_numbers"])
    check_count(n, "SKCFGP_MAX_CRYSTALS", "crystals")
    if n and n_sites.min() < 1:
        raise ValueError(f"n_sites must be at least 1, got {n_sites.min()}.")
    if n and n_sites.max() > limit("SKCFGP_MAX_SITES"):
        check_count(int(n_sites.max()), "SKCFGP_MAX_SITES", "sites in a crystal")
    if not n_sites.sum() == total == len(arrays["frac_coords_1e5"]):
        raise ValueError(
            f"n_sites has {n_sites.sum()} sites in all, but atomic_numbers has {total} and "
            f"frac_coords_1e5 has {len(arrays['frac_coords_1e5'])}."
        )
    if len(arrays["cell"]) != n:
        raise ValueError(f"cell has {len(arrays['cell'])} rows for {n} crystals.")
    columns = {}
    for name, array in arrays.items():
        if name not in LAYOUT and name != "unit" and array.shape != (n,):
            raise ValueError(
                f"{name} must have one value for each of {n} crystals, got {array.shape}."
            )
        if name not in (*LAYOUT, *NAMES) and array.dtype.kind in "iuf":
            columns[name] = array.astype(float)
    ids = arrays.get("material_id", np.arange(n)).astype(str).tolist()
    if len(set(ids)) < n:
        names, counts = np.unique(ids, return_counts=True)
        raise ValueError(f"material_id {names[counts > 1][0]!r} is there more than once.")
    parts = arrays.get("part", arrays.get("split"))
    parts = None if parts is None else parts.astype(str)
    unit = str(arrays["unit"]) if arrays.get("unit", np.array(0)).dtype.kind == "U" else ""
    return CrystalArrays(ids, _crystals(arrays, n_sites), columns, parts, unit)


def _crystals(arrays, n_sites):
    """Return the crystals; the error, where one cannot be used."""
    ends = np.cumsum(n_sites)[:-1]
    numbers = np.split(arrays["atomic_numbers"], ends)
    coords = np.split(arrays["frac_coords_1e5"], ends)
    crystals = []
    for cell, xyz, z in zip(arrays["cell"], coords, numbers, strict=True):
        try:
            matrix = Lattice.from_parameters(*map(float, cell)).matrix
            crystals.append(Crystal(matrix, xyz / SCALE, z))
        except (ValueError, ArithmeticError) as error:
            crystals.append(error)
    return crystals
