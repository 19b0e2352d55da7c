"""Symmetry operations of a CIF: as they are listed, or of a space group that is named."""

import re
import warnings
from fractions import Fraction
from functools import lru_cache

import numpy as np

#: Relative difference of a cell from its image by an operation that is still rounding.
METRIC = 0.03

#: Operations that a file may list; 192 are those of the largest space groups.
MOST = 1000

_TERM = re.compile(r"([+-]?)(\d+(?:\.\d*)?(?:/\d+)?|\.\d+)?\*?([xyz])?")

#: The settings that the letters after a symbol stand for.
_CHOICES = {"1": "1", "s": "1", "2": "2", "z": "2", "h": "H", "r": "R"}

#: Symbols of before 1992, when the letter e was new.
_OLD = "abm2 aba2 cmca ccmb abma acam bbcm bmab cmma ccca"
_NEW = "aem2 aea2 cmce ccme aema aeam bbem bmeb cmme ccce"
_NEW_NAMES = dict(zip(_OLD.split(), _NEW.split(), strict=True))


class Operations:
    """Rotations of shape (n, 3, 3) and translations of shape (n, 3), and where they are from."""

    def __init__(self, rotations, translations, source):
        self.rotations = np.asarray(rotations, dtype=float)
        self.translations = np.asarray(translations, dtype=float)
        self.source = source

    def __len__(self):
        return len(self.rotations)

    def images(self, point):
        """Return the images of a point, of shape (n, 3), in [0, 1)."""
        return np.mod(self.rotations @ point + self.translations, 1.0)

    def times(self, other):
        """Return the products with other operations; centring translations are such."""
        rotations = np.einsum("aij,bjk->abik", self.rotations, other.rotations)
        shifted = np.einsum("aij,bj->abi", self.rotations, other.translations)
        translations = shifted + self.translations[:, None]
        return Operations(
            rotations.reshape(-1, 3, 3), np.mod(translations, 1).reshape(-1, 3), self.source
        )


def parse_operations(texts, source):
    """Parse operations such as ``-x, y+1/2, z``; a fourth part, of time, is left out."""
    if len(texts) > MOST:
        raise ValueError(f"it lists {len(texts):,} symmetry operations; a crystal has few.")
    found = [_parse(text) for text in texts]
    return Operations([f[0] for f in found], [f[1] for f in found], source)


def check_group(operations):
    """Refuse operations of which a product is missing: one of them is damaged or left out."""
    missing = ~np.isin(_keys(operations.times(operations)), _keys(operations))
    if missing.any():
        i, j = divmod(int(np.argmax(missing)), len(operations))
        raise ValueError(
            f"its symmetry operations are not those of a space group: the product of the "
            f"operations {i + 1} and {j + 1} is not among them. Write all of them, or all "
            "atoms of the cell with the one operation 'x,y,z'."
        )


def distinct(operations):
    """Keep one of operations that are equal."""
    _, first = np.unique(_keys(operations), return_index=True)
    first.sort()
    return Operations(
        operations.rotations[first], operations.translations[first], operations.source
    )


def fits_cell(operations, lattice):
    """Whether the operations leave the shape of the cell as it is."""
    metric = lattice @ lattice.T
    rotated = np.einsum("aji,jk,akl->ail", operations.rotations, metric, operations.rotations)
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    return bool((np.abs(rotated - metric) <= METRIC * scale).all())


def named_settings(hall, symbol, number, lattice):
    """Return the operations of each setting that a Hall symbol, a name or a number may mean.

    Each of the three may be None. Settings that do not fit the cell are left out. ValueError if
    none is known, none fits, or they contradict each other.
    """
    halls, symbols, numbers = _tables()
    found, said = None, hall
    if hall is not None:
        found = halls.get(_plain(hall))
    if symbol is not None and (by_symbol := _by_symbol(symbol, symbols)):
        found, said = _common(found, by_symbol, f"{hall!r} and {symbol!r}"), symbol
    if number is not None:
        if number not in numbers:
            raise ValueError(f"there is no space group of the number {number}.")
        every, standard = numbers[number]
        if found:
            found = _common(found, every, f"{said!r} and {number}")
        elif symbol is None or len(every) == len(standard):
            found = standard
    if not found:
        raise ValueError(
            f"the space group {symbol or hall!r} is not known, and its symmetry operations are not "
            "listed. Add them as _space_group_symop_operation_xyz."
        )
    fitting = [position for position in found if fits_cell(_setting(position), lattice)]
    if not fitting:
        raise ValueError(
            f"its cell does not have the symmetry of the space group {_setting(found[0]).source}."
        )
    if 3 <= _type(fitting[0]).number <= 15:  # the axis b, where the cell leaves the choice
        fitting = fitting[:1]
    return [_setting(position) for position in fitting]


