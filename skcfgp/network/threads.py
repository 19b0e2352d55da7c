"""TensorFlow's threads, for a program that wants the same sums twice."""

__all__ = ["use_one_thread"]


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
