"""What is on a site of a crystal: one atom of an element, or a reason why not.

Each reader brings what its format says of a site (names, amounts, where it is periodic); this
module alone decides, so that the answer is the same whichever way a crystal comes in.
"""

import math
import re
from collections import Counter
from functools import lru_cache
from numbers import Real

from pymatgen.core import Element

#: Atomic numbers by symbol; deuterium and tritium are hydrogen.
NUMBERS = {Element.from_Z(z).symbol: z for z in range(1, 119)} | {"D": 1, "T": 1}

#: Occupancies that differ less are equal: files round them.
TOLERANCE = 1e-3

#: Names of an array with the occupancy of each atom, in extended XYZ and ASE.
AMOUNTS = ("occupancy", "occupancies", "occ")

#: Names of a site without an atom.
VACANCIES = {"vacancy", "vac", "va", "vac."}

#: What to do with a disordered crystal.
ADVICE = (
    "disordered crystals cannot be used. Make it ordered, for example with pymatgen's "
    "OrderDisorderedStructureTransformation."
)

_SYMBOL = re.compile(r"([A-Z][a-z]?)(?:\d+(?:\.\d+)?[+-]|[+-]\d*(?:\.\d+)?)?")


def site_number(occupants, where="a site"):
    """Return the atomic number of the one atom on a site; ValueError if there is not one.

    `occupants` are pairs of a symbol, with or without a charge, and an amount. Amounts of one
    element are added up, whatever its charges and isotopes.
    """
    amounts = Counter()
    for name, amount in occupants:
        if not (isinstance(amount, Real) and math.isfinite(amount) and amount >= 0):
            raise ValueError(f"{where} has the occupancy {amount!r}, which is not that of an atom.")
        amounts[_number(name)] += amount
    present = {number: amount for number, amount in amounts.items() if amount > TOLERANCE}
    total = sum(present.values())
    if len(present) != 1 or total < 1 - TOLERANCE:
        content = " ".join(f"{name}{amount:g}" for name, amount in occupants) or "nothing"
        raise ValueError(f"{where} is occupied by {content!r}: {ADVICE}")
    if total > 1 + TOLERANCE:
        raise ValueError(f"the occupancies of {where} add up to {total:g}; at most 1 is possible.")
    number = next(iter(present))
    if not number:
        raise ValueError(f"{where} is a vacancy. Remove it if there is no atom on it.")
    return number


def isotopes_of(symbols):
    """Count deuterium (D) and tritium (T) among symbols, as properties of a crystal."""
    counts = Counter(name[:1] for name in symbols if re.fullmatch(r"[DT](?:[\d+-].*)?", name))
    return {"isotopes": dict(counts)} if counts else {}


def isotopes_of_masses(numbers, masses):
    """Count the hydrogens that by their masses, in dalton, are deuterium or tritium."""
    heavy = [m for z, m in zip(numbers, masses, strict=False) if z == 1 and m > 1.5]
    return isotopes_of("T" if mass > 2.5 else "D" for mass in heavy)


def check_occupancies(kinds):
    """Refuse the occupancies by kind of site, in which ASE keeps disorder, unless all are whole."""
    if kinds is not None and not isinstance(kinds, dict):
        raise ValueError(f"its occupancy cannot be read: {kinds!r:.60}.")
    for kind, occupants in (kinds or {}).items():
        if not isinstance(occupants, dict):
            raise ValueError(f"its occupancy of the kind {kind} is not known: {occupants!r:.60}.")
        site_number(list(occupants.items()), f"a site of the kind {kind}")


def check_amounts(symbols, amounts):
    """Refuse atoms, by symbol, that are there only in part."""
    for symbol, amount in zip(symbols, amounts, strict=True):
        site_number([(symbol, amount)], "an atom")


def check_periodic(pbc):
    """Refuse what does not repeat in three directions."""
    if not all(pbc):
        raise ValueError("it is not periodic in three directions, so it is not a crystal.")


@lru_cache(maxsize=4096)
def _number(name):
    """Return the atomic number of a symbol, and 0 for a vacancy."""
    text = str(name).strip()
    if text.lower() in VACANCIES:
        return 0
    match = _SYMBOL.fullmatch(text)
    if match is None or match[1] not in NUMBERS:
        raise ValueError(f"{text} is not an element.")
    return NUMBERS[match[1]]
