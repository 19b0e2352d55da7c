import json
import sys
from hashlib import sha256

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from skcfgp.features import MEGNetFeaturizer
from skcfgp.network import (
    BUNDLED,
    PUBLISHED,
    Architecture,
    MEGNet,
    gpu,
    load_network,
    save_network,
    train,
)
from skcfgp.network import files as network_files
from skcfgp.network.architecture import named_variables, weight_shapes
from skcfgp.network.graphs import edge_batches, fold_graphs, join_graphs, structure_graph
from skcfgp.structures import check_structures

pytestmark = pytest.mark.network

LAYERS = ("set2set", "readout_0", "readout_1", "output")


@pytest.fixture(scope="module")
def published():
    return load_network("Eform_MP_2019")


@pytest.fixture(scope="module")
def bundled():
    return load_network("formation_energy_1800")


def outputs(network, structures):
    return network.compute([network.graph(s) for s in structures], LAYERS)


def test_published_network_on_salt(published, salt):
    assert published.predict([salt])[0] == pytest.approx(-2.1033, abs=1e-4)
    assert published.card["training dataset"] == "mp-2019.4.1"


@pytest.mark.parametrize("name", ["formation_energy", "log10K", "band_gap_regression"])
def test_older_published_networks_agree_with_megnet(models, name, crystals):
    network = load_network(models / "mp-2018.6.1" / f"{name}.hdf5")
    structures = crystals[0][:6]
    expected = network.to_megnet().predict_structures(list(structures))[:, 0]
    np.testing.assert_allclose(network.predict(structures), expected, rtol=1e-5, atol=1e-5)


def test_published_2018_network_on_bundled_labels(models, formation_energy):
    """MAE 0.0128 eV/atom on all crystals (they were in its training set)."""
    network = load_network(models / "mp-2018.6.1" / "formation_energy.hdf5")
    part = slice(0, None, 8)
    error = network.predict(formation_energy.structures[part]) - formation_energy.target[part]
    assert np.mean(np.abs(error)) < 0.02


def test_forward_agrees_with_megnets_own_layers(crystals):
    """Every layer, for whole batches of crystals of mixed sizes, on random weights."""
    import tensorflow as tf
    from megnet.data.graph import GraphBatchDistanceConvert

    network = MEGNet.initialize(Architecture(n_blocks=2, n_passes=2), random_state=3)
    model = network.to_megnet()
    structures = crystals[0][:12]
    graphs = [model.graph_converter.convert(s) for s in structures]
    inputs = GraphBatchDistanceConvert(
        *model.graph_converter.get_flat_data(graphs),
        distance_converter=model.graph_converter.bond_converter,
        batch_size=12,
        is_shuffle=False,
    )[0]
    layers = [model.model.get_layer("concatenate" if n == "set2set" else n) for n in LAYERS[1:-1]]
    concatenated = model.model.get_layer("readout_0").input
    wanted = [concatenated, *(layer.output for layer in layers), model.model.output]
    function = type(model.model)(model.model.inputs, wanted)
    expected = [tf.reshape(v, (12, -1)).numpy() for v in function(inputs)]
    for ours, megnets in zip(outputs(network, structures), expected, strict=True):
        np.testing.assert_allclose(ours, megnets, rtol=1e-5, atol=1e-6)


def test_to_and_from_megnet(bundled, crystals):
    model = bundled.to_megnet()
    again = MEGNet.from_megnet(model)
    assert again.architecture == bundled.architecture
    assert again.digest() == bundled.digest()
    assert (again.target_mean, again.target_std) == (bundled.target_mean, bundled.target_std)
    one = crystals[0][7]
    assert model.predict_structure(one)[0] == pytest.approx(bundled.predict([one])[0], abs=1e-5)


