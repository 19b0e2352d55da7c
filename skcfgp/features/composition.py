"""`CompositionFeaturizer`: crystals or formulas to numbers that need no network.

Statistics of tabulated properties of the elements over the atoms, how densely these are packed
and, if wanted, how much there is of each element. On a few hundred labels a Gaussian process on
these columns is the model to beat. In a ``FeatureUnion`` they stand beside the latent vectors of a
network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator

from .. import structures
from ..structures.elements import PROPERTIES, atomic_masses, element_properties
from ..structures.typing import OnError
from .base import CrystalTransformerMixin

#: Groups of columns.
GROUPS = ("fractions", "mean", "deviation", "minimum", "maximum", "cell", "size")

N_ELEMENTS = 94  # hydrogen to plutonium, as in the table of the networks

_STATISTICS = ("mean", "deviation", "minimum", "maximum")

_BEYOND = (
    "it has the element {}; the table of element properties ends at {}. Leave the crystal out."
)

#: Groups of columns that a formula does not give.
OF_CELL = ("cell", "size")

_NO_CELL = (
    "it is a formula without a structure, and the group {!r} is computed from the cell. Leave the "
    "group out, or give the crystal."
)

_GRAM_PER_CM3 = 1.66053906660  # of one dalton per cubic angstrom (CODATA 2018)


class CompositionFeaturizer(CrystalTransformerMixin, BaseEstimator):
    """Turn crystals into statistics of element properties, volume per atom and density.

    A row may be a formula without a structure too: text such as ``"Fe0.5Ni0.5"``, or pymatgen's
    ``Composition``. It has no columns of the groups ``"cell"`` and ``"size"``, which must be left
    out.

    Parameters
    ----------
    groups : str or sequence of str, default=("mean", "deviation", "cell")
        Groups of columns, in the order in which they come:

        - ``"mean"``, ``"deviation"`` (mean absolute deviation from the mean), ``"minimum"`` and
          ``"maximum"`` over the atoms of each of the 16 `skcfgp.structures.elements.PROPERTIES`;
        - ``"fractions"``: the fraction of each of 94 elements among the atoms;
        - ``"cell"``: volume per atom (cubic angstrom) and density (g/cm3);
        - ``"size"``: the number of sites of the cell as it is given, the one column that differs
          between a crystal and its supercell.
    on_error : {"raise", "nan"}, default="raise"
        Whether crystals that cannot be used raise an error, once all were looked at, or get rows of
        NaN, with one warning that names them.

    See Also
    --------
    skcfgp.MEGNetFeaturizer : Features that see where the atoms are.

    References
    ----------
    .. [1] Ward, Agrawal, Choudhary, Wolverton, "A general-purpose machine learning framework for
       predicting properties of inorganic materials", npj Comput. Mater. 2, 16028 (2016).
       doi:10.1038/npjcompumats.2016.28

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> from skcfgp import CompositionFeaturizer
    >>> salt = Structure.from_spacegroup(
    ...     "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> featurizer = CompositionFeaturizer("cell")
    >>> row = featurizer.transform([salt])[0]
    >>> dict(zip(featurizer.get_feature_names_out().tolist(), row.round(2).tolist()))
    {'volume_per_atom_angstrom3': 23.03, 'density_g_cm3': 2.11}

    Formulas alone:

    >>> featurizer = CompositionFeaturizer(["mean", "deviation"])
    >>> featurizer.transform(["NaCl", "Fe0.5Ni0.5", "Ca(OH)2"]).shape
    (3, 32)
    """

    def __init__(
        self,
        groups: str | Sequence[str] = ("mean", "deviation", "cell"),
        *,
        on_error: OnError = "raise",
    ) -> None:
        self.groups = groups
        self.on_error = on_error

    def _check_parameters(self):
        groups = self._groups()
        if unknown := [group for group in groups if group not in GROUPS]:
            raise ValueError(f"groups must be of {GROUPS}, got {unknown[0]!r}.")
        if not groups or len(set(groups)) < len(groups):
            raise ValueError(f"groups must name at least one, each once, got {self.groups!r}.")
        super()._check_parameters()

    def _read(self, X):
        return structures.check_structures(X, on_error="nan", formulas=True)

    def _transform(self, crystals):
        from ..structures.crystal import ELEMENTS, Crystal

        self._check_parameters()
        of_cell = next((group for group in self._groups() if group in OF_CELL), None)
        errors, good = {}, []
        for row, crystal in enumerate(crystals.structures):
            if crystal is None:
                continue
            if (heaviest := int(_amounts(crystal)[0].max())) > N_ELEMENTS:
                errors[row] = _BEYOND.format(ELEMENTS[heaviest], ELEMENTS[N_ELEMENTS])
            elif of_cell and not isinstance(crystal, Crystal):
                errors[row] = _NO_CELL.format(of_cell)
            else:
                good.append(row)
        self._report(crystals, errors)
        features = np.full((len(crystals.structures), len(self._names())), np.nan)
        if good:
            features[good] = self._compute(crystals.structures[good])
        return features

    def _groups(self):
        return [self.groups] if isinstance(self.groups, str) else list(self.groups)

    def _names(self):
        names = {"cell": ["volume_per_atom_angstrom3", "density_g_cm3"], "size": ["n_sites"]}
        if "fractions" in self._groups():
            from ..structures.crystal import ELEMENTS

            names["fractions"] = [f"fraction_{e}" for e in ELEMENTS[1 : N_ELEMENTS + 1]]
        for group in _STATISTICS:
            names[group] = [f"{group}_{name}" for name in PROPERTIES]
        return [name for group in self._groups() for name in names[group]]

    def _compute(self, crystals):
        """Compute the features of crystals and formulas that can be used."""
        fractions = _element_fractions(crystals)
        columns = {"fractions": fractions}
        if set(OF_CELL) & set(self._groups()):
            n_sites = np.array([len(crystal) for crystal in crystals])
            volumes = np.abs(np.linalg.det([crystal.lattice for crystal in crystals]))
            volume_per_atom = volumes / n_sites
            mass = fractions @ atomic_masses(N_ELEMENTS)  # dalton per atom
            density = _GRAM_PER_CM3 * mass / volume_per_atom
            columns |= {
                "size": n_sites[:, None],
                "cell": np.column_stack([volume_per_atom, density]),
            }
        statistics = _statistics(fractions, element_properties(N_ELEMENTS))
        columns |= zip(_STATISTICS, statistics, strict=True)
        return np.hstack([columns[group] for group in self._groups()])


def _amounts(crystal):
    """Return atomic numbers, and how much there is of each: of each site, or of each element."""
    if isinstance(crystal, structures.Crystal):
        return crystal.atomic_numbers, np.ones(len(crystal))
    return np.array([element.Z for element in crystal]), np.array(list(crystal.values()))


def _element_fractions(crystals):
    """Compute the fraction of each element, an array of shape (n_crystals, N_ELEMENTS)."""
    numbers, amounts = zip(*map(_amounts, crystals), strict=True)
    row = np.repeat(np.arange(len(crystals)), [len(part) for part in numbers])
    cell = row * N_ELEMENTS + np.concatenate(numbers) - 1
    counts = np.bincount(cell, np.concatenate(amounts), minlength=len(crystals) * N_ELEMENTS)
    counts = counts.reshape(-1, N_ELEMENTS)
    return counts / counts.sum(axis=1, keepdims=True)


def _statistics(fractions, table):
    """Compute `_STATISTICS` of each column of `table` over the atoms of each crystal."""
    # One entry for each element that a crystal has, those of a crystal side by side.
    crystal, element = np.nonzero(fractions)
    starts = np.flatnonzero(np.diff(crystal, prepend=-1))
    weights, values = fractions[crystal, element][:, None], table[element]
    mean = np.add.reduceat(weights * values, starts)
    deviation = np.add.reduceat(weights * np.abs(values - mean[crystal]), starts)
    minimum, maximum = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return mean, deviation, minimum, maximum
