"""Crystals: what counts as one, how it is read, and its name by content."""

from .checking import (
    Failure,
    Structures,
    check_structures,
    convert_structures,
    object_array,
    structure_error,
)
from .crystal import Crystal
from .digest import structure_digest
from .validation import validate_structure

__all__ = [
    "Crystal",
    "Failure",
    "Structures",
    "check_structures",
    "convert_structures",
    "object_array",
    "structure_digest",
    "structure_error",
    "validate_structure",
]
