"""What a block of a CIF tells of its crystal beside the cell and the sites, and must agree."""

import math
import re

from .agreement import agree, amounts_in, formula_text
from .compositions import amounts_of
from .crystal import ELEMENTS
from .elements import atomic_masses
from .sites import NUMBERS

#: Relative differences of volumes, and of densities, that are still those of one crystal.
VOLUME, DENSITY = 0.02, 0.1

#: Grams per cubic centimetre of a dalton per cubic angstrom.
DALTON = 1.66053907


def sum_formula(block):
    """Return the amounts in the sum formula of a block, or None if it has none."""
    text = block.one("chemical_formula_sum")
    if text is None or not text.strip("'\" "):
        return None
    try:
        amounts = amounts_of(text.strip("'\" "))
    except ValueError:
        raise ValueError(f"its sum formula {text!r} cannot be read, as in 'C2 H6 O'.") from None
    return {symbol: amount for symbol, amount in amounts.items() if amount} or None


def check_volume(volume, block, lengths, angles):
    """Refuse lengths and angles that are not those of the volume of the cell."""
    told = block.number("cell_volume", 0.0)
    if told and abs(volume - told) > VOLUME * max(volume, told):
        raise ValueError(
            f"its _cell_volume is {told:g}, and the volume of its lengths {lengths} and angles "
            f"{angles} is {volume:.6g}. Correct one of them."
        )


def check_block(crystal, formula, block):
    """Refuse sites that are not those of the formulas, formula units and density of a block."""
    found = amounts_in(crystal)
    if formula is None:
        _check_names(found, block)
        _check_weight(crystal, block)
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
    _check_density(crystal, block)


def _units(block):
    return block.value(block.one("cell_formula_units_z"), "the number of formula units", 0.0)


def _fits_units(n_sites, formula, units):
    """Whether a cell has `units` formulas, or the one that pymatgen writes; None if not told."""
    if not units:
        return None
    amounts = formula.values()
    whole = all(amount == int(amount) for amount in amounts)
    of_cell = whole and units in _factors(formula)  # the formula of the whole cell
    totals = [units * sum(amounts), *[sum(amounts)] * of_cell]
    return any(abs(total - n_sites) <= 0.01 * n_sites for total in totals)


def _factors(formula):
    """Yield how many reduced formulas a whole formula has, for pymatgen also of O2 and Na2O2."""
    from pymatgen.core import Composition

    yield math.gcd(*map(int, formula.values()))
    yield Composition(formula).get_reduced_composition_and_factor()[1]


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


def _check_weight(crystal, block):
    """Without a sum formula: refuse sites whose mass is not that of whole formulas."""
    told = block.number("chemical_formula_weight", 0.0)
    units = _mass(crystal) / told if told > 0 else 1
    if abs(units - max(round(units), 1)) > 0.01 * units:
        raise ValueError(
            f"its _chemical_formula_weight is {told:g}, and the sites "
            f"{formula_text(amounts_in(crystal))!r} have {_mass(crystal):.5g}, no multiple of it. "
            "Atoms may be missing; else correct the weight."
        )


def _mass(crystal):
    """Return the mass of a cell in dalton."""
    masses = atomic_masses(len(ELEMENTS) - 1)[crystal.atomic_numbers - 1].sum()
    return float(masses + crystal.properties.get("isotopes", {}).get("D", 0))


def _check_density(crystal, block):
    """Refuse sites whose mass is not that of the density that was computed from all atoms."""
    told = block.number("exptl_crystal_density_diffrn", 0.0)
    density = _mass(crystal) * DALTON / crystal.volume
    if told and abs(density - told) > DENSITY * max(density, told):
        raise ValueError(
            f"its _exptl_crystal_density_diffrn is {told:g}, and the density of its sites "
            f"{formula_text(amounts_in(crystal))!r} is {density:.3g} g/cm3. Atoms or symmetry "
            "operations may be missing; else correct the density."
        )


def check_complete(crystal, formula, block):
    """Without symmetry: refuse sites that formula and formula units do not show to be all."""
    if formula is None or not _fits_units(len(crystal), formula, _units(block)):
        raise ValueError(
            "it does not tell its symmetry, or fewer operations than its space group has, so its "
            "sites may be all atoms of the cell or not. Add the operations as "
            "_space_group_symop_operation_xyz; 'x,y,z' alone if they are all."
        )
