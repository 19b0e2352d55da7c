"""The batch from a pool in chunks is that of the whole pool, by whatever way."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp import ActiveLearner, GaussianProcessRegressor
from skcfgp.gaussian_process.shortlist import shortlist_picks
from skcfgp.kernels import Laplacian
from skcfgp.query import plan, plan_in_chunks


class Reread:
    """Chunks of different sizes, that count how often they are gone through."""

    def __init__(self, X, cuts):
        self.parts, self.passes = np.split(X, cuts), 0

    def __iter__(self):
        self.passes += 1
        return iter(self.parts)


@pytest.fixture(scope="module")
def gp():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return GaussianProcessRegressor(Laplacian(2.0, 1.5, "fixed", "fixed"), alpha=0.01).fit(
        X, 3 * X[:, 0]
    )


@pytest.fixture(scope="module")
def pool():
    """2,000 points with many pairs of equal ones."""
    X = np.random.default_rng(1).normal(size=(1500, 3))
    return np.concatenate([X, X[:500]])


@pytest.mark.parametrize("size", [None, 1, 5, 64, 5000])
@pytest.mark.parametrize("cuts", [[], [1, 700, 1999], range(100, 2000, 100)])
def test_same_as_in_memory(gp, pool, size, cuts):
    expected, std = plan(gp, pool, 40)
    chunks = Reread(pool, cuts)
    indices, variance = zip(*shortlist_picks(gp, chunks, 40, size=size), strict=True)
    assert list(indices) == expected.tolist()
    np.testing.assert_allclose(np.sqrt(variance), std, rtol=1e-9)
    indices, found = plan_in_chunks(gp, chunks, 40)
    assert indices.tolist() == expected.tolist()
    np.testing.assert_allclose(found, std, rtol=1e-9)


def test_chunks_go_through_the_pipeline(gp, pool):
    model = make_pipeline(StandardScaler(), GaussianProcessRegressor(gp.kernel, alpha=0.01))
    learner = ActiveLearner(model, X_training=pool[:50], y_training=pool[:50, 0])
    expected = plan(learner, pool[50:], 20)[0].tolist()
    assert plan_in_chunks(learner, np.split(pool[50:], [600]), 20)[0].tolist() == expected


def test_a_larger_shortlist_needs_fewer_passes(gp, pool):
    large, small = Reread(pool, [500]), Reread(pool, [500])
    list(shortlist_picks(gp, large, 10, size=2000))
    list(shortlist_picks(gp, small, 10, size=2))
    assert 1 == large.passes < small.passes


def test_the_whole_pool_may_be_asked_for(gp, pool):
    indices, _ = plan_in_chunks(gp, Reread(pool[:90], [30, 60]), 90)
    assert indices.tolist() == plan(gp, pool[:90], 90)[0].tolist()


def test_errors(gp, pool):
    with pytest.raises(TypeError, match="gone through only once"):
        plan_in_chunks(gp, (part for part in [pool]), 3)
    with pytest.raises(ValueError, match="size of the pool, 2000, got 2001"):
        plan_in_chunks(gp, [pool], 2001)
    with pytest.raises(MemoryError, match="more than max_bytes"):
        list(shortlist_picks(gp, [pool], 40, size=8, max_bytes=8 * 100 * 10))
