"""`CalculatorFeaturizer`: crystals to cheap estimates of their properties, by any ASE calculator.

A universal potential or a classical one gives the energy of a crystal in milliseconds to seconds.
The energies at a few volumes, with the fractional coordinates as they are, fix a parabola: its
curvature is the bulk modulus and its minimum the volume that the calculator prefers. Such numbers
are wrong by far more than a DFT calculation, but their errors vary smoothly between crystals, so
that a Gaussian process learns them from few labels (see ``estimates`` of `skcfgp.make_cfgp`).
"""

from __future__ import annotations

import inspect
import pickle
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
from joblib import effective_n_jobs, hash
from sklearn.base import BaseEstimator
from sklearn.utils.parallel import Parallel, delayed

from .. import structures
from ..structures.typing import FilePath, OnError
from .base import CrystalTransformerMixin
from .progress import tqdm
from .store import DiskStore, look_up, memory

PROPERTIES = ("energy_per_atom", "bulk_modulus", "volume_per_atom")

#: Crystals that one job of `n_jobs` takes, with a calculator of its own.
CHUNK = 20

#: Energies that differ by this part of their size are equal.
FLAT = 1e-12

_GPA = 160.2176634  # of one eV per cubic angstrom (CODATA 2018)


class CalculatorFeaturizer(CrystalTransformerMixin, BaseEstimator):
    """Turn crystals into estimates of their properties by an ASE calculator.

    Parameters
    ----------
    calculator : callable
        Factory: called without arguments, it returns an ASE calculator. A class
        (``ase.calculators.emt.EMT``), a function of a module, or a ``functools.partial`` of one
        (``partial(LennardJones, sigma=2.5)``). It must be picklable, since each process makes a
        calculator of its own.
    properties : str or sequence of str, \
            default=("energy_per_atom", "bulk_modulus", "volume_per_atom")
        Columns, in the order in which they come:

        - ``"energy_per_atom"``: potential energy of the cell as it is given, in eV/atom;
        - ``"bulk_modulus"``: V d2E/dV2 at the volume given, in GPa;
        - ``"volume_per_atom"``: volume at which the parabola has its minimum, in cubic angstrom per
          atom. It is an extrapolation where the minimum lies outside the strains.
    strains : sequence of float, default=(-0.04, 0.0, 0.04)
        Relative changes of the volume at which energies are computed for the parabola, a least
        squares fit if there are more than three. The cell is scaled in all directions alike, and
        the fractional coordinates stay. Not used for ``"energy_per_atom"`` alone.
    on_error : {"raise", "nan"}, default="raise"
        Whether crystals that cannot be used raise an error, once all were looked at and the numbers
        of the others are stored, or get rows of NaN, with one warning that names them. A crystal
        fails if the calculator raises an error, gives an energy that is not finite, or if the
        energies have no minimum as a function of the volume.
    cache_dir : str, Path or None, default=None
        Folder of a feature cache that outlives the process; in memory numbers are always kept.
        They are found again by the content of the crystal and by the factory: its name, its
        arguments, its source with the constants that it reads, and the version of its package.
        Weights that the calculator reads from a file are not seen: name another folder when these
        change.
    n_jobs : int, default=None
        Number of processes that read files and compute energies. 1 by default unless a
        joblib context says otherwise; -1 uses all processors.
    verbose : int, default=1
        Whether a terminal shows a progress bar; 0 for none.

    See Also
    --------
    skcfgp.make_cfgp : The model to which these numbers are given as ``estimates``.
    skcfgp.CompositionFeaturizer : Features that need no calculator.

    References
    ----------
    .. [1] Larsen et al., "The atomic simulation environment - a Python library for working with
       atoms", J. Phys.: Condens. Matter 29, 273002 (2017). doi:10.1088/1361-648X/aa680e
    .. [2] Deng et al., "CHGNet as a pretrained universal neural network potential for
       charge-informed atomistic modelling", Nat. Mach. Intell. 5, 1031 (2023).
       doi:10.1038/s42256-023-00716-3

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> from skcfgp.features import CalculatorFeaturizer
    >>> featurizer = CalculatorFeaturizer(EMT)
    >>> row = featurizer.fit_transform([bulk("Cu")])[0]
    >>> dict(zip(featurizer.get_feature_names_out().tolist(), row.round(2).tolist()))
    {'energy_per_atom': -0.01, 'bulk_modulus': 125.64, 'volume_per_atom': 11.57}
    """

    def __init__(
        self,
        calculator: Callable[[], Any],
        properties: str | Sequence[str] = PROPERTIES,
        *,
        strains: Sequence[float] = (-0.04, 0.0, 0.04),
        on_error: OnError = "raise",
        cache_dir: FilePath | None = None,
        n_jobs: int | None = None,
        verbose: int = 1,
    ) -> None:
        self.calculator = calculator
        self.properties = properties
        self.strains = strains
        self.on_error = on_error
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self):
        names = self._names()
        if unknown := [name for name in names if name not in PROPERTIES]:
            raise ValueError(f"properties must be of {PROPERTIES}, got {unknown[0]!r}.")
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"properties must name at least one, each once, got {self.properties!r}."
            )
        if not callable(self.calculator):
            raise ValueError(
                "calculator must be a factory, such as the class EMT or partial(LennardJones, "
                f"sigma=2.5), not a calculator; got {self.calculator!r}."
            )
        try:
            pickle.dumps(self.calculator)
        except Exception as error:  # pickle raises anything: PicklingError, AttributeError, ...
            raise ValueError(
                "calculator must be picklable: a class or a function of a module, or a partial of "
                f"one, not a lambda or an inner function; got {self.calculator!r} ({error})."
            ) from error
        strains = np.asarray(self.strains, dtype=float)
        if strains.ndim != 1 or len(np.unique(strains)) < 3 or not (strains > -1).all():
            raise ValueError(
                "strains must be at least three different changes of the volume, each above -1, "
                f"got {self.strains!r}."
            )
        super()._check_parameters()

    def _names(self):
        return [self.properties] if isinstance(self.properties, str) else list(self.properties)

    def _transform(self, crystals):
        """Look up the numbers that a store has, compute and store the others, then report."""
        self._check_parameters()
        names = self._names()
        strains = None if names == ["energy_per_atom"] else [float(s) for s in self.strains]
        space = f"calculator/{hash((_identity(self.calculator), names, strains))}"
        keys = [None if c is None else structures.structure_digest(c) for c in crystals.structures]
        stores = [memory] if self.cache_dir is None else [memory, DiskStore(self.cache_dir)]
        rows = look_up(stores, space, set(keys) - {None})
        # equal crystals are computed once
        new = {k: c for k, c in zip(keys, crystals.structures, strict=True) if k not in rows}
        new.pop(None, None)
        errors = {}
        for found, wrong in self._computed(list(new.items()), names, strains):
            for store in stores:
                store.put(space, found)
            rows |= found
            errors |= wrong
        self._report(crystals, {row: errors[k] for row, k in enumerate(keys) if k in errors})
        features = np.full((len(keys), len(names)), np.nan)
        for row, key in enumerate(keys):
            if key in rows:
                features[row] = rows[key]
        return features

    def _computed(self, items, names, strains):
        """Yield rows and errors of each chunk by key, from processes if there are several."""
        chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
        task = (names, strains)
        with tqdm(
            total=len(items),
            unit="crystal",
            desc="calculating",
            delay=1.0,
            disable=None if self.verbose else True,
        ) as bar:
            if min(len(chunks), effective_n_jobs(self.n_jobs)) <= 1:
                calculator = self.calculator() if items else None
                results = (_estimate_chunk(calculator, chunk, *task) for chunk in chunks)
            else:
                parallel = Parallel(n_jobs=self.n_jobs, return_as="generator")
                results = parallel(
                    delayed(_make_and_estimate)(self.calculator, c, *task) for c in chunks
                )
            for chunk, result in zip(chunks, results, strict=True):
                bar.update(len(chunk))
                yield result


