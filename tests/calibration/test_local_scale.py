import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcfgp import CalibratedRegressor, GaussianProcessRegressor
from skcfgp.calibration import FewScoresWarning, negative_log_likelihood
from skcfgp.calibration.z_scores import PRIOR, LocalScale
from skcfgp.kernels import Laplacian


class One(RegressorMixin, BaseEstimator):
    """Predicts 0 +- 1."""

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X, return_std=False):
        return (np.zeros(len(X)), np.ones(len(X))) if return_std else np.zeros(len(X))


def two_regions(n, rng):
    """Errors are five times as large where the feature is positive."""
    X = rng.uniform(-1, 1, size=(n, 1))
    return X, np.where(X[:, 0] > 0, 5.0, 1.0) * rng.standard_normal(n)


def test_scale_by_brute_force():
    rng = np.random.default_rng(0)
    features, new = rng.normal(size=(30, 3)), rng.normal(size=(4, 3))
    z = rng.standard_normal(30)
    scale = LocalScale(features, z, 5, np.arange(30))
    sizes, weights = np.abs(z) / np.mean(np.abs(z)), np.array([9, 7, 5, 3, 1]) / 5
    for row, found in zip(new, scale(new), strict=True):
        near = np.argsort(np.linalg.norm(features - row, axis=1))[:5]
        assert found == pytest.approx((PRIOR + weights @ sizes[near]) / (PRIOR + 5))
    own = np.argsort(np.linalg.norm(features - features[7], axis=1))[1:6]
    assert scale()[7] == pytest.approx((PRIOR + weights @ sizes[own]) / (PRIOR + 5))


def test_more_neighbours_than_rows():
    scale = LocalScale(np.arange(4.0)[:, None], np.array([1.0, 1.0, 1.0, 5.0]), 20, np.arange(4))
    # each is judged by the three others, and a new row by the three nearest
    assert scale()[3] < scale()[0]
    assert scale([[0.0]]) < scale([[3.0]])


def test_scores_of_zero_leave_the_scale_alone():
    np.testing.assert_array_equal(LocalScale(np.eye(5), np.zeros(5), 2, np.arange(5))(), 1.0)


def test_a_row_is_not_judged_by_its_copy():
    """A copy has the same label and so the same error, which a new row would not know."""
    features = np.repeat([[0.0], [1.0], [2.0]], 2, axis=0)
    z = np.array([9.0, 9.0, 1.0, 1.0, 1.0, 1.0])
    scale = LocalScale(features, z, 5, np.array([0, 0, 1, 1, 2, 2]))
    sizes, weights = z / z.mean(), np.array([9, 7, 5, 3, 1]) / 5
    expected = (PRIOR + weights[1:] @ sizes[2:]) / (PRIOR + weights[1:].sum())
    assert scale()[0] == pytest.approx(expected)


@pytest.mark.parametrize("method", ["std_scaling", "isotonic", "conformal"])
def test_regions_of_large_errors_are_found(method):
    rng = np.random.default_rng(1)
    X, y = two_regions(1500, rng)
    everywhere = CalibratedRegressor(One(), method=method).fit(X, y)
    local = clone(everywhere).set_params(n_neighbors=100).fit(X, y)
    X_new, y_new = two_regions(4000, rng)
    right = X_new[:, 0] > 0
    inside = {}
    for name, model in {"everywhere": everywhere, "local": local}.items():
        lower, upper = model.predict_interval(X_new, coverage=0.9)
        hit = (lower <= y_new) & (y_new <= upper)
        inside[name] = np.array([hit[right].mean(), hit[~right].mean()])
    assert (np.abs(inside["local"] - 0.9) < 0.07).all()
    assert (np.abs(inside["everywhere"] - 0.9) > 0.09).all()
    mean, std = local.predict(X_new, return_std=True)
    assert std[right].mean() > 3 * std[~right].mean()
    if method == "std_scaling":
        plain = negative_log_likelihood(y_new, *everywhere.predict(X_new, return_std=True))
        assert negative_log_likelihood(y_new, mean, std) < plain - 0.2


def test_no_harm_where_the_errors_are_alike():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1000, 2))
    y = rng.standard_normal(1000)
    _, std = CalibratedRegressor(One(), n_neighbors=20).fit(X, y).predict(X, return_std=True)
    assert std.mean() == pytest.approx(1.0, abs=0.1)
    assert std.std() < 0.3
    assert np.mean(np.log(std) + 0.5 / std**2) < 0.5 + 0.06  # expected NLL, against 0.5


def process():
    kernel = Laplacian(1.0, 3.0)
    return GaussianProcessRegressor(kernel, alpha=0.05, normalize_y=True, optimizer=None)


