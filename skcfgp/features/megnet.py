"""`MEGNetFeaturizer`: latent vectors of crystals from a MEGNet."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import Literal

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.utils.parallel import Parallel, delayed

from .. import structures
from ..gaussian_process.common import check_mask
from ..structures import InvalidStructureError
from ..structures.typing import ArrayLike, Crystals, FilePath, OnError, RandomState, Self
from .base import CrystalTransformerMixin, check_labels
from .progress import tqdm
from .store import DiskStore, look_up, memory

#: Layers by role, in the order in which a crystal passes through them.
LAYERS = ("set2set", "readout_0", "readout_1")

#: Number of crystals whose graphs are in memory at a time, and of a job of `n_jobs`.
CHUNK = 1000


# Loading needs milliseconds, but a loop over clones loads thousands of times. Each featurizer gets
# a copy, because a network is mutable.
@lru_cache(maxsize=8)
def _load_once(weights):
    from ..network import load_network

    return load_network(weights)


class LeakageWarning(UserWarning):
    """A network was trained on the labels of crystals that it is given."""


class MEGNetFeaturizer(CrystalTransformerMixin, BaseEstimator):
    """Turn crystals into the activations of a layer of a MEGNet.

    Parameters
    ----------
    weights : str, Path or None, default="Eform_MP_2019"
        Network: a published one by its name in megnet (``"Eform_MP_2019"``, trained on four fifths
        of 133,420 formation energies, is bundled; others are in `skcfgp.network.PUBLISHED`), the
        bundled ``"formation_energy_1800"``, trained on the training part of
        `skcfgp.datasets.load_formation_energy` only, a path, or None for random weights, which
        `fit` trains.
    layer : {"set2set", "readout_0", "readout_1"} or list of them, default="readout_0"
        ``"set2set"`` holds the pooled sites, bonds and state, 96 wide, ``"readout_0"`` is the next,
        dense layer, 32 wide ("Dense 32" in the paper), ``"readout_1"`` the one after, 16 wide. The
        layers of a list are concatenated.
    epochs : int, default=0
        Number of epochs for which `fit` trains the network on ``(X, y)``, or 0 not to train it. The
        last layer of a network of another property is fitted to y before the first step.
    batch_size : int, default=32
        Number of crystals per training step.
    learning_rate : float, default=2e-3
        Maximum learning rate, also for fine-tuning: with a tenth of it the validation errors were
        1.3 to 2.3 times as large after 30 epochs on four properties.
    weight_decay : float, default=0.0
        Decoupled weight decay.
    distance_noise : float, default=0.0
        Standard deviation, in angstrom, of noise added to every distance in every training step.
    dropout : float, default=0.0
        Probability with which each unit is dropped in a training step. `transform` drops none; see
        `skcfgp.models.MEGNetRegressor` for a prediction that does.
    validation_fraction : float, default=0.1
        Fraction of the rows that `fit` sets aside to choose the best epoch.
    patience : int or None, default=None
        Number of epochs without a better validation error after which training stops.
    cutoff : float, default=4.0
        Longest bond, in angstrom, of a new network (``weights=None``).
    embedding : {"elements", "random"}, default="elements"
        Initial atom embedding of a new network: standardised properties of the elements, or random
        as in megnet.
    on_error : {"raise", "nan"}, default="raise"
        Whether crystals that cannot be used raise one error, after the vectors of all others are
        stored, or get rows of NaN, with one warning that names them.
    cache_dir : str, Path or None, default=None
        Folder of a feature cache on disk, besides the one in memory.
    device : str or None, default=None
        TensorFlow device, such as ``"/GPU:0"`` or ``"/CPU:0"``; by default the GPU if there is one.
        On a CPU `transform` needs no TensorFlow.
    n_jobs : int, default=None
        Number of processes that read files and, in `transform`, build graphs and run the network
        for 1,000 crystals at a time: 1 unless a joblib context says otherwise, such as
        ``joblib.parallel_config("dask")``; -1 uses all processors.
    random_state : int, RandomState or None, default=None
        Controls the initial weights, the validation part and the order of training.
    verbose : int, default=1
        Whether to show a progress bar in a terminal; 0 disables it.
    checkpoint_dir : str, Path or None, default=None
        Folder in which the state of a training is kept after each epoch, so that the same `fit`
        goes on where it was stopped, or takes the result of a finished training; it needs a
        `random_state`. The file is named by data and parameters, and a folder may serve many.

    Attributes
    ----------
    network_ : skcfgp.network.MEGNet
        The network; ``network_.predict(structures)`` uses its own readout.
    history_ : dict of str to list of float
        Training and validation error of each epoch (if ``epochs > 0``).
    validation_indices_ : ndarray of int
        Rows of `fit` used for validation (if ``epochs > 0``).

    See Also
    --------
    skcfgp.GaussianProcessRegressor : Mean and standard deviation from such vectors.

    References
    ----------
    .. [1] Chen, Ye, Zuo, Zheng, Ong, "Graph Networks as a Universal Machine Learning Framework for
       Molecules and Crystals", Chem. Mater. 31, 3564 (2019). doi:10.1021/acs.chemmater.9b01294
    .. [2] Allotey, Butler, Thiyagalingam, "Entropy-based Active Learning of Graph Neural Network
       Surrogate Models for Materials Properties" (2021).

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> from skcfgp import MEGNetFeaturizer
    >>> salt = Structure.from_spacegroup(
    ...     "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> featurizer = MEGNetFeaturizer()
    >>> featurizer.fit_transform([salt]).shape
    (1, 32)
    >>> print(f"{featurizer.network_.predict([salt])[0]:.2f} eV/atom")
    -2.10 eV/atom
    """

    def __init__(
        self,
        weights: FilePath | None = "Eform_MP_2019",
        layer: str | Sequence[str] = "readout_0",
        *,
        epochs: int = 0,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        distance_noise: float = 0.0,
        dropout: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        cutoff: float = 4.0,
        embedding: Literal["elements", "random"] = "elements",
        on_error: OnError = "raise",
        cache_dir: FilePath | None = None,
        device: str | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 1,
        checkpoint_dir: FilePath | None = None,
    ) -> None:
        self.weights = weights
        self.layer = layer
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.distance_noise = distance_noise
        self.dropout = dropout
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.cutoff = cutoff
        self.embedding = embedding
        self.on_error = on_error
        self.cache_dir = cache_dir
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint_dir = checkpoint_dir

    def fit(self, X: Crystals, y: ArrayLike | None = None, unseen: ArrayLike | None = None) -> Self:
        """Load the network and, with ``epochs > 0``, train it.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Crystals, in any form that `skcfgp.structures.check_structures` accepts.
        y : array-like of shape (n_samples,), default=None
            Target; needed for training only.
        unseen : array-like of shape (n_samples,), bool, default=None
            Rows that the network does not train on, to choose the best epoch instead of a random
            part. Ignored with ``epochs=0``.

        Returns
        -------
        self : MEGNetFeaturizer

        Raises
        ------
        ValueError
            If a parameter is not valid. With ``epochs > 0`` also if `y` is missing or not finite.
        InvalidStructureError
            If crystals cannot be used, and ``on_error="raise"`` or ``epochs > 0``.
        """
        self._check_parameters()
        crystals = self._read(X)
        if not len(crystals.structures):
            raise ValueError("X has no crystals: found array with 0 sample(s).")
        if crystals.failures and (self.epochs or self.on_error == "raise"):
            raise InvalidStructureError(crystals.failures)
        warn_if_trained_on(self.weights, crystals.structures)
        network = self._initial_network()
        for name in ("history_", "validation_indices_"):
            self.__dict__.pop(name, None)  # drop attributes left by a previous fit
        if self.epochs:
            self.history_, self.validation_indices_ = self._train(network, crystals, y, unseen)
        self.network_ = network
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags

    def _names(self):
        widths = self.network_.architecture.widths
        return [f"{layer}_{unit:02d}" for layer in self._layers() for unit in range(widths[layer])]

    def _layers(self):
        return [self.layer] if isinstance(self.layer, str) else list(self.layer)

    def _check_parameters(self):
        layers = self._layers()
        if unknown := [layer for layer in layers if layer not in LAYERS]:
            raise ValueError(f"layer must be of {LAYERS} or a list of them, got {unknown[0]!r}.")
        if not layers or len(set(layers)) < len(layers):
            raise ValueError(f"layer must name each layer once, got {self.layer!r}.")
        super()._check_parameters()
        if not isinstance(self.epochs, Integral) or self.epochs < 0:
            raise ValueError(f"epochs must be an integer of at least 0, got {self.epochs!r}.")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must be in [0, 1), got {self.validation_fraction!r}."
            )
        if self.weights is None and not self.epochs:
            raise ValueError(
                "weights=None is a network with random weights; set epochs > 0 to train it, or "
                "choose a trained network."
            )

    def _initial_network(self):
        from ..network import BUNDLED, PUBLISHED, Architecture, MEGNet, load_network

        if str(self.weights) in (*BUNDLED, *PUBLISHED):
            return _load_once(str(self.weights)).copy()
        if self.weights is not None:
            return load_network(self.weights)
        return MEGNet.initialize(
            Architecture(cutoff=float(self.cutoff)), self.random_state, self.embedding
        )

    def _train(self, network, crystals, y, unseen):
        """Train the network in place; return the history and the validation rows."""
        from ..network import train

        if y is None:
            raise ValueError("epochs > 0 needs the target y to train on, got y=None.")
        y = check_labels(y, len(crystals.structures))
        validation = None if unseen is None else check_mask("unseen", unseen, len(y))
        with self._progress(self.epochs, "epoch", "training") as bar:

            def show(epoch, history):
                bar.set_postfix(val_mae=f"{history['val_mae'][-1]:.4g}", refresh=False)
                bar.update()

            return train(
                network,
                network.graphs(crystals),
                y,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                distance_noise=self.distance_noise,
                dropout=self.dropout,
                validation_fraction=self.validation_fraction,
                patience=self.patience,
                device=self.device,
                random_state=self.random_state,
                validation=validation,
                adapt_readout=self.weights is not None,
                on_epoch=show,
                checkpoint_dir=self.checkpoint_dir,
            )

    def _transform(self, crystals):
        """Look up stored vectors, compute and store the others, then report failures."""
        keys = [None if c is None else structures.structure_digest(c) for c in crystals.structures]
        layers = self._layers()
        space = f"{self.network_.digest()}/{'+'.join(layers)}"  # the network may have been edited
        stores = [memory] if self.cache_dir is None else [memory, DiskStore(self.cache_dir)]
        vectors = look_up(stores, space, set(keys) - {None})
        n_units = sum(self.network_.architecture.widths[layer] for layer in layers)
        if any(len(vector) != n_units for vector in vectors.values()):
            raise OSError(
                f"the feature store in {self.cache_dir} is damaged: a vector has not {n_units} "
                "numbers. Remove the folder; the vectors are computed again."
            )
        # compute equal crystals once
        new = {k: c for k, c in zip(keys, crystals.structures, strict=True) if k not in vectors}
        new.pop(None, None)
        errors = {}
        for found, wrong in self._computed(list(new.items()), layers):
            for store in stores:
                store.put(space, found)
            vectors |= found
            errors |= wrong
        self._report(crystals, {row: errors[k] for row, k in enumerate(keys) if k in errors})
        features = np.full((len(keys), n_units), np.nan, dtype=np.float32)
        for row, key in enumerate(keys):
            if key in vectors:
                features[row] = vectors[key]
        return features

    def _computed(self, items, layers):
        """Yield vectors and errors of each chunk by key, optionally computed in processes."""
        chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
        with self._progress(len(items), "crystal", "featurizing") as bar:
            if min(len(chunks), effective_n_jobs(self.n_jobs)) <= 1:
                for chunk in chunks:
                    yield _vectors(self.network_, chunk, layers, self.device, bar.update)
                return
            jobs = (delayed(_vectors)(self.network_, c, layers, self.device) for c in chunks)
            for chunk, result in zip(chunks, Parallel(n_jobs=self.n_jobs)(jobs), strict=True):
                bar.update(len(chunk))
                yield result

    def _progress(self, total, unit, description):
        disable = None if self.verbose else True
        return tqdm(total=total, unit=unit, desc=description, delay=1.0, disable=disable)


def _vectors(network, items, layers, device=None, progress=None):
    """Compute the vectors of crystals by key, and the errors of those that have no graph."""
    graphs, errors = {}, {}
    for key, crystal in items:
        try:
            graphs[key] = network.graph(crystal)
        except ValueError as error:
            errors[key] = str(error)
    outputs = np.hstack(network.compute(list(graphs.values()), layers, device, progress))
    return dict(zip(graphs, outputs, strict=True)), errors


def warn_if_trained_on(weights, crystals):
    """Warn if a published network is given crystals of the bundled formation energies."""
    from ..network import PUBLISHED

    if str(weights) not in PUBLISHED or "Eform" not in str(weights):
        return
    if any(c is not None and c.properties.get("dataset") == "formation_energy" for c in crystals):
        warnings.warn(
            f"the network {weights!r} was trained on the formation energies of these crystals: "
            "errors on them will be far too small. Use weights='formation_energy_1800', which was "
            "trained on the training part only.",
            LeakageWarning,
            stacklevel=4,
        )
