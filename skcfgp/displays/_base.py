"""What the Displays share: axes, labels with a unit, columns of numbers."""

import numpy as np


class Display:
    """Sets ``ax_`` and ``figure_``."""

    def _axes(self, ax):
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def line_style(number):
    """Style of the line of this number: colours alone cannot be told apart in grey."""
    return ("-", "-.", ":", "--")[number % 4]


def axis_label(name, unit):
    """Name of an axis with its unit, if it has one."""
    return f"{name} ({unit})" if unit and unit != "1" else name


def quantity(value, unit):
    """Three digits of a value, with its unit, if it has one."""
    return f"{value:.3g} {unit}" if unit and unit != "1" else f"{value:.3g}"


def columns(**values):
    """Make 1-D float arrays of one length, finite, a standard deviation not negative."""
    arrays = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or next(iter(arrays.values())).ndim != 1:
        raise ValueError(f"expected 1-D arrays of one length, got the shapes {shapes}.")
    for name, array in arrays.items():
        wrong = ~np.isfinite(array) | (array < 0 if name == "y_std" else False)
        if wrong.any():
            row = np.flatnonzero(wrong)[0]
            raise ValueError(
                f"{name} has {array[row]} at position {row}: nothing can be drawn there, and "
                "nothing is left out unasked. Remove the row from all columns."
            )
    if not next(iter(shapes.values()))[0]:
        raise ValueError(f"expected at least one row, got empty {' and '.join(arrays)}.")
    return list(arrays.values())
