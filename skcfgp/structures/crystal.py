"""`Crystal`: a crystal as three plain arrays, checked once, when it is made.

A pymatgen ``Structure`` has a Python object for each site. A network needs cell, coordinates and
elements only, and a `Crystal` has only these. Everything inside this package works on
`Crystal`; since its arrays cannot be written to, what was valid once is never checked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Composition, Element, Lattice, Structure

from .neighbours import check_cell, find_neighbours
from .sites import check_periodic, isotopes_of, site_number
from .typing import ArrayLike, FloatArray, IntArray, Self

#: Elements by atomic number; None is at 0. pymatgen's own ``Element.from_Z`` searches a table.
ELEMENTS: tuple[Any, ...] = (None, *(Element.from_Z(z) for z in range(1, 119)))

#: Two sites closer than this many angstrom are taken for one atom listed twice.
MINIMUM_DISTANCE = 0.5

#: The search sorts space into cubes of the size of its radius; in too many small ones it is slow.
SEARCH_RADIUS = 2.0

#: Spheres of diameter 1 that fit into a volume of 1.
CLOSEST_PACKING = 2**0.5


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Crystal:
    """An ordered crystal, periodic in three directions, as arrays that cannot be written to.

    Parameters
    ----------
    lattice : array-like of shape (3, 3)
        Cell vectors in rows, in angstrom.
    frac_coords : array-like of shape (n_sites, 3)
        Fractional coordinates; they need not lie in [0, 1).
    atomic_numbers : array-like of int of shape (n_sites,)
    properties : dict, default=None
        Further data such as ``material_id``. Copied, one level deep.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no site, an atomic number is not that of an element, a
        number is not finite, the cell has no volume, or two sites are closer than 0.5 angstrom.

    See Also
    --------
    skcfgp.structures.structure_digest : Equal for crystals of equal content.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp.structures import Crystal
    >>> iron = Crystal(2.87 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [26, 26])
    >>> iron
    Crystal(Fe, 2 sites)
    >>> print(f"{iron.volume:.2f} cubic angstrom")
    23.64 cubic angstrom
    >>> Crystal.from_structure(iron.to_structure())
    Crystal(Fe, 2 sites)
    """

    lattice: FloatArray
    frac_coords: FloatArray
    atomic_numbers: IntArray
    properties: dict[str, Any]

    def __init__(
        self,
        lattice: ArrayLike,
        frac_coords: ArrayLike,
        atomic_numbers: ArrayLike,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        lattice = np.array(lattice, dtype=float, order="C")
        coords = np.array(frac_coords, dtype=float, order="C")
        numbers = np.array(atomic_numbers)
        _check_shapes(lattice, coords, numbers)
        _check_content(lattice, coords, numbers)
        arrays = (lattice, coords, numbers.astype(int, copy=False))
        for name, array in zip(("lattice", "frac_coords", "atomic_numbers"), arrays, strict=True):
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "properties", dict(properties or {}))

    @classmethod
    def from_structure(cls, structure: Structure, properties: dict[str, Any] | None = None) -> Self:
        """Take cell, coordinates, elements and ``properties`` of a pymatgen ``Structure``.

        A `Crystal` has no place for oxidation states, isotopes, magnetic moments, a charge or other
        properties of sites; they are left behind.

        Parameters
        ----------
        structure : Structure
        properties : dict, default=None
            Properties of the crystal; those of the structure if not given.

        Returns
        -------
        Crystal

        Raises
        ------
        ValueError
            If the structure is disordered, not periodic in three directions, a site is not an
            element, or the arrays are not those of a `Crystal`.
        """
        check_periodic(structure.lattice.pbc)
        sites = [tuple(site.species.items()) for site in structure]
        numbers = {occupants: _number_of(occupants) for occupants in set(sites)}
        # A named isotope has the symbol of its element, and a name of its own.
        kinds = [getattr(kind, "element", kind) for site in sites for kind, _ in site]
        symbols = [getattr(kind, "name", "") for kind in kinds]
        properties = structure.properties if properties is None else properties
        return cls(
            structure.lattice.matrix,
            structure.frac_coords,
            [numbers[occupants] for occupants in sites],
            properties | isotopes_of(symbols),
        )

    def with_properties(self, properties: dict[str, Any]) -> Crystal:
        """Return the same crystal with other properties; it shares the arrays.

        Parameters
        ----------
        properties : dict

        Returns
        -------
        Crystal
        """
        crystal = object.__new__(Crystal)
        for name in ("lattice", "frac_coords", "atomic_numbers"):
            object.__setattr__(crystal, name, getattr(self, name))
        object.__setattr__(crystal, "properties", dict(properties))
        return crystal

    def to_structure(self) -> Structure:
        """Build the pymatgen ``Structure``.

        Returns
        -------
        pymatgen.core.Structure
        """
        return Structure(
            Lattice(self.lattice),
            [ELEMENTS[z] for z in self.atomic_numbers],
            self.frac_coords,
            properties=dict(self.properties),
        )

    @property
    def cart_coords(self) -> FloatArray:
        """Cartesian coordinates in angstrom, an array of shape (n_sites, 3)."""
        return self.frac_coords @ self.lattice

    @property
    def volume(self) -> float:
        """Volume of the cell in cubic angstrom."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def composition(self) -> Composition:
        """Atoms of the cell, as ``pymatgen.core.Composition``."""
        numbers, counts = np.unique(self.atomic_numbers, return_counts=True)
        pairs = zip(numbers, counts.tolist(), strict=True)
        return Composition({ELEMENTS[z]: n for z, n in pairs})

    def __len__(self) -> int:
        return len(self.atomic_numbers)

    def __repr__(self):
        plural = "" if len(self) == 1 else "s"
        return f"Crystal({self.composition.reduced_formula}, {len(self)} site{plural})"

    def __reduce__(self):  # through __init__, since a pickle forgets that an array is read-only
        return Crystal, (self.lattice, self.frac_coords, self.atomic_numbers, self.properties)


