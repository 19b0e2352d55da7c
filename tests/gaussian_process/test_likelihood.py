import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.spatial.distance import pdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel

from skcfgp import GaussianProcessRegressor
from skcfgp.gaussian_process.covariance import LENGTH_LIMIT
from skcfgp.gaussian_process.laplacian_search import split_kernel
from skcfgp.gaussian_process.likelihood import LaplacianLikelihood
from skcfgp.kernels import Laplacian


def data(n, seed=0, d=3, noise=0.1, n_targets=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = np.stack([np.sin(X * (k + 1)).sum(axis=1) for k in range(n_targets)], axis=-1)
    y += noise * rng.normal(size=y.shape)
    return X, y[:, 0] if n_targets == 1 else y


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 25),
    n_targets=st.integers(1, 3),
    a=st.floats(0.1, 10),
    length=st.floats(0.1, 10),
    white=st.floats(1e-3, 1),
    noise=st.sampled_from([0.0, 1e-3, "rows"]),
    seed=st.integers(0, 99),
)
def test_value_and_gradient_are_those_of_scikit_learn(n, n_targets, a, length, white, noise, seed):
    X, y = data(n, seed, n_targets=n_targets)
    noise = np.linspace(0.1, 0.2, n) if noise == "rows" else noise
    value, gradient = LaplacianLikelihood(X, y, noise)(a, length, white)
    kernel = Laplacian(a, length) + WhiteKernel(white)
    theirs = SklearnGPR(kernel, alpha=noise, optimizer=None).fit(X, y)
    expected = theirs.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    assert value == pytest.approx(expected[0], rel=1e-9, abs=1e-8)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("bounds", [(1e-5, 1e5), (3.0, 4.0), (0.1, 0.2)])
def test_profile_is_the_best_amplitude(n_targets, bounds):
    X, y = data(30, n_targets=n_targets)
    likelihood = LaplacianLikelihood(X, y, 0.0)
    known = np.linspace(0.01, 0.02, 30)

    def profile(x):
        return likelihood.profile(*np.exp(x), known, bounds)

    x = np.log([1.7, 0.05])
    value, amplitude, gradient = profile(x)
    assert bounds[0] <= amplitude <= bounds[1]
    np.testing.assert_allclose(gradient, approx_fprime(x, lambda x: profile(x)[0], 1e-7), rtol=1e-4)
    for other in np.clip([0.98 * amplitude, amplitude, 1.02 * amplitude], *bounds):
        same = LaplacianLikelihood(X, y, (0.05 + known) / 1.7 * other**2)
        assert same(other, 1.7, 0.0)[0] <= value + 1e-9


def test_not_positive_definite():
    X, y = data(5)
    likelihood = LaplacianLikelihood(np.vstack([X, X]), np.r_[y, y], -1e-3)
    value, gradient = likelihood(1.0, 1.0, 0.0)
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, 0)


def test_which_kernels_are_quick():
    laplacian, white = Laplacian(), WhiteKernel()
    assert split_kernel(laplacian) == (laplacian, None)
    assert split_kernel(laplacian + white) == (laplacian, white)
    assert split_kernel(white + laplacian) == (laplacian, white)
    for other in (RBF(), white, 1.0 * laplacian, laplacian + laplacian, laplacian + white + white):
        assert split_kernel(other) is None


def fit_both(X, y, kernel, **options):
    """Fit both within the same limits; scikit-learn warns at bounds, and so does this package."""
    if len(X) > 1 and (median := np.median(pdist(X))) > 0:
        part = split_kernel(kernel)[0]
        if part.length_scale_bounds != "fixed":
            low, high = part.length_scale_bounds
            kernel = kernel.clone_with_theta(kernel.theta)
            split_kernel(kernel)[0].length_scale_bounds = low, min(high, LENGTH_LIMIT * median)
    theirs = SklearnGPR(kernel, **options).fit(X, y)
    return GaussianProcessRegressor(kernel, **options).fit(X, y), theirs


def check_optimum(ours, theirs, X):
    found = ours.log_marginal_likelihood_value_
    assert found >= theirs.log_marginal_likelihood_value_ - 0.1
    theta = ours.kernel_.theta
    assert found == pytest.approx(ours.log_marginal_likelihood(theta), rel=1e-7, abs=1e-6)
    if ours.kernel_.n_dims:
        assert (theta >= ours.kernel_.bounds[:, 0] - 1e-9).all()
        assert (theta <= ours.kernel_.bounds[:, 1] + 1e-9).all()
    same = SklearnGPR(ours.kernel_, **ours_options(ours)).fit(X, ours.targets_)
    for a, b in zip(
        ours.predict(X, return_std=True), same.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6 * (1 + np.abs(ours.targets_).max()))
    assert set(vars(same)) <= set(vars(ours)) | {"L_"}


def ours_options(gp):
    return {"alpha": gp.alpha, "normalize_y": gp.normalize_y, "optimizer": None}