def _common(found, other, names):
    if found is None:
        return other
    if both := [position for position in found if position in other]:
        return both
    raise ValueError(f"it names two different space groups: {names}.")


@lru_cache(maxsize=1000)  # files have the same operations
def _parse(text):
    try:
        rotation, translation = _terms(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a symmetry operation such as '-x, y+1/2, z'.") from None
    if not np.isin(rotation, (-1, 0, 1)).all() or abs(abs(np.linalg.det(rotation)) - 1) > 1e-6:
        raise ValueError(f"{text!r} is not a symmetry operation: it changes the volume.")
    return rotation, np.mod(_exact(translation), 1.0)


def _terms(text):
    """Add up the terms of each part of an operation; ValueError if there are others."""
    parts = re.sub(r"\s+", "", text.strip().strip("'\"").lower()).split(",")
    if len(parts) not in (3, 4):
        raise ValueError(text)
    matrix = np.zeros((3, 4))
    for row, part in zip(matrix, parts, strict=False):
        end = 0
        while end < len(part):
            match = _TERM.match(part, end)
            sign, value, axis = match.groups()
            if (value is None and axis is None) or (end and not sign):
                raise ValueError(part)
            whole, _, divisor = (value or "1").partition("/")
            number = float(Fraction(whole.rstrip(".")) / Fraction(divisor or 1))
            row["xyz".index(axis) if axis else 3] += -number if sign == "-" else number
            end = match.end()
    return matrix[:, :3], matrix[:, 3]


def _exact(translation):
    """Turn decimals such as 0.3333 into the twenty-fourths that they stand for."""
    near = np.round(translation * 24) / 24
    return np.where(np.abs(near - translation) < 1e-3, near, translation)


def _keys(operations):
    """Encode each operation as an integer; equal translations differ by less than 1/192."""
    rotations = np.round(operations.rotations.reshape(-1, 9)).astype(int) + 3
    shifts = np.mod(np.round(operations.translations * 96), 96).astype(int)
    return rotations @ 7 ** np.arange(9) * 96**3 + shifts @ 96 ** np.arange(3)


def _plain(name):
    return re.sub(r"[\s_()]", "", name).lower()


def _by_symbol(symbol, symbols):
    name, choice = _plain(symbol), None
    name = _NEW_NAMES.get(name, name)
    if ":" in name:
        name, _, choice = name.partition(":")
    elif name not in symbols and name[-1:] in _CHOICES:
        name, choice = name[:-1], name[-1]
    found = symbols.get(name, [])
    if choice is not None:
        wanted = _CHOICES.get(choice, choice)
        found = [p for p in found if _type(p).choice.lower() == wanted.lower()] or found
    return found


@lru_cache
def _tables():
    """Tabulate the settings of all space groups by Hall symbol, by symbol and by number."""
    halls, symbols, numbers = {}, {}, {}
    for position in range(1, 531):
        kind = _type(position)
        standard, *others = kind.international.split(" = ")
        own = others[-1] if others else standard
        names = {kind.international_full, own, re.sub(r" 1\b", "", own)}
        every, usual = numbers.setdefault(kind.number, ([], []))
        if not every or (not others and kind.choice in ("", "1", "2", "H", "R")):
            names |= {standard, kind.international_short}
            usual.append(position)
        every.append(position)
        halls.setdefault(_plain(kind.hall_symbol), []).append(position)
        for name in set(map(_plain, names)):
            symbols.setdefault(name, []).append(position)
    return halls, symbols, numbers


@lru_cache(maxsize=1024)
def _type(position):
    return _ask_spglib("get_spacegroup_type", position)


@lru_cache(maxsize=64)
def _setting(position):
    found, kind = _ask_spglib("get_symmetry_from_database", position), _type(position)
    choice = f", choice {kind.choice}" if kind.choice else ""
    name = f"{kind.international.split(' = ')[-1]}{choice}"
    return Operations(found["rotations"], found["translations"], name)


def _ask_spglib(function, position):
    import spglib

    with warnings.catch_warnings():  # of how it will report errors
        warnings.simplefilter("ignore", DeprecationWarning)
        return getattr(spglib, function)(position)
