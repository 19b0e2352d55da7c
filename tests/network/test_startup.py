"""How TensorFlow starts: only to train, quietly, with threads on request, and not after a fork."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from skcfgp.network import use_one_thread
from skcfgp.network.startup import LOG_LEVEL, kept_from_the_terminal

NAMES = ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads")


def test_what_a_library_in_c_prints_is_kept(capfd):
    with kept_from_the_terminal() as printed:
        os.write(2, b"I0000 oneDNN\n")
    os.write(2, b"after\n")
    assert printed == ["I0000 oneDNN"]
    assert capfd.readouterr().err == "after\n"


def test_what_is_printed_before_an_error_is_shown(capfd):
    @kept_from_the_terminal()
    def load():
        os.write(2, b"no such instruction\n")
        raise ImportError

    with pytest.raises(ImportError):
        load()
    assert capfd.readouterr().err == "no such instruction\n"


@pytest.mark.network
@pytest.mark.parametrize("level", [None, "0"])
def test_tensorflow_prints_only_if_the_user_says_so(level):
    code = "from skcfgp.network.startup import import_tensorflow; import_tensorflow()"
    environment = {k: v for k, v in os.environ.items() if k != LOG_LEVEL}
    environment |= {} if level is None else {LOG_LEVEL: level}
    command = [sys.executable, "-W", "ignore", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert bool(result.stderr) == (level is not None)


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


def answer(function, arguments, connection):
    try:
        connection.send(function(*arguments))
    except Exception as error:
        connection.send(error)


def in_a_fork(function, *arguments):
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=answer, args=(function, arguments, theirs)
    )
    child.start()
    try:
        assert ours.poll(60)
        return ours.recv()
    finally:
        child.kill()
        child.join()


@pytest.mark.network
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_after_training_predicts_but_does_not_train(crystals):
    from skcfgp.network import Architecture, MEGNet, train

    network = MEGNet.initialize(Architecture(n_blocks=1, n1=8, n2=4, n3=4), random_state=0)
    graphs, y = [network.graph(s) for s in crystals[0][:4]], crystals[1][:4]
    train(network, graphs, y, epochs=1, validation_fraction=0.0)
    found = in_a_fork(network.predict, crystals[0][:4])
    assert found.tolist() == network.predict(crystals[0][:4]).tolist()
    error = in_a_fork(lambda: train(network.copy(), graphs, y, epochs=1))
    assert isinstance(error, RuntimeError)
    assert "was forked from one in which TensorFlow had run" in str(error)
