"""`Data`: the crystals of a run, their labels, and which of them are for what."""

import csv
import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from ..features.composition import N_ELEMENTS
from ..network.graphs import structure_graph
from ..structures import check_structures, object_array, structure_digest
from .settings import PAPER

__all__ = ["Data", "bundled_data", "read_data"]

NOT_VALUES = ("file", "structure", "id", "material_id", "formula", "split", "unit")
CUTOFF = 4.0  # angstrom, of every network that is trained


@dataclass
class Data:
    """Crystals, labels and split.

    Attributes
    ----------
    structures : ndarray of shape (n_samples,), dtype object
    y : ndarray of shape (n_samples,)
    ids, formulas : ndarray of str, of shape (n_samples,)
    train, pool, test : ndarray of int
        Rows.
    name, target_name, unit : str
    network : str or None
        That is known to have seen labels of `train` alone; None if it is to be trained.
    unseen : ndarray of int
        Rows of `train` that `network` was not trained on.
    published : str or None
        A published network to compare with.
    left_out : list of (str, str)
        Crystals that cannot be used, and why.
    """

    structures: np.ndarray
    y: np.ndarray
    ids: np.ndarray
    formulas: np.ndarray
    train: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    name: str
    target_name: str
    unit: str
    network: str | None = None
    unseen: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))
    published: str | None = None
    left_out: list = field(default_factory=list)

    def digest(self):
        """Name the data by content.

        Returns
        -------
        str
        """
        digest = hashlib.blake2b(digest_size=16)
        for structure in self.structures:
            digest.update(structure_digest(structure).encode())
        for array in (self.y, self.train, self.pool, self.test, self.unseen):
            digest.update(np.ascontiguousarray(array).tobytes() + b"|")
        digest.update(f"{self.target_name} {self.unit} {self.network} {self.published}".encode())
        return digest.hexdigest()

    def sample(self, n_initial, n_pool, n_test, random_state):
        """Take only some crystals of each part.

        Parameters
        ----------
        n_initial, n_pool, n_test : int or None
        random_state : int

        Returns
        -------
        Data
        """
        rng = np.random.RandomState(random_state)
        parts = {}
        for name, size in (("train", n_initial), ("pool", n_pool), ("test", n_test)):
            rows = getattr(self, name)
            parts[name] = rows if size is None else np.sort(rng.permutation(rows)[:size])
        keep = np.concatenate(list(parts.values()))
        new = np.full(len(self.y), -1)
        new[keep] = np.arange(len(keep))
        columns = ("structures", "y", "ids", "formulas")
        return replace(
            self,
            **{name: getattr(self, name)[keep] for name in columns},
            **{name: new[rows] for name, rows in parts.items()},
            unseen=new[self.unseen[new[self.unseen] >= 0]],
        )


def bundled_data():
    """Load the bundled formation energies, with the network that has seen their first part alone.

    Returns
    -------
    Data
    """
    from ..datasets import load_formation_energy
    from ..network import load_network

    network = "formation_energy_1800"
    loaded = load_formation_energy(split="paper", structures="arrays")
    validation = load_network(network).card["validation_material_id"]
    return Data(
        structures=loaded.structures,
        y=loaded.target,
        ids=loaded.material_id,
        formulas=loaded.formula,
        **{part: np.flatnonzero(loaded.split == part) for part in ("train", "pool", "test")},
        name="bundled formation energies (FLLA, Materials Project DFT)",
        target_name="formation energy",
        unit=loaded.unit,
        network=network,
        unseen=np.flatnonzero(np.isin(loaded.material_id, validation)),
        published="Eform_MP_2019",
    )


