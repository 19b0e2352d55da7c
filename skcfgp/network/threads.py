"""TensorFlow's threads: reproducible training, and no use after a fork."""

import os

__all__ = ["check_process", "use_one_thread"]

#: Process in which TensorFlow ran first; a forked child inherits it.
_first_process = None


def check_process():
    """Refuse to run TensorFlow in a fork of a process in which it has run: it would hang."""
    global _first_process
    if _first_process is None:
        _first_process = os.getpid()
    if _first_process != os.getpid():
        raise RuntimeError(
            f"this process, {os.getpid()}, was forked from one in which TensorFlow had run, and "
            "a fork does not copy TensorFlow's threads: it would wait forever. Start new "
            "processes by joblib's default or multiprocessing.get_context('spawn'), or fork before "
            "the first crystal is transformed."
        )


def use_one_thread():
    """Let TensorFlow use one thread, so that training is reproducible.

    With several threads the order of summation, and so the rounding, varies. The setting cannot be
    undone in the process: call this at the start of a program, not in a library.

    Returns
    -------
    bool
        Whether it took effect; False if TensorFlow has already started.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return False
    return True