def test_vectors_do_not_depend_on_the_batch(bundled, crystals):
    """Law 4: batch, order of sites, lattice translation, choice of the cell."""
    structures = crystals[0][:20]
    together = outputs(bundled, structures)
    alone = [np.vstack(v) for v in zip(*(outputs(bundled, [s]) for s in structures), strict=True)]
    for one, all_ in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, all_)  # to the last bit
    changed = []
    for structure in structures:
        other = Structure.from_sites(structure.sites[::-1])
        other.translate_sites(range(len(other)), [0.3, 0.2, 0.7], to_unit_cell=False)
        other.translate_sites([0], [1, 0, -2], to_unit_cell=False)
        changed.append(other)
    changed = outputs(bundled, changed)
    doubled = outputs(bundled, [s * (2, 1, 1) for s in structures])
    for reference, *others in zip(together, alone, changed, doubled, strict=True):
        scale = np.abs(reference).max()
        for other in others:
            np.testing.assert_allclose(other, reference, atol=2e-5 * scale)


def test_graph_of_cesium_chloride():
    """Eight unlike neighbours at a sqrt(3) / 2 and six like ones at a."""
    a = 4.12
    crystal = Structure(Lattice.cubic(a), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    graph = structure_graph(crystal, 4.2)
    distances = np.sort(graph.distances[graph.first == 0])
    np.testing.assert_allclose(distances, [a * 3**0.5 / 2] * 8 + [a] * 6, rtol=1e-6)
    assert (np.diff(graph.first) >= 0).all()


def test_joined_graphs_and_batches(crystals):
    graphs = [structure_graph(s, 4.0) for s in crystals[0]]
    batch = join_graphs(graphs[:3])
    n_sites = [len(g.atomic_numbers) for g in graphs[:3]]
    assert np.bincount(batch.site_graph).tolist() == n_sites
    assert (batch.site_graph[batch.first] == batch.edge_graph).all()
    assert (batch.site_graph[batch.second] == batch.edge_graph).all()
    rows = [row for rows in edge_batches(graphs, 2000) for row in rows]
    assert sorted(rows) == list(range(len(graphs)))
    for rows in edge_batches(graphs, 2000):
        assert len(rows) == 1 or sum(len(graphs[r].distances) for r in rows) <= 2000


def test_folding_rock_salt(salt):
    """8 sites with 6 unlike and 12 like neighbours each: 2 sites with 2 edges each."""
    graph = structure_graph(salt, 4.5)
    (folded,) = fold_graphs([graph], 3)
    assert folded.atomic_numbers.tolist() == [11, 17]
    assert folded.site_count.tolist() == [4, 4]
    assert folded.first.tolist() == [0, 0, 1, 1]
    lengths = 5.69 * np.where(folded.first == folded.second, 0.5**0.5, 0.5)
    np.testing.assert_allclose(folded.distances, lengths, rtol=1e-6)
    assert (folded.edge_count == np.where(folded.first == folded.second, 12, 6)).all()
    assert len(graph.distances) == 8 * 18


def test_folding_changes_no_layer(published, crystals):
    """Against the network on the graphs as they are, also where an atom has no neighbour."""
    from skcfgp.network import numpy_ops
    from skcfgp.network.forward import forward

    structures = [
        *crystals[0],
        Structure(Lattice.cubic(12), ["H", "H", "Ar"], [[0, 0, 0], [0.06, 0, 0], [0.5, 0.5, 0.5]]),
    ]
    graphs = [published.graph(s) for s in structures]
    folded = fold_graphs(graphs, published.architecture.n_blocks)
    for graph, part in zip(graphs, folded, strict=True):
        assert part.site_count.sum() == len(graph.atomic_numbers)
        assert (part.edge_count * part.site_count[part.first]).sum() == len(graph.distances)
    assert 2 * sum(len(f.distances) for f in folded) < sum(len(g.distances) for g in graphs)
    again = fold_graphs(folded, published.architecture.n_blocks)
    assert all(one is other for one, other in zip(again, folded, strict=True))
    expected = forward(published.weights, join_graphs(graphs), published.architecture, numpy_ops)
    for layer, found in zip(LAYERS, published.compute(graphs, LAYERS), strict=True):
        wanted = getattr(expected, layer)
        np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", BUNDLED)
def test_numpy_agrees_with_tensorflow(name, formation_energy):
    """On every tenth crystal; they differ by rounding in single precision, of values up to 54."""
    network = load_network(name)
    graphs = []
    for structure in formation_energy.structures[::10]:
        try:
            graphs.append(network.graph(structure))
        except ValueError:  # no two atoms are near each other
            continue
    assert len(graphs) > 390
    graphs = fold_graphs(graphs, network.architecture.n_blocks)
    order = np.argsort([len(g.distances) for g in graphs])  # that of the batches
    expected = gpu.runner(network, "/CPU:0")(join_graphs([graphs[row] for row in order]))
    for layer, found in zip(LAYERS, network.compute(graphs, LAYERS), strict=True):
        np.testing.assert_allclose(found[order], getattr(expected, layer), rtol=1e-5, atol=2e-5)


def test_crystals_are_run_by_tensorflow_where_there_is_a_gpu(formation_energy, monkeypatch):
    network = load_network("formation_energy_1800")
    crystals = formation_energy.structures[:50]
    expected = network.predict(crystals)
    monkeypatch.setattr(gpu, "chosen_device", lambda device=None: "/CPU:0")  # stands for a GPU
    np.testing.assert_allclose(network.predict(crystals), expected, rtol=1e-5, atol=1e-5)
    featurizer = MEGNetFeaturizer("formation_energy_1800", LAYERS[:-1]).fit(crystals)
    computed = featurizer.network_.compute(network.graphs(check_structures(crystals)), LAYERS[:-1])
    features = np.hstack(computed)
    np.testing.assert_allclose(featurizer.transform(crystals), features, rtol=1e-5, atol=1e-5)


def test_the_device(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "DRIVERS", (str(tmp_path / "none"),))
    assert gpu.chosen_device() is None
    assert gpu.chosen_device("/CPU:0") is None
    monkeypatch.setattr(gpu, "DRIVERS", (str(tmp_path),))  # a driver, and no GPU
    monkeypatch.setattr(gpu, "prepare_gpus", list)
    assert gpu.chosen_device() is None
    with pytest.raises(ValueError, match="such as '/GPU:0', of which TensorFlow finds 0; got '/GP"):
        gpu.chosen_device("/GPU:1")
    monkeypatch.setattr(gpu, "prepare_gpus", lambda: ["one", "two"])
    assert gpu.chosen_device() == "/GPU:0"
    assert gpu.chosen_device("/GPU:1") == "/GPU:1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu.chosen_device() is None


def test_a_network_that_megnet_wrote(hdf5_network, published, monkeypatch):
    """Its layers have other names than those of the published files."""
    found = load_network(hdf5_network)
    assert found.digest() == published.digest()
    assert found.card == published.card
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'skcfgp\[hdf5\]'"):
        load_network(hdf5_network)


def test_the_bundled_published_network_has_the_published_numbers(models, published):
    path = models / PUBLISHED["Eform_MP_2019"][0]
    sums = [sha256(p.read_bytes()).hexdigest() for p in (path, path.with_name(f"{path.name}.json"))]
    assert sums == list(PUBLISHED["Eform_MP_2019"][1:]) == published.card["source"]["sha256"]
    network = load_network(path)
    assert network.architecture == published.architecture
    assert (network.target_mean, network.target_std) == (0.0, 1.0)
    for name, value in network.weights.items():
        np.testing.assert_array_equal(published.weights[name], value)


def test_folding_depends_on_the_crystal_alone(crystals):
    graphs = [structure_graph(s, 4.0) for s in crystals[0][:20]]
    for graph, together in zip(graphs, fold_graphs(graphs, 3), strict=True):
        for alone, other in zip(*fold_graphs([graph], 3), together, strict=True):
            np.testing.assert_array_equal(alone, other)


def test_dense_distances_are_not_chained_together():
    from skcfgp.network import graphs as module

    graph = module.Graph(
        np.ones(2, np.int32),
        (2.0 + 5e-7 * np.arange(1000)).astype(np.float32),
        np.zeros(1000, np.int32),
        np.ones(1000, np.int32),
        np.ones(2, np.float32),
        np.ones(1000, np.float32),
    )
    (folded,) = fold_graphs([graph], 1)
    assert folded.edge_count.sum() == 1000
    assert folded.edge_count.max() <= 10


def test_activation_does_not_overflow():
    import tensorflow as tf

    from skcfgp.network import numpy_ops
    from skcfgp.network.tensorflow_ops import softplus2

    x = tf.constant([-1e4, -100.0, -1.0, 0.0, 1.0, 79.0, 81.0, 1e4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = softplus2(x)
    exact = np.logaddexp(x.numpy().astype(float), 0) - np.log(2)
    np.testing.assert_allclose(y, exact, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(numpy_ops.softplus2(x.numpy().copy()), exact, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(tape.gradient(y, x), tf.sigmoid(x), rtol=1e-6)


def test_no_crystals(bundled):
    assert bundled.predict([]).shape == (0,)
    assert [values.shape for values in outputs(bundled, [])] == [(0, n) for n in (96, 32, 16, 1)]


def test_no_bond_and_unknown_element(published, salt):
    far = Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])
    with pytest.raises(ValueError, match="Crystal 'lonely': no two atoms"):
        published.predict({"salt": salt, "lonely": far})
    with pytest.raises(ValueError, match=r"cut-off of 5\.0 angstrom"):
        published.graph(far)
    heavy = Structure(salt.lattice, ["Og"], [[0, 0, 0]])
    with pytest.raises(ValueError, match=r"Og \(atomic number 118\)"):
        published.graph(heavy)


def test_comparing_and_printing_a_network(bundled):
    assert bundled == bundled
    assert bundled != bundled.copy()
    assert bundled.digest() == bundled.copy().digest()
    assert len(repr(bundled)) < 1000


def test_save_and_load(bundled, crystals, tmp_path):
    save_network(bundled, tmp_path / "net")
    loaded = load_network(tmp_path / "net")
    assert loaded.digest() == bundled.digest()
    assert loaded.card == bundled.card
    for name, value in bundled.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], value)
    np.testing.assert_array_equal(loaded.predict(crystals[0]), bundled.predict(crystals[0]))


def test_saving_beside_other_files_is_refused(bundled, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(FileExistsError, match=r"thesis.tex"):
        save_network(bundled, tmp_path)


def test_a_failed_save_leaves_what_was_there(bundled, tmp_path):
    save_network(bundled, tmp_path)
    wrong = bundled.copy()
    wrong.card["mae"] = np.float32(0.1)
    with pytest.raises(TypeError, match="float32"):
        save_network(wrong, tmp_path)
    assert load_network(tmp_path).digest() == bundled.digest()
    (tmp_path / "weights.npz.1.part").touch()  # of a process that was killed
    save_network(bundled, tmp_path)


def test_damaged_files_are_refused(bundled, tmp_path):
    folder = tmp_path / "net"
    save_network(bundled, folder)
    weights = folder / "weights.npz"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="SHA-256"):
        load_network(folder)
    description = json.loads((folder / "network.json").read_text())
    (folder / "network.json").write_text(json.dumps(description | {"format": "other"}))
    with pytest.raises(ValueError, match="expected format"):
        load_network(folder)
    (folder / "network.json").write_text(json.dumps(description | {"target_mean": 0.5}))
    with pytest.raises(ValueError, match=r"network\.json was changed or cut"):
        load_network(folder)
    weights.unlink()
    with pytest.raises(ValueError, match="is not a network"):
        load_network(folder)


def test_a_description_without_a_checksum_is_read(bundled, tmp_path):
    """As it was written before there was one; but not one that lost it."""
    save_network(bundled, tmp_path)
    path = tmp_path / "network.json"
    description = json.loads(path.read_text())
    old = description | {"format": "skcfgp-megnet-1"}
    path.write_text(json.dumps(old))
    with pytest.raises(ValueError, match="changed or cut"):
        load_network(tmp_path)
    del old["description_sha256"]
    path.write_text(json.dumps(old))
    assert load_network(tmp_path).digest() == bundled.digest()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.pop("card"), "'card' is missing"),
        (lambda d: d.update(card=[]), "card is not an object"),
        (lambda d: d.update(target_mean=[1]), "not a network, or damaged"),
        (lambda d: d.update(target_std=float("nan")), "scaler is not finite"),
        (lambda d: d.update(architecture=[1]), "not a network, or damaged"),
        (lambda d: d["architecture"].update(cutoff=1e9), "cutoff = 1000000000.0 is out of bounds"),
        (lambda d: d["architecture"].update(n_passes=10**9), "n_passes = 1000000000 is out"),
        (lambda d: d["architecture"].update(n_blocks=2.5), "n_blocks must be a number"),
        (lambda d: d["architecture"].update(n1=63), "expected .* of shape"),
        (lambda d: d["architecture"].update(n_blocks=4), "not those of a MEGNet"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_by_file(bundled, tmp_path, change, reason):
    save_network(bundled, tmp_path)
    path = tmp_path / "network.json"
    description = json.loads(path.read_text())
    del description["description_sha256"]
    change(description)
    path.write_text(json.dumps(description | {"format": "skcfgp-megnet-1"}))
    with pytest.raises(ValueError, match=reason) as error:
        load_network(tmp_path)
    assert str(error.value).startswith(f"{tmp_path} is not a network, or damaged: ")


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, "\udc80", '{"a": NaN}'])
def test_other_files_are_no_networks(bundled, tmp_path, text):
    save_network(bundled, tmp_path / "net")
    other = text.encode("utf-8", "surrogatepass")
    (tmp_path / "net" / "network.json").write_bytes(other)
    (tmp_path / "net.hdf5").write_bytes(other)
    (tmp_path / "net.hdf5.json").write_bytes(other)
    for name in ("net", "net.hdf5"):
        with pytest.raises(ValueError, match=f"{name} is not a network, or damaged: "):
            load_network(tmp_path / name)


