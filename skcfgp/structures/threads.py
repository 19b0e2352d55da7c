"""How many threads BLAS uses."""

from contextlib import contextmanager
from functools import cache
from threading import Lock

_lock = Lock()
_limits: list = []  # of all threads that are inside; the first knows what there was before


@contextmanager
def one_blas_thread():
    """Let BLAS use one thread, so that sums are the same to the last bit at every call.

    With several threads the order of a sum depends on how many there are. They also wait for each
    other, which on a busy machine takes many times as long as the work. The number is that of the
    process: the last of several threads of Python to leave sets the old one. Also a decorator.
    """
    with _lock, _of_no_thread():
        _limits.append(_controller().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock, _of_no_thread():
            first = _limits[0]
            _limits.pop()
            if not _limits:
                first.restore_original_limits()


@contextmanager
def _of_no_thread():
    """Let other threads change later what is set here: threadpoolctl 3.8 has an owner of it."""
    yield
    with _controller().limit(limits=None):
        pass


@cache
def _controller():
    import scipy.linalg  # noqa: F401  only a library that is loaded can be limited
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # it looks through all libraries of the process
