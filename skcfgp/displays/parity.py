"""Predictions with error bars against true values: parity, error bars, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.utils import check_random_state

from ..structures.typing import RandomState, Self
from ._base import Axes, PredictionDisplay, Style, axis_label, quantity

KINDS = ("auto", "errorbar", "points", "density")
#: Default options of the line of perfect predictions.
DIAGONAL = {"color": "k", "lw": 1, "ls": "--"}


class ParityDisplay(PredictionDisplay):
    """Prediction against true value, as figure 3 of the paper.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_samples,)
    y_std : ndarray of shape (n_samples,), default=None
        Standard deviation of each prediction, in the same unit; needed for error bars.
    interval : ndarray of shape (2, n_samples), default=None
        Ends of the interval of coverage 95 %, where they are known.
    name : str, default=None
        Name of the model, for the title.
    target_name, unit : str
        Name and unit of the property, for the axes.

    See Also
    --------
    sklearn.metrics.PredictionErrorDisplay : For estimators without standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import GaussianProcessRegressor
    >>> from skcfgp.displays import ParityDisplay
    >>> X = np.linspace(0, 6, 30)[:, None]
    >>> gp = GaussianProcessRegressor().fit(X[::2], np.sin(X[::2, 0]))
    >>> display = ParityDisplay.from_estimator(
    ...     gp, X[1::2], np.sin(X[1::2, 0]), target_name="band gap", unit="eV")
    >>> display.ax_.get_xlabel()
    'true band gap (eV)'
    """

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["auto", "errorbar", "points", "density"] = "auto",
        n_sigma: float | None = None,
        errorbar_kwargs: Style = None,
        scatter_kwargs: Style = None,
        hexbin_kwargs: Style = None,
        line_kwargs: Style = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        kind : {"auto", "errorbar", "points", "density"}, default="auto"
            Points with error bars, points, or the number of crystals in each hexagonal cell.
            ``"auto"`` draws error bars for up to 1,000 crystals with standard deviation, points for
            up to 5,000 crystals, and the density for more.
        n_sigma : float, default=None
            Half length of the error bars, in standard deviations. By default they are the interval
            of coverage 95 % where it is known, and two standard deviations elsewhere.
        errorbar_kwargs, scatter_kwargs, hexbin_kwargs, line_kwargs : dict, default=None
            Options of the points with error bars, the points, the cells and the diagonal.

        Returns
        -------
        self : ParityDisplay
        """
        kind = self._kind(kind)
        ax = self._axes(ax)
        x, y = self.y_true, self.y_pred
        if kind == "errorbar":
            options = {"fmt": "o", "ms": 2.5, "lw": 0.6, "alpha": 0.7, "ecolor": "0.7"}
            bars, what = self._bars(n_sigma)
            options["label"] = f"crystals, {what}"
            ax.errorbar(x, y, yerr=bars, **options | (errorbar_kwargs or {}))
        elif kind == "points":
            options = {"s": 8, "alpha": 0.5, "linewidths": 0, "label": "crystals"}
            ax.scatter(x, y, **options | (scatter_kwargs or {}))
        else:
            options = {"gridsize": 60, "bins": "log", "mincnt": 1, "linewidths": 0.2}
            cells = ax.hexbin(x, y, **options | (hexbin_kwargs or {}))
            ax.figure.colorbar(cells, ax=ax, label="crystals per cell")
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        ax.plot(ends, ends, **DIAGONAL | {"label": "exact", "zorder": 3} | (line_kwargs or {}))
        ax.set(
            xlabel=axis_label(f"true {self.target_name}", self.unit),
            ylabel=axis_label(f"predicted {self.target_name}", self.unit),
        )
        self._set_title(f"n = {len(x)}, MAE = {quantity(np.abs(y - x).mean(), self.unit)}")
        ax.legend(loc="upper left")
        return self

    def _kind(self, kind):
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
        if kind == "errorbar":
            self._check_std("kind='errorbar'")
        if kind != "auto":
            return kind
        if self.y_std is not None and len(self.y_true) <= 1000:
            return "errorbar"
        return "points" if len(self.y_true) <= 5000 else "density"


