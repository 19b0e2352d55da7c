"""A crystal that is listed twice is no new crystal."""

import numpy as np
import pytest
from pymatgen.core import Structure
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import KFold

from skcfgp import CalibratedRegressor, GaussianProcessRegressor
from skcfgp.calibration import ExchangeabilityWarning, FewScoresWarning
from skcfgp.calibration.repeats import distinct_rows, folds_of_distinct_rows
from skcfgp.kernels import Laplacian


def process():
    return GaussianProcessRegressor(Laplacian(1.0, 3.0), alpha=0.05, optimizer=None)


def repeated(n_distinct, n, seed=0):
    rng = np.random.default_rng(seed)
    group = np.concatenate([np.arange(n_distinct), rng.integers(n_distinct, size=n - n_distinct)])
    X = rng.normal(size=(n_distinct, 2))[group]
    return X, np.sin(X).sum(axis=1) + 0.1 * rng.normal(size=n), group


def test_equal_rows_get_one_number():
    X, _, group = repeated(7, 40)
    np.testing.assert_array_equal(distinct_rows(X, 40), group)
    nearly = X * (1 + 1e-9 * np.random.default_rng(1).normal(size=X.shape))
    np.testing.assert_array_equal(distinct_rows(nearly.tolist(), 40), group)
    outlier = np.concatenate([X, [[1e12, 0.0]]])  # which makes the other rows look equal
    np.testing.assert_array_equal(distinct_rows(outlier, 41), [*group, 7])
    np.testing.assert_array_equal(distinct_rows([object(), object()], 2), [0, 1])


def test_equal_crystals_get_one_number(salt):
    other = Structure.from_sites(salt.sites[::-1])
    larger = salt.copy()
    larger.scale_lattice(1.1 * salt.volume)
    crystals = [salt, larger, other, salt.as_dict(), "NaCl", "KCl", "Na2Cl2"]
    np.testing.assert_array_equal(distinct_rows(crystals, 7), [0, 1, 0, 0, 2, 3, 2])


@pytest.mark.parametrize("n_folds", [2, 5, 9])
def test_folds_do_not_part_equal_rows(n_folds):
    *_, group = repeated(7, 40)
    splits = folds_of_distinct_rows(n_folds, group)
    assert len(splits) == min(n_folds, 7)
    for train, test in splits:
        assert not np.intersect1d(group[train], group[test]).size
    np.testing.assert_array_equal(np.sort(np.concatenate([t for _, t in splits])), np.arange(40))


def test_without_repeats_folds_are_those_of_scikit_learn():
    X, y, _ = repeated(30, 30)
    by_number = CalibratedRegressor(BayesianRidge(), cv=5).fit(X, y)
    by_splitter = CalibratedRegressor(BayesianRidge(), cv=KFold(5)).fit(X, y)
    np.testing.assert_array_equal(by_number.z_scores_, by_splitter.z_scores_)


@pytest.mark.parametrize("cv", [5, "leave_one_out"])
def test_copies_do_not_make_the_error_bars_shorter(cv):
    """Nearest-neighbour interpolation knows nothing of a new row, and everything of a copy."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    model = CalibratedRegressor(process().set_params(alpha=1e-6), method="student_t", cv=cv)
    once = clone(model).fit(X, y)
    twice = clone(model).fit(np.tile(X, (2, 1)), np.tile(y, 2))
    assert twice.scale_ == pytest.approx(once.scale_, rel=0.3)


@pytest.mark.parametrize("cv", [5, "leave_one_out", "prefit"])
def test_few_distinct_crystals_are_few(cv):
    X, y, _ = repeated(6, 30)
    gp = process() if cv != "prefit" else process().fit(*repeated(20, 20, seed=3)[:2])
    with pytest.warns(FewScoresWarning, match="6 errors of other rows are too few"):
        model = CalibratedRegressor(gp, method="student_t", cv=cv).fit(X, y)
    assert model.n_calibration_ == 30
    assert model.score_distribution_.args[0] <= 6
    assert model.score_distribution_.kwds["scale"] >= 1


def test_few_distinct_crystals_are_left_without_the_selected_ones():
    X, y, group = repeated(20, 60)
    selected = group >= 5
    assert np.sum(~selected) >= 12
    with pytest.warns(ExchangeabilityWarning, match="5 others are too few"):
        model = CalibratedRegressor(process(), cv="leave_one_out").fit(X, y, selected=selected)
    assert model.n_calibration_ == 60


@pytest.mark.parametrize("labels", ["equal", "different"])
@pytest.mark.parametrize("cv", [5, "leave_one_out"])
def test_one_crystal_is_no_certainty(cv, labels):
    X, rng = np.ones((30, 2)), np.random.default_rng(2)
    y = np.full(30, 3.0) if labels == "equal" else 3 + 0.1 * rng.normal(size=30)
    model = CalibratedRegressor(process().set_params(normalize_y=True), method="student_t", cv=cv)
    with pytest.warns(FewScoresWarning):
        model.fit(X, y)
    lower, upper = model.predict_interval(np.array([[1.0, 1.0], [9.0, 9.0]]))
    assert (upper > lower).all()
    assert upper[1] - lower[1] > 4 * y.std()  # nothing is known of another crystal


class NotesCrystals(RegressorMixin, BaseEstimator):
    """Notes which crystals it learnt; a crystal that it learnt has an error of 0."""

    def fit(self, X, y):
        self.learnt_ = {id(crystal): label for crystal, label in zip(X, y, strict=True)}
        return self

    def predict(self, X, return_std=False):
        mean = np.array([self.learnt_.get(id(crystal), 0.0) for crystal in X])
        return (mean, np.ones(len(X))) if return_std else mean


def test_folds_of_crystals_do_not_part_copies(salt):
    crystals = []
    for k in range(4):
        crystal = salt.copy()
        crystal.scale_lattice((1 + 0.1 * k) * salt.volume)
        crystals.append(crystal)
    X = np.empty(12, dtype=object)
    X[:] = crystals * 3
    model = CalibratedRegressor(NotesCrystals(), cv=3).fit(X, np.ones(12))
    np.testing.assert_array_equal(model.z_scores_, 1.0)  # none was known
