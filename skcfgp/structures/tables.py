"""Tables, whatever they are stored in, read row by row: each is taken in, or refused by its line.

A table is a file (CSV, Parquet, JSON, JSON lines), a folder of CGCNN or ALIGNN, a table of pandas,
polars or pyarrow, or a list of dictionaries. What it says of crystals is found by
`skcfgp.structures.crystal_tables`, what it says of labels by `skcfgp.structures.labels`.
"""

import itertools
import os
import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .bounds import check_regular, expanded_name, read_bounded
from .delimited import read_delimited
from .ids import own_id, path_in, stem
from .io import escaped
from .keys import KEYS, NOT_NUMBERS, is_missing
from .numbers import is_numeric

#: Names by which the header of a CSV is known, and its separator.
KNOWN_COLUMNS = {"value", *NOT_NUMBERS}

#: Finds halves of surrogate pairs, which stand for bytes that are not UTF-8.
_is_damaged = re.compile("[\ud800-\udfff]").search

#: The table of a folder of CGCNN or ALIGNN, which has no header.
HEADERLESS = "id_prop.csv"

#: Column in which pandas keeps an index without a name.
INDEX = "__index_level_0__"

CSV = (".csv", ".csv.txt", ".tsv")
PARQUET = (".parquet", ".pq")
JSON = (".json", ".jsonl", ".ndjson")


class Refusal(NamedTuple):
    """A row that was not taken in.

    Attributes
    ----------
    line : int or None
    id : str
    reason : str
    """

    line: int | None
    id: str
    reason: str

    def __str__(self):
        return f"{'' if self.line is None else f'line {self.line}: '}{self.id}: {self.reason}"


def is_table_file(path):
    """Tell whether a path is that of a table and of nothing else: CSV, Parquet, a CGCNN folder."""
    name = expanded_name(path).lower()
    return name.endswith((*CSV, *PARQUET)) or (path / HEADERLESS).is_file()


def read_table(source):
    """Read a table: pairs of line and fields by column, and a list of refusals.

    The line is that of a text, else None. An index of pandas is the field ``id`` of a table that
    has none. A ValueError says why the table as a whole cannot be used.
    """
    if isinstance(source, list | tuple):
        return _rows_of_records([(None, None, record) for record in source], None)
    if not isinstance(source, str | os.PathLike):
        return _rows_of_frame(source)
    path = Path(source).expanduser()
    if path.is_dir():
        if not (path / HEADERLESS).is_file():
            raise ValueError(f"{path} is a folder without {HEADERLESS}; expected a table.")
        path = path / HEADERLESS
    check_regular(path)
    name = expanded_name(path).lower()
    if name.endswith(PARQUET):
        return _rows_of_parquet(path)
    if name.endswith(JSON):
        return _rows_of_json(path)
    return _rows_of_csv(path)


def _rows_of_csv(path):
    try:
        records = read_delimited(read_bounded(path), KNOWN_COLUMNS)
    except ValueError as error:
        raise ValueError(f"{path} is not a table in CSV: {str(error).rstrip('.')}.") from error
    records = [(line, fields) for line, fields in records if any(fields)]
    if not records:
        return [], []
    header = _header(path, records)
    if header is records[0][1]:
        del records[0]
    rows, refused = [], []
    for line, fields in records:
        id_ = fields[0] or "-"
        while len(fields) > len(header) and not fields[-1]:  # a separator at the end of the line
            fields.pop()
        if len(fields) != len(header):
            reason = f"{len(fields)} fields where the header has {len(header)}"
            refused.append(Refusal(line, escaped(id_), reason))
        elif _is_damaged("".join(fields)):
            reason = "the line is not UTF-8; save the table as UTF-8"
            refused.append(Refusal(line, escaped(id_), reason))
        else:
            rows.append((line, dict(zip(header, fields, strict=True))))
    return rows, refused


