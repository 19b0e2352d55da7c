"""`MEGNet`: hyper-parameters, weights and card of one network, and what can be asked of it."""

import hashlib
import warnings
from dataclasses import asdict, dataclass, field

import numpy as np

from .._compat import import_megnet
from ..elements import element_properties
from ..structures.crystal import ELEMENTS
from .graphs import edge_batches, fold_graphs, join_graphs, structure_graph

__all__ = ["Architecture", "MEGNet"]

#: Edges per batch; on a CPU more is not faster, it only leaves the cache.
MAX_EDGES = 16_384
MAX_EDGES_GPU = 262_144


@dataclass(frozen=True)
class Architecture:
    """Shape of a MEGNet (Chen et al., Chem. Mater. 31, 3564 (2019)); defaults are megnet's own.

    Parameters
    ----------
    n_blocks : int, default=3
        Graph-network blocks.
    n1, n2, n3 : int, default=64, 32, 16
        Widths of the dense layers.
    n_species : int, default=95
        Rows of the atom embedding: one more than the largest atomic number.
    embedding_dim : int, default=16
    n_state : int, default=2
        Width of the state input, which is all zeros.
    n_passes : int, default=3
        Steps of Set2Set.
    n_targets : int, default=1
    cutoff : float, default=4.0
        Longest edge, in angstrom.
    n_gaussians, gaussian_max, gaussian_width : int, float, float, default=100, 5.0, 0.5
        Basis in which a distance is expanded; the last two in angstrom.
    """

    n_blocks: int = 3
    n1: int = 64
    n2: int = 32
    n3: int = 16
    n_species: int = 95
    embedding_dim: int = 16
    n_state: int = 2
    n_passes: int = 3
    n_targets: int = 1
    cutoff: float = 4.0
    n_gaussians: int = 100
    gaussian_max: float = 5.0
    gaussian_width: float = 0.5

    def build_megnet(self):
        """Build megnet's own model of this shape, with weights that it draws itself.

        Returns
        -------
        megnet.models.MEGNetModel
        """
        models = import_megnet()
        from megnet.data.crystal import CrystalGraph
        from megnet.data.graph import GaussianDistance

        converter = CrystalGraph(
            cutoff=self.cutoff,
            bond_converter=GaussianDistance(
                np.linspace(0, self.gaussian_max, self.n_gaussians), self.gaussian_width
            ),
        )
        with warnings.catch_warnings():  # tf_keras: one initialiser draws for several layers
            warnings.filterwarnings("ignore", message="The initializer", category=UserWarning)
            return models.MEGNetModel(
                nfeat_edge=self.n_gaussians,
                nfeat_global=self.n_state,
                nblocks=self.n_blocks,
                n1=self.n1,
                n2=self.n2,
                n3=self.n3,
                nvocal=self.n_species,
                embedding_dim=self.embedding_dim,
                npass=self.n_passes,
                ntarget=self.n_targets,
                graph_converter=converter,
            )


