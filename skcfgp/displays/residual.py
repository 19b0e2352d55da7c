"""`ResidualDisplay`: whether the standard deviation knows where the model is wrong."""

import numpy as np

from ..calibration.scorers import predict_with_std
from ._base import Display, axis_label, columns

__all__ = ["ResidualDisplay"]


class ResidualDisplay(Display):
    """Absolute residual against standard deviation, as the right of figure 4 of the paper.

    Parameters
    ----------
    y_true, y_pred, y_std : ndarray of shape (n_samples,)
    labels : sequence of str or None
        Of the crystals, to name the worst.
    unit : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, y_true, y_pred, y_std, *, labels=None, unit=""):
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std
        self.labels = labels
        self.unit = unit

    @classmethod
    def from_estimator(cls, estimator, X, y, *, labels=None, **options):
        """Predict with standard deviation and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted, as for `skcfgp.calibration.scorers.predict_with_std`.
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        labels : sequence of str, default=None
            None takes the formulas, if `X` is a sequence of pymatgen ``Structure``.
        **options
            Passed to `from_predictions`.

        Returns
        -------
        ResidualDisplay
        """
        labels = _formulas(X) if labels is None else labels
        return cls.from_predictions(y, *predict_with_std(estimator, X), labels=labels, **options)

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, y_std, *, ax=None, labels=None, unit="", **plot_options
    ):
        """Draw predictions.

        Parameters
        ----------
        y_true, y_pred, y_std : array-like of shape (n_samples,)
        ax : matplotlib Axes, default=None
        labels : sequence of str, default=None
            Of the crystals, to name the worst.
        unit : str
        **plot_options
            Passed to `plot`.

        Returns
        -------
        ResidualDisplay
        """
        arrays = columns(y_true=y_true, y_pred=y_pred, y_std=y_std)
        labels = None if labels is None else list(labels)
        if labels is not None and len(labels) != len(arrays[0]):
            raise ValueError(f"{len(arrays[0])} predictions need as many labels: {len(labels)}.")
        return cls(*arrays, labels=labels, unit=unit).plot(ax=ax, **plot_options)

    def plot(self, ax=None, *, n_worst=4, scatter_kw=None, line_kw=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        n_worst : int, default=4
            Crystals to name: those furthest above two standard deviations.
        scatter_kw, line_kw : dict, default=None
            Options of the points and of the two-sigma line.

        Returns
        -------
        self : ResidualDisplay
        """
        ax = self._axes(ax)
        residual = np.abs(self.y_pred - self.y_true)
        excess = residual - 2 * self.y_std
        # A few large excesses would leave the others without colour.
        limit = np.quantile(np.abs(excess), 0.99)
        options = {"c": excess, "cmap": "coolwarm", "s": 10, "vmin": -limit, "vmax": limit}
        points = ax.scatter(self.y_std, residual, **options | (scatter_kw or {}))
        label = axis_label(r"$|$residual$| - 2\sigma$", self.unit)
        ax.figure.colorbar(points, ax=ax, label=label, extend="both")
        ends = np.array([0.0, self.y_std.max()])
        line = {"color": "k", "lw": 1, "ls": "--", "label": r"$2\sigma$"}
        ax.plot(ends, 2 * ends, **line | (line_kw or {}))
        if self.labels is not None:
            self._name_worst(ax, residual, excess, n_worst)
        ax.set(
            xlabel=axis_label(r"standard deviation $\sigma$", self.unit),
            ylabel=axis_label("|residual|", self.unit),
        )
        inside = f"{np.mean(excess <= 0):.1%} within $2\\sigma$ (Gaussian: 95.4%)"
        ax.set_title(f"n = {len(residual)}, {inside}", fontsize="medium")
        ax.legend(loc="upper left")
        return self

    def _name_worst(self, ax, residual, excess, n_worst):
        for row in np.argsort(-excess, kind="stable")[:n_worst]:
            left = self.y_std[row] > 0.7 * self.y_std.max()  # of its point, to stay in the axes
            ax.annotate(
                self.labels[row],
                (self.y_std[row], residual[row]),
                xytext=(-4 if left else 4, 2),
                ha="right" if left else "left",
                textcoords="offset points",
                fontsize=7,
            )


def _formulas(X):
    """Reduced formulas, or None if an item has no composition."""
    compositions = [getattr(crystal, "composition", None) for crystal in X]
    known = all(hasattr(composition, "reduced_formula") for composition in compositions)
    return [composition.reduced_formula for composition in compositions] if known else None