def _header(path, records):
    """Return the names of the columns: the first record, or those of CGCNN."""
    _, header = records[0]
    if path.name.lower() == HEADERLESS and not KNOWN_COLUMNS & set(header):
        values = [f"value_{k}" for k in range(2, len(header))]
        return ["id", "value", *values][: len(header)]
    if any(map(is_numeric, header)) and not KNOWN_COLUMNS & set(header):
        raise ValueError(
            f"{path}: expected the names of the columns on the first line, such as 'id,value', got "
            f"{header[:5]}."
        )
    while header and not header[-1]:
        header.pop()
    _check_names(path, header)
    if _is_damaged("".join(header)):
        raise ValueError(f"{path}: the first line is not UTF-8; save the table as UTF-8.")
    return header


def _check_names(name, names):
    if len(set(names)) < len(names):
        where = "the table" if name is None else name
        raise ValueError(f"{where}: two columns have one name: {names}.")


def _rows_of_parquet(path):
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table as read_parquet

    try:
        with path.open("rb") as file:
            frame = read_parquet(file)
    except (ArrowException, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} is not a Parquet file, or is damaged: {error}.") from error
    return _rows_of_frame(frame, stem(path.name))


def _rows_of_json(path):
    from .documents import read_json, read_json_lines

    text = read_bounded(path).decode("utf-8-sig", "replace")
    if expanded_name(path).lower().endswith(".json"):
        try:
            records = [(None, *row) for row in read_json(text, path.name)]
        except ValueError as error:
            raise ValueError(f"{path} is not a table: {error}") from error
    else:
        text = text.replace("\r\n", "\n")
        lines = [number for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        records = [(n, *row) for n, row in zip(lines, read_json_lines(text), strict=True)]
    return _rows_of_records(records, path.stem)


def records_of_frame(frame, name=None):
    """Return pairs of label and record, and the columns, of a table of pandas, polars or pyarrow.

    The label of a row is the index of pandas, else its position.
    """
    if hasattr(frame, "to_pylist"):  # pyarrow
        columns, records = list(frame.column_names), frame.to_pylist
    elif hasattr(frame, "to_dicts"):  # polars
        columns, records = list(frame.columns), frame.to_dicts
    elif hasattr(frame, "to_dict") and hasattr(frame, "columns"):  # pandas
        columns = list(map(str, frame.columns))
        frame = frame.set_axis(columns, axis=1)
        records = partial(frame.to_dict, "records")
    else:
        raise TypeError(
            "expected a table of pandas, polars or pyarrow, a list of dictionaries or a path, got "
            f"{type(frame).__name__}."
        )
    _check_names(name, columns)
    labels = frame.index if hasattr(frame, "iloc") else itertools.count()
    return list(zip(labels, records(), strict=False)), columns


def as_pandas(table):
    """Turn a table of polars or pyarrow into one of pandas; anything else is returned as it is."""
    if not hasattr(table, "to_dicts") and not hasattr(table, "column_names"):
        return table
    import pandas as pd

    rows, columns = records_of_frame(table)
    return pd.DataFrame([row for _, row in rows], columns=columns)


def _rows_of_frame(frame, name=None):
    rows, _ = records_of_frame(frame, name)
    is_indexed = hasattr(frame, "iloc")
    return _rows_of_records([(None, k if is_indexed else None, r) for k, r in rows], name)


def _rows_of_records(records, name):
    """Give all records the same columns, in the order in which they first come, and an id."""
    columns, rows, refused = {}, [], []
    for number, (line, label, record) in enumerate(records):
        is_named = not is_missing(label)
        if not is_named:
            label = number if name is None else f"{name}:{number}"
        if not isinstance(record, dict | Exception):
            record = f"expected an object with fields by name, got {record!r:.60}"
        if not isinstance(record, dict):
            refused.append(Refusal(line, str(label), str(record)))
            continue
        record = {"id" if k == INDEX else str(k): value for k, value in record.items()}
        if own_id(record) is None and (is_named or not path_in(record)):
            record = {"id": label} | {k: v for k, v in record.items() if k not in KEYS}
        columns |= dict.fromkeys(record)
        rows.append((line, record))
    return [(line, dict.fromkeys(columns) | record) for line, record in rows], refused
