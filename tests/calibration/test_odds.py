import numpy as np
import pytest
from scipy.stats import norm, t

from skcfgp.calibration import condition_probability, expected_counts

DISTRIBUTION = t(3, loc=np.linspace(-2, 2, 7), scale=np.linspace(0.2, 1.5, 7))


def test_probabilities_of_a_condition_and_of_its_contrary_are_one():
    above = condition_probability(DISTRIBUTION, above=0.7)
    below = condition_probability(DISTRIBUTION, below=0.7)
    np.testing.assert_allclose(above + below, 1)
    between = condition_probability(DISTRIBUTION, above=-1.0, below=0.7)
    np.testing.assert_allclose(between, below - condition_probability(DISTRIBUTION, below=-1.0))


def test_small_probabilities_keep_their_digits():
    gaussian = norm(loc=[0.0], scale=[1.0])
    far = condition_probability(gaussian, above=20.0, below=21.0)
    np.testing.assert_allclose(far, norm.cdf(-20) - norm.cdf(-21))
    assert far > 0


def test_expected_counts_are_what_draws_give():
    labels = DISTRIBUTION.rvs(size=(20_000, 7), random_state=0)
    probability = condition_probability(DISTRIBUTION, above=0.5)
    chosen = probability > 0.4
    found, missed = expected_counts(probability, chosen)
    meets = labels > 0.5
    assert found == pytest.approx(meets[:, chosen].sum(axis=1).mean(), abs=0.03)
    assert missed == pytest.approx(meets[:, ~chosen].sum(axis=1).mean(), abs=0.03)
    assert found + missed == pytest.approx(probability.sum())


@pytest.mark.parametrize(
    ("limits", "message"),
    [({}, "needs a limit"), ({"above": 1, "below": 1}, "smaller"), ({"above": np.nan}, "smaller")],
)
def test_what_is_no_condition_is_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        condition_probability(DISTRIBUTION, **limits)


def test_what_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="True or False"):
        expected_counts([0.2, 0.3], [0, 1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        expected_counts([0.2, 1.3], [True, False])
