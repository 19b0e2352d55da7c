import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import joblib
import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from skcfgp import GaussianProcessRegressor, MEGNetFeaturizer, make_cfgp
from skcfgp.features import CrystalReader, LeakageWarning
from skcfgp.features.store import memory
from skcfgp.kernels import Laplacian
from skcfgp.network import Architecture, MEGNet, save_network, train
from skcfgp.structures import InvalidStructureError, InvalidStructureWarning, checking, files

pytestmark = pytest.mark.network

NAME = "formation_energy_1800"


@pytest.fixture
def fresh_memory():
    memory.clear()


@pytest.fixture
def network_runs(monkeypatch, fresh_memory):
    """Sizes of the batches of crystals that went through a network."""
    runs, compute = [], MEGNet.compute

    def counted(self, graphs, *args, **options):
        runs.append(len(graphs))
        return compute(self, graphs, *args, **options)

    monkeypatch.setattr(MEGNet, "compute", counted)
    return runs


def test_conventions(crystals):
    """scikit-learn has one check for a transformer of objects; the others' ideas by hand."""
    with pytest.warns(SkipTestWarning, match="requires input"):
        results = check_estimator(MEGNetFeaturizer(NAME), on_skip=None)
    assert {result["status"] for result in results} == {"passed"}
    transformer = MEGNetFeaturizer(NAME, "set2set", cache_dir=None)
    params = transformer.get_params()
    with pytest.raises(NotFittedError):
        transformer.transform(crystals[0])
    with pytest.raises(NotFittedError):
        transformer.get_feature_names_out()
    assert transformer.fit(crystals[0][:3], crystals[1][:3]) is transformer
    assert transformer.get_params() == params
    state = pickle.dumps(transformer)
    transformer.transform(crystals[0][:3])
    with pytest.warns(InvalidStructureWarning):
        transformer.set_params(on_error="nan").transform([None, "no.cif"])
    assert pickle.dumps(transformer.set_params(on_error="raise")) == state
    other = clone(transformer)
    assert other.get_params() == params
    assert not hasattr(other, "network_")
    assert repr(transformer) == f"MEGNetFeaturizer(layer='set2set', weights='{NAME}')"


def test_shapes_and_names(crystals):
    X = crystals[0][:5]
    widths = {"set2set": 96, "readout_0": 32, "readout_1": 16}
    columns = {}
    for layer, width in widths.items():
        transformer = MEGNetFeaturizer(NAME, layer=layer).fit(X)
        columns[layer] = transformer.transform(X)
        assert columns[layer].shape == (5, width)
        assert columns[layer].dtype == np.float32
        names = transformer.get_feature_names_out()
        assert len(set(names)) == width
        assert names[0] == f"{layer}_00"
    both = MEGNetFeaturizer(NAME, layer=["readout_1", "set2set"]).fit_transform(X)
    expected = np.hstack([columns["readout_1"], columns["set2set"]])
    np.testing.assert_allclose(both, expected, rtol=1e-5, atol=1e-6)


def test_readout_0_of_published_network_is_dense_32(salt):
    """The published file has no layer of that name; the role is found from the network's graph."""
    transformer = MEGNetFeaturizer().fit([salt])
    features = transformer.transform([salt])
    weights = transformer.network_.weights

    def dense(x, name):
        x = x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]
        return np.logaddexp(x, 0) - np.log(2)

    readout_1 = dense(features, "readout_1")
    energy = readout_1 @ weights["readout_2/kernel"] + weights["readout_2/bias"]
    assert energy[0, 0] == pytest.approx(-2.1033, abs=1e-4)


def test_pandas_output_keeps_the_index(crystals):
    X = pd.Series(list(crystals[0][:4]), index=["mp-a", "mp-b", "mp-c", "mp-d"])
    transformer = MEGNetFeaturizer(NAME).set_output(transform="pandas").fit(X)
    frame = transformer.transform(X)
    assert frame.index.tolist() == X.index.tolist()
    assert frame.columns.tolist() == transformer.get_feature_names_out().tolist()
    assert transformer.transform(X.to_frame()).index.tolist() == X.index.tolist()


