import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import LinAlgError
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skcfgp import GaussianProcessRegressor
from skcfgp.gaussian_process.cholesky import GrowingCholesky
from skcfgp.gaussian_process.vecchia import VecchiaGaussianProcessRegressor
from skcfgp.kernels import Laplacian

KERNELS = [
    Laplacian(1.3, 2.0),
    Laplacian() + WhiteKernel(0.1),
    1.0 * Matern(nu=0.5),
    1.0 * RBF(2.0) + WhiteKernel(0.1),
]


VECCHIA = VecchiaGaussianProcessRegressor(1.3, 2.0, 0.01)


def data(n=60, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.sin(X).sum(axis=1) + 0.1 * rng.normal(size=n)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([GaussianProcessRegressor(), GaussianProcessRegressor(RBF())])
def test_common_checks(estimator, check):
    check(estimator)


def test_common_checks_are_all_there():
    """As many checks run as for scikit-learn's own regressor."""
    ours = [
        check.func.__name__ if isinstance(check, partial) else check.__name__
        for _, check in estimator_checks_generator(GaussianProcessRegressor())
    ]
    theirs = list(estimator_checks_generator(SklearnGPR()))
    assert len(ours) >= len(theirs) > 40


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_agrees_with_scikit_learn(kernel, normalize_y, n_targets):
    """Law 1: mean, std, log marginal likelihood and its gradient to 1e-8."""
    X, y = data()
    T = data(30, seed=1)[0]
    Y = y if n_targets == 1 else np.c_[y, y**2]
    options = {"kernel": kernel, "normalize_y": normalize_y, "alpha": 1e-6, "optimizer": None}
    ours, theirs = GaussianProcessRegressor(**options).fit(X, Y), SklearnGPR(**options).fit(X, Y)
    for return_ in ({"return_std": True}, {"return_cov": True}):
        for found, expected in zip(
            ours.predict(T, **return_), theirs.predict(T, **return_), strict=True
        ):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, atol=1e-8)
    theta = ours.kernel_.theta + 0.3
    for found, expected in zip(
        ours.log_marginal_likelihood(theta, eval_gradient=True),
        theirs.log_marginal_likelihood(theta, eval_gradient=True),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.sample_y(T, 2, 0), theirs.sample_y(T, 2, 0), atol=1e-6)


def test_optimum_and_default_kernel():
    X, y = data()
    ours = GaussianProcessRegressor().fit(X, y)
    assert isinstance(ours.kernel_, Laplacian)
    assert ours.kernel is None
    theirs = SklearnGPR(1.0 * Matern(nu=0.5)).fit(X, y)
    assert ours.log_marginal_likelihood_value_ == pytest.approx(
        theirs.log_marginal_likelihood_value_, abs=0.01
    )


def test_prior():
    X = data(5)[0]
    mean, std = GaussianProcessRegressor(Laplacian(2.0)).predict(X, return_std=True)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_array_equal(std, 2)
    assert GaussianProcessRegressor(n_targets=2).predict(X).shape == (5, 2)


