"""TensorFlow's threads: one of them for the same sums twice, and none that a fork has lost."""

import os

__all__ = ["check_process", "use_one_thread"]

#: Process in which TensorFlow has run first; a child of a fork has it from its parent.
_first_process = None


def check_process():
    """Refuse to run TensorFlow in the child of a process in which it has run: it would hang."""
    global _first_process
    if _first_process is None:
        _first_process = os.getpid()
    if _first_process != os.getpid():
        raise RuntimeError(
            f"this process, {os.getpid()}, was forked from one in which TensorFlow had run, and "
            "TensorFlow's threads are not copied by a fork: it would wait for ever. Start "
            "processes afresh, by joblib's default or multiprocessing.get_context('spawn'), or "
            "fork before the first crystal is transformed."
        )


def use_one_thread():
    """Let TensorFlow use one thread, so that training twice gives the same network.

    The order of a sum depends on the number of threads, and its last digits on the order. The
    setting lasts as long as the process, so it is for a program to make at its start, not for a
    library. Nothing else is changed.

    Returns
    -------
    bool
        Whether it took effect; False if TensorFlow has started already.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return False
    return True
