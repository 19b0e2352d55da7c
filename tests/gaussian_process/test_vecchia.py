"""With all labels as neighbours it is the exact process; with some, GPBoost's Vecchia."""

import pickle

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcfgp import ActiveLearner, GaussianProcessRegressor
from skcfgp.gaussian_process.vecchia import VecchiaGaussianProcessRegressor
from skcfgp.kernels import Laplacian
from skcfgp.query import max_std, plan

VALUES = (1.3, 2.0, 0.01)  # amplitude, length, noise


def data(n=120, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, 3.0 + np.sin(X).sum(axis=1) + 0.1 * rng.normal(size=n)


@parametrize_with_checks([VecchiaGaussianProcessRegressor(*VALUES)])
def test_common_checks(estimator, check):
    check(estimator)


def test_all_neighbours_give_the_exact_process():
    X, y = data()
    T = data(30, seed=1)[0]
    ours = VecchiaGaussianProcessRegressor(*VALUES, n_neighbors=500).fit(X, y)
    kernel = Laplacian(1.3, 2.0) + WhiteKernel(0.01)
    exact = GaussianProcessRegressor(kernel, optimizer=None).fit(X, y - y.mean())
    mean, std = exact.predict(T, return_std=True)
    found = ours.predict(T, return_std=True)
    np.testing.assert_allclose(found, (mean + y.mean(), std), rtol=0, atol=1e-8)


def test_fewer_neighbours_know_less():
    X, y = data()
    T = data(30, seed=1)[0]
    std = [
        VecchiaGaussianProcessRegressor(*VALUES, n_neighbors=k).fit(X, y).predict(T, True)[1]
        for k in (1, 5, 20, 120)
    ]
    assert np.all(np.diff(std, axis=0) < 1e-9)
    assert np.all(std[-1] >= 0.1)  # the noise of a label


def test_rows_do_not_depend_on_each_other_or_on_the_threads():
    X, y = data()
    T = data(300, seed=1)[0]
    gp = VecchiaGaussianProcessRegressor(*VALUES).fit(X, y)
    mean, std = gp.predict(T, return_std=True)
    one = np.array([gp.predict(row[None], return_std=True) for row in T])[:, :, 0]
    np.testing.assert_allclose(one.T, (mean, std), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(gp.set_params(n_jobs=2).predict(T), mean)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(gp)).predict(T), mean)


def test_partial_fit_is_fit_on_all_rows():
    X, y = data()
    T = data(30, seed=1)[0]
    whole = VecchiaGaussianProcessRegressor(*VALUES).fit(X, y)
    grown = VecchiaGaussianProcessRegressor(*VALUES).fit(X[:80], y[:80]).partial_fit(X[80:], y[80:])
    shift = whole.y_mean_ - grown.y_mean_
    grown.y_mean_ += shift  # the mean of the prior stays in partial_fit
    np.testing.assert_array_equal(
        grown.predict(T, return_std=True), whole.predict(T, return_std=True)
    )


def test_a_label_may_be_there_twice():
    X, y = data(40)
    gp = VecchiaGaussianProcessRegressor(1.0, 1.0, 0.0).fit(np.r_[X, X], np.r_[y, y])
    mean, std = gp.predict(X, return_std=True)
    np.testing.assert_allclose(mean, y, atol=1e-6)
    assert std.max() < 1e-3


def test_the_query_of_largest_std():
    X, y = data()
    pool, pool_y = data(50, seed=1)
    gp = make_pipeline(StandardScaler(), VecchiaGaussianProcessRegressor(*VALUES))
    learner = ActiveLearner(gp, query_strategy=max_std, X_training=X, y_training=y)
    index, _ = learner.query(pool)
    std = learner.predict(pool, return_std=True)[1]
    assert index[0] == std.argmax()
    learner.teach(pool[index], pool_y[index])
    assert learner.predict(pool[index], return_std=True)[1][0] < std.max()
    with pytest.raises(TypeError, match="expected a Gaussian process"):
        plan(learner.estimator[-1], pool, 5)


def test_in_a_pipeline_with_a_union():
    X, y = data()
    union = make_union(
        make_column_transformer((StandardScaler(), [0, 1])),
        make_column_transformer(("passthrough", [2, 3])),
    )
    model = make_pipeline(union, VecchiaGaussianProcessRegressor(*VALUES)).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == (120,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amplitude": 1.0}, "or none of them; got 1.0, None and None"),
        ({"amplitude": 1.0, "length_scale": 0.0, "noise_level": 0.1}, "give amplitude > 0"),
        ({"n_neighbors": 0}, "n_neighbors must be at least 1"),
        ({"n_search": 1}, "n_search must be at least 2"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        VecchiaGaussianProcessRegressor(**options).fit(*data())


def test_without_gpboost_the_way_out_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gpboost", None)
    with pytest.raises(ImportError, match=r"pip install 'skcfgp\[vecchia\]'; or give amplitude"):
        VecchiaGaussianProcessRegressor().fit(*data())


def test_predicts_as_gpboost_does():
    gpboost = pytest.importorskip("gpboost")
    X, y = data()
    T = data(30, seed=1)[0]
    gp = VecchiaGaussianProcessRegressor(*VALUES, n_neighbors=9).fit(X, y)
    model = gpboost.GPModel(
        gp_coords=X,
        cov_function="matern",
        cov_fct_shape=0.5,
        gp_approx="vecchia",
        num_neighbors=9,
        num_parallel_threads=1,
    )
    model.set_prediction_data(
        vecchia_pred_type="order_obs_first_cond_obs_only", num_neighbors_pred=9
    )
    found = model.predict(
        y=y - gp.y_mean_,
        gp_coords_pred=T,
        predict_var=True,
        cov_pars=np.array([0.01, 1.3**2, 2.0]),
    )
    mean, std = gp.predict(T, return_std=True)
    np.testing.assert_allclose(found["mu"] + gp.y_mean_, mean, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(found["var"]), std, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_search_ends_where_the_exact_one_does(capfd):
    pytest.importorskip("gpboost")
    X, y = data(300, d=2)
    gp = VecchiaGaussianProcessRegressor(n_neighbors=30, random_state=0).fit(X, y)
    exact = GaussianProcessRegressor(Laplacian() + WhiteKernel(0.1)).fit(X, y - y.mean())
    at = Laplacian(gp.amplitude_, gp.length_scale_) + WhiteKernel(max(gp.noise_level_, 1e-5))
    value = exact.log_marginal_likelihood(at.theta)
    assert value > exact.log_marginal_likelihood_value_ - 0.5  # nats, of 300 labels
    scaled = VecchiaGaussianProcessRegressor(n_neighbors=30, random_state=0).fit(100 * X, 7 * y)
    np.testing.assert_allclose(scaled.length_scale_, 100 * gp.length_scale_, rtol=1e-3)
    np.testing.assert_allclose(scaled.amplitude_, 7 * gp.amplitude_, rtol=1e-3)
    assert capfd.readouterr() == ("", "")
