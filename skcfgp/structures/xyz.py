"""Crystals from extended XYZ files, frame by frame."""

import json
import re

import numpy as np

from .crystal import Crystal
from .ids import KEYS, own_id
from .sites import NUMBERS, check_occupancies, check_periodic, isotopes_of, site_number

__all__ = ["read_xyz"]

_COUNT = re.compile(r"\s*\d{1,9}\s*")
_PAIR = re.compile(
    r"""([^\s=]+)(?:\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'"""
    r"""|\{([^}]*)(?:\}|\Z)|(\[.*?(?:\]+|\Z))|(\S+)))?"""
)
_TRUE = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


def read_xyz(text):
    """Yield the id, or None, and the `Crystal`, or the error, of each frame."""
    for frame in _frames(text.split("\n")):
        id_ = None
        try:
            if isinstance(frame, ValueError):
                raise frame
            info = _info(frame[0])
            id_ = own_id({key: v for key, v in info.items() if v.lower() not in ("none", "nan")})
            yield id_, _crystal(info, frame[1:])
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
    columns, width, numbered = _columns(properties)
    symbols, points = [], []
    for position, line in enumerate(rows):
        words = line.split()
        if len(words) < width or (len(words) > width and "properties" in named):
            raise ValueError(
                f"atom {position + 1} has {len(words)} values, and Properties tell {width}: "
                f"{properties!r}."
            )
        symbols.append(words[columns["species"]])
        start = columns["pos"]
        points.append(_floats(words[start : start + 3], f"the coordinates of atom {position + 1}"))
    if not symbols:
        raise ValueError("it has no sites.")
    cell = np.reshape(lattice, (3, 3))
    try:
        coords = np.linalg.solve(cell.T, np.transpose(points)).T
    except np.linalg.LinAlgError:
        raise ValueError(f"its cell has no volume: {cell.tolist()}.") from None
    numbers = {symbol: _number(symbol, numbered) for symbol in set(symbols)}
    names = [s.capitalize() for s in symbols]
    return Crystal(cell, coords, [numbers[s] for s in symbols], isotopes_of(names))


def _number(symbol, numbered):
    """Return the atomic number of a symbol in any case, or of the number itself."""
    if symbol.isascii() and symbol.isdigit() and 0 < int(symbol[:4]) < 119:
        if numbered:
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
    """Find the columns of symbols and coordinates, count all; tell if symbols are numbers."""
    parts = properties.split(":")
    found, width, numbered = {}, 0, False
    names = {"species": "species", "symbols": "species", "z": "species", "numbers": "species"}
    names |= {"pos": "pos", "positions": "pos"}
    try:
        for name, kind, count in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            what = names.get(name.lower())
            if kind not in ("S", "R", "I", "L") or not 0 < int(count) < 1000:
                raise ValueError(name)
            if what is not None and int(count) == {"species": 1, "pos": 3}[what]:
                numbered |= what == "species" and what not in found and kind == "I"
                found.setdefault(what, width)
            width += int(count)
    except ValueError:
        found = {}
    if len(found) != 2:
        raise ValueError(
            f"Properties must tell species and pos, as 'species:S:1:pos:R:3', got {properties!r}."
        )
    return found, width, numbered


def _flags(text):
    try:
        flags = [_TRUE[word.lower()] for word in re.findall(r"[^\s,\[\]]+", text)]
    except KeyError:
        flags = []
    if len(flags) not in (1, 3):
        raise ValueError(f"pbc must be three of T and F, got {text!r}.")
    return flags


def _json(text):
    """Read what ASE writes as JSON into the second line."""
    if text is None:
        return {}
    try:
        found = json.loads(text.removeprefix("_JSON").strip())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"its occupancy cannot be read: {text[:60]!r}.")
    return found


def _floats(words, what):
    try:
        return [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{what} must be numbers, got {' '.join(words)[:60]!r}.") from None
