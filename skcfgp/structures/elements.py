"""Properties of the chemical elements as one matrix, from pymatgen's periodic table."""

import warnings
from functools import lru_cache

import numpy as np

#: Columns of `element_properties`, with units, and the value of an element in each.
PROPERTIES = {
    "electronegativity_pauling": lambda element: element.X,
    "atomic_radius_angstrom": lambda element: element.atomic_radius,
    "row": lambda element: element.row,
    "group": lambda element: element.group,
    "mendeleev_number": lambda element: element.mendeleev_no,
    "ionization_energy_ev": lambda element: element.ionization_energy,
    "electron_affinity_ev": lambda element: element.electron_affinity,
    "s_electrons": lambda element: _valence_electrons(element)["s"],
    "p_electrons": lambda element: _valence_electrons(element)["p"],
    "d_electrons": lambda element: _valence_electrons(element)["d"],
    "f_electrons": lambda element: _valence_electrons(element)["f"],
    "log_atomic_number": lambda element: np.log(element.Z),
    "melting_point_kelvin": lambda element: element.melting_point,
    "molar_volume_cm3": lambda element: element.molar_volume,
    "cos_group": lambda element: np.cos(2 * np.pi * element.group / 18),
    "sin_group": lambda element: np.sin(2 * np.pi * element.group / 18),
}

_NOBLE_GAS_CORES = (2, 10, 18, 36, 54, 86)


@lru_cache
def element_properties(n_elements=94):
    """Tabulate `PROPERTIES` of the elements in a read-only array of shape (n_elements, 16).

    An unknown value is replaced by the median of its column.
    """
    from pymatgen.core import Element

    with warnings.catch_warnings():  # pymatgen warns of each unknown value
        warnings.simplefilter("ignore")
        elements = [Element.from_Z(z) for z in range(1, n_elements + 1)]
        # None becomes NaN
        table = np.array([[value(e) for value in PROPERTIES.values()] for e in elements], float)
    table = np.where(np.isnan(table), np.nanmedian(table, axis=0), table)
    table.setflags(write=False)
    return table


@lru_cache
def atomic_masses(n_elements=94):
    """Tabulate the atomic masses, in dalton, in a read-only array of shape (n_elements,)."""
    from pymatgen.core import Element

    masses = np.array([float(Element.from_Z(z).atomic_mass) for z in range(1, n_elements + 1)])
    masses.setflags(write=False)
    return masses


def _valence_electrons(element):
    """Count s, p, d and f electrons beyond the noble-gas core, filled in the Madelung order."""
    core = max((c for c in _NOBLE_GAS_CORES if c < element.Z), default=0)
    count, filled = dict.fromkeys("spdf", 0), 0
    shells = element.full_electronic_structure
    for _, orbital, electrons in sorted(shells, key=lambda s: (s[0] + "spdf".index(s[1]), s[0])):
        if filled >= core:
            count[orbital] += electrons
        filled += electrons
    return count
