"""The likelihood as a surface: that of the process, with paths that climb it."""

import numpy as np
import pytest

from skcfgp import GaussianProcessRegressor
from skcfgp.kernels import Laplacian
from skcfgp.reproduction.hyperparameters import Surface, adam, lbfgs


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.sin(X).sum(axis=1) + 0.3 * rng.normal(size=80)
    return X, y, Surface(X, y, np.geomspace(0.05, 500, 81))


class TestSurface:
    @pytest.mark.parametrize("theta", [(0.7, 1.3), (2.0, 0.31), (0.2, 40.0)])
    def test_is_the_likelihood_of_the_process(self, problem, theta):
        X, y, surface = problem
        gp = GaussianProcessRegressor(Laplacian(*theta), optimizer=None).fit(X, y)
        value, _ = surface(*np.log(theta))
        assert value == pytest.approx(gp.log_marginal_likelihood_value_, rel=1e-5)

    def test_gradient(self, problem):
        surface, point, step = problem[-1], np.array([0.3, 0.4]), 1e-5
        _, gradient = surface(*point)
        for axis in (0, 1):
            up, down = (surface(*(point + s * np.eye(2)[axis]))[0] for s in (step, -step))
            assert gradient[axis] == pytest.approx((up - down) / (2 * step), rel=1e-4)

    def test_highest_is_what_fit_finds(self, problem):
        X, y, surface = problem
        gp = GaussianProcessRegressor().fit(X, y)
        assert surface.highest() == pytest.approx(gp.log_marginal_likelihood_value_, abs=1e-3)
        around = gp.kernel_.theta + np.random.default_rng(0).normal(scale=0.3, size=(200, 2))
        assert (surface(*around.T)[0] <= surface.highest() + 1e-6).all()

    def test_optimisers_climb(self, problem):
        surface, starts = problem[-1], np.log([[1.0, 1.0], [0.1, 10.0]])
        path = adam(surface, starts, 6000)
        assert path.shape == (6001, 2, 2)
        # The first steps of Adam are as long as its rate, in each coordinate.
        np.testing.assert_allclose(np.abs(path[1] - path[0]), 0.01, rtol=1e-6)
        for end in (lbfgs(surface, starts[0]), path[-1, 0]):
            assert surface(*end)[0] == pytest.approx(surface.highest(), abs=0.1)
        values = surface(*path[::500, 1].T)[0]  # along the ridge it is slow
        assert (np.diff(values) > 0).all()
        assert values[-1] > surface.highest() - 2
