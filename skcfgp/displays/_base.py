"""Base classes of the Displays, and labels with a unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from ..calibration import predict_distribution
from ..calibration.common import check_predictions
from ..calibration.distribution_metrics import two_sigma_std
from ..gaussian_process.common import last_step
from ..structures.typing import ArrayLike, Distribution, Estimator, FloatArray, Rows, Self

if TYPE_CHECKING:
    import matplotlib.axes

Axes: TypeAlias = "matplotlib.axes.Axes"
#: Options of what matplotlib draws.
Style: TypeAlias = "dict[str, Any] | None"

#: Probability of the intervals that are drawn of a distribution.
COVERAGE = 0.95


class Display:
    """A Display whose `plot` sets ``ax_`` and ``figure_``, the matplotlib Axes and Figure."""

    plot: Callable[..., Any]

    def _axes(self, ax):
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


class FromEstimatorMixin:
    """A Display that can be drawn from the predictions of an estimator."""

    from_predictions: ClassVar[Callable[..., Any]]

    @staticmethod
    def _default_options(X):
        """Return options of `from_predictions` that follow from X."""
        return {}

    @classmethod
    def from_estimator(cls, estimator: Estimator, X: Rows, y: ArrayLike, **options: Any) -> Self:
        """Predict distributions and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator, as for `skcfgp.calibration.predict_distribution`. The name of its
            class, or of its last step, is the default of `name`.
        X : array-like of shape (n_samples, ...)
            Rows to predict; a `ResidualDisplay` labels crystals by their formulas.
        y : array-like of shape (n_samples,)
        **options
            Passed to `from_predictions`.

        Returns
        -------
        Display
        """
        name = type(last_step(estimator)).__name__
        options = {"name": name, **cls._default_options(X), **options}
        return cls.from_predictions(y, predict_distribution(estimator, X), **options)


class PredictionDisplay(FromEstimatorMixin, Display):
    """Predictions of a model and the true values; a subclass draws them."""

    def __init__(
        self,
        y_true: FloatArray,
        y_pred: FloatArray,
        y_std: FloatArray | None = None,
        *,
        interval: FloatArray | None = None,
        name: str | None = None,
        target_name: str = "target",
        unit: str = "",
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std
        self.interval = interval
        self.name = name
        self.target_name = target_name
        self.unit = unit

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: Distribution | ArrayLike,
        y_std: ArrayLike | None = None,
        *,
        name: str | None = None,
        target_name: str = "target",
        unit: str = "",
        **plot_options: Any,
    ) -> Self:
        """Draw predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True values.
        y_pred : frozen distribution, or array-like of shape (n_samples,)
            Predictive distributions, of which the median and the interval of coverage 95 % are
            drawn; or means.
        y_std : array-like of shape (n_samples,), default=None
            Standard deviations, with means; optional for a `ParityDisplay` only.
        name : str, default=None
            Name of the model, for the title.
        target_name, unit : str
            Name and unit of the property, for the axes.
        **plot_options
            Passed to `plot`.

        Returns
        -------
        Display
        """
        interval = None
        if hasattr(y_pred, "interval"):
            distribution: Any = y_pred
            interval = np.asarray(distribution.interval(COVERAGE))
            y_pred, y_std = distribution.median(), two_sigma_std(distribution)
        columns = check_predictions(y_true, y_pred, y_std, allow_zero=True)
        labels: dict[str, Any] = {"name": name, "target_name": target_name, "unit": unit}
        return cls(*columns, interval=interval, **labels).plot(**plot_options)

    def _bars(self, n_sigma, rows=slice(None)):
        """Return lengths of the error bars, below and above, and what they are."""
        if n_sigma is None and self.interval is not None:
            lower, upper = self.interval[:, rows]
            y_pred = self.y_pred[rows]
            return np.maximum([y_pred - lower, upper - y_pred], 0), f"{COVERAGE:.0%} interval"
        n_sigma = 2 if n_sigma is None else n_sigma
        return np.tile(n_sigma * self.y_std[rows], (2, 1)), rf"$\pm {n_sigma:g}\,\sigma$"

    def _check_std(self, what):
        """Return the standard deviations; ValueError if there are none."""
        if self.y_std is None:
            raise ValueError(f"{what} needs y_std, got None.")
        return self.y_std

    def _set_title(self, title):
        title = title if self.name is None else f"{self.name}: {title}"
        self.ax_.set_title(title, fontsize="medium")


def line_style(number):
    """Style of a line by its number: colours are hard to distinguish in greyscale."""
    return ("-", "-.", ":", "--")[number % 4]


def axis_label(name, unit):
    """Name of an axis, with its unit if there is one."""
    return f"{name} ({unit})" if unit and unit != "1" else name


def quantity(value, unit):
    """Three digits of a value, with its unit if there is one."""
    return f"{value:.3g} {unit}" if unit and unit != "1" else f"{value:.3g}"
