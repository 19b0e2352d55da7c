import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from threadpoolctl import threadpool_limits

from skcfgp import GaussianProcessRegressor
from skcfgp.kernels import Laplacian, OnColumns

BLOCKS = (
    OnColumns(Laplacian(), slice(2)) * OnColumns(Laplacian(1.0, 1.0, "fixed"), slice(2, None))
    + WhiteKernel()
)


def data(n, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.sin(X[:, 0] + X[:, 2]) + 0.3 * X[:, 1] + noise * rng.normal(size=n)


@pytest.mark.parametrize(
    "kernel",
    [
        BLOCKS,
        OnColumns(Laplacian(), [0, 1]) + OnColumns(Laplacian(), [2, 3]) + WhiteKernel(),
        ConstantKernel() * Laplacian(1.0, 1.0, "fixed", metric="cityblock") + WhiteKernel(),
    ],
    ids=str,
)
@pytest.mark.parametrize(("n", "normalize_y"), [(60, False), (60, True), (510, False)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_marginal_likelihood_is_as_good_as_scikit_learns(kernel, n, normalize_y):
    X, y = data(n)
    ours = GaussianProcessRegressor(kernel, normalize_y=normalize_y).fit(X, 5 + 3 * y)
    theirs = SklearnGPR(kernel, normalize_y=normalize_y).fit(X, 5 + 3 * y)
    assert ours.log_marginal_likelihood_value_ >= theirs.log_marginal_likelihood_value_ - 0.1
    same = clone(theirs).set_params(kernel=ours.kernel_, optimizer=None).fit(X, 5 + 3 * y)
    expected = same.log_marginal_likelihood_value_
    assert ours.log_marginal_likelihood_value_ == pytest.approx(expected, rel=1e-8)


def total_density(gp, y, rows=slice(None)):
    mean, std = gp.predict_leave_one_out()
    z = (y - mean)[rows] / std[rows]
    return float(np.sum(-0.5 * z**2 - np.log(std[rows])))


@pytest.mark.parametrize("kernel", [Laplacian() + WhiteKernel(), BLOCKS, RBF() + WhiteKernel()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_leave_one_out_is_a_maximum(kernel):
    """No step away improves it, and the marginal likelihood's optimum is not better."""
    X, y = data(150)
    gp = GaussianProcessRegressor(kernel, objective="leave_one_out", normalize_y=True).fit(X, y)
    best = total_density(gp, y)
    by_marginal = GaussianProcessRegressor(kernel, normalize_y=True).fit(X, y)
    assert best >= total_density(by_marginal, y) - 0.05
    for k in range(len(gp.kernel_.theta)):
        for step in (-0.2, 0.2):
            theta = gp.kernel_.theta.copy()
            theta[k] = np.clip(theta[k] + step, *gp.kernel_.bounds[k])
            other = clone(gp).set_params(kernel=kernel.clone_with_theta(theta), optimizer=None)
            assert total_density(other.fit(X, y), y) <= best + 0.01


def test_unseen_rows_mend_features_that_have_seen_the_labels():
    """Features that hold the labels of some rows, as a network's do of those that trained it.

    Chosen on all rows the error bars are far too small for new ones; on the unseen, right.
    """
    rng = np.random.default_rng(0)
    y = rng.normal(size=900)
    # what a feature tells of a label: nearly all for the 300 that it was made from
    feature = y + np.r_[np.full(300, 0.05), np.full(600, 0.5)] * rng.normal(size=900)
    X, learnt, new = feature[:, None], slice(450), slice(450, None)
    unseen = np.arange(450) >= 300
    kernel = Laplacian() + WhiteKernel()
    squares = {}
    for name, options in {
        "marginal": ({}, {}),
        "all": ({"objective": "leave_one_out"}, {}),
        "unseen": ({"objective": "leave_one_out"}, {"unseen": unseen}),
    }.items():
        gp = GaussianProcessRegressor(kernel, **options[0]).fit(X[learnt], y[learnt], **options[1])
        mean, std = gp.predict(X[new], return_std=True)
        squares[name] = np.mean(((y[new] - mean) / std) ** 2)
    assert squares["marginal"] > 2
    assert squares["all"] > 2
    assert 0.8 < squares["unseen"] < 1.25


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("objective", ["leave_one_out", "marginal_likelihood"])
@pytest.mark.parametrize("kernel", [BLOCKS, Laplacian() + WhiteKernel()], ids=["blocks", "one"])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_most_steps_on_few_rows_end_where_a_search_on_all_rows_does(objective, kernel, noise):
    """Law: within 0.1 nat, though no more than some evaluations are on all rows."""
    X, y = data(560, noise=noise)
    options = {"objective": objective, "normalize_y": True}
    found = GaussianProcessRegressor(kernel, **options).fit(X, y)
    negative = []

    def on_all_rows(function, theta, bounds):
        negative.append(function(found.kernel_.theta)[0])
        start = np.clip(theta, *bounds.T)
        best = minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds)
        negative.append(best.fun)
        return best.x, best.fun

    GaussianProcessRegressor(kernel, optimizer=on_all_rows, **options).fit(X, y)
    assert negative[0] <= negative[1] + 0.1


def test_a_callable_optimizer_gets_the_objective():
    X, y = data(60)
    seen = []

    def optimizer(objective, theta, bounds):
        value, gradient = objective(theta)
        seen.append((value, objective(theta, eval_gradient=False), len(gradient)))
        return theta, value

    gp = GaussianProcessRegressor(
        Laplacian() + WhiteKernel(), objective="leave_one_out", optimizer=optimizer
    ).fit(X, y)
    mean, std = gp.predict_leave_one_out()
    expected = -np.sum(-0.5 * ((y - mean) / std) ** 2 - np.log(std * np.sqrt(2 * np.pi)))
    assert seen == [(pytest.approx(expected), pytest.approx(expected), 3)]
    assert gp.kernel_ == gp.kernel


def test_restarts_do_no_harm():
    X, y = data(80)
    options = {"kernel": BLOCKS, "objective": "leave_one_out", "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        once = GaussianProcessRegressor(**options).fit(X, y)
        more = GaussianProcessRegressor(n_restarts_optimizer=3, **options).fit(X, y)
    assert total_density(more, y) >= total_density(once, y) - 1e-6


def test_a_bound_that_is_in_the_way_is_named():
    X, y = data(100)
    short = Laplacian(1.0, 0.1, "fixed", (1e-2, 0.2))
    kernel = ConstantKernel() * short + WhiteKernel()
    with pytest.warns(
        ConvergenceWarning, match="k1__k2__length_scale is close to the .* upper bound 0.2"
    ):
        GaussianProcessRegressor(kernel).fit(X, y)


@pytest.mark.parametrize(
    ("options", "unseen", "message"),
    [
        ({"objective": "likelihood"}, None, "objective must be one of"),
        ({}, np.ones(10, bool), "set objective='leave_one_out'"),
        ({"objective": "leave_one_out"}, np.ones(9, bool), "10 booleans"),
        ({"objective": "leave_one_out"}, np.arange(10), "10 booleans"),
        ({"objective": "leave_one_out"}, np.zeros(10, bool), "unseen marks no row"),
    ],
)
def test_errors(options, unseen, message):
    X, y = data(10)
    with pytest.raises(ValueError, match=message):
        GaussianProcessRegressor(**options).fit(X, y, unseen=unseen)


@pytest.mark.parametrize("normalize_y", [False, True])
def test_predictions_with_each_label_left_out(normalize_y):
    X, y = data(30)
    kernel = Laplacian(1.0, 2.0) + WhiteKernel(0.01)
    options = {"kernel": kernel, "optimizer": None}
    gp = GaussianProcessRegressor(**options, normalize_y=normalize_y).fit(X, y)
    mean, std = gp.predict_leave_one_out()
    # the scaling stays that of all labels
    scaled = (y - gp.y_mean_) / gp.y_scale_
    for i in (0, 7, 29):
        rest = np.arange(30) != i
        other = GaussianProcessRegressor(**options).fit(X[rest], scaled[rest])
        expected, spread = other.predict(X[[i]], return_std=True)
        assert mean[i] == pytest.approx(expected[0] * gp.y_scale_ + gp.y_mean_, rel=1e-7)
        # predict counts the noise of a WhiteKernel, not alpha
        assert std[i] == pytest.approx(spread[0] * gp.y_scale_, rel=1e-6)


def test_contradicting_labels():
    X, y = data(20)
    X, y = np.vstack([X, X[3]]), np.append(y, y[3] + 1.0)
    with pytest.warns(ConvergenceWarning, match=r"2 rows of X .* \[3, 20\]"):
        GaussianProcessRegressor(optimizer=None).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianProcessRegressor(optimizer=None, alpha=0.1).fit(X, y)
        GaussianProcessRegressor(Laplacian() + WhiteKernel(0.1), optimizer=None).fit(X, y)
        GaussianProcessRegressor(optimizer=None, alpha=1e-6).fit(X, np.append(y[:-1], y[3]))
        gp = (
            GaussianProcessRegressor(optimizer=None)
            .fit(X[:18], y[:18])
            .partial_fit(X[18:20], y[18:20])
        )
    with pytest.warns(ConvergenceWarning, match=r"2 rows of X .* \[3, 20\]"):
        gp.partial_fit(X[20:], y[20:])


def test_optimum_does_not_depend_on_the_number_of_threads():
    X, y = data(700)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            found.append(GaussianProcessRegressor(BLOCKS).fit(X, y).kernel_.theta)
    np.testing.assert_array_equal(*found)
