"""JSON documents of many crystals: where their records are, and what they are called.

JSON is read as plain data. The layouts are a record, a list of records, an object of records by
id, a database of ASE, a saved answer of OPTIMADE, and a table of pandas (``orient`` of ``"split"``,
``"records"``, ``"index"``, ``"columns"`` or ``"table"``).
"""

import json
import warnings

from .bounds import check_count
from .dictionaries import ase_json_rows
from .ids import own_id
from .keys import FORMULA_KEYS, KEYS, MATERIAL_KEYS, PATH_KEYS

#: Keys of an object that is one record.
RECORD = {*FORMULA_KEYS, *MATERIAL_KEYS, "lattice", "lattice_vectors"}

#: Names by which the columns of a table are known from the ids of an object of records.
COLUMNS = {*FORMULA_KEYS, *MATERIAL_KEYS, *PATH_KEYS, *KEYS}


class _Object(dict):
    """An object that knows all its pairs, also those of a key that is there twice."""

    __slots__ = ("pairs",)

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs if len(self) < len(pairs) else None


def read_json(text, name="it"):
    """Return pairs of id, or None, and record, or error, of a text; warnings call it `name`."""
    content, is_clean = _parsed(text)
    if not isinstance(content, dict | list):
        raise ValueError("expected a list or an object of crystals.")
    rows = _rows(content, name)
    rows = [(own_id(record) or own_id({"id": label}), record) for label, record in rows]
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


def _rows(content, name):
    """Return pairs of label, or None, and record, or error."""
    if isinstance(content, list):
        if content and all(isinstance(row, list) for row in content):
            raise ValueError(
                "it is a table of pandas without names of columns (orient='values'). Write it with "
                "orient='split' or orient='records'."
            )
        return [(None, record) for record in content]
    if "ids" in content and "nextid" in content:
        return ase_json_rows(content)
    columns, data = content.get("columns"), content.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        return _rows_of_split(list(map(str, columns)), data, content.get("index"))
    if isinstance(data, list) and "schema" in content:
        return _rows_of_schema(data, content["schema"])
    if isinstance(data, list | dict) and {"meta", "links"} & set(content):
        entries = data if isinstance(data, list) else [data]
        _say_what_is_left(content, len(entries), name)
        return [(None, entry) for entry in entries]
    if "errors" in content and "meta" in content:
        raise ValueError("it is an answer of OPTIMADE that tells errors, and has no crystals.")
    if _is_by_column(content):
        return _rows_of_columns(content)
    if RECORD & set(content) or {"numbers", "positions"} <= set(content):
        return [(None, content)]
    lists = [value for value in content.values() if _are_objects(value)]
    if len(lists) == 1 and not any(isinstance(value, dict) for value in content.values()):
        return _rows(lists[0], name)  # as in {"structures": [...]}
    if content and not any(isinstance(value, dict | str) for value in content.values()):
        raise ValueError("it holds no crystals: none of its values is an object.")
    return getattr(content, "pairs", None) or content.items()  # id: record, or orient="index"


def _are_objects(value):
    return isinstance(value, list) and value and all(isinstance(item, dict) for item in value)


def _say_what_is_left(answer, n, name):
    """Warn that a saved answer of OPTIMADE is not the last one."""
    meta, links = (
        answer.get(k) if isinstance(answer.get(k), dict) else {} for k in ("meta", "links")
    )
    if meta.get("more_data_available") is True or links.get("next"):
        total = meta.get("data_returned")
        of = f" of {total:,}" if isinstance(total, int) and total > n else ""
        warnings.warn(
            f"{name} is one page of an answer of OPTIMADE, with {n:,}{of} crystals: there are more "
            "on the next pages. Save these too, or read the database with "
            "skcfgp.structures.read_optimade or --optimade.",
            stacklevel=2,
        )


def _rows_of_split(columns, data, index):
    """Make records of the rows of a table of pandas (orient="split"); the index is the id."""
    index = range(len(data)) if index is None else index
    if not isinstance(index, list | range) or len(index) != len(data):
        raise ValueError(f"its table has {len(data)} rows and an index of another length.")
    for label, row in zip(index, data, strict=True):
        fits = isinstance(row, list) and len(row) == len(columns)
        wrong = ValueError(f"its row has not {len(columns)} values.")
        yield label, dict(zip(columns, row, strict=True)) if fits else wrong


def _rows_of_schema(data, schema):
    """Name the rows of a table of pandas (orient="table") by its index."""
    keys = schema.get("primaryKey") if isinstance(schema, dict) else None
    key = keys[0] if isinstance(keys, list) and len(keys) == 1 else keys
    for record in data:
        is_named = isinstance(record, dict) and isinstance(key, str)
        yield record.get(key) if is_named else None, record


def _is_by_column(content):
    """Whether an object has columns of a table, each an object by index, instead of records."""
    columns = list(content.values())
    if not COLUMNS & set(content) or not all(isinstance(c, dict) and c for c in columns):
        return False
    same = all(set(column) == set(columns[0]) for column in columns)
    return same and not (RECORD | {"sites", "numbers", "coords"}) & set(columns[0])


def _rows_of_columns(content):
    """Make records of a table of pandas as it is written without another orient."""
    for label in next(iter(content.values())):
        yield label, {name: column[label] for name, column in content.items()}
