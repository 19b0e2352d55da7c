"""One epoch of training against megnet's own, at the same batch size, from the same weights."""

import time

import numpy as np

from skcfgp.datasets import load_formation_energy
from skcfgp.network import Architecture, MEGNet, train
from skcfgp.network.keras import legacy_keras

N_EPOCHS = 3


def test_epoch_against_train_from_graphs(benchmark, record, tmp_path):
    """The first epoch, in which both compile, is not counted."""
    data = load_formation_energy(split="train")
    network = MEGNet.initialize(Architecture(), random_state=0)
    network.rescale_target(data.target.mean(), data.target.std())
    model = network.to_megnet()
    megnet_graphs = [model.graph_converter.convert(s) for s in data.structures]
    graphs = [network.graph(s) for s in data.structures]

    def ours():
        ends = []
        history, _ = train(
            network.copy(),
            graphs,
            data.target,
            epochs=N_EPOCHS,
            validation_fraction=0.0,
            random_state=0,
            on_epoch=lambda epoch, history: ends.append(time.process_time()),
        )
        assert history["loss"][-1] < 0.6 * history["loss"][0]
        return np.diff(ends)

    def megnets():
        with legacy_keras() as tf_keras:
            ends = []
            callback = tf_keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: ends.append(time.process_time())
            )
            model.train_from_graphs(
                megnet_graphs,
                list(data.target),
                epochs=N_EPOCHS,
                batch_size=32,
                verbose=0,
                callbacks=[callback],
                save_checkpoint=False,
                dirname=str(tmp_path),
            )
        return np.diff(ends)

    epochs = np.concatenate([ours(), benchmark.pedantic(ours, rounds=1)])
    baseline = megnets()
    assert record(np.median(epochs), np.median(baseline), "megnet's train_from_graphs") > 2.5
