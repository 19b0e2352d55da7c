"""`CompositionFeaturizer`: crystals to numbers that need neither a network nor coordinates.

Statistics of tabulated properties of the elements over the atoms, how densely these are packed
and, if wanted, how much there is of each element. On a few hundred labels a Gaussian process on
these columns is the model to beat. In a ``FeatureUnion`` they stand beside the latent vectors of a
network.
"""

import numpy as np
from pymatgen.core import Element
from sklearn.base import BaseEstimator

from ..structures.elements import PROPERTIES, atomic_masses, element_properties
from .base import CrystalTransformerMixin

__all__ = ["GROUPS", "CompositionFeaturizer"]

#: Groups of columns.
GROUPS = ("fractions", "mean", "deviation", "minimum", "maximum", "cell", "size")

N_ELEMENTS = 94  # hydrogen to plutonium, as in the table of the networks

_STATISTICS = ("mean", "deviation", "minimum", "maximum")

_BEYOND = (
    f"it has the element {{}}; the table of element properties ends at "
    f"{Element.from_Z(N_ELEMENTS)}. Leave the crystal out."
)

_GRAM_PER_CM3 = 1.66053906660  # of one dalton per cubic angstrom (CODATA 2018)


class CompositionFeaturizer(CrystalTransformerMixin, BaseEstimator):
    """Turn crystals into statistics of element properties, volume per atom and density.

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
    """

    def __init__(self, groups=("mean", "deviation", "cell"), *, on_error="raise"):
        self.groups = groups
        self.on_error = on_error

    def _check_parameters(self):
        groups = self._groups()
        if unknown := [group for group in groups if group not in GROUPS]:
            raise ValueError(f"groups must be of {GROUPS}, got {unknown[0]!r}.")
        if not groups or len(set(groups)) < len(groups):
            raise ValueError(f"groups must name at least one, each once, got {self.groups!r}.")
        super()._check_parameters()

    def _transform(self, crystals):
        self._check_parameters()
        errors, good = {}, []
        for row, crystal in enumerate(crystals.structures):
            if crystal is None:
                continue
            if (heaviest := int(crystal.atomic_numbers.max())) > N_ELEMENTS:
                errors[row] = _BEYOND.format(Element.from_Z(heaviest))
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
        names = {
            "fractions": [f"fraction_{Element.from_Z(z)}" for z in range(1, N_ELEMENTS + 1)],
            "cell": ["volume_per_atom_angstrom3", "density_g_cm3"],
            "size": ["n_sites"],
        }
        for group in _STATISTICS:
            names[group] = [f"{group}_{name}" for name in PROPERTIES]
        return [name for group in self._groups() for name in names[group]]

    def _compute(self, crystals):
        """Compute the features of crystals that can be used."""
        n_sites = np.array([len(crystal) for crystal in crystals])
        fractions = _element_fractions([crystal.atomic_numbers for crystal in crystals], n_sites)
        columns = {"fractions": fractions, "size": n_sites[:, None]}
        volumes = np.abs(np.linalg.det([crystal.lattice for crystal in crystals]))
        volume_per_atom = volumes / n_sites
        mass = fractions @ atomic_masses(N_ELEMENTS)  # dalton per atom
        density = _GRAM_PER_CM3 * mass / volume_per_atom
        columns["cell"] = np.column_stack([volume_per_atom, density])
        statistics = _statistics(fractions, element_properties(N_ELEMENTS))
        columns |= zip(_STATISTICS, statistics, strict=True)
        return np.hstack([columns[group] for group in self._groups()])


def _element_fractions(atomic_numbers, n_sites):
    """Compute the fraction of each element, an array of shape (n_crystals, N_ELEMENTS)."""
    numbers = np.concatenate(atomic_numbers)
    cell = np.repeat(np.arange(len(n_sites)) * N_ELEMENTS, n_sites) + numbers - 1
    counts = np.bincount(cell, minlength=len(n_sites) * N_ELEMENTS)
    return counts.reshape(-1, N_ELEMENTS) / n_sites[:, None]


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
