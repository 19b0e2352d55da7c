"""Sites within a radius of each other, in a crystal that may be anything.

The search of pymatgen sorts the space around all sites into cubes of the size of the radius. A site
far outside the cell, a huge or a needle-like cell would let it fill any memory, so the sites are
moved into the cell, and the sizes are bounded before.
"""

import math

import numpy as np
from pymatgen.optimization.neighbors import find_points_in_spheres

from .bounds import check_count, limit

#: Coordinates in units of the cell within which sites are left where they are; moving a site costs
#: the last digits of its distances.
NEAR = 4.0

#: Coordinates in units of the cell that a crystal can have; beyond, no digits are left.
FAR = 1e7

#: Points, sites times copies of the cell, among which neighbours are searched.
MAX_POINTS = 2_000_000

#: Sites whose neighbours are searched at a time.
CHUNK = 512


def check_cell(lattice, n_sites, radius):
    """Refuse a cell in which a search for neighbours has no end, and return its volume."""
    check_count(n_sites, "SKCFGP_MAX_SITES", "sites")
    # A crystal has nine numbers here, on which Python is faster than NumPy.
    a, b, c = lattice.tolist()
    box = [abs(x) + abs(y) + abs(z) for x, y, z in zip(a, b, c, strict=True)]
    if not math.prod(length + 2 * radius for length in box) <= limit("SKCFGP_MAX_VOLUME"):
        raise ValueError(
            f"its cell spans {' x '.join(f'{length:.4g}' for length in box)} angstrom, more than "
            f"{limit('SKCFGP_MAX_VOLUME'):,} cubic angstrom; the environment variable "
            "SKCFGP_MAX_VOLUME raises this limit."
        )
    normals = _cross(b, c), _cross(c, a), _cross(a, b)
    volume = abs(sum(x * y for x, y in zip(a, normals[0], strict=True)))
    if volume < 1e-6:
        raise ValueError(f"its cell has no volume: {lattice.tolist()}.")
    spacing = [volume / math.hypot(*normal) for normal in normals]
    if n_sites * math.prod(2 * math.ceil(radius / d) + 1 for d in spacing) > MAX_POINTS:
        raise ValueError(
            f"the planes of its cell are {', '.join(f'{d:.3g}' for d in spacing)} angstrom apart, "
            "too close to search for neighbours; give a reduced cell."
        )
    return volume


def _cross(u, v):
    (a, b, c), (x, y, z) = u, v
    return b * z - c * y, c * x - a * z, a * y - b * x


def find_neighbours(lattice, frac_coords, radius):
    """Find all pairs of sites within a radius, in angstrom, of a cell that `check_cell` passed.

    Returns first and second site, image of the second and distance of each pair; a site is a
    neighbour of itself at distance 0. ValueError if there are too many.
    """
    largest = np.abs(frac_coords).max()
    if largest > FAR:
        raise ValueError(f"a coordinate is {largest:.3g} times the length of the cell.")
    if largest > NEAR:
        frac_coords = frac_coords % 1.0
    points = np.ascontiguousarray(frac_coords @ lattice)
    found, total = [], 0
    for start in range(0, len(points), CHUNK):
        first, *others = find_points_in_spheres(
            points,
            points[start : start + CHUNK],
            r=float(radius),
            pbc=np.ones(3, dtype=int),
            lattice=np.array(lattice, dtype=float, order="C"),
            tol=1e-8,
        )
        total += len(first)
        check_count(total, "SKCFGP_MAX_NEIGHBOURS", f"pairs of sites within {radius} angstrom")
        found.append((first + start, *others))
    return found[0] if len(found) == 1 else tuple(map(np.concatenate, zip(*found, strict=True)))


def find_bonds(crystal, cutoff):
    """Find the pairs of sites of a `Crystal` within a cut-off, in angstrom, sorted by the first.

    Returns first and second site and distance of each pair. ValueError if there is none, or too
    many: for a graph network such atoms are no crystal.
    """
    check_cell(crystal.lattice, len(crystal), cutoff)
    first, second, _, distances = find_neighbours(crystal.lattice, crystal.frac_coords, cutoff)
    bonds = np.flatnonzero((first != second) | (distances > 1e-8))
    if not bonds.size:
        raise ValueError(
            f"no two atoms are within the network's cut-off of {cutoff} angstrom, so its graph has "
            "no bonds. Take a network with a longer cut-off, or the recipe 'composition'."
        )
    bonds = bonds[np.argsort(first[bonds], kind="stable")]
    return first[bonds], second[bonds], distances[bonds]
