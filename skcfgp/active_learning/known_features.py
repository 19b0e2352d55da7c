"""Features of crystals that are worked out once and looked up after that."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

__all__ = ["KnownFeatures", "with_known_features"]


class KnownFeatures(TransformerMixin, BaseEstimator):
    """A fitted transformer that remembers the features of some crystals.

    A query transforms the whole pool each time. Even where vectors are cached by content, to name
    thousands of crystals by their content takes longer than to choose among them; here they are
    looked up by identity.

    Parameters
    ----------
    transformer : transformer
        Fitted.
    X : sequence of crystals
        Those to remember. They are kept alive, so that no other object takes their place.
    """

    def __init__(self, transformer, X):
        self.transformer = transformer
        self.X = X
        self._features = transformer.transform(X)

    def fit(self, X, y=None):
        """Do nothing: the transformer is fitted."""
        return self

    def transform(self, X):
        """Return the features of crystals, remembered or not."""
        # Not kept: the identities are others in a copy, or where a pickle is opened.
        known = {id(crystal): row for row, crystal in enumerate(self.X)}
        rows = [known.get(id(crystal)) for crystal in X]
        return self.transformer.transform(X) if None in rows else self._features[rows]

    def __sklearn_is_fitted__(self):
        return True


def with_known_features(estimator, X):
    """Let a fitted pipeline remember the features of crystals.

    Parameters
    ----------
    estimator : estimator
    X : sequence

    Returns
    -------
    estimator
        A ``Pipeline`` with the same last step. The estimator itself if it is not a ``Pipeline``
        whose last step alone learns, or X is not a sequence of objects.
    """
    objects = isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype == object)
    in_steps = isinstance(estimator, Pipeline) and len(estimator) > 1
    if not (objects and in_steps and hasattr(estimator[-1], "partial_fit")):
        return estimator
    return Pipeline([("features", KnownFeatures(estimator[:-1], X)), estimator.steps[-1]])
