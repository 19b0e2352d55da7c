"""`Crystal`: a crystal as three plain arrays.

A pymatgen ``Structure`` is one Python object a site, with species, labels and properties. A network
needs cell, coordinates and elements only, and a `Crystal` is no more than these, so that bundled
data and ASE databases become graphs without a ``Structure`` in between. What takes a ``Structure``
in this package takes a `Crystal` too, with the same result.
"""

from dataclasses import dataclass, field

import numpy as np
from pymatgen.core import Composition, Element, Lattice, Structure

__all__ = ["ELEMENTS", "Crystal", "cell_of"]

#: Elements by atomic number; None is at 0. pymatgen's own ``Element.from_Z`` searches a table.
ELEMENTS = (None, *(Element.from_Z(z) for z in range(1, 119)))


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
        What else is known of it, such as ``material_id``. Copied, one level deep.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an atomic number is not that of an element.

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

    lattice: np.ndarray
    frac_coords: np.ndarray
    atomic_numbers: np.ndarray
    properties: dict | None = None
    #: Set by `validate_structure`: what cannot be written to stays valid.
    _is_valid: bool = field(default=False, init=False)

    def __post_init__(self):
        lattice = np.array(self.lattice, dtype=float)
        coords = np.array(self.frac_coords, dtype=float)
        numbers = np.array(self.atomic_numbers)
        if lattice.shape != (3, 3):
            raise ValueError(f"lattice must be of shape (3, 3), got {lattice.shape}.")
        if not numbers.size:
            numbers, coords = numbers.astype(int), coords.reshape(-1, 3)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise ValueError(
                "atomic_numbers must be integers, one a site, got an array of shape "
                f"{numbers.shape} and dtype {numbers.dtype}."
            )
        if coords.shape != (len(numbers), 3):
            raise ValueError(
                f"frac_coords must be of shape ({len(numbers)}, 3), one row for each of the "
                f"atomic_numbers, got {coords.shape}."
            )
        if numbers.size and not 1 <= numbers.min() <= numbers.max() < len(ELEMENTS):
            wrong = numbers[(numbers < 1) | (numbers >= len(ELEMENTS))][0]
            raise ValueError(f"the atomic number {wrong} is not that of an element.")
        arrays = {
            "lattice": lattice,
            "frac_coords": coords,
            "atomic_numbers": numbers.astype(int, copy=False),
        }
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "properties", dict(self.properties or {}))

    @classmethod
    def from_structure(cls, structure):
        """Take cell, coordinates, elements and ``properties`` of a pymatgen ``Structure``.

        A `Crystal` has no place for oxidation states, isotopes, magnetic moments, a charge or other
        properties of sites; they stay behind.

        Parameters
        ----------
        structure : Structure

        Returns
        -------
        Crystal

        Raises
        ------
        ValueError
            If the structure is disordered, not periodic in three directions, or a site is not an
            element.
        """
        if not structure.is_ordered:
            raise ValueError("the structure is disordered; make it ordered first.")
        if not all(structure.lattice.pbc):
            raise ValueError("the structure is not periodic in three directions.")
        return cls(
            structure.lattice.matrix,
            structure.frac_coords,
            structure.atomic_numbers,
            structure.properties,
        )

    def to_structure(self):
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
    def cart_coords(self):
        """Cartesian coordinates in angstrom, an array of shape (n_sites, 3)."""
        return self.frac_coords @ self.lattice

    @property
    def volume(self):
        """Volume of the cell in cubic angstrom."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def composition(self):
        """Atoms of the cell, as ``pymatgen.core.Composition``."""
        numbers, counts = np.unique(self.atomic_numbers, return_counts=True)
        pairs = zip(numbers, counts.tolist(), strict=True)
        return Composition({ELEMENTS[z]: n for z, n in pairs})

    def __len__(self):
        return len(self.atomic_numbers)

    def __repr__(self):
        formula = self.composition.reduced_formula if len(self) else "empty"
        return f"Crystal({formula}, {len(self)} site{'' if len(self) == 1 else 's'})"

    def __reduce__(self):  # through __init__, since a pickle forgets that an array is read-only
        return Crystal, (self.lattice, self.frac_coords, self.atomic_numbers, self.properties)


def cell_of(structure):
    """Return the cell vectors, in rows and angstrom, of a `Crystal` or a ``Structure``."""
    lattice = structure.lattice
    return lattice if isinstance(lattice, np.ndarray) else lattice.matrix
