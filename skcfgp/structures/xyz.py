"""Crystals from extended XYZ files, frame by frame."""

import json
import re
from contextlib import suppress
from functools import lru_cache

import numpy as np

from .agreement import check_told
from .crystal import ELEMENTS, Crystal, fractional
from .ids import own_id
from .keys import KEYS
from .sites import (
    AMOUNTS,
    NUMBERS,
    check_amounts,
    check_occupancies,
    check_periodic,
    isotopes_of,
    isotopes_of_masses,
    site_number,
)

_COUNT = re.compile(r"\s*\d{1,9}\s*")
_PAIR = re.compile(
    r"""([^\s=]+)(?:\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'"""
    r"""|\{([^}]*)(?:\}|\Z)|(\[(?:[^][]|\[[^][]*\])*(?:\]|\Z))|(\S+)))?"""
)
_TRUE = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}

#: Columns that are read, by the names that they have, and how many numbers or words each has.
_NAMES = {
    **dict.fromkeys(("species", "symbols", "element", "elements", "z", "numbers"), "species"),
    **dict.fromkeys(("pos", "positions"), "pos"),
    **dict.fromkeys(AMOUNTS, "occupancy"),
    **dict.fromkeys(("masses", "mass"), "mass"),
}
_SIZES = {"species": 1, "pos": 3, "occupancy": 1, "mass": 1}


def read_xyz(text):
    """Yield the id, or None, and the `Crystal`, or the error, of each frame."""
    for frame in _frames(text.split("\n")):
        id_ = None
        try:
            if isinstance(frame, ValueError):
                raise frame
            info = _info(frame[0])
            id_ = own_id(info)
            crystal = _crystal(info, frame[1:])
            check_told(crystal, info)
            yield id_, crystal
        except ValueError as error:
            yield id_, error


def _frames(lines):
    """Yield the lines of each frame without the first, or the error."""
    row = 0
    while row < len(lines):
        if not lines[row].strip():
            row += 1
            continue
        start, counted = row, _COUNT.fullmatch(lines[row])
        row += 2 if counted else 1
        while row < len(lines) and not _COUNT.fullmatch(lines[row]):
            row += 1
        if not counted:
            yield ValueError(
                f"line {start + 1} must be the number of atoms of a frame, got "
                f"{lines[start][:60]!r}."
            )
            continue
        n, found = int(lines[start]), lines[start + 2 : row]
        while found and not found[-1].strip():
            found.pop()
        after = start + 2 + n
        rest = [line for line in found[n:] if line.strip()]
        if len(found) >= n and rest and _width(rest[0]) != _width(found[n - 1] if n else ""):
            row, found, rest = after, found[:n], []  # the rest is not part of the frame
        if rest or len(found) != n or not all(line.strip() for line in found):
            yield ValueError(
                f"line {start + 1} gives {n} atoms for the frame; lines of atoms found: "
                f"{sum(bool(line.strip()) for line in found)}."
            )
        else:
            yield [lines[start + 1] if start + 1 < len(lines) else "", *found]


def _width(line):
    return len(line.split())


def _info(comment):
    """Parse the second line of a frame to texts by name."""
    found = {}
    for match in _PAIR.finditer(comment):
        value = next((group for group in match.groups()[1:] if group is not None), None)
        if value is None and match[1] in KEYS:  # ASE writes an id of None so
            continue
        value = "T" if value is None else value
        name, value = match[1].strip("\"'"), re.sub(r"\\(.)", r"\1", value)
        if found.setdefault(name, value) != value:
            raise ValueError(f"its second line tells {name} twice, with different values.")
    return found


