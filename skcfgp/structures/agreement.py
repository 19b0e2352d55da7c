"""What a record tells of its crystal more than once must agree.

A record may hold a crystal twice, and its formula, its elements or the number of its sites beside
it. None of these is preferred to the others: if they differ, the record is refused, with both
readings in the reason.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from numbers import Real

import numpy as np
from pymatgen.core import Composition, Lattice

from .compositions import as_composition, readings_of
from .crystal import ELEMENTS, fractional, structure_digest
from .io import short
from .keys import FORMULA_KEYS
from .neighbours import check_cell, find_neighbours
from .sites import NUMBERS

#: Keys of formulas of OPTIMADE, by its rules, and of others, which may be any text.
STRICT_FORMULAS = ("chemical_formula_reduced", "chemical_formula_hill")
FORMULAS = (
    *FORMULA_KEYS,
    "formula_pretty",
    "pretty_formula",
    "reduced_formula",
    "full_formula",
    "composition_reduced",
    "chemical_formula",
    "chemical_formula_sum",
    "chemical_formula_descriptive",
)
ANONYMOUS = ("chemical_formula_anonymous", "formula_anonymous", "anonymous_formula")

#: Keys of elements, in a list or a text such as ``Cl-Na``, and of the element of each site.
ELEMENT_SETS = ("elements", "chemsys")
SITE_KINDS = ("species", "symbols", "Z", "atomic_numbers")

#: All keys that `check_told` looks at.
TOLD = {*STRICT_FORMULAS, *FORMULAS, *ANONYMOUS, *ELEMENT_SETS, *SITE_KINDS}
TOLD |= {"nelements", "nsites", "natoms"}

#: Relative differences of lengths and of volumes, and degrees, that are rounding.
LENGTH, VOLUME, ANGLE = 0.005, 0.02, 0.5

#: Angstrom between two positions of one site that are rounding.
POSITION = 0.05

#: Distances of two crystals are compared up to a radius, on a grid; two of its steps are rounding.
RADIUS, STEP = 5.0, 0.05


def amounts_in(found):
    """Return the amounts by symbol of a `Crystal` or a ``Composition``."""
    if isinstance(found, Composition):
        return {element.symbol: amount for element, amount in found.items()}
    numbers, counts = np.unique(found.atomic_numbers, return_counts=True)
    pairs = zip(numbers.tolist(), counts.tolist(), strict=True)
    return {ELEMENTS[number].symbol: count for number, count in pairs}


def agree(found, formula):
    """Whether amounts of atoms are those of a formula, up to the number of formula units.

    Whole numbers must agree exactly, others to one percent.
    """
    if set(found) != set(formula):
        return False
    whole = all(amount == int(amount) for amount in (*found.values(), *formula.values()))
    units = sum(found.values()) / sum(formula.values())
    tolerance = 1e-6 if whole else 0.01
    return all(abs(found[s] - units * formula[s]) <= tolerance * found[s] for s in found)


def formula_text(amounts):
    """Write amounts by element as a sum formula."""
    return " ".join(f"{s}{'' if n == 1 else format(n, 'g')}" for s, n in amounts.items())


def check_told(found, record):
    """Refuse a crystal, or a composition, that is not what its record tells beside it."""
    if not TOLD & set(record):
        return
    amounts, n_sites = amounts_in(found), None if isinstance(found, Composition) else len(found)
    for key in _contradicting(record, amounts, n_sites):
        what = "its formula is" if n_sites is None else f"its {n_sites} sites are"
        raise ValueError(
            f"its {key} is {short(record[key])}, and {what} {formula_text(amounts)!r:.80}. "
            "Correct one of them."
        )


def _contradicting(record, amounts, n_sites):
    """Yield the keys of a record that tell others than these amounts and this number of sites."""
    for key, readings in _formulas(record):
        if not any(agree(amounts, formula) for formula in readings):
            yield key
    for key in ANONYMOUS:
        counts = _anonymous(record.get(key))
        if counts is not None and not agree(_by_rank(amounts.values()), counts):
            yield key
    for key in (*ELEMENT_SETS, *SITE_KINDS):
        value = record.get(key)
        if (isinstance(value, str) and key in SITE_KINDS) or (symbols := _symbols(value)) is None:
            continue
        if set(symbols) != set(amounts) or (
            len(symbols) == n_sites and Counter(symbols) != amounts
        ):
            yield key
    for key, n in (("nelements", len(amounts)), ("nsites", n_sites), ("natoms", n_sites)):
        if n is not None and _integer(record.get(key)) not in (None, n):
            yield key


def check_order(crystal, record):
    """Refuse symbols, one for each site, that are not those of the sites of a crystal."""
    found = [ELEMENTS[number].symbol for number in crystal.atomic_numbers.tolist()]
    for key in SITE_KINDS:
        symbols = _symbols(record.get(key)) or ()
        if len(symbols) == len(found) and symbols != found:
            i = next(i for i, symbol in enumerate(symbols) if symbol != found[i])
            raise ValueError(
                f"the site {i} is {found[i]} by its atomic number and {symbols[i]} by its {key}. "
                "Correct one of them."
            )


def check_same(readings):
    """Refuse crystals, or compositions, by their keys in one record, that differ."""
    readings = sorted(readings.items(), key=lambda pair: isinstance(pair[1], Composition))
    (key, first), *others = readings
    for other_key, other in others:
        if problem := _difference(first, other):
            raise ValueError(
                f"its {key} is {_described(first)}, and its {other_key} is {_described(other)}"
                f"{problem}. Remove the one that is wrong."
            )


@np.errstate(all="ignore")
def check_lengths(matrix, told, names):
    """Refuse lengths and angles, six numbers, that are not those of a cell."""
    found, told = np.array(Lattice(matrix).parameters), np.array(told, dtype=float)
    largest = np.repeat([LENGTH * found[:3].max(), ANGLE], 3)
    if (np.abs(told - found) > largest).any():
        raise ValueError(
            f"its {names} are {_numbers(told)}, and those of its cell vectors {_numbers(found)}. "
            "Correct one of them."
        )


@np.errstate(all="ignore")
def check_points(matrix, coords, points):
    """Refuse points in angstrom that are not those of fractional coordinates, in any cell."""
    shift = fractional(matrix, points - coords @ matrix)
    apart = np.linalg.norm((shift - np.round(shift)) @ matrix, axis=1)
    if (wrong := np.flatnonzero(~(apart < POSITION))).size:
        row = wrong[0]
        raise ValueError(
            f"the site {row} is at {_numbers(points[row])} angstrom and at {_numbers(coords[row])} "
            "of the cell, which are two places. Correct one of them."
        )


def _numbers(values):
    return " ".join(f"{value:.6g}" for value in values)


def _difference(first, other):
    """Say how two crystals differ, beyond the choice of the cell; None if they do not."""
    if not agree(amounts_in(first), amounts_in(other)):
        return " (another composition)"
    if isinstance(first, Composition) or isinstance(other, Composition):
        return None
    if structure_digest(first) == structure_digest(other):
        return None
    if not math.isclose(
        first.volume / len(first), other.volume / len(other), rel_tol=VOLUME, abs_tol=0
    ):
        return " (another volume for each site)"
    shells, others = _shells(first), _shells(other)
    for a, b in ((shells[pair], others[pair]) for pair in shells):
        if (a[:-2] > b[2:] + 1e-6).any() or (b[:-2] > a[2:] + 1e-6).any():  # by 0.1 angstrom
            return " (other distances between the sites)"
    return None


def _shells(crystal):
    """Count for each pair of elements the neighbours of a site within radii on a grid."""
    check_cell(crystal.lattice, len(crystal), RADIUS)
    first, second, _, distances = find_neighbours(crystal.lattice, crystal.frac_coords, RADIUS)
    pairs = crystal.atomic_numbers[first] * len(ELEMENTS) + crystal.atomic_numbers[second]
    grid = np.arange(STEP, RADIUS, STEP)
    kinds = np.unique(crystal.atomic_numbers)
    return {
        pair: np.searchsorted(np.sort(distances[pairs == pair]), grid) / len(crystal)
        for pair in (kinds[:, None] * len(ELEMENTS) + kinds).ravel().tolist()
    }


def _described(found):
    text = repr(formula_text(amounts_in(found)))
    if isinstance(found, Composition):
        return text
    return f"{text} in {found.volume:.4g} cubic angstrom"


def _formulas(record):
    """Yield the keys of formulas, and the amounts in each way to read them."""
    for key in (*STRICT_FORMULAS, *FORMULAS):
        value = record.get(key)
        try:
            if isinstance(value, str) and value.strip():
                readings = readings_of(value)
            elif isinstance(value, dict | Composition) and value:
                readings = [amounts_in(as_composition(value))]
            else:
                continue
        except (ValueError, TypeError):  # a name, or another text
            if key in STRICT_FORMULAS:
                raise
            continue
        readings = [{s: n for s, n in amounts.items() if n} for amounts in readings]
        if all(readings):
            yield key, readings
    symbols, ratios = _symbols(record.get("elements")), record.get("elements_ratios")
    if symbols and isinstance(ratios, list) and len(ratios) == len(symbols) and _positive(ratios):
        yield "elements_ratios", [dict(zip(symbols, ratios, strict=True))]


def _positive(values):
    return all(isinstance(value, Real) and value > 0 for value in values)


def _anonymous(value):
    """Return the amounts in a formula such as ``A2B``, by their rank."""
    if not isinstance(value, str) or not re.fullmatch(r"(?:[A-Z][a-z]?(?:[1-9]\d{0,8})?)+", value):
        return None
    return _by_rank(int(n or 1) for n in re.findall(r"[A-Z][a-z]?(\d*)", value))


def _by_rank(amounts):
    return dict(enumerate(sorted(amounts)))


def _symbols(value):
    """Return the symbols in a list, or in a text such as ``Cl-Na``; None if it is another."""
    if isinstance(value, str):
        value = re.sub(r"[\[\](){}'\",;\s-]+", " ", value).split()
    elif not isinstance(value, Iterable) or isinstance(value, dict):
        return None
    symbols = [_symbol(item) for item in value]
    return None if not symbols or None in symbols else symbols


def _symbol(item):
    if isinstance(item, str):
        match = re.fullmatch(r"([A-Z][a-z]?)(?:\d*[+-]\d*)?", item.strip())
        item = NUMBERS.get(match[1], 0) if match else 0
    known = isinstance(item, Real) and item in range(1, len(ELEMENTS))
    return ELEMENTS[int(item)].symbol if known else None


def _integer(value):
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value.strip()[:18])
    return value if isinstance(value, Real) and value == value else None