@pytest.mark.filterwarnings("ignore:.* rows of X are equal to others")
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    n_first=st.integers(1, 20),
    kernel=st.sampled_from(KERNELS),
    normalize_y=st.booleans(),
    n_targets=st.integers(1, 2),
    duplicates=st.booleans(),
    per_row=st.booleans(),
)
def test_partial_fit_equals_fit(
    sizes, n_first, kernel, normalize_y, n_targets, duplicates, per_row
):
    """Law 2, over kernels, block sizes, targets, noise per row and doubled rows."""
    n = n_first + sum(sizes)
    X, y = data(n, seed=n)
    if duplicates:
        X[n // 2 :] = X[: n - n // 2]
    Y = y if n_targets == 1 else np.c_[y, y**2]
    noise = np.linspace(0.01, 0.1, n) if per_row else np.full(n, 1e-4)
    options = {"kernel": kernel, "normalize_y": normalize_y, "optimizer": None}
    grown = GaussianProcessRegressor(alpha=noise[:n_first] if per_row else noise[0], **options).fit(
        X[:n_first], Y[:n_first]
    )
    start = n_first
    for size in sizes:
        rows = slice(start, start + size)
        grown.partial_fit(X[rows], Y[rows], **({"alpha": noise[rows]} if per_row else {}))
        start += size
    whole = SklearnGPR(alpha=noise, **options).fit(X, Y)
    T = data(15, seed=7)[0]
    for found, expected in zip(
        grown.predict(T, return_std=True), whole.predict(T, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-7)
    np.testing.assert_allclose(grown.L_, whole.L_, atol=1e-9)
    np.testing.assert_allclose(
        grown.log_marginal_likelihood_value_, whole.log_marginal_likelihood_value_, rtol=1e-7
    )
    theta = whole.kernel_.theta + 0.1
    np.testing.assert_allclose(
        grown.log_marginal_likelihood(theta), whole.log_marginal_likelihood(theta), rtol=1e-7
    )


def test_partial_fit_of_nothing_fitted_is_fit():
    X, y = data()
    first = GaussianProcessRegressor().partial_fit(X, y)
    assert first.kernel_ == GaussianProcessRegressor().fit(X, y).kernel_


def test_partial_fit_leaves_the_kernel_alone():
    X, y = data()
    gp = GaussianProcessRegressor().fit(X[:40], y[:40])
    kernel = gp.kernel_
    theta = kernel.theta.copy()
    gp.partial_fit(X[40:], 10 * y[40:])
    assert gp.kernel_ is kernel
    np.testing.assert_array_equal(kernel.theta, theta)


def test_partial_fit_refuses_what_does_not_fit():
    X, y = data()
    gp = GaussianProcessRegressor().fit(X[:40], y[:40])
    with pytest.raises(ValueError, match="features"):
        gp.partial_fit(X[40:, :2], y[40:])
    with pytest.raises(ValueError, match="NaN"):
        gp.partial_fit(X[40:], np.full(20, np.nan))
    with pytest.raises(ValueError, match="as many targets"):
        gp.partial_fit(X[40:], np.c_[y[40:], y[40:]])
    rows = GaussianProcessRegressor(alpha=np.full(40, 0.1)).fit(X[:40], y[:40])
    with pytest.raises(ValueError, match="pass alpha="):
        rows.partial_fit(X[40:], y[40:])
    with pytest.raises(ValueError, match="nothing is fitted yet"):
        GaussianProcessRegressor().partial_fit(X, y, alpha=0.1)


def test_partial_fit_that_fails_changes_nothing():
    X, y = data()
    gp = GaussianProcessRegressor(alpha=0.0, optimizer=None).fit(X[:40], y[:40])
    before = gp.predict(X, return_std=True)
    with pytest.raises(LinAlgError, match="'alpha'"):
        gp.partial_fit(X[[0]], y[[0]], alpha=-1e-3)
    assert len(gp.X_train_) == len(gp.L_) == len(gp.y_train_) == 40
    for found, expected in zip(gp.predict(X, return_std=True), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def count_fits(monkeypatch):
    """Count how often a process is fitted afresh: a list of the sizes of what is factorized."""
    fits = []
    factorize = GrowingCholesky.factorize

    def count(K):
        fits.append(len(K))
        return factorize(K)

    monkeypatch.setattr(GrowingCholesky, "factorize", count)
    return fits


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("per_row", [False, True])
def test_warm_start_appends(monkeypatch, normalize_y, n_targets, per_row):
    """A loop that refits on all rows, as modAL's does, is one fit; law 2 holds."""
    X, y = data()
    Y = y if n_targets == 1 else np.c_[y, y**2]
    noise = np.linspace(0.01, 0.1, 60) if per_row else np.full(60, 1e-3)
    fits = count_fits(monkeypatch)
    gp = GaussianProcessRegressor(normalize_y=normalize_y, warm_start=True)
    for n in (30, 31, 31, 45, 60):
        gp.set_params(alpha=noise[:n] if per_row else 1e-3).fit(X[:n], Y[:n])
    assert fits == [30]
    whole = SklearnGPR(gp.kernel_, alpha=noise, normalize_y=normalize_y, optimizer=None).fit(X, Y)
    T = data(20, seed=3)[0]
    for found, expected in zip(
        gp.predict(T, return_std=True), whole.predict(T, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert gp.log_marginal_likelihood_value_ == pytest.approx(whole.log_marginal_likelihood_value_)


def test_warm_start_starts_afresh_for_anything_else(monkeypatch):
    X, y = data()
    fits = count_fits(monkeypatch)
    gp = GaussianProcessRegressor(warm_start=True, alpha=1e-3).fit(X[:40], y[:40])
    changed = y.copy()
    changed[3] += 1e-9
    for X_new, y_new in (
        (X, changed),  # another label
        (X[::-1], changed[::-1]),  # another order
        (X[:30], y[:30]),  # fewer rows
        (X[:, :2], y),  # other features
        (X, np.c_[y, y]),  # more targets
        (X.tolist(), y.tolist()),
    ):
        before = len(fits)
        gp.fit(X_new, y_new)
        assert len(fits) == before + 1
        assert len(gp.X_train_) == len(X_new)
    for params in ({"alpha": 1e-2}, {"kernel": Laplacian(2.0)}, {"kernel__length_scale": 3.0}):
        gp.set_params(**params).fit(X, y)
        assert fits.pop() == 60
    before = len(fits)
    gp.set_params(warm_start=False).fit(X, y).fit(X, y)
    assert len(fits) == before + 2


def test_warm_start_takes_lists_and_frames(monkeypatch):
    pd = pytest.importorskip("pandas")
    X, y = data()
    frame, labels = pd.DataFrame(X, index=np.arange(60.0) / 7).add_prefix("z"), pd.Series(y[::-1])
    fits = count_fits(monkeypatch)
    gp = GaussianProcessRegressor(warm_start=True).fit(frame.iloc[:40], labels.iloc[:40])
    gp.fit(frame, labels)
    assert fits == [40]
    gp.fit(frame.add_prefix("other "), labels)
    assert fits == [40, 60]
    gp.fit(X[:40].tolist(), y[:40].tolist()).fit(X.tolist(), y.tolist())
    assert fits == [40, 60, 40]
    with pytest.raises(ValueError, match="NaN"):
        gp.fit([*X.tolist(), [np.nan] * 4], [*y, 0.0])


def test_warm_start_makes_an_unmodified_modal_loop_quick(monkeypatch):
    pytest.importorskip("skcfgp.active_learning.learner")  # modAL as it is on current releases
    modal = pytest.importorskip("modAL.models")
    X, y = data()
    fits = count_fits(monkeypatch)
    gp = GaussianProcessRegressor(warm_start=True)
    learner = modal.ActiveLearner(gp, lambda *_: 0, X_training=X[:30], y_training=y[:30])
    for row in range(30, 60):
        learner.teach(X[[row]], y[[row]])
    assert fits == [30]
    assert len(gp.X_train_) == 60


def test_float32_features():
    """Everything is computed in float64, before and after `partial_fit`."""
    X, y = data()
    X32 = X.astype(np.float32)
    gp = GaussianProcessRegressor(optimizer=None).fit(X32[:40], y[:40].astype(np.float32))
    assert gp.X_train_.dtype == gp.y_train_.dtype == np.float64
    gp.partial_fit(X32[40:], y[40:])
    assert gp.X_train_.dtype == gp.y_train_.dtype == np.float64
    gp.fit(X32[:40], y[:40]).partial_fit(X32[40:], y[40:])
    whole = SklearnGPR(Laplacian(), optimizer=None).fit(X32.astype(float), y)
    np.testing.assert_allclose(gp.predict(X[:9]), whole.predict(X[:9]), atol=1e-5)


@pytest.mark.parametrize(
    "estimator", [GaussianProcessRegressor(), VECCHIA], ids=["exact", "Vecchia"]
)
def test_a_pipeline_passes_return_std_on_with_metadata_routing(estimator):
    X, y = data()
    model = make_pipeline(StandardScaler(), clone(estimator)).fit(X, y)
    expected = model.predict(X, return_std=True)
    with sklearn.config_context(enable_metadata_routing=True):
        found = make_pipeline(StandardScaler(), clone(estimator)).fit(X, y)
        np.testing.assert_array_equal(found.predict(X, return_std=True), expected)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="Unknown optimizer adam: pass"):
        GaussianProcessRegressor(optimizer="adam").fit(*data())


def test_chunks_make_no_difference():
    X, y = data()
    gp = GaussianProcessRegressor(optimizer=None).fit(X, y)
    T = data(500, seed=2)[0]
    whole = gp.predict(T, return_std=True)
    with sklearn.config_context(working_memory=0.01):
        for found, expected in zip(gp.predict(T, return_std=True), whole, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_std_at_training_points_is_not_negative():
    X, y = data()
    X = np.vstack([X, X[:10] + 1e-13])
    gp = GaussianProcessRegressor(optimizer=None).fit(X, np.r_[y, y[:10]])
    std = gp.predict(X, return_std=True)[1]
    assert np.isfinite(std).all()
    assert (std >= 0).all()
    assert std.max() < 1e-3


def test_pickle_holds_one_matrix():
    X, y = data(400)
    gp = (
        GaussianProcessRegressor(optimizer=None).fit(X[:399], y[:399]).partial_fit(X[399:], y[399:])
    )
    content = pickle.dumps(gp)
    assert len(content) < 1.2 * 8 * 400**2
    np.testing.assert_array_equal(pickle.loads(content).predict(X[:5]), gp.predict(X[:5]))


def test_growing_cholesky_against_numpy():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 40))
    K = A @ A.T
    factor = GrowingCholesky.factorize(K[:4, :4].copy())
    for old, new in ((4, 5), (5, 17), (17, 18), (18, 30)):
        factor.append(K[:old, old:new], K[old:new, old:new])
    np.testing.assert_allclose(factor.L, np.linalg.cholesky(K), atol=1e-12)
    np.testing.assert_allclose(K @ factor.solve_both(A), A, atol=1e-9)
    np.testing.assert_allclose(factor.L @ factor.solve(A[:, 0]), A[:, 0], atol=1e-12)
    with pytest.raises(LinAlgError):
        factor.append(K[:, :1], K[:1, :1] - 1.0)
    np.testing.assert_allclose(factor.L, np.linalg.cholesky(K), atol=1e-12)


@pytest.mark.parametrize("wrap", [list, np.asarray, pd.Series])
def test_crystals_are_sent_to_a_featurizer(wrap, crystals):
    structures, y = crystals
    with pytest.raises(TypeError, match=r"make_pipeline\(MEGNetFeaturizer"):
        GaussianProcessRegressor().fit(wrap(structures[:5]), y[:5])


@pytest.mark.parametrize("normalize_y", [False, True])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_fitted_state_is_public(normalize_y, n_targets):
    X, y = data()
    Y = 3 + y if n_targets == 1 else np.c_[y, 5 + y**2]
    gp = GaussianProcessRegressor(alpha=0.1, normalize_y=normalize_y, optimizer=None)
    gp.fit(X[:40], Y[:40]).partial_fit(X[40:], Y[40:])
    mean = Y.reshape(60, -1).mean(axis=0) if normalize_y else np.zeros(n_targets)
    scale = Y.reshape(60, -1).std(axis=0) if normalize_y else np.ones(n_targets)
    np.testing.assert_allclose(gp.y_mean_, mean)
    np.testing.assert_allclose(gp.y_scale_, scale)
    np.testing.assert_allclose(gp.y_train_, (Y - mean) / scale)
    np.testing.assert_array_equal(gp.targets_, Y)
    np.testing.assert_array_equal(gp.noise_, np.full(60, 0.1))
    K = gp.kernel_(X) + 0.1 * np.eye(60)
    np.testing.assert_allclose(gp.factor_.L @ gp.factor_.L.T, K, atol=1e-12)


def test_a_parameter_set_after_fit_changes_nothing():
    """What was fitted stays: the noise of a label to come is that of `fit`."""
    X, y = data()
    gp = GaussianProcessRegressor(alpha=0.1, optimizer=None).fit(X[:40], y[:40])
    theta, lml = gp.kernel_.theta, gp.log_marginal_likelihood(gp.kernel_.theta)
    gp.set_params(alpha=7.0)
    assert gp.new_noise_ == 0.1
    assert gp.log_marginal_likelihood(theta) == lml
    gp.partial_fit(X[40:], y[40:])
    np.testing.assert_array_equal(gp.noise_, np.full(60, 0.1))


@pytest.mark.parametrize("unit", [1e-40, 1.602e-19, 1e12])
def test_normalised_labels_may_have_any_unit(unit):
    """The elementary charge as well: labels in J are small, and not equal."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = np.sin(X).sum(axis=1)
    gp = GaussianProcessRegressor(Laplacian() + WhiteKernel(1e-2), normalize_y=True)
    expected = np.array(clone(gp).fit(X[:30], y[:30]).predict(X[30:], return_std=True))
    found = np.array(clone(gp).fit(X[:30], unit * y[:30]).predict(X[30:], return_std=True))
    np.testing.assert_allclose(found / unit, expected, rtol=1e-6)


def test_labels_that_are_equal_but_for_rounding_have_the_scale_1():
    X, y = np.arange(30.0)[:, None], np.full(30, 1e5 / 3)
    y[::2] = np.nextafter(y[::2], np.inf)
    gp = GaussianProcessRegressor(normalize_y=True, optimizer=None).fit(X, y)
    assert gp.y_scale_[0] == 1.0


def test_equal_rows_are_left_out_together():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=43)
    X = np.concatenate([X, X[:10] + 1e-9, X[:3]])
    gp = GaussianProcessRegressor(Laplacian(2.0, 3.0) + WhiteKernel(0.1), optimizer=None)
    mean, std = gp.fit(X, y).predict_leave_one_out(equal_together=True)
    for row in (0, 7, 20, 42):
        others = np.abs(X - X[row]).max(axis=1) > 1e-6
        expected = clone(gp).fit(X[others], y[others]).predict(X[[row]], return_std=True)
        np.testing.assert_allclose([mean[row], std[row]], np.ravel(expected), rtol=1e-6)
    far = GaussianProcessRegressor(optimizer=None).fit([[1.0], [2.0], [3.0], [1e9]], y[:4])
    found = far.predict_leave_one_out(equal_together=True)  # the last one stretches the column
    np.testing.assert_array_equal(found, far.predict_leave_one_out())