def fractional(lattice, points):
    """Convert points in angstrom to fractional coordinates of a cell of vectors in rows."""
    lattice = np.asarray(lattice, dtype=float)
    try:
        with np.errstate(all="ignore"):
            return np.linalg.solve(lattice.T, np.asarray(points, dtype=float).T).T
    except np.linalg.LinAlgError:
        raise ValueError(f"its cell has no volume: {lattice.tolist()}.") from None


def _check_shapes(lattice, coords, numbers):
    """Refuse arrays that are not a cell and one row for each site."""
    if lattice.shape != (3, 3):
        raise ValueError(f"lattice must be of shape (3, 3), got {lattice.shape}.")
    if not numbers.size:
        raise ValueError("it has no sites.")
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError(
            "atomic_numbers must be integers, one for each site, got an array of shape "
            f"{numbers.shape} and dtype {numbers.dtype}."
        )
    if coords.shape != (len(numbers), 3):
        raise ValueError(
            f"frac_coords must be of shape ({len(numbers)}, 3), one row for each of the "
            f"atomic_numbers, got {coords.shape}."
        )


def _check_content(lattice, coords, numbers):
    """Refuse what is not a crystal of separate atoms of known elements; say what to do."""
    if not 1 <= numbers.min() <= numbers.max() < len(ELEMENTS):
        wrong = numbers[(numbers < 1) | (numbers >= len(ELEMENTS))][0]
        raise ValueError(f"the atomic number {wrong} is not that of an element.")
    if not (np.isfinite(lattice).all() and np.isfinite(coords).all()):
        raise ValueError("its cell or a coordinate is not a finite number.")
    volume = check_cell(lattice, len(numbers), SEARCH_RADIUS)
    if len(numbers) > CLOSEST_PACKING / MINIMUM_DISTANCE**3 * volume:
        raise ValueError(
            f"some of its {len(numbers)} sites are less than {MINIMUM_DISTANCE} angstrom apart: "
            f"the cell has {volume:.3g} cubic angstrom."
        )
    first, second, images, distances = find_neighbours(lattice, coords, SEARCH_RADIUS)
    overlapping = np.flatnonzero(
        (distances < MINIMUM_DISTANCE) & ((first != second) | np.any(images != 0, axis=1))
    )
    if overlapping.size:
        pair = overlapping[0]
        i, j = first[pair], second[pair]
        raise ValueError(
            f"the sites {i} ({ELEMENTS[numbers[i]]}) and {j} ({ELEMENTS[numbers[j]]}) are "
            f"{distances[pair]:.3f} angstrom apart; at least {MINIMUM_DISTANCE} is expected. "
            "Remove the doubled site."
        )


def _number_of(occupants):
    """Return the atomic number of the one atom of a site; ValueError if there is none."""
    return site_number([(getattr(kind, "symbol", kind), n) for kind, n in occupants])


def structure_digest(structure: Crystal | Structure) -> str:
    """Name a crystal by its content: cell, elements and coordinates.

    Equal for crystals that list the same cell and sites in any order, also after pickling, an
    ``as_dict`` round trip or a shift of a site by a lattice vector, and for a `Crystal` and its
    ``Structure``. Different when the cell, an element or, beyond 1e-7 of the cell, a coordinate
    differs. Oxidation states, magnetic moments, charge and other properties do not count: the
    features do not depend on them either.

    Parameters
    ----------
    structure : Crystal or pymatgen.core.Structure

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    ValueError
        If a ``Structure`` is not that of a `Crystal`.
    """
    if not isinstance(structure, Crystal):
        structure = Crystal.from_structure(structure)
    coords = np.round(np.mod(structure.frac_coords, 1.0), 7)
    coords = np.mod(coords, 1.0) + 0.0  # no 1.0 and no -0.0
    numbers = structure.atomic_numbers
    order = np.lexsort((*coords.T, numbers))
    digest = hashlib.blake2b(digest_size=16)
    for array in (np.round(structure.lattice, 7) + 0.0, numbers[order], coords[order]):
        digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
