"""`ParityDisplay` and `ErrorBarDisplay`: predictions and their error bars beside the truth."""

import numpy as np

from ..calibration.scorers import predict_with_std
from ._base import Display, axis_label, columns, quantity

__all__ = ["ErrorBarDisplay", "ParityDisplay"]

KINDS = ("auto", "errorbar", "points", "density")


class ParityDisplay(Display):
    """Prediction against true value, as figure 3 of the paper.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_samples,)
    y_std : ndarray of shape (n_samples,) or None
        Standard deviation of each prediction, in the same unit.
    name, unit : str
        Of the property, for the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    sklearn.metrics.PredictionErrorDisplay : The same for estimators without standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import GaussianProcessRegressor
    >>> from skcfgp.displays import ParityDisplay
    >>> X = np.linspace(0, 6, 30)[:, None]
    >>> gp = GaussianProcessRegressor().fit(X[::2], np.sin(X[::2, 0]))
    >>> display = ParityDisplay.from_estimator(
    ...     gp, X[1::2], np.sin(X[1::2, 0]), name="band gap", unit="eV")
    >>> display.ax_.get_xlabel()
    'true band gap (eV)'
    """

    def __init__(self, y_true, y_pred, y_std=None, *, name="target", unit=""):
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(cls, estimator, X, y, **options):
        """Predict with standard deviation and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted, as for `skcfgp.calibration.scorers.predict_with_std`.
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        **options
            Passed to `from_predictions`.

        Returns
        -------
        ParityDisplay
        """
        return cls.from_predictions(y, *predict_with_std(estimator, X), **options)

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, y_std=None, *, ax=None, name="target", unit="", **plot_options
    ):
        """Draw predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
        y_std : array-like of shape (n_samples,), default=None
            None draws no error bars.
        ax : matplotlib Axes, default=None
        name, unit : str
        **plot_options
            Passed to `plot`.

        Returns
        -------
        ParityDisplay
        """
        given = {"y_true": y_true, "y_pred": y_pred} | ({} if y_std is None else {"y_std": y_std})
        return cls(*columns(**given), name=name, unit=unit).plot(ax=ax, **plot_options)

    def plot(
        self,
        ax=None,
        *,
        kind="auto",
        n_sigma=2,
        errorbar_kw=None,
        scatter_kw=None,
        hexbin_kw=None,
        line_kw=None,
    ):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        kind : {"auto", "errorbar", "points", "density"}, default="auto"
            Points with error bars, points, or the number of crystals in each hexagonal cell.
            ``"auto"`` takes error bars for up to 1,000 crystals with standard deviation, points for
            up to 5,000 crystals, and the density for more.
        n_sigma : float, default=2
            Half length of the error bars, in standard deviations.
        errorbar_kw, scatter_kw, hexbin_kw, line_kw : dict, default=None
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
            options["label"] = rf"crystals, $\pm {n_sigma:g}\,\sigma$"
            ax.errorbar(x, y, yerr=n_sigma * self.y_std, **options | (errorbar_kw or {}))
        elif kind == "points":
            options = {"s": 8, "alpha": 0.5, "linewidths": 0, "label": "crystals"}
            ax.scatter(x, y, **options | (scatter_kw or {}))
        else:
            options = {"gridsize": 60, "bins": "log", "mincnt": 1, "linewidths": 0.2}
            cells = ax.hexbin(x, y, **options | (hexbin_kw or {}))
            ax.figure.colorbar(cells, ax=ax, label="crystals per cell")
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        line = {"color": "k", "lw": 1, "ls": "--", "label": "exact", "zorder": 3}
        ax.plot(ends, ends, **line | (line_kw or {}))
        ax.set(
            xlabel=axis_label(f"true {self.name}", self.unit),
            ylabel=axis_label(f"predicted {self.name}", self.unit),
        )
        error = quantity(np.abs(y - x).mean(), self.unit)
        ax.set_title(f"n = {len(x)}, MAE = {error}", fontsize="medium")
        ax.legend(loc="upper left")
        return self

    def _kind(self, kind):
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
        if kind == "errorbar" and self.y_std is None:
            raise ValueError("kind='errorbar' needs y_std, got None; pass it or take 'points'.")
        if kind != "auto":
            return kind
        if self.y_std is not None and len(self.y_true) <= 1000:
            return "errorbar"
        return "points" if len(self.y_true) <= 5000 else "density"


