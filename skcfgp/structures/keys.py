"""The keys of a record, or columns of a table, that say what a material is."""

import math
from numbers import Real

__all__ = ["FORMULA_KEYS", "MATERIAL_KEYS", "PATH_KEYS", "is_missing"]

#: Where the crystal stands: here and in matbench; in JARVIS; its text; in an answer of OPTIMADE.
MATERIAL_KEYS = ("structure", "atoms", "cif", "attributes", "lattice_mat")

#: Where the path of a file of the crystal stands.
PATH_KEYS = ("file", "path")

#: Where the formula stands, for models that need no more; the second in matbench.
FORMULA_KEYS = ("formula", "composition")


def is_missing(value):
    """Tell whether a field is empty: None, NaN or text without a letter."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, Real) and math.isnan(value))
