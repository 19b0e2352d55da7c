"""Crystals for the examples of a closed loop, and the calculation that gives their labels.

    python alloys.py crystals/          writes the crystals, as CIF files
    python alloys.py --energy FILE      prints an energy, in eV/atom

The effective-medium potential of ASE stands for DFT: it takes milliseconds and, like DFT, does not
succeed for every crystal: it has no parameters for rhodium.
"""

import sys
from itertools import permutations
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from pymatgen.core import Structure

#: Lattice constants of the face-centred cubic cells, in angstrom.
METALS = {
    "Al": 4.05, "Ni": 3.52, "Cu": 3.61, "Rh": 3.80, "Pd": 3.89, "Ag": 4.09, "Pt": 3.92, "Au": 4.08,
}  # fmt: skip

CORNER, FACES = [[0, 0, 0]], [[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def crystals():
    """Return ordered alloys A3B and AB of these metals, by id."""
    found = {}
    for a, b in permutations(METALS, 2):
        edge = 0.75 * METALS[a] + 0.25 * METALS[b]
        found[f"{a}3{b}-L12"] = Structure(edge * np.eye(3), [b, a, a, a], CORNER + FACES)
        if a < b:
            edge = 0.5 * (METALS[a] + METALS[b])
            found[f"{a}{b}-L10"] = Structure(edge * np.eye(3), [a, a, b, b], CORNER + FACES)
    return found


def energy_per_atom(structure):
    """Compute the energy of a crystal, in eV/atom."""
    symbols = [site.specie.symbol for site in structure]
    atoms = Atoms(symbols, structure.cart_coords, cell=structure.lattice.matrix, pbc=True)
    atoms.calc = EMT()
    return float(atoms.get_potential_energy()) / len(atoms)


if __name__ == "__main__":
    if sys.argv[1] == "--energy":
        print(energy_per_atom(Structure.from_file(sys.argv[2])))
    else:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        for name, structure in crystals().items():
            structure.to(str(folder / f"{name}.cif"))
