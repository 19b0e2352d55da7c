"""Ctrl-C that ends a command wherever it lands."""

import signal
import sys
import threading
from _thread import interrupt_main
from contextlib import contextmanager

__all__ = ["interruptible"]


@contextmanager
def interruptible():
    """Let Ctrl-C end a command also where a library makes another exception of it, or drops it."""
    interrupted, unraisable_hook = False, sys.unraisablehook

    def note(number, frame):
        nonlocal interrupted
        interrupted = True
        signal.default_int_handler(number, frame)

    def again(dropped):  # in a finalizer, from where it cannot rise
        if dropped.exc_type is KeyboardInterrupt:
            threading.Timer(0.01, interrupt_main).start()
        else:
            unraisable_hook(dropped)

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, note)
    sys.unraisablehook = again
    try:
        yield
    except Exception as error:
        if interrupted:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = unraisable_hook
