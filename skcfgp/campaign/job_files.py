"""Writing a crystal as the input of a calculation."""

import hashlib
import re
import warnings
from pathlib import Path

from ..structures.io import atomic_write

__all__ = ["FORMATS", "job_path", "write_job"]

FORMATS = ("cif", "poscar")


def job_path(folder, id_, fmt):
    """Name the file of a crystal: ``ID.cif``, or ``POSCAR`` in a folder of its own.

    Parameters
    ----------
    folder : str or Path
    id_ : str
    fmt : {"cif", "poscar"}

    Returns
    -------
    Path
    """
    if fmt not in FORMATS:
        raise ValueError(f"the format must be one of {FORMATS}, got {fmt!r}.")
    name = re.sub(r"[^A-Za-z0-9._+-]", "_", id_).lstrip(".")
    if name != id_ or not name:  # not to be taken for another crystal's
        name = f"{name}-{hashlib.blake2b(id_.encode(), digest_size=4).hexdigest()}"
    if fmt == "poscar":
        return Path(folder) / name / "POSCAR"
    return Path(folder) / (name if name.lower().endswith(".cif") else f"{name}.cif")


def write_job(structure, path, comment):
    """Write a structure; the file is there altogether or not at all, and no other is lost.

    Parameters
    ----------
    structure : pymatgen.core.Structure
    path : Path
    comment : str
        First line of a POSCAR.

    Raises
    ------
    FileExistsError
        If there is another file in its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # It is of the order of elements.
        warnings.filterwarnings("ignore", "No Pauling electronegativity")
        if path.name == "POSCAR":
            from pymatgen.io.vasp import Poscar

            text = Poscar(structure.get_sorted_structure(), comment=comment).get_str()
        else:
            from pymatgen.io.cif import CifWriter

            text = str(CifWriter(structure))
    if path.exists():
        if path.is_file() and path.read_bytes() == text.encode():
            return
        raise FileExistsError(f"{path} is there already, with another content; name a new folder.")
    with atomic_write(path) as part:
        part.write_bytes(text.encode())
