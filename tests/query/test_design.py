"""The first labels: each choice against its definition, and what a learner without labels does."""

import numpy as np
import pytest
from modAL.models import ActiveLearner as ModALActiveLearner
from scipy.spatial.distance import pdist
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, CalibratedRegressor, GaussianProcessRegressor
from skcfgp.calibration import MonotoneTargetRegressor
from skcfgp.kernels import Laplacian, OnColumns
from skcfgp.query import (
    design,
    expected_improvement,
    greedy_k_center,
    initial_design,
    integrated_variance,
    recommended,
)

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.sin(X).sum(axis=1)


def two_blocks(first=1.0, second=1.0, noise=0.01):
    blocks = (
        OnColumns(Laplacian(1.0, first, metric="cityblock"), slice(2)),
        OnColumns(Laplacian(1.0, second, "fixed"), slice(2, None)),
    )
    return GaussianProcessRegressor(blocks[0] * blocks[1] + WhiteKernel(noise, (1e-6, 1e1)))


def mean_variance(kernel, rows):
    """Mean variance of all labels once some rows are labelled."""
    gp = SklearnGPR(kernel, alpha=0.0, optimizer=None).fit(X[rows], np.zeros(len(rows)))
    return np.mean(gp.predict(X, return_std=True)[1] ** 2)


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_each_row_lowers_the_mean_variance_most(spread):
    medians = np.median(pdist(X[:, :2], "cityblock")), np.median(pdist(X[:, 2:]))
    kernel = two_blocks(*(spread * m for m in medians), 0.01 / spread).kernel
    indices, gain = initial_design(X, 4, estimator=two_blocks(), spread=spread)
    known, before = [], kernel.diag(X)[0]
    for index, expected in zip(indices, gain, strict=True):
        after = [mean_variance(kernel, [*known, i]) for i in range(60)]
        after = np.where(np.isin(np.arange(60), known), np.inf, after)
        assert index == np.argmin(after)
        assert (before - after[index]) / kernel.diag(X)[0] == pytest.approx(expected, rel=1e-6)
        known, before = [*known, index], after[index]


@pytest.mark.parametrize("estimator", [None, two_blocks(), GaussianProcessRegressor(RBF())])
@pytest.mark.parametrize("costs", [None, 1.0 + np.arange(60) % 5])
def test_a_design_is_its_beginning_and_the_rest_given_that(estimator, costs):
    options = {"estimator": estimator, "costs": costs, "excluded": [3, 50]}
    known = [1, 2]
    whole, gain = initial_design(X, 9, known=known, **options)
    first, _ = initial_design(X, 4, known=known, **options)
    rest, later = initial_design(X, 5, known=[*known, *first], **options)
    np.testing.assert_array_equal(whole, [*first, *rest])
    np.testing.assert_allclose(gain[4:], later, rtol=1e-6)
    assert not {1, 2, 3, 50} & set(whole.tolist())
    assert len(set(whole.tolist())) == 9


def test_units_do_not_matter():
    expected = initial_design(X, 8, estimator=two_blocks())[0]
    scaled = X * [1e3, 1e3, 1e-4]
    np.testing.assert_array_equal(initial_design(scaled, 8, estimator=two_blocks())[0], expected)
    costs = np.arange(1.0, 61.0)
    one, other = (initial_design(X, 8, costs=c) for c in (costs, 1e6 * costs))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_allclose(one[1], 1e6 * other[1])


def test_what_costs_too_much_is_not_chosen():
    free = initial_design(X, 5)[0]
    costs = np.where(np.isin(np.arange(60), free), 1e9, 1.0)
    assert not set(free) & set(initial_design(X, 5, costs=costs)[0])


def test_outliers_are_not_preferred():
    outliers = np.vstack([X, 50.0 * np.eye(3)])
    assert max(initial_design(outliers, 5)[0].tolist()) < 60
    farthest = greedy_k_center(ActiveLearner(GaussianProcessRegressor()), outliers, 5)[0]
    assert {60, 61, 62} < set(farthest.tolist())


