"""The last step of a ``Pipeline``, and what it is given."""

from sklearn.pipeline import Pipeline

__all__ = ["last_step", "last_step_input"]


def last_step(model):
    """Return the last step of a ``Pipeline``, or the estimator itself."""
    return model[-1] if isinstance(model, Pipeline) else model


def last_step_input(model, X):
    """Return what the fitted steps before the last one make of `X`."""
    return model[:-1].transform(X) if isinstance(model, Pipeline) and len(model) > 1 else X