def read_data(path, target=None, *, published=None, random_state=0):
    """Read a CSV of crystals and labels.

    Parameters
    ----------
    path : Path
        With a column ``file`` (paths, absolute or relative to the CSV) or ``structure`` (the JSON
        of pymatgen's ``Structure.as_dict()``, or CIF text), and a column of values. Optional:
        ``material_id`` or ``id``; ``split`` ("train", "pool" or "test"). Without a split it is
        drawn at random in the paper's proportions, 1,800 : 7,195 : 1,460.
    target : str, default=None
        The column of values; needed if there are several.
    published : str, default=None
        A network of the same property to compare with; see `skcfgp.network.load_network`.
    random_state : int, default=0
        Of the split.

    Returns
    -------
    Data
        Crystals that cannot be used, or with no bond within 4 angstrom, are in ``left_out``.

    Raises
    ------
    ValueError
        If a column is missing, a value is not a finite number, or too few crystals are left.
    """
    path = Path(path)
    csv.field_size_limit(2**31 - 1)  # a crystal may be a long field
    with path.open(newline="", encoding="utf-8-sig") as file:  # as spreadsheets write it
        reader = csv.DictReader(file)
        columns, records = reader.fieldnames or [], list(reader)
    source = next((name for name in ("structure", "file") if name in columns), None)
    if source is None:
        raise ValueError(
            f"{path}: expected a column 'file' or 'structure', got the columns {columns}. A "
            "pickled table is not read, since a pickle can run code: write it as CSV, with the "
            "column 'structure' as json.dumps(structure.as_dict())."
        )
    values = [name for name in columns if name not in NOT_VALUES]
    if target is None and len(values) == 1:
        target = values[0]
    if target not in values:
        raise ValueError(f"{path}: name the column of values; there are {values}.")
    y = np.array([_number(path, line, row[target]) for line, row in enumerate(records, start=2)])
    structures, left_out, keep = [], [], []
    ids = [row.get("material_id") or row.get("id") or f"row {i}" for i, row in enumerate(records)]
    for row, record in enumerate(records):
        try:
            structures.append(_crystal(path, record[source], source))
            keep.append(row)
        except Exception as error:  # the parsers of a crystal raise anything
            left_out.append((ids[row], str(error)))
    given = np.array([records[row].get("split") or "" for row in keep])
    from ..datasets._loaders import UNITS

    return Data(
        structures=object_array(structures),
        y=y[keep],
        ids=np.array(ids)[keep],
        formulas=np.array([crystal.composition.reduced_formula for crystal in structures]),
        **_split(path, given if "split" in columns else None, len(keep), random_state),
        name=path.name,
        target_name=target.replace("_", " "),
        unit=UNITS.get(target, records[0].get("unit") or ""),
        published=published,
        left_out=left_out,
    )


def _number(path, line, text):
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(f"{path}, line {line}: {text!r} is not a finite number.")
    return value


def _crystal(path, text, source):
    """Read one crystal, and refuse one that a new network could not take."""
    if source == "file":
        item = path.parent / text
    elif text.lstrip().startswith("{"):
        item = json.loads(text)
    else:
        item = Structure.from_str(text, fmt="cif")
    found = check_structures([item]).structures
    if len(found) != 1:
        raise ValueError(f"{text} holds {len(found)} crystals; one is needed.")
    if max(found[0].atomic_numbers) > N_ELEMENTS:
        raise ValueError("it has an element past plutonium.")
    structure_graph(found[0], CUTOFF)
    return found[0]


def _split(path, given, n, random_state):
    """Rows by part: those that the file names, or random ones in the paper's proportions."""
    parts = ("train", "pool", "test")
    if given is not None:
        if unknown := sorted(set(given.tolist()) - set(parts)):
            raise ValueError(f"{path}: split must be one of {parts}, got {unknown[0]!r}.")
        rows = {part: np.flatnonzero(given == part) for part in parts}
    else:
        total = sum(PAPER[f"n_{part}"] for part in parts)
        order = np.random.RandomState(random_state).permutation(n)
        first = round(n * PAPER["n_train"] / total)
        last = first + round(n * PAPER["n_pool"] / total)
        rows = dict(zip(parts, map(np.sort, np.split(order, [first, last])), strict=True))
    for part, least in (("train", 20), ("pool", 20), ("test", 10)):
        if len(rows[part]) < least:
            raise ValueError(
                f"{path}: the part {part!r} has {len(rows[part])} of {n} usable crystals; at least "
                f"{least} are needed."
            )
    return rows
