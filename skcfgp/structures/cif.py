"""Crystals from CIF, the Crystallographic Information File.

Read by the rules of the format [1]_: what a file leaves open is taken from the dictionary where
that has a default (occupancies, angles), and refused where it has none. The sites must agree with
the sum formula, up to the number of formula units.

References
----------
.. [1] Hall, Allen, Brown, "The crystallographic information file (CIF)", Acta Cryst. A 47, 655
   (1991). doi:10.1107/S010876739101067X
"""

import math
import re

import numpy as np
from pymatgen.core import Lattice

from .agreement import agree, amounts_in, formula_text
from .blocks import NULLS, cif_blocks
from .bounds import check_count
from .compositions import amounts_of
from .crystal import ELEMENTS, Crystal
from .elements import atomic_masses
from .sites import NUMBERS, isotopes_of, site_number
from .symmetry import (
    Operations,
    check_group,
    distinct,
    fits_cell,
    named_settings,
    parse_operations,
)

__all__ = ["read_cif"]

#: Images of one site that are closer, in angstrom, are one atom on a special position.
SPECIAL = 0.02

#: Fractional coordinates this close to a third are rounded ones.
ROUNDING = 4e-5

OPERATIONS = ("space_group_symop_operation_xyz", "symmetry_equiv_pos_as_xyz")
MAGNETIC = ("space_group_symop_magn_operation_xyz", "space_group_symop_magn_centering_xyz")
HALL = ("space_group_name_hall", "symmetry_space_group_name_hall")
SYMBOL = ("space_group_name_h_m_alt", "symmetry_space_group_name_h_m", "space_group_name_h_m")
NUMBER = ("space_group_it_number", "symmetry_int_tables_number")
XYZ = tuple(f"atom_site_fract_{axis}" for axis in "xyz")

#: Relative differences of volumes, and of densities, that are still those of one crystal.
VOLUME, DENSITY = 0.02, 0.1

#: Grams per cubic centimetre of a dalton per cubic angstrom.
DALTON = 1.66053907

#: Characters of a label; the format has allowed 75.
LONGEST = 80

#: Symbols and labels of molecules, of which the hydrogens have no coordinates.
GROUPS = re.compile(r"(O-?H\d?|H2O|Wat|NH\d|CH\d)", re.IGNORECASE)
GROUP_LABEL = re.compile(rf"{GROUPS.pattern}(?![A-Za-z])", re.IGNORECASE)

#: Labels of tungsten, or of the oxygen of a water.
WATER = re.compile(r"(O\(?\d*\)?W|WAT|W)\(?\d*\)?[A-Z]?", re.IGNORECASE)


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
    points, numbers, symbols = _sites(block)
    formula = _formula(block)
    crystals, problems = {}, []
    settings, told = _settings(block, lattice)
    for operations in settings:
        try:
            crystal = _expanded(lattice, points, numbers, symbols, operations)
            _check_formula(crystal, formula, block)
            _check_density(crystal, block)
        except ValueError as error:
            problems.append(error)
        else:
            if not told:
                _check_complete(crystal, formula, block)
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
    volume, told = root**0.5 * np.prod(lengths), block.number("cell_volume", 0.0)
    if told and abs(volume - told) > VOLUME * max(volume, told):
        raise ValueError(
            f"its _cell_volume is {told:g}, and the volume of its lengths {lengths} and angles "
            f"{angles} is {volume:.6g}. Correct one of them."
        )
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
        hall, symbol, number = block.name(HALL), block.name(SYMBOL), block.integer(NUMBER)
        if hall is None and symbol is None and number is None:
            if block.has_prefix("space_group_magn"):
                raise ValueError("its magnetic symmetry operations are not listed. Add them.")
            return [Operations([np.eye(3)], [np.zeros(3)], "none")], False
        return named_settings(hall, symbol, number, lattice), True
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
    hall, symbol, number = block.name(HALL), block.name(SYMBOL), block.integer(NUMBER)
    if hall is None and symbol is None and number is None:
        return False
    try:
        return min(map(len, named_settings(hall, symbol, number, lattice))) > n
    except ValueError:
        return False


