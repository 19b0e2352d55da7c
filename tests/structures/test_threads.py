"""How many threads BLAS uses, in one thread of Python and where several overlap."""

from threading import Event, Thread

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import skcfgp.gaussian_process  # noqa: F401  loads SciPy's BLAS
from skcfgp.structures.threads import one_blas_thread


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def set_blas_threads(number):
    limits = threadpool_limits(number, user_api="blas")
    with threadpool_limits():  # so that this thread does not keep the others from setting it
        return limits


@pytest.fixture
def two_blas_threads():
    limits = set_blas_threads(2)
    if blas_threads() != {2}:
        pytest.skip("this BLAS has one thread")
    yield
    limits.restore_original_limits()
    set_blas_threads(None)


def enter_and_leave(inside, leave):
    with one_blas_thread():
        inside.set()
        leave.wait()


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_the_last_of_overlapping_threads_sets_the_old_number(two_blas_threads, first_leaves_first):
    inside, leave = Event(), Event()
    first = Thread(target=enter_and_leave, args=(inside, leave))
    first.start()
    inside.wait()
    with one_blas_thread():
        if first_leaves_first:
            leave.set()
            first.join()
        assert blas_threads() == {1}
    leave.set()
    first.join()
    assert blas_threads() == {2}


def test_nested_uses_and_an_exception_leave_the_old_number(two_blas_threads):
    with one_blas_thread():
        with pytest.raises(RuntimeError), one_blas_thread():
            raise RuntimeError
        assert blas_threads() == {1}
    assert blas_threads() == {2}
