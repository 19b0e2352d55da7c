"""`LearningCurveDisplay`: error against number of labels for each query strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..structures.typing import DataFrame, Self
from ._base import Axes, Display, Style, axis_label, line_style

METRICS = {
    "mae_test": "MAE on the fixed test set",
    "mae_pool": "MAE on the remaining pool",
    "max_std": "largest standard deviation in the pool",
}


class LearningCurveDisplay(Display):
    """Error against number of labels, one line for each strategy, as figure 5 of the paper.

    Parameters
    ----------
    curves : dict of str to list of DataFrame
        Results of `skcfgp.simulate` by name of the strategy, for instance of several seeds.
    metric : {"mae_test", "mae_pool", "max_std"}, default="mae_test"
    unit : str, default=""
        Unit of the target.
    """

    def __init__(
        self,
        curves: Mapping[str, Sequence[DataFrame]],
        *,
        metric: Literal["mae_test", "mae_pool", "max_std"] = "mae_test",
        unit: str = "",
    ) -> None:
        self.curves = curves
        self.metric = metric
        self.unit = unit

    @classmethod
    def from_simulations(
        cls,
        curves: Mapping[str, DataFrame | Sequence[DataFrame]],
        *,
        metric: Literal["mae_test", "mae_pool", "max_std"] = "mae_test",
        unit: str = "",
        **plot_options: Any,
    ) -> Self:
        """Draw results of `skcfgp.simulate`.

        Parameters
        ----------
        curves : dict of str to list of DataFrame
            As in the class; a single result needs no list.
        metric, unit : str
            As in the class.
        **plot_options
            Passed to `plot`.

        Returns
        -------
        LearningCurveDisplay
        """
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {list(METRICS)}, got {metric!r}.")
        curves = {k: list(v) if isinstance(v, list | tuple) else [v] for k, v in curves.items()}
        for name, runs in curves.items():
            if len({tuple(run["n_labelled"]) for run in runs}) != 1:
                raise ValueError(
                    f"the {len(runs)} runs of {name!r} must have the same numbers of labels; give "
                    "runs of other lengths another name."
                )
            if any(run[metric].isna().all() for run in runs):
                raise ValueError(
                    f"a run of {name!r} has no {metric}: give simulate a test set, or choose "
                    f"another metric of {list(METRICS)}."
                )
        return cls(curves, metric=metric, unit=unit).plot(**plot_options)

    def plot(self, ax: Axes | None = None, *, line_kwargs: Style = None) -> Self:
        """Draw the median over the runs, and a band from the lowest to the highest.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        line_kwargs : dict, default=None
            Options of the lines.

        Returns
        -------
        self : LearningCurveDisplay
        """
        ax = self._axes(ax)
        for name, runs in self.curves.items():
            n = runs[0]["n_labelled"]
            values = np.array([run[self.metric] for run in runs])
            label = name if len(runs) == 1 else f"{name} (median of {len(runs)} runs)"
            line = {"label": label, "ls": line_style(len(ax.lines))}
            (line,) = ax.plot(n, np.median(values, axis=0), **line | (line_kwargs or {}))
            if len(runs) > 1:
                ax.fill_between(
                    n, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2
                )
        ax.set(xlabel="number of labels", ylabel=axis_label(METRICS[self.metric], self.unit))
        ax.legend()
        return self
