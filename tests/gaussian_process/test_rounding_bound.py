import logging

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process.kernels import RBF, DotProduct, Matern, WhiteKernel

from skcfgp import GaussianProcessRegressor
from skcfgp.gaussian_process import rounding_bound
from skcfgp.gaussian_process.rounding_bound import single_precision_bound
from skcfgp.gaussian_process.shortlist import shortlist_picks
from skcfgp.kernels import Laplacian
from skcfgp.query import plan


def process(kernel, X, alpha):
    return GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None).fit(X, np.zeros(len(X)))


@st.composite
def settings_of_a_pool(draw):
    """A process and a pool: kernels, sizes, units, duplicates within and between them."""
    length = draw(st.floats(1e-2, 1e2))
    unit = 10.0 ** draw(st.integers(-12, 12))
    kernel = draw(
        st.sampled_from(
            [
                Laplacian(unit, length),
                Laplacian(unit, length) + WhiteKernel(0.01 * unit**2),
                unit**2 * RBF(length),
                unit**2 * Matern(length, nu=1.5),
                unit**2 * DotProduct(length),
            ]
        )
    )
    n, n_pool = draw(st.integers(1, 60)), draw(st.integers(1, 150))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = rng.normal(size=(n + n_pool, draw(st.integers(1, 4))))
    rows = rng.integers(len(X), size=(2, draw(st.integers(0, len(X)))))
    X[rows[0]] = X[rows[1]]
    alpha = unit**2 * draw(st.sampled_from([1e-6, 1e-2]))
    return process(kernel, X[:n], alpha), X[n:]


@settings(max_examples=80, deadline=None)
@given(setting=settings_of_a_pool(), block=st.sampled_from([1, 7, 256]))
def test_it_is_a_bound(setting, block):
    gp, pool = setting
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding_bound, "BLOCK", block)
        bound = single_precision_bound(gp, pool)
    variance = gp.predict(pool, return_std=True)[1] ** 2
    assert (bound >= variance - 1e-9 * gp.kernel_.diag(pool)).all()


def test_it_is_a_good_bound():
    """At 1,000 labels, within 3 % of the prior variance; with one, exact but for the noise."""
    X = np.random.default_rng(0).normal(size=(1500, 4))
    for n, least in ((1000, 0.03), (1, 2e-3)):
        gp = process(Laplacian(2.0, 3.0), X[:n], 1e-8)
        excess = (
            single_precision_bound(gp, X[1000:]) - gp.predict(X[1000:], return_std=True)[1] ** 2
        )
        assert excess.max() < least * 4.0


def test_duplicates_among_the_labels_do_not_spoil_it():
    """The matrix is singular in single precision; the bound stays as good."""
    X = np.random.default_rng(0).normal(size=(400, 3))
    X[100:200] = X[:100] + 1e-9
    gp = process(Laplacian(1.0, 2.0), X[:200], 1e-10)
    excess = single_precision_bound(gp, X[200:]) - gp.predict(X[200:], return_std=True)[1] ** 2
    assert -1e-6 < excess.min() <= excess.max() < 0.03


@settings(max_examples=60, deadline=None)
@given(setting=settings_of_a_pool(), size=st.integers(1, 40), share=st.floats(0.02, 1.0))
def test_screening_in_single_precision_makes_no_difference(setting, size, share):
    """Index for index, however short the list is at first."""
    gp, pool = setting
    n = max(1, int(share * len(pool)))
    found, expected = (
        [(pick.index, pick.variance) for pick in shortlist_picks(gp, pool, n, **options)]
        for options in (
            {"size": size, "screening": "float32"},
            {"size": len(pool), "screening": "float64"},
        )
    )
    assert [index for index, _ in found] == [index for index, _ in expected]
    unit = gp.kernel_.diag(pool).max()
    np.testing.assert_allclose([v for _, v in found], [v for _, v in expected], atol=1e-8 * unit)


def test_bounds_too_loose_for_the_memory_are_worked_out_again(caplog):
    """Five points are worse known than the others by less than single precision can tell."""
    labelled = 1000.0 * np.arange(150)[:, None]
    pool = np.concatenate([labelled + 0.05, labelled[:5] - 0.0505])
    gp = process(Laplacian(), labelled, 1e-6)
    memory = 8 * 40 * (150 + 4)
    caplog.set_level(logging.DEBUG, logger="skcfgp")
    options = {"size": 8, "max_bytes": memory}
    found = [pick.index for pick in shortlist_picks(gp, pool, 4, screening="float32", **options)]
    assert "in float32" in caplog.text
    assert "in float64" in caplog.text
    assert found == [150, 151, 152, 153]


def test_chunks_and_threads_make_no_difference():
    X = np.random.default_rng(0).normal(size=(700, 3))
    gp = process(Laplacian(), X[:100], 1e-6)
    expected = single_precision_bound(gp, X[100:])
    for n_jobs in (None, 2):
        gp.set_params(n_jobs=n_jobs)
        with sklearn.config_context(working_memory=0.05):
            np.testing.assert_allclose(single_precision_bound(gp, X[100:]), expected, rtol=1e-5)


def test_plan_says_which_way_it_took(caplog):
    X = np.random.default_rng(0).normal(size=(2020, 3))
    gp = process(Laplacian(), X[:20], 1e-6)
    caplog.set_level(logging.DEBUG, logger="skcfgp")
    indices, _ = plan(gp, X[20:], 5)
    assert "5 of 2000 by a shortlist" in caplog.text
    assert "in float32" in caplog.text
    caplog.clear()
    np.testing.assert_array_equal(plan(gp, X[20:], 5, screening="float64")[0], indices)
    assert "in float64" in caplog.text
    caplog.clear()
    plan(gp, X[20:60], 5)
    assert "pivoted Cholesky" in caplog.text
    with pytest.raises(ValueError, match="got 'float16'"):
        plan(gp, X[20:], 5, screening="float16")
