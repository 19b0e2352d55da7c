"""Crystals from dictionaries: those of pymatgen's ``Structure``, and of ASE's ``Atoms``.

The decoders of pymatgen and ASE import the modules and call the classes that a dictionary names, so
a file of crystals could run code. Here lattice, species and coordinates are read as numbers and
names, and nothing else is looked at.
"""

from numbers import Real

import numpy as np
from pymatgen.core import Lattice

from .agreement import check_lengths, check_points, check_told
from .crystal import ELEMENTS, Crystal, fractional
from .ids import own_id
from .io import escaped, short
from .sites import (
    AMOUNTS,
    check_amounts,
    check_occupancies,
    check_periodic,
    isotopes_of,
    isotopes_of_masses,
    site_number,
)

#: What a value of JSON may be that is kept among the properties of a crystal.
PLAIN = (str, bool, int, float, type(None), np.generic)


def is_structure_dictionary(item):
    """Whether `item` looks like ``Structure.as_dict()``."""
    return isinstance(item, dict) and "lattice" in item and "sites" in item


def crystal_from_dictionary(record):
    """Build a crystal from ``Structure.as_dict()`` or ``Atoms.todict()``.

    Only plain values of its ``properties`` are kept. Charge, labels, properties of sites and
    anything else are not read: a `Crystal` has no place for them. ValueError says what is wrong.
    """
    if not isinstance(record, dict):
        raise ValueError(f"expected the dictionary of a crystal, got {type(record).__name__}.")
    properties = plain_properties(record.get("properties"))
    if is_structure_dictionary(record):
        arrays = _arrays_of_structure(record)
        symbols = [str(kind.get("element")) for s in record["sites"] for kind in s["species"]]
        properties |= isotopes_of(symbols)
    elif "numbers" in record and "positions" in record:
        arrays = _arrays_of_atoms(record)
        if record.get("masses") is not None:
            masses = _numbers(_ase_array(record["masses"]), (len(arrays[2]),), "'masses'")
            properties |= isotopes_of_masses(arrays[2], masses)
    else:
        raise _unlike(
            "the keys 'lattice' and 'sites', or 'structure' with these in it, in the dictionary "
            "of a crystal",
            sorted(map(str, record))[:8],
        )
    crystal = Crystal(*arrays, properties)
    for name in () if "sites" in record else AMOUNTS:
        if record.get(name) is not None:
            amounts = _numbers(_ase_array(record[name]), (len(crystal),), repr(name))
            symbols = [ELEMENTS[z].symbol for z in crystal.atomic_numbers.tolist()]
            check_amounts(symbols, amounts.tolist())
    if isinstance(record.get("info"), dict):
        check_told(crystal, record["info"])
    return crystal


def dictionary_of(crystal):
    """Return what pymatgen's ``Structure.from_dict`` needs to know of a `Crystal`."""
    symbols = [ELEMENTS[z].symbol for z in crystal.atomic_numbers.tolist()]
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "lattice": {"matrix": crystal.lattice.tolist()},
        "properties": crystal.properties,
        "sites": [
            {"species": [{"element": symbol, "occu": 1}], "abc": abc}
            for symbol, abc in zip(symbols, crystal.frac_coords.tolist(), strict=True)
        ],
    }


def plain_properties(properties):
    """Keep the text, numbers and lists of these among properties; ValueError if not an object."""
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        raise ValueError(f"its properties must be an object, got {short(properties)}.")
    return {name: value for name, value in properties.items() if _is_plain(value)}


def ase_json_rows(content):
    """Yield id and crystal, or the error, of each row of a parsed JSON database of ASE.

    The id is that of the row's key-value pairs, else the row's number.
    """
    if not isinstance(content.get("ids"), list):
        raise ValueError(f"its 'ids' must be a list of rows, got {short(content.get('ids'))}.")
    for id_ in map(short, content["ids"]):
        yield row_of_ase(id_, content.get(id_))


def row_of_ase(id_, row):
    """Return the id and the crystal, or the error, of a row of a database of ASE."""
    try:
        if not isinstance(row, dict):
            raise ValueError(f"there is no row {id_} in the file.")
        pairs = plain_properties(row.get("key_value_pairs"))
        id_ = own_id(pairs) or id_
        crystal = crystal_from_dictionary(row | {"properties": pairs})
        check_told(crystal, pairs)
        return id_, crystal
    except ValueError as error:
        return id_, error


def _unlike(expected, got):
    return ValueError(f"expected {expected}, got {short(got)}.")


def _is_plain(value):
    if isinstance(value, list | tuple):
        return all(isinstance(item, PLAIN) for item in value)
    return isinstance(value, PLAIN)