def test_failed_rows_are_nan_and_listed(crystals, salt, fresh_memory):
    far = Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])
    disordered = Structure(salt.lattice, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    heavy = Structure(salt.lattice, ["Og", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    X = pd.Series([salt, far, crystals[0][0], disordered, heavy, far.copy(), "no.cif"])
    X.index = [f"id-{i}" for i in range(7)]
    transformer = MEGNetFeaturizer(NAME, on_error="nan").fit(crystals[0])
    with pytest.warns(InvalidStructureWarning, match="5 crystals cannot") as warned:
        features = transformer.transform(X)
    bad = [1, 3, 4, 5, 6]
    assert np.isnan(features).all(axis=1).nonzero()[0].tolist() == bad
    (message,) = [str(w.message) for w in warned]
    reasons = ["no two atoms", "a site is", "the element Og", "no two atoms", "there is no file"]
    for i, reason in zip(bad, reasons, strict=True):
        assert f"Crystal 'id-{i}': {reason}" in message
    with pytest.warns(InvalidStructureWarning):
        again = MEGNetFeaturizer(NAME, on_error="nan").fit_transform(X)
    np.testing.assert_array_equal(again, features)
    with pytest.raises(InvalidStructureError, match="no file"):
        MEGNetFeaturizer(NAME, on_error="nan", epochs=1).fit(X[-1:], [1.0])
    with pytest.raises(InvalidStructureError) as error:
        MEGNetFeaturizer(NAME).fit(crystals[0]).transform(X)
    assert [(f.index, f.id) for f in error.value.failures] == [(i, f"id-{i}") for i in bad]
    copy = pickle.loads(pickle.dumps(error.value))
    assert copy.failures == error.value.failures
    assert str(copy) == str(error.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layer": "dense_32"}, "layer must be"),
        ({"layer": []}, "each layer once"),
        ({"layer": ["set2set", "set2set"]}, "each layer once"),
        ({"on_error": "drop"}, "on_error"),
        ({"epochs": -1}, "epochs"),
        ({"epochs": 1.5}, "epochs"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"weights": None}, "random weights"),
        ({"weights": "Eform_MP_2091"}, "Eform_MP_2019"),
    ],
)
def test_wrong_parameters(crystals, params, message):
    with pytest.raises(ValueError, match=message):
        MEGNetFeaturizer(**({"weights": NAME} | params)).fit(crystals[0][:3])


def test_fit_needs_crystals_and_labels(crystals):
    X, y = crystals
    with pytest.raises(ValueError, match="no crystal"):
        MEGNetFeaturizer(NAME).fit([])
    training = MEGNetFeaturizer(None, epochs=1)
    with pytest.raises(ValueError, match="needs the target"):
        training.fit(X)
    with pytest.raises(ValueError, match="60 crystals, y 59"):
        training.fit(X, y[:59])
    with pytest.raises(ValueError, match="position 3"):
        training.fit(X, np.where(np.arange(60) == 3, np.nan, y))


def test_leak_is_announced(crystals, salt):
    with pytest.warns(LeakageWarning, match="formation_energy_1800"):
        MEGNetFeaturizer("Eform_MP_2019").fit(crystals[0])
    MEGNetFeaturizer("Eform_MP_2019").fit([salt])
    MEGNetFeaturizer(NAME).fit(crystals[0])


def test_seen_crystals_do_not_go_through_the_network_again(crystals, network_runs):
    X = crystals[0][:10]
    first = MEGNetFeaturizer(NAME).fit(X).transform(X)
    doubled = np.concatenate([X, X[:3]])
    second = MEGNetFeaturizer(NAME).fit(X).transform(doubled)
    np.testing.assert_array_equal(second, np.vstack([first, first[:3]]))
    assert network_runs == [10]
    MEGNetFeaturizer(NAME, layer="readout_1").fit(X).transform(X)
    assert network_runs == [10, 10]
    MEGNetFeaturizer(NAME).fit(X).transform(crystals[0][:12])
    assert network_runs == [10, 10, 2]


def test_cache_on_disk(crystals, network_runs, tmp_path):
    X = crystals[0][:10]
    first = MEGNetFeaturizer(NAME, cache_dir=tmp_path).fit(X).transform(X)
    memory.clear()  # as in another process
    second = MEGNetFeaturizer(NAME, cache_dir=tmp_path).fit(X).transform(X)
    np.testing.assert_array_equal(first, second)
    assert network_runs == [10]


def test_vectors_are_stored_before_a_crystal_is_refused(crystals, network_runs):
    """One bad crystal among many does not throw away what was computed."""
    far = Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])
    X = [*crystals[0][:10], far]
    featurizer = MEGNetFeaturizer(NAME).fit(X[:1])
    with pytest.raises(InvalidStructureError, match="position 10: no two atoms"):
        featurizer.transform(X)
    assert featurizer.transform(X[:10]).shape == (10, 32)
    assert network_runs == [10]


