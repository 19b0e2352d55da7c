import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from threadpoolctl import threadpool_info

from skcfgp import GaussianProcessRegressor
from skcfgp.gaussian_process.chunking import CHUNK_BYTES, in_chunks


def covered(n_rows, row_bytes, n_jobs=None):
    chunks = in_chunks(lambda rows: np.arange(n_rows)[rows], n_rows, row_bytes, n_jobs)
    np.testing.assert_array_equal(np.concatenate(chunks), np.arange(n_rows))
    return max(len(chunk) for chunk in chunks)


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_every_row_comes_once_and_in_order(n_jobs):
    assert covered(1000, CHUNK_BYTES // 7, n_jobs) == 7
    assert covered(3, 10 * CHUNK_BYTES, n_jobs) == 1


def test_working_memory_is_shared_among_the_threads():
    with sklearn.config_context(working_memory=1):
        assert covered(1000, 2**14) == 64
        assert covered(1000, 2**14, n_jobs=4) == 16


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_each_thread_has_one_blas_thread():
    before = blas_threads()
    inside = in_chunks(lambda rows: blas_threads(), 4, CHUNK_BYTES, n_jobs=2)
    assert inside == [{1}] * 4
    assert blas_threads() == before


@pytest.mark.parametrize("return_std", [False, True])
def test_threads_do_not_change_a_prediction(return_std):
    X = np.random.default_rng(0).normal(size=(400, 3))
    gp = GaussianProcessRegressor(optimizer=None, normalize_y=True).fit(X[:50], X[:50, :2])
    expected = gp.predict(X, return_std=return_std)
    with sklearn.config_context(working_memory=0.05):
        found = gp.set_params(n_jobs=2).predict(X, return_std=return_std)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        with parallel_config(backend="threading", n_jobs=2):  # what None means then
            found = gp.set_params(n_jobs=None).predict(X, return_std=return_std)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
