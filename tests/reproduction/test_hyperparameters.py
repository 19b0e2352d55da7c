"""The likelihood as a surface: that of the process, with paths that climb it."""

import numpy as np
import pytest

from skcfgp import GaussianProcessRegressor
from skcfgp.kernels import Laplacian
from skcfgp.reproduction.hyperparameters import LikelihoodMap, adam_paths, lbfgs_path


@pytest.fixture(scope="module")
def surface():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.sin(X).sum(axis=1) + 0.3 * rng.normal(size=80)
    unseen = np.arange(0, 80, 4)
    return X, y, unseen, LikelihoodMap(X, y, unseen, np.geomspace(0.05, 500, 81))


class TestLikelihoodMap:
    @pytest.mark.parametrize("theta", [(0.7, 1.3), (2.0, 0.31), (0.2, 40.0)])
    def test_is_the_likelihood_of_the_process(self, surface, theta):
        X, y, unseen, surface = surface
        gp = GaussianProcessRegressor(Laplacian(*theta), optimizer=None).fit(X, y)
        marginal, _ = surface("marginal_likelihood", *np.log(theta))
        assert marginal == pytest.approx(gp.log_marginal_likelihood_value_, rel=1e-5)
        mean, std = (values[unseen] for values in gp.predict_leave_one_out())
        left_out = -0.5 * np.sum(np.log(2 * np.pi * std**2) + ((y[unseen] - mean) / std) ** 2)
        assert surface("leave_one_out", *np.log(theta))[0] == pytest.approx(left_out, rel=1e-5)

    @pytest.mark.parametrize("objective", ["marginal_likelihood", "leave_one_out"])
    def test_gradient_and_best_point(self, surface, objective):
        surface = surface[-1]
        point, step = np.array([0.3, 0.4]), 1e-5
        _, gradient = surface(objective, *point)
        for axis in (0, 1):
            up, down = (
                surface(objective, *(point + s * np.eye(2)[axis]))[0] for s in (step, -step)
            )
            assert gradient[axis] == pytest.approx((up - down) / (2 * step), rel=1e-4)
        *best, value = surface.best(objective)
        around = np.array(best) + np.random.default_rng(0).normal(scale=0.3, size=(200, 2))
        assert (surface(objective, *around.T)[0] <= value + 1e-6).all()

    def test_best_is_what_fit_finds(self, surface):
        X, y, _, surface = surface
        gp = GaussianProcessRegressor().fit(X, y)
        log_a, log_l, value = surface.best("marginal_likelihood")
        assert value == pytest.approx(gp.log_marginal_likelihood_value_, abs=1e-3)
        assert np.exp([log_a, log_l]) == pytest.approx(np.exp(gp.kernel_.theta), rel=0.05)

    def test_paths_climb(self, surface):
        surface = surface[-1]
        objective = "marginal_likelihood"
        starts = np.log([[1.0, 1.0], [0.1, 10.0]])
        adam = adam_paths(surface, objective, starts, 6000)
        assert adam.shape == (6001, 2, 2)
        # The first steps of Adam are as long as its rate, in each coordinate.
        np.testing.assert_allclose(np.abs(adam[1] - adam[0]), 0.01, rtol=1e-6)
        top = surface.best(objective)[2]
        climb = lbfgs_path(surface, objective, *starts[0])
        np.testing.assert_array_equal(climb[0], starts[0])
        for end in (climb[-1], adam[-1, 0]):
            assert surface(objective, *end)[0] == pytest.approx(top, abs=0.1)
        values = surface(objective, *adam[::500, 1].T)[0]  # along the ridge it is slow
        assert (np.diff(values) > 0).all()
        assert values[-1] > top - 2
