"""`MEGNet`: shape, weights and card of one network, and what can be asked of it."""

import hashlib
from dataclasses import asdict, dataclass, field

import numpy as np

from ..structures import Failure, InvalidStructureError, check_structures
from ..structures.crystal import ELEMENTS
from .architecture import Architecture, named_variables, shape_of
from .graphs import edge_batches, fold_graphs, join_graphs, structure_graph
from .initial import initial_weights
from .threads import check_process

__all__ = ["MEGNet"]

#: Edges per batch; on a CPU more is not faster, it only leaves the cache.
MAX_EDGES = 16_384
MAX_EDGES_GPU = 262_144


@dataclass(eq=False)  # arrays have no single truth value; `digest` compares networks
class MEGNet:
    """A network: its shape, weights, target scaler and card.

    Parameters
    ----------
    architecture : Architecture
    weights : dict of str to ndarray
        float32 arrays named as megnet names its layers.
    target_mean, target_std : float, default=0.0, 1.0
        Scaler of the target, in its unit: the last layer predicts
        ``(target - target_mean) / target_std``.
    card : dict
        Data, split, metric, unit and licence, as plain JSON values.
    """

    architecture: Architecture
    weights: dict = field(repr=False)
    target_mean: float = 0.0
    target_std: float = 1.0
    card: dict = field(default_factory=dict, repr=False)

    @classmethod
    def initialize(cls, architecture, random_state=None, embedding="elements"):
        """Draw the weights of a new network.

        megnet builds the layers. Their values depend on `random_state` alone and follow megnet's
        initialisers: Glorot uniform, orthogonal for the recurrent kernels, zero biases except for
        ones at the forget gates.

        Parameters
        ----------
        architecture : Architecture
        random_state : int, RandomState or None
        embedding : {"elements", "random"}, default="elements"
            Start of the atom embedding: standardised properties of the elements, so that similar
            elements start close together, or random as in megnet. It is trained in both cases.

        Returns
        -------
        MEGNet
        """
        return cls(architecture, initial_weights(architecture, random_state, embedding))

    @classmethod
    def from_megnet(cls, model):
        """Convert a ``megnet.models.MEGNetModel``.

        Parameters
        ----------
        model : megnet.models.MEGNetModel
            Model built by megnet's constructor, with its default activation.

        Returns
        -------
        MEGNet
        """
        variables = {name: v.numpy() for name, v in named_variables(model).items()}
        converter = model.graph_converter
        centers = np.asarray(converter.bond_converter.centers)
        passes = model.model.get_layer("set2set_atom").T
        return cls(
            shape_of(variables, passes, converter.cutoff, centers, converter.bond_converter.width),
            variables,
            float(getattr(model.target_scaler, "mean", 0.0)),
            float(getattr(model.target_scaler, "std", 1.0)),
            dict(model.metadata),
        )

    def to_megnet(self):
        """Build the ``megnet.models.MEGNetModel`` with these weights; it predicts the same.

        Returns
        -------
        megnet.models.MEGNetModel
        """
        model = self.architecture.build_megnet()
        for name, variable in named_variables(model).items():
            variable.assign(self.weights[name])
        from megnet.utils.preprocessing import StandardScaler

        model.target_scaler = StandardScaler(self.target_mean, self.target_std)
        model.metadata = dict(self.card)
        return model

    def graph(self, structure):
        """Build the graph of one crystal.

        Parameters
        ----------
        structure : pymatgen.core.Structure or Crystal

        Returns
        -------
        skcfgp.network.graphs.Graph

        Raises
        ------
        ValueError
            If no two atoms are within the cut-off, or an element is past the network's table.
        """
        heaviest = int(np.max(structure.atomic_numbers))
        if heaviest >= self.architecture.n_species:
            raise ValueError(
                f"the element {ELEMENTS[heaviest]} (atomic number {heaviest}) is not known to this "
                f"network, whose table ends at {self.architecture.n_species - 1}."
            )
        return structure_graph(structure, self.architecture.cutoff)

    def graphs(self, crystals):
        """Build the graphs of crystals; an error names the crystal.

        Parameters
        ----------
        crystals : skcfgp.structures.Structures

        Returns
        -------
        list of skcfgp.network.graphs.Graph

        Raises
        ------
        InvalidStructureError
            Naming all crystals that `graph` refuses.
        """
        graphs, failures = [], []
        for row, structure in enumerate(crystals.structures):
            try:
                graphs.append(self.graph(structure))
            except ValueError as error:
                failures.append(Failure(row, crystals.ids[row], str(error)))
        if failures:
            raise InvalidStructureError(failures)
        return graphs

    def compute(self, graphs, layers, device=None, progress=None):
        """Run graphs through the network, in batches.

        Parameters
        ----------
        graphs : sequence of Graph
        layers : sequence of {"set2set", "readout_0", "readout_1", "output"}
        device : str or None
            TensorFlow device, such as ``"/GPU:0"`` or ``"/CPU:0"``. By default TensorFlow chooses:
            the GPU where there is one.
        progress : callable or None
            Called after each batch with its number of crystals.

        Returns
        -------
        list of ndarray of shape (n_graphs, width of the layer), float32
        """
        import tensorflow as tf

        from . import forward

        check_process()
        on_gpu = bool(prepare_gpus()) and "CPU" not in str(device).upper()
        graphs = fold_graphs(graphs, self.architecture.n_blocks)
        widths = self.architecture.widths
        results = [np.empty((len(graphs), widths[layer]), dtype=np.float32) for layer in layers]
        with tf.device(device):
            weights = {name: tf.constant(value) for name, value in self.weights.items()}
            shapes = tuple((name, value.shape) for name, value in self.weights.items())
            run = forward.compiled_forward(self.architecture, shapes)
            for rows in edge_batches(graphs, MAX_EDGES_GPU if on_gpu else MAX_EDGES):
                batch = join_graphs([graphs[row] for row in rows])
                outputs = run(weights, forward.as_tensors(batch))
                for layer, result in zip(layers, results, strict=True):
                    result[rows] = getattr(outputs, layer).numpy()
                if progress is not None:
                    progress(len(rows))
        return results

    def predict(self, structures, device=None):
        """Predict by the network's own readout.

        Parameters
        ----------
        structures : array-like of shape (n_samples,)
            See `skcfgp.structures.check_structures`.
        device : str or None

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets), float64
            In the unit of the target, ``card["unit"]``.
        """
        return self.read_out(self.graphs(check_structures(structures)), device)

    def read_out(self, graphs, device=None):
        """Predict from graphs, as `predict` does from crystals.

        Parameters
        ----------
        graphs : sequence of Graph
        device : str or None

        Returns
        -------
        ndarray of shape (n_graphs,) or (n_graphs, n_targets), float64
        """
        (output,) = self.compute(graphs, ["output"], device=device)
        values = output.astype(float) * self.target_std + self.target_mean
        return values[:, 0] if values.shape[1] == 1 else values

    def rescale_target(self, mean, std):
        """Change the target scaler, and the last layer so that predictions stay the same.

        Parameters
        ----------
        mean, std : float
            New scaler, in the unit of the target.
        """
        kernel, bias = self.weights["readout_2/kernel"], self.weights["readout_2/bias"]
        ratio = self.target_std / std
        self.weights["readout_2/kernel"] = (kernel * ratio).astype(np.float32)
        shift = (self.target_mean - mean) / std
        self.weights["readout_2/bias"] = (bias * ratio + shift).astype(np.float32)
        self.target_mean, self.target_std = float(mean), float(std)

    def digest(self):
        """Hash everything that determines the latent vectors.

        Returns
        -------
        str
            32 hexadecimal digits: equal for networks whose architecture and weights before the
            last layer are equal.
        """
        digest = hashlib.blake2b(repr(asdict(self.architecture)).encode(), digest_size=16)
        for name in sorted(self.weights):
            if not name.startswith("readout_2/"):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(self.weights[name]).tobytes())
        return digest.hexdigest()

    def copy(self):
        """Copy the network and its weights.

        Returns
        -------
        MEGNet
        """
        weights = {name: value.copy() for name, value in self.weights.items()}
        return MEGNet(
            self.architecture, weights, self.target_mean, self.target_std, dict(self.card)
        )


def prepare_gpus():
    """Let TensorFlow take GPU memory as it needs it, not all at once; list the GPUs."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # the user has started the GPU in their own way
            break
    return gpus
