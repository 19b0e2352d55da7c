"""Files that hold crystals: which formats are known, and how each is read.

Nothing in a file is executed: JSON is read as plain data, not by a decoder that imports the classes
named in the file.
"""

import gzip
import json
import re

from .ase import read_ase_database
from .dictionaries import ase_json_rows

__all__ = ["is_structure_file", "read_structure_file", "read_structure_text", "structure_files"]

KNOWN = (
    "POSCAR*, CONTCAR*, .vasp, .poscar, .cif, .xyz, .extxyz, .json and .jsonl, each also .gz, and "
    ".db of ASE"
)


def is_structure_file(path):
    """Tell by its name whether a file may hold crystals."""
    return _format_of(path) is not None


def structure_files(folder):
    """List the structure files of a folder, as pairs of name and path, sorted."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and is_structure_file(p))
    if not files:
        raise ValueError(f"the folder {folder} holds no structure file; known are {KNOWN}.")
    return [(file.name, file) for file in files]


def read_structure_file(path, name):
    """Yield the id and the crystal, as its parser gives it, or the error, of each in a file.

    The id is the one in the file, else `name`, with a position after it if there are several. An
    error that concerns the whole file is raised, as ValueError or FileNotFoundError.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; pass it alone, not in a list.")
    kind = _format_of(path)
    if kind is None:
        raise ValueError(f"the format of {path.name} is not known; known are {KNOWN}.")
    empty = True
    try:
        for row in _rows(path, kind, name):
            empty = False
            yield row
    except Exception as error:  # the parsers raise anything: IndexError, CifError, ...
        raise ValueError(f"{path} could not be read as {kind}: {error}") from error
    if empty:
        raise ValueError(f"{path} holds no crystal.")


def read_structure_text(text):
    """Read the crystals in a text of CIF or JSON, each as its parser gives it, or the error."""
    if text.lstrip().startswith(("{", "[")):
        found = _read_json(text)
    elif "\n" in text.strip():
        found = _read_cif(text)
    else:
        raise ValueError(
            f"expected the text of a crystal (CIF or JSON) as structure, got {text[:60]!r}; the "
            "path of a file belongs into a column 'file'."
        )
    return [record for _, record in found]


def _rows(path, kind, name):
    if kind == "db":
        yield from read_ase_database(path)
        return
    found = list(_READERS[kind](_text(path)))
    for i, (id_, record) in enumerate(found):
        if len(found) == 1 and isinstance(record, Exception):
            raise record
        if id_ is None:
            id_ = name if len(found) == 1 else f"{name}:{i}"
        yield id_, record


def _format_of(path):
    if path.suffix.lower() == ".db":  # SQLite cannot read a compressed file
        return "db"
    name = path.name.lower().removesuffix(".gz")
    if name.startswith(("poscar", "contcar")) or name.endswith((".poscar", ".vasp")):
        return "poscar"
    for suffix, kind in {
        ".cif": "cif",
        ".xyz": "xyz",
        ".extxyz": "xyz",
        ".jsonl": "jsonl",
        ".json": "json",
    }.items():
        if name.endswith(suffix):
            return kind
    return None


def _text(path):
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        return file.read()


def _each(parts, read):
    """Read part by part, so that a broken part does not cost the others."""
    for part in parts:
        try:
            yield from read(part)
        except Exception as error:  # the parsers raise anything
            yield None, error


def _read_cif(text):
    from pymatgen.io.cif import CifParser

    def read(block):
        parser = CifParser.from_str(block)
        return [(None, s) for s in parser.parse_structures(primitive=False, on_error="raise")]

    blocks = re.split(r"(?m)^(?=[ \t]*data_)", text)
    of_crystals = [b for b in blocks if "_cell_length_a" in b or "_atom_site_" in b]
    return _each(of_crystals or [text], read)


def _read_poscar(text):
    from pymatgen.io.vasp import Poscar

    return [(None, Poscar.from_str(text).structure)]


def _read_xyz(text):
    from io import StringIO

    from ase.io import read

    frames = re.split(r"(?m)^(?=[ \t]*\d+[ \t]*\r?\n.*Lattice=)", text)
    return _each(
        [frame for frame in frames if frame.strip()],
        lambda frame: [(None, a) for a in read(StringIO(frame), index=":", format="extxyz")],
    )


def _record(record):
    id_ = record.get("material_id", record.get("id")) if isinstance(record, dict) else None
    return id_, record


def _read_json(text):
    content = json.loads(text)
    if isinstance(content, list):
        return [_record(record) for record in content]
    if not isinstance(content, dict):
        raise ValueError("expected a list or an object of crystals.")
    if "ids" in content and "nextid" in content:
        return list(ase_json_rows(content))
    if "lattice" in content or "structure" in content:
        return [_record(content)]
    return list(content.items())  # id: crystal


def _read_jsonl(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return _each(lines, lambda line: [_record(json.loads(line))])


_READERS = {
    "cif": _read_cif,
    "poscar": _read_poscar,
    "xyz": _read_xyz,
    "json": _read_json,
    "jsonl": _read_jsonl,
}
