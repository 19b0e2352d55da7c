"""Files that hold crystals: which formats are known, and how each is read.

Nothing in a file is executed: JSON is read as plain data, not by a decoder that imports the classes
named in the file.
"""

import os
import re
import warnings
from pathlib import Path

from .ase import read_ase_database
from .bounds import OPENERS, check_count, check_regular, expanded_name, read_bounded
from .cif import read_cif
from .documents import read_json, read_json_lines
from .ids import path_in
from .io import escaped
from .keys import PATH_KEYS
from .vasp import read_poscar
from .xyz import read_xyz

KNOWN = (
    "POSCAR*, CONTCAR*, *_POSCAR, .vasp, .poscar, .cif, .mcif, .xyz, .extxyz, .json and .jsonl, "
    "each also .gz, .bz2 and .xz, and .db of ASE"
)

#: Files with such names that hold no crystals: numbers of the elements in the folder of a CGCNN.
OTHERS = {"atom_init.json"}

#: Files that a warning names.
SHOWN = 5

_SUFFIXES = {
    **dict.fromkeys((".cif", ".mcif"), "cif"),
    **dict.fromkeys((".vasp", ".poscar"), "poscar"),
    **dict.fromkeys((".xyz", ".extxyz"), "xyz"),
    **{".jsonl": "jsonl", ".json": "json"},
}
_POSCAR = re.compile(r"(poscar|contcar).*|.*[._-](poscar|contcar)", re.IGNORECASE)


def is_structure_file(path):
    """Tell by its name whether a file may hold crystals."""
    return _format_of(path) is not None and path.name.lower() not in OTHERS


def file_beside(record, folder=Path()):
    """Return what replaces the path in a record by one that is opened: that of a file there."""
    path = Path(folder, path_in(record)).expanduser() if path_in(record) else None
    is_there = path is not None and is_structure_file(path) and path.is_file()
    return {PATH_KEYS[0]: path} if is_there else {}


def is_poscar(path):
    """Whether a name, as POSCAR in a folder for each crystal, does not tell the crystal."""
    return expanded_name(path).lower() in ("poscar", "contcar")


def structure_files(folder, is_known=is_structure_file):
    """List the structure files in a folder and the folders in it, sorted; warn of other files."""
    files, others = [], []
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for path in (Path(parent, name) for name in [*names, *links]):
            found = path.is_file() and is_known(path) and not path.name.startswith(".")
            (files if found else others).append(path)
    if not files:
        raise ValueError(f"the folder {folder} holds no structure file; known are {KNOWN}.")
    if others:
        shown = [escaped(str(path.relative_to(folder))) for path in sorted(others)[:SHOWN]]
        more = ", ..." if len(others) > SHOWN else ""
        warnings.warn(
            f"{folder}: {len(others)} of {len(files) + len(others)} files were passed over, since "
            f"by their names they are not structure files: {', '.join(shown)}{more}. Known are "
            f"{KNOWN}.",
            stacklevel=2,
        )
    return sorted(files)


def read_structure_file(path):
    """Yield the id in the file, or None, and the crystal, its record, or the error, of each.

    An error that concerns the whole file is raised, as ValueError or FileNotFoundError.
    """
    check_regular(path)
    kind = _format_of(path)
    if kind is None:
        raise ValueError(
            f"the format of {path.name} is not known; known are {KNOWN}. Of a table (.csv, "
            ".parquet) give the DataFrame."
        )
    rows = 0
    try:
        for row in read_ase_database(path) if kind == "db" else _READERS[kind](_text(path), path):
            check_count(rows := rows + 1, "SKCFGP_MAX_CRYSTALS", "crystals")
            yield row
    except ValueError as error:
        raise ValueError(f"{path} could not be read as {kind}: {error}") from error
    except OSError as error:
        raise ValueError(f"{path} could not be read: {error.strerror or error}.") from error
    if not rows:
        raise ValueError(f"{path} holds no crystal.")


def read_structure_text(text):
    """Read the crystals in a text of JSON, CIF, POSCAR or extended XYZ, as they are in a file."""
    if text.lstrip().startswith(("{", "[")):
        kind = "json"
    elif re.search(r"^[^\S\n]*(data_|loop_|_cell_)", text, re.MULTILINE | re.IGNORECASE):
        kind = "cif"
    elif re.match(r"\s*\d+[ \t]*\n.*Lattice", text):
        kind = "xyz"
    elif "\n" in text.strip():
        kind = "poscar"
    else:
        raise ValueError(
            f"expected the text of a crystal (CIF or JSON) as structure, got {text[:60]!r}; the "
            "path of a file belongs into a column 'file'."
        )
    return [record for _, record in _READERS[kind](text.replace("\r\n", "\n"), None)]


def _format_of(path):
    suffix = path.suffix.lower()
    if suffix == ".db":  # SQLite cannot read a compressed file
        return "db"
    name = expanded_name(path)
    if kind := _SUFFIXES.get(Path(name).suffix.lower()):
        return kind
    return "poscar" if _POSCAR.fullmatch(name) else None


def _text(path):
    """Read a file, compressed or not; bytes that are not UTF-8 are replaced."""
    content = read_bounded(path)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", "replace")
    else:
        text = content.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _potcar(path):
    """Return the elements of the POTCAR beside a POSCAR of VASP, which has one for each count."""
    if path is None or not is_poscar(path):
        return None
    for suffix in ("", *OPENERS):
        potcar = path.with_name(f"POTCAR{suffix}")
        if potcar.is_file():
            titles = re.findall(r"^ *TITEL *= *\S+ +(\S+)", _text(potcar), re.MULTILINE)
            return [title.split("_")[0] for title in titles] or None
    return None


_READERS = {
    "cif": lambda text, path: ((None, crystal) for crystal in read_cif(text)),
    "poscar": lambda text, path: [(None, read_poscar(text, _potcar(path)))],
    "xyz": lambda text, path: read_xyz(text),
    "json": lambda text, path: read_json(text, getattr(path, "name", "its text")),
    "jsonl": lambda text, path: read_json_lines(text),
}
