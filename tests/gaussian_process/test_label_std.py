"""The known standard error of each label."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import CalibratedRegressor, GaussianProcessRegressor
from skcfgp.kernels import Laplacian

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y_STD = np.where(np.arange(60) % 3 == 0, 20.0, 0.5)
Y = 100 + 40 * np.sin(X).sum(axis=1) + Y_STD * RNG.normal(size=60)
NEW = RNG.normal(size=(9, 2))


def gp(**options):
    options = {"kernel": Laplacian(1.0, 2.0), "alpha": 0.01, "optimizer": None} | options
    return GaussianProcessRegressor(**options)


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("optimizer", [None, "fmin_l_bfgs_b"])
def test_it_is_the_noise_in_the_unit_of_the_process(normalize_y, optimizer):
    """As if scikit-learn were told, which takes a variance in the unit of the standardised y."""
    options = {"normalize_y": normalize_y, "optimizer": optimizer}
    y, y_std = (Y, Y_STD) if normalize_y else ((Y - 100) / 40, Y_STD / 40)
    ours = gp(**options).fit(X, y, y_std=y_std)
    scale = np.std(y) if normalize_y else 1.0
    alpha = 0.01 + (y_std / scale) ** 2
    theirs = SklearnGPR(Laplacian(1.0, 2.0), alpha=alpha, **options).fit(X, y)
    rtol = 1e-8 if optimizer is None else 1e-3
    for found, expected in zip(
        ours.predict(NEW, return_std=True), theirs.predict(NEW, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=rtol)


def test_units_scale():
    model = gp(normalize_y=True)
    mean, std = model.fit(X, Y, y_std=Y_STD).predict(NEW, return_std=True)
    found = model.fit(X, 1e-3 * Y, y_std=1e-3 * Y_STD).predict(NEW, return_std=True)
    np.testing.assert_allclose(found, [1e-3 * mean, 1e-3 * std])


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("known", ["first", "new", "both"])
def test_partial_fit_is_the_fit_on_all(normalize_y, known):
    first = None if known == "new" else Y_STD[:40]
    new = None if known == "first" else Y_STD[40:]
    model = gp(normalize_y=normalize_y).fit(X[:40], Y[:40], y_std=first)
    for rows in (slice(40, 50), slice(50, 60)):
        model.partial_fit(X[rows], Y[rows], y_std=None if new is None else Y_STD[rows])
    every = np.concatenate([np.zeros(40) if first is None else first, np.zeros(20)])
    if new is not None:
        every[40:] = new
    expected = gp(normalize_y=normalize_y).fit(X, Y, y_std=every)
    np.testing.assert_allclose(
        model.predict(NEW, return_std=True), expected.predict(NEW, return_std=True)
    )
    for name in ("noise_", "label_std_", "targets_", "y_train_"):
        np.testing.assert_allclose(getattr(model, name), getattr(expected, name))
    assert model.new_noise_ == 0.01
    assert model.kernel_ == expected.kernel_


def test_before_the_first_fit_and_with_a_warm_start():
    model = gp(warm_start=True).partial_fit(X[:30], Y[:30], y_std=Y_STD[:30])
    np.testing.assert_array_equal(model.label_std_, Y_STD[:30])
    model.fit(X, Y)  # afresh: without an error, the labels are others than those learnt
    np.testing.assert_allclose(model.predict(NEW), gp().fit(X, Y).predict(NEW))


def test_a_label_without_information_changes_nothing():
    wrong = np.append(Y, 1e4)
    std = np.append(np.zeros(60), 1e9)
    found = gp().fit(np.vstack([X, NEW[:1]]), wrong, y_std=std).predict(NEW)
    np.testing.assert_allclose(found, gp().fit(X, Y).predict(NEW), rtol=1e-6)


def test_leave_one_out_is_that_of_refits_and_of_the_label():
    model = gp(normalize_y=False).fit(X, Y, y_std=Y_STD)
    mean, std = model.predict_leave_one_out()
    for row in (0, 1, 59):
        rest = np.arange(60) != row
        (m,), (s,) = (
            gp().fit(X[rest], Y[rest], y_std=Y_STD[rest]).predict(X[[row]], return_std=True)
        )
        assert mean[row] == pytest.approx(m)
        assert std[row] == pytest.approx(np.sqrt(s**2 + 0.01 + Y_STD[row] ** 2))


@pytest.mark.parametrize("cv", ["leave_one_out", KFold(5)])
def test_a_calibration_does_not_blame_the_process_for_what_is_known(cv):
    """Noisy labels of known error: the error bars of the values are right without a factor."""
    rng = np.random.default_rng(1)
    Z = rng.uniform(-3, 3, size=(400, 1))
    y_std = np.where(rng.random(400) < 0.5, 1.0, 0.05)
    process = gp(kernel=Laplacian(1.0, 5.0), alpha=1e-6)
    value = process.sample_y(Z, random_state=2)[:, 0]
    y = value + y_std * rng.normal(size=400)
    told = CalibratedRegressor(process, cv=cv).fit(Z[:300], y[:300], y_std=y_std[:300])
    assert told.scale_ == pytest.approx(1.0, abs=0.1)
    mean, std = told.predict(Z[300:], return_std=True)
    assert np.sqrt(np.mean(((value[300:] - mean) / std) ** 2)) == pytest.approx(1.0, abs=0.2)
    # A new measurement has its own error on top.
    z = (y[300:] - mean) / np.hypot(std, y_std[300:])
    assert np.sqrt(np.mean(z**2)) == pytest.approx(1.0, abs=0.2)
    untold = CalibratedRegressor(process, cv=cv).fit(Z[:300], y[:300])
    assert untold.scale_ > 1.5


def test_it_passes_through_pipelines_with_routing_off_and_on():
    from sklearn import config_context

    model = CalibratedRegressor(gp(normalize_y=True), cv=3)
    Z = StandardScaler().fit_transform(X)
    expected = clone(model).fit(Z, Y, y_std=Y_STD).predict(Z, return_std=True)
    pipe = make_pipeline(StandardScaler(), model)
    off = clone(pipe).fit(X, Y, calibratedregressor__y_std=Y_STD)
    np.testing.assert_allclose(off.predict(X, return_std=True), expected)
    inside = CalibratedRegressor(make_pipeline(StandardScaler(), gp()), cv=3)
    plain = inside.fit(X, Y, y_std=Y_STD).predict(X)
    with config_context(enable_metadata_routing=True):
        on = clone(pipe).fit(X, Y, y_std=Y_STD)
        np.testing.assert_allclose(on.predict(X, return_std=True), expected)
        np.testing.assert_allclose(clone(inside).fit(X, Y, y_std=Y_STD).predict(X), plain)
    on[-1].partial_fit(Z[:2] + 5, Y[:2], y_std=Y_STD[:2])
    np.testing.assert_array_equal(on[-1].estimator_.label_std_[-2:], Y_STD[:2])


def test_its_search_is_that_of_the_noisy_labels():
    """The white noise that is found is what the known errors leave."""
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(150, 1))
    y = np.sin(Z[:, 0]) + 0.5 * rng.normal(size=150)
    kernel = Laplacian(1.0, 5.0) + WhiteKernel(0.1, (1e-6, 1e1))
    model = GaussianProcessRegressor(kernel)
    untold = model.fit(Z, y).kernel_.k2.noise_level
    told = model.fit(Z, y, y_std=np.full(150, 0.5)).kernel_.k2.noise_level
    assert told < untold - 0.15


@pytest.mark.parametrize(
    ("y", "y_std", "message"),
    [
        (Y, -Y_STD, "at least 0, got -20 in row 0 and 60 such rows of 60"),
        (Y, np.where(np.arange(60) == 4, np.nan, 1.0), "got nan in row 4 and 1 such rows"),
        (Y, Y_STD[:5], r"60 standard errors, one for each label; got .* shape \(5,\)"),
        (np.c_[Y, Y], Y_STD, "needs one target"),
    ],
)
def test_what_is_no_standard_error_is_refused(y, y_std, message):
    with pytest.raises(ValueError, match=message):
        gp().fit(X, y, y_std=y_std)


def test_a_regressor_that_does_not_take_it_is_named():
    with pytest.raises(TypeError, match=r"BayesianRidge\.fit does not take y_std"):
        CalibratedRegressor(BayesianRidge()).fit(X, Y, y_std=Y_STD)


def test_standard_errors_in_another_unit_are_noticed():
    with pytest.warns(UserWarning, match=r"Is y_std in the unit of y\?"):
        gp().fit(X, Y, y_std=1000 * Y_STD)
    noise = np.random.default_rng(0).normal(size=(200, 12))
    for y in noise:  # nothing but noise, and no warning
        gp().fit(X[:12], y, y_std=np.ones(12))


def test_a_second_measurement_with_a_large_error_contradicts_nothing():
    rows, y = np.concatenate([X, X[:1]]), np.append(Y, Y[0] + 300)
    gp(alpha=1e-10).fit(rows, y, y_std=np.append(np.zeros(60), 200.0))
    with pytest.warns(ConvergenceWarning, match="2 rows of X are equal"):
        gp(alpha=1e-10).fit(rows, y)
    with pytest.warns(ConvergenceWarning, match="1 rows of X are equal"):
        gp(alpha=1e-10).fit(rows, y, y_std=np.append(np.zeros(60), 0.1))
