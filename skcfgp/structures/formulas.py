"""Sum formulas as CIF and other files write them."""

import re

from .sites import NUMBERS

__all__ = ["agree", "formula_text", "parse_formula"]

_TERM = re.compile(r"([A-Z][a-z]?)(\d+\.?\d*|\.\d+)?")


def parse_formula(text):
    """Parse ``Na Cl H2 O`` to amounts by element; None if there is no text.

    Deuterium and tritium are counted as hydrogen. ValueError if it is not a sum formula.
    """
    if text is None:
        return None
    amounts = {}
    for part in re.findall(r"\S+", text.strip().strip("'\"")):
        end = 0
        while end < len(part):
            match = _TERM.match(part, end)
            if match is None or match[1] not in NUMBERS:
                raise ValueError(f"its sum formula {text!r} cannot be read, as in 'C2 H6 O'.")
            symbol = "H" if match[1] in ("D", "T") else match[1]
            amounts[symbol] = amounts.get(symbol, 0.0) + float(match[2] or 1)
            end = match.end()
    return {symbol: amount for symbol, amount in amounts.items() if amount} or None


def agree(found, formula):
    """Whether amounts of atoms are those of a formula, up to the number of formula units.

    Whole numbers must agree exactly, others to one percent.
    """
    if set(found) != set(formula):
        return False
    whole = all(amount == int(amount) for amount in formula.values())
    units = sum(found.values()) / sum(formula.values())
    tolerance = 1e-6 if whole else 0.01
    return all(abs(found[s] - units * formula[s]) <= tolerance * found[s] for s in found)


def formula_text(amounts):
    """Write amounts by element as a sum formula."""
    return " ".join(f"{s}{'' if n == 1 else format(n, 'g')}" for s, n in amounts.items())