class ErrorBarDisplay(PredictionDisplay):
    """Error bars of randomly drawn crystals, as on the left of figure 4 of the paper.

    The parameters are those of `ParityDisplay`; `y_std` is required.

    Attributes
    ----------
    rows_ : ndarray of int, of shape (n_drawn,)
        Rows of the drawn crystals, in order of the true value.
    """

    def plot(
        self,
        ax: Axes | None = None,
        *,
        n_drawn: int = 100,
        random_state: RandomState = None,
        n_sigma: float | None = None,
        errorbar_kwargs: Style = None,
        scatter_kwargs: Style = None,
    ) -> Self:
        """Choose crystals at random and draw them in order of the true value.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        n_drawn : int, default=100
            Number of crystals; all of them if there are fewer.
        random_state : int, RandomState or None, default=None
            Controls the choice.
        n_sigma : float, default=None
            Half length of the error bars, in standard deviations. By default they are the interval
            of coverage 95 % where it is known, and two standard deviations elsewhere.
        errorbar_kwargs, scatter_kwargs : dict, default=None
            Options of the predictions and of the true values.

        Returns
        -------
        self : ErrorBarDisplay
        """
        self._check_std("ErrorBarDisplay")
        ax = self._axes(ax)
        n = len(self.y_true)
        rows = check_random_state(random_state).permutation(n)[:n_drawn]
        self.rows_ = rows = rows[np.argsort(self.y_true[rows], kind="stable")]
        true, predicted = self.y_true[rows], self.y_pred[rows]
        bars, what = self._bars(n_sigma, rows)
        rank = np.arange(1, len(rows) + 1)
        options = {"fmt": "o", "ms": 2.5, "lw": 0.8, "color": "0.55"}
        options["label"] = f"predicted, {what}"
        ax.errorbar(rank, predicted, yerr=bars, **options | (errorbar_kwargs or {}))
        inside = (predicted - true <= bars[0]) & (true - predicted <= bars[1])
        for those, place, color, marker in (
            (inside, "inside", "tab:blue", "_"),
            (~inside, "outside", "tab:red", "x"),
        ):
            options = {"marker": marker, "color": color, "s": 30, "linewidths": 2, "zorder": 3}
            options["label"] = f"true, {place} the bar: {those.sum()}"
            ax.scatter(rank[those], true[those], **options | (scatter_kwargs or {}))
        ax.set(
            xlabel="crystal, in order of the true value",
            ylabel=axis_label(self.target_name, self.unit),
        )
        source = f" of {n}, at random" if len(rows) < n else ""
        self._set_title(f"{len(rows)} crystals{source}")
        ax.legend(loc="upper left")
        return self


class ResidualDisplay(PredictionDisplay):
    """Absolute residual against standard deviation, as on the right of figure 4 of the paper.

    The parameters are those of `ParityDisplay`; `y_std` is required.
    """

    @staticmethod
    def _default_options(X):
        compositions = [getattr(crystal, "composition", None) for crystal in X]
        formulas = [getattr(c, "reduced_formula", None) for c in compositions]
        return {} if None in formulas else {"labels": formulas}

    def plot(
        self,
        ax: Axes | None = None,
        *,
        labels: Sequence[str] | None = None,
        n_worst: int = 4,
        scatter_kwargs: Style = None,
        line_kwargs: Style = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        labels : sequence of str, default=None
            Names of the crystals, to label the worst.
        n_worst : int, default=4
            Number of crystals to label: those farthest above two standard deviations.
        scatter_kwargs, line_kwargs : dict, default=None
            Options of the points and of the two-sigma line.

        Returns
        -------
        self : ResidualDisplay
        """
        y_std = self._check_std("ResidualDisplay")
        if labels is not None and len(labels) != len(self.y_true):
            raise ValueError(f"{len(self.y_true)} predictions need as many labels: {len(labels)}.")
        ax = self._axes(ax)
        residual = np.abs(self.y_pred - self.y_true)
        excess = residual - 2 * y_std
        # Limit the colours by a quantile: a few large values would hide all differences.
        limit = np.quantile(np.abs(excess), 0.99)
        options = {"c": excess, "cmap": "coolwarm", "s": 10, "vmin": -limit, "vmax": limit}
        points = ax.scatter(y_std, residual, **options | (scatter_kwargs or {}))
        label = axis_label(r"$|$residual$| - 2\sigma$", self.unit)
        ax.figure.colorbar(points, ax=ax, label=label, extend="both")
        ends = np.array([0.0, y_std.max()])
        ax.plot(ends, 2 * ends, **DIAGONAL | {"label": r"$2\sigma$"} | (line_kwargs or {}))
        names = [] if labels is None else list(labels)
        for row in np.argsort(-excess, kind="stable")[: n_worst if names else 0]:
            left = y_std[row] > 0.7 * y_std.max()  # left of its point, inside the axes
            ax.annotate(
                names[row],
                (y_std[row], residual[row]),
                xytext=(-4 if left else 4, 2),
                ha="right" if left else "left",
                textcoords="offset points",
                fontsize=7,
            )
        ax.set(
            xlabel=axis_label(r"standard deviation $\sigma$", self.unit),
            ylabel=axis_label(f"|residual| of {self.target_name}", self.unit),
        )
        inside = f"{np.mean(excess <= 0):.1%} within $2\\sigma$ (right: 95.4%)"
        self._set_title(f"n = {len(residual)}, {inside}")
        ax.legend(loc="upper left")
        return self
