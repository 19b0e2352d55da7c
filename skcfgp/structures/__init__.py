"""Crystals: what counts as one, how it is read, and its name by content."""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from .checking import check_structures as check_structures
    from .crystal import Crystal as Crystal
    from .crystal import structure_digest as structure_digest
    from .entries import crystal_from_optimade as crystal_from_optimade
    from .materials_project import read_materials_project as read_materials_project
    from .optimade import read_optimade as read_optimade
    from .outcomes import Failure as Failure
    from .outcomes import InvalidStructureError as InvalidStructureError
    from .outcomes import InvalidStructureWarning as InvalidStructureWarning
    from .outcomes import Structures as Structures
    from .outcomes import object_array as object_array
else:
    __getattr__, __dir__ = lazily(__name__, _NAMES)