def test_an_edited_network_never_serves_old_vectors(crystals, fresh_memory):
    X = crystals[0][:4]
    featurizer, other = MEGNetFeaturizer(NAME).fit(X), MEGNetFeaturizer(NAME).fit(X)
    before = featurizer.transform(X)
    featurizer.network_.weights["readout_0/bias"] += 1
    assert (featurizer.transform(X) > before).all()
    np.testing.assert_array_equal(other.transform(X), before)  # its network is its own
    np.testing.assert_array_equal(MEGNetFeaturizer(NAME).fit(X).transform(X), before)
    other.network_ = featurizer.network_
    np.testing.assert_array_equal(other.transform(X), featurizer.transform(X))


def test_threads_share_a_featurizer(crystals, fresh_memory):
    """Each thread gets the rows and the errors of its own crystals."""
    X = list(crystals[0][:24])
    expected = MEGNetFeaturizer(NAME).fit(X).transform(X)
    memory.clear()
    far = Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])
    featurizer = MEGNetFeaturizer(NAME, verbose=0).fit(X)

    def run(k):
        part = X[3 * k : 3 * k + 3]
        try:
            featurizer.transform([*part[:k], far, *part[k:]])
        except InvalidStructureError as error:
            failed = [failure.index for failure in error.failures]
        return failed, featurizer.transform(part)

    with ThreadPoolExecutor(4) as pool:
        for k, (failed, found) in enumerate(pool.map(run, range(4))):
            assert failed == [k if k < 3 else 3]
            np.testing.assert_allclose(found, expected[3 * k : 3 * k + 3], rtol=1e-5, atol=1e-6)


@pytest.fixture
def parses(crystals, tmp_path, monkeypatch):
    """30 files, and how often each is read from now on."""
    counts, read = {}, files.read_structure_file

    def counted(path):
        counts[path.name] = counts.get(path.name, 0) + 1
        return read(path)

    monkeypatch.setattr(checking, "read_structure_file", counted)
    paths = [tmp_path / f"{k}.json" for k in range(30)]
    for path, crystal in zip(paths, crystals[0], strict=False):
        path.write_text(crystal.to_json())
    return list(map(str, paths)), counts


def models_on_files():
    gp = GaussianProcessRegressor(alpha=1e-3, optimizer=None)
    yield "featurizer and process", make_pipeline(MEGNetFeaturizer(NAME), gp)
    for calibrated in (False, True):
        name = "calibrated" if calibrated else "plain"
        yield name, make_cfgp(NAME, calibrated=calibrated, random_state=0)


@pytest.mark.filterwarnings("ignore:The length scale ended")  # few labels
@pytest.mark.parametrize("name", ["featurizer and process", "plain", "calibrated"])
def test_a_file_is_parsed_once(parses, crystals, name):
    paths, counts = parses
    model = dict(models_on_files())[name].fit(paths, crystals[1][:30])
    assert counts == {f"{k}.json": 1 for k in range(30)}
    counts.clear()
    mean, std = model.predict(paths[:4], return_std=True)
    assert np.isfinite(mean + std).all()
    assert counts == {f"{k}.json": 1 for k in range(4)}