TIGHT = {"amplitude_bounds": (0.5, 0.6), "length_scale_bounds": (0.5, 4.0)}
KERNELS = [
    Laplacian(),
    Laplacian(30.0, 0.01),
    Laplacian(amplitude_bounds="fixed"),
    Laplacian(length_scale_bounds="fixed"),
    Laplacian(0.55, 1.0, **TIGHT),
    Laplacian(5.0, 1.0, amplitude_bounds=(4.0, 6.0)),
    Laplacian() + WhiteKernel(),
    WhiteKernel(1e-3) + Laplacian(),
    Laplacian() + WhiteKernel(0.3, "fixed"),
    Laplacian(0.55, 1.0, **TIGHT) + WhiteKernel(0.01, (1e-3, 2e-2)),
    Laplacian(amplitude_bounds="fixed", length_scale_bounds="fixed") + WhiteKernel(),
    Laplacian(length_scale_bounds="fixed") + WhiteKernel(),
    Laplacian(amplitude_bounds="fixed", length_scale_bounds="fixed"),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("noise", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("alpha", [1e-10, 0.05, "rows"])
def test_optimum_is_that_of_scikit_learn_or_better(kernel, noise, alpha):
    for n, n_targets, normalize_y in ((60, 1, False), (25, 2, True)):
        X, y = data(n, n, noise=noise, n_targets=n_targets)
        variance = np.linspace(0.01, 0.2, n) if alpha == "rows" else alpha
        options = {"alpha": variance, "normalize_y": normalize_y}
        check_optimum(*fit_both(X, y + 3.0, kernel, **options), X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kernel", KERNELS[:2] + KERNELS[6:7], ids=str)
@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("case", ["1", "2", "3", "doubled", "all the same", "constant", "zero"])
def test_odd_rows(kernel, normalize_y, case):
    X, y = data(int(case) if case.isdigit() else 20)
    if case == "doubled":
        X, y = np.vstack([X, X]), np.r_[y, y + 0.1]
    elif case == "all the same":
        X[:] = X[0]
    elif case in ("constant", "zero"):
        y[:] = 2.0 * (case == "constant")
    # one row 20 times: with less noise there is nothing but rounding
    alpha = 1e-2 if case == "all the same" else 1e-6
    check_optimum(*fit_both(X, y, kernel, normalize_y=normalize_y, alpha=alpha), X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 40),
    d=st.integers(1, 5),
    white=st.booleans(),
    noise=st.floats(0.0, 3.0),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    alpha=st.sampled_from([1e-10, 1e-4, 1e-1]),
    seed=st.integers(0, 999),
)
def test_optimum_on_random_data(n, d, white, noise, scale, alpha, seed):
    X, y = data(n, seed, d, noise)
    kernel = Laplacian() + WhiteKernel() if white else Laplacian()
    check_optimum(*fit_both(scale * X, y, kernel, alpha=alpha), scale * X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kernel", [Laplacian(), Laplacian() + WhiteKernel()], ids=str)
@pytest.mark.parametrize("alpha", [1e-10, 0.05, "rows"])
@pytest.mark.parametrize(("d", "noise"), [(3, 0.1), (1, 0.6), (12, 0.0)])
def test_optimum_on_more_rows_than_the_first_search_takes(kernel, alpha, d, noise):
    X, y = data(520, d=d, noise=noise)
    variance = np.linspace(0.01, 0.1, 520) if alpha == "rows" else alpha
    check_optimum(*fit_both(X, y, kernel, alpha=variance), X)


def test_other_kernels_and_optimizers_are_left_to_scikit_learn():
    X, y = data(40)
    for options in (
        {"kernel": 1.0 * Matern(nu=0.5)},
        {"kernel": Laplacian(), "optimizer": lambda f, start, bounds: (start + 0.5, f(start)[0])},
        {"kernel": Laplacian(), "optimizer": None},
    ):
        ours, theirs = (
            GaussianProcessRegressor(**options).fit(X, y),
            SklearnGPR(**options).fit(X, y),
        )
        np.testing.assert_array_equal(ours.kernel_.theta, theirs.kernel_.theta)


def test_restarts_are_repeatable_and_only_help():
    X, y = data(60, noise=0.5)
    kernel = Laplacian() + WhiteKernel()
    one, two = (
        GaussianProcessRegressor(kernel, n_restarts_optimizer=3, random_state=7).fit(X, y)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.kernel_.theta, two.kernel_.theta)
    alone = GaussianProcessRegressor(kernel).fit(X, y)
    assert one.log_marginal_likelihood_value_ >= alone.log_marginal_likelihood_value_
    infinite = Laplacian(length_scale_bounds=(1e-5, np.inf))
    with pytest.raises(ValueError, match="requires that all bounds are finite"):
        GaussianProcessRegressor(infinite, n_restarts_optimizer=1).fit(X, y)


def ridge():
    X = np.linspace(0, 1, 40)[:, None]
    return X, X[:, 0] + 1000.0


@pytest.mark.parametrize("bounds", [(1e-5, 1e5), (1e-5, 3.0)])
def test_one_warning_at_the_limit_of_the_length(bounds):
    X, y = ridge()
    with pytest.warns(ConvergenceWarning) as caught:
        gp = GaussianProcessRegressor(Laplacian(length_scale_bounds=bounds), alpha=1e-6).fit(X, y)
    (warning,) = caught
    limit = min(bounds[1], LENGTH_LIMIT * np.median(pdist(X)))
    slope = gp.kernel_.amplitude**2 / gp.kernel_.length_scale
    assert gp.kernel_.length_scale == pytest.approx(limit, rel=0.01)
    assert f"amplitude**2 / length_scale = {slope:.4g}" in str(warning.message)
    assert warning.filename == __file__


def test_no_warning_for_a_length_that_is_fixed():
    X, y = ridge()
    kernel = Laplacian(length_scale=40.0, length_scale_bounds="fixed")
    assert GaussianProcessRegressor(kernel, alpha=1e-6).fit(X, y).kernel_.length_scale == 40.0


def test_no_cycle_keeps_the_matrices():
    import gc
    import weakref

    X, y = data(50)
    gp = GaussianProcessRegressor().fit(X, y)
    rows = weakref.ref(gp.X_train_)
    gc.disable()
    try:
        del gp
        assert rows() is None
    finally:
        gc.enable()
