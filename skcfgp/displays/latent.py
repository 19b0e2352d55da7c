"""`LatentMapDisplay`: a two-dimensional map of the latent vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..calibration.common import check_column
from ..structures.typing import ArrayLike, Estimator, FloatArray, RandomState, Rows, Self
from ._base import Axes, Display, Style, axis_label


class LatentMapDisplay(Display):
    """Map of latent vectors by t-SNE, coloured by the target, as figure 2 of the paper.

    Neighbours in the map are neighbours in the feature space of the Gaussian process, so it can
    learn a target that changes smoothly over the map. Distances between clusters, their sizes and
    the axes have no meaning.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, 2)
    y : ndarray of shape (n_samples,)
    target_name, unit : str
        Name and unit of the property, for the colour bar.

    References
    ----------
    .. [1] van der Maaten, Hinton, "Visualizing Data using t-SNE", J. Mach. Learn. Res. 9, 2579
       (2008). https://jmlr.org/papers/v9/vandermaaten08a.html
    """

    def __init__(
        self, embedding: FloatArray, y: FloatArray, *, target_name: str = "target", unit: str = ""
    ) -> None:
        self.embedding = embedding
        self.y = y
        self.target_name = target_name
        self.unit = unit

    @classmethod
    def from_estimator(cls, featurizer: Estimator, X: Rows, y: ArrayLike, **options: Any) -> Self:
        """Compute the latent vectors and draw.

        Parameters
        ----------
        featurizer : transformer
            Fitted `skcfgp.MEGNetFeaturizer`, or a pipeline without its last step, ``cfgp[:-1]``.
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        **options
            Passed to `from_vectors`.

        Returns
        -------
        LatentMapDisplay
        """
        return cls.from_vectors(featurizer.transform(X), y, **options)

    @classmethod
    def from_vectors(
        cls,
        Z: ArrayLike,
        y: ArrayLike,
        *,
        perplexity: float = 30.0,
        random_state: RandomState = None,
        target_name: str = "target",
        unit: str = "",
        **plot_options: Any,
    ) -> Self:
        """Embed vectors and draw.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        perplexity : float, default=30.0
            Approximate number of neighbours of each crystal, less than n_samples; 150 in the
            paper's code.
        random_state : int, RandomState or None, default=None
            Controls the embedding.
        target_name, unit : str
        **plot_options
            Passed to `plot`.

        Returns
        -------
        LatentMapDisplay
        """
        from sklearn.manifold import TSNE

        y = check_column("y", y)
        Z = np.asarray(Z, dtype=float)
        if Z.ndim != 2 or len(Z) != len(y):
            raise ValueError(f"{len(y)} targets need Z of shape ({len(y)}, n), got {Z.shape}.")
        failed = np.flatnonzero(~np.isfinite(Z).all(axis=1))
        if len(failed):
            raise ValueError(
                f"{len(failed)} rows of Z are not finite, the first at position {failed[0]}. Drop "
                "the crystals that could not be used (a warning names them) from Z and y."
            )
        embedding = TSNE(perplexity=perplexity, random_state=random_state).fit_transform(Z)
        display = cls(embedding, y, target_name=target_name, unit=unit)
        return display.plot(**plot_options)

    def plot(self, ax: Axes | None = None, *, scatter_kwargs: Style = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        scatter_kwargs : dict, default=None
            Options of the points.

        Returns
        -------
        self : LatentMapDisplay
        """
        ax = self._axes(ax)
        options = {"c": self.y, "cmap": "viridis", "s": 6, "linewidths": 0}
        points = ax.scatter(*self.embedding.T, **options | (scatter_kwargs or {}))
        ax.figure.colorbar(points, ax=ax, label=axis_label(self.target_name, self.unit))
        ax.set(xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[])
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_title(f"n = {len(self.y)}", fontsize="medium")
        return self