def test_reader(salt, tmp_path):
    """Files become crystals that know their id; what cannot be used is None and named once."""
    salt.to(str(tmp_path / "salt.cif"), fmt="cif")
    X = pd.Series([tmp_path / "salt.cif", salt, "no.cif"], index=["a", "b", "c"])
    reader = CrystalReader(on_error="nan")
    with pytest.warns(SkipTestWarning, match="requires input"):
        results = check_estimator(reader, on_skip=None)
    assert {result["status"] for result in results} == {"passed"}
    with pytest.warns(InvalidStructureWarning, match="Crystal 'c': there is no file"):
        found = reader.transform(X)
    assert [None if c is None else c.properties["material_id"] for c in found] == ["a", "b", None]
    with pytest.raises(InvalidStructureError, match="Crystal 'c'"):
        CrystalReader().fit_transform(X)
    with pytest.raises(ValueError, match="on_error must be"):
        CrystalReader(on_error="drop").fit(X)
    model = make_pipeline(reader, MEGNetFeaturizer(NAME, on_error="nan"))
    model.set_output(transform="pandas")
    with pytest.warns(InvalidStructureWarning, match="Crystal 'c'") as warned:
        frame = model.fit_transform(X)
    assert len(warned) == 1
    assert frame.index.tolist() == ["a", "b", "c"]
    assert frame.columns.tolist() == model.get_feature_names_out().tolist()
    assert np.isnan(frame).all(axis=1).tolist() == [False, False, True]


def test_another_network_has_other_vectors(crystals, tmp_path, fresh_memory):
    """Not even a path that now holds another network gives the vectors of the first."""
    X = crystals[0][:4]
    original = MEGNetFeaturizer(NAME).fit(X)
    other = original.network_.copy()
    folder = tmp_path / "net"
    save_network(other, folder)
    same = MEGNetFeaturizer(folder, cache_dir=tmp_path / "cache").fit(X).transform(X)
    np.testing.assert_array_equal(same, original.transform(X))
    other.weights["readout_0/bias"] += 1
    save_network(other, folder)
    changed = MEGNetFeaturizer(folder, cache_dir=tmp_path / "cache").fit(X).transform(X)
    assert (changed > same).all()


def test_training_from_scratch_and_fine_tuning(crystals):
    X, y = crystals
    small = MEGNetFeaturizer(None, epochs=15, batch_size=8, random_state=0, verbose=0).fit(X, y)
    assert len(small.history_["loss"]) == 15
    assert small.history_["loss"][-1] < small.history_["loss"][0]
    assert small.network_.architecture.cutoff == 4.0
    readout = small.network_.predict(X)
    assert np.corrcoef(readout, y)[0, 1] > 0.5
    frozen = MEGNetFeaturizer(NAME).fit(X)
    before = frozen.transform(X)
    tuned = MEGNetFeaturizer(NAME, epochs=2, learning_rate=2e-4, random_state=0).fit(X, y**2)
    assert not np.allclose(tuned.transform(X), before)
    np.testing.assert_array_equal(MEGNetFeaturizer(NAME).fit(X).transform(X), before)
    assert tuned.network_.card == frozen.network_.card
    assert not hasattr(tuned.set_params(epochs=0).fit(X), "history_")


def test_every_training_parameter_reaches_the_training(crystals, tmp_path):
    """Fitting the featurizer is `train` with the same values, none of them the default."""
    X, y = crystals
    network = MEGNet.initialize(Architecture(n_blocks=1, n1=16, n2=8, n3=4), random_state=0)
    save_network(network, tmp_path)
    options = {
        "epochs": 12,
        "batch_size": 7,
        "learning_rate": 0.05,
        "weight_decay": 0.1,
        "distance_noise": 0.05,
        "dropout": 0.1,
        "validation_fraction": 0.3,
        "patience": 1,
        "random_state": 3,
        "device": "/CPU:0",
    }
    fitted = MEGNetFeaturizer(tmp_path, **options, verbose=0).fit(X, y)
    graphs = [network.graph(crystal) for crystal in X]
    history, validation = train(network, graphs, y, adapt_readout=True, **options)
    assert len(history["loss"]) < 12  # patience ended it
    np.testing.assert_array_equal(fitted.validation_indices_, validation)
    np.testing.assert_allclose(fitted.history_["loss"], history["loss"], rtol=1e-3)
    defaults = MEGNetFeaturizer().get_params()
    assert all(defaults[name] != value for name, value in options.items())


