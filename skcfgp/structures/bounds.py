"""What is too large is refused before the work; the environment raises each limit."""

import bz2
import gzip
import lzma
import os
import zlib

#: How compressed files are opened, by suffix.
OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

#: What is refused before the work, by the name of the environment variable that changes it: sites
#: of a crystal, neighbours of all its sites together, cubic angstrom of the box around its cell,
#: crystals of a file that is read whole, and bytes of such a file, expanded if compressed.
LIMITS = {
    "SKCFGP_MAX_SITES": 10_000,
    "SKCFGP_MAX_NEIGHBOURS": 500_000,
    "SKCFGP_MAX_VOLUME": 10_000_000,
    "SKCFGP_MAX_CRYSTALS": 1_000_000,
    "SKCFGP_MAX_BYTES": 2**29,
}

#: Bytes that are expanded at a time.
BLOCK = 2**20


def limit(name):
    """Return a limit of `LIMITS`, as the environment or this package has it."""
    text = os.environ.get(name, "").strip()
    if not text:
        return LIMITS[name]
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19):
        raise ValueError(f"the environment variable {name} must be a whole number, got {text!r}.")
    return int(text)


def check_count(n, name, what):
    """Refuse more than the limit `name` of what is counted, such as "sites"."""
    largest = limit(name)
    if n > largest:
        raise ValueError(
            f"it has {n:,} {what}, more than {largest:,}; the environment variable {name} "
            "raises this limit."
        )


def check_regular(path):
    """Refuse a pipe or a device, which may have no end, and a file that is not there."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; pass it alone, not in a list.")
    if not path.is_file():
        raise ValueError(f"{path} is not a regular file; write what it gives to a file first.")


def bounded_lines(file):
    """Yield the lines of a binary file; ValueError at one with more than the limit of bytes."""
    while line := file.readline(limit("SKCFGP_MAX_BYTES") + 1):
        check_count(len(line), "SKCFGP_MAX_BYTES", "bytes in a line")
        yield line


def expanded_name(path):
    """Return the name of a file without the suffix of its compression."""
    return path.stem if path.suffix.lower() in OPENERS else path.name


def read_bounded(path):
    """Read the bytes of a file, expanded if its name says so, and not more than the limit."""
    check_regular(path)
    open_file, parts = OPENERS.get(path.suffix.lower(), open), []
    try:
        with open_file(path, "rb") as file:
            while part := file.read(BLOCK):
                parts.append(part)
                check_count(sum(map(len, parts)), "SKCFGP_MAX_BYTES", "bytes at least")
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if open_file is open or isinstance(error, PermissionError):
            raise
        raise ValueError("it is cut short or damaged.") from error
    return b"".join(parts)
