"""`Architecture`: the layer sizes of a MEGNet, and megnet's own model with these sizes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .keras import import_megnet

#: Largest number of units, layers or steps, and longest cut-off in angstrom, of a file.
WIDEST, LONGEST = 100_000, 20.0


@dataclass(frozen=True)
class Architecture:
    """Shape of a MEGNet (Chen et al., Chem. Mater. 31, 3564 (2019)); defaults are megnet's own.

    Parameters
    ----------
    n_blocks : int, default=3
        Number of graph-network blocks.
    n1, n2, n3 : int, default=64, 32, 16
        Widths of the dense layers.
    n_species : int, default=95
        Number of rows of the atom embedding: one more than the largest atomic number.
    embedding_dim : int, default=16
    n_state : int, default=2
        Width of the state input, which is all zeros.
    n_passes : int, default=3
        Number of steps of Set2Set.
    n_targets : int, default=1
    cutoff : float, default=4.0
        Length of the longest edge, in angstrom.
    n_gaussians : int, default=100
        Number of Gaussians in which a distance is expanded.
    gaussian_max, gaussian_width : float, default=5.0, 0.5
        Largest center and width of the Gaussians, in angstrom.
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

    @property
    def widths(self) -> dict[str, int]:
        """Width of each layer that represents a crystal by one vector, in order, as a dict."""
        return {
            "set2set": 4 * self.n3 + self.n2,
            "readout_0": self.n2,
            "readout_1": self.n3,
            "output": self.n_targets,
        }

    def build_megnet(self) -> Any:
        """Build a ``megnet.models.MEGNetModel`` of this architecture, with random weights."""
        models = import_megnet()
        from megnet.data.crystal import CrystalGraph
        from megnet.data.graph import GaussianDistance

        centers = np.linspace(0, self.gaussian_max, self.n_gaussians)
        bonds = GaussianDistance(centers, self.gaussian_width)
        converter = CrystalGraph(cutoff=self.cutoff, bond_converter=bonds)
        with warnings.catch_warnings():  # tf_keras reuses one initialiser
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


def shape_of(weights, n_passes, cutoff, centers, width):
    """Infer the `Architecture` from the weights and the settings that they do not show."""
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
    widths = n_blocks, n1, n2, n3, n_species, embedding_dim, n_state, int(n_passes), n_targets
    return Architecture(*widths, float(cutoff), n_gaussians, float(centers[-1]), float(width))


def named_variables(model):
    """Map ``layer/variable`` to the variables of a megnet model."""
    return {
        f"{layer.name}/{variable.name.split('/')[-1].split(':')[0]}": variable
        for layer in model.model.layers
        for variable in layer.weights
    }


def check_weights(architecture, weights):
    """Refuse weights that do not fit the architecture or are not finite."""
    _check_sizes(architecture)
    expected = weight_shapes(architecture)
    if wrong := sorted(set(expected) ^ set(weights)):
        raise ValueError(
            f"the weights are not those of a MEGNet: {wrong[0]!r} is missing or extra."
        )
    for name, shape in expected.items():
        value = weights[name]
        if value.shape != shape or value.dtype != np.float32:
            raise ValueError(
                f"expected {name} of shape {shape} in float32, got {value.shape} in {value.dtype}."
            )
        if not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite.")


def _check_sizes(architecture):
    """Refuse an architecture with sizes that are invalid or too large."""
    for name, value in vars(architecture).items():
        is_length = name in ("cutoff", "gaussian_max", "gaussian_width")
        kinds = int | float if is_length else int
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"{name} must be a number, got {value!r}.")
        if not 0 < value <= (LONGEST if is_length else WIDEST):
            raise ValueError(f"{name} = {value!r} is out of bounds.")


def weight_shapes(a):
    """Shapes of all weights by name, in the order of megnet."""
    shapes = {"atom_embedding/embeddings": (a.n_species, a.embedding_dim)}

    def dense(name, n_in, n_out):
        shapes.update({f"{name}/kernel": (n_in, n_out), f"{name}/bias": (n_out,)})

    inputs = {"atom": a.embedding_dim, "bond": a.n_gaussians, "state": a.n_state}
    for block in range(a.n_blocks):
        name = f"block_{block}_{{}}_ff_{{}}" if block else "preblock_{}_{}"
        for kind, n_in in inputs.items():
            dense(name.format(kind, 0), a.n2 if block else n_in, a.n1)
        for kind in inputs:
            dense(name.format(kind, 1), a.n1, a.n2)
        for part, n_in in {"v": 3 * a.n2, "e": 4 * a.n2, "u": 3 * a.n2}.items():
            pairs = (n_in, a.n1), (a.n1, a.n1), (a.n1, a.n2)
            for layer, pair in enumerate(pairs):
                shapes[f"megnet_{block}/weight_{part}_{layer}"] = pair
            for layer, (_, n_out) in enumerate(pairs):
                shapes[f"megnet_{block}/bias_{part}_{layer}"] = (n_out,)
    for part in ("atom", "bond"):
        name = f"set2set_{part}"
        shapes[f"{name}/x_to_m_weight"] = (a.n2, a.n3)
        shapes[f"{name}/x_to_m_bias"] = (a.n3,)
        shapes[f"{name}/recurrent_kernel"] = (2 * a.n3, 4 * a.n3)
        shapes[f"{name}/recurrent_bias"] = (4 * a.n3,)
    dense("readout_0", 4 * a.n3 + a.n2, a.n2)
    dense("readout_1", a.n2, a.n3)
    dense("readout_2", a.n3, a.n_targets)
    return shapes