def test_a_pickle_in_the_weights_is_not_opened(bundled, tmp_path):
    save_network(bundled, tmp_path)
    np.savez(tmp_path / "weights.npz", evil=np.array([{"a": 1}], dtype=object))
    path = tmp_path / "network.json"
    description = json.loads(path.read_text())
    del description["description_sha256"]
    description["format"] = "skcfgp-megnet-1"
    description["weights_sha256"] = sha256((tmp_path / "weights.npz").read_bytes()).hexdigest()
    path.write_text(json.dumps(description))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_network(tmp_path)


def test_unknown_names():
    with pytest.raises(ValueError, match="formation_energy_1800, Eform_MP_2019"):
        load_network("Eform_MP_2020")


def test_published_network_is_fetched_once_and_checked(models, tmp_path, monkeypatch):
    """The real download code, from a folder instead of the internet."""
    monkeypatch.setenv("SKCFGP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(network_files, "MVL_URL", models.as_uri() + "/")
    network = load_network("logK_MP_2018")
    assert network.card["unit"] == "log10(GPa)"
    assert sorted(p.name for p in (tmp_path / "cache" / "mp-2018.6.1").iterdir()) == [
        "log10K.hdf5",
        "log10K.hdf5.json",
    ]
    monkeypatch.setattr(network_files, "MVL_URL", "file:///nowhere/")
    assert load_network("logK_MP_2018").digest() == network.digest()
    with pytest.raises(OSError, match="Without a connection, copy the file to"):
        load_network("Bandgap_MP_2018")
    monkeypatch.setattr(network_files, "MVL_URL", tmp_path.as_uri() + "/")
    wrong = tmp_path / "mp-2018.6.1"
    wrong.mkdir()
    (wrong / "band_gap_regression.hdf5").write_bytes(b"not it")
    with pytest.raises(ValueError, match="SHA-256"):
        load_network("Bandgap_MP_2018")
    assert not list((tmp_path / "cache").rglob("*.part"))


@pytest.mark.parametrize("options", [{}, {"n_blocks": 2, "n1": 16, "n2": 8, "n_targets": 2}])
def test_shapes_and_order_of_the_weights_are_those_of_megnet(options):
    """The order matters: initial weights are drawn in it."""
    shape = Architecture(n3=4, embedding_dim=5, n_gaussians=20, **options)
    expected = {k: tuple(v.shape) for k, v in named_variables(shape.build_megnet()).items()}
    assert list(weight_shapes(shape).items()) == list(expected.items())


def test_initial_weights_come_from_the_seed_alone():
    import tensorflow as tf

    shape = Architecture(n_blocks=1)
    before = tf.random.get_global_generator().state.numpy()
    legacy = np.random.get_state()[1].copy()  # noqa: NPY002  it must not be touched
    first, same, other = (MEGNet.initialize(shape, random_state=s) for s in (0, 0, 1))
    assert first.digest() == same.digest() != other.digest()
    np.testing.assert_array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002
    np.testing.assert_array_equal(tf.random.get_global_generator().state.numpy(), before)
    similar = MEGNet.initialize(shape, random_state=0).weights["atom_embedding/embeddings"]
    distance = np.linalg.norm(similar[[19, 37, 17]] - similar[11], axis=1)  # K, Rb, Cl from Na
    assert distance[:2].max() < distance[2]
    with pytest.raises(ValueError, match="embedding"):
        MEGNet.initialize(shape, embedding="onehot")


def test_rescaling_the_target_keeps_predictions(bundled, crystals):
    network = bundled.copy()
    before = network.predict(crystals[0])
    network.rescale_target(3.0, 0.25)
    np.testing.assert_allclose(network.predict(crystals[0]), before, atol=1e-5)
    assert network.digest() == bundled.digest()  # the latent vectors have not changed


def test_training_step_has_megnets_gradient(crystals):
    """The gradient of the compiled pass is that of megnet's Keras layers."""
    import tensorflow as tf

    from skcfgp.network import tensorflow_ops as ops
    from skcfgp.network.forward import forward
    from skcfgp.network.keras import legacy_keras

    structures, y = crystals[0][:8], crystals[1][:8]
    network = MEGNet.initialize(Architecture(n_blocks=2), random_state=0)
    # At exactly zero megnet's activation, written with |x|, has the gradient 0 and not 1/2.
    rng = np.random.default_rng(0)
    for name, value in network.weights.items():
        if "bias" in name:
            value += rng.normal(scale=0.1, size=value.shape).astype(np.float32)
    batch = ops.as_tensors(join_graphs([network.graph(s) for s in structures]))
    weights = {name: tf.Variable(value) for name, value in network.weights.items()}
    with tf.GradientTape() as tape:
        output = forward(weights, batch, network.architecture, ops).output
        loss = tf.reduce_mean((output[:, 0] - y) ** 2)
    ours = tape.gradient(loss, weights)

    model = network.to_megnet()
    centers = tf.constant(model.graph_converter.bond_converter.centers, tf.float32)
    inputs = [
        batch.atomic_numbers[None],
        tf.exp(-(((batch.distances[:, None] - centers) / 0.5) ** 2))[None],
        tf.zeros((1, 8, 2)),
        *(tensor[None] for tensor in batch[2:6]),
    ]
    with legacy_keras(), tf.GradientTape() as tape:
        expected_loss = tf.reduce_mean((model.model(inputs)[0, :, 0] - y) ** 2)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    variables = {
        f"{layer.name}/{v.name.split('/')[-1].split(':')[0]}": v
        for layer in model.model.layers
        for v in layer.weights
    }
    for name, expected in tape.gradient(expected_loss, variables).items():
        expected = tf.convert_to_tensor(expected).numpy()
        scale = np.abs(expected).max() + 1e-6
        found = tf.convert_to_tensor(ours[name]).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4 * scale, err_msg=name)


