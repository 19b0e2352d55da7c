"""Real crystals and networks for the tests."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

# Published networks beside the checkout; tests that need them say so when they are not there.
MODELS = Path(os.environ.get("SKCFGP_TEST_MODELS", Path(__file__).parents[2] / "shared" / "models"))


def pytest_sessionstart(session):
    """Load TensorFlow before warnings are errors: what it does on import is not ours."""
    if "not network" in (session.config.option.markexpr or ""):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skcfgp.network._keras import import_megnet

        import_megnet()


@pytest.fixture
def salt():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


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
def models():
    if not MODELS.is_dir():
        pytest.skip(f"the published networks are not there: {MODELS}")
    return MODELS
