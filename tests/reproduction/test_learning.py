"""Gains by closed forms; structure of the latent space."""

import numpy as np
import pytest

from skcfgp.reproduction.accuracy import nearest_neighbour_mae
from skcfgp.reproduction.learning import (
    LEAST_LEFT,
    compare,
    end_of_advantage,
    gains,
    synthetic_vectors,
)
from skcfgp.reproduction.settings import cycles_of_paper


def test_nearest_neighbour_of_equal_rows_is_another_row():
    Z = np.array([[0.0], [0.0], [5.0], [5.5]])
    assert nearest_neighbour_mae(Z, np.array([1.0, 2.0, 7.0, 10.0])) == (1 + 1 + 3 + 3) / 4


def test_gains_at_equal_labels():
    active = np.array([1.0, 0.9, 0.6, 0.5, 0.4])
    random = np.array([1.0, 0.9, 0.8, 0.6, 0.6])
    found = compare(active, random, 4)
    assert found["lower"] == pytest.approx(1 / 3)
    assert found["factor"] == pytest.approx(1.5)
    assert (found["n_parity"], found["acceleration"]) == (2, 2.0)
    worse = compare(random + 1, random, 4)
    assert worse["n_parity"] is worse["acceleration"] is None
    # what it was at the start does not count
    assert compare(np.array([0.1, 0.5, 0.2]), np.full(3, 0.2), 2)["n_parity"] == 2
    assert cycles_of_paper(7195) == 1500
    assert cycles_of_paper(1427, 6000) == 1190


def test_the_range_of_a_gain_is_that_over_the_random_orders():
    errors = {"max-std": [[1.0, 0.6]], "random": [[1.0, 0.8], [1.0, 1.2]]}
    curves = [{"strategy": name, "mae": np.array(e)} for name in errors for e in errors[name]]
    found = gains(curves, "mae", 1)
    assert found["percent"] == pytest.approx(40)
    assert (found["percent_low"], found["percent_high"]) == pytest.approx((25, 50))


def test_end_of_the_advantage():
    n, random = np.arange(121), np.ones(121)
    assert end_of_advantage(np.where((n > 0) & (n <= 40), 0.8, 1.0), random) == 40
    assert end_of_advantage(random, random) is None
    late = np.where(n > 121 - LEAST_LEFT, 0.8, 1.0)  # with hardly a crystal left
    assert end_of_advantage(late, random) is None


def test_synthetic_vectors_take_any_kind_of_random_state():
    X, y = synthetic_vectors(50, 3)
    again, _ = synthetic_vectors(50, np.random.RandomState(3))
    np.testing.assert_array_equal(X, again)
    assert X.shape == (50, 32)
    assert (X >= 0).all()
    np.testing.assert_allclose(y, np.sin(X[:, :8]).sum(axis=1))
