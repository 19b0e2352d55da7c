"""Text of separated values, taken apart record by record, each with the line it begins on.

Python's ``csv`` refuses a field of 131,073 characters, which a large crystal has, unless its limit
is changed for the whole process, and knows nothing of lines, encodings and what separates.
"""

import re

from .io import from_cell

#: What may separate the fields of a line, by name; a comma where the header does not tell.
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}

_LINE_END = re.compile(r"\r\n|\n|\r")
_FIELDS = {
    mark: re.compile(rf'"([^"]*(?:""[^"]*)*)"|([^"{mark}\r\n][^{mark}\r\n]*|)')
    for mark in SEPARATORS
}


def read_delimited(data, names=()):
    r"""Take bytes apart into records: pairs of line and fields, without outer blanks.

    A byte-order mark and any line end are understood. The separator is that by which the first line
    has the most of `names`, else a comma if it has one. Bytes that are not UTF-8 stay in their
    fields as ``\udcXX``. ValueError, with the line, if the bytes are not such text.
    """
    text = _decoded(data)
    return list(_records(text, _separator(text, set(names))))


def _decoded(data):
    for mark, encoding in {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.items():
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise ValueError("it begins as UTF-16 and is not; save it as UTF-8") from error
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise ValueError(f"line {line}: a zero byte, so it is not text; save it as UTF-8 CSV")
    return data.decode("utf-8-sig", errors="surrogateescape")


def _separator(text, names):
    """Choose the separator by the first line that is not empty."""
    begin = text.lstrip("\r\n")
    found = {}
    for separator in SEPARATORS:
        try:
            _, fields = next(_records(begin, separator))
        except (ValueError, StopIteration):  # quotes that fit another separator
            continue
        found[separator] = (len(names & set(fields)), len(fields) > 1)
    return max(found, key=found.get, default=",")


def _records(text, separator):
    fields, line, start, position, pattern = [], 1, 1, 0, _FIELDS[separator]
    while position <= len(text):
        match = pattern.match(text, position)
        quoted, plain = match.groups()
        end = _LINE_END.match(text, match.end())
        position = end.end() if end else match.end() + 1
        after = text[match.end() : position]
        if not end and after not in (separator, ""):
            raise ValueError(f"line {line}: a field that begins with a quote does not end with one")
        field = plain if quoted is None else quoted.replace('""', '"')
        fields.append(from_cell(field.strip()))
        line += len(_LINE_END.findall(match[0])) + bool(end)
        if after != separator:
            yield start, fields
            fields, start = [], line
