"""Make the bundled data files from the source distribution ``matminer==0.3.1``.

    python -m pip download matminer==0.3.1 --no-deps --no-binary :all: -d source
    python docs/scripts/make_datasets.py source/matminer-0.3.1.tar.gz

The three CSV files are taken out of the archive, their SHA-256 is checked, and one compressed
``.npz`` file each is written to ``skcfgp/datasets/data``: cells and sites as plain arrays
(coordinates rounded to 1e-6), ids, and the columns named in ``TABLES``. The split of the formation
energies is drawn here, once, with a fixed seed.
"""

import ast
import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

TARGET = Path(__file__).parents[2] / "skcfgp" / "datasets" / "data"

TABLES = {
    "formation_energy": (
        "flla_2015.csv",
        "35b8dbc0b92f4dc7e219fd6606c3a27bee18a9618f376cfee1ff731e306210bb",
        {
            "formation_energy_per_atom": "formation_energy_per_atom",
            "e_above_hull": "energy_above_hull",
        },
    ),
    "dielectric": (
        "dielectric_constant.csv",
        "ecbd410d33c95d5b05822cff6c7c0ba809a024b4ede3855ec5efc48d5e29ea77",
        {
            "n": "refractive_index",
            "poly_total": "poly_total",
            "poly_electronic": "poly_electronic",
            "band_gap": "band_gap",
        },
    ),
    "elastic": (
        "elastic_tensor.csv",
        "f7a18c91fe5dcd51012e5b7e3a37f73aaee9087a036d61bdf9d6464b6fca51a6",
        {"K_VRH": "K_VRH", "G_VRH": "G_VRH", "poisson_ratio": "poisson_ratio"},
    ),
}

BOND_CUTOFF = 4.0  # angstrom; a crystal with no bond within it cannot enter the split
N_TRAIN, N_TEST = 1800, 700
SPLIT_SEED = 2021


def read_members(source):
    """Yield (file name, bytes) of every CSV in the archive or folder `source`."""
    if source.is_dir():
        for path in sorted(source.rglob("*.csv*")):
            raw = path.read_bytes()
            yield (
                path.name.removesuffix(".gz"),
                gzip.decompress(raw) if path.suffix == ".gz" else raw,
            )
        return
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".csv"):
                yield Path(member.name).name, archive.extractfile(member).read()


def parse_structure(row):
    if row["structure"].startswith("{"):
        record = ast.literal_eval(row["structure"])
        species = [site["species"][0]["element"] for site in record["sites"]]
        coords = [site["abc"] for site in record["sites"]]
        return Structure(Lattice(record["lattice"]["matrix"]), species, coords)
    return Poscar.from_str(row["poscar"]).structure


def draw_split(structures):
    """Assign each crystal to 'train', 'pool', 'test' or 'unbonded'."""
    bonded = np.array([len(s.get_neighbor_list(BOND_CUTOFF)[0]) > 0 for s in structures])
    order = np.random.default_rng(SPLIT_SEED).permutation(np.flatnonzero(bonded))
    split = np.full(len(structures), "unbonded", dtype="U8")
    split[order[:N_TRAIN]] = "train"
    split[order[N_TRAIN:-N_TEST]] = "pool"
    split[order[-N_TEST:]] = "test"
    return split


def main(source):
    members = dict(read_members(Path(source)))
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, (file, sha256, columns) in TABLES.items():
        if hashlib.sha256(members[file]).hexdigest() != sha256:
            raise SystemExit(f"{file}: the SHA-256 differs from {sha256}")
        table = pd.read_csv(io.BytesIO(members[file]), comment="#")
        structures = [parse_structure(row) for _, row in table.iterrows()]
        arrays = {
            "n_sites": np.array([len(s) for s in structures], dtype=np.uint16),
            "atomic_numbers": np.concatenate([s.atomic_numbers for s in structures]).astype(
                np.uint8
            ),
            "lattice": np.round([s.lattice.matrix for s in structures], 6),
            "frac_coords_1e6": np.rint(
                np.concatenate([s.frac_coords for s in structures]) * 1e6
            ).astype(np.int32),
            "material_id": table["material_id"].to_numpy(dtype="U"),
            "formula": np.array([s.composition.reduced_formula for s in structures]),
        }
        for old, new in columns.items():
            arrays[new] = table[old].to_numpy(dtype=float)
        if name == "formation_energy":
            arrays["split"] = draw_split(structures)
        np.savez_compressed(TARGET / f"{name}.npz", **arrays)
        print(name, len(structures), (TARGET / f"{name}.npz").stat().st_size)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
