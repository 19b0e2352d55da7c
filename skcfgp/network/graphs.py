"""Crystals as graphs: sites are nodes, pairs of sites within the cut-off are directed edges.

Most crystals are symmetric, and equivalent sites have the same feature vectors in every layer of a
graph network. `fold_graphs` keeps one site of each kind and its multiplicity. This is exact, and
about a quarter of the edges of a typical inorganic crystal remain.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..structures.checking import as_crystal
from ..structures.neighbours import find_bonds

#: Rounding in single precision, in angstrom: consecutive distances of a crystal that differ by less
#: are equal, in runs of at most four times this length.
SAME_DISTANCE = 1e-6

#: Number of edges folded at a time.
MAX_FOLDED = 65_536


class Graph(NamedTuple):
    """One crystal; edges are sorted by their first site, distances are in angstrom.

    The counts are multiplicities (see `fold_graphs`): a site represents `site_count` equivalent
    sites of the crystal, an edge represents `edge_count` edges of its first site.
    """

    atomic_numbers: np.ndarray
    distances: np.ndarray
    first: np.ndarray
    second: np.ndarray
    site_count: np.ndarray
    edge_count: np.ndarray
    is_folded: bool = False


class GraphBatch(NamedTuple):
    """Several crystals as one graph; ``site_graph`` and ``edge_graph`` are their positions."""

    atomic_numbers: np.ndarray
    distances: np.ndarray
    first: np.ndarray
    second: np.ndarray
    site_graph: np.ndarray
    edge_graph: np.ndarray
    n_graphs: np.int32
    site_count: np.ndarray
    edge_count: np.ndarray


def structure_graph(structure, cutoff):
    """Build the graph of a pymatgen ``Structure`` or a `Crystal`; the cut-off is in angstrom.

    ValueError if no two sites are within the cut-off, or too many.
    """
    crystal = as_crystal(structure)
    first, second, distances = find_bonds(crystal, cutoff)
    return Graph(
        np.asarray(crystal.atomic_numbers, dtype=np.int32),
        distances.astype(np.float32),
        first.astype(np.int32),
        second.astype(np.int32),
        np.ones(len(crystal.atomic_numbers), dtype=np.float32),
        np.ones(len(first), dtype=np.float32),
    )


def join_graphs(graphs):
    """Join graphs into one batch."""
    n_sites = np.array([len(graph.atomic_numbers) for graph in graphs])
    n_edges = np.array([len(graph.distances) for graph in graphs])
    offset = np.repeat(np.cumsum(n_sites) - n_sites, n_edges).astype(np.int32)
    label = np.arange(len(graphs), dtype=np.int32)
    return GraphBatch(
        np.concatenate([graph.atomic_numbers for graph in graphs]),
        np.concatenate([graph.distances for graph in graphs]),
        np.concatenate([graph.first for graph in graphs]) + offset,
        np.concatenate([graph.second for graph in graphs]) + offset,
        np.repeat(label, n_sites),
        np.repeat(label, n_edges),
        np.int32(len(graphs)),
        np.concatenate([graph.site_count for graph in graphs]),
        np.concatenate([graph.edge_count for graph in graphs]),
    )


def fold_graphs(graphs, n_rounds):
    """Merge sites and edges that a network of `n_rounds` blocks cannot tell apart.

    Sites are coloured by their element, then `n_rounds` times by their colour and the colours and
    distances of their neighbours (Weisfeiler and Leman, 1968). Sites of one colour have the same
    vectors in every block, so one of them is kept, with one edge for each colour and distance.
    Means weighted by the counts equal those of the original graph. Folded graphs are not changed.
    """
    folded = list(graphs)
    whole = [row for row, graph in enumerate(graphs) if not graph.is_folded]
    for batch in edge_batches([graphs[row] for row in whole], MAX_FOLDED):
        rows = [whole[k] for k in batch]
        parts = _fold(join_graphs([graphs[row] for row in rows]), n_rounds)
        for row, part in zip(rows, parts, strict=True):
            folded[row] = part
    return folded


def _fold(batch, n_rounds):
    distances, length = _distinct_distances(batch)
    colours = _site_colours(batch, length, n_rounds)
    _, kept, site_class, site_count = np.unique(
        colours, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(kept)  # keeps the sites of a crystal together
    kept, site_count = kept[order], site_count[order]
    site_class = np.argsort(order)[site_class]

    is_kept = np.zeros(len(colours), dtype=bool)
    is_kept[kept] = True
    edges = np.flatnonzero(is_kept[batch.first])
    # Sorting one combined integer is faster than sorting three columns.
    key = site_class[batch.first[edges]] * len(kept) + site_class[batch.second[edges]]
    key = np.sort(key * len(distances) + length[edges])
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    pair, length = np.divmod(key[starts], len(distances))
    first, second = np.divmod(pair, len(kept))
    edge_count = np.diff(starts, append=len(key))

    site_graph = batch.site_graph[kept]
    bounds = np.arange(batch.n_graphs + 1)
    site_bounds = np.searchsorted(site_graph, bounds)
    edge_bounds = np.searchsorted(site_graph[first], bounds)
    offset = site_bounds[site_graph[first]]
    columns = (
        batch.atomic_numbers[kept],
        distances[length],
        (first - offset).astype(np.int32),
        (second - offset).astype(np.int32),
        site_count.astype(np.float32),
        edge_count.astype(np.float32),
    )
    bounds = (site_bounds, edge_bounds, edge_bounds, edge_bounds, site_bounds, edge_bounds)
    pieces = (
        [c[i:j] for i, j in pairwise(b.tolist())] for c, b in zip(columns, bounds, strict=True)
    )
    return [Graph(*parts, is_folded=True) for parts in zip(*pieces, strict=True)]


def _distinct_distances(batch):
    """Return the distinct distances of each crystal, and the index of that of each edge."""
    # put the crystals one after the other on one axis
    position = batch.edge_graph * (float(batch.distances.max()) + 1.0) + batch.distances
    order = np.argsort(position)
    position = position[order]
    starts = np.diff(position, prepend=-1.0) > SAME_DISTANCE
    in_run = position - position[starts][np.cumsum(starts) - 1]
    starts |= np.diff(in_run // (4 * SAME_DISTANCE), prepend=0.0) > 0
    which = np.empty(len(order), dtype=np.int64)
    which[order] = np.cumsum(starts) - 1
    return batch.distances[order[starts]], which


def _site_colours(batch, length, n_rounds):
    """Hash each site to 64 bits; sites of equal colour have equal feature vectors."""
    length = _mix(length.astype(np.uint64))
    starts = np.flatnonzero(np.diff(batch.first, prepend=-1))
    bonded = batch.first[starts]
    crystal = batch.site_graph.astype(np.uint64) << np.uint64(8)
    colours = _mix(crystal + batch.atomic_numbers.astype(np.uint64))
    for _ in range(n_rounds):
        around = np.zeros_like(colours)
        around[bonded] = np.add.reduceat(_mix(colours[batch.second] + length), starts)
        colours = _mix(colours + _mix(around))
    return colours


def _mix(x):
    """Scramble 64-bit integers (the finaliser of SplitMix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def edge_batches(graphs, max_edges):
    """Yield batches of positions of graphs of similar size, with at most `max_edges` edges.

    A larger graph is a batch by itself.
    """
    n_edges = np.array([len(graph.distances) for graph in graphs])
    batch, total = [], 0
    for index in np.argsort(n_edges, kind="stable"):
        if batch and total + n_edges[index] > max_edges:
            yield batch
            batch, total = [], 0
        batch.append(int(index))
        total += n_edges[index]
    if batch:
        yield batch
