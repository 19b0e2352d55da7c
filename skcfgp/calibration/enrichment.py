"""Where a model is wrong: which groups of crystals are over-represented among its worst errors.

`error_enrichment` compares the badly predicted crystals with all of them, element by element, pair
by pair and prototype by prototype, by an exact test that is corrected for the number of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from ..structures import Crystal, check_structures
from ..structures.typing import ArrayLike, Crystals, DataFrame
from .common import check_count, check_predictions

#: Tolerance, in angstrom, of the space group of a prototype; the Materials Project's.
SYMPREC = 0.1


def error_enrichment(
    structures: Crystals,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike | None = None,
    *,
    by: str | Sequence[str] = ("element", "pair", "prototype"),
    worst: float = 0.1,
    threshold: float | None = None,
    min_count: int = 5,
) -> DataFrame:
    r"""Find the groups of crystals that are over-represented among the badly predicted.

    A crystal is bad if its absolute error is among the largest, or, where `y_std` is given, its
    absolute error in standard deviations. If K of N crystals are bad, the number of bad ones in a
    group of n drawn at random is hypergeometric, and the p-value of k bad ones is

    .. math:: p = P(\text{bad} \geq k) = \sum_{i \geq k}
        \binom{K}{i} \binom{N - K}{n - i} / \binom{N}{n},

    that of Fisher's exact test, one-sided [2]_. The q-values are those of Benjamini and
    Hochberg [1]_: of the groups with q below 0.05, one in twenty is expected by chance.

    Parameters
    ----------
    structures : array-like of shape (n_samples,)
        Crystals, in any form that `skcfgp.structures.check_structures` takes.
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted target.
    y_std : array-like of shape (n_samples,), default=None
        Standard deviation of each prediction, in the unit of y. If given, the worst are those with
        the largest ``|y_pred - y_true| / y_std``: where the model is wrong and does not know it.
    by : {"element", "pair", "prototype"} or sequence of them
        Kinds of groups: crystals that contain an element; or both elements of a pair, bonded or
        not; or have the same anonymous formula and space group (with a tolerance of 0.1 angstrom),
        such as ``"ABC3 Pm-3m"`` for cubic perovskites, which takes milliseconds for each crystal.
    worst : float, default=0.1
        Fraction of the crystals that is called bad. Those that tie with the last one are bad too.
    threshold : float, default=None
        Absolute error in the unit of y, or number of standard deviations with `y_std`, above which
        a crystal is bad; instead of `worst`.
    min_count : int, default=5
        Size of the smallest groups to test: each test weakens the others.

    Returns
    -------
    pandas.DataFrame
        One row for each group, the least likely first:

        - ``kind``, ``group``: for example ``"pair"``, ``"O-Si"``;
        - ``n``, ``n_bad``: crystals in the group, and bad ones among them;
        - ``expected``: bad ones in a random group of that size, n K / N;
        - ``enrichment``: n_bad / expected;
        - ``p_value``, ``q_value``;
        - ``mean_absolute_error`` of the group, in the unit of y;
        - ``mean_squared_z`` of the group, with `y_std`: 1 if the error bars are right.

        ``attrs`` holds ``n_samples``, ``n_bad``, ``threshold`` (the smallest score that is bad, or
        the one given) and ``n_untested`` (groups below `min_count`).

    Raises
    ------
    ValueError
        If lengths differ, a number is not finite, a standard deviation is not positive, a parameter
        is out of range, a crystal cannot be used, or no crystal or every crystal is bad.

    Notes
    -----
    The groups overlap: a bad pair makes its two elements look bad. Read the table from the top, and
    take a row further down for news only if the rows above do not account for it. The test finds
    that a group is worse than the rest, not why.

    References
    ----------
    .. [1] Benjamini, Hochberg, "Controlling the False Discovery Rate", J. R. Stat. Soc. B 57, 289
       (1995). doi:10.1111/j.2517-6161.1995.tb02031.x
    .. [2] Rivals, Personnaz, Taing, Potier, "Enrichment or depletion of a GO category within a
       class of genes: which test?", Bioinformatics 23, 401 (2007).
       doi:10.1093/bioinformatics/btl633

    Examples
    --------
    Ten crystals with potassium are predicted badly, among thirty others:

    >>> from pymatgen.core import Lattice, Structure
    >>> from skcfgp.calibration.enrichment import error_enrichment
    >>> def salt(cation, anion):
    ...     return Structure(Lattice.cubic(4), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> salts = [salt(c, a) for c in ("Li", "Na", "K", "Rb") for a in ("F", "Cl") * 5]
    >>> error = [0.5 if "K" in crystal.symbol_set else 0.01 for crystal in salts]
    >>> table = error_enrichment(salts, [0.0] * 40, error, worst=0.25)
    >>> table[["kind", "group", "n", "n_bad", "expected"]].head(1)
          kind group   n  n_bad  expected
    0  element     K  10     10       2.5
    """
    import pandas as pd
    from scipy.stats import false_discovery_control, hypergeom

    kinds = _check_kinds(by)
    crystals = check_structures(structures).structures
    error, score = _scores(len(crystals), y_true, y_pred, y_std)
    bad, threshold = _bad(score, worst, threshold)
    N, K = len(bad), int(bad.sum())
    check_count("min_count", min_count)
    members = _members(crystals, kinds)
    groups = {key: rows for key, rows in members.items() if len(rows) >= min_count}
    table = pd.DataFrame(list(groups), columns=["kind", "group"], dtype=object)
    table["n"] = np.array([len(rows) for rows in groups.values()], dtype=int)
    table["n_bad"] = np.array([bad[rows].sum() for rows in groups.values()], dtype=int)
    table["expected"] = table["n"] * K / N
    table["enrichment"] = table["n_bad"] / table["expected"]
    table["p_value"] = hypergeom.sf(table["n_bad"] - 1, N, K, table["n"]).clip(max=1.0)
    table["q_value"] = false_discovery_control(table["p_value"]) if groups else 0.0
    table["mean_absolute_error"] = [error[rows].mean() for rows in groups.values()]
    if y_std is not None:
        table["mean_squared_z"] = [np.mean(score[rows] ** 2) for rows in groups.values()]
    table = table.sort_values(["p_value", "kind", "group"], ignore_index=True)
    n_untested = len(members) - len(groups)
    table.attrs = {"n_samples": N, "n_bad": K, "threshold": threshold, "n_untested": n_untested}
    return table


def _check_kinds(by):
    kinds = (by,) if isinstance(by, str) else tuple(by)
    if not kinds or len(set(kinds)) < len(kinds) or not set(kinds) <= set(_GROUPS):
        raise ValueError(f"by must be one or several of {list(_GROUPS)}, each once, got {by!r}.")
    return kinds


def _scores(n, y_true, y_pred, y_std):
    """Return the absolute error, and what decides who is bad: it, or it over `y_std`."""
    y_true, y_pred, *y_std = check_predictions(y_true, y_pred, y_std)
    if len(y_true) != n:
        raise ValueError(f"{n} crystals need as many predictions, got {len(y_true)}.")
    error = np.abs(y_pred - y_true)
    return error, error / y_std[0] if y_std else error


def _bad(score, worst, threshold):
    """Return which scores are bad, and from which value on."""
    if threshold is not None:
        bad = score > threshold
    elif 0 < worst < 1:
        threshold = np.sort(score)[-max(1, round(worst * len(score)))]
        bad = score >= threshold
    else:
        raise ValueError(f"worst must be a fraction between 0 and 1, got {worst!r}.")
    if bad.all() or not bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(bad)} crystals are bad at a threshold of {threshold:.4g}: there "
            "is nothing to compare. Choose another worst or threshold."
        )
    return bad, float(threshold)


def _members(crystals, kinds):
    """Return the rows of the crystals by (kind, group)."""
    members = {}
    for row, crystal in enumerate(crystals):
        for kind in kinds:
            for group in _GROUPS[kind](crystal):
                members.setdefault((kind, group), []).append(row)
    return members


def _elements(crystal):
    from pymatgen.core import Element

    return sorted(Element.from_Z(int(z)).symbol for z in set(crystal.atomic_numbers))


def _pairs(crystal):
    return ["-".join(pair) for pair in combinations(_elements(crystal), 2)]


def _prototypes(crystal):
    arrays = (crystal.lattice, crystal.frac_coords, crystal.atomic_numbers)
    return [_prototype(*(array.tobytes() for array in arrays))]


@lru_cache(maxsize=10_000)
def _prototype(lattice, coords, numbers):
    """Name formula and space group; remembered, since errors are often counted in two ways."""
    lattice, coords = (np.frombuffer(data).reshape(-1, 3) for data in (lattice, coords))
    structure = Crystal(lattice, coords, np.frombuffer(numbers, int)).to_structure()
    symbol, _ = structure.get_space_group_info(symprec=SYMPREC)
    return f"{structure.composition.anonymized_formula} {symbol}"


_GROUPS = {"element": _elements, "pair": _pairs, "prototype": _prototypes}