def _sites(block):
    """Return coordinates, atomic numbers and symbols of the rows that are atoms."""
    columns = [block.column(name) for name in XYZ]
    if any(column is None for column in columns):
        missing = [f"_{name}" for name, c in zip(XYZ, columns, strict=True) if c is None]
        raise ValueError(f"its sites have no fractional coordinates: {', '.join(missing)} missing.")
    n = len(columns[0])
    optional = ("label", "type_symbol", "occupancy", "calc_flag", "attached_hydrogens")
    optional = {name: block.column(f"atom_site_{name}") or [None] * n for name in optional}
    if any(len(column) != n for column in (*columns, *optional.values())):
        raise ValueError("the columns of its table of sites differ in length.")
    _check_alternatives(block)
    points, numbers, symbols = [], [], []
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
        symbol = _symbol(of["type_symbol"], of["label"], where, block)
        numbers.append(site_number([(symbol, occupancy)], where))
        symbols.append(symbol)
        points.append([block.value(value, f"a coordinate of {where}") for value in values])
    if not numbers:
        raise ValueError("it has no sites.")
    return _unrounded(np.array(points)), np.array(numbers), symbols


def _check_alternatives(block):
    """Refuse sites of which only one of several groups is there at a time."""
    groups = {g for g in block.column("atom_site_disorder_group") or () if g and g not in NULLS}
    if len(groups) > 1 or any(group.startswith("-") for group in groups):
        raise ValueError(
            f"its sites are in the disorder groups {', '.join(sorted(groups))}: disordered "
            "crystals cannot be used. Keep one of the groups."
        )


def _symbol(kind, label, where, block):
    """Find the symbol of the element of a site, in its type or else in its label."""
    told = kind is not None and kind not in NULLS
    if not told and (label is None or label in NULLS):
        raise ValueError(f"{where} has neither a type symbol nor a label.")
    text = kind if told else label
    if len(text) > LONGEST:
        raise ValueError(f"{text[:LONGEST]!r}... of a site is too long for a label or an element.")
    formula = None if told else _formula(block)
    begins = GROUPS.fullmatch if told else GROUP_LABEL.match
    if begins(text) and (formula is None or text[0] in "Hh"):
        raise ValueError(f"{where} is {text!r}, of which the hydrogens have no coordinates.")
    letters = re.match(r"[A-Za-z]*", text)[0]
    if not told:
        return _symbol_of_label(label, letters, formula)
    symbol = letters if letters in NUMBERS else letters.title()
    if not re.fullmatch(r"[A-Za-z]{1,2}\d*(\.\d+)?[+-]?\d*", text) or symbol not in NUMBERS:
        raise ValueError(f"{where} is of the type {text!r}, which is not an element.")
    return symbol


def _symbol_of_label(label, letters, formula):
    """Find the element in the first letters of a label, by the sum formula where there is one."""
    possible = {letters[:2].title(), letters[:1].upper()} & (set(NUMBERS) - {"T"})
    if WATER.fullmatch(label):
        possible = {"O"} if letters[0] in "Oo" or formula is None or "H" in formula else set()
        possible |= {"W"} if letters.upper() == "W" else set()
        if formula is None:
            raise ValueError(
                f"the label {label!r} may be {'tungsten' if 'W' in possible else 'an oxygen'} or a "
                "water, of which the hydrogens have no coordinates; add _atom_site_type_symbol, or "
                "_chemical_formula_sum."
            )
    elif letters in NUMBERS and letters != "T" and (formula is None or letters in formula):
        return letters  # T is silicon or aluminium in a zeolite
    if formula is not None:
        possible &= {"D", *formula}
    # Without a formula nothing would show that Vac1 is no vanadium, and Ow1 a water.
    if len(possible) != 1 or (formula is None and possible != {letters.title()}):
        either = " or ".join(sorted(possible)) if len(possible) > 1 else "no element of the formula"
        raise ValueError(
            f"the label {label!r} does not tell its element{f' ({either})' if formula else ''}; "
            "add _atom_site_type_symbol."
        )
    return possible.pop()


def _unrounded(points):
    """Turn 0.3333 into a third: else the images of a special position differ."""
    thirds = np.round(points * 3)
    near = (np.abs(points - thirds / 3) < ROUNDING) & (np.mod(thirds, 3) != 0)
    return np.where(near, thirds / 3, points)


