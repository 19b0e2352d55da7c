"""Input files of calculations, and the table that says which file is which crystal.

An id may be longer than a file name can be, or equal to another one but for what a file name cannot
hold. So the names come from a table over all ids of the campaign, and each batch has a table
``batch-N.csv`` of its ids and files, where N is the number of the event. A formula without a
structure has no file, and stands in the table alone.
"""

import re
import warnings

from ..structures.io import atomic_write, csv_text

FORMATS = ("cif", "poscar")

#: Longer names are cut: file systems take 255 bytes, some tools less.
LONGEST = 80


def job_names(ids):
    """Name the job of each crystal, by id: the id if it can be a file name, else with a number.

    No two names are equal, also where upper and lower case are the same. Ids that are added at the
    end change no other name.
    """
    names, taken = {}, set()
    for position, id_ in enumerate(ids):
        wanted = re.sub(r"\.cif$", "", id_, flags=re.IGNORECASE)
        name = clean = re.sub(r"[^A-Za-z0-9._+-]", "_", wanted).lstrip(".")[:LONGEST]
        if clean != wanted or not clean:
            name = f"{clean}-{position}"
        while name.lower() in taken:
            name = f"{name}-{position}"
        taken.add(name.lower())
        names[id_] = name
    return names


class Batch:
    """The files of one suggestion, to be written once it is recorded.

    Parameters
    ----------
    folder : Path
    fmt : {"cif", "poscar"}
    number : int
        Number of the event.
    """

    def __init__(self, folder, fmt, number):
        if fmt not in FORMATS:
            raise ValueError(f"the format must be one of {FORMATS}, got {fmt!r}.")
        self.folder, self.fmt, self.number = folder, fmt, number
        self.rows, self.texts = [], {}

    def add(self, name, pick, structure):
        """Add the job of a crystal; return the path of its file, None for a formula."""
        from pymatgen.core import Composition

        row = {"id": pick["id"], "formula": pick["formula"]}
        self.rows.append(row)
        if isinstance(structure, Composition):
            return None
        row["file"] = f"{name}.cif" if self.fmt == "cif" else f"{name}/POSCAR"
        path = self.folder / row["file"]
        self.texts[path] = job_text(structure, pick["id"], self.fmt)
        return path

    def write(self):
        """Write the files and their table; a file with another content is not replaced.

        Returns the path of the table, None if there is nothing to write.
        """
        import pandas as pd

        if not self.rows:
            return None
        for path, text in self.texts.items():
            write_job(path, text)
        names = ["id", "file", "formula"] if self.texts else ["id", "formula"]
        text, n = csv_text(pd.DataFrame(self.rows, columns=names)), 1
        path = self.folder / f"batch-{self.number}.csv"
        while path.exists() and not _holds(path, text):  # of another campaign, or filled in
            n += 1
            path = self.folder / f"batch-{self.number}-{n}.csv"
        write_job(path, text)
        return path


def job_text(structure, id_, fmt):
    """Write a pymatgen structure as a CIF or, with its id on the first line, as a POSCAR."""
    with warnings.catch_warnings():
        # It is about the order of elements.
        warnings.filterwarnings("ignore", "No Pauling electronegativity")
        if fmt == "poscar":
            from pymatgen.io.vasp import Poscar

            comment = " ".join(id_.split())  # older versions took an id of two lines
            return Poscar(structure.get_sorted_structure(), comment=comment).get_str()
        from pymatgen.io.cif import CifWriter

        return str(CifWriter(structure))


def write_job(path, text):
    """Write a file whole or not at all; a file with another content is not replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if _holds(path, text):
            return
        raise FileExistsError(f"{path} is there already, with another content; name a new folder.")
    with atomic_write(path) as part:
        part.write_bytes(text.encode())


def _holds(path, text):
    return path.is_file() and path.read_bytes() == text.encode()
