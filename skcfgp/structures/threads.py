"""How many threads BLAS uses."""

from contextlib import contextmanager
from functools import cache


@contextmanager
def one_blas_thread():
    """Let BLAS use one thread, so that sums are the same to the last bit at every call.

    With several threads the order of a sum depends on how many there are. They also wait for each
    other, which on a busy machine takes many times as long as the work. Also a decorator.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller():
    import scipy.linalg  # noqa: F401  only a library that is loaded can be limited
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # it looks through all libraries of the process
