"""`Data`: the crystals of a run, their labels, and which of them are for what."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from sklearn.utils import check_random_state

from ..datasets import UNITS, load_formation_energy
from ..features.composition import N_ELEMENTS
from ..models import unseen_mask
from ..network.graphs import structure_graph
from ..structures import object_array, structure_digest
from ..structures.tables import find_target, read_crystals
from .settings import PAPER

__all__ = ["PARTS", "Data", "bundled_data", "read_data"]

PARTS = ("train", "pool", "test")
LEAST = {"train": 20, "pool": 20, "test": 10}
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
        unseen=np.flatnonzero(unseen_mask(network, loaded.material_id)),
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
    if path.suffix in (".pkl", ".pickle"):
        raise ValueError(
            f"{path} is not read, since a pickle can run code: write it as CSV, with the column "
            "'structure' as json.dumps(structure.as_dict())."
        )
    table = read_crystals(path)
    left_out = [(refusal.id, refusal.reason) for refusal in table.refused]
    target, usable, y = find_target(path, table.columns, target), [], []
    for row in table.rows:
        y.append(_finite(path, row.line, row.fields[target]))
        try:
            _check_for_network(row.crystal)
        except ValueError as error:
            left_out.append((row.id, str(error)))
            y.pop()
        else:
            usable.append(row)
    given = np.array([row.fields["split"] for row in usable]) if "split" in table.columns else None
    return Data(
        structures=object_array([row.crystal for row in usable]),
        y=np.array(y),
        ids=np.array([row.id for row in usable]),
        formulas=np.array([row.crystal.composition.reduced_formula for row in usable]),
        **_split(path, given, len(usable), check_random_state(random_state)),
        name=path.name,
        target_name=target.replace("_", " "),
        unit=UNITS.get(target) or usable[0].fields.get("unit", ""),
        published=published,
        left_out=left_out,
    )


def _finite(path, line, text):
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(f"{path}, line {line}: {text!r} is not a finite number.")
    return value


def _check_for_network(crystal):
    """Refuse a crystal that a new network could not take."""
    if max(crystal.atomic_numbers) > N_ELEMENTS:
        raise ValueError("it has an element past plutonium.")
    structure_graph(crystal, CUTOFF)


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
