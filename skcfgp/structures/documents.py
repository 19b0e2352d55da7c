"""JSON documents of many crystals: where their records are, and what they are called.

JSON is read as plain data. The layouts are a record, a list of records, an object of records by
id, a database of ASE, a saved answer of OPTIMADE, and a table of pandas (``orient="split"``).
"""

import json

from .bounds import check_count
from .dictionaries import ase_json_rows
from .ids import own_id
from .keys import FORMULA_KEYS

__all__ = ["read_json", "read_json_lines"]

#: Keys of an object that is one record.
RECORD = {
    *FORMULA_KEYS,
    "lattice",
    "structure",
    "lattice_mat",
    "lattice_vectors",
    "atoms",
    "attributes",
    "cif",
}


class _Object(dict):
    """An object that knows all its pairs, also those of a key that is there twice."""

    __slots__ = ("pairs",)

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs if len(self) < len(pairs) else None


def read_json(text):
    """Return pairs of id, or None, and record, or error, of a text."""
    content, is_clean = _parsed(text)
    if not isinstance(content, dict | list):
        raise ValueError("expected a list or an object of crystals.")
    rows = list(_rows(content))
    return rows if is_clean else [(id_, _checked(record)) for id_, record in rows]


def read_json_lines(text):
    """Yield pairs of id, or None, and record, or error, of each line that is not empty."""
    lines = text.split("\n")  # other separators of lines may be in a string
    check_count(len(lines), "SKCFGP_MAX_CRYSTALS", "crystals")
    for line in lines:
        if line.strip():
            try:
                content, is_clean = _parsed(line)
                yield own_id(content), content if is_clean else _checked(content)
            except (ValueError, RecursionError) as error:
                yield None, error if isinstance(error, ValueError) else _deep()


def _parsed(text):
    """Parse a text, and tell whether no key is twice in one object."""
    twice = []

    def to_object(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.append(True)
            return _Object(pairs)
        return found

    try:
        return json.loads(text, object_pairs_hook=to_object), not twice
    except json.JSONDecodeError as error:
        raise ValueError(
            f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise _deep() from None


def _deep():
    return ValueError("it is not a file of crystals: its objects are nested too deeply.")


def _checked(record):
    """Return a record, or the error if a key is twice in one of its objects."""
    if (key := _repeated(record)) is None:
        return record
    return ValueError(f"the key {key!r} is twice in one object; remove one of the two.")


def _repeated(value):
    """Find a key that is twice in an object, or None."""
    open_values = [value]
    while open_values:
        value = open_values.pop()
        if isinstance(value, _Object):
            seen = set()
            return next(key for key, _ in value.pairs if key in seen or seen.add(key))
        if isinstance(value, dict | list):
            open_values += value.values() if isinstance(value, dict) else value
    return None


def _rows(content):
    if isinstance(content, list):
        return [(own_id(record), record) for record in content]
    if "ids" in content and "nextid" in content:
        return ase_json_rows(content)
    if isinstance(content.get("columns"), list) and isinstance(content.get("data"), list):
        return _rows_of_table(content)
    if isinstance(content.get("data"), list) and {"meta", "links"} & set(content):
        return [(own_id(entry), entry) for entry in content["data"]]
    if isinstance(content.get("data"), dict) and {"meta", "links"} & set(content):
        return [(own_id(content["data"]), content["data"])]  # an OPTIMADE answer of one entry
    if "errors" in content and "meta" in content:
        raise ValueError("it is an answer of OPTIMADE that tells errors, and has no crystals.")
    if RECORD & set(content) or {"numbers", "positions"} <= set(content):
        return [(own_id(content), content)]
    if content and not any(isinstance(value, dict | str) for value in content.values()):
        raise ValueError("it holds no crystals: none of its values is an object.")
    return getattr(content, "pairs", None) or list(content.items())  # id: record


def _rows_of_table(content):
    """Make records of the rows of a table of pandas; the index is the id."""
    columns, data = list(map(str, content["columns"])), content["data"]
    index = content.get("index")
    if not isinstance(index, list) or len(index) != len(data):
        raise ValueError(f"its table has {len(data)} rows and an index of another length.")
    for label, row in zip(index, data, strict=True):
        if isinstance(row, list) and len(row) == len(columns):
            record = dict(zip(columns, row, strict=True))
            yield own_id(record) or own_id({"id": label}), record
        else:
            yield own_id({"id": label}), ValueError(f"its row has not {len(columns)} values.")