@pytest.fixture(scope="module")
def training(crystals):
    shape = Architecture(n_blocks=1, n1=16, n2=8, n3=4)
    network = MEGNet.initialize(shape, random_state=0)
    graphs = [network.graph(s) for s in crystals[0]]

    def run(**options):
        trained = network.copy()
        options = {"epochs": 8, "batch_size": 8, "random_state": 0} | options
        history, validation = train(trained, graphs, crystals[1], **options)
        return trained, history, validation

    return run


def test_training_learns_and_repeats(training, crystals):
    trained, history, validation = training(epochs=30)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert len(validation) == 6
    error = trained.predict(crystals[0][validation]) - crystals[1][validation]
    assert np.mean(np.abs(error)) == pytest.approx(min(history["val_mae"]), rel=1e-4)
    again, history_again, _ = training(epochs=30)
    np.testing.assert_allclose(history_again["loss"], history["loss"], rtol=1e-3)
    np.testing.assert_allclose(again.predict(crystals[0]), trained.predict(crystals[0]), atol=5e-3)
    assert history["learning_rate"][-1] < 0.05 * max(history["learning_rate"])


def test_trainings_share_a_compiled_step_and_no_number(training):
    """Also one that begins while another of the same kind runs, and needs a step of its own."""
    other, inside = {"epochs": 2, "learning_rate": 0.01, "random_state": 1}, []
    first = training(epochs=2, on_epoch=lambda *_: inside.append(training(**other)[1]["loss"]))
    np.testing.assert_allclose(training(epochs=2)[1]["loss"], first[1]["loss"], rtol=1e-3)
    np.testing.assert_allclose(inside[1], inside[0], rtol=1e-3)
    assert inside[0] != pytest.approx(first[1]["loss"], rel=1e-2)


