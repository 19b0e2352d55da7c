import pickle

import numpy as np
import pandas as pd
import pytest
from modAL.models import CommitteeRegressor
from sklearn import config_context
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import (
    ActiveLearner,
    CalibratedRegressor,
    CompositionFeaturizer,
    GaussianProcessRegressor,
    MEGNetFeaturizer,
)
from skcfgp.calibration import MonotoneTargetRegressor
from skcfgp.features.store import memory
from skcfgp.kernels import Laplacian
from skcfgp.query import max_std, plan, random_sampling


def data(n=80):
    X = np.random.default_rng(0).normal(size=(n, 3))
    return X, np.sin(X).sum(axis=1)


def gp():
    return GaussianProcessRegressor(Laplacian(), optimizer=None)


class CountsFits(GaussianProcessRegressor):
    fits = 0

    def fit(self, X, y):
        self.fits += 1
        return super().fit(X, y)


def test_teach_appends_and_keeps_the_hyper_parameters():
    X, y = data()
    learner = ActiveLearner(CountsFits(), X_training=X[:20], y_training=y[:20])
    theta = learner.estimator.kernel_.theta
    learner.teach(X[20:21], y[20:21])
    learner.teach(X[21:30], y[21:30])
    assert learner.estimator.fits == 1
    np.testing.assert_array_equal(learner.estimator.kernel_.theta, theta)
    np.testing.assert_array_equal(learner.X_training, X[:30])
    np.testing.assert_array_equal(learner.y_training, y[:30])
    fixed = SklearnGPR(learner.estimator.kernel_, optimizer=None).fit(X[:30], y[:30])
    np.testing.assert_allclose(learner.predict(X[30:]), fixed.predict(X[30:]), atol=1e-8)
    learner.fit(learner.X_training, learner.y_training)
    assert learner.estimator.fits == 2


def test_a_learner_that_began_without_labels_is_fitted_again_as_they_grow():
    X, y = data()
    learner, fits = ActiveLearner(CountsFits()), []
    for row in range(20):
        learner.teach(X[row : row + 1], y[row : row + 1])
        fits.append(learner.estimator.fits)
    assert np.flatnonzero(np.diff(fits, prepend=0)).tolist() == [0, 1, 2, 4, 7, 11, 17]
    assert len(learner.estimator.X_train_) == 20
    doubling = ActiveLearner(CountsFits(), X_training=X[:5], y_training=y[:5], refit_growth=2.0)
    for row in range(5, 20):
        doubling.teach(X[row : row + 1], y[row : row + 1])
    assert doubling.estimator.fits == 3  # at 5, 10 and 20
    assert doubling.selected.sum() == 15


