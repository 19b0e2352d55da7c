"""TensorFlow's start: what it prints, its GPUs and threads, and no use after a fork."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from contextlib import contextmanager

#: Environment variable of what TensorFlow prints: from 0, everything, to 3, nothing.
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

#: Process in which TensorFlow ran first; a forked child inherits it.
_first_process = None


def import_tensorflow():
    """Import TensorFlow, and keep from the terminal what it, oneDNN and CUDA print.

    They write to the file descriptor, some of it before they know of `LOG_LEVEL`. If the user has
    set that variable, everything goes as it would without this function.
    """
    if "tensorflow" in sys.modules or LOG_LEVEL in os.environ or sys.__stderr__ is None:
        return importlib.import_module("tensorflow")
    os.environ[LOG_LEVEL] = "3"
    with kept_from_the_terminal():
        return importlib.import_module("tensorflow")


def printed_at_start():
    """Import TensorFlow and look for GPUs; return these, and what is printed meanwhile."""
    level, os.environ[LOG_LEVEL] = os.environ.get(LOG_LEVEL, "3"), "0"
    try:
        with kept_from_the_terminal() as printed:
            gpus = prepare_gpus()
    finally:
        os.environ[LOG_LEVEL] = level
    return gpus, printed[0]


@contextmanager
def kept_from_the_terminal():
    """Collect what is written to the standard error, also in C; it is shown if there is an error.

    Yields a list to which the text is appended at the end.
    """
    printed, failed = [], True
    with tempfile.TemporaryFile() as file:
        terminal = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield printed
            failed = False
        finally:
            sys.__stderr__.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            file.seek(0)
            printed.append(file.read().decode(errors="replace").strip())
            if failed:
                print(printed[0], file=sys.stderr)


def prepare_gpus():
    """Let TensorFlow allocate GPU memory as needed, and list the GPUs."""
    tf = import_tensorflow()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # the user has already initialised the GPU
            break
    return gpus


def check_process():
    """Refuse to train in a fork of a process in which TensorFlow has run: it would hang."""
    global _first_process
    if _first_process is None:
        _first_process = os.getpid()
    if _first_process != os.getpid():
        raise RuntimeError(
            f"this process, {os.getpid()}, was forked from one in which TensorFlow had run, and "
            "a fork does not copy TensorFlow's threads: it would wait forever. Start new "
            "processes by joblib's default or multiprocessing.get_context('spawn'), or fork before "
            "the first network is trained."
        )


def use_one_thread() -> bool:
    """Let TensorFlow use one thread, so that training is reproducible.

    With several threads the order of summation, and so the rounding, varies. The setting cannot be
    undone in the process: call this at the start of a program, not in a library.

    Returns
    -------
    bool
        Whether it took effect; False if TensorFlow has already started.
    """
    tf = import_tensorflow()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return False
    return True
