"""Baselines: simple regressors of scikit-learn, with a standard deviation.

`DummyRegressor` knows only the labels; `ExtraTreesRegressor` takes two seconds on tabulated
features. Tran et al. (2020) compare such models. A Gaussian process on the same features is
`skcfgp.GaussianProcessRegressor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
from sklearn import dummy, ensemble
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ..structures.typing import ArrayLike, FloatArray, Predicted, Self


class _SpreadMixin:
    """`predict` with a standard deviation, which `_spread` of the class computes."""

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012
    _spread: Callable[..., Any]

    @overload
    def predict(self, X: Any, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(self, X: Any, return_std: bool) -> Predicted: ...

    def predict(self, X: Any, return_std: bool = False) -> Predicted:
        """Predict mean and, if asked for, standard deviation.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features; a `DummyRegressor` takes anything of that length.
        return_std : bool, default=False
            Whether to return the standard deviation.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, in the unit of y.
        std : ndarray of the same shape
            Standard deviation, in the unit of y, if `return_std`.

        Raises
        ------
        ValueError
            If `X` does not have the features of `fit`, or `return_std` is set with a single tree.
        """
        mean = super().predict(X)  # type: ignore[misc]  # of the class that it is mixed into
        return (mean, self._spread(X, mean)) if return_std else mean


class ExtraTreesRegressor(_SpreadMixin, ensemble.ExtraTreesRegressor):
    """Extremely randomised trees, with the spread of the trees as the standard deviation.

    A subclass of `sklearn.ensemble.ExtraTreesRegressor`, with its parameters, attributes and mean.

    See Also
    --------
    sklearn.ensemble.ExtraTreesRegressor : The base class.
    skcfgp.GaussianProcessRegressor : Mean and standard deviation with a model behind them.

    Notes
    -----
    The standard deviation is that of the predictions of single trees (``ddof=1``). A fully grown
    tree predicts the label of one training row, so this is close to the standard deviation of the
    labels of the rows that the trees find similar, and not the error of their mean.

    References
    ----------
    .. [1] Geurts, Ernst, Wehenkel, "Extremely randomized trees", Mach. Learn. 63, 3 (2006).
       doi:10.1007/s10994-006-6226-1
    .. [2] Tran et al., "Methods for comparing uncertainty quantifications for material property
       predictions", Mach. Learn.: Sci. Technol. 1, 025006 (2020). doi:10.1088/2632-2153/ab7e1a

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp.models import ExtraTreesRegressor
    >>> X = np.linspace(0, 6, 50)[:, None]
    >>> trees = ExtraTreesRegressor(random_state=0).fit(X, np.sin(X[:, 0]))
    >>> mean, std = trees.predict([[1.0], [3.1]], return_std=True)
    >>> print(mean.round(1))
    [0.8 0. ]
    """

    def _spread(self, X, mean):
        if len(self.estimators_) < 2:
            raise ValueError("the standard deviation needs n_estimators of at least 2, got 1.")
        X = validate_data(
            self, X, reset=False, accept_sparse="csr", dtype=np.float32, ensure_all_finite=False
        )
        square = np.zeros_like(mean)
        for tree in self.estimators_:
            square += (tree.predict(X) - mean) ** 2
        return np.sqrt(square / (len(self.estimators_) - 1))


class DummyRegressor(_SpreadMixin, dummy.DummyRegressor):
    """Predict one value for every row, and the spread of the labels about it.

    A subclass of `sklearn.dummy.DummyRegressor`, whose own standard deviation is zero, with its
    parameters, attributes and mean. A row of `X` can be anything, also a crystal.

    Attributes
    ----------
    std_ : ndarray of shape (1, n_outputs)
        Root mean square difference of y from the prediction: with ``strategy="mean"`` the standard
        deviation of y.

    See Also
    --------
    sklearn.dummy.DummyRegressor : The base class.

    Examples
    --------
    >>> from skcfgp.models import DummyRegressor
    >>> dummy = DummyRegressor().fit([[0], [0], [0], [0]], [1.0, 1.0, 3.0, 3.0])
    >>> mean, std = dummy.predict([[7]], return_std=True)
    >>> print(mean, std)
    [2.] [1.]
    """

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Compute the constant and the spread of the labels about it.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows; only their number counts.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : DummyRegressor
        """
        super().fit(X, y, sample_weight)
        y = check_array(y, ensure_2d=False).reshape(-1, self.n_outputs_)
        if sample_weight is not None:
            sample_weight = check_array(sample_weight, ensure_2d=False)
        square = np.average((y - self.constant_) ** 2, axis=0, weights=sample_weight)
        self.std_ = np.sqrt(square)[None]
        return self

    def _spread(self, X, mean):
        std = np.tile(self.std_, (len(mean), 1))
        return std.ravel() if mean.ndim == 1 else std
