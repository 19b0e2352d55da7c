"""`MEGNetRegressor`: the network's own prediction, with the error bars that a network can give.

The standard deviation is the error on the validation rows, one number for all crystals, or, trained
with dropout, the spread over passes in which units are dropped. The Gaussian process on the latent
vectors is to be compared with this.
"""

from __future__ import annotations

from numbers import Integral
from typing import Literal, overload

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..features.base import CrystalInputMixin, check_labels, read_crystals
from ..features.megnet import MEGNetFeaturizer
from ..network.dropout import thinned_networks
from ..network.graphs import fold_graphs
from ..structures import check_structures
from ..structures.typing import (
    ArrayLike,
    Crystals,
    FilePath,
    FloatArray,
    Predicted,
    RandomState,
    Self,
)


class MEGNetRegressor(CrystalInputMixin, RegressorMixin, BaseEstimator):
    """Predict a property of crystals by a MEGNet's own readout.

    Parameters
    ----------
    weights : str, Path or None, default="Eform_MP_2019"
        Network to start from: a published or bundled one, a path, or None (random weights); see
        `skcfgp.MEGNetFeaturizer`. If it was trained on another property, its last layer is fitted
        to the new one by least squares before the first step.
    epochs : int, default=60
        Number of epochs for which `fit` trains the network. With 0 it predicts the property that
        it was trained on.
    batch_size : int, default=32
    learning_rate : float, default=2e-3
    weight_decay, distance_noise : float, default=0.0
        Settings of the training, as in `skcfgp.MEGNetFeaturizer`.
    dropout : float, default=0.0
        Probability with which each unit is dropped, in every training step and in every pass of
        `predict` (Monte-Carlo dropout [1]_). Needs ``epochs > 0``.
    n_passes : int, default=30
        Number of passes of `predict` with ``dropout > 0``; without dropout there is one.
    validation_fraction : float, default=0.1
    patience : int or None, default=None
    cutoff : float, default=4.0
    embedding : {"elements", "random"}, default="elements"
    device : str or None, default=None
        Further settings, as in `skcfgp.MEGNetFeaturizer`.
    random_state : int, RandomState or None, default=None
        Controls the initial weights, the validation rows, the order of training and the dropped
        units.
    verbose : int, default=1
        Verbosity; with 0 there is no progress bar.
    checkpoint_dir : str, Path or None, default=None
        Folder in which the state of a training is kept after each epoch, so that the same `fit`
        goes on where it was stopped, or takes the result of a finished training; it needs a
        `random_state`. The file is named by data and parameters, and a folder may serve many.

    Attributes
    ----------
    network_ : skcfgp.network.MEGNet
        The trained network, with all its units.
    history_ : dict of str to list of float
        Training and validation error of each epoch (if ``epochs > 0``).
    validation_indices_ : ndarray of int
        Rows of `fit` that were set aside; with ``epochs=0`` all rows.
    dropout_seed_ : int
        Seed of the units that `predict` drops.
    residual_std_ : float
        Root mean square error on those rows, in the unit of y; NaN if there are none. They chose
        the epoch, so it is a little too small; much too small if the network that training started
        from had seen them.

    See Also
    --------
    skcfgp.models.MEGNetEnsemble : Mean and spread of several such networks.
    skcfgp.MEGNetFeaturizer : The activations of a layer, as features of a Gaussian process.

    Notes
    -----
    The standard deviation over passes is that of the network alone. Gal and Ghahramani add the
    noise of the labels to its square, for which ``residual_std_**2`` can stand. A pass drops the
    same units for all crystals, and every call of `predict` uses the same passes: a prediction
    depends on the crystal and the fit alone.

    References
    ----------
    .. [1] Gal, Ghahramani, "Dropout as a Bayesian Approximation: Representing Model Uncertainty in
       Deep Learning", Proc. Mach. Learn. Res. 48, 1050 (2016). arXiv:1506.02142
    .. [2] Chen, Ye, Zuo, Zheng, Ong, "Graph Networks as a Universal Machine Learning Framework for
       Molecules and Crystals", Chem. Mater. 31, 3564 (2019). doi:10.1021/acs.chemmater.9b01294
    .. [3] Tran et al., "Methods for comparing uncertainty quantifications for material property
       predictions", Mach. Learn.: Sci. Technol. 1, 025006 (2020). doi:10.1088/2632-2153/ab7e1a

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> from skcfgp.models import MEGNetRegressor
    >>> salt = Structure.from_spacegroup(
    ...     "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> regressor = MEGNetRegressor(epochs=0).fit([salt], [-2.13])
    >>> energy, std = regressor.predict([salt], return_std=True)
    >>> print(f"{energy[0]:.2f} +- {std[0]:.2f} eV/atom")
    -2.10 +- 0.03 eV/atom
    """

    __metadata_request__predict = {"return_std": True}  # noqa: RUF012

    def __init__(
        self,
        weights: FilePath | None = "Eform_MP_2019",
        *,
        epochs: int = 60,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        distance_noise: float = 0.0,
        dropout: float = 0.0,
        n_passes: int = 30,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        cutoff: float = 4.0,
        embedding: Literal["elements", "random"] = "elements",
        device: str | None = None,
        random_state: RandomState = None,
        verbose: int = 1,
        checkpoint_dir: FilePath | None = None,
    ) -> None:
        self.weights = weights
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.distance_noise = distance_noise
        self.dropout = dropout
        self.n_passes = n_passes
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.cutoff = cutoff
        self.embedding = embedding
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint_dir = checkpoint_dir

    def fit(self, X: Crystals, y: ArrayLike) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals, in any form that `skcfgp.structures.check_structures` takes.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : MEGNetRegressor

        Raises
        ------
        ValueError
            If a parameter, a crystal or a target value is not valid.
        """
        self._check_parameters()
        X = read_crystals(X)
        y = check_labels(y, len(X))
        trained = self._trainer().fit(X, y)
        self.network_ = trained.network_
        self.validation_indices_ = getattr(trained, "validation_indices_", np.arange(len(y)))
        self.__dict__.pop("history_", None)  # drop what a previous fit left
        if self.epochs:
            self.history_ = trained.history_
        self.dropout_seed_ = check_random_state(self.random_state).randint(2**31 - 1)
        self.residual_std_ = self._validation_error(X, y)
        return self

    @overload
    def predict(self, X: Crystals, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: Crystals, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(self, X: Crystals, return_std: bool) -> Predicted: ...

    def predict(self, X: Crystals, return_std: bool = False) -> Predicted:
        """Predict the property and, if asked for, its standard deviation.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals.
        return_std : bool, default=False
            Whether to return the standard deviation.

        Returns
        -------
        mean : ndarray of shape (n_samples,)
            Predictions, in the unit of y; with dropout the mean over the passes.
        std : ndarray of shape (n_samples,)
            Standard deviation, in the unit of y, if `return_std`: ``residual_std_`` for every
            crystal, or with dropout the standard deviation over the passes.

        Raises
        ------
        ValueError
            If a crystal cannot be used, or there were no validation rows to take the standard
            deviation from.
        """
        check_is_fitted(self, "network_")
        mean, std = self._mean_and_std(X)
        if not return_std:
            return mean
        if np.isnan(std).any():
            raise ValueError(
                f"validation_fraction={self.validation_fraction} set no row aside to take the "
                "standard deviation from. Increase it, or train with dropout."
            )
        return mean, std

    def _check_parameters(self):
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout!r}.")
        if self.dropout and not self.epochs:
            raise ValueError(
                f"dropout={self.dropout} needs epochs > 0: a network must be trained with the "
                "dropout that it predicts with."
            )
        if not isinstance(self.n_passes, Integral) or self.n_passes < 2:
            raise ValueError(f"n_passes must be an integer of at least 2, got {self.n_passes!r}.")

    def _trainer(self):
        """Return the featurizer that trains the network."""
        return MEGNetFeaturizer(
            self.weights,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            distance_noise=self.distance_noise,
            dropout=self.dropout,
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            cutoff=self.cutoff,
            embedding=self.embedding,
            device=self.device,
            random_state=self.random_state,
            verbose=self.verbose,
            checkpoint_dir=self.checkpoint_dir,
        )

    def _validation_error(self, X, y):
        rows = self.validation_indices_
        if not len(rows):
            return np.nan
        mean, _ = self._mean_and_std(X.iloc[rows])
        return float(np.sqrt(np.mean((mean - y[rows]) ** 2)))

    def _mean_and_std(self, X):
        network = self.network_
        graphs = network.graphs(check_structures(X))
        if not self.dropout:
            mean = network.read_out(graphs, self.device)
            return mean, np.full(len(mean), getattr(self, "residual_std_", np.nan))
        graphs = fold_graphs(graphs, network.architecture.n_blocks)  # once, not in each pass
        networks = thinned_networks(
            network, self.dropout, self.n_passes, random_state=self.dropout_seed_
        )
        passes = [thinned.read_out(graphs, self.device) for thinned in networks]
        return np.mean(passes, axis=0), np.std(passes, axis=0, ddof=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags
