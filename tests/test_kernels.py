import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.metrics.pairwise import laplacian_kernel

from skcfgp.kernels import Laplacian, OnColumns

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(7, 3))


@given(a=st.floats(0.01, 100), length=st.floats(0.01, 100))
def test_is_matern_one_half_with_the_papers_parameters(a, length):
    ours, matern = Laplacian(a, length), a**2 * Matern(length, nu=0.5)
    np.testing.assert_allclose(ours(X), matern(X), rtol=1e-10)
    np.testing.assert_allclose(ours(X, Y), matern(X, Y), rtol=1e-10)
    np.testing.assert_allclose(ours.diag(X), np.diag(ours(X)))
    # theta is (log a, log l); scikit-learn's is (log a^2, log l)
    gradient, expected = ours(X, eval_gradient=True)[1], matern(X, eval_gradient=True)[1]
    np.testing.assert_allclose(gradient[..., 0], 2 * expected[..., 0], rtol=1e-8)
    np.testing.assert_allclose(gradient[..., 1], expected[..., 1], rtol=1e-8, atol=1e-12)


def test_closed_form():
    distance = np.linalg.norm(X[0] - Y[0])
    assert Laplacian(0.4281, 2.3997)(X, Y)[0, 0] == pytest.approx(
        0.4281**2 * np.exp(-distance / 2.3997)
    )


def test_gradient_by_differences():
    kernel = Laplacian(1.7, 0.6)
    gradient = kernel(X, eval_gradient=True)[1]

    def entry(theta):
        return kernel.clone_with_theta(theta)(X)[2, 5]

    np.testing.assert_allclose(gradient[2, 5], approx_fprime(kernel.theta, entry, 1e-7), rtol=1e-5)


@pytest.mark.parametrize("fixed", ["amplitude", "length_scale"])
def test_fixed_parameters_leave_theta(fixed):
    kernel = Laplacian(**{f"{fixed}_bounds": "fixed"})
    assert kernel.n_dims == 1
    assert kernel(X, eval_gradient=True)[1].shape == (12, 12, 1)
    both = Laplacian(amplitude_bounds="fixed", length_scale_bounds="fixed")
    assert both(X, eval_gradient=True)[1].shape == (12, 12, 0)


def test_behaves_like_a_scikit_learn_kernel():
    kernel = Laplacian(2.0, 3.0)
    assert clone(kernel) == kernel
    assert kernel.is_stationary()
    np.testing.assert_allclose((kernel + Laplacian())(X), kernel(X) + Laplacian()(X))
    np.testing.assert_allclose((0.5 * kernel).diag(X), 2.0)
    assert repr(kernel) == "Laplacian(amplitude=2, length_scale=3)"
    with pytest.raises(ValueError, match="Y is None"):
        kernel(X, Y, eval_gradient=True)


def test_on_l1_distance_it_is_scikit_learns_laplacian_kernel():
    kernel = Laplacian(1.5, 2.0, metric="cityblock")
    np.testing.assert_allclose(kernel(X, Y), 2.25 * laplacian_kernel(X, Y, gamma=0.5))
    np.testing.assert_allclose(kernel(X), 2.25 * laplacian_kernel(X, gamma=0.5))
    assert repr(kernel) == "Laplacian(amplitude=1.5, length_scale=2, metric='cityblock')"
    with pytest.raises(ValueError, match="metric must be one of"):
        Laplacian(metric="chebyshev")(X)


@pytest.mark.parametrize("inner", [Laplacian(1.2, 0.7), RBF(2.0) + WhiteKernel(0.1)], ids=str)
@pytest.mark.parametrize("columns", [slice(2), [2, 0], slice(None, None, 2)], ids=str)
def test_on_columns_is_the_kernel_of_these_columns(inner, columns):
    kernel = OnColumns(inner, columns)
    part = X[:, columns], Y[:, columns]
    np.testing.assert_allclose(kernel(X, Y), inner(*part))
    np.testing.assert_allclose(kernel.diag(X), inner.diag(part[0]))
    ours, theirs = kernel(X, eval_gradient=True), inner(part[0], eval_gradient=True)
    np.testing.assert_allclose(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1])
    np.testing.assert_array_equal(kernel.theta, inner.theta)
    moved = kernel.clone_with_theta(kernel.theta + 1)
    np.testing.assert_allclose(moved.theta, inner.theta + 1)
    np.testing.assert_allclose(kernel.theta, inner.theta)  # the original has not moved


def test_on_columns_behaves_like_a_scikit_learn_kernel():
    kernel = OnColumns(Laplacian(), slice(2)) * OnColumns(RBF(), [2])
    assert clone(kernel) == kernel
    assert kernel != OnColumns(Laplacian(), slice(1)) * OnColumns(RBF(), [2])
    arrays = [OnColumns(Laplacian(), np.arange(n)) for n in (2, 2, 3)]
    assert arrays[0] == arrays[1] != arrays[2]
    assert kernel.k1.is_stationary()
    names = [h.name for h in kernel.hyperparameters]
    assert names == [
        "k1__kernel__amplitude",
        "k1__kernel__length_scale",
        "k2__kernel__length_scale",
    ]
    kernel.set_params(k1__kernel__length_scale=7.0)
    assert kernel.k1.kernel.length_scale == 7.0
    assert repr(kernel) == (
        "OnColumns(Laplacian(amplitude=1, length_scale=7), [:2]) * "
        "OnColumns(RBF(length_scale=1), [2])"
    )


def test_columns_that_are_not_there():
    with pytest.raises(ValueError, match=r"selects columns that X \(3 features\) does not have"):
        OnColumns(Laplacian(), [5])(X)
    with pytest.raises(ValueError, match="selects none of the 3 columns"):
        OnColumns(Laplacian(), slice(5, None))(X)
