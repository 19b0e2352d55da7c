"""Crystals as graphs: sites are nodes, pairs of sites within the cut-off are directed edges."""

from typing import NamedTuple

import numpy as np
from pymatgen.optimization.neighbors import find_points_in_spheres

__all__ = ["Graph", "GraphBatch", "build_graph", "edge_batches", "join_graphs", "structure_graph"]


class Graph(NamedTuple):
    """One crystal.

    Attributes
    ----------
    atomic_numbers : ndarray of shape (n_sites,), int32
    distances : ndarray of shape (n_edges,), float32
        In angstrom; edges are sorted by their first site.
    first, second : ndarray of shape (n_edges,), int32
    """

    atomic_numbers: np.ndarray
    distances: np.ndarray
    first: np.ndarray
    second: np.ndarray


class GraphBatch(NamedTuple):
    """Several crystals as one graph without edges between them.

    ``site_graph`` and ``edge_graph`` say to which crystal a site or an edge belongs.
    """

    atomic_numbers: np.ndarray
    distances: np.ndarray
    first: np.ndarray
    second: np.ndarray
    site_graph: np.ndarray
    edge_graph: np.ndarray
    n_graphs: np.int32


def structure_graph(structure, cutoff):
    """Build the graph of a pymatgen ``Structure``; see `build_graph`."""
    return build_graph(
        structure.lattice.matrix, structure.cart_coords, structure.atomic_numbers, cutoff
    )


def build_graph(lattice, cart_coords, atomic_numbers, cutoff):
    """Build the graph of a crystal given as arrays.

    Parameters
    ----------
    lattice : array-like of shape (3, 3)
        Cell vectors in rows, in angstrom.
    cart_coords : array-like of shape (n_sites, 3)
        In angstrom.
    atomic_numbers : array-like of shape (n_sites,)
    cutoff : float
        Longest edge, in angstrom.

    Returns
    -------
    Graph

    Raises
    ------
    ValueError
        If no pair of sites is within the cut-off.
    """
    coords = np.ascontiguousarray(cart_coords, dtype=float)
    first, second, _, distances = find_points_in_spheres(
        coords,
        coords,
        r=float(cutoff),
        pbc=np.ones(3, dtype=int),
        lattice=np.ascontiguousarray(lattice, dtype=float),
        tol=1e-8,
    )
    bonds = np.flatnonzero((first != second) | (distances > 1e-8))
    if not bonds.size:
        raise ValueError(f"no two atoms are within the network's cut-off of {cutoff} angstrom.")
    bonds = bonds[np.argsort(first[bonds], kind="stable")]
    return Graph(
        np.asarray(atomic_numbers, dtype=np.int32),
        distances[bonds].astype(np.float32),
        first[bonds].astype(np.int32),
        second[bonds].astype(np.int32),
    )


def join_graphs(graphs):
    """Join graphs into one batch.

    Parameters
    ----------
    graphs : sequence of Graph

    Returns
    -------
    GraphBatch
    """
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
    )


def edge_batches(graphs, max_edges):
    """Yield the positions of graphs that together have at most `max_edges` edges.

    Graphs of similar size come together; one that is larger than the limit comes alone.
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
