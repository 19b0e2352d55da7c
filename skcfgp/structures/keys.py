"""The keys of a record, or columns of a table, that say what a material is."""

from collections.abc import Sized
from numbers import Real

#: Keys and columns with an id, in this order.
KEYS = ("material_id", "id", "jid")

#: Where an object or a text of the crystal stands: here and in matbench; in JARVIS; its text; in an
#: answer of OPTIMADE.
CONTENT_KEYS = ("structure", "atoms", "cif", "attributes")

#: Where the crystal stands.
MATERIAL_KEYS = (*CONTENT_KEYS, "lattice_mat")

#: Where the path of a file of the crystal stands.
PATH_KEYS = ("file", "path")

#: Where the formula stands, for models that need no more; the second in matbench.
FORMULA_KEYS = ("formula", "composition")

#: Where the arrays of a `Crystal` stand.
ARRAYS = ("lattice", "frac_coords", "atomic_numbers")

#: Columns whose numbers are those of an id, a crystal, a label or a prediction.
NOT_NUMBERS = {*KEYS, *PATH_KEYS, *MATERIAL_KEYS, *FORMULA_KEYS, *ARRAYS}
NOT_NUMBERS |= {"unit", "split", "failed", "label_std", "cost"}
NOT_NUMBERS |= {"prediction", "std", "lower", "upper", "df", "error"}

#: Texts that programs write for what is missing.
NOTHING = {"", "None", "nan", "NaN", "null", "NULL", "<NA>", "NaT"}


def is_missing(value):
    """Tell whether a field is empty: None, NaN, or a text that says so or has no letter."""
    if isinstance(value, str):
        return value.strip() in NOTHING
    if isinstance(value, Real):
        return bool(value != value)  # NaN; an integer may be too large for a float
    return value is None or type(value).__name__ in ("NAType", "NaTType")  # of pandas


def is_empty(value):
    """Tell whether a field is missing, or a list or an object without content."""
    return is_missing(value) or (isinstance(value, Sized) and len(value) == 0)
