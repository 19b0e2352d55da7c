"""Make Ctrl-C end a command, whatever code is running."""

import signal
import sys
import threading
from contextlib import contextmanager


@contextmanager
def interruptible():
    """End the command on Ctrl-C even if the KeyboardInterrupt is lost.

    C extensions may replace it with their own error, and Python drops it in a finalizer.
    """
    interrupted, report = threading.Event(), sys.unraisablehook

    def interrupt(number, frame):
        interrupted.set()
        raise KeyboardInterrupt

    def raise_again(dropped):
        if dropped.exc_type is KeyboardInterrupt:
            threading.Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()
        else:
            report(dropped)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = raise_again
    try:
        yield
    except Exception as error:
        if interrupted.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = report
