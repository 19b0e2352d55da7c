"""Checkpoints: the state of a training on disk, from which it goes on bit for bit."""

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..structures.bounds import limit
from ..structures.io import atomic_write

#: Raise it when the numbers of a training, or what is kept of it, change.
VERSION = 2

DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


def _empty_history():
    return {name: [] for name in ("loss", "val_mae", "learning_rate", "seconds")}


@dataclass
class Progress:
    """Errors of the epochs so far, and the weights of the best one, as one vector."""

    history: dict = field(default_factory=_empty_history)
    best: float = np.inf
    best_epoch: int = 0
    best_weights: np.ndarray | None = None

    @property
    def n_epochs(self):
        """Number of epochs that are done."""
        return len(self.history["loss"])

    def is_over(self, epochs, patience):
        """Tell whether all epochs are done, or as many as `patience` were no better."""
        waited = self.n_epochs - self.best_epoch
        return self.n_epochs >= epochs or (
            self.n_epochs > 0 and patience is not None and waited >= patience
        )


def training_key(network, graphs, y, rng, **parameters):
    """Name a training by all that its result depends on."""
    digest = hashlib.blake2b(repr((VERSION, network.digest())).encode(), digest_size=16)
    for graph in graphs:
        for array in graph:
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(b"/")
    name, keys, *rest = rng.get_state()
    digest.update(np.ascontiguousarray(y, dtype=float).tobytes() + keys.tobytes())
    digest.update(repr((name, rest, sorted(parameters.items()))).encode())
    return digest.hexdigest()


class Checkpoint:
    """The file of one training in a folder, which may hold those of others."""

    def __init__(self, folder, key):
        folder = Path(folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        self.key, self.path = key, folder / f"training-{key[:16]}.npz"

    def save(self, progress, rng, rows, state):
        """Write the progress, the random numbers, the order of the rows and the trainer's state."""
        name, keys, *rest = rng.get_state()
        plain = {"key": self.key, "rng": [name, *rest], "n_state": len(state)}
        plain |= {k: getattr(progress, k) for k in ("history", "best", "best_epoch")}
        arrays = {"rng_keys": keys, "rows": rows}
        arrays |= {f"state_{k}": value for k, value in enumerate(state)}
        if progress.best_weights is not None:
            arrays["best_weights"] = progress.best_weights
        with atomic_write(self.path) as part, part.open("wb") as file:
            np.savez(file, content=np.array(json.dumps(plain)), **arrays)

    def load(self):
        """Return what `save` was given, with the state of `rng`; None if there is no file."""
        if not self.path.exists():
            return None
        advice = f"Remove {self.path}, and the training begins again."
        try:
            with self.path.open("rb") as file:
                sizes = [entry.file_size for entry in zipfile.ZipFile(file).infolist()]
                if sum(sizes) > limit("SKCFGP_MAX_BYTES"):
                    raise ValueError("it is too large")
                file.seek(0)
                with np.load(file, allow_pickle=False) as stored:
                    arrays = dict(stored)
            plain = json.loads(arrays["content"].item())
            if plain["key"] != self.key:
                raise LookupError
            name, *rest = plain["rng"]
            rng_state = (name, arrays["rng_keys"], *rest)
            state = [arrays[f"state_{k}"] for k in range(plain["n_state"])]
            best = plain["best"], plain["best_epoch"], arrays.get("best_weights")
            return Progress(plain["history"], *best), rng_state, arrays["rows"], state
        except DAMAGED as error:
            raise ValueError(f"the checkpoint cannot be read: {error}. {advice}") from error
        except LookupError:
            raise ValueError(
                f"the checkpoint is that of another training, of other data or parameters. {advice}"
            ) from None
