"""Crystals from POSCAR and CONTCAR files of VASP.

Read by VASP's rules: one or three scale factors, or a volume; elements in the sixth line, in the
rows or, in the style of VASP 4, in the first line. A file that does not tell its elements is
refused.
"""

import re

import numpy as np

from .crystal import Crystal, fractional
from .sites import NUMBERS, isotopes_of, site_number

_COUNT = re.compile(r"\d{1,9}")
_FLAG = re.compile(r"\.?(T|F|TRUE|FALSE)\.?", re.IGNORECASE)
_NAMED = re.compile(r"([A-Z][a-z]?)(\d*)")


def read_poscar(text, potcar=None):
    """Return the `Crystal` of a text; ValueError says what is wrong with it.

    `potcar` are the elements of the POTCAR beside it, one for each count.
    """
    lines = [re.split(r"[#!]", line, maxsplit=1)[0].split() for line in text.split("\n")]
    comment = text.split("\n", 1)[0].split()
    if len(lines) < 8:
        raise ValueError(f"it has {len(lines)} lines, and the header alone has at least seven.")
    cell = np.array([_floats(lines[row], row, "a vector of the cell") for row in (2, 3, 4)])
    factors = _factors(lines[1], cell)
    symbols, counts, row = _composition(lines)
    selective = lines[row][:1] and lines[row][0][0] in "sS"
    row += bool(selective)
    if row >= len(lines) or not lines[row] or not lines[row][0][0].isalpha():
        raise ValueError(f"line {row + 1} must be 'Direct' or 'Cartesian'.")
    cartesian, row, n = lines[row][0][0] in "cCkK", row + 1, sum(counts)
    given = next((i for i, words in enumerate(lines[row:]) if not words), len(lines) - row)
    if n > given:
        raise ValueError(f"it has {n} atoms, by the counts {counts}, and {given} lines for them.")
    points = np.array([_floats(lines[row + i], row + i, "coordinates") for i in range(n)])
    if row + n < len(lines) and _is_point(lines[row + n]):
        raise ValueError(
            f"it has {n} atoms, by the counts {counts}, and further coordinates in line "
            f"{row + n + 1}."
        )
    if row + n < len(lines) and "configuration" in " ".join(lines[row + n][1:]).lower():
        raise ValueError(f"it has a further configuration in line {row + n + 1}; write one a file.")
    rest = [line[3:] for line in lines[row : row + n]]
    names = _names(symbols, counts, comment, _row_symbols(rest), potcar)
    cell = cell * factors
    if cartesian:
        points = fractional(cell, points * factors)
    numbers = [site_number([(name, 1)], "an atom") for name in dict.fromkeys(names)]
    by_name = dict(zip(dict.fromkeys(names), numbers, strict=True))
    return Crystal(cell, points, [by_name[name] for name in names], isotopes_of(names))


def _factors(words, cell):
    """Return the scale factors of x, y and z; one that is negative is minus the volume."""
    factors = _floats(words, 1, "scale factors", (1, 3))
    if len(factors) == 1 and factors[0] < 0:
        volume = abs(np.linalg.det(cell))
        if not volume > 0:
            raise ValueError(f"its cell has no volume: {cell.tolist()}.")
        return np.full(3, (-factors[0] / volume) ** (1 / 3))
    if not all(factor > 0 for factor in factors):
        raise ValueError(f"its scale factors must be positive, got {factors}.")
    return np.array(factors if len(factors) == 3 else factors * 3)


def _composition(lines):
    """Return symbols (None in the style of VASP 4), counts and the row after them."""
    row, symbols, counts = 5, [], []
    while row < len(lines) and lines[row] and not _are_counts(lines[row]):
        symbols += [re.split("[/_]", word)[0] for word in lines[row]]
        row += 1
        if row > 5 + 50:
            break
    while (
        row < len(lines) and _are_counts(lines[row]) and (not symbols or len(counts) < len(symbols))
    ):
        counts += map(int, lines[row])
        row += 1
    if not counts or row >= len(lines):
        raise ValueError("it has no line with the number of atoms of each element.")
    if symbols and len(symbols) != len(counts):
        raise ValueError(f"it names {len(symbols)} elements, {symbols}, and has counts {counts}.")
    return symbols or None, counts, row


def _names(symbols, counts, comment, in_rows, potcar):
    """Return the symbol of each atom, from wherever the file tells it, once or consistently."""
    if potcar is not None and len(potcar) != len(counts):
        raise ValueError(
            f"the POTCAR beside it is for {len(potcar)} elements, {' '.join(potcar)}, and its "
            f"counts {counts} for {len(counts)}. Correct one of them."
        )
    in_comment = _in_comment(comment, counts) if symbols is None else None
    told = {"line 6": symbols, "the first line": in_comment, "the POTCAR beside it": potcar}
    every = {
        where: [name for name, n in zip(names, counts, strict=True) for _ in range(n)]
        for where, names in told.items()
        if names is not None
    }
    if in_rows is not None:
        every["the rows"] = in_rows
    if not every:
        raise ValueError(
            "its elements are not in the file, in the style of VASP 4. Write their symbols into "
            f"the first line or into a line before the counts {counts}, or put the POTCAR beside "
            "it."
        )
    known, first = next(iter(every.items()))
    for where, names in every.items():
        for atom, (name, other) in enumerate(zip(first, names, strict=True), 1):
            if name != other:
                raise ValueError(f"atom {atom} is {name} by {known} and {other} by {where}.")
    return first


def _in_comment(words, counts):
    """Return the elements in the first line if it names one for each count, else None."""
    found = [_NAMED.fullmatch(word) for word in words]
    if len(found) != len(counts) or not all(found):
        return None
    fits = all(
        match[1] in NUMBERS and match[2] in ("", str(count))
        for match, count in zip(found, counts, strict=True)
    )
    return [match[1] for match in found] if fits else None


def _row_symbols(rest):
    """Return the symbols that stand after the coordinates of all rows, or None."""
    symbols = []
    for words in rest:
        if len(words) > 2 and all(_FLAG.fullmatch(word) for word in words[:3]):
            words = words[3:]
        match = re.match(r"[A-Z][a-z]?(?![A-Za-z])", words[0]) if words else None
        if match is None or match[0] not in NUMBERS or match[0] == "T":
            return None
        symbols.append(match[0])
    return None if set(symbols) == {"F"} else symbols  # a flag, or fluorine


def _are_counts(words):
    return bool(words) and all(_COUNT.fullmatch(word) for word in words)


def _is_point(words):
    try:
        return len(words) >= 3 and bool(_floats(words, 0, ""))
    except ValueError:
        return False


def _floats(words, row, what, sizes=(3,)):
    """Read the numbers at the beginning of a line; Fortran may write 1.0D0."""
    try:
        size = max(size for size in sizes if size <= len(words))
        return [float(re.sub("[dD]", "e", word)) for word in words[:size]]
    except ValueError:
        raise ValueError(
            f"line {row + 1} must be {what}, {' or '.join(map(str, sizes))} numbers, got "
            f"{' '.join(words)[:60]!r}."
        ) from None