def _numbers(values, shape, what):
    """Convert nested lists of numbers to an array of a shape; -1 stands for any length."""
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError, RecursionError):  # ragged, or too deep
        array = np.empty(0, dtype=object)
    fits = len(array.shape) == len(shape) and all(
        n in (-1, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if array.dtype.kind not in "iuf" or not fits:
        size = " x ".join("n" if n == -1 else str(n) for n in shape)
        raise _unlike(f"{what} as {size} numbers", values)
    return array


def _periodic(pbc):
    """Refuse what does not repeat in three directions."""
    pbc = pbc if isinstance(pbc, list | tuple | np.ndarray) else [pbc] * 3
    if len(pbc) != 3 or not all(isinstance(p, bool | int | np.bool_ | np.integer) for p in pbc):
        raise _unlike("'pbc' as three of true and false", pbc)
    check_periodic(pbc)


def _arrays_of_structure(record):
    """Read lattice, fractional coordinates and atomic numbers of pymatgen's dictionary."""
    lattice, sites = record["lattice"], record["sites"]
    if not isinstance(lattice, dict):
        raise _unlike("'lattice' as an object", lattice)
    if not isinstance(sites, list | tuple) or not all(isinstance(s, dict) for s in sites):
        raise _unlike("'sites' as a list of objects", sites)
    _periodic(lattice.get("pbc", True))
    names = ("a", "b", "c", "alpha", "beta", "gamma")
    values = [lattice.get(name) for name in names]
    if lattice.get("matrix") is None or None not in values:
        values = _numbers(values, (6,), f"{', '.join(names)} of 'lattice'").tolist()
    if lattice.get("matrix") is None:
        matrix = _matrix(*values)
    else:
        matrix = _numbers(lattice["matrix"], (3, 3), "the 'matrix' of 'lattice'")
        if None not in values:
            check_lengths(matrix, values, f"{', '.join(names)}")
    numbers = [_atomic_number(site) for site in sites]
    if not sites:
        raise ValueError("it has no sites.")
    coords = _numbers([site.get("abc") for site in sites], (-1, 3), "'abc' of the sites")
    if lattice.get("matrix") is not None and all(site.get("xyz") is not None for site in sites):
        points = _numbers([site["xyz"] for site in sites], (-1, 3), "'xyz' of the sites")
        check_points(matrix, coords, points)
    return matrix, coords, numbers


def _matrix(a, b, c, alpha, beta, gamma):
    """Make the cell of three lengths and angles; pymatgen fails where there is none."""
    if not all(0 < angle < 180 for angle in (alpha, beta, gamma)):
        raise ValueError(f"its cell has no volume: the angles are {alpha}, {beta}, {gamma}.")
    with np.errstate(all="ignore"):
        return Lattice.from_parameters(a, b, c, alpha, beta, gamma).matrix


def _atomic_number(site):
    """Return the atomic number of the one atom on a site."""
    species = site.get("species")
    if not isinstance(species, list | tuple) or not all(isinstance(s, dict) for s in species):
        raise _unlike("the 'species' of a site as a list of objects", species)
    occupied = [(_text(kind.get("element")), kind.get("occu")) for kind in species]
    if not all(isinstance(amount, Real) for _, amount in occupied):
        raise _unlike("the 'occu' of each element of a site as a number", species)
    return site_number(occupied)


def _text(value):
    return escaped(value[:40]) if isinstance(value, str) else short(value)


def _arrays_of_atoms(record):
    """Read cell, fractional coordinates and atomic numbers of ASE's dictionary."""
    _periodic(_ase_array(record.get("pbc", False)))
    if isinstance(info := record.get("info"), dict):
        check_occupancies(info.get("occupancy"))
    cell = _numbers(_ase_array(record.get("cell")), (3, 3), "'cell'").astype(float)
    positions = _numbers(_ase_array(record["positions"]), (-1, 3), "'positions'").astype(float)
    numbers = _numbers(_ase_array(record["numbers"]), (len(positions),), "'numbers'")
    return cell, fractional(cell, positions), numbers


def _ase_array(value):
    """Read an array in one of the forms that ASE has had; others are returned as they are."""
    if isinstance(value, dict) and "array" in value:  # a cell
        value = value["array"]
    if not isinstance(value, dict):
        return value
    parts = value.get("__ndarray__")
    if not isinstance(parts, list) or len(parts) != 3:
        raise _unlike("an array of ASE", value)
    shape, kind, data = parts
    try:
        flat = np.asarray(data)
        if flat.ndim != 1 or flat.dtype.kind not in "biuf" or not isinstance(kind, str):
            raise ValueError("not a list of numbers")
        return flat.reshape([int(n) for n in shape])
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise _unlike("an array of ASE", value) from None
