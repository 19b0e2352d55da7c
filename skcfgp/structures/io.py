"""Files that are written whole or not at all, and what is written into them."""

import os
import re
import shutil
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version

#: What a spreadsheet takes for a formula, after the apostrophes that `to_cell` may have put there.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_SPECIAL = re.compile(r'[",\r\n]')


def check_writable(path):
    """Raise OSError unless a file can be written at `path`, in folders that may be made for it.

    To be asked before the work whose result is to be written; it makes nothing.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file.")
    folder = path.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {folder} is not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written: the folder {folder} is read-only.")


def escaped(text):
    r"""Write half a surrogate pair, which no file or terminal takes, as ``\\udc80``."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


def installed_versions(packages):
    """Return the version of each package by name; None if it is not installed."""
    found = dict.fromkeys(packages)
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def short(value):
    """Return what a value looks like, in at most 60 characters that any file takes."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = "a very large integer"
    return escaped(text if len(text) <= 60 else f"{text[:57]}...")


@contextmanager
def atomic_write(path):
    """Yield a temporary path in the same folder; it replaces `path` unless there is an error."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}") from error


@contextmanager
def atomic_folder(path):
    """Yield a new folder beside `path`; it takes the place of `path` unless there is an error."""
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        part.mkdir(parents=True)
        try:
            yield part
            try:
                if path.exists():
                    os.replace(path, old)
                os.replace(part, path)
            except BaseException:
                if old.exists() and not path.exists():
                    os.replace(old, path)
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}") from error


def to_cell(value):
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    That is text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return and is not
    a number; also where apostrophes are before it, so that `from_cell` gives back the same.

    >>> to_cell("=1+1"), to_cell("-1.5"), to_cell("mp-149"), to_cell(2.0)
    ("'=1+1", '-1.5', 'mp-149', 2.0)
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _is_number(value):
        return value
    return f"'{value}"


def from_cell(text):
    """Return the text that `to_cell` was given.

    >>> from_cell("'=1+1"), from_cell("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_text(table):
    """Return a DataFrame as CSV without its index, with every text as `to_cell` writes it.

    A missing value is an empty cell. Numbers have all their digits.
    """
    columns = [column.astype(object).where(column.notna(), "") for _, column in table.items()]
    rows = [list(table.columns), *zip(*columns, strict=True)]
    # A row of one empty cell would be a blank line.
    lines = [",".join(map(_quoted, row)) or '""' for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _quoted(value):
    text = str(to_cell(value))
    return '"{}"'.format(text.replace('"', '""')) if _SPECIAL.search(text) else text


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and text == text.strip()
