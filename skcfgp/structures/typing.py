"""Types in the signatures of public functions: what counts as crystals, rows and a distribution."""

# ruff: noqa: D102
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from pymatgen.core import Composition, Structure
    from sklearn.base import BaseEstimator
    from typing_extensions import Self

    from .crystal import Crystal
else:
    Self = Any  # Python 3.10 has none

BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.intp]
ObjectArray: TypeAlias = NDArray[np.object_]

DataFrame: TypeAlias = "pd.DataFrame"
Estimator: TypeAlias = "BaseEstimator"
FilePath: TypeAlias = str | Path
OnError: TypeAlias = Literal["raise", "nan"]
RandomState: TypeAlias = "int | np.random.RandomState | None"
Series: TypeAlias = "pd.Series"


class HasArray(Protocol):
    """An array, a Series or a DataFrame."""

    def __array__(self) -> NDArray[Any]: ...


#: A crystal, its formula, a record or a file of it; None stands for one that was refused.
CrystalLike: TypeAlias = (
    "Crystal | Structure | Composition | Atoms | Mapping[str, Any] | FilePath | None"
)
#: What `skcfgp.structures.check_structures` takes.
Crystals: TypeAlias = "Sequence[CrystalLike] | Mapping[str, CrystalLike] | HasArray | FilePath"
#: Means, or means and standard deviations.
Predicted: TypeAlias = "FloatArray | tuple[FloatArray, FloatArray]"
#: Vectors of features, or crystals.
Rows: TypeAlias = "ArrayLike | Crystals"


class Distribution(Protocol):
    """A frozen distribution of scipy.stats, or a `skcfgp.calibration.TransformedDistribution`."""

    def mean(self) -> FloatArray: ...
    def median(self) -> FloatArray: ...
    def std(self) -> FloatArray: ...
    def var(self) -> FloatArray: ...
    def pdf(self, x: ArrayLike, /) -> FloatArray: ...
    def logpdf(self, x: ArrayLike, /) -> FloatArray: ...
    def cdf(self, x: ArrayLike, /) -> FloatArray: ...
    def sf(self, x: ArrayLike, /) -> FloatArray: ...
    def ppf(self, q: ArrayLike, /) -> FloatArray: ...
    def isf(self, q: ArrayLike, /) -> FloatArray: ...
    def interval(self, confidence: float, /) -> tuple[FloatArray, FloatArray]: ...
    def rvs(
        self, size: int | tuple[int, ...] | None = None, random_state: RandomState = None
    ) -> FloatArray: ...
