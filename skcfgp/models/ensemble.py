"""`MEGNetEnsemble`: the mean and the spread of networks from different seeds."""

from __future__ import annotations

from numbers import Integral
from typing import Literal, overload

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..features.base import CrystalInputMixin, read_crystals
from ..structures.typing import ArrayLike, Crystals, FloatArray, Predicted, RandomState, Self
from .megnet import MEGNetRegressor


class MEGNetEnsemble(CrystalInputMixin, RegressorMixin, BaseEstimator):
    """Predict the mean and the spread of several networks.

    Parameters
    ----------
    estimator : MEGNetRegressor, default=None
        Regressor that is cloned for each member, with a ``random_state`` of its own. By default
        ``MEGNetRegressor()``.
    n_estimators : int, default=5
        Number of members.
    random_state : int, RandomState or None, default=None
        Controls the seeds of the members. Each has its own initial weights, order of training and
        validation rows.

    Attributes
    ----------
    estimator_ : MEGNetRegressor
        Regressor that was cloned.
    estimators_ : list of MEGNetRegressor
        Fitted members.

    Notes
    -----
    The standard deviation is that of the members' predictions (``ddof=1``). The networks have no
    output for the noise of the labels, which the variance of Lakshminarayanan et al. contains.
    Members that start from a published network differ only by the order of training and the
    validation rows, and their spread is small.

    References
    ----------
    .. [1] Lakshminarayanan, Pritzel, Blundell, "Simple and Scalable Predictive Uncertainty
       Estimation using Deep Ensembles", Adv. Neural Inf. Process. Syst. 30 (2017).
       arXiv:1612.01474

    Examples
    --------
    >>> from skcfgp.datasets import load_formation_energy
    >>> from skcfgp.models import MEGNetEnsemble, MEGNetRegressor
    >>> X, y = load_formation_energy(split="train", return_X_y=True)
    >>> network = MEGNetRegressor("formation_energy_1800", epochs=1)
    >>> ensemble = MEGNetEnsemble(network, n_estimators=2, random_state=0).fit(X[:40], y[:40])
    >>> mean, std = ensemble.predict(X[:5], return_std=True)
    >>> mean.shape, std.shape
    ((5,), (5,))
    """

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012
    estimators_: list[MEGNetRegressor]

    def __init__(
        self,
        estimator: MEGNetRegressor | None = None,
        n_estimators: int = 5,
        *,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.random_state = random_state

    def fit(self, X: Crystals, y: ArrayLike) -> Self:
        """Train the networks, one after the other.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : MEGNetEnsemble

        Raises
        ------
        ValueError
            If there are fewer than two members, or one of them cannot be trained.
        """
        if not isinstance(self.n_estimators, Integral) or self.n_estimators < 2:
            raise ValueError(
                f"n_estimators must be an integer of at least 2, got {self.n_estimators!r}."
            )
        self.estimator_ = MEGNetRegressor() if self.estimator is None else self.estimator
        X, rng = read_crystals(X), check_random_state(self.random_state)
        self.estimators_ = [
            clone(self.estimator_).set_params(random_state=rng.randint(2**31 - 1)).fit(X, y)
            for _ in range(self.n_estimators)
        ]
        return self

    @overload
    def predict(self, X: Crystals, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: Crystals, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(self, X: Crystals, return_std: bool) -> Predicted: ...

    def predict(self, X: Crystals, return_std: bool = False) -> Predicted:
        """Predict the mean of the members and, if asked for, their standard deviation.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals.
        return_std : bool, default=False
            Whether to return the standard deviation.

        Returns
        -------
        mean : ndarray of shape (n_samples,)
            Predictions, in the unit of y.
        std : ndarray of shape (n_samples,)
            Standard deviation, in the unit of y, if `return_std`.
        """
        check_is_fitted(self, "estimators_")
        X = read_crystals(X)  # files are read once
        members = [estimator.predict(X) for estimator in self.estimators_]
        mean = np.mean(members, axis=0)
        return (mean, np.std(members, axis=0, ddof=1)) if return_std else mean

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags
