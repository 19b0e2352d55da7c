"""The element of a site of a CIF: by its type symbol, or else by its label.

A label is free text, so what may stand for two elements, or for a molecule of which the hydrogens
have no coordinates, is told by the sum formula, or refused.
"""

import re

from .blocks import NULLS
from .sites import NUMBERS

#: Characters of a label; the format has allowed 75.
LONGEST = 80

#: Symbols and labels of molecules, of which the hydrogens have no coordinates.
GROUPS = re.compile(r"(O-?H\d?|H2O|Wat|NH\d|CH\d)", re.IGNORECASE)
GROUP_LABEL = re.compile(rf"{GROUPS.pattern}(?![A-Za-z])", re.IGNORECASE)

#: Labels of tungsten, or of the oxygen of a water.
WATER = re.compile(r"(O\(?\d*\)?W|WAT|W)\(?\d*\)?[A-Z]?", re.IGNORECASE)


def symbol_of_site(kind, label, where, formula):
    """Find the symbol of the element of a site, in its type or else in its label."""
    told = kind is not None and kind not in NULLS
    if not told and (label is None or label in NULLS):
        raise ValueError(f"{where} has neither a type symbol nor a label.")
    text = kind if told else label
    if len(text) > LONGEST:
        raise ValueError(f"{text[:LONGEST]!r}... of a site is too long for a label or an element.")
    formula = None if told else formula
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
