"""Weights of a new network."""

import numpy as np
from sklearn.utils import check_random_state

from ..structures.elements import element_properties
from .architecture import weight_shapes


def initial_weights(architecture, random_state, embedding):
    """Draw the weights of a network; see `MEGNet.initialize`."""
    if embedding not in ("elements", "random"):
        raise ValueError(f"embedding must be 'elements' or 'random', got {embedding!r}.")
    rng = check_random_state(random_state)
    shapes = weight_shapes(architecture)
    weights = {name: _initial_value(name, shape, rng) for name, shape in shapes.items()}
    if embedding == "elements":
        _embed_elements(weights["atom_embedding/embeddings"])
    return weights


def _initial_value(name, shape, rng):
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
    """Overwrite the first columns of the embedding with standardised element properties."""
    n_elements = len(embedding) - 1
    table = element_properties(n_elements)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    width = min(table.shape[1], embedding.shape[1])
    embedding[1:, :width] = 0.5 * table[:, :width]
