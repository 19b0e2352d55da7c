"""Crystals: what counts as one, how it is read, and its name by content."""

from importlib import import_module

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


def __getattr__(name):
    if name in _NAMES:
        value = getattr(import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_NAMES])
