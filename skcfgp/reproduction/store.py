"""Results of finished stages on disk, so that a run goes on where it was interrupted."""

import json
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import __version__
from ..structures.io import atomic_write

#: The second number counts the ways in which results were kept; raise it when that changes.
VERSION = f"{__version__}, format 3"
#: Settings that networks and pipelines depend on, and with them everything.
BASIC = ("retrain", "epochs", "random_state")
#: Errors of reading a file that is missing or damaged.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Stage:
    """A step; ``work(settings, data, results)`` returns a dict of plain values and arrays.

    `settings` are those that the result depends on, beside those that all do.
    """

    name: str
    work: Callable
    settings: Sequence = ()


def run_stages(stages, settings, data, folder, progress):
    """Run the stages in order and return their results by name; what is stored is read."""
    folder.mkdir(parents=True, exist_ok=True)
    data_digest, results = data.digest(), {}
    for number, stage in enumerate(stages, start=1):
        head, path = f"[{number}/{len(stages)}] {stage.name}", folder / f"{stage.name}.npz"
        values = {name: getattr(settings, name) for name in (*BASIC, *stage.settings)}
        key, stored = {"version": VERSION, "data": data_digest, "settings": values}, _load(path)
        if stored.get("key") == key:
            progress(f"{head}: there already")
        else:
            progress(
                f"{head} ..." + (" (again: version, data or settings differ)" if stored else "")
            )
            start = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("default")
                warnings.simplefilter("ignore", DeprecationWarning)
                result = stage.work(settings, data, results)
            seconds = time.perf_counter() - start
            result |= {"seconds": seconds, "warnings": sorted({str(w.message) for w in caught})}
            _save(path, {"key": key, "result": result})
            stored = _load(path)  # what a resumed run would use
            progress(f"{head}: {seconds:.1f} s")
        results[stage.name] = stored["result"]
    return results


def _load(path):
    """Return what a stage has stored; nothing if there is no file, or only a part of it."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        return json.loads(
            arrays.pop("content").item(),
            object_hook=lambda item: arrays[item["array"]] if item.keys() == {"array"} else item,
        )
    except UNREADABLE:
        return {}


def _save(path, content):
    """Write JSON, and beside it in the same file the arrays that it names."""
    arrays = {}

    def encode(value):
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray) or value.dtype == object:
            raise TypeError(f"a stage cannot keep a {type(value).__name__}.")
        arrays[f"array_{len(arrays)}"] = value
        return {"array": f"array_{len(arrays) - 1}"}

    text = json.dumps(content, default=encode)
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez_compressed(file, content=np.array(text), **arrays)
