"""The forward pass of a MEGNet for batches of crystals, in plain TensorFlow operations.

The result is that of ``megnet.models.MEGNetModel`` (Chen et al., Chem. Mater. 31, 3564 (2019)),
including its peculiarities: the last layer of each update is linear, and Set2Set resets its LSTM
cell state in every pass. For speed, the first layer of the edge update is a sum of products per
site, per edge and per crystal, instead of one product of their concatenation for every edge.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import tensorflow as tf

from .graphs import GraphBatch

__all__ = ["Outputs", "as_tensors", "batch_spec", "compiled_forward", "forward"]

LOG_2 = math.log(2.0)


class Outputs(NamedTuple):
    """Layers that represent a crystal by one vector; each of shape (n_graphs, width)."""

    set2set: tf.Tensor  # sites, edges and state pooled and concatenated
    readout_0: tf.Tensor  # "Dense 32" in the paper
    readout_1: tf.Tensor
    output: tf.Tensor  # the standardised target


@tf.custom_gradient
def softplus2(x):
    """log((exp(x) + 1) / 2), which is zero at zero.

    ``tf.nn.softplus`` would need two thirds of the time of a pass. Where exp would overflow, the
    linear asymptote is exact.
    """
    line = x - LOG_2
    value = tf.maximum(tf.math.log(tf.exp(tf.minimum(line, 80.0)) + 0.5), line)
    return value, lambda upstream: upstream * tf.sigmoid(x)


def forward(weights, batch, architecture):
    """Run the network on a `GraphBatch` of tensors; weights are named as in megnet."""
    n_graphs = batch.n_graphs

    def feed_forward(x, prefix):
        return dense(weights, dense(weights, x, f"{prefix}_0"), f"{prefix}_1")

    sites = tf.gather(weights["atom_embedding/embeddings"], batch.atomic_numbers)
    sites = feed_forward(sites, "preblock_atom")
    edges = feed_forward(expand_distances(batch.distances, architecture), "preblock_bond")
    state = feed_forward(tf.zeros((1, architecture.n_state)), "preblock_state")
    state = tf.tile(state, (n_graphs, 1))
    totals = count(batch)

    for block in range(architecture.n_blocks):
        inputs = sites, edges, state
        if block > 0:
            inputs = [
                feed_forward(x, f"block_{block}_{kind}_ff")
                for x, kind in zip(inputs, ("atom", "bond", "state"), strict=True)
            ]
        new = graph_update(weights, f"megnet_{block}", *inputs, batch, totals)
        sites, edges, state = sites + new[0], edges + new[1], state + new[2]

    edge_count = batch.edge_count * tf.gather(batch.site_count, batch.first)
    ends = n_graphs, architecture.n_passes
    sites = set2set(weights, "set2set_atom", sites, batch.site_graph, batch.site_count, *ends)
    edges = set2set(weights, "set2set_bond", edges, batch.edge_graph, edge_count, *ends)
    pooled = tf.concat([sites, edges, state], axis=-1)
    readout_0 = dense(weights, pooled, "readout_0")
    readout_1 = dense(weights, readout_0, "readout_1")
    return Outputs(pooled, readout_0, readout_1, linear(weights, readout_1, "readout_2"))


def batch_spec():
    """Build the signature of a `GraphBatch` of tensors of any size."""
    integers, floats = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
    return GraphBatch(
        atomic_numbers=integers,
        distances=floats,
        first=integers,
        second=integers,
        site_graph=integers,
        edge_graph=integers,
        n_graphs=tf.TensorSpec((), tf.int32),
        site_count=floats,
        edge_count=floats,
    )


@lru_cache(maxsize=32)
def compiled_forward(architecture, weight_shapes):
    """Compile `forward` for one architecture: ``(weights, batch) -> Outputs``."""
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
    """Expand distances in the Gaussian basis, to shape (n_edges, n_gaussians)."""
    centers = tf.linspace(0.0, architecture.gaussian_max, architecture.n_gaussians)
    width = architecture.gaussian_width
    return tf.exp(-tf.math.squared_difference(distances[:, None] / width, centers / width))


def count(batch):
    """Count sites and edges of each crystal, and edges of each site, as columns."""
    around = sum_by_site(batch.edge_count, batch)
    sites = tf.math.segment_sum(batch.site_count, batch.site_graph)
    edges = tf.math.segment_sum(batch.site_count * around, batch.site_graph)
    return sites[:, None], edges[:, None], tf.maximum(around, 1.0)[:, None]


def sum_by_site(x, batch):
    """Sum the rows of the edges that start from each site; zero without edges."""
    total = tf.math.segment_sum(x, batch.first)  # ends at the last site with an edge
    missing = tf.shape(batch.atomic_numbers)[0] - tf.shape(total)[0]
    return tf.pad(total, [[0, missing], *[[0, 0]] * (len(x.shape) - 1)])


def graph_update(weights, name, sites, edges, state, batch, totals):
    """Update edges, then sites, then state."""
    n_sites, n_edges, n_around = totals
    site_count, edge_count = batch.site_count[:, None], batch.edge_count[:, None]

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

    around = sum_by_site(edge_count * new_edges, batch)
    mean_edge = tf.math.segment_sum(site_count * around, batch.site_graph)
    of_crystal = tf.gather(state, batch.site_graph)
    new_sites = mlp(tf.concat([around / n_around, sites, of_crystal], axis=-1), "v")

    mean_site = tf.math.segment_sum(site_count * new_sites, batch.site_graph)
    means = mean_edge / n_edges, mean_site / n_sites
    new_state = mlp(tf.concat([*means, state], axis=-1), "u")
    return new_sites, new_edges, new_state


def set2set(weights, name, x, segments, counts, n_segments, n_passes):
    """Pool the rows of each segment by attention, weighted by `counts` (arXiv:1511.06391)."""
    memory = tf.matmul(x, weights[f"{name}/x_to_m_weight"]) + weights[f"{name}/x_to_m_bias"]
    query_and_read = tf.zeros((n_segments, 2 * memory.shape[1]))
    for _ in range(n_passes):
        gates = tf.matmul(query_and_read, weights[f"{name}/recurrent_kernel"])
        into, _, candidate, out = tf.split(gates + weights[f"{name}/recurrent_bias"], 4, axis=-1)
        # megnet starts every pass from a zero cell state, so the forget gate multiplies zero
        cell = hard_sigmoid(into) * tf.tanh(candidate)
        query = hard_sigmoid(out) * tf.tanh(cell)
        score = tf.reduce_sum(memory * tf.gather(query, segments), axis=-1)
        highest = tf.stop_gradient(tf.math.segment_max(score, segments))
        share = (counts * tf.exp(score - tf.gather(highest, segments)))[:, None]
        total = tf.math.segment_sum(share, segments)
        read = tf.math.segment_sum(memory * share, segments) / total
        query_and_read = tf.concat([query, read], axis=-1)
    return query_and_read


def hard_sigmoid(x):
    return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)
