"""Crystals: what counts as one, how it is read, and its name by content."""

from .. import lazily

# Public names and where they live, imported when first used: pymatgen takes a second to load, and
# the tables and files of this package need none of it.
_NAMES = {
    "Crystal": "crystal",
    "Failure": "outcomes",
    "InvalidStructureError": "outcomes",
    "InvalidStructureWarning": "outcomes",
    "Structures": "outcomes",
    "check_structures": "checking",
    "crystal_from_optimade": "entries",
    "object_array": "outcomes",
    "read_materials_project": "materials_project",
    "read_optimade": "optimade",
    "structure_digest": "crystal",
}

__all__ = [*_NAMES]

__getattr__, __dir__ = lazily(__name__, _NAMES)