def _expanded(lattice, points, numbers, symbols, operations):
    """Apply the operations to the sites; images that coincide are one atom."""
    n = len(points) * len(operations)
    check_count(n, "SKCFGP_MAX_SITES", "sites, before images that coincide are joined")
    coords, counts = [], []
    for point in points:
        images = operations.images(point)
        if len(images) > 1:
            apart = images[:, None] - images
            distances = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2)
            images = images[~np.tril(distances < SPECIAL, -1).any(axis=1)]
        coords.append(images)
        counts.append(len(images))
    every = [symbol for symbol, n in zip(symbols, counts, strict=True) for _ in range(n)]
    return Crystal(lattice, np.concatenate(coords), numbers.repeat(counts), isotopes_of(every))


def _formula(block):
    """Return the amounts in the sum formula of a block, or None if it has none."""
    text = block.one("chemical_formula_sum")
    if text is None or not text.strip("'\" "):
        return None
    try:
        amounts = amounts_of(text.strip("'\" "))
    except ValueError:
        raise ValueError(f"its sum formula {text!r} cannot be read, as in 'C2 H6 O'.") from None
    return {symbol: amount for symbol, amount in amounts.items() if amount} or None


def _check_formula(crystal, formula, block):
    """Refuse sites that are not those of the formulas of a block, and of the formula units."""
    found = amounts_in(crystal)
    if formula is None:
        _check_names(found, block)
    elif not agree(found, formula):
        raise ValueError(
            f"its sum formula is {formula_text(formula)!r}, and its sites are "
            f"{formula_text(found)!r}. Add the atoms that are missing, or correct the formula."
        )
    elif _fits_units(len(crystal), formula, units := _units(block)) is False:
        raise ValueError(
            f"its sum formula is {formula_text(formula)!r} with _cell_formula_units_Z {units:g}, "
            f"and the sites of its cell are {formula_text(found)!r}. If symmetry operations are "
            "missing, add them as _space_group_symop_operation_xyz; else correct one of these."
        )


def _units(block):
    return block.value(block.one("cell_formula_units_z"), "the number of formula units", 0.0)


def _fits_units(n_sites, formula, units):
    """Whether a cell has `units` formulas, or the one that pymatgen writes; None if not told."""
    if not units:
        return None
    amounts = formula.values()
    whole = all(amount == int(amount) for amount in amounts)
    of_cell = whole and math.gcd(*map(int, amounts)) == units  # the formula of the whole cell
    totals = [units * sum(amounts), *[sum(amounts)] * of_cell]
    return any(abs(total - n_sites) <= 0.01 * n_sites for total in totals)


def _check_names(found, block):
    """Without a sum formula: refuse sites that lack an element of another formula."""
    for name in ("chemical_formula_moiety", "chemical_formula_structural"):
        text = block.one(name)
        told = {NUMBERS[s] for s in re.findall(r"[A-Z][a-z]?", text or "") if s in NUMBERS}
        if missing := told - {NUMBERS[symbol] for symbol in found}:
            symbols = ", ".join(ELEMENTS[number].symbol for number in sorted(missing))
            raise ValueError(
                f"no site is {symbols}, which its _{name} {text!r:.60} has. Add the atoms that "
                "are missing."
            )


def _check_density(crystal, block):
    """Refuse sites whose mass is not that of the density that was computed from all atoms."""
    told = block.number("exptl_crystal_density_diffrn", 0.0)
    masses = atomic_masses(len(ELEMENTS) - 1)[crystal.atomic_numbers - 1].sum()
    masses += crystal.properties.get("isotopes", {}).get("D", 0)
    density = masses * DALTON / crystal.volume
    if told and abs(density - told) > DENSITY * max(density, told):
        raise ValueError(
            f"its _exptl_crystal_density_diffrn is {told:g}, and the density of its sites "
            f"{formula_text(amounts_in(crystal))!r} is {density:.3g} g/cm3. Atoms or symmetry "
            "operations may be missing; else correct the density."
        )


def _check_complete(crystal, formula, block):
    """Without symmetry: refuse sites that formula and formula units do not show to be all."""
    if formula is None or not _fits_units(len(crystal), formula, _units(block)):
        raise ValueError(
            "it does not tell its symmetry, or fewer operations than its space group has, so its "
            "sites may be all atoms of the cell or not. Add the operations as "
            "_space_group_symop_operation_xyz; 'x,y,z' alone if they are all."
        )
