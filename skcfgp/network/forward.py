"""The forward pass of a MEGNet for batches of crystals, written once for NumPy and TensorFlow.

The result is that of ``megnet.models.MEGNetModel`` (Chen et al., Chem. Mater. 31, 3564 (2019)),
including its peculiarities: the last layer of each update is linear, and Set2Set resets its LSTM
cell state in every pass. For speed, the first layer of the edge update is a sum of products per
site, per edge and per crystal, instead of one product of their concatenation for every edge.

`ops` is `numpy_ops`, by which crystals are predicted, or `tensorflow_ops`, by which a network is
trained.
"""

from typing import Any, NamedTuple

import numpy as np


class Outputs(NamedTuple):
    """Layers that represent a crystal by one vector; each of shape (n_graphs, width)."""

    set2set: Any  # sites, edges and state pooled and concatenated
    readout_0: Any  # "Dense 32" in the paper
    readout_1: Any
    output: Any  # the standardised target


class Sums(NamedTuple):
    """Functions that sum rows, each times its count, and how many rows there are in each sum."""

    by_site: Any  # rows of the edges that start from each site
    by_crystal: Any  # rows of the sites of each crystal
    n_around: Any  # edges of each site, but 1 where there is none
    n_sites: Any  # sites of each crystal
    n_edges: Any  # edges of each crystal


def forward(weights, batch, architecture, ops):
    """Run the network on a `GraphBatch`; weights are named as in megnet."""

    def feed_forward(x, prefix):
        return dense(weights, dense(weights, x, f"{prefix}_0", ops), f"{prefix}_1", ops)

    sites = ops.gather(weights["atom_embedding/embeddings"], batch.atomic_numbers)
    sites = feed_forward(sites, "preblock_atom")
    edges = expand_distances(batch.distances, architecture, ops)
    edges = feed_forward(edges, "preblock_bond")
    state = feed_forward(ops.zeros((1, architecture.n_state)), "preblock_state")
    state = ops.repeat(state, batch.n_graphs, axis=0)
    sums = prepare_sums(batch, ops)

    for block in range(architecture.n_blocks):
        inputs = sites, edges, state
        if block > 0:
            inputs = [
                feed_forward(x, f"block_{block}_{kind}_ff")
                for x, kind in zip(inputs, ("atom", "bond", "state"), strict=True)
            ]
        new = graph_update(weights, f"megnet_{block}", *inputs, batch, sums, ops)
        sites, edges, state = sites + new[0], edges + new[1], state + new[2]

    edge_count = batch.edge_count * ops.gather(batch.site_count, batch.first)
    rest = batch.n_graphs, architecture.n_passes, ops
    sites = set2set(weights, "set2set_atom", sites, batch.site_graph, batch.site_count, *rest)
    edges = set2set(weights, "set2set_bond", edges, batch.edge_graph, edge_count, *rest)
    pooled = ops.concat([sites, edges, state], axis=-1)
    readout_0 = dense(weights, pooled, "readout_0", ops)
    readout_1 = dense(weights, readout_0, "readout_1", ops)
    return Outputs(pooled, readout_0, readout_1, linear(weights, readout_1, "readout_2", ops))


def linear(weights, x, name, ops):
    """Multiply by a kernel and add a bias."""
    return ops.linear(x, weights[f"{name}/kernel"], weights[f"{name}/bias"])


def dense(weights, x, name, ops):
    """Apply a layer and its activation."""
    return ops.softplus2(linear(weights, x, name, ops))


def expand_distances(distances, architecture, ops):
    """Expand distances in the Gaussian basis, to shape (n_edges, n_gaussians)."""
    n, width = architecture.n_gaussians, architecture.gaussian_width
    centers = np.linspace(0.0, architecture.gaussian_max, n, dtype=np.float32)
    return ops.exp(-ops.square(distances[:, None] / width - centers / width))


def prepare_sums(batch, ops):
    """Prepare the sums over the edges of a site and the sites of a crystal."""
    by_site = ops.weighted_sum(batch.edge_count, batch.first, ops.length(batch.atomic_numbers))
    by_crystal = ops.weighted_sum(batch.site_count, batch.site_graph, batch.n_graphs)
    around = by_site(ops.ones_like(batch.edge_count)[:, None])
    n_sites = by_crystal(ops.ones_like(batch.site_count)[:, None])
    return Sums(by_site, by_crystal, ops.maximum(around, 1.0), n_sites, by_crystal(around))


def graph_update(weights, name, sites, edges, state, batch, sums, ops):
    """Update edges, then sites, then state."""

    def mlp(x, part, layers=(0, 1, 2)):
        for layer in layers:
            kernel, bias = (weights[f"{name}/{kind}_{part}_{layer}"] for kind in ("weight", "bias"))
            x = ops.linear(x, kernel, bias)
            if layer < 2:
                x = ops.softplus2(x)
        return x

    # Rows of the first kernel, in order: first site, second site, edge, state.
    kernel = ops.split(weights[f"{name}/weight_e_0"], 4, axis=0)
    from_first = ops.linear(sites, kernel[0], weights[f"{name}/bias_e_0"])
    from_first += ops.gather(ops.linear(state, kernel[3]), batch.site_graph)
    hidden = ops.linear(edges, kernel[2])
    hidden += ops.gather(from_first, batch.first)
    hidden += ops.gather(ops.linear(sites, kernel[1]), batch.second)
    new_edges = mlp(ops.softplus2(hidden), "e", layers=(1, 2))

    around = sums.by_site(new_edges)
    of_crystal = ops.gather(state, batch.site_graph)
    new_sites = mlp(ops.concat([around / sums.n_around, sites, of_crystal], axis=-1), "v")

    means = sums.by_crystal(around) / sums.n_edges, sums.by_crystal(new_sites) / sums.n_sites
    return new_sites, new_edges, mlp(ops.concat([*means, state], axis=-1), "u")


def set2set(weights, name, x, segments, counts, n_segments, n_passes, ops):
    """Pool the rows of each segment by attention, weighted by `counts` (arXiv:1511.06391)."""
    memory = ops.linear(x, weights[f"{name}/x_to_m_weight"], weights[f"{name}/x_to_m_bias"])
    query_and_read = ops.zeros((n_segments, 2 * memory.shape[1]))
    for _ in range(n_passes):
        kernel, bias = weights[f"{name}/recurrent_kernel"], weights[f"{name}/recurrent_bias"]
        into, _, candidate, out = ops.split(ops.linear(query_and_read, kernel, bias), 4, axis=-1)
        # megnet starts every pass from a zero cell state, so the forget gate multiplies zero
        cell = hard_sigmoid(into, ops) * ops.tanh(candidate)
        query = hard_sigmoid(out, ops) * ops.tanh(cell)
        score = ops.sum_columns(memory * ops.gather(query, segments))
        highest = ops.segment_max(score, segments)
        share = counts * ops.exp(score - ops.gather(highest, segments))
        sum_shares = ops.weighted_sum(share, segments, n_segments)
        read = sum_shares(memory) / sum_shares(ops.ones_like(share)[:, None])
        query_and_read = ops.concat([query, read], axis=-1)
    return query_and_read


def hard_sigmoid(x, ops):
    """Return the piecewise linear sigmoid of Keras."""
    return ops.minimum(ops.maximum(0.2 * x + 0.5, 0.0), 1.0)