class ErrorBarDisplay(Display):
    """Error bars of some crystals drawn at random, as the left of figure 4 of the paper.

    Parameters
    ----------
    y_true, y_pred, y_std : ndarray of shape (n_drawn,)
    name, unit : str
        Of the property, for the axes.
    n_samples : int or None
        Of the crystals that they were drawn from, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, y_true, y_pred, y_std, *, name="target", unit="", n_samples=None):
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std
        self.name = name
        self.unit = unit
        self.n_samples = n_samples

    @classmethod
    def from_estimator(cls, estimator, X, y, **options):
        """Predict with standard deviation and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted, as for `skcfgp.calibration.scorers.predict_with_std`.
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        **options
            Passed to `from_predictions`.

        Returns
        -------
        ErrorBarDisplay
        """
        return cls.from_predictions(y, *predict_with_std(estimator, X), **options)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        y_std,
        *,
        n_drawn=100,
        random_state=None,
        ax=None,
        name="target",
        unit="",
        **plot_options,
    ):
        """Choose crystals at random and draw them.

        Parameters
        ----------
        y_true, y_pred, y_std : array-like of shape (n_samples,)
        n_drawn : int, default=100
            All of them, if there are no more.
        random_state : int, RandomState or None, default=None
        ax : matplotlib Axes, default=None
        name, unit : str
        **plot_options
            Passed to `plot`.

        Returns
        -------
        ErrorBarDisplay
        """
        from sklearn.utils import check_random_state

        arrays = columns(y_true=y_true, y_pred=y_pred, y_std=y_std)
        n = len(arrays[0])
        rows = check_random_state(random_state).permutation(n)[:n_drawn]
        display = cls(*(array[rows] for array in arrays), name=name, unit=unit, n_samples=n)
        return display.plot(ax=ax, **plot_options)

    def plot(self, ax=None, *, n_sigma=2, errorbar_kw=None, scatter_kw=None):
        """Draw, from the smallest true value to the largest.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        n_sigma : float, default=2
            Half length of the error bars, in standard deviations.
        errorbar_kw, scatter_kw : dict, default=None
            Options of the predictions and of the true values.

        Returns
        -------
        self : ErrorBarDisplay
        """
        ax = self._axes(ax)
        order = np.argsort(self.y_true, kind="stable")
        true, bars = self.y_true[order], n_sigma * self.y_std[order]
        rank, predicted = np.arange(1, len(true) + 1), self.y_pred[order]
        options = {"fmt": "o", "ms": 2.5, "lw": 0.8, "color": "0.55"}
        options["label"] = rf"predicted, $\pm {n_sigma:g}\,\sigma$"
        ax.errorbar(rank, predicted, yerr=bars, **options | (errorbar_kw or {}))
        inside = np.abs(predicted - true) <= bars
        for rows, place, color, marker in (
            (inside, "inside", "tab:blue", "_"),
            (~inside, "outside", "tab:red", "x"),
        ):
            options = {"marker": marker, "color": color, "s": 30, "linewidths": 2, "zorder": 3}
            options["label"] = f"true, {place} the bar: {rows.sum()}"
            ax.scatter(rank[rows], true[rows], **options | (scatter_kw or {}))
        ax.set(
            xlabel="crystal, in order of the true value",
            ylabel=axis_label(self.name, self.unit),
        )
        source = "" if self.n_samples in (None, len(true)) else f" of {self.n_samples}, at random"
        ax.set_title(f"{len(true)} crystals{source}", fontsize="medium")
        ax.legend(loc="upper left")
        return self
