"""Crystals from CIF, the Crystallographic Information File.

Read by the rules of the format [1]_: what a file leaves open is taken from the dictionary where
that has a default (occupancies, angles), and refused where it has none. The sites must agree with
the sum formula, up to the number of formula units.

References
----------
.. [1] Hall, Allen, Brown, "The crystallographic information file (CIF)", Acta Cryst. A 47, 655
   (1991). doi:10.1107/S010876739101067X
"""

import numpy as np
from pymatgen.core import Lattice

from .blocks import NULLS, cif_blocks
from .bounds import check_count
from .cif_checks import check_block, check_complete, check_volume, sum_formula
from .cif_labels import symbol_of_site
from .crystal import Crystal
from .sites import isotopes_of, site_number
from .symmetry import (
    Operations,
    check_group,
    distinct,
    fits_cell,
    named_settings,
    parse_operations,
)

#: Images of one site that are closer, in angstrom, are one atom on a special position.
SPECIAL = 0.02

#: Fractional coordinates this close to a third are rounded ones.
ROUNDING = 4e-5

MULTIPLICITY = ("site_symmetry_multiplicity", "symmetry_multiplicity")
OPERATIONS = ("space_group_symop_operation_xyz", "symmetry_equiv_pos_as_xyz")
MAGNETIC = ("space_group_symop_magn_operation_xyz", "space_group_symop_magn_centering_xyz")
HALL = ("space_group_name_hall", "symmetry_space_group_name_hall")
SYMBOL = ("space_group_name_h_m_alt", "symmetry_space_group_name_h_m", "space_group_name_h_m")
NUMBER = ("space_group_it_number", "symmetry_int_tables_number")
XYZ = tuple(f"atom_site_fract_{axis}" for axis in "xyz")


def read_cif(text):
    """Yield a `Crystal`, or the error, for each block of a text that has a cell or sites."""
    blocks = [block for block in cif_blocks(text) if block.describes_a_crystal()]
    if not blocks:
        raise ValueError("it has no cell and no sites (_cell_length_a, _atom_site_fract_x).")
    for block in blocks:
        try:
            yield _crystal(block)
        except ValueError as error:
            yield error


def _crystal(block):
    """Build the crystal of a block; if settings are open, the only one that fits."""
    lattice = _lattice(block)
    formula = sum_formula(block)
    points, numbers, symbols, multiplicities = _sites(block, formula)
    crystals, problems = {}, []
    settings, told = _settings(block, lattice)
    for operations in settings:
        try:
            crystal = _expanded(lattice, points, numbers, symbols, multiplicities, operations)
            check_block(crystal, formula, block)
        except ValueError as error:
            problems.append(error)
        else:
            if not told:
                check_complete(crystal, formula, block)
            crystals[operations.source] = crystal
    if not crystals:
        raise problems[0]
    if len(crystals) > 1:
        raise ValueError(
            f"its symmetry operations are not listed, and the settings {' and '.join(crystals)} "
            "are both possible. Add the operations as _space_group_symop_operation_xyz."
        )
    return next(iter(crystals.values()))


def _lattice(block):
    """Make the cell; the dictionary gives 90 degrees for an angle that is not told."""
    lengths = [block.number(f"cell_length_{axis}") for axis in "abc"]
    angles = [block.number(f"cell_angle_{name}", 90.0) for name in ("alpha", "beta", "gamma")]
    if not all(0 < length < np.inf for length in lengths):
        raise ValueError(f"the lengths of its cell are {lengths}; all must be positive.")
    cosines = np.cos(np.radians(angles))
    root = 1 - (cosines**2).sum() + 2 * cosines.prod()
    if not all(0 < angle < 180 for angle in angles) or root < 1e-9:
        raise ValueError(f"its cell has no volume: the angles are {angles}.")
    check_volume(root**0.5 * np.prod(lengths), block, lengths, angles)
    return Lattice.from_parameters(*lengths, *angles).matrix


def _settings(block, lattice):
    """Return the possible symmetry operations, and whether the file tells any."""
    listed = block.first(OPERATIONS)
    if (magnetic := block.column(MAGNETIC[0])) is not None:
        operations = parse_operations(magnetic, "listed")
        if (centring := block.column(MAGNETIC[1])) is not None:
            operations = distinct(operations.times(parse_operations(centring, "listed")))
    elif listed is not None:
        operations = parse_operations(listed, "listed")
    else:
        if set(group := _group(block)) == {None}:
            if block.has_prefix("space_group_magn"):
                raise ValueError("its magnetic symmetry operations are not listed. Add them.")
            return [Operations([np.eye(3)], [np.zeros(3)], "none")], False
        return named_settings(*group, lattice), True
    if block.has_prefix("cell_modulation", "cell_wave_vector"):
        raise ValueError("it is modulated, so it is not periodic in three directions.")
    check_group(operations)
    if not fits_cell(operations, lattice):
        raise ValueError("its cell does not have the symmetry of the operations that it lists.")
    if magnetic is not None and len(operations) > 1:
        return [operations], True
    return [operations], not _names_larger_group(block, lattice, len(distinct(operations)))