@dataclass
class MEGNet:
    """A network: its shape, weights, target scaler and card.

    Parameters
    ----------
    architecture : Architecture
    weights : dict of str to ndarray
        float32 arrays named as megnet names its layers.
    target_mean, target_std : float, default=0.0, 1.0
        The network's last layer predicts ``(target - target_mean) / target_std``.
    card : dict
        What a reader must know: data, split, metric, unit, licence. Plain JSON values.
    """

    architecture: Architecture
    weights: dict
    target_mean: float = 0.0
    target_std: float = 1.0
    card: dict = field(default_factory=dict)

    @classmethod
    def initialize(cls, architecture, random_state=None, embedding="elements"):
        """Draw the weights of a new network.

        megnet builds the layers; their values are drawn here, from `random_state` alone, in the
        way megnet's initialisers do (Glorot uniform, orthogonal for the recurrent kernels, zero
        biases but one for the forget gates).

        Parameters
        ----------
        architecture : Architecture
        random_state : int, RandomState or None
        embedding : {"elements", "random"}, default="elements"
            Whether the atom embedding starts from standardised properties of the elements, so that
            similar elements start close together, or at random as in megnet. Either way it is
            trained like every other layer.

        Returns
        -------
        MEGNet
        """
        from sklearn.utils import check_random_state

        if embedding not in ("elements", "random"):
            raise ValueError(f"embedding must be 'elements' or 'random', got {embedding!r}.")
        rng = check_random_state(random_state)
        weights = {
            name: _initial_value(name, variable.shape, rng)
            for name, variable in _named_variables(architecture.build_megnet()).items()
        }
        if embedding == "elements":
            _embed_elements(weights["atom_embedding/embeddings"])
        return cls(architecture, weights)

    @classmethod
    def from_megnet(cls, model):
        """Take over a ``megnet.models.MEGNetModel``.

        Parameters
        ----------
        model : megnet.models.MEGNetModel
            Built by megnet's constructor, with its default activation.

        Returns
        -------
        MEGNet
        """
        variables = {name: v.numpy() for name, v in _named_variables(model).items()}
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
        for name, variable in _named_variables(model).items():
            variable.assign(self.weights[name])
        from megnet.utils.preprocessing import StandardScaler

        model.target_scaler = StandardScaler(self.target_mean, self.target_std)
        model.metadata = dict(self.card)
        return model

    def graph(self, structure):
        """Build the graph of one crystal, within this network's limits.

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

    def compute(self, graphs, layers, device=None, progress=None):
        """Run graphs through the network, in batches.

        Parameters
        ----------
        graphs : sequence of Graph
        layers : sequence of str
            Fields of `forward.Outputs`.
        device : str or None
            A TensorFlow device such as ``"/GPU:0"`` or ``"/CPU:0"``; None leaves it to TensorFlow,
            which takes the GPU where there is one.
        progress : callable or None
            Called with the number of crystals done after each batch.

        Returns
        -------
        list of ndarray of shape (n_graphs, width of the layer), float32
        """
        import tensorflow as tf

        from . import forward

        on_gpu = bool(prepare_gpus()) and "CPU" not in str(device).upper()
        graphs = fold_graphs(graphs, self.architecture.n_blocks)
        results = [None] * len(layers)
        with tf.device(device):
            weights = {name: tf.constant(value) for name, value in self.weights.items()}
            shapes = tuple((name, value.shape) for name, value in self.weights.items())
            run = forward.compiled_forward(self.architecture, shapes)
            for rows in edge_batches(graphs, MAX_EDGES_GPU if on_gpu else MAX_EDGES):
                batch = join_graphs([graphs[row] for row in rows])
                outputs = run(weights, forward.as_tensors(batch))
                for k, layer in enumerate(layers):
                    values = getattr(outputs, layer).numpy()
                    if results[k] is None:
                        results[k] = np.empty((len(graphs), values.shape[1]), dtype=np.float32)
                    results[k][rows] = values
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
        from ..structures import check_structures

        graphs = [self.graph(structure) for structure in check_structures(structures).structures]
        (output,) = self.compute(graphs, ["output"], device=device)
        values = output.astype(float) * self.target_std + self.target_mean
        return values[:, 0] if values.shape[1] == 1 else values

    def rescale_target(self, mean, std):
        """Change the target scaler and, with it, the last layer, so that predictions stay.

        Parameters
        ----------
        mean, std : float
            In the unit of the target.
        """
        kernel, bias = self.weights["readout_2/kernel"], self.weights["readout_2/bias"]
        ratio = self.target_std / std
        self.weights["readout_2/kernel"] = (kernel * ratio).astype(np.float32)
        shift = (self.target_mean - mean) / std
        self.weights["readout_2/bias"] = (bias * ratio + shift).astype(np.float32)
        self.target_mean, self.target_std = float(mean), float(std)

    def digest(self):
        """Name the latent vectors by content: equal for networks that compute the same.

        Returns
        -------
        str
            32 hexadecimal digits, of the architecture and of all weights before the output.
        """
        digest = hashlib.blake2b(repr(asdict(self.architecture)).encode(), digest_size=16)
        for name in sorted(self.weights):
            if not name.startswith("readout_2/"):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(self.weights[name]).tobytes())
        return digest.hexdigest()

    def copy(self):
        """Copy the network, so that training one leaves the other as it is.

        Returns
        -------
        MEGNet
        """
        weights = {name: value.copy() for name, value in self.weights.items()}
        return MEGNet(
            self.architecture, weights, self.target_mean, self.target_std, dict(self.card)
        )


def shape_of(weights, n_passes, cutoff, centers, width):
    """Read an `Architecture` off the shapes of the weights; the rest is not in them.

    Raises
    ------
    ValueError
        If the weights are not those of a MEGNet with evenly spaced Gaussians from zero.
    """
    centers = np.asarray(centers, dtype=float)
    if not np.allclose(centers, np.linspace(0, centers[-1], len(centers))):
        raise ValueError("the centres of the Gaussian basis are not evenly spaced from zero.")
    try:
        n_species, embedding_dim = weights["atom_embedding/embeddings"].shape
        n_gaussians, n1 = weights["preblock_bond_0/kernel"].shape
        n2, n3 = weights["readout_1/kernel"].shape
        n_state = weights["preblock_state_0/kernel"].shape[0]
        n_targets = weights["readout_2/kernel"].shape[1]
    except KeyError as error:
        raise ValueError(f"the weights are not those of a MEGNet: {error} is missing.") from error
    if n_gaussians != len(centers):
        raise ValueError(f"{len(centers)} Gaussian centres do not fit {n_gaussians} inputs.")
    n_blocks = sum(name.endswith("weight_e_0") for name in weights)
    return Architecture(
        n_blocks,
        n1,
        n2,
        n3,
        n_species,
        embedding_dim,
        n_state,
        int(n_passes),
        n_targets,
        float(cutoff),
        n_gaussians,
        float(centers[-1]),
        float(width),
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


def _named_variables(model):
    """Variables of a megnet model by ``layer/variable``."""
    named = {}
    for layer in model.model.layers:
        for variable in layer.weights:
            named[f"{layer.name}/{variable.name.split('/')[-1].split(':')[0]}"] = variable
    return named


def _initial_value(name, shape, rng):
    shape = tuple(shape)
    if name == "atom_embedding/embeddings":
        return rng.uniform(-0.05, 0.05, shape).astype(np.float32)
    if name.endswith("recurrent_kernel"):
        q, r = np.linalg.qr(rng.normal(size=(max(shape), min(shape))))
        q *= np.sign(np.diag(r))
        return np.ascontiguousarray(q if shape[0] >= shape[1] else q.T, dtype=np.float32)
    if name.endswith("recurrent_bias"):
        bias = np.zeros(shape, dtype=np.float32)
        bias[shape[0] // 4 : shape[0] // 2] = 1.0
        return bias
    if len(shape) == 1:
        return np.zeros(shape, dtype=np.float32)
    limit = np.sqrt(6.0 / sum(shape))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def _embed_elements(embedding):
    """Write standardised element properties over the first columns of the embedding, in place."""
    n_elements = len(embedding) - 1
    table = element_properties(n_elements)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    width = min(table.shape[1], embedding.shape[1])
    embedding[1:, :width] = 0.5 * table[:, :width]
