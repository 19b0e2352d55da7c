"""Crystals of databases on the web: any that speaks OPTIMADE, and the Materials Project.

Answers are kept in a folder if one is named, so that a download that was interrupted goes on where
it stopped, and one that came to its end needs no network.
"""

from .materials_project import read_materials_project
from .optimade import read_optimade, structure_from_optimade

__all__ = ["read_materials_project", "read_optimade", "structure_from_optimade"]
