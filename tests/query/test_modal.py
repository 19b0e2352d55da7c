"""A plain modAL learner on current scikit-learn and pandas."""

import numpy as np
import pandas as pd
import pytest
from modAL.models import ActiveLearner, CommitteeRegressor
from modAL.models import base as modal_base
from modAL.models import learners as modal_learners
from sklearn.linear_model import LinearRegression

from skcfgp.query.modal import patch_modal, stack_rows, take_rows

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=20)


def first(learner, X_pool, n_instances=1):
    return np.arange(n_instances), np.ones(n_instances)


def bare(learner, X_pool, n_instances=1):
    return np.arange(n_instances)


def frame(rows):
    return pd.DataFrame(X[rows], columns=list("abc"))


CONTAINERS = {
    "ndarray": (lambda rows: X[rows], lambda rows: Y[rows]),
    "list": (lambda rows: X[rows].tolist(), lambda rows: Y[rows].tolist()),
    "DataFrame": (frame, lambda rows: Y[rows]),
}


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("strategy", [first, bare])
def test_plain_modal_learner(kind, strategy):
    make_X, make_y = CONTAINERS[kind]
    pool = make_X(slice(5, None))
    learner = ActiveLearner(
        LinearRegression(),
        query_strategy=strategy,
        X_training=make_X(slice(0, 5)),
        y_training=make_y(slice(0, 5)),
    )
    for n_instances in (1, 2, 5):
        indices, rows = learner.query(pool, n_instances=n_instances)
        np.testing.assert_array_equal(indices, np.arange(n_instances))
        np.testing.assert_allclose(np.asarray(rows), X[5 : 5 + n_instances])
        learner.teach(rows, make_y(slice(5, 5 + n_instances)))
    taught = np.concatenate([np.arange(5), [5], [5, 6], np.arange(5, 10)])
    assert len(learner.y_training) == len(taught)
    expected = LinearRegression().fit(X[taught], Y[taught]).predict(X)
    np.testing.assert_allclose(learner.predict(make_X(slice(None))), expected)
    learner.teach(make_X(slice(0, 8)), make_y(slice(0, 8)), only_new=True)
    expected = LinearRegression().fit(X[:8], Y[:8]).predict(X)
    np.testing.assert_allclose(learner.predict(make_X(slice(None))), expected)
    learner.fit(make_X(slice(0, 12)), make_y(slice(0, 12)))
    assert len(learner.y_training) == 12


def test_strategy_runs_once_and_its_error_is_seen():
    calls = []

    def broken(learner, X_pool):
        calls.append(1)
        raise RuntimeError("no")

    learner = ActiveLearner(LinearRegression(), query_strategy=broken)
    with pytest.raises(RuntimeError, match="no"):
        learner.query(X)
    assert calls == [1]


def test_metrics_of_a_strategy():
    learner = ActiveLearner(LinearRegression(), query_strategy=first)
    indices, rows, scores = learner.query(X, n_instances=2, return_metrics=True)
    assert len(indices) == len(rows) == len(scores) == 2
    learner = ActiveLearner(LinearRegression(), query_strategy=bare)
    with pytest.warns(UserWarning, match="no scores"):
        assert learner.query(X, return_metrics=True)[2] is None


def test_committee():
    learners = [
        ActiveLearner(LinearRegression(), first, X_training=X[k : k + 8], y_training=Y[k : k + 8])
        for k in (0, 4)
    ]
    committee = CommitteeRegressor(learners, query_strategy=first)
    indices, rows = committee.query(X, n_instances=2)
    committee.teach(rows, Y[indices])
    assert [len(learner.y_training) for learner in learners] == [10, 10]


def test_repairing_again_changes_nothing():
    before = vars(modal_base.BaseLearner)["query"], modal_learners.data_vstack
    patch_modal()
    assert (vars(modal_base.BaseLearner)["query"], modal_learners.data_vstack) == before


def test_stack_and_take_keep_the_container():
    frame_ = pd.DataFrame({"a": [1.0, 2.0]})
    assert stack_rows([frame_, np.array([[3.0]])])["a"].tolist() == [1, 2, 3]
    assert stack_rows([frame_["a"], frame_["a"]]).tolist() == [1, 2, 1, 2]
    assert stack_rows([[1], [2, 3]]) == stack_rows([(1,), (2, 3)]) == [1, 2, 3]
    objects = np.array([[1], [2, 3]], dtype=object)
    assert stack_rows([objects, [[4]]]).tolist() == [[1], [2, 3], [4]]
    assert take_rows(["x", "y", "z"], [2, 0]) == ["z", "x"]
    assert take_rows({"k": ["x", "y"]}, [1]) == {"k": ["y"]}