def test_training_keeps_the_best_epoch_and_stops(training):
    _, history, _ = training(epochs=40, patience=3, learning_rate=0.1)
    best = 1 + int(np.argmin(history["val_mae"]))
    assert len(history["val_mae"]) == min(best + 3, 40)
    _, history, _ = training(epochs=40, patience=3, learning_rate=1e-12)
    assert len(set(history["val_mae"])) == 1  # nothing is learnt, so the first epoch is the best
    assert len(history["val_mae"]) == 1 + 3


def test_training_without_validation(training):
    _, history, validation = training(validation_fraction=0.0, epochs=2)
    assert len(validation) == 0
    assert np.isnan(history["val_mae"]).all()


def test_noise_on_distances(training, crystals):
    """Without learning, the loss is that of graphs whose distances are noisy."""
    options = {"epochs": 6, "learning_rate": 1e-12, "validation_fraction": 0.0}
    network, history, _ = training(distance_noise=0.5, **options)
    plain = training(**options)[1]
    graphs = [network.graph(s) for s in crystals[0]]
    rng = np.random.default_rng(0)

    def noisy(graph):
        noise = rng.normal(scale=0.5, size=len(graph.distances))
        return graph._replace(distances=(graph.distances + noise).astype(np.float32))

    losses = [
        np.abs(network.read_out([noisy(g) for g in graphs]) - crystals[1]).mean() for _ in range(6)
    ]
    assert np.mean(history["loss"]) == pytest.approx(np.mean(losses), abs=1e-3)
    assert np.mean(plain["loss"]) > np.mean(losses) + 2e-3


