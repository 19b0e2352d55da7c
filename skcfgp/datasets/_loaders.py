"""The loaders of the bundled data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from sklearn.utils import Bunch

from ..structures import Crystal, object_array

DATA = Path(__file__).parent / "data"

Form: TypeAlias = Literal["pymatgen", "arrays"]
Split: TypeAlias = Literal["train", "pool", "test", "paper"] | None
Dielectric: TypeAlias = Literal["refractive_index", "poly_total", "poly_electronic", "band_gap"]
Elastic: TypeAlias = Literal["K_VRH", "G_VRH", "poisson_ratio"]

#: Unit of each property.
UNITS = {
    "formation_energy_per_atom": "eV/atom",
    "energy_above_hull": "eV/atom",
    "refractive_index": "1",
    "poly_total": "1",
    "poly_electronic": "1",
    "band_gap": "eV",
    "K_VRH": "GPa",
    "G_VRH": "GPa",
    "poisson_ratio": "1",
}


@overload
def load_formation_energy(
    *,
    return_X_y: Literal[False] = ...,
    as_frame: bool = ...,
    split: Split = ...,
    structures: Form = ...,
) -> Bunch: ...
@overload
def load_formation_energy(
    *, return_X_y: Literal[True], as_frame: bool = ..., split: Split = ..., structures: Form = ...
) -> tuple[Any, Any]: ...


def load_formation_energy(
    *,
    return_X_y: bool = False,
    as_frame: bool = False,
    split: Split = None,
    structures: Form = "pymatgen",
) -> Bunch | tuple[Any, Any]:
    """Load 3,938 crystals and their formation energies (FLLA, Materials Project DFT).

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(structures, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether to return ``structures`` and ``target`` as pandas Series indexed by ``material_id``,
        and the whole table as ``frame``.
    split : {None, "train", "pool", "test", "paper"}, default=None
        Part of the published split (1,800, 1,427 and 700 crystals), or all three in this order
        (``"paper"``). By default all crystals in the order of the source, including 11 that belong
        to no part because no two of their atoms are within 4 angstrom.
    structures : {"pymatgen", "arrays"}, default="pymatgen"
        Type of the crystals: pymatgen ``Structure``, or `skcfgp.structures.Crystal`, which is
        sufficient for this package and loads several times faster.

    Returns
    -------
    Bunch
        ``structures`` (object array of shape (n_samples,)), ``target``
        (``formation_energy_per_atom``, float, eV/atom), ``target_name``, ``unit``, ``material_id``,
        ``formula``, ``split`` ("train", "pool", "test" or "unbonded"), ``energy_above_hull``
        (eV/atom), ``DESCR``.

    Examples
    --------
    >>> from skcfgp.datasets import load_formation_energy
    >>> data = load_formation_energy(split="test")
    >>> data.structures.shape, data.unit
    ((700,), 'eV/atom')
    """
    options = (None, "train", "pool", "test", "paper")
    if split not in options:
        raise ValueError(f"split must be one of {options}, got {split!r}.")
    parts = ("train", "pool", "test") if split == "paper" else (split,) if split else None
    target = "formation_energy_per_atom"
    return _load("formation_energy", target, return_X_y, as_frame, structures, parts)


@overload
def load_dielectric(
    *,
    target: Dielectric = ...,
    return_X_y: Literal[False] = ...,
    as_frame: bool = ...,
    structures: Form = ...,
) -> Bunch: ...
@overload
def load_dielectric(
    *,
    target: Dielectric = ...,
    return_X_y: Literal[True],
    as_frame: bool = ...,
    structures: Form = ...,
) -> tuple[Any, Any]: ...


def load_dielectric(
    *,
    target: Dielectric = "refractive_index",
    return_X_y: bool = False,
    as_frame: bool = False,
    structures: Form = "pymatgen",
) -> Bunch | tuple[Any, Any]:
    """Load 1,056 crystals and their dielectric properties (Materials Project DFPT).

    Parameters
    ----------
    target : {"refractive_index", "poly_total", "poly_electronic", "band_gap"}, \
            default="refractive_index"
        Refractive index, total or electronic polycrystalline dielectric constant (all
        dimensionless), or band gap (eV).
    return_X_y, as_frame, structures : optional
        As in `load_formation_energy`.

    Returns
    -------
    Bunch
        As of `load_formation_energy`, with the four properties by name.
    """
    return _load("dielectric", target, return_X_y, as_frame, structures)


@overload
def load_elastic(
    *,
    target: Elastic = ...,
    return_X_y: Literal[False] = ...,
    as_frame: bool = ...,
    structures: Form = ...,
) -> Bunch: ...
@overload
def load_elastic(
    *,
    target: Elastic = ...,
    return_X_y: Literal[True],
    as_frame: bool = ...,
    structures: Form = ...,
) -> tuple[Any, Any]: ...


def load_elastic(
    *,
    target: Elastic = "K_VRH",
    return_X_y: bool = False,
    as_frame: bool = False,
    structures: Form = "pymatgen",
) -> Bunch | tuple[Any, Any]:
    """Load 1,181 crystals and their elastic moduli (Materials Project DFT).

    Parameters
    ----------
    target : {"K_VRH", "G_VRH", "poisson_ratio"}, default="K_VRH"
        Voigt-Reuss-Hill bulk or shear modulus (GPa), or Poisson ratio.
    return_X_y, as_frame, structures : optional
        As in `load_formation_energy`.

    Returns
    -------
    Bunch
        As of `load_formation_energy`, with the three properties by name.
    """
    return _load("elastic", target, return_X_y, as_frame, structures)


def _load(name, target, return_X_y, as_frame, structures, parts=None):
    if structures not in ("pymatgen", "arrays"):
        raise ValueError(f"structures must be 'pymatgen' or 'arrays', got {structures!r}.")
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as arrays:
        table = {key: arrays[key] for key in arrays.files}
    if target not in (known := [key for key in UNITS if key in table]):
        raise ValueError(f"target must be one of {known}, got {target!r}.")
    rows = np.arange(len(table["material_id"]))
    if parts is not None:
        rows = np.concatenate([np.flatnonzero(table["split"] == part) for part in parts])
    structures = _crystals(name, table, rows, as_structures=structures == "pymatgen")
    columns = {key: table[key][rows] for key in ("formula", "split", *UNITS) if key in table}
    material_id = table["material_id"][rows]
    y = columns[target]
    if as_frame:
        import pandas as pd

        index = pd.Index(material_id.astype(object), name="material_id")
        structures = pd.Series(structures, index=index, name="structure")
        y = pd.Series(y, index=index, name=target)
        frame = pd.DataFrame({"structure": structures, **columns}, index=index)
    if return_X_y:
        return structures, y
    return Bunch(
        structures=structures,
        target=y,
        target_name=target,
        unit=UNITS[target],
        material_id=material_id,
        **columns,
        **({"frame": frame} if as_frame else {}),
        DESCR=(DATA / f"{name}.md").read_text(encoding="utf-8"),
    )


def _crystals(name, table, rows, as_structures):
    ends = np.cumsum(table["n_sites"], dtype=int)
    starts = ends - table["n_sites"]
    crystals = []
    for row in rows:
        sites = slice(starts[row], ends[row])
        coords = table["frac_coords_1e6"][sites] / 1e6
        properties = {"material_id": str(table["material_id"][row]), "dataset": name}
        crystal = Crystal(table["lattice"][row], coords, table["atomic_numbers"][sites], properties)
        crystals.append(crystal.to_structure() if as_structures else crystal)
    return object_array(crystals)