@pytest.mark.parametrize("container", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_containers(container):
    X, y = data()
    learner = ActiveLearner(gp(), X_training=container(X[:20]), y_training=y[:20])
    pool = container(X[20:])
    for n_instances in (1, 2, 5):
        indices, rows = learner.query(pool, n_instances=n_instances)
        learner.teach(rows, y[20:][indices])
    assert type(learner.X_training) is type(container(X))
    assert len(learner.X_training) == len(learner.y_training) == 28


def test_options_of_teach():
    X, y = data()
    learner = ActiveLearner(
        CountsFits(alpha=1e-4, optimizer=None), X_training=X[:20], y_training=y[:20]
    )
    learner.teach(X[20:30], y[20:30], only_new=True)
    assert len(learner.estimator.X_train_) == 10
    assert len(learner.y_training) == 20
    learner.teach(X[20:30], y[20:30], bootstrap=True)
    assert len(learner.estimator.X_train_) == len(learner.y_training) == 30
    unfitted = ActiveLearner(gp())
    unfitted.teach(X[:5], y[:5])
    assert len(unfitted.estimator.X_train_) == 5
    without = ActiveLearner(SklearnGPR(optimizer=None), X_training=X[:5], y_training=y[:5])
    without.teach(X[5:6], y[5:6])
    assert len(without.estimator.X_train_) == 6


def test_labels_that_cannot_be_learnt_change_nothing():
    X, y = data()
    learner = ActiveLearner(gp(), X_training=X[:20], y_training=y[:20])
    with pytest.raises(ValueError, match="nan at position 1"):
        learner.teach(X[20:22], [1.0, np.nan])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        learner.teach(X[20:22], [1.0])
    with pytest.raises(ValueError, match="features"):
        learner.teach(X[20:22, :2], [1.0, 2.0])
    assert len(learner.X_training) == len(learner.estimator.X_train_) == 20
    learner.teach(X[20:22], y[20:22])


def test_rows_that_cannot_be_stacked_are_not_learnt():
    X, y = data()
    learner = ActiveLearner(gp(), X_training=pd.DataFrame(X[:20]), y_training=y[:20])
    with pytest.raises(ValueError, match="other features than those learnt"):
        learner.teach(X[20:21, :2], y[20:21])
    assert len(learner.X_training) == len(learner.estimator.X_train_) == 20


def test_a_fit_that_fails_forgets_nothing():
    X, y = data()
    learner = ActiveLearner(SklearnGPR(optimizer=None), X_training=X[:20], y_training=y[:20])
    learner.teach(X[20:21], y[20:21])
    with pytest.raises(ValueError, match="NaN"):
        learner.fit(np.full((5, 3), np.nan), y[:5])
    np.testing.assert_array_equal(learner.X_training, X[:21])
    assert learner.selected.sum() == 1


@pytest.mark.parametrize("first", [np.asarray, list, tuple])
def test_structures_in_any_container(salt, first):
    """A `Structure` is a sequence of sites, which an array must not look into."""
    crystals = np.empty(6, dtype=object)
    crystals[:] = [salt.copy().apply_strain(0.01 * i) for i in range(6)]
    y = np.arange(6.0)
    model = make_pipeline(CompositionFeaturizer("cell"), gp())
    learner = ActiveLearner(model, X_training=first(crystals[:2]), y_training=first(y[:2]))
    learner.teach([crystals[2]], y[2:3])
    learner.teach(list(crystals[3:5]), y[3:5])
    learner.teach(crystals[5:], y[5:])
    assert all(one is other for one, other in zip(learner.X_training, crystals, strict=True))
    assert len(learner.y_training) == len(learner.estimator[-1].X_train_) == 6


def test_clone_repr_and_pickle():
    X, y = data()
    learner = ActiveLearner(gp(), random_sampling, X_training=X[:20], y_training=y[:20])
    copy = clone(learner)
    np.testing.assert_allclose(copy.predict(X), learner.predict(X))
    assert copy.estimator is not learner.estimator
    assert repr(learner) == (
        "ActiveLearner(GaussianProcessRegressor(kernel=Laplacian(amplitude=1, length_scale=1),\n"
        "                         optimizer=None), query_strategy=random_sampling, 20 labels)"
    )
    restored = pickle.loads(pickle.dumps(learner))
    np.testing.assert_array_equal(restored.predict(X), learner.predict(X))
    np.testing.assert_allclose(clone(restored).predict(X), learner.predict(X))
    assert learner.get_params(deep=False)["bootstrap_init"] is False


def test_which_rows_were_chosen_is_said_not_guessed():
    """`fit` does not look at whether its rows are the very objects that were taught."""
    X, y = data()
    learner = ActiveLearner(TakesSelected(), X_training=X[:20], y_training=y[:20])
    learner.teach(X[20:23], y[20:23])
    expected = [False] * 20 + [True] * 3
    assert learner.selected.tolist() == expected
    for rows in (learner.X_training, learner.X_training.copy(), learner.X_training.tolist()):
        learner.fit(rows, y[:23], selected=expected)
        assert learner.selected.tolist() == learner.estimator.told.tolist() == expected
    learner.fit(learner.X_training, learner.y_training)  # all are initial rows
    assert not learner.selected.any()
    assert learner.estimator.told is None
    with pytest.raises(ValueError, match="inconsistent numbers"):
        learner.fit(X[:23], y[:23], selected=expected[1:])


def test_a_clone_remembers_which_rows_were_chosen():
    X, y = data()
    learner = ActiveLearner(TakesSelected(), X_training=X[:20], y_training=y[:20])
    learner.teach(X[20:23], y[20:23])
    copy = clone(learner)
    assert copy.selected.tolist() == learner.selected.tolist()
    assert copy.estimator.told.sum() == 3
    copy.teach(X[23:24], y[23:24])
    assert (copy.selected.sum(), learner.selected.sum()) == (4, 3)
    assert clone(ActiveLearner(gp())).selected is None


def test_rows_that_a_committee_is_taught_were_chosen():
    X, y = data()
    learners = [
        ActiveLearner(gp(), X_training=X[k : k + 9], y_training=y[k : k + 9]) for k in (0, 9)
    ]
    CommitteeRegressor(learners, query_strategy=max_std).teach(X[20:22], y[20:22])
    for learner in learners:
        assert learner.selected.tolist() == [False] * 9 + [True] * 2


class TakesSelected(SklearnGPR):
    """Remembers what `fit` was told."""

    def __init__(self, kernel=None):
        super().__init__(kernel, alpha=1e-3, optimizer=None)

    def fit(self, X, y, selected=None):
        self.told = selected
        return super().fit(X, y)


@pytest.mark.network
def test_loop_by_vectors_on_real_crystals(latent):
    """The modAL loop of the user's card: it asks as planned, and it knows what it was told."""
    Z, y = latent
    pool = np.arange(150, 300)
    learner = ActiveLearner(
        GaussianProcessRegressor(alpha=1e-4), max_std, X_training=Z[:150], y_training=y[:150]
    )
    planned, planned_std = plan(learner.estimator, Z[pool], 60)
    asked = []
    for std in planned_std:
        index, z, score = learner.query(Z[pool], return_metrics=True)
        assert score[0] == pytest.approx(std, rel=1e-6)
        asked.append(pool[index[0]] - 150)
        learner.teach(z, y[pool[index]])
        pool = np.delete(pool, index)
    assert asked == planned.tolist()
    assert learner.predict(Z[pool], return_std=True)[1].max() < planned_std[0]
    taught = np.array(asked) + 150
    assert np.abs(learner.predict(Z[taught]) - y[taught]).max() < 0.02  # eV/atom
    assert np.mean(np.abs(learner.predict(Z[300:]) - y[300:])) < 0.2


@pytest.mark.network
@pytest.mark.parametrize("container", [list, lambda X: X])
def test_loop_by_crystals(formation_energy, monkeypatch, container):
    """Crystals go through the pipeline; each goes through the network once."""
    from skcfgp.network import MEGNet

    memory.clear()
    runs, compute = [], MEGNet.compute

    def counted(self, graphs, *args, **options):
        runs.append(len(graphs))
        return compute(self, graphs, *args, **options)

    monkeypatch.setattr(MEGNet, "compute", counted)
    X, y = formation_energy.structures[:80], formation_energy.target[:80]
    model = make_pipeline(MEGNetFeaturizer("formation_energy_1800"), gp().set_params(alpha=1e-3))
    learner = ActiveLearner(model, X_training=container(X[:40]), y_training=y[:40])
    left = np.arange(40, 80)
    Z = MEGNetFeaturizer("formation_energy_1800").fit(X).transform(X)
    vectors = ActiveLearner(gp().set_params(alpha=1e-3), X_training=Z[:40], y_training=y[:40])
    for n_instances in (1, 1, 2):
        indices, crystals = learner.query(container(X[left]), n_instances=n_instances)
        expected, z = vectors.query(Z[left], n_instances=n_instances)
        assert indices.tolist() == expected.tolist()
        learner.teach(crystals, y[left[indices]])
        vectors.teach(z, y[left[indices]])
        left = np.delete(left, indices)
    assert sum(runs) == 80
    assert len(learner.X_training) == 44
    np.testing.assert_allclose(
        learner.predict(container(X[left])), vectors.predict(Z[left]), atol=1e-8
    )


@pytest.mark.parametrize("log_target", [False, True])
def test_a_calibrated_pipeline_is_told_what_was_selected_with_metadata_routing(log_target):
    X, y = data()
    gp_ = CalibratedRegressor(gp(), method="student_t", cv="leave_one_out")
    gp_ = MonotoneTargetRegressor(gp_) if log_target else gp_
    learners = []
    for routing in (False, True):
        with config_context(enable_metadata_routing=routing):
            model = make_pipeline(StandardScaler(), clone(gp_))
            learner = ActiveLearner(
                model, X_training=X[:40], y_training=y[:40] + 10, refit_growth=1.0
            )
            learner.teach(X[40:50], y[40:50] + 10)
            learner.fit(learner.X_training, learner.y_training, selected=learner.selected)
            learners.append(learner)
    predictions = [learner.predict(X, return_std=True) for learner in learners]
    np.testing.assert_array_equal(*predictions)
    last = learners[1].estimator[-1]
    assert getattr(last, "regressor_", last).n_calibration_ == 40
