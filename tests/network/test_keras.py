"""megnet on Keras 2, whatever was imported before it."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.network


def run(code):
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_tensorflow_first():
    """megnet gets Keras 2, and the user's own tensorflow.keras stays what it was."""
    code = """
import tensorflow as tf
from pymatgen.core import Lattice, Structure
from skcfgp.network import Architecture, MEGNet
network = MEGNet.initialize(Architecture(n_blocks=1, n1=16, n2=8, n3=4), random_state=0)
crystal = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
for _ in range(2):  # without tensorflow.keras loaded, then with it
    found = network.to_megnet().predict_structure(crystal)[0]
    assert abs(found - network.predict([crystal])[0]) < 1e-4
    assert tf.keras.__version__.startswith("3"), tf.keras
    from tensorflow.keras import layers
assert layers is tf.keras.layers
"""
    result = run(code)
    assert result.returncode == 0, result.stderr[-2000:]


def test_threads_take_turns():
    from skcfgp.network.keras import import_megnet, legacy_keras

    import_megnet()
    before = {k: m for k, m in sys.modules.items() if k.startswith("tensorflow.keras")}
    inside = []

    def work(_):
        with legacy_keras() as keras:
            inside.append(1)
            time.sleep(0.01)
            assert len(inside) == 1
            assert sys.modules["tensorflow.keras"] is keras
            inside.pop()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert {k: m for k, m in sys.modules.items() if k.startswith("tensorflow.keras")} == before


def test_megnet_on_keras_3_is_refused():
    code = """
import pymatgen.analysis.local_env as local_env
for name in ("real", "reciprocal", "relative"):
    setattr(local_env, f"BrunnerNN_{name}", getattr(local_env, f"BrunnerNN{name.capitalize()}"))
import megnet.layers
from skcfgp.network.keras import import_megnet
try:
    import_megnet()
except ImportError as error:
    assert "TF_USE_LEGACY_KERAS=1" in str(error), error
else:
    raise SystemExit("not refused")
"""
    result = run(code)
    assert result.returncode == 0, result.stderr[-2000:]


def test_missing_tf_keras_names_the_remedy(monkeypatch):
    pytest.importorskip("tensorflow")
    from skcfgp.network.keras import legacy_keras

    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ImportError, match="pip install 'tf_keras~="), legacy_keras():
        pass