def _names_larger_group(block, lattice, n):
    """Whether a block that lists `n` operations names a group of more, as with a centring."""
    group = _group(block)
    try:
        return set(group) != {None} and min(map(len, named_settings(*group, lattice))) > n
    except ValueError:
        return False


def _group(block):
    """Return what names the space group: a Hall symbol, a symbol and a number, or None each."""
    return block.name(HALL), block.name(SYMBOL), block.integer(NUMBER)


def _sites(block, formula):
    """Return coordinates, atomic numbers and symbols of the rows that are atoms."""
    columns = [block.column(name) for name in XYZ]
    if any(column is None for column in columns):
        missing = [f"_{name}" for name, c in zip(XYZ, columns, strict=True) if c is None]
        raise ValueError(f"its sites have no fractional coordinates: {', '.join(missing)} missing.")
    n = len(columns[0])
    names = ("label", "type_symbol", "occupancy", "calc_flag", "attached_hydrogens", *MULTIPLICITY)
    optional = {name: block.column(f"atom_site_{name}") or [None] * n for name in names}
    if any(len(column) != n for column in (*columns, *optional.values())):
        raise ValueError("the columns of its table of sites differ in length.")
    _check_alternatives(block)
    points, numbers, symbols, multiplicities = [], [], [], []
    for row, values in enumerate(zip(*columns, strict=True)):
        of = {name: column[row] for name, column in optional.items()}
        where = f"the site {of['label'] or row + 1}"
        if (of["calc_flag"] or "").lower() == "dum":  # no atom, by the dictionary
            continue
        if any(value is None or value in NULLS for value in values):
            raise ValueError(f"{where} has no coordinates. Add or remove it.")
        hydrogens = block.value(of["attached_hydrogens"], "attached hydrogens", 0.0)
        if hydrogens:
            raise ValueError(
                f"{where} has {hydrogens:g} attached hydrogens, which have no coordinates. Add "
                "their sites."
            )
        occupancy = block.value(of["occupancy"], f"the occupancy of {where}", 1.0)
        if occupancy == 0:  # no atom
            continue
        symbol = symbol_of_site(of["type_symbol"], of["label"], where, formula)
        numbers.append(site_number([(symbol, occupancy)], where))
        symbols.append(symbol)
        told = next((of[name] for name in MULTIPLICITY if of[name] is not None), None)
        multiplicities.append(block.value(told, f"the multiplicity of {where}", 0.0))
        points.append([block.value(value, f"a coordinate of {where}") for value in values])
    if not numbers:
        raise ValueError("it has no sites.")
    return _unrounded(np.array(points)), np.array(numbers), symbols, multiplicities


def _check_alternatives(block):
    """Refuse sites of which only one of several groups is there at a time."""
    groups = {g for g in block.column("atom_site_disorder_group") or () if g and g not in NULLS}
    if len(groups) > 1 or any(group.startswith("-") for group in groups):
        raise ValueError(
            f"its sites are in the disorder groups {', '.join(sorted(groups))}: disordered "
            "crystals cannot be used. Keep one of the groups."
        )


def _unrounded(points):
    """Turn 0.3333 into a third: else the images of a special position differ."""
    thirds = np.round(points * 3)
    near = (np.abs(points - thirds / 3) < ROUNDING) & (np.mod(thirds, 3) != 0)
    return np.where(near, thirds / 3, points)


def _expanded(lattice, points, numbers, symbols, multiplicities, operations):
    """Apply the operations to the sites; images that coincide are one atom."""
    n = len(points) * len(operations)
    check_count(n, "SKCFGP_MAX_SITES", "sites, before images that coincide are joined")
    coords, counts = [], []
    for row, (point, told) in enumerate(zip(points, multiplicities, strict=True)):
        images = operations.images(point)
        if len(images) > 1:
            apart = images[:, None] - images
            distances = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2)
            images = images[~np.tril(distances < SPECIAL, -1).any(axis=1)]
        # The order of the symmetry of the site is what SHELXL has written as its multiplicity.
        if told and told not in (len(images), len(operations) / len(images)):
            raise ValueError(
                f"the multiplicity of its site {row + 1}, {symbols[row]}, is {told:g}, and by its "
                f"{len(operations)} symmetry operations {len(images)}. Add the operations that are "
                "missing, or correct the multiplicity."
            )
        coords.append(images)
        counts.append(len(images))
    every = [symbol for symbol, n in zip(symbols, counts, strict=True) for _ in range(n)]
    return Crystal(lattice, np.concatenate(coords), numbers.repeat(counts), isotopes_of(every))
