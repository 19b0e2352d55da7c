"""The compiled pass against the two ways of megnet, on the published network."""

import numpy as np
import pytest

from skcfgp.network import load_network


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
    )
    assert ratio > 60
