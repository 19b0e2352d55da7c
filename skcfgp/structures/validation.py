"""`validate_structure`: what a network cannot be asked about, and what to do instead."""

import numpy as np
from pymatgen.core import DummySpecies
from pymatgen.optimization.neighbors import find_points_in_spheres

from .crystal import ELEMENTS, Crystal, cell_of

__all__ = ["validate_structure"]

#: Two sites closer than this many angstrom are taken for one atom listed twice.
MINIMUM_DISTANCE = 0.5

#: The search sorts space into cubes of the size of its radius; in too many small ones it is slow.
SEARCH_RADIUS = 2.0


def validate_structure(structure):
    """Refuse what is not a crystal of ordered, separate atoms of known elements.

    Parameters
    ----------
    structure : pymatgen.core.Structure or Crystal

    Raises
    ------
    ValueError
        Saying what is wrong and, where there is a remedy, what to do.
    """
    if getattr(structure, "_is_valid", False):
        return
    if len(structure) == 0:
        raise ValueError("it has no sites.")
    if not isinstance(structure, Crystal):
        for composition in {site.species for site in structure}:
            _validate_species(composition)
    lattice, coords = cell_of(structure), structure.frac_coords
    if not (np.isfinite(lattice).all() and np.isfinite(coords).all()):
        raise ValueError("its cell or a coordinate is not a finite number.")
    if not isinstance(structure, Crystal) and not all(structure.lattice.pbc):
        raise ValueError("it is not periodic in three directions, so it is not a crystal.")
    if abs(np.linalg.det(lattice)) < 1e-6:
        raise ValueError(f"its cell has no volume: {lattice.tolist()}.")
    first, second, distance = _close_sites(lattice, coords)
    if first is not None:
        names = [ELEMENTS[structure.atomic_numbers[i]] for i in (first, second)]
        raise ValueError(
            f"the sites {first} ({names[0]}) and {second} ({names[1]}) are {distance:.3f} "
            f"angstrom apart; at least {MINIMUM_DISTANCE} is expected. Remove the doubled site."
        )
    if isinstance(structure, Crystal):
        object.__setattr__(structure, "_is_valid", True)


def _validate_species(composition):
    if len(composition) != 1 or abs(next(iter(composition.values())) - 1) > 1e-8:
        raise ValueError(
            f"a site is occupied by {composition.formula!r}: disordered crystals cannot be used. "
            "Make it ordered, for example with pymatgen's OrderDisorderedStructureTransformation."
        )
    specie = next(iter(composition))
    if isinstance(specie, DummySpecies) or not hasattr(specie, "Z"):
        raise ValueError(f"{specie} is not an element.")


def _close_sites(lattice, frac_coords):
    """Return the first pair of sites, or of a site and its image, that overlap."""
    coords = np.ascontiguousarray(frac_coords @ lattice)
    first, second, images, distances = find_points_in_spheres(
        coords,
        coords,
        r=SEARCH_RADIUS,
        pbc=np.ones(3, dtype=int),
        lattice=np.array(lattice, order="C"),
        tol=1e-8,
    )
    overlapping = np.flatnonzero(
        (distances < MINIMUM_DISTANCE) & ((first != second) | np.any(images != 0, axis=1))
    )
    if not overlapping.size:
        return None, None, None
    pair = overlapping[0]
    return int(first[pair]), int(second[pair]), float(distances[pair])
