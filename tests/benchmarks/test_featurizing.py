"""The compiled pass against the two ways of megnet; arrays against pymatgen's ``Structure``."""

import numpy as np
import pytest
from ase import Atoms
from ase.db import connect
from pymatgen.io.ase import AseAtomsAdaptor

from skcfgp.datasets import load_formation_energy
from skcfgp.network import load_network
from skcfgp.network.graphs import structure_graph
from skcfgp.structures import check_structures


@pytest.fixture(scope="module")
def setting(formation_energy):
    network = load_network("Eform_MP_2019")
    structures = formation_energy.structures[:1024]
    graphs = [network.graph(s) for s in structures]
    model = network.to_megnet()
    megnet_graphs = [model.graph_converter.convert(s) for s in structures]
    return network, graphs, model, megnet_graphs, structures


def test_against_predict_graphs(setting, cpu_ratio):
    network, graphs, model, megnet_graphs, _ = setting
    (ours,) = network.compute(graphs, ["output"])
    theirs = model.predict_graphs(megnet_graphs, batch_size=128)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    ratio = cpu_ratio(
        lambda: network.compute(graphs, ["readout_0"]),
        lambda: model.predict_graphs(megnet_graphs, batch_size=128),
        baseline_name="megnet's predict_graphs, batches of 128",
    )
    assert ratio > 4


def test_latent_vectors_are_megnets(setting):
    """Each vector to 1e-5 of its length."""
    network, graphs, model, megnet_graphs, _ = setting
    (ours,) = network.compute(graphs, ["readout_0"])
    latent = type(model.model)(model.model.inputs, model.model.get_layer("readout_0").output)
    whole, model.model = model.model, latent
    try:
        theirs = model.predict_graphs(megnet_graphs, batch_size=128).reshape(ours.shape)
    finally:
        model.model = whole
    distance = np.linalg.norm(ours - theirs, axis=1)
    assert (distance < 1e-5 * np.linalg.norm(theirs, axis=1)).all()


def test_against_predict_structure_in_a_loop(setting, cpu_ratio):
    """From crystals, one at a time; every 16th of them, scaled to 1,024."""
    network, _, model, _, structures = setting
    ratio = cpu_ratio(
        lambda: network.compute([network.graph(s) for s in structures], ["readout_0"]),
        lambda: [model.predict_structure(s) for s in structures[::16]],
        baseline_scale=16,
        baseline_name="megnet's predict_structure, one at a time (every 16th, times 16)",
    )
    assert ratio > 60


def graphs_of(structures):
    return [structure_graph(structure, 4.0) for structure in structures]


def same_graphs(graphs, others):
    for graph, other in zip(graphs, others, strict=True):
        for ours, theirs in zip(graph[:4], other[:4], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_bundled_data_as_arrays_against_structures(cpu_ratio):
    """Loading all formation energies and building their graphs."""

    def run(kind):
        return graphs_of(load_formation_energy(split="paper", structures=kind).structures)

    same_graphs(run("arrays"), run("pymatgen"))
    ratio = cpu_ratio(
        lambda: run("arrays"),
        lambda: run("pymatgen"),
        baseline_name="the same as pymatgen's Structure",
    )
    assert ratio > 2


def test_ase_database_as_arrays_against_structures(cpu_ratio, tmp_path):
    """Reading a database and building the graphs; the baseline goes by pymatgen's adaptor."""
    path = tmp_path / "crystals.db"
    with connect(path) as database:
        for c in load_formation_energy(split="test", structures="arrays").structures:
            database.write(Atoms(c.atomic_numbers, c.cart_coords, cell=c.lattice, pbc=True))

    def by_structures():
        rows = connect(path).select()
        return graphs_of([AseAtomsAdaptor.get_structure(row.toatoms()) for row in rows])

    def by_arrays():
        return graphs_of(check_structures(path).structures)

    for ours, theirs in zip(by_arrays(), by_structures(), strict=True):
        assert len(ours.distances) == len(theirs.distances)
    name = "the same with pymatgen's AseAtomsAdaptor"
    assert cpu_ratio(by_arrays, by_structures, baseline_name=name) > 3
