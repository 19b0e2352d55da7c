"""Properties of the chemical elements as one matrix, from pymatgen's periodic table."""

import warnings
from functools import lru_cache

import numpy as np

__all__ = ["PROPERTIES", "atomic_masses", "element_properties"]

#: Columns of `element_properties`, with units.
PROPERTIES = (
    "electronegativity_pauling",
    "atomic_radius_angstrom",
    "row",
    "group",
    "mendeleev_number",
    "ionization_energy_ev",
    "electron_affinity_ev",
    "s_electrons",
    "p_electrons",
    "d_electrons",
    "f_electrons",
    "log_atomic_number",
    "melting_point_kelvin",
    "molar_volume_cm3",
    "cos_group",
    "sin_group",
)

_NOBLE_GAS_CORES = (2, 10, 18, 36, 54, 86)


@lru_cache
def element_properties(n_elements=94):
    """Tabulate `PROPERTIES` of the elements in a read-only array of shape (n_elements, 16).

    An unknown value is replaced by the median of its column.
    """
    from pymatgen.core import Element

    with warnings.catch_warnings():  # pymatgen warns of each unknown value
        warnings.simplefilter("ignore")
        table = np.array([_row(Element.from_Z(z)) for z in range(1, n_elements + 1)])
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


def _row(element):
    angle = 2 * np.pi * element.group / 18
    values = [
        element.X,
        element.atomic_radius,
        element.row,
        element.group,
        element.mendeleev_no,
        element.ionization_energy,
        element.electron_affinity,
        *_valence_electrons(element),
        np.log(element.Z),
        element.melting_point,
        element.molar_volume,
        np.cos(angle),
        np.sin(angle),
    ]
    return [np.nan if value is None else float(value) for value in values]


def _valence_electrons(element):
    """Count s, p, d and f electrons beyond the noble-gas core, filled in the Madelung order."""
    core = max((c for c in _NOBLE_GAS_CORES if c < element.Z), default=0)
    count, filled = dict.fromkeys("spdf", 0), 0
    shells = element.full_electronic_structure
    for _, orbital, electrons in sorted(shells, key=lambda s: (s[0] + "spdf".index(s[1]), s[0])):
        if filled >= core:
            count[orbital] += electrons
        filled += electrons
    return count.values()
