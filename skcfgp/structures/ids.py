"""How a crystal is named, in every function and command alike.

The id is what the data calls the crystal (``material_id``, ``id`` or ``jid``), else its index, else
the name of its file without the suffix. Where ids clash, the shortest path tells them apart.
"""

import re
from collections import defaultdict
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple

from .io import escaped
from .keys import KEYS, PATH_KEYS, is_missing

_SUFFIX = re.compile(
    r"(?<=.)\.(cif|mcif|vasp|poscar|xyz|extxyz|jsonl|json|db|parquet)(\.(gz|bz2|xz))?$"
    r"|((?<=poscar)|(?<=contcar))\.(gz|bz2|xz)$",
    re.IGNORECASE,
)
_POSCAR_ALONE = re.compile(r"poscar|contcar", re.IGNORECASE)
_POSCAR = re.compile(r"(^|[._-])(poscar|contcar)([._-]|$)", re.IGNORECASE)


class Name(NamedTuple):
    """What is known of the name of a row: all but its position in its file may be None."""

    label: object = None  # given by the caller: an index, or the key of a dictionary
    own: str | None = None  # in the data
    path: Path | None = None
    position: int | None = None  # in a file of several crystals


def own_id(record):
    """Return the id in a record as text; 0 is one, None, NaN and texts of these are none."""
    for key in KEYS if isinstance(record, dict) else ():
        value = record.get(key)
        is_id = isinstance(value, str | Real) and not isinstance(value, bool)
        if is_id and not is_missing(value):
            return _as_text(value)
    return None


def path_in(fields):
    """Return the path of a file in a row of a table as text; an empty one if there is none."""
    return next((str(fields[k]) for k in PATH_KEYS if not is_missing(fields.get(k))), "")


def name_of(fields):
    """Return how a row of a table names its crystal: the id in it, or else the path."""
    return own_id(fields) or path_in(fields)


def _as_text(value):
    """Write an id as text; 7.0 is 7 in a column of whole numbers that has gaps."""
    whole = isinstance(value, Real) and not is_number(value) and float(value).is_integer()
    return str(int(value) if whole else value)


def is_number(label):
    """Whether a label is only a position."""
    return isinstance(label, Integral)


def stem(name):
    """Return the name of a file without the suffix of its format."""
    return _SUFFIX.sub("", name)


def all_ids(names):
    """Return the id of each `Name`; no two are equal as text."""
    ladders = [_ladder(name, row) for row, name in enumerate(names)]
    ids = [next(ladder) for ladder in ladders]
    while clashes := _clashes(ids):
        for rows in clashes:
            one_file = len({names[row].path for row in rows}) == 1
            for row in rows:
                longer = None if one_file else next(ladders[row], None)
                if longer is None:
                    within = names[row].position
                    again = within is None or str(ids[row]).endswith(f":{within}")
                    longer = f"{ids[row]}:{row if again else within}"
                ids[row] = longer
    return ids


class IdFinder:
    """Match names, as a table gives them, to ids: by id, or by file name, stem or path."""

    def __init__(self, ids):
        self._ids = set(ids)

    @cached_property
    def _by_alias(self):
        found = defaultdict(set)
        for id_ in self._ids:
            for alias in aliases(id_):
                found[alias].add(id_)
        return found

    def __call__(self, name):
        """Return the id that a name stands for, or None if there is none or several."""
        if name in self._ids:
            return name
        found = set().union(*(self._by_alias.get(alias, ()) for alias in aliases(name)))
        return found.pop() if len(found) == 1 else None


def aliases(text):
    """Return the names that a file may be called by; for other text, the text alone.

    A POSCAR in a folder of its own may be called by the name of the folder.
    """
    text = str(text)
    if _SUFFIX.search(text) is None and _POSCAR.search(Path(text).name) is None:
        return {text}
    folder = Path(text).parent if _POSCAR_ALONE.fullmatch(Path(text).name) else Path()
    of_folder = {str(folder), folder.name} if folder.name else set()
    return {text, Path(text).name, stem(Path(text).name), stem(text), *of_folder}


def _clashes(ids):
    """Return the rows of each group of equal ids."""
    groups = defaultdict(list)
    for row, id_ in enumerate(ids):
        groups[str(id_)].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def _ladder(name, row):
    """Yield the possible ids of a row, the shortest first."""
    if is_missing(name.label):
        name = name._replace(label=None)
    within = name.own if name.own is not None else name.position
    if name.label is not None and not is_number(name.label):
        label = _as_text(name.label)
        yield escaped(label if name.position is None else f"{label}:{within}")
    elif name.path is None and name.own is None:
        yield row if name.label is None else name.label
    else:
        if name.own is not None:
            yield escaped(name.own)
        for form in _forms(name.path):
            yield form if within is None else f"{form}:{escaped(str(within))}"


def _forms(path):
    """Name a file by its stem, its name, and these with ever more of the folders above it."""
    parts = () if path is None else path.absolute().parts
    for start in range(len(parts) - 1, -1, -1):
        text = "/".join(parts[start:]).replace("//", "/")
        yield escaped(stem(text))
        yield escaped(text)
