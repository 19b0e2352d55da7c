"""Displays of calibration: curve of coverage, and histogram of PIT values."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..calibration import calibration_curve, miscalibration_area, pit_values
from ..calibration.common import check_count
from ..calibration.distribution_metrics import LEVELS
from ..structures.typing import ArrayLike, Distribution, FloatArray, Self
from ._base import Axes, Display, FromEstimatorMixin, Style, line_style

#: Axis labels of each form.
FORMS = {
    "interval": ("probability of a central interval", "fraction of crystals inside"),
    "quantile": ("probability below a quantile", "fraction of crystals below"),
}


class CalibrationCurveDisplay(FromEstimatorMixin, Display):
    """Observed against predicted probability, for regression.

    At a probability p the curve is the fraction of crystals inside the central interval of that
    probability (interval form) or below the quantile (quantile form, which also detects a bias);
    see `skcfgp.calibration.miscalibration_area`. In the interval form the error bars are too short
    where the curve is below the diagonal, and too long where it is above; points mark the
    coverages of 50, 68, 80, 90, 95 and 99 %.

    Parameters
    ----------
    probability, observed : ndarray of shape (n_levels,)
    area : float
        Area between the curve and the diagonal: 0 is perfect, 0.5 the worst.
    n_samples : int
        Number of predictions, for the band of perfect models.
    form : {"interval", "quantile"}, default="interval"
    name : str, default=None
        Name of the model, for the legend.

    See Also
    --------
    skcfgp.calibration.calibration_curve : The numbers.

    Examples
    --------
    Two models on the same axes:

    >>> import numpy as np
    >>> from skcfgp.displays import CalibrationCurveDisplay
    >>> y = np.random.default_rng(0).normal(size=500)
    >>> right = CalibrationCurveDisplay.from_predictions(y, 0 * y, 0 * y + 1, name="calibrated")
    >>> short = CalibrationCurveDisplay.from_predictions(
    ...     y, 0 * y, 0 * y + 0.5, name="overconfident", ax=right.ax_)
    >>> print(f"{right.area:.2f} {short.area:.2f}")
    0.01 0.22
    """

    def __init__(
        self,
        probability: FloatArray,
        observed: FloatArray,
        *,
        area: float,
        n_samples: int,
        form: Literal["interval", "quantile"] = "interval",
        name: str | None = None,
    ) -> None:
        self.probability = probability
        self.observed = observed
        self.area = area
        self.n_samples = n_samples
        self.form = form
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: Distribution | ArrayLike,
        y_std: ArrayLike | None = None,
        *,
        form: Literal["interval", "quantile"] = "interval",
        n_levels: int = 100,
        name: str | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
        y_pred : frozen distribution, or array-like of shape (n_samples,)
            Predictive distributions; or means of Gaussians, with `y_std`.
        y_std : array-like of shape (n_samples,), default=None
        form : {"interval", "quantile"}, default="interval"
            As in `skcfgp.calibration.calibration_curve`.
        n_levels : int, default=100
            Number of probabilities from 0 to 1.
        name : str, default=None
            Name of the model, for the legend.
        **plot_options
            Passed to `plot`.

        Returns
        -------
        CalibrationCurveDisplay
        """
        arrays = y_true, y_pred, y_std
        curve = calibration_curve(*arrays, form=form, n_levels=n_levels)
        area = miscalibration_area(*arrays, form=form, n_levels=n_levels)
        display = cls(*curve, area=area, n_samples=np.size(y_true), form=form, name=name)
        return display.plot(**plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        line_kwargs: Style = None,
        diagonal_kwargs: Style = None,
        band_kwargs: Style = None,
    ) -> Self:
        """Draw the curve, and once on the same axes the diagonal and a band.

        The band contains 95% of perfectly calibrated models at each probability.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, for instance with the curve of another model.
        line_kwargs, diagonal_kwargs, band_kwargs : dict, default=None
            Options of the curve, of the diagonal and of the band.

        Returns
        -------
        self : CalibrationCurveDisplay
        """
        from scipy.stats import binom

        ax = self._axes(ax)
        p = self.probability
        if "perfect" not in ax.get_legend_handles_labels()[1]:
            line = {"color": "k", "lw": 1, "ls": "--", "label": "perfect"}
            ax.plot([0, 1], [0, 1], **line | (diagonal_kwargs or {}))
            low, high = binom.ppf([[0.025], [0.975]], self.n_samples, p) / self.n_samples
            band = {"color": "0.88", "zorder": 0, "label": f"95% of perfect, n = {self.n_samples}"}
            ax.fill_between(p, low, high, **band | (band_kwargs or {}))
        label = f"{self.name or 'model'}, area {self.area:.3f}"
        line = {"label": label, "ls": line_style(len(ax.lines) - 1)}  # one is the diagonal
        (drawn,) = ax.plot(p, self.observed, **line | (line_kwargs or {}))
        if self.form == "interval":
            marked = np.interp(LEVELS, p, self.observed)
            ax.scatter(LEVELS, marked, s=14, color=drawn.get_color(), zorder=drawn.get_zorder())
        xlabel, ylabel = FORMS[self.form]
        ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.set_title(f"calibration, {self.form} form", fontsize="medium")
        ax.legend(fontsize="small")
        return self


