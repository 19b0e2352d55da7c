"""`Data`: the crystals of a run, their labels, and which of them are for what."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from pymatgen.core import Structure
from sklearn.utils import check_random_state

from ..datasets import UNITS, load_formation_energy
from ..features.composition import N_ELEMENTS
from ..network import load_network
from ..network.graphs import structure_graph
from ..structures import check_structures, object_array, structure_digest
from .settings import PAPER

__all__ = ["PARTS", "Data", "bundled_data", "read_data"]

PARTS = ("train", "pool", "test")
LEAST = {"train": 20, "pool": 20, "test": 10}
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
        Rows of each part.
    name, target_name, unit : str
    network : str or None
        Network that has seen labels of `train` alone; if None, one is trained.
    unseen : ndarray of int
        Rows of `train` that `network` was not trained on.
    published : str or None
        Published network to compare with.
    left_out : list of (str, str)
        Ids of crystals that cannot be used, and why.
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

    def sample(self, n_initial, n_pool, n_test, random_state=None):
        """Draw some crystals of each part.

        Parameters
        ----------
        n_initial, n_pool, n_test : int or None
            Sizes of the parts; None keeps all crystals of a part.
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        Data
        """
        rng, parts = check_random_state(random_state), {}
        for name, size in zip(PARTS, (n_initial, n_pool, n_test), strict=True):
            rows = getattr(self, name)
            parts[name] = rows if size is None else np.sort(rng.permutation(rows)[:size])
        keep = np.concatenate(list(parts.values()))
        new = np.full(len(self.y), -1)
        new[keep] = np.arange(len(keep))
        changes = {name: getattr(self, name)[keep] for name in ("structures", "y", "ids")}
        changes |= {name: new[rows] for name, rows in parts.items()}
        unseen = new[self.unseen]
        return replace(self, **changes, formulas=self.formulas[keep], unseen=unseen[unseen >= 0])


def bundled_data():
    """Load the bundled formation energies, with the network that has seen their first part alone.

    Returns
    -------
    Data
    """
    network = "formation_energy_1800"
    loaded = load_formation_energy(split="paper", structures="arrays")
    validation = load_network(network).card["validation_material_id"]
    return Data(
        structures=loaded.structures,
        y=loaded.target,
        ids=loaded.material_id,
        formulas=loaded.formula,
        **{part: np.flatnonzero(loaded.split == part) for part in PARTS},
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
        CSV with a column ``file`` (paths, absolute or relative to the CSV) or ``structure`` (the
        JSON of pymatgen's ``Structure.as_dict()``, or CIF text), and a column of values. Optional:
        ``material_id`` or ``id``; ``unit``; ``split`` ("train", "pool" or "test"). Without a split
        it is drawn at random in the paper's proportions, 1,800 : 7,195 : 1,460.
    target : str, default=None
        Column of values; needed if there are several.
    published : str, default=None
        Network of the same property to compare with; see `skcfgp.network.load_network`.
    random_state : int, RandomState instance or None, default=0
        Controls the split that is drawn.

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
    table = _read_csv(path)
    source = next((name for name in ("structure", "file") if name in table), None)
    if source is None:
        raise ValueError(
            f"{path}: expected a column 'file' or 'structure', got the columns {list(table)}. A "
            "pickled table is not read, since a pickle can run code: write it as CSV, with the "
            "column 'structure' as json.dumps(structure.as_dict())."
        )
    values = [name for name in table if name not in NOT_VALUES]
    if target is None and len(values) == 1:
        target = values[0]
    if target not in values:
        raise ValueError(f"{path}: name the column of values; there are {values}.")
    y = pd.to_numeric(table[target], errors="coerce").to_numpy(dtype=float)
    for row in np.flatnonzero(~np.isfinite(y)):
        text = table[target].iloc[row]
        raise ValueError(f"{path}, row {row + 1}: {text!r} is not a finite number.")
    named = next((name for name in ("material_id", "id") if name in table), None)
    ids = [(named and table[named].iloc[row]) or f"row {row}" for row in range(len(table))]
    crystals, left_out = {}, []
    for row, text in enumerate(table[source]):
        try:
            crystals[row] = _crystal(path, text, source)
        except (ValueError, OSError) as error:
            left_out.append((ids[row], str(error)))
    keep = list(crystals)
    given = table["split"].to_numpy(dtype=str)[keep] if "split" in table else None
    unit = table["unit"].iloc[0] if "unit" in table and len(table) else ""
    return Data(
        structures=object_array(list(crystals.values())),
        y=y[keep],
        ids=np.array(ids)[keep],
        formulas=np.array([c.composition.reduced_formula for c in crystals.values()]),
        **_split(path, given, len(keep), check_random_state(random_state)),
        name=path.name,
        target_name=target.replace("_", " "),
        unit=UNITS.get(target, unit),
        published=published,
        left_out=left_out,
    )


def _read_csv(path):
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig").fillna("")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a CSV file in UTF-8: {error}") from error


def _crystal(path, text, source):
    """Read one crystal; a ValueError says why a new network could not take it."""
    found = check_structures([path.parent / text if source == "file" else _parse(text)]).structures
    if len(found) != 1:
        raise ValueError(f"{text} holds {len(found)} crystals; one is needed.")
    if max(found[0].atomic_numbers) > N_ELEMENTS:
        raise ValueError("it has an element past plutonium.")
    structure_graph(found[0], CUTOFF)
    return found[0]


def _parse(text):
    if text.lstrip().startswith("{"):
        return json.loads(text)
    try:
        return Structure.from_str(text, fmt="cif")
    except Exception as error:  # pymatgen's parser of CIF raises anything
        raise ValueError(f"it cannot be read as CIF: {error}") from error


def _split(path, given, n, rng):
    """Rows by part: those that the file names, or random ones in the paper's proportions."""
    if given is not None:
        if unknown := sorted(set(given.tolist()) - set(PARTS)):
            raise ValueError(f"{path}: split must be one of {PARTS}, got {unknown[0]!r}.")
        rows = {part: np.flatnonzero(given == part) for part in PARTS}
    else:
        share = n / sum(PAPER[f"n_{part}"] for part in PARTS)
        first, last = np.cumsum([round(share * PAPER[f"n_{part}"]) for part in PARTS[:2]])
        order = rng.permutation(n)
        rows = dict(zip(PARTS, map(np.sort, np.split(order, [first, last])), strict=True))
    for part, least in LEAST.items():
        if len(rows[part]) < least:
            raise ValueError(
                f"{path}: the part {part!r} has {len(rows[part])} of {n} usable crystals; at least "
                f"{least} are needed."
            )
    return rows
