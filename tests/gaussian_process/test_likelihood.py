import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from skcfgp import GaussianProcessRegressor
from skcfgp.gaussian_process.covariance import LENGTH_LIMIT
from skcfgp.kernels import Laplacian


def data(n, seed=0, d=3, noise=0.1, n_targets=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = np.stack([np.sin(X * (k + 1)).sum(axis=1) for k in range(n_targets)], axis=-1)
    y += noise * rng.normal(size=y.shape)
    return X, y[:, 0] if n_targets == 1 else y


def fit_both(X, y, kernel, **options):
    """Fit both within the same limits; scikit-learn warns at bounds, and so does this package."""
    if len(X) > 1 and (median := np.median(pdist(X))) > 0:
        kernel = clone(kernel)
        for part in (kernel, getattr(kernel, "k1", None), getattr(kernel, "k2", None)):
            if type(part) is Laplacian and part.length_scale_bounds != "fixed":
                low, high = part.length_scale_bounds
                part.set_params(length_scale_bounds=(low, min(high, LENGTH_LIMIT * median)))
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
    assert all(hasattr(ours, name) for name in vars(same) if not name.startswith("_"))


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
@pytest.mark.parametrize(
    ("kernel", "alpha", "d", "noise"),
    [
        (Laplacian(), 1e-10, 3, 0.1),
        (Laplacian(), "rows", 12, 0.0),
        (Laplacian() + WhiteKernel(), 0.05, 1, 0.6),
        (Laplacian() + WhiteKernel(), 1e-10, 12, 0.0),
    ],
    ids=str,
)
def test_optimum_on_more_rows_than_the_first_search_takes(kernel, alpha, d, noise):
    X, y = data(520, d=d, noise=noise)
    variance = np.linspace(0.01, 0.1, 520) if alpha == "rows" else alpha
    check_optimum(*fit_both(X, y, kernel, alpha=variance), X)


def test_the_optimizers_of_scikit_learn_do_what_they_do_there():
    X, y = data(40)

    def halfway(objective, start, bounds):
        value, gradient = objective(start)
        assert value == objective(start, eval_gradient=False)
        theta = np.clip(start - 0.01 * gradient, *bounds.T)
        return theta, objective(theta)[0]

    for kernel in (Laplacian(), 1.0 * Matern(nu=0.5)):
        for options in ({"optimizer": halfway}, {"optimizer": None}):
            ours, theirs = (
                regressor(kernel, **options).fit(X, y)
                for regressor in (GaussianProcessRegressor, SklearnGPR)
            )
            np.testing.assert_allclose(ours.kernel_.theta, theirs.kernel_.theta, rtol=1e-8)


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
