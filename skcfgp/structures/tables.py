"""Tables of labelled crystals in CSV files, read row by row, each with its line."""

import csv
from typing import NamedTuple

__all__ = ["Refusal", "read_labelled", "read_table"]


class Refusal(NamedTuple):
    """A row that was not taken in: line (or None), id and reason."""

    line: int | None
    id: str
    reason: str

    def __str__(self):
        return f"{'' if self.line is None else f'line {self.line}: '}{self.id}: {self.reason}"


def read_table(path):
    """Read a CSV with a header; each row with the line on which it begins.

    Parameters
    ----------
    path : Path

    Returns
    -------
    rows : list of (int, dict of str to str)
    refused : list of Refusal
        Rows with too many or too few fields.
    """
    rows, refused = [], []
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            header = [name.strip() for name in next(reader, [])]
            if len(set(header)) < len(header):
                raise ValueError(f"{path}: two columns have one name: {header}.")
            end = reader.line_num
            for fields in reader:
                line, end = end + 1, reader.line_num
                fields = [text.strip() for text in fields]
                if not any(fields):
                    continue
                if len(fields) == len(header):
                    rows.append((line, dict(zip(header, fields, strict=True))))
                else:
                    reason = f"{len(fields)} fields where the header has {len(header)}"
                    refused.append(Refusal(line, fields[0], reason))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no CSV file in UTF-8: {error}") from error
    return rows, refused


def read_labelled(path, target=None):
    """Read a CSV of labelled crystals; None if there is no path.

    Parameters
    ----------
    path : Path or None
        With a column ``file`` of paths, absolute or relative to the CSV, and a column of values.
    target : str, default=None
        The column of values; needed if there are several beside ``file``, ``id``, ``material_id``
        and ``formula``.

    Returns
    -------
    structures : ndarray of shape (n_samples,), dtype object
    y : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        Naming the line of the first value or file that cannot be used.
    """
    import numpy as np

    from .checking import check_structures, object_array

    if path is None:
        return None
    rows, refused = read_table(path)
    for refusal in refused:
        raise ValueError(f"{path}, line {refusal.line}: {refusal.reason}.")
    columns = list(rows[0][1]) if rows else []
    if "file" not in columns:
        raise ValueError(f"{path}: expected a column 'file', got the columns {columns}.")
    values = [c for c in columns if c not in ("file", "id", "material_id", "formula")]
    if target is None and len(values) == 1:
        target = values[0]
    if target not in values:
        raise ValueError(f"{path}: name the column of values with --target; there are {values}.")
    structures, y = [], []
    for line, row in rows:
        try:
            y.append(float(row[target]))
            if not np.isfinite(y[-1]):
                raise ValueError(f"the value {row[target]!r} is not finite.")
            found = check_structures([path.parent / row["file"]]).structures
            if len(found) != 1:
                raise ValueError(f"{row['file']} holds {len(found)} crystals; one is needed.")
        except (ValueError, OSError) as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
        structures.append(found[0])
    if len(structures) < 2:
        raise ValueError(f"{path}: expected at least 2 labelled crystals, got {len(structures)}.")
    return object_array(structures), np.array(y)