class PITHistogramDisplay(FromEstimatorMixin, Display):
    """Histogram of the probability integral transform, `skcfgp.calibration.pit_values`.

    The histogram of correct distributions is flat. A hump in the middle indicates error bars that
    are too long, a valley those that are too short, a slope a bias, and peaks at 0 and 1 tails that
    are heavier than predicted.

    Parameters
    ----------
    pit : ndarray of shape (n_samples,)
    name : str, default=None
        Name of the model, for the title.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import t
    >>> from skcfgp.displays import PITHistogramDisplay
    >>> distribution = t(3, loc=np.zeros(500), scale=0.1)
    >>> display = PITHistogramDisplay.from_predictions(
    ...     distribution.rvs(random_state=0), distribution)
    >>> display.ax_.get_xlabel()
    'predicted probability of a smaller value'
    """

    def __init__(self, pit: FloatArray, *, name: str | None = None) -> None:
        self.pit = pit
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: Distribution | ArrayLike,
        y_std: ArrayLike | None = None,
        *,
        name: str | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
        y_pred : frozen distribution, or array-like of shape (n_samples,)
            Predictive distributions; or means of Gaussians, with `y_std`.
        y_std : array-like of shape (n_samples,), default=None
        name : str, default=None
            Name of the model, for the title.
        **plot_options
            Passed to `plot`.

        Returns
        -------
        PITHistogramDisplay
        """
        return cls(pit_values(y_true, y_pred, y_std), name=name).plot(**plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        n_bins: int = 20,
        bar_kwargs: Style = None,
        line_kwargs: Style = None,
        band_kwargs: Style = None,
    ) -> Self:
        """Draw, with the height of a right model and the band that holds 95% of its bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        n_bins : int, default=20
        bar_kwargs, line_kwargs, band_kwargs : dict, default=None
            Options of the bars, of the line at 1 and of the band.

        Returns
        -------
        self : PITHistogramDisplay
        """
        from scipy.stats import binom

        ax, n = self._axes(ax), len(self.pit)
        edges = np.linspace(0, 1, check_count("n_bins", n_bins) + 1)
        height = np.histogram(self.pit, edges)[0] * n_bins / n
        bars = {"width": 1 / n_bins, "align": "edge", "color": "tab:blue", "edgecolor": "w"}
        ax.bar(edges[:-1], height, **bars | (bar_kwargs or {}))
        low, high = binom.ppf([0.025, 0.975], n, 1 / n_bins) * n_bins / n
        band = {"color": "0.5", "alpha": 0.3, "label": f"95% of perfect, n = {n}"}
        ax.axhspan(low, high, **band | (band_kwargs or {}))
        line = {"color": "k", "lw": 1, "ls": "--", "label": "perfect"}
        ax.axhline(1, **line | (line_kwargs or {}))
        ax.set(xlim=(0, 1), xlabel="predicted probability of a smaller value", ylabel="density")
        ax.set_title(self.name or "probability integral transform", fontsize="medium")
        ax.legend(fontsize="small")
        return self