def _crystal(info, rows):
    named = {name.lower(): value for name, value in info.items()}
    if "lattice" not in named:
        raise ValueError("it has no Lattice in its second line, so it is not a crystal.")
    lattice = _floats(re.findall(r"[^\s,\[\]]+", named["lattice"]), "Lattice")
    if len(lattice) != 9:
        raise ValueError(f"Lattice must be nine numbers, got {len(lattice)}.")
    check_periodic(_flags(named.get("pbc", "T T T")))
    check_occupancies(_json(info.get("occupancy")))
    properties = named.get("properties", "species:S:1:pos:R:3")
    columns, width = _columns(properties)
    rows = [line.split() for line in rows]
    for position, words in enumerate(rows, 1):
        if len(words) < width or (len(words) > width and "properties" in named):
            raise ValueError(
                f"atom {position} has {len(words)} values, and Properties tell {width}: "
                f"{properties!r}."
            )
    if not rows:
        raise ValueError("it has no sites.")
    symbols, numbers = _species(rows, columns)
    _, start = columns["pos"][0]
    points = [
        _floats(words[start : start + 3], f"the coordinates of atom {position}")
        for position, words in enumerate(rows, 1)
    ]
    cell = np.reshape(lattice, (3, 3))
    coords = fractional(cell, points)
    masses = [_floats(words[k : k + 1], "a mass")[0] for _, k in columns["mass"] for words in rows]
    return Crystal(
        cell, coords, numbers, isotopes_of(symbols) | isotopes_of_masses(numbers, masses)
    )


def _species(rows, columns):
    """Return symbol and atomic number of each atom, which all columns must tell alike."""
    (is_number, start), *others = columns["species"]
    symbols = [words[start].capitalize() for words in rows]
    numbers = [_number(words[start], is_number) for words in rows]
    for is_number, k in others:
        for position, words in enumerate(rows):
            if _number(words[k], is_number) != numbers[position]:
                raise ValueError(
                    f"atom {position + 1} is {words[start]} and {words[k]} in two columns. Correct "
                    "one of them."
                )
    for _, k in columns["occupancy"]:
        amounts = [_floats(words[k : k + 1], "an occupancy")[0] for words in rows]
        check_amounts([ELEMENTS[z].symbol for z in numbers], amounts)
    return symbols, numbers


@lru_cache(maxsize=4096)
def _number(symbol, is_number):
    """Return the atomic number of a symbol in any case, or of the number itself."""
    if symbol.isascii() and symbol.isdigit() and 0 < int(symbol[:4]) < 119:
        if is_number:
            return int(symbol)
        raise ValueError(
            f"its species are numbers, such as {symbol}, which may be those of elements or only "
            "count the kinds of atoms. Write symbols, or Z:I:1 instead of species:S:1."
        )
    name = symbol.capitalize()
    if name not in NUMBERS:
        raise ValueError(f"{symbol[:40]!r} is not an element.")
    return site_number([(name, 1)], "an atom")


def _columns(properties):
    """Find what is read, as pairs of whether it is an integer and its column; count all."""
    parts = properties.split(":")
    found, width = {what: [] for what in _SIZES}, 0
    try:
        for name, kind, count in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            if kind not in ("S", "R", "I", "L") or not 0 < int(count) < 1000:
                raise ValueError(name)
            what = _NAMES.get(name.lower())
            if what is not None and int(count) == _SIZES[what]:
                found[what].append((kind == "I", width))
            width += int(count)
    except ValueError:
        found["pos"] = []
    if not found["species"] or not found["pos"]:
        raise ValueError(
            f"Properties must tell species and pos, as 'species:S:1:pos:R:3', got {properties!r}."
        )
    return found, width


def _flags(text):
    try:
        flags = [_TRUE[word.lower()] for word in re.findall(r"[^\s,\[\]]+", text)]
    except KeyError:
        flags = []
    if len(flags) not in (1, 3):
        raise ValueError(f"pbc must be three of T and F, got {text!r}.")
    return flags


def _json(text):
    """Read what ASE writes as JSON into the second line; what is not JSON stays text."""
    with suppress(ValueError, RecursionError):
        return None if text is None else json.loads(text.removeprefix("_JSON").strip())
    return text


def _floats(words, what):
    try:
        return [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{what} must be numbers, got {' '.join(words)[:60]!r}.") from None
