import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    Matern,
    WhiteKernel,
)

from skcfgp.gaussian_process.cholesky import GrowingCholesky
from skcfgp.gaussian_process.covariance import covariance_of, is_quick
from skcfgp.gaussian_process.objectives import Objective, leave_one_out
from skcfgp.kernels import Laplacian, OnColumns

FIRST, REST = slice(2), [2, 3]
KERNELS = [
    Laplacian(1.3, 0.8),
    Laplacian(1.3, 0.8, metric="cityblock") + WhiteKernel(0.1),
    OnColumns(Laplacian(1.2, 2.0), FIRST) * OnColumns(Laplacian(1.0, 3.0, "fixed"), REST)
    + WhiteKernel(0.05),
    OnColumns(Laplacian(), FIRST) + OnColumns(RBF(2.0), REST) + WhiteKernel(0.1, "fixed"),
    ConstantKernel(0.5) * Laplacian(1.0, 2.0, "fixed") + ConstantKernel(0.3, "fixed"),
    (Laplacian() + WhiteKernel(0.2)) * ConstantKernel(2.0),
    OnColumns(Laplacian(), FIRST) + ConstantKernel(0.7) * OnColumns(DotProduct(0.0, "fixed"), [3]),
    Laplacian() * DotProduct(0.5) + DotProduct(2.0) + WhiteKernel(0.1),
    Matern([1.0, 2.0, 3.0, 4.0], nu=1.5) + Laplacian(0.5, 1.0),
]


def data(n, seed=0, n_targets=1):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n, n_targets))
    return rng.normal(size=(n, 4)), y[:, 0] if n_targets == 1 else y


@given(
    kernel=st.sampled_from(KERNELS),
    n=st.integers(2, 25),
    n_targets=st.integers(1, 2),
    noise=st.sampled_from([1e-3, "rows"]),
    step=st.floats(-0.5, 0.5),
    seed=st.integers(0, 99),
)
def test_marginal_likelihood_is_that_of_scikit_learn(kernel, n, n_targets, noise, step, seed):
    X, y = data(n, seed, n_targets)
    noise = np.linspace(0.1, 0.2, n) if noise == "rows" else noise
    theta = kernel.theta + step
    value, gradient = Objective(covariance_of(kernel, X), y, noise)(theta)
    theirs = SklearnGPR(kernel, alpha=noise, optimizer=None).fit(X, y)
    expected, slope = theirs.log_marginal_likelihood(theta, eval_gradient=True)
    assert value == pytest.approx(expected, rel=1e-8, abs=1e-8)
    np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-6)


def one_by_one(kernel, X, y, noise, rows):
    """Leave each row out in turn, fit the rest and predict its label: mean and std."""
    noise = np.broadcast_to(noise, len(X))
    out = []
    for i in rows:
        rest = np.arange(len(X)) != i
        gp = SklearnGPR(kernel, alpha=noise[rest], optimizer=None).fit(X[rest], y[rest])
        mean, std = gp.predict(X[[i]], return_std=True)
        out.append((mean[0], np.sqrt(np.ravel(std)[0] ** 2 + noise[i])))
    return map(np.array, zip(*out, strict=True))


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("rows", [np.arange(0, 20, 3), np.arange(20)], ids=["some", "all"])
def test_leave_one_out_is_what_leaving_out_gives(kernel, n_targets, rows):
    X, y = data(20, n_targets=n_targets)
    noise = np.linspace(0.01, 0.02, 20)
    objective = Objective(covariance_of(kernel, X), y, noise, rows)
    value, gradient = objective(kernel.theta)
    mean, std = one_by_one(kernel, X, y, noise, rows)
    density = norm.logpdf(y[rows], mean, std if n_targets == 1 else std[:, None])
    assert value == pytest.approx(density.sum(), rel=1e-8)
    slope = approx_fprime(kernel.theta, lambda theta: objective(theta)[0], 1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=1e-3)
    if len(rows) == 20:
        K = kernel(X) + np.diag(noise)
        for ours, theirs in zip(
            leave_one_out(GrowingCholesky.factorize(K), y), (mean, std), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


def test_not_positive_definite():
    X, y = data(5)
    objective = Objective(covariance_of(Laplacian(), np.vstack([X, X])), np.r_[y, y], -1e-3)
    value, gradient = objective(np.zeros(2))
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, 0)


def test_which_kernels_are_quick():
    assert all(is_quick(kernel) for kernel in (*KERNELS[:3], *KERNELS[4:8]))
    assert not any(is_quick(kernel) for kernel in (RBF(), KERNELS[3], KERNELS[8]))


def test_start_is_on_the_scale_of_the_data():
    X, _ = data(30)
    kernel = OnColumns(Laplacian(), FIRST) * OnColumns(Laplacian(3.0, 1.0, "fixed"), REST)
    covariance = covariance_of(kernel + WhiteKernel(), 1000 * X)
    start = np.exp(covariance.start(25.0))
    assert start[0] == pytest.approx(5.0)
    assert (start[1:3] > 500).all()
    assert start[3] == pytest.approx(0.25)
