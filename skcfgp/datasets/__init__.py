"""Bundled DFT data sets: real crystals with their computed properties.

Each loader returns a `Bunch` in the manner of scikit-learn's loaders. Units, sources and licences
are in ``DESCR``.
"""

from ._loaders import UNITS, load_dielectric, load_elastic, load_formation_energy

__all__ = ["UNITS", "load_dielectric", "load_elastic", "load_formation_energy"]
