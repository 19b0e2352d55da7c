import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from skcfgp.screening import Condition, screen


def test_probability_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=200), rng.uniform(0.1, 3, 200)
    p = Condition.of(below=0.3).probability(mean, std)
    np.testing.assert_allclose(p, norm.cdf(0.3, mean, std), rtol=1e-12)
    p = Condition.of(above=0.3).probability(mean, std)
    np.testing.assert_allclose(p, norm.sf(0.3, mean, std), rtol=1e-12)
    p = Condition.of(between=(-0.2, 0.3)).probability(mean, std)
    expected = norm.cdf(0.3, mean, std) - norm.cdf(-0.2, mean, std)
    np.testing.assert_allclose(p, expected, rtol=1e-9, atol=1e-14)


def test_far_tails_keep_their_digits():
    for sign in (1, -1):
        ends = sorted([sign * 9.0, sign * 10.0])
        p = Condition.of(between=ends).probability([0.0], [1.0])[0]
        assert p == pytest.approx(norm.sf(9) - norm.sf(10), rel=1e-10)
        assert p > 0


def test_known_values_and_unknown_ones():
    p = Condition.of(below=1.0).probability([0.0, 1.0, 2.0, np.nan, 0.0], [0, 0, 0, 1, np.nan])
    np.testing.assert_array_equal(p, [1, 0, 0, np.nan, np.nan])
    with pytest.raises(ValueError, match="std must not be negative"):
        Condition.of(below=1.0).probability([0.0], [-1.0])


def test_the_expected_numbers_are_those_of_many_draws():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"prediction": rng.normal(size=60), "std": rng.uniform(0.2, 1, 60)})
    found = screen(table, Condition.of(below=0.0), cut=0.7)
    draws = rng.normal(found.table["prediction"], found.table["std"], (20_000, 60)) < 0
    chosen = found.table["found"].to_numpy()
    assert found.n_found == chosen.sum()
    assert found.expected == pytest.approx(draws.sum(axis=1).mean(), abs=0.1)
    assert found.expected_found == pytest.approx(draws[:, chosen].sum(axis=1).mean(), abs=0.1)
    assert found.expected_missed == pytest.approx(draws[:, ~chosen].sum(axis=1).mean(), abs=0.1)
    assert found.expected_false == pytest.approx((~draws[:, chosen]).sum(axis=1).mean(), abs=0.1)
    assert found.expected == pytest.approx(found.expected_found + found.expected_missed)


def test_an_edge_case_is_where_a_label_removes_most_wrong_decisions():
    """The decision at 0.5 is wrong with the smaller of p and 1 - p; a label makes it right."""
    table = pd.DataFrame(
        {
            "id": ["sure", "edge", "wide", "known", "unknown"],
            "prediction": [-0.5, 0.01, -0.5, 0.0, np.nan],
            "std": [0.1, 0.5, 1.0, 0.1, np.nan],
            "value": [np.nan, np.nan, np.nan, -0.1, np.nan],
        }
    )
    found = screen(table, Condition.of(below=0.0))
    assert found.edge_cases["id"].tolist() == ["edge", "wide", "sure"]
    assert found.table["id"].tolist() == ["known", "sure", "wide", "edge", "unknown"]
    assert found.n_unknown == 1
    assert found.n_found == 3
    assert "with a probability of at least 0.5: 3." in str(found)


@pytest.mark.parametrize(
    "options",
    [{}, {"below": 1.0, "above": 0.0}, {"between": (1.0, 1.0)}, {"below": float("nan")}],
)
def test_conditions_that_are_none(options):
    with pytest.raises(ValueError, match=r"give one of|nothing lies"):
        Condition.of(**options)


def test_cut_must_be_a_probability():
    with pytest.raises(ValueError, match="cut must be"):
        screen(pd.DataFrame({"prediction": [0.0], "std": [1.0]}), Condition.of(below=0.0), cut=0.0)
