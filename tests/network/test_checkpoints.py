"""A training that was stopped goes on, and ends with the very weights of one that was not."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from skcfgp import MEGNetFeaturizer
from skcfgp.datasets import load_formation_energy
from skcfgp.models import MEGNetRegressor
from skcfgp.network import checkpoints, training

pytestmark = pytest.mark.network

#: All that has a state: noise, dropped units, moments, order of the rows.
OPTIONS = {"epochs": 6, "distance_noise": 0.05, "dropout": 0.1, "weight_decay": 1e-3}

PROGRAM = f"""
import sys
from skcfgp import MEGNetFeaturizer
from skcfgp.datasets import load_formation_energy
from skcfgp.network import use_one_thread

use_one_thread()
data = load_formation_energy(split="train", structures="arrays")
options = {OPTIONS | {"epochs": 12}}
for folder in sys.argv[1:]:
    featurizer = MEGNetFeaturizer(None, random_state=0, checkpoint_dir=folder, **options)
    featurizer.fit(data.structures[:40], data.target[:40])
    history = featurizer.history_
    print(featurizer.network_.digest(), history["loss"], history["val_mae"], history["seconds"][0])
"""


def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(tmp_path):
    kept, new = tmp_path / "kept", tmp_path / "new"
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen([*command, str(kept)]) as killed:
        while not list(kept.glob("*.npz")) and killed.poll() is None:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    (path,) = kept.glob("*.npz")
    with np.load(path) as stored:
        seconds = json.loads(stored["content"].item())["history"]["seconds"]
    assert 1 <= len(seconds) < 12
    found = subprocess.run([*command, str(kept), str(new)], stdout=subprocess.PIPE, text=True)
    resumed, plain = found.stdout.splitlines()
    assert resumed.split()[:-1] == plain.split()[:-1]  # weights and errors, to the last bit
    assert float(resumed.split()[-1]) == seconds[0]  # what was done was not done again


@pytest.fixture(scope="module")
def crystals():
    data = load_formation_energy(split="train", structures="arrays")
    return data.structures[:40], data.target[:40]


def fit(crystals, folder, **options):
    options = OPTIONS | {"random_state": 0, "verbose": 0} | options
    return MEGNetFeaturizer(None, checkpoint_dir=folder, **options).fit(*crystals)


def stop_after(monkeypatch, n):
    """Press Ctrl-C when the n-th checkpoint has been written."""
    save, count = checkpoints.Checkpoint.save, iter(range(1, 1000))

    def stopping(self, *args):
        save(self, *args)
        if next(count) == n:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.Checkpoint, "save", stopping)


def test_an_interrupted_training_goes_on_from_its_last_epoch(crystals, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.warns(UserWarning, match="after 3 of 6 epochs"):
            first = fit(crystals, tmp_path)
    resumed = fit(crystals, tmp_path)
    assert resumed.history_["loss"][:3] == first.history_["loss"]
    assert resumed.history_["seconds"][:3] == first.history_["seconds"]  # they were not run again
    assert len(resumed.history_["loss"]) == 6
    # with several threads the sums of two trainings differ by rounding
    plain = fit(crystals, None)
    np.testing.assert_allclose(resumed.history_["loss"], plain.history_["loss"], rtol=1e-2)
    np.testing.assert_array_equal(resumed.validation_indices_, plain.validation_indices_)


def test_a_finished_training_is_not_run_again(crystals, tmp_path, monkeypatch):
    first = fit(crystals, tmp_path)

    def refuse(*args):
        raise AssertionError("an epoch was run")

    monkeypatch.setattr(training._Trainer, "epoch", refuse)
    again = fit(crystals, tmp_path)
    assert again.history_ == first.history_
    assert again.network_.digest() == first.network_.digest()
    with pytest.raises(AssertionError):  # another training, whose file has another name
        fit(crystals, tmp_path, learning_rate=1e-3)


def test_patience_ends_a_resumed_training_where_it_would_have_ended(crystals, tmp_path):
    options = {"patience": 2, "learning_rate": 1e-12, "epochs": 9}  # the first epoch stays the best
    first = fit(crystals, tmp_path, **options)
    assert len(first.history_["loss"]) == 3
    assert fit(crystals, tmp_path, **options).history_ == first.history_


def test_each_training_has_a_file_of_its_own(crystals, tmp_path):
    X, y = crystals
    options = {"epochs": 1, "random_state": 0}
    for labels in (y, y + 1.0):
        MEGNetRegressor(None, checkpoint_dir=tmp_path, verbose=0, **options).fit(X, labels)
    fit(crystals, tmp_path, epochs=1, dropout=0.2)
    assert len(list(tmp_path.iterdir())) == 3


def test_what_is_not_its_own_checkpoint_is_refused(crystals, tmp_path):
    for epochs in (1, 2):
        fit(crystals, tmp_path / str(epochs), epochs=epochs)
    (mine,), (other,) = (list((tmp_path / str(epochs)).iterdir()) for epochs in (1, 2))
    content = mine.read_bytes()
    mine.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"another training, of other data or parameters\. Remove"):
        fit(crystals, tmp_path / "1", epochs=1)
    mine.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"checkpoint cannot be read: .* Remove .*begins again"):
        fit(crystals, tmp_path / "1", epochs=1)
    np.savez(mine, content=np.array([{}], dtype=object))  # a pickle is not opened
    with pytest.raises(ValueError, match="allow_pickle=False"):
        fit(crystals, tmp_path / "1", epochs=1)


def test_random_numbers_must_be_the_same_each_time(crystals, tmp_path):
    with pytest.raises(ValueError, match="checkpoint_dir needs a random_state"):
        fit(crystals, tmp_path, random_state=None)
