"""scikit-learn's own tests of its Gaussian process, run with this package's in its place."""

import numpy as np
import pytest
from sklearn.gaussian_process.tests import test_gpr as suite
from sklearn.gaussian_process.tests.test_gpr import *  # noqa: F403

from skcfgp import GaussianProcessRegressor
from skcfgp.kernels import Laplacian

pytestmark = pytest.mark.filterwarnings("default")


class AsScikitLearns(GaussianProcessRegressor):
    """The process under the private names that some of the tests read."""

    @property
    def _y_train_std(self):
        return self.y_scale_


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    monkeypatch.setattr(suite, "GaussianProcessRegressor", AsScikitLearns)


def test_no_fit_default_predict():
    """The one difference: the default kernel is the Laplacian one."""
    for option in ("return_std", "return_cov"):
        found = GaussianProcessRegressor().predict(suite.X, **{option: True})
        expected = GaussianProcessRegressor(Laplacian()).predict(suite.X, **{option: True})
        np.testing.assert_array_equal(found[1], expected[1])
