"""Threads of TensorFlow are set on request only, and not once it has started."""

import multiprocessing

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


def predict(network, crystals, connection):
    try:
        connection.send(network.predict(crystals))
    except Exception as error:
        connection.send(error)


@pytest.mark.network
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_after_tensorflow_has_run_says_so_and_does_not_hang(salt):
    from skcfgp.network import load_network

    network = load_network("formation_energy_1800")
    network.predict([salt])
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=predict, args=(network, [salt], theirs)
    )
    child.start()
    try:
        assert ours.poll(60)
        error = ours.recv()
        assert isinstance(error, RuntimeError)
        assert "was forked from one in which TensorFlow had run" in str(error)
    finally:
        child.kill()
        child.join()