def _make_and_estimate(factory, items, names, strains):
    return _estimate_chunk(factory(), items, names, strains)


def _estimate_chunk(calculator, items, names, strains):
    """Compute the rows of the crystals that the calculator takes, and errors of the others."""
    rows, errors = {}, {}
    for key, crystal in items:
        try:
            found = _estimate(calculator, crystal, strains)
        except Exception as error:  # a calculator raises anything: KeyError, RuntimeError, ...
            errors[key] = f"the calculator failed ({type(error).__name__}: {error})."
        else:
            if isinstance(found, str):
                errors[key] = found
            else:
                rows[key] = np.array([found[name] for name in names], dtype=np.float32)
    return rows, errors


def _estimate(calculator, crystal, strains):
    """Compute the properties of a crystal, by name, or say why there are none."""
    from ase import Atoms

    atoms = Atoms(
        crystal.atomic_numbers,
        cell=crystal.lattice,
        scaled_positions=crystal.frac_coords,
        pbc=True,
    )
    atoms.calc = calculator

    def energy(strain):
        atoms.set_cell(crystal.lattice * (1.0 + strain) ** (1 / 3), scale_atoms=True)
        return atoms.get_potential_energy() / len(atoms)  # eV/atom

    found = {"energy_per_atom": energy(0.0)}
    if not np.isfinite(found["energy_per_atom"]):
        return f"the calculator gives an energy of {found['energy_per_atom']}."
    if strains is not None:
        energies = [found["energy_per_atom"] if s == 0.0 else energy(s) for s in strains]
        if not np.isfinite(energies).all():
            return f"the calculator gives energies that are not finite: {energies}."
        curvature, slope, _ = np.polyfit(strains, energies, 2)
        flat = np.ptp(energies) <= FLAT * np.abs(energies).max()  # atoms out of reach of each other
        # In units of the volume given.
        minimum = 0.0 if flat or curvature <= 0 else 1.0 - slope / (2.0 * curvature)
        if minimum <= 0:
            return (
                "the energy has no minimum as a function of the volume: "
                f"{dict(zip(strains, np.round(energies, 4).tolist(), strict=True))} eV/atom."
            )
        volume = crystal.volume / len(crystal)  # per atom; the variable is s = V / V_0 - 1
        found["bulk_modulus"] = 2.0 * curvature / volume * _GPA
        found["volume_per_atom"] = volume * minimum
    return found


def _identity(factory):
    """Return what decides on the numbers of a calculator, as far as the factory tells."""
    if isinstance(factory, partial):
        return _identity(factory.func), factory.args, factory.keywords
    named = factory if hasattr(factory, "__qualname__") else type(factory)
    package = sys.modules.get(named.__module__.partition(".")[0])
    version = str(getattr(package, "__version__", ""))
    try:
        source = inspect.getsource(named)
    except (OSError, TypeError):  # typed at a prompt, or compiled
        source = "" if version else uuid4().hex  # nothing tells it from another of its name
    constants = {}
    if inspect.isfunction(named):
        read = inspect.getclosurevars(named).globals
        plain = (bool, int, float, str, tuple, list, dict)
        constants = {name: value for name, value in read.items() if isinstance(value, plain)}
    return pickle.dumps(factory), version, source, constants
