"""The pass through a MEGNet, for whole batches of crystals, as plain TensorFlow operations.

The arithmetic is that of ``megnet.models.MEGNetModel`` (Chen et al., Chem. Mater. 31, 3564 (2019)),
with its peculiarities kept: the last layer of each update is linear, and Set2Set never feeds back
its LSTM cell state. The first layer of the edge update is split into a product per site, per edge
and per crystal, which are added, instead of one product of all of them for every edge.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import tensorflow as tf

from .graphs import GraphBatch

__all__ = ["Outputs", "as_tensors", "batch_spec", "compiled_forward", "forward"]

LOG_2 = math.log(2.0)


class Outputs(NamedTuple):
    """What the pass computes for each crystal, by role.

    Attributes
    ----------
    set2set : tensor of shape (n_graphs, 4 * n3 + n2)
        Sites, edges and state pooled and concatenated (96 wide in the published networks).
    readout_0 : tensor of shape (n_graphs, n2)
        First dense layer after it ("Dense 32" in the paper).
    readout_1 : tensor of shape (n_graphs, n3)
    output : tensor of shape (n_graphs, n_targets)
        Prediction in the units that the network was trained in, before the target scaler.
    """

    set2set: tf.Tensor
    readout_0: tf.Tensor
    readout_1: tf.Tensor
    output: tf.Tensor


def softplus2(x):
    """log((exp(x) + 1) / 2): zero at zero."""
    return tf.nn.softplus(x) - LOG_2


def forward(weights, batch, architecture):
    """Run the network.

    Parameters
    ----------
    weights : dict of str to tensor
        Named as megnet names its layers: ``"megnet_0/weight_e_0"``, ``"readout_0/kernel"``, ...
    batch : GraphBatch of tensors
    architecture : Architecture

    Returns
    -------
    Outputs
    """
    n_graphs = batch.n_graphs

    def feed_forward(x, prefix):
        return dense(weights, dense(weights, x, f"{prefix}_0"), f"{prefix}_1")

    sites = tf.gather(weights["atom_embedding/embeddings"], batch.atomic_numbers)
    sites = feed_forward(sites, "preblock_atom")
    edges = feed_forward(expand_distances(batch.distances, architecture), "preblock_bond")
    state = feed_forward(tf.zeros((1, architecture.n_state)), "preblock_state")
    state = tf.tile(state, (n_graphs, 1))

    for block in range(architecture.n_blocks):
        inputs = sites, edges, state
        if block > 0:
            inputs = [
                feed_forward(x, f"block_{block}_{kind}_ff")
                for x, kind in zip(inputs, ("atom", "bond", "state"), strict=True)
            ]
        new_sites, new_edges, new_state = graph_update(weights, f"megnet_{block}", *inputs, batch)
        sites, edges, state = sites + new_sites, edges + new_edges, state + new_state

    n_passes = architecture.n_passes
    pooled = tf.concat(
        [
            set2set(weights, "set2set_atom", sites, batch.site_graph, n_graphs, n_passes),
            set2set(weights, "set2set_bond", edges, batch.edge_graph, n_graphs, n_passes),
            state,
        ],
        axis=-1,
    )
    readout_0 = dense(weights, pooled, "readout_0")
    readout_1 = dense(weights, readout_0, "readout_1")
    return Outputs(pooled, readout_0, readout_1, linear(weights, readout_1, "readout_2"))


def batch_spec():
    """Signature of a `GraphBatch` of tensors of any size."""
    integers, floats = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
    return GraphBatch(
        integers, floats, integers, integers, integers, integers, tf.TensorSpec((), tf.int32)
    )


@lru_cache(maxsize=32)
def compiled_forward(architecture, weight_shapes):
    """Compile `forward` for one architecture; networks of the same shape share the function.

    Parameters
    ----------
    architecture : Architecture
    weight_shapes : tuple of (str, tuple of int)

    Returns
    -------
    callable
        ``(weights, batch) -> Outputs``
    """
    weights_spec = {name: tf.TensorSpec(shape, tf.float32) for name, shape in weight_shapes}

    @tf.function(input_signature=[weights_spec, batch_spec()])
    def run(weights, batch):
        return forward(weights, batch, architecture)

    return run


def as_tensors(batch):
    """Turn the arrays of a `GraphBatch` into tensors."""
    return GraphBatch(*map(tf.convert_to_tensor, batch))


def linear(weights, x, name):
    return tf.matmul(x, weights[f"{name}/kernel"]) + weights[f"{name}/bias"]


def dense(weights, x, name):
    return softplus2(linear(weights, x, name))


def expand_distances(distances, architecture):
    """Gaussian basis of the distances, of shape (n_edges, n_gaussians)."""
    centers = tf.linspace(0.0, architecture.gaussian_max, architecture.n_gaussians)
    return tf.exp(-(((distances[:, None] - centers) / architecture.gaussian_width) ** 2))


def segment_mean(x, segments, n_segments):
    """Mean over the rows of each segment; zero for one that is empty."""
    total = tf.math.unsorted_segment_sum(x, segments, n_segments)
    count = tf.math.unsorted_segment_sum(tf.ones_like(segments, x.dtype), segments, n_segments)
    return total / tf.maximum(count, 1.0)[:, None]


def graph_update(weights, name, sites, edges, state, batch):
    """One MEGNet layer: edges, then sites, then state."""
    n_sites, n_graphs = tf.shape(sites)[0], tf.shape(state)[0]

    def mlp(x, part, layers=(0, 1, 2)):
        for layer in layers:
            x = tf.matmul(x, weights[f"{name}/weight_{part}_{layer}"])
            x += weights[f"{name}/bias_{part}_{layer}"]
            if layer < 2:
                x = softplus2(x)
        return x

    # Rows of the first kernel, in order: first site, second site, edge, state.
    width = sites.shape[1]
    kernel = tf.split(
        weights[f"{name}/weight_e_0"], [width, width, edges.shape[1], state.shape[1]], axis=0
    )
    from_first = tf.matmul(sites, kernel[0]) + weights[f"{name}/bias_e_0"]
    from_first += tf.gather(tf.matmul(state, kernel[3]), batch.site_graph)
    from_second = tf.matmul(sites, kernel[1])
    hidden = tf.gather(from_first, batch.first) + tf.gather(from_second, batch.second)
    new_edges = mlp(softplus2(hidden + tf.matmul(edges, kernel[2])), "e", layers=(1, 2))

    around = segment_mean(new_edges, batch.first, n_sites)
    of_crystal = tf.gather(state, batch.site_graph)
    new_sites = mlp(tf.concat([around, sites, of_crystal], axis=-1), "v")

    mean_edge = segment_mean(new_edges, batch.edge_graph, n_graphs)
    mean_site = segment_mean(new_sites, batch.site_graph, n_graphs)
    new_state = mlp(tf.concat([mean_edge, mean_site, state], axis=-1), "u")
    return new_sites, new_edges, new_state


def set2set(weights, name, x, segments, n_segments, n_passes):
    """Pool the rows of each segment by attention (Vinyals et al., arXiv:1511.06391)."""
    memory = tf.matmul(x, weights[f"{name}/x_to_m_weight"]) + weights[f"{name}/x_to_m_bias"]
    query_and_read = tf.zeros((n_segments, 2 * memory.shape[1]))
    for _ in range(n_passes):
        gates = tf.matmul(query_and_read, weights[f"{name}/recurrent_kernel"])
        into, _, candidate, out = tf.split(gates + weights[f"{name}/recurrent_bias"], 4, axis=-1)
        # megnet starts every pass from a zero cell state, so the forget gate multiplies zero
        cell = hard_sigmoid(into) * tf.tanh(candidate)
        query = hard_sigmoid(out) * tf.tanh(cell)
        score = tf.reduce_sum(memory * tf.gather(query, segments), axis=-1)
        highest = tf.stop_gradient(tf.math.unsorted_segment_max(score, segments, n_segments))
        share = tf.exp(score - tf.gather(highest, segments))[:, None]
        total = tf.math.unsorted_segment_sum(share, segments, n_segments)
        read = tf.math.unsorted_segment_sum(memory * share, segments, n_segments) / total
        query_and_read = tf.concat([query, read], axis=-1)
    return query_and_read


def hard_sigmoid(x):
    return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)