def test_interrupted_training_keeps_the_best_weights(training, crystals):
    def interrupt(epoch, history):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after 3 of 8 epochs"):
        trained, history, validation = training(on_epoch=interrupt)
    assert len(history["loss"]) == 3
    error = trained.predict(crystals[0][validation]) - crystals[1][validation]
    assert np.mean(np.abs(error)) == pytest.approx(min(history["val_mae"]), rel=1e-4)


def test_nothing_left_to_train_on(training):
    with pytest.raises(ValueError, match="none of 60 is left to train on"):
        training(validation_fraction=0.999)


@pytest.mark.parametrize("validation_fraction", [0.0, 0.1])
def test_training_that_diverges(training, validation_fraction):
    with pytest.raises(ValueError, match=r"diverged in its first epoch\. Lower the learning rate"):
        training(learning_rate=1e30, validation_fraction=validation_fraction)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}, {"batch_size": 2.5}])
def test_training_of_no_steps(training, options):
    with pytest.raises(ValueError, match="must be an integer of at least 1, got"):
        training(**options)


def test_training_on_equal_labels(crystals):
    """Their standard deviation is 1e-17 instead of 0, and no unit to learn in."""
    network = MEGNet.initialize(Architecture(n_blocks=1, n1=16, n2=8, n3=4), random_state=0)
    graphs = [network.graph(structure) for structure in crystals[0]]
    train(network, graphs, np.full(60, 0.1), epochs=1, random_state=0)
    assert network.target_std == 1.0


def test_bundled_network_is_what_its_card_says(bundled, formation_energy):
    """The card's error, and that the network has not seen pool and test set."""
    data = formation_energy
    train_ids = set(data.material_id[data.split == "train"])
    assert set(bundled.card["validation_material_id"]) < train_ids
    for split in ("pool", "test"):
        rows = data.split == split
        mae = np.mean(np.abs(bundled.predict(data.structures[rows]) - data.target[rows]))
        assert mae == pytest.approx(bundled.card[f"{split}_mae"], abs=1e-4)
    seen = data.split == "train"
    assert np.mean(np.abs(bundled.predict(data.structures[seen]) - data.target[seen])) < mae


def test_bundled_network_is_good(bundled):
    assert bundled.card["test_mae"] < 0.17  # eV/atom
