"""Crystals from the records of databases: entries of OPTIMADE, and records of JARVIS."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from .agreement import check_lengths, check_points, check_told
from .crystal import Crystal, fractional
from .sites import ADVICE, check_periodic, isotopes_of, site_number


def crystal_from_optimade(attributes: Mapping[str, Any], id_: str | None = None) -> Crystal:
    """Build a crystal from the attributes of an OPTIMADE entry.

    Parameters
    ----------
    attributes : dict
        With ``lattice_vectors`` and ``cartesian_site_positions`` in angstrom, ``species`` and
        ``species_at_sites``.
    id_ : str, default=None
        The ``material_id`` among its properties.

    Returns
    -------
    Crystal

    Raises
    ------
    ValueError
        If it is not an ordered crystal, periodic in three directions, or it says that atoms are
        not in its list of sites: attached to others, implicit, or in one of several assemblies.
    """
    if not isinstance(attributes, dict):
        raise ValueError(f"it has no attributes, got {attributes!r:.60}.")
    dimensions = attributes.get("dimension_types")
    if dimensions is not None and dimensions != [1, 1, 1]:
        raise ValueError(f"it is not periodic in three directions: {dimensions!r:.60}.")
    for name in ("lattice_vectors", "cartesian_site_positions", "species_at_sites", "species"):
        if not isinstance(attributes.get(name), list) or not attributes[name]:
            raise ValueError(f"it has no {name}.")
    _check_features(attributes)
    try:
        kinds = {str(kind["name"]): kind for kind in attributes["species"]}
        twice = [kind for kind in attributes["species"] if kind != kinds[str(kind["name"])]]
        names = list(map(str, attributes["species_at_sites"]))
        lattice = np.array(attributes["lattice_vectors"], dtype=float)
        positions = np.array(attributes["cartesian_site_positions"], dtype=float)
        coords = fractional(lattice, positions)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ValueError(f"its attributes are not those of a crystal ({problem}).") from error
    n_sites = attributes.get("nsites")
    if len(names) != len(positions) or n_sites not in (None, len(names)):
        raise ValueError(
            f"it has {len(positions)} cartesian_site_positions, {len(names)} species_at_sites and "
            f"nsites {n_sites}; they must agree."
        )
    if unknown := sorted(set(names) - set(kinds)):
        raise ValueError(f"the species {unknown[0]!r} of a site is not among its species.")
    if twice:
        raise ValueError(f"two of its species have the name {twice[0]['name']!r:.40}.")
    numbers = {name: _species_number(kinds[name]) for name in dict.fromkeys(names)}
    _check_shown(attributes)
    properties = isotopes_of([s for name in names for s in _isotope(kinds[name])])
    if id_ is not None:
        properties["material_id"] = id_
    crystal = Crystal(lattice, coords, [numbers[name] for name in names], properties)
    check_told(crystal, attributes)
    if (told := attributes.get("fractional_site_positions")) is not None:
        check_points(lattice, _array(told, coords.shape, "fractional_site_positions"), positions)
    return crystal


def crystal_from_jarvis(record):
    """Build a crystal from the ``atoms`` of a record of JARVIS; lengths are in angstrom."""
    names = ("lattice_mat", "coords", "elements")
    if missing := [name for name in names if not isinstance(record.get(name), list | tuple)]:
        raise ValueError(f"its atoms, in the form of JARVIS, have no {' and no '.join(missing)}.")
    if (cartesian := record.get("cartesian")) not in (True, False):
        raise ValueError(
            f"its atoms must tell 'cartesian' as true or false, got {cartesian!r:.40}."
        )
    try:
        lattice, points = (np.array(record[name], dtype=float) for name in names[:2])
        coords = fractional(lattice, points) if cartesian else points
    except (TypeError, ValueError) as error:
        raise ValueError(f"its atoms are not those of a crystal ({error}).") from error
    if record.get("abc") is not None and record.get("angles") is not None:
        told = [*_array(record["abc"], (3,), "abc"), *_array(record["angles"], (3,), "angles")]
        check_lengths(_array(lattice, (3, 3), "lattice_mat"), told, "abc and angles")
    symbols = [str(symbol).strip() for symbol in record["elements"]]
    numbers = {symbol: site_number([(symbol, 1)], "an atom") for symbol in dict.fromkeys(symbols)}
    return Crystal(lattice, coords, [numbers[s] for s in symbols], isotopes_of(symbols))


def _array(values, shape, what):
    """Convert nested lists to an array of a shape."""
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape:
        raise ValueError(f"its {what} must be {' x '.join(map(str, shape))} numbers.")
    return array


def _check_features(attributes):
    """Refuse what is told beside the list of sites and changes what is on them."""
    features = attributes.get("structure_features") or ()
    if attributes.get("assemblies") or "assemblies" in features:
        raise ValueError(f"it has assemblies, groups of sites that exclude each other: {ADVICE}")
    check_periodic([attributes.get("nperiodic_dimensions") in (None, 3)])
    if "implicit_atoms" in features:
        raise ValueError("it has implicit atoms, which are not in its list of sites. Add them.")


def _check_shown(attributes):
    """Refuse disorder and attached atoms that are told, and that no species shows."""
    kinds, features = attributes["species"], attributes.get("structure_features") or ()
    shown = {
        "disorder": any(
            len(kind["chemical_symbols"]) > 1 or kind.get("concentration") not in (None, [1])
            for kind in kinds
        ),
        "site_attachments": any(kind.get("attached") for kind in kinds),
    }
    for feature, is_shown in shown.items():
        if feature in features and not is_shown:
            raise ValueError(
                f"its structure_features have {feature!r}, of which its species show nothing. "
                "Correct one of them."
            )


def _species_number(kind):
    """Return the atomic number of a species; ValueError if it is not one atom of an element."""
    name = f"the species {kind['name']!r}"
    symbols, amounts = kind.get("chemical_symbols"), kind.get("concentration")
    if not isinstance(symbols, list) or not symbols:
        raise ValueError(f"{name} has no chemical_symbols.")
    if amounts is None and len(symbols) == 1:
        amounts = [1]
    if not isinstance(amounts, list) or not all(isinstance(x, Real) for x in amounts):
        raise ValueError(f"{name} has no concentration: {ADVICE}")
    if len(symbols) != len(amounts):
        raise ValueError(f"{name} has {len(symbols)} symbols and {len(amounts)} concentrations.")
    attached, counts = kind.get("attached") or [], kind.get("nattached") or []
    if any(counts) or len(attached) > len(counts):
        told = " ".join(f"{a} x {n}" for a, n in zip(attached, counts, strict=False))
        raise ValueError(
            f"{name} has attached atoms, {told or attached}, which have no coordinates. Add their "
            "sites."
        )
    if "X" in symbols:
        raise ValueError(f"{name} is an unknown element (X).")
    return site_number(list(zip(symbols, amounts, strict=True)), name)


def _isotope(kind):
    """Tell deuterium and tritium by their mass."""
    masses = kind.get("mass") or []
    masses = masses if isinstance(masses, list) else [masses]
    if kind.get("chemical_symbols") == ["H"] and len(masses) == 1 and isinstance(masses[0], Real):
        return ["T" if masses[0] > 2.5 else "D"] if masses[0] > 1.5 else []
    return [symbol for symbol in kind.get("chemical_symbols", ()) if symbol in ("D", "T")]
