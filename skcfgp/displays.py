"""The paper's figures as scikit-learn Displays.

A Display holds the numbers; ``plot(ax=None)`` draws them and keeps ``ax_`` and ``figure_``.
matplotlib is loaded when something is drawn.
"""

import numpy as np

__all__ = ["LearningCurveDisplay", "ParityDisplay", "ResidualDisplay"]

METRICS = {
    "mae_test": "MAE on the fixed test set",
    "mae_pool": "MAE on the remaining pool",
    "max_std": "largest standard deviation in the pool",
}


class _Display:
    def _axes(self, ax):
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


class ParityDisplay(_Display):
    """Prediction against true value, with error bars, as figures 3 and 4 of the paper.

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
    """

    def __init__(self, y_true, y_pred, y_std=None, *, name="target", unit=""):
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, name="target", unit="", **plot_options):
        """Predict with standard deviation and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted; with ``predict(X, return_std=True)``.
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        ax : matplotlib Axes, default=None
        name, unit : str
        **plot_options
            Passed to `plot`.

        Returns
        -------
        ParityDisplay
        """
        y_pred, y_std = estimator.predict(X, return_std=True)
        return cls.from_predictions(y, y_pred, y_std, ax=ax, name=name, unit=unit, **plot_options)

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, y_std=None, *, ax=None, name="target", unit="", **plot_options
    ):
        """Draw predictions; see `from_estimator`."""
        y_std = None if y_std is None else np.asarray(y_std)
        display = cls(np.asarray(y_true), np.asarray(y_pred), y_std, name=name, unit=unit)
        return display.plot(ax=ax, **plot_options)

    def plot(self, ax=None, *, n_sigma=2, errorbar_kw=None, line_kw=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        n_sigma : float, default=2
            Half length of the error bars, in standard deviations.
        errorbar_kw, line_kw : dict, default=None
            Options of the points and of the diagonal.

        Returns
        -------
        self : ParityDisplay
        """
        ax = self._axes(ax)
        bars = None if self.y_std is None else n_sigma * self.y_std
        options = {"fmt": "o", "ms": 2.5, "lw": 0.6, "alpha": 0.7, "ecolor": "0.7"}
        label = "crystals" if bars is None else rf"crystals, $\pm {n_sigma:g}\,\sigma$"
        ax.errorbar(
            self.y_true, self.y_pred, yerr=bars, **options | {"label": label} | (errorbar_kw or {})
        )
        ends = [
            min(self.y_true.min(), self.y_pred.min()),
            max(self.y_true.max(), self.y_pred.max()),
        ]
        line = {"color": "k", "lw": 1, "ls": "--", "label": "exact", "zorder": 3}
        ax.plot(ends, ends, **line | (line_kw or {}))
        error = self.y_pred - self.y_true
        ax.set(
            xlabel=_axis(f"true {self.name}", self.unit),
            ylabel=_axis(f"predicted {self.name}", self.unit),
            title=f"n = {len(error)}, MAE = {np.abs(error).mean():.3g} {self.unit}".rstrip(),
        )
        ax.legend(loc="upper left")
        return self


class ResidualDisplay(_Display):
    """Absolute residual against standard deviation, as figure 4 of the paper.

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
    def from_estimator(cls, estimator, X, y, *, ax=None, labels=None, unit="", **plot_options):
        """Predict with standard deviation and draw; see `ParityDisplay.from_estimator`."""
        y_pred, y_std = estimator.predict(X, return_std=True)
        return cls.from_predictions(
            y, y_pred, y_std, ax=ax, labels=labels, unit=unit, **plot_options
        )

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, y_std, *, ax=None, labels=None, unit="", **plot_options
    ):
        """Draw predictions."""
        arrays = map(np.asarray, (y_true, y_pred, y_std))
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
        limit = np.quantile(np.abs(excess), 0.99)
        options = {"c": excess, "cmap": "coolwarm", "s": 10, "vmin": -limit, "vmax": limit}
        points = ax.scatter(self.y_std, residual, **options | (scatter_kw or {}))
        ax.figure.colorbar(points, ax=ax, label=_axis(r"$|$residual$| - 2\sigma$", self.unit))
        ends = np.array([0.0, self.y_std.max()])
        line = {"color": "k", "lw": 1, "ls": "--", "label": r"$2\sigma$"}
        ax.plot(ends, 2 * ends, **line | (line_kw or {}))
        if self.labels is not None:
            for worst in np.argsort(-excess)[:n_worst]:
                ax.annotate(
                    self.labels[worst],
                    (self.y_std[worst], residual[worst]),
                    xytext=(4, 2),
                    textcoords="offset points",
                    fontsize=7,
                )
        inside = np.mean(excess <= 0)
        ax.set(
            xlabel=_axis(r"standard deviation $\sigma$", self.unit),
            ylabel=_axis("|residual|", self.unit),
            title=f"n = {len(residual)}, {inside:.1%} within $2\\sigma$ (Gaussian: 95.4%)",
        )
        ax.legend(loc="upper left")
        return self


class LearningCurveDisplay(_Display):
    """Error against number of labels, one line a strategy, as figure 5 of the paper.

    Parameters
    ----------
    curves : dict of str to list of DataFrame
        Results of `skcfgp.simulate` by the name of the strategy, one for each seed.
    metric : {"mae_test", "mae_pool", "max_std"}
    unit : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, curves, *, metric="mae_test", unit=""):
        self.curves = curves
        self.metric = metric
        self.unit = unit

    @classmethod
    def from_simulations(cls, curves, *, metric="mae_test", unit="", ax=None, **plot_options):
        """Draw results of `skcfgp.simulate`; a single one may stand without a list."""
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {list(METRICS)}, got {metric!r}.")
        curves = {k: v if isinstance(v, list | tuple) else [v] for k, v in curves.items()}
        return cls(curves, metric=metric, unit=unit).plot(ax=ax, **plot_options)

    def plot(self, ax=None, *, line_kw=None):
        """Draw the median over seeds, and the band from the lowest to the highest.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        line_kw : dict, default=None
            Options of the lines.

        Returns
        -------
        self : LearningCurveDisplay
        """
        ax = self._axes(ax)
        for name, runs in self.curves.items():
            n = runs[0]["n_labelled"]
            values = np.array([run[self.metric] for run in runs])
            label = name if len(runs) == 1 else f"{name} (median of {len(runs)} seeds)"
            (line,) = ax.plot(n, np.median(values, axis=0), label=label, **(line_kw or {}))
            if len(runs) > 1:
                ax.fill_between(
                    n, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2
                )
        ax.set(xlabel="number of labels", ylabel=_axis(METRICS[self.metric], self.unit))
        ax.legend()
        return self


def _axis(name, unit):
    return f"{name} ({unit})" if unit and unit != "1" else name
