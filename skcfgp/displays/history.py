"""`TrainingHistoryDisplay`: errors during the training of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..structures.typing import Self
from ._base import Axes, Display, Style, axis_label, quantity

if TYPE_CHECKING:
    from ..features import MEGNetFeaturizer


class TrainingHistoryDisplay(Display):
    """Training and validation error of each epoch, as figure 6 of the paper.

    Parameters
    ----------
    history : dict of str to list of float
        Result of `skcfgp.network.train`: ``loss`` (mean absolute error during training) and
        ``val_mae`` for each epoch, in the unit of the target. Other entries are not drawn.
    best_epoch : int, default=None
        Epoch whose weights are kept, counted from 1; by default the one with the smallest
        ``val_mae``.
    unit : str, default=""
        Unit of the target.
    """

    def __init__(
        self,
        history: Mapping[str, Sequence[float]],
        *,
        best_epoch: int | None = None,
        unit: str = "",
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.unit = unit

    @classmethod
    def from_estimator(
        cls, featurizer: MEGNetFeaturizer, *, unit: str | None = None, **plot_options: Any
    ) -> Self:
        """Draw the training of the network of a fitted `skcfgp.MEGNetFeaturizer`.

        Parameters
        ----------
        featurizer : MEGNetFeaturizer
            Featurizer trained by `fit` (``epochs > 0``), or one whose network has a history in its
            card, such as ``"formation_energy_1800"``.
        unit : str, default=None
            Unit of the target, by default that of the card.
        **plot_options
            Passed to `plot`.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        ValueError
            If there is no history.
        """
        if hasattr(featurizer, "history_"):
            return cls.from_history(featurizer.history_, unit=unit or "", **plot_options)
        card = featurizer.network_.card or {}
        training = card.get("training", {})
        if "history" not in training:
            raise ValueError(
                "this featurizer was not trained (epochs=0), and the card of its network has no "
                "history. Train it, or pass a history to from_history."
            )
        plot_options |= {"unit": card.get("unit", "") if unit is None else unit}
        best_epoch = training.get("best_epoch")
        return cls.from_history(training["history"], best_epoch=best_epoch, **plot_options)

    @classmethod
    def from_history(
        cls,
        history: Mapping[str, Sequence[float]],
        *,
        best_epoch: int | None = None,
        unit: str = "",
        **plot_options: Any,
    ) -> Self:
        """Draw a history.

        Parameters
        ----------
        history, best_epoch, unit : optional
            As in the class.
        **plot_options
            Passed to `plot`.

        Returns
        -------
        TrainingHistoryDisplay
        """
        if missing := {"loss", "val_mae"} - set(history):
            raise ValueError(f"history lacks {sorted(missing)}; it has {sorted(history)}.")
        return cls(history, best_epoch=best_epoch, unit=unit).plot(**plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        loss_kwargs: Style = None,
        val_mae_kwargs: Style = None,
        best_kwargs: Style = None,
    ) -> Self:
        """Draw, on a logarithmic axis if the error changes by a factor of four or more.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        loss_kwargs, val_mae_kwargs, best_kwargs : dict, default=None
            Options of the two lines and of the marker at the epoch that is kept.

        Returns
        -------
        self : TrainingHistoryDisplay
        """
        from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

        ax = self._axes(ax)
        loss, validation = (np.asarray(self.history[k], dtype=float) for k in ("loss", "val_mae"))
        epochs = np.arange(1, len(validation) + 1)
        ax.plot(epochs, loss, **{"label": "training"} | (loss_kwargs or {}))
        if np.isfinite(validation).any():  # NaN if nothing was set aside
            ax.plot(
                epochs, validation, **{"label": "validation", "ls": "--"} | (val_mae_kwargs or {})
            )
            best = self.best_epoch or int(np.nanargmin(validation)) + 1
            options = {"marker": "o", "ls": "none", "color": "k", "ms": 5, "zorder": 3}
            options["label"] = f"kept: epoch {best}, {quantity(validation[best - 1], self.unit)}"
            ax.plot(best, validation[best - 1], **options | (best_kwargs or {}))
        ax.set(xlabel="epoch", ylabel=axis_label("mean absolute error", self.unit))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        values = np.concatenate([loss, validation])
        if np.nanmax(values) >= 4 * np.nanmin(values) > 0:
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
        ax.legend()
        return self