def test_equal_rows_are_taken_from_the_top():
    index, gain = initial_design(np.repeat([[0.0], [1.0], [2.0]], 3, axis=0), 2)
    assert index[0] == 3
    assert (gain > 0).all()


def test_few_targets_and_little_memory(monkeypatch):
    assert len(initial_design(X, 5, n_target=7)[0]) == 5
    expected = initial_design(X, 5, n_target=10)
    monkeypatch.setattr(design, "MAX_BYTES", 8 * 60 * 10)
    for found, value in zip(initial_design(X, 5), expected, strict=True):
        np.testing.assert_array_equal(found, value)


def test_given_hyper_parameters_are_kept():
    given = GaussianProcessRegressor(Laplacian(2.0, 0.1), optimizer=None, alpha=0.1)
    indices, gain = initial_design(X, 1, estimator=given)
    K = Laplacian(1.0, 0.1)(X)
    after = np.square(K).mean(axis=1) / (1 + 0.1 / 4)
    assert indices[0] == np.argmax(after)
    assert gain[0] == pytest.approx(after.max())


@pytest.mark.parametrize("cls", [ActiveLearner, ModALActiveLearner])
@pytest.mark.parametrize("strategy", [recommended, integrated_variance, expected_improvement])
@pytest.mark.parametrize("wrap", [lambda gp: gp, CalibratedRegressor, MonotoneTargetRegressor])
def test_a_learner_without_labels(cls, strategy, wrap):
    learner = cls(make_pipeline(StandardScaler(), wrap(two_blocks())), strategy)
    indices, rows = learner.query(X, n_instances=6)
    expected, _ = initial_design(StandardScaler().fit_transform(X), 6, estimator=two_blocks())
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(rows, X[expected])


def test_targets_of_ones_own_need_a_label():
    with pytest.raises(ValueError, match="X_target needs a label"):
        integrated_variance(ActiveLearner(two_blocks()), X, X_target=X[:5])


def test_few_labels_leave_the_choice_to_the_design():
    first = initial_design(X, 8, estimator=two_blocks())[0]
    learner = ActiveLearner(two_blocks(), X_training=X[first[:5]], y_training=Y[first[:5]])
    left = np.setdiff1d(np.arange(60), first[:5])
    np.testing.assert_array_equal(left[learner.query(X[left], n_instances=3)[0]], first[5:])


class Trained(StandardScaler):
    """A transformer that learns from labels."""

    def fit(self, X, y=None):
        if y is None:
            raise ValueError("needs labels")
        return super().fit(X)

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)


def test_features_that_are_learnt_from_labels():
    learner = ActiveLearner(make_pipeline(Trained(), two_blocks()))
    with pytest.raises(ValueError, match="needs labels"):
        learner.query(X)
    learner.teach(X[:5], Y[:5])
    (index,), _ = learner.query(X[5:])
    Z = StandardScaler().fit(X[:5]).transform(X)
    assert index + 5 == initial_design(Z, 1, estimator=two_blocks(), known=range(5))[0][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_instances": 61}, "size of the pool, 60, got 61"),
        ({"known": range(55), "n_instances": 6}, "size of the pool, 5, got 6"),
        ({"known": [60]}, "known names rows that do not exist"),
        ({"excluded": ["a"]}, "excluded must be row numbers"),
        ({"costs": np.zeros(60)}, "60 positive numbers"),
        ({"spread": 0.0}, "spread must be positive"),
        ({"n_target": 0}, "n_target must be an integer of at least 1, got 0"),
    ],
)
def test_what_cannot_be_designed(options, message):
    with pytest.raises(ValueError, match=message):
        initial_design(X, **options)
    with pytest.raises(ValueError, match="pool is empty"):
        initial_design(X[:0])


@pytest.mark.parametrize("unit", [1e-12, 1e9])
def test_the_unit_of_the_features_does_not_matter(unit):
    X = np.random.default_rng(0).normal(size=(60, 3))
    for estimator in (None, GaussianProcessRegressor(Laplacian() + WhiteKernel())):
        expected, gain = initial_design(X, 6, estimator=estimator)
        found, same = initial_design(unit * X, 6, estimator=estimator)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(same, gain, rtol=1e-6)
