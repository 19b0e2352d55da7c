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
from ..structures.crystal_tables import read_crystals
from ..structures.labels import find_target
from ..structures.numbers import read_number
from .arrays import read_arrays
from .settings import PAPER

PARTS = ("train", "pool", "test")
LEAST = {"train": 20, "pool": 20, "test": 10}
CUTOFF = 4.0  # angstrom, of every network that is trained


@dataclass
class Data:
    """Crystals, their labels and names, and the rows of each part."""

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
    network: str | None = None  # has seen labels of `train`, not of `unseen`; if None, one is made
    unseen: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))
    published: str | None = None  # network to compare with
    others: dict = field(default_factory=dict)  # further properties by name, NaN if unknown
    left_out: list = field(default_factory=list)  # ids that cannot be used, and why

    def digest(self):
        """Name the data by content."""
        content = [structure_digest(structure) for structure in self.structures]
        for array in (self.y, self.train, self.pool, self.test, self.unseen):
            content.append(array.tolist())
        content += [{name: values.tolist() for name, values in self.others.items()}]
        content += [self.target_name, self.unit, self.network, self.published]
        return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()

    def sample(self, n_initial, n_pool, n_test, random_state=None):
        """Draw so many crystals of each part at random; None keeps all of a part."""
        rng, parts = check_random_state(random_state), {}
        for name, size in zip(PARTS, (n_initial, n_pool, n_test), strict=True):
            rows = getattr(self, name)
            parts[name] = rows if size is None else np.sort(rng.permutation(rows)[:size])
        keep = np.concatenate(list(parts.values()))
        new = np.full(len(self.y), -1)
        new[keep] = np.arange(len(keep))
        names = ("structures", "y", "ids", "formulas")
        changes = {name: getattr(self, name)[keep] for name in names}
        changes |= {name: new[rows] for name, rows in parts.items()}
        changes["others"] = {name: values[keep] for name, values in self.others.items()}
        unseen = new[self.unseen]
        return replace(self, **changes, unseen=unseen[unseen >= 0])


def bundled_data():
    """Load the bundled formation energies, with a network that has seen their first part alone."""
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


def read_data(path, target=None, published=None, random_state=0):
    """Read crystals and labels of a file, as `skcfgp.reproduction.reproduce` describes it."""
    path = Path(path)
    if path.suffix in (".pkl", ".pickle"):
        raise ValueError(
            f"{path} is not read, since a pickle can run code: write it as CSV, with the column "
            "'structure' as json.dumps(structure.as_dict())."
        )
    source = _from_arrays if path.suffix == ".npz" else _from_table
    rows, given, columns, target, unit, left_out = source(path, target)
    usable = []
    for row, (name, crystal, _) in enumerate(rows):
        try:
            if isinstance(crystal, Exception):
                raise crystal
            if max(crystal.atomic_numbers) > N_ELEMENTS:
                raise ValueError("it has an element past plutonium.")
            structure_graph(crystal, CUTOFF)
        except ValueError as error:
            left_out.append((name, str(error)))
        else:
            usable.append(row)
    kept = [rows[row] for row in usable]
    given = None if given is None else np.array(given)[usable]
    return Data(
        structures=object_array([crystal for _, crystal, _ in kept]),
        y=np.array([label for *_, label in kept]),
        ids=np.array([name for name, *_ in kept]),
        formulas=np.array([crystal.composition.reduced_formula for _, crystal, _ in kept]),
        **_split(path, given, len(kept), check_random_state(random_state)),
        name=path.name,
        target_name=target.replace("_", " "),
        unit=UNITS.get(target) or unit,
        published=published,
        others={name: values[usable] for name, values in columns.items() if name != target},
        left_out=left_out,
    )


def _from_table(path, target):
    """Return id, crystal and label of each row of a table, its parts, and what else is in it."""
    table, rows = read_crystals(path), []
    target = find_target(path, table.columns, target)
    for row in table.rows:
        try:
            rows.append((row.id, row.crystal, read_number(row.fields[target])))
        except ValueError as error:
            raise ValueError(f"{path}, line {row.line}: {error}.") from None
    given = [row.fields["split"] for row in table.rows] if "split" in table.columns else None
    left_out = [(refusal.id, refusal.reason) for refusal in table.refused]
    unit = table.rows[0].fields.get("unit", "") if rows else ""
    return rows, given, {}, target, unit, left_out


def _from_arrays(path, target):
    """Return the same of a file of arrays, and all its columns."""
    found = read_arrays(path)
    target = find_target(path, [*found.columns], target)
    y = found.columns[target]
    if not np.isfinite(y).all():
        name = found.ids[np.flatnonzero(~np.isfinite(y))[0]]
        raise ValueError(f"{path}: {target} of {name} is not a finite number.")
    rows = list(zip(found.ids, found.crystals, y.tolist(), strict=True))
    return rows, found.parts, found.columns, target, found.unit, []


def _split(path, given, n, rng):
    """Rows by part: those that the file names, or random ones in the paper's proportions."""
    if given is None:
        sizes = np.array([PAPER[f"n_{part}"] for part in PARTS])
        first, second, _ = np.round(n * sizes / sizes.sum()).astype(int)
        rows = np.split(rng.permutation(n), [first, first + second])
        rows = dict(zip(PARTS, map(np.sort, rows), strict=True))
    elif unknown := sorted(set(given.tolist()) - set(PARTS)):
        raise ValueError(f"{path}: split must be one of {PARTS}, got {unknown[0]!r}.")
    else:
        rows = {part: np.flatnonzero(given == part) for part in PARTS}
    for part, least in LEAST.items():
        if len(rows[part]) < least:
            raise ValueError(
                f"{path}: the part {part!r} has {len(rows[part])} of {n} usable crystals; at least "
                f"{least} are needed."
            )
    return rows
