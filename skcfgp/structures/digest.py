"""`structure_digest`: the name of a crystal by its content."""

import hashlib

import numpy as np

from .crystal import ELEMENTS, Crystal, cell_of

__all__ = ["structure_digest"]

# What _species_name gives for each element, by atomic number.
_WHOLE = np.array([f"{element}:1" for element in ELEMENTS])

_NAMES = {}


def structure_digest(structure):
    """Name a crystal by its content: cell, species, coordinates and charge.

    Equal for crystals that list the same cell and sites in any order, also after pickling, an
    ``as_dict`` round trip or a shift of a site by a lattice vector, and for a `Crystal` and its
    ``Structure``. Different when the cell, an element, an occupancy, an oxidation state, a magnetic
    moment, the charge or, beyond 1e-7 of the cell, a coordinate differs. Labels and other
    bookkeeping properties of sites do not count.

    Parameters
    ----------
    structure : pymatgen.core.Structure or Crystal

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    lattice = np.round(cell_of(structure), 7) + 0.0
    coords = np.round(np.mod(structure.frac_coords, 1.0), 7)
    coords = np.mod(coords, 1.0) + 0.0
    names, kinds = np.unique(_species(structure), return_inverse=True)
    order = np.lexsort((*coords.T, kinds)) if len(kinds) else kinds
    digest = hashlib.blake2b(lattice.tobytes(), digest_size=16)
    digest.update("|".join(names).encode())
    digest.update(np.bincount(kinds).tobytes())
    digest.update(np.ascontiguousarray(coords[order]).tobytes())
    charge = getattr(structure, "_charge", None)  # the property warns and sums oxidation states
    if charge:
        digest.update(f"charge {float(charge)}".encode())
    return digest.hexdigest()


def _species(structure):
    """Name what is on each site."""
    if isinstance(structure, Crystal):
        return _WHOLE[structure.atomic_numbers]
    names = [_species_name(site.species) for site in structure]
    moments = structure.site_properties.get("magmom")
    if moments is not None and any(m is not None for m in moments):
        names = [f"{name}@{moment}" for name, moment in zip(names, moments, strict=True)]
    return names


def _species_name(composition):
    name = _NAMES.get(composition)
    if name is None:
        parts = sorted(f"{specie}:{amount:.6g}" for specie, amount in composition.items())
        name = _NAMES[composition] = ",".join(parts)
    return name
