"""Formulas without a structure: text such as ``Na0.5Cl0.5`` or ``Ca(OH)2`` to a ``Composition``.

pymatgen's own parser misreads charges and symbols that are not elements. Here every
character of a formula is used, or the formula is refused.
"""

import contextlib
import hashlib
import json
import re
import warnings

from pymatgen.core import Composition, Element

from .crystal import ELEMENTS, Crystal, structure_digest

#: Characters of a formula, and nested brackets in it, that are read.
LONGEST, DEEPEST = 1000, 20

#: No number of a formula is larger.
LARGEST = 1e12

#: More atoms than this, or fewer than its inverse, are a typing error.
MOST = 1e6

NEEDS_STRUCTURE = (
    "it is a formula without a structure, which this model needs. Give the crystal, or take a "
    "model that learns from formulas: make_cfgp(recipe='composition'), --recipe composition."
)

_SYMBOLS = {element.symbol: element.symbol for element in ELEMENTS[1:]} | {"D": "H", "T": "H"}
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_TOKEN = re.compile(
    r"\s*(?:(?P<symbol>[A-Z][a-z]?)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<dot>[·•*])"
    r"|(?P<number>\d+\.?\d*|\.\d+))"
)
#: A point that may be that of a hydrate, if a solvent or an element from before comes after it.
_TWO_WAYS = re.compile(r"(?!0)(?<![\d.])\d*\.[1-9]\d*(?=\s*[A-Z(\[{])")
_SOLVENT = re.compile(r"\s*[(\[{]?([HDT]2O|NH3)")
_LOOKS_LIKE = re.compile(r"(?=.*[A-Z])[A-Z(\[{][A-Za-z0-9₀-₉()\[\]{}.·•*\s]*")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def is_formula(text):
    """Tell whether a text is meant as a formula: no path, no table, made of letters and numbers."""
    if not isinstance(text, str) or not _LOOKS_LIKE.fullmatch(text) or "\n" in text:
        return False
    return not re.search(r"\.[A-Za-z]", text)  # the suffix of a file


def read_formula(text):
    """Return the ``Composition`` of a formula; fractions are allowed, and kept as they are.

    Deuterium and tritium are hydrogen. ValueError if a part of the text is not understood.
    """
    amounts = amounts_of(text)
    if re.search(r"[DT](?![a-z])", text):
        warnings.warn(
            f"deuterium and tritium are taken for hydrogen in the formula {text!r}.", stacklevel=2
        )
    return as_composition(amounts, text.strip())


def amounts_of(text):
    """Return the amounts in a formula by symbol; ValueError if a part is not understood."""
    amounts, *others = readings_of(text)
    if others:
        raise ValueError(
            f"the point in the formula {text!r} may be that of a fraction or of a hydrate. Write "
            f"{_as_hydrate(text)} for a hydrate; else write each element once."
        )
    return amounts


def readings_of(text):
    """Return the amounts by symbol of each way to read a formula, which are one or two."""
    text = text.strip().translate(_SUBSCRIPTS)
    if len(text) > LONGEST:
        raise ValueError(f"its formula has {len(text)} characters; at most {LONGEST} are read.")
    readings = [_amounts(text)]
    if (hydrate := _as_hydrate(text)) is not None:
        with contextlib.suppress(ValueError):
            readings.append(_amounts(hydrate))
    return readings


def _amounts(text):
    """Add up the parts between the dots of hydrates, each with the number in front of it."""
    tokens, amounts = _tokens(text), {}
    if not tokens:
        raise ValueError("its formula is empty.")
    while tokens:
        factor = _count(tokens, text) if amounts else 1.0
        _add(amounts, _group(tokens, None, text), factor)
    return amounts


def _add(amounts, others, factor):
    for symbol, amount in others.items():
        amounts[symbol] = amounts.get(symbol, 0.0) + factor * amount


