"""`CalibrationCurveDisplay`: how often the truth is where the error bars say."""

from ..calibration import calibration_curve, miscalibration_area
from ._base import Display, FromEstimatorMixin, line_style

__all__ = ["CalibrationCurveDisplay"]

#: Axis labels of each form.
FORMS = {
    "interval": ("probability of a central interval", "fraction of crystals inside"),
    "quantile": ("probability below a quantile", "fraction of crystals below"),
}


class CalibrationCurveDisplay(FromEstimatorMixin, Display):
    """Observed against predicted probability, for regression.

    At a probability p the curve is the fraction of crystals in the central interval of that
    probability (interval form) or below the quantile (quantile form, which also sees a bias); see
    `skcfgp.calibration.miscalibration_area` for both. In the interval form the error bars are too
    short where the curve is below the diagonal, and too long where it is above.

    Parameters
    ----------
    probability, observed : ndarray of shape (n_levels,)
    area : float
        Between the curve and the diagonal: 0 is perfect, 0.5 the worst.
    n_samples : int
        Number of predictions, for the band of perfect models.
    form : {"interval", "quantile"}, default="interval"
    name : str, default=None
        Name of the model, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    skcfgp.calibration.calibration_curve : The numbers.

    Examples
    --------
    Two models on the same axes:

    >>> import numpy as np
    >>> from skcfgp.displays import CalibrationCurveDisplay
    >>> y = np.random.default_rng(0).normal(size=500)
    >>> honest = CalibrationCurveDisplay.from_predictions(y, 0 * y, 0 * y + 1, name="honest")
    >>> bold = CalibrationCurveDisplay.from_predictions(
    ...     y, 0 * y, 0 * y + 0.5, name="overconfident", ax=honest.ax_)
    >>> print(f"{honest.area:.2f} {bold.area:.2f}")
    0.01 0.22
    """

    def __init__(self, probability, observed, *, area, n_samples, form="interval", name=None):
        self.probability = probability
        self.observed = observed
        self.area = area
        self.n_samples = n_samples
        self.form = form
        self.name = name

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, y_std, *, form="interval", n_levels=100, name=None, **plot_options
    ):
        """Draw predictions.

        Parameters
        ----------
        y_true, y_pred, y_std : array-like of shape (n_samples,)
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
        display = cls(*curve, area=area, n_samples=len(arrays[0]), form=form, name=name)
        return display.plot(**plot_options)

    def plot(self, ax=None, *, line_kwargs=None, diagonal_kwargs=None, band_kwargs=None):
        """Draw.

        The diagonal, and the band that holds 95% of perfect models at each probability, are drawn
        once on the same axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: axes with the curve of another model, for instance.
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
        ax.plot(p, self.observed, **line | (line_kwargs or {}))
        xlabel, ylabel = FORMS[self.form]
        ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.set_title(f"calibration, {self.form} form", fontsize="medium")
        ax.legend(fontsize="small")
        return self
