"""The keys of a record, or columns of a table, that say what a material is."""

import math
from collections.abc import Sized
from numbers import Real

__all__ = [
    "CONTENT_KEYS",
    "FORMULA_KEYS",
    "MATERIAL_KEYS",
    "PATH_KEYS",
    "is_empty",
    "is_missing",
]

#: Where an object or a text of the crystal stands: here and in matbench; in JARVIS; its text; in an
#: answer of OPTIMADE.
CONTENT_KEYS = ("structure", "atoms", "cif", "attributes")

#: Where the crystal stands.
MATERIAL_KEYS = (*CONTENT_KEYS, "lattice_mat")

#: Where the path of a file of the crystal stands.
PATH_KEYS = ("file", "path")

#: Where the formula stands, for models that need no more; the second in matbench.
FORMULA_KEYS = ("formula", "composition")


#: Texts that programs write for what is missing.
NOTHING = {"", "None", "nan", "NaN", "null", "NULL", "<NA>", "NaT"}


def is_missing(value):
    """Tell whether a field is empty: None, NaN, or a text that says so or has no letter."""
    if isinstance(value, str):
        return value.strip() in NOTHING
    if isinstance(value, Real):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")  # of pandas


def is_empty(value):
    """Tell whether a field is missing, or a list or an object without content."""
    return is_missing(value) or (isinstance(value, Sized) and len(value) == 0)