@pytest.mark.filterwarnings("ignore:The length scale ended")  # 120 labels do not determine it
def test_pipeline(formation_energy, tmp_path):
    """Fit, predict with std, clone, pickle, joblib: crystals in, error bars out."""
    data = formation_energy
    train, test = data.structures[:120], data.structures[-40:]
    model = make_pipeline(
        MEGNetFeaturizer(NAME, verbose=0), GaussianProcessRegressor(Laplacian(), alpha=1e-4)
    )
    model.fit(train, data.target[:120])
    energy, std = model.predict(test, return_std=True)
    assert energy.shape == std.shape == (40,)
    assert (std > 0).all()
    assert np.mean(np.abs(energy - data.target[-40:])) < 0.5 * np.std(data.target)
    joblib.dump(model, tmp_path / "model.joblib")
    restored = [pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")]
    restored.append(clone(model).fit(train, data.target[:120]))
    for other in restored:
        for found, expected in zip(
            other.predict(test, return_std=True), (energy, std), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_grid_search_over_kernels_and_layers(crystals, network_runs):
    from sklearn.gaussian_process.kernels import RBF

    X, y = crystals
    model = make_pipeline(
        MEGNetFeaturizer(NAME, verbose=0), GaussianProcessRegressor(alpha=1e-3, optimizer=None)
    )
    grid = {
        "gaussianprocessregressor__kernel": [Laplacian(1.0, 5.0), 1.0 * RBF(5.0)],
        "megnetfeaturizer__layer": ["readout_0", "readout_1", ["readout_0", "set2set"]],
    }
    search = GridSearchCV(model, grid, cv=3, scoring="neg_mean_absolute_error").fit(X, y)
    assert len(search.cv_results_["params"]) == 6
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(search.predict(X[:3])).all()
    assert sum(network_runs) == 3 * len(X)  # each crystal once a layer


def test_quiet_when_not_a_terminal(crystals, capfd, fresh_memory):
    MEGNetFeaturizer(NAME, verbose=1).fit(crystals[0]).transform(crystals[0])
    assert "featurizing" not in capfd.readouterr().err


def test_unseen_rows_are_not_trained_on(crystals):
    """Their labels only choose the epoch: of a single one there is nothing to choose."""
    X, y = crystals
    unseen = np.arange(len(y)) % 6 == 0
    options = {"epochs": 1, "batch_size": 10, "random_state": 0, "verbose": 0}
    other = np.where(unseen, 7.0, y)
    vectors = []
    for target in (y, other):
        featurizer = MEGNetFeaturizer(NAME, **options).fit(X, target, unseen=unseen)
        np.testing.assert_array_equal(featurizer.validation_indices_, np.flatnonzero(unseen))
        vectors.append(featurizer.transform(X))
    np.testing.assert_array_equal(*vectors)
    with pytest.raises(ValueError, match="unseen must hold 60 booleans"):
        MEGNetFeaturizer(NAME, **options).fit(X, y, unseen=unseen[1:])
    with pytest.raises(ValueError, match="none of 60 is left"):
        MEGNetFeaturizer(NAME, **options).fit(X, y, unseen=np.ones(60, dtype=bool))


@contextmanager
def on_dask():
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**options) as cluster, Client(cluster), joblib.parallel_config("dask"):
        yield


@contextmanager
def on_ray():
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with joblib.parallel_config("ray"):
            yield
    finally:
        ray.shutdown()


@pytest.mark.filterwarnings("ignore:A worker stopped")  # on a busy machine
@pytest.mark.parametrize("backend", [nullcontext, on_dask, on_ray])
def test_processes_give_the_same_vectors_and_failures(formation_energy, monkeypatch, backend):
    monkeypatch.setattr("skcfgp.features.megnet.CHUNK", 7)
    crystals = [s.copy() for s in formation_energy.structures[:20]]
    for s in crystals:
        s.scale_lattice(1.01 * s.volume)  # not in the memory of this process
    crystals[9] = Structure(Lattice.cubic(100), ["Na"], [[0, 0, 0]])  # no neighbours
    featurizer = MEGNetFeaturizer("formation_energy_1800", on_error="nan", verbose=0, n_jobs=2)
    featurizer.fit(crystals[:1])
    with backend(), pytest.warns(InvalidStructureWarning, match="position 9: no two atoms"):
        found = featurizer.transform(crystals)
    memory.clear()
    with pytest.warns(InvalidStructureWarning):
        expected = featurizer.set_params(n_jobs=None).transform(crystals)
    assert np.isnan(found).all(axis=1).nonzero()[0].tolist() == [9]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="Crystal at position 9: no two atoms"):
        featurizer.set_params(n_jobs=2, on_error="raise").transform(crystals)
