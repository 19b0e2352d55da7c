"""`CompositionFeaturizer`: crystals to numbers that need no network, and no place of an atom.

Statistics of tabulated properties of the elements over the atoms, how densely these are packed
and, if wanted, how much there is of each element. On a few hundred labels a Gaussian process on
these columns is the model to beat. In a ``FeatureUnion`` they stand beside the latent vectors of a
network.
"""

from itertools import chain

import numpy as np
from pymatgen.core import Element
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..structures import validate_structure
from ..structures.crystal import cell_of
from ..structures.elements import PROPERTIES, atomic_masses, element_properties
from .base import CrystalTransformerMixin

__all__ = ["GROUPS", "CompositionFeaturizer"]

#: Groups of columns.
GROUPS = ("fractions", "mean", "deviation", "minimum", "maximum", "cell", "size")

N_ELEMENTS = 94  # hydrogen to plutonium, as in the table of the networks

_STATISTICS = ("mean", "deviation", "minimum", "maximum")

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
        What a crystal that cannot be used does to `transform`: raise, or give a row of NaN and an
        entry in ``failures_``.

    Attributes
    ----------
    failures_ : list of skcfgp.structures.Failure
        Crystals of the last `transform` that could not be used: position, id and reason.

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
    >>> featurizer = CompositionFeaturizer("cell").fit([salt])
    >>> row = featurizer.transform([salt])[0]
    >>> dict(zip(featurizer.get_feature_names_out().tolist(), row.round(2).tolist()))
    {'volume_per_atom_angstrom3': 23.03, 'density_g_cm3': 2.11}
    """

    def __init__(self, groups=("mean", "deviation", "cell"), *, on_error="raise"):
        self.groups = groups
        self.on_error = on_error

    def fit(self, X, y=None):
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals, in any form that `skcfgp.structures.check_structures` takes.
        y : ignored

        Returns
        -------
        self : CompositionFeaturizer

        Raises
        ------
        ValueError
            If a parameter is not valid.
        """
        groups = self._groups()
        if unknown := [group for group in groups if group not in GROUPS]:
            raise ValueError(f"groups must be of {GROUPS}, got {unknown[0]!r}.")
        if not groups or len(set(groups)) < len(groups):
            raise ValueError(f"groups must name at least one, each once, got {self.groups!r}.")
        self._check_on_error()
        self.failures_ = []
        return self

    def transform(self, X):
        """Compute the features.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            With ``on_error="nan"``, NaN in the rows of ``failures_``.

        Raises
        ------
        ValueError
            If a crystal cannot be used, or has an element past plutonium, and
            ``on_error="raise"``. The message names it.
        """
        check_is_fitted(self, "failures_")
        crystals = self._read(X)
        rows, cells, atomic_numbers = [], [], []
        for row, structure in enumerate(crystals.structures):
            if structure is None:
                continue
            try:
                numbers = _atomic_numbers(structure)
            except ValueError as error:
                self._refuse(crystals, row, error)
                continue
            rows.append(row)
            cells.append(cell_of(structure))
            atomic_numbers.append(numbers)
        features = np.full((len(crystals.structures), len(self._names())), np.nan)
        if rows:
            features[rows] = self._compute(np.array(cells), atomic_numbers)
        self.failures_ = sorted(crystals.failures)
        return features

    def get_feature_names_out(self, input_features=None):
        """Name the columns of `transform`, with units: ``fraction_O``, ``density_g_cm3``, ...

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str, of shape (n_features,)
        """
        check_is_fitted(self, "failures_")
        return np.array(self._names(), dtype=object)

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

    def _compute(self, cells, atomic_numbers):
        """Features of crystals that are known to be good."""
        n_sites = np.array([len(numbers) for numbers in atomic_numbers])
        fractions = _element_fractions(atomic_numbers, n_sites)
        columns = {"fractions": fractions, "size": n_sites[:, None]}
        volume_per_atom = np.abs(np.linalg.det(cells)) / n_sites
        mass = fractions @ atomic_masses(N_ELEMENTS)  # dalton per atom
        density = _GRAM_PER_CM3 * mass / volume_per_atom
        columns["cell"] = np.column_stack([volume_per_atom, density])
        statistics = _statistics(fractions, element_properties(N_ELEMENTS))
        columns |= zip(_STATISTICS, statistics, strict=True)
        return np.hstack([columns[group] for group in self._groups()])


def _atomic_numbers(structure):
    """Atomic numbers of the sites of a crystal; one that cannot be used is refused."""
    validate_structure(structure)
    numbers = structure.atomic_numbers
    if max(numbers) > N_ELEMENTS:
        raise ValueError(
            f"it has the element {Element.from_Z(int(max(numbers)))}; the table of element "
            f"properties ends at {Element.from_Z(N_ELEMENTS)}. Leave the crystal out."
        )
    return numbers


def _element_fractions(atomic_numbers, n_sites):
    """Fraction of each element, an array of shape (n_crystals, N_ELEMENTS)."""
    numbers = np.fromiter(chain.from_iterable(atomic_numbers), dtype=int, count=n_sites.sum())
    cell = np.repeat(np.arange(len(n_sites)) * N_ELEMENTS, n_sites) + numbers - 1
    counts = np.bincount(cell, minlength=len(n_sites) * N_ELEMENTS)
    return counts.reshape(-1, N_ELEMENTS) / n_sites[:, None]


def _statistics(fractions, table):
    """`_STATISTICS` of each column of `table` over the atoms of each crystal.

    Only elements that are there are looked at: an entry for each element of each crystal, those of
    one crystal side by side.
    """
    crystal, element = np.nonzero(fractions)
    starts = np.flatnonzero(np.diff(crystal, prepend=-1))
    weights, values = fractions[crystal, element][:, None], table[element]
    mean = np.add.reduceat(weights * values, starts)
    deviation = np.add.reduceat(weights * np.abs(values - mean[crystal]), starts)
    minimum, maximum = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return mean, deviation, minimum, maximum
