"""`MEGNet`: architecture, weights and card of a network, and its predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..structures import Failure, InvalidStructureError, check_structures
from ..structures.crystal import ELEMENTS
from ..structures.typing import Crystals, FloatArray, RandomState, Self
from . import gpu, numpy_ops
from .architecture import Architecture, named_variables, shape_of
from .forward import forward
from .graphs import edge_batches, fold_graphs, join_graphs, structure_graph
from .initial import initial_weights

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ..structures import Crystal, Structures
    from .graphs import Graph

#: Edges per batch: on a CPU larger batches do not fit into the cache, on a GPU smaller ones wait.
MAX_EDGES, MAX_EDGES_GPU = 8_192, 262_144


@dataclass(eq=False)  # arrays have no single truth value; `digest` compares networks
class MEGNet:
    """A network: its architecture, weights, target scaler and card.

    Parameters
    ----------
    architecture : Architecture
    weights : dict of str to ndarray
        Arrays of float32, named as in megnet.
    target_mean, target_std : float, default=0.0, 1.0
        Scaler of the target, in its unit: the last layer predicts
        ``(target - target_mean) / target_std``.
    card : dict
        Data, split, metric, unit and licence, as plain JSON values.
    """

    architecture: Architecture
    weights: dict[str, Any] = field(repr=False)
    target_mean: float = 0.0
    target_std: float = 1.0
    card: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def initialize(
        cls,
        architecture: Architecture,
        random_state: RandomState = None,
        embedding: Literal["elements", "random"] = "elements",
    ) -> Self:
        """Draw the weights of a new network.

        The weights depend on `random_state` alone. The initialisers are megnet's: Glorot uniform,
        orthogonal for the recurrent kernels, zero biases except for ones at the forget gates.

        Parameters
        ----------
        architecture : Architecture
        random_state : int, RandomState or None
        embedding : {"elements", "random"}, default="elements"
            Initial atom embedding, which training changes: standardised properties of the elements,
            so that similar elements start close together, or random as in megnet.

        Returns
        -------
        MEGNet
        """
        return cls(architecture, initial_weights(architecture, random_state, embedding))

    @classmethod
    def from_megnet(cls, model: Any) -> Self:
        """Convert a ``megnet.models.MEGNetModel`` that has megnet's default activation."""
        variables = {name: v.numpy() for name, v in named_variables(model).items()}
        converter = model.graph_converter
        bonds, passes = converter.bond_converter, model.model.get_layer("set2set_atom").T
        architecture = shape_of(variables, passes, converter.cutoff, bonds.centers, bonds.width)
        mean = float(getattr(model.target_scaler, "mean", 0.0))
        std = float(getattr(model.target_scaler, "std", 1.0))
        return cls(architecture, variables, mean, std, dict(model.metadata))

    def to_megnet(self) -> Any:
        """Convert to a ``megnet.models.MEGNetModel`` with the same predictions."""
        model = self.architecture.build_megnet()
        for name, variable in named_variables(model).items():
            variable.assign(self.weights[name])
        from megnet.utils.preprocessing import StandardScaler

        model.target_scaler = StandardScaler(self.target_mean, self.target_std)
        model.metadata = dict(self.card)
        return model

    def graph(self, structure: Structure | Crystal) -> Graph:
        """Build the graph of a pymatgen ``Structure`` or a `Crystal`.

        ValueError if no two atoms are within the cut-off, or an element is not known.
        """
        heaviest = int(np.max(structure.atomic_numbers))
        if heaviest >= self.architecture.n_species:
            raise ValueError(
                f"the element {ELEMENTS[heaviest]} (atomic number {heaviest}) is not known to this "
                f"network, which knows those up to {self.architecture.n_species - 1}."
            )
        return structure_graph(structure, self.architecture.cutoff)

    def graphs(self, crystals: Structures) -> list[Graph]:
        """Build the graphs of ``Structures``; one InvalidStructureError names all refused."""
        graphs, failures = [], []
        for row, structure in enumerate(crystals.structures):
            try:
                graphs.append(self.graph(structure))
            except ValueError as error:
                failures.append(Failure(row, crystals.ids[row], str(error)))
        if failures:
            raise InvalidStructureError(failures)
        return graphs

    def compute(
        self,
        graphs: Sequence[Graph],
        layers: Sequence[str],
        device: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[NDArray[np.float32]]:
        """Run graphs through the network, in batches.

        On a CPU the result for a graph depends on it alone, to the last bit, and not on the others.

        Parameters
        ----------
        graphs : sequence of Graph
        layers : sequence of {"set2set", "readout_0", "readout_1", "output"}
        device : str or None
            ``"/CPU:0"``, which is NumPy, or a TensorFlow device such as ``"/GPU:0"``; by default
            the GPU if there is one.
        progress : callable or None
            Function that is called after each batch with its number of crystals.

        Returns
        -------
        list of ndarray of shape (n_graphs, width of the layer), float32
        """
        graphs = fold_graphs(graphs, self.architecture.n_blocks)
        widths = self.architecture.widths
        results = [np.empty((len(graphs), widths[layer]), dtype=np.float32) for layer in layers]
        found, most, run = gpu.chosen_device(device), MAX_EDGES, self._run
        if found is not None:
            most, run = MAX_EDGES_GPU, gpu.runner(self, found)
        for rows in edge_batches(graphs, most):
            outputs = run(join_graphs([graphs[row] for row in rows]))
            for layer, result in zip(layers, results, strict=True):
                result[rows] = np.asarray(getattr(outputs, layer))
            if progress is not None:
                progress(len(rows))
        return results

    def _run(self, batch):
        return forward(self.weights, batch, self.architecture, numpy_ops)

    def predict(self, structures: Crystals | Structures, device: str | None = None) -> FloatArray:
        """Predict by the network's own readout.

        Parameters
        ----------
        structures : array-like of shape (n_samples,)
            Crystals; see `skcfgp.structures.check_structures`.
        device : str or None
            See `compute`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets), float64
            In the unit of the target, ``card["unit"]``.
        """
        return self.read_out(self.graphs(check_structures(structures)), device)

    def read_out(self, graphs: Sequence[Graph], device: str | None = None) -> FloatArray:
        """Predict from graphs; see `predict`."""
        (output,) = self.compute(graphs, ["output"], device)
        values = output.astype(float) * self.target_std + self.target_mean
        return values[:, 0] if values.shape[1] == 1 else values

    def rescale_target(self, mean: float, std: float) -> None:
        """Change the target scaler, and the last layer so that predictions do not change."""
        kernel, bias = self.weights["readout_2/kernel"], self.weights["readout_2/bias"]
        ratio = self.target_std / std
        self.weights["readout_2/kernel"] = (kernel * ratio).astype(np.float32)
        shift = (self.target_mean - mean) / std
        self.weights["readout_2/bias"] = (bias * ratio + shift).astype(np.float32)
        self.target_mean, self.target_std = float(mean), float(std)

    def digest(self) -> str:
        """Hash what determines the latent vectors: architecture and weights but the last layer."""
        digest = hashlib.blake2b(repr(asdict(self.architecture)).encode(), digest_size=16)
        for name in sorted(self.weights):
            if not name.startswith("readout_2/"):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(self.weights[name]).tobytes())
        return digest.hexdigest()

    def copy(self) -> MEGNet:
        """Copy the network and its weights."""
        weights = {name: value.copy() for name, value in self.weights.items()}
        return MEGNet(
            self.architecture, weights, self.target_mean, self.target_std, dict(self.card)
        )
