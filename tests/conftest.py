"""Real crystals and networks for the tests."""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from pymatgen.core import Lattice, Structure

# Of the processes that run tests at once, and of those that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

# SKCFGP_NIGHTLY=1 asks for everything long: more examples of each law, more kills.
NIGHTLY = os.environ.get("SKCFGP_NIGHTLY", "0") != "0"
settings.register_profile("short", max_examples=10, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=60, deadline=None)
settings.load_profile("nightly" if NIGHTLY else "short")

# Published networks beside the checkout; tests that need them say so when they are not there.
MODELS = Path(os.environ.get("SKCFGP_TEST_MODELS", Path(__file__).parents[2] / "shared" / "models"))


def pytest_collection_finish(session):
    """Load TensorFlow before warnings are errors: what it does on import is not ours."""
    if not any(item.get_closest_marker("network") for item in session.items):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skcfgp.network.keras import import_megnet

        import_megnet()


def pytest_runtest_setup(item):
    """Skip on Windows what it does not have."""
    if sys.platform == "win32" and item.get_closest_marker("posix"):
        pytest.skip("signals, forks, pipes or limits of POSIX")


@pytest.fixture(scope="session")
def nightly():
    """Whether the long run was asked for."""
    return NIGHTLY


@pytest.fixture(scope="session")
def rock_salt():
    """Conventional cell of NaCl; more than a second of comparing symmetry operations."""
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


@pytest.fixture
def salt(rock_salt):
    """Conventional cell of NaCl that a test may change."""
    return rock_salt.copy()


@pytest.fixture(scope="session")
def dask_cluster():
    """Two worker processes, shared by the tests that leave them as they found them."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(processes=True, **options) as cluster:
        yield cluster


@pytest.fixture
def dask_client(dask_cluster):
    """Client of the shared workers; the test's process computes by itself again afterwards."""
    from distributed import Client

    with Client(dask_cluster) as client:
        yield client


@pytest.fixture(scope="session")
def demo():
    """`skcfgp demo` with few cycles."""
    from skcfgp.cli.demo import run_demo

    return run_demo(n_cycles=20, n_seeds=2, verbose=0)


@pytest.fixture(scope="session")
def formation_energy():
    from skcfgp.datasets import load_formation_energy

    return load_formation_energy(split="paper")


@pytest.fixture(scope="session")
def crystals(formation_energy):
    """60 training crystals and their formation energies."""
    return formation_energy.structures[:60], formation_energy.target[:60]


@pytest.fixture(scope="session")
def latent(formation_energy):
    """Latent vectors by the bundled network: 150 train, 150 pool, 100 test crystals; y beside."""
    from skcfgp import MEGNetFeaturizer

    split = formation_energy.split
    rows = np.concatenate(
        [
            np.flatnonzero(split == part)[:n]
            for part, n in (("train", 150), ("pool", 150), ("test", 100))
        ]
    )
    featurizer = MEGNetFeaturizer("formation_energy_1800", verbose=0)
    structures = formation_energy.structures[rows]
    return featurizer.fit(structures).transform(structures), formation_energy.target[rows]


@pytest.fixture(scope="session")
def hdf5_network(tmp_path_factory):
    """Network "Eform_MP_2019" as megnet writes it: an HDF5 file and its description."""
    from skcfgp.network import load_network

    path = tmp_path_factory.mktemp("megnet") / "net.hdf5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 2 has a newer format
        load_network("Eform_MP_2019").to_megnet().save_model(str(path))
    return path


@pytest.fixture(scope="session")
def models():
    if not MODELS.is_dir():
        pytest.skip(f"the published networks are not there: {MODELS}")
    return MODELS