def as_composition(item, text=None):
    """Check a ``Composition``, or amounts by symbol: each a known element, finite and positive."""
    text = str(item) if text is None else text
    amounts = {}
    for key, amount in item.items():
        symbol = _SYMBOLS.get(getattr(key, "symbol", key))
        if symbol is None:
            raise ValueError(f"{key} in the formula {text!r} is not an element.")
        if not 1 / MOST <= amount <= MOST:  # NaN too
            raise ValueError(
                f"there are {amount:g} atoms of {symbol} in the formula {text!r}: expected between "
                f"{1 / MOST:g} and {MOST:g}."
            )
        amounts[symbol] = amounts.get(symbol, 0.0) + float(amount)
    if not amounts:
        raise ValueError(f"the formula {text!r} has no element.")
    return Composition({Element(symbol): amount for symbol, amount in amounts.items()})


def formula_of(value):
    """Return the ``Composition`` of a formula, a ``Composition``, or amounts by symbol."""
    if isinstance(value, Composition):
        return as_composition(value)
    if isinstance(value, dict):
        if not all(isinstance(n, int | float) for n in value.values()):
            raise ValueError(f"expected numbers of atoms by symbol, got {value!r:.80}.")
        return as_composition(value)
    if not isinstance(value, str):
        raise ValueError(f"expected a formula as text, got {type(value).__name__}.")
    return read_formula(value)


def check_same_compound(own, known):
    """Refuse a crystal, or a formula, of another composition than the crystal that has its id."""
    own, known = (getattr(item, "composition", item) for item in (own, known))
    if not own.fractional_composition.almost_equals(known.fractional_composition, rtol=1e-3):
        raise ValueError(
            f"it is {own.reduced_formula}, and the crystal of this id is {known.reduced_formula}; "
            "give it another id"
        )


def digest_of(item):
    """Name a `Crystal` by its content, a ``Composition`` by the fractions of its elements."""
    if isinstance(item, Crystal):
        return structure_digest(item)
    amounts = {key.symbol: amount for key, amount in sorted(item.items())}
    total = sum(amounts.values())
    fractions = [[symbol, round(amount / total, 9)] for symbol, amount in amounts.items()]
    return hashlib.blake2b(json.dumps(fractions).encode(), digest_size=16).hexdigest()


def _as_hydrate(text):
    """Write ``CuSO4.5H2O`` as ``CuSO4·5H2O``; None if its points can only be those of fractions."""
    if re.search(r"(?<![\d.])0\.\d", text):
        return None
    for match in _TWO_WAYS.finditer(text):
        before, after = text[: match.end()], text[match.end() :]
        elements = [set(re.findall("[A-Z][a-z]?", part)) for part in (before, after)]
        if elements[0] & elements[1] or _SOLVENT.match(after):
            point = match.start() + match[0].index(".")
            return f"{text[:point]}·{text[point + 1 :]}"
    return None


def _tokens(text):
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(
                f"the formula {text!r} is not understood at {text[position:][:10]!r}. Write "
                "elements and numbers, such as Ca(OH)2 or Fe0.5Ni0.5, without charges."
            )
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


def _group(tokens, closing, text, depth=0):
    """Take the tokens up to a closing bracket, or to a dot; return amounts by symbol."""
    if depth > DEEPEST:
        raise ValueError(f"the formula has more than {DEEPEST} nested brackets.")
    amounts = {}
    while tokens:
        kind, value = tokens.pop(0)
        if kind == "symbol":
            if value not in _SYMBOLS:
                raise ValueError(f"{value} in the formula {text!r} is not an element.")
            inner = {_SYMBOLS[value]: 1.0}
        elif kind == "open":
            inner = _group(tokens, _PAIRS[value], text, depth + 1)
        elif kind == "close" and value == closing:
            closing = None
            break
        elif kind == "dot" and depth == 0 and amounts and tokens:
            break
        else:
            raise ValueError(f"the formula {text!r} is not understood at {value!r}.")
        _add(amounts, inner, _count(tokens, text))
    if closing is not None:
        raise ValueError(f"a bracket of the formula {text!r} is not closed.")
    if not amounts:
        raise ValueError(f"there are empty brackets in the formula {text!r}.")
    return amounts


def _count(tokens, text):
    """Take the number that comes next, or 1 if there is none."""
    if not tokens or tokens[0][0] != "number":
        return 1.0
    _, token = tokens.pop(0)
    if float(token) > LARGEST:
        raise ValueError(f"the formula {text!r} has the number {token:.20}; none is so large.")
    return float(token)
