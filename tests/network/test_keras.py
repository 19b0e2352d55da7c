"""megnet on Keras 2, whatever was imported before it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.network


def run(code):
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


CHECK = """
from skcfgp.network import load_network
from pymatgen.core import Lattice, Structure
salt = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [.5, .5, .5]])
model = load_network("Eform_MP_2019").to_megnet()
assert abs(model.predict_structure(salt)[0] + 2.1033) < 1e-3
"""


@pytest.mark.parametrize(
    "before",
    [
        "import tensorflow",
        "import tensorflow as tf; v = tf.keras.__version__; from tensorflow.keras import layers",
    ],
)
def test_tensorflow_first(before):
    """megnet gets Keras 2, and the user's own tensorflow.keras stays what it was."""
    after = "import tensorflow as tf; assert tf.keras.__version__.startswith('3'), tf.keras"
    result = run("\n".join([before, CHECK, after]))
    assert result.returncode == 0, result.stderr[-2000:]


def test_megnet_on_keras_3_is_refused():
    code = """
import pymatgen.analysis.local_env as local_env
for name in ("real", "reciprocal", "relative"):
    setattr(local_env, f"BrunnerNN_{name}", getattr(local_env, f"BrunnerNN{name.capitalize()}"))
import megnet.layers
from skcfgp.network._keras import import_megnet
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
    from skcfgp.network._keras import legacy_keras

    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ImportError, match="pip install 'tf_keras~="), legacy_keras():
        pass