def data(n=60, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.sin(X).sum(axis=1) + 0.2 * rng.standard_normal(n)


def test_leave_one_out_scores_are_those_of_refits():
    X, y = data()
    model = CalibratedRegressor(process(), cv="leave_one_out").fit(X, y)
    gp = process().set_params(normalize_y=False).fit(X, (y - y.mean()) / y.std())
    for row in (0, 13, 59):
        left = np.arange(60) != row
        alone = clone(gp).fit(X[left], gp.y_train_[left])
        mean, std = alone.predict(X[[row]], return_std=True)
        assert model.z_scores_[row] == pytest.approx((gp.y_train_[row] - mean[0]) / std[0])
    assert model.scale_ == pytest.approx(np.sqrt(np.mean(model.z_scores_**2)))


def test_only_unseen_rows_are_calibrated_on():
    X, y = data()
    unseen = np.arange(60) % 3 == 0
    model = CalibratedRegressor(process(), n_neighbors=5, cv="leave_one_out")
    every = clone(model).fit(X, y)
    some = clone(model).fit(X, y, unseen=unseen)
    np.testing.assert_array_equal(some.z_scores_, every.z_scores_[unseen])
    assert some.n_calibration_ == unseen.sum()
    ratio = [m.predict(X, return_std=True)[1] / m.scale_ for m in (every, some)]
    np.testing.assert_allclose(*ratio)  # what the neighbours say is the same
    both = clone(model).fit(X, y, unseen=unseen, selected=np.arange(60) < 12)
    assert both.n_calibration_ == np.sum(unseen & (np.arange(60) >= 12))


def test_neighbours_are_those_of_the_features_and_these_are_made_once():
    X, y = data()
    calls = []

    def note(X):
        calls.append(len(X))
        return X

    model = CalibratedRegressor(process(), n_neighbors=5, cv="leave_one_out")
    pipe = make_pipeline(FunctionTransformer(note), StandardScaler(), model).fit(X, y)
    assert calls == [60]
    _, std = pipe.predict(X[:7], return_std=True)
    assert calls == [60, 7]
    Z = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(std, clone(model).fit(Z, y).predict(Z[:7], return_std=True)[1])


def test_neighbours_of_rows_that_a_fitted_process_has_not_learnt():
    X, y = data()
    other = data(seed=4)
    gp = process().fit(X, y)
    prefit = CalibratedRegressor(gp, n_neighbors=5, cv="prefit").fit(*other)
    _, std = gp.predict(X[:7], return_std=True)
    expected = std * LocalScale(other[0], _z(gp, *other), 5, np.arange(60))(X[:7]) * prefit.scale_
    np.testing.assert_allclose(prefit.predict(X[:7], return_std=True)[1], expected)
    np.testing.assert_allclose(prefit.local_scale_(X[:7]) * std * prefit.scale_, expected)
    lower, upper = prefit.predict_interval(X[:7], coverage=0.95)
    np.testing.assert_allclose(upper - lower, 2 * norm.ppf(0.975) * expected)


def _z(model, X, y):
    mean, std = model.predict(X, return_std=True)
    return (y - mean) / std


def test_errors_say_what_to_do():
    X, y = data()
    with pytest.raises(ValueError, match="n_neighbors must be an integer of at least 1, got 0"):
        CalibratedRegressor(process(), n_neighbors=0).fit(X, y)
    with pytest.raises(ValueError, match=r"cv='leave_one_out' needs .* got One\."):
        CalibratedRegressor(One(), cv="leave_one_out").fit(X, y)
    pipe = make_pipeline(StandardScaler(), process())
    with pytest.raises(ValueError, match=r"Make the calibration its last step: make_pipeline"):
        CalibratedRegressor(pipe, n_neighbors=5).fit(X, y)
    with pytest.raises(ValueError, match=r"got Pipeline\..*the last step: make_pipeline"):
        CalibratedRegressor(pipe, cv="leave_one_out").fit(X, y)


@pytest.mark.parametrize("method", ["student_t", "std_scaling", "isotonic", "conformal"])
def test_a_first_label_gives_a_wide_distribution(method):
    """It has no neighbours, and no error; a loop that begins without labels comes by."""
    X, y = data()
    options = {"method": method, "n_neighbors": 20, "cv": "leave_one_out"}
    gp = GaussianProcessRegressor(Laplacian(1.0, 2.0), normalize_y=True, optimizer=None)
    with pytest.warns(FewScoresWarning):
        model = CalibratedRegressor(gp, **options).fit(X[:1], y[:1] + 10)
    assert (model.predict(X[1:], return_std=True)[1] >= 0.9 * (y[0] + 10)).all()


def test_models_of_crystals_are_told_where_the_calibration_belongs(salt):
    X, y = np.empty(6, dtype=object), np.arange(6.0)
    X[:] = [salt] * 6
    for crystals in (X, list(X)):
        with pytest.raises(
            TypeError, match=r"X must hold vectors.*make_pipeline\(MEGNetFeaturizer"
        ):
            CalibratedRegressor(process(), cv=2).fit(crystals, y)
        with pytest.raises(TypeError, match=r"X must hold finite numbers.*last step of a Pipeline"):
            CalibratedRegressor(One(), n_neighbors=2, cv=2).fit(crystals, y)
    assert CalibratedRegressor(One(), cv=2).fit(X, y).n_calibration_ == 6  # nothing to compare
