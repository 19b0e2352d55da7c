"""Threads of TensorFlow are set on request only, and not once it has started."""

import pytest

from skcfgp.network import use_one_thread

NAMES = ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads")


@pytest.mark.network
def test_use_one_thread_says_whether_it_took_effect(monkeypatch):
    import tensorflow as tf

    asked = []
    for name in NAMES:
        monkeypatch.setattr(tf.config.threading, name, asked.append)
    assert use_one_thread() is True
    assert asked == [1, 1]

    def refuse(n):
        raise RuntimeError("Intra op parallelism cannot be modified after initialization.")

    monkeypatch.setattr(tf.config.threading, NAMES[0], refuse)
    assert use_one_thread() is False
