"""Results of finished stages on disk, so that a run goes on where it was interrupted."""

import hashlib
import json
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import __version__
from ..structures.io import atomic_write

__all__ = ["Stage", "run_stages"]

#: The second number counts the ways in which results were kept; raise it when that changes.
VERSION = f"{__version__}, format 2"

#: What reading a file raises that is missing or damaged.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Stage:
    """One step of the run.

    ``work(settings, data, results)`` gets the results of earlier stages by name and returns a dict
    of plain values, lists, dicts, ndarrays and DataFrames, nested as it likes. `settings` and
    `needs` name the settings and the stages that it depends on.
    """

    name: str
    work: Callable
    settings: Sequence = ()
    needs: Sequence = ()
    title: str = ""

    def digest(self, settings, data_digest, digests):
        """Name what the result depends on: settings, data, version, and the stages before."""
        content = {
            "stage": self.name,
            "version": VERSION,
            "data": data_digest,
            "settings": {name: getattr(settings, name) for name in sorted(self.settings)},
            "needs": {name: digests[name] for name in sorted(self.needs)},
        }
        text = json.dumps(content, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def run_stages(stages, settings, data, folder, progress):
    """Run the stages in order and return their results by name; what is stored is read.

    Each result has ``seconds`` and ``warnings`` beside what its stage returned. `progress` is
    called with a line of text when a stage begins and ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data_digest, results, digests = data.digest(), {}, {}
    for number, stage in enumerate(stages, start=1):
        digests[stage.name] = digest = stage.digest(settings, data_digest, digests)
        head = f"[{number}/{len(stages)}] {stage.title or stage.name}"
        path = folder / f"{stage.name}.json"
        result = _read(path, digest)
        if result is None:
            progress(f"{head} ...{_why_again(path)}")
            start = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("default")
                result = stage.work(settings, data, results)
            seconds = time.perf_counter() - start
            _write(path, digest, result, {"seconds": seconds, "warnings": _messages(caught)})
            result = _read(path, digest)  # what a resumed run would use
            progress(f"{head}: {seconds:.1f} s")
        else:
            progress(f"{head}: there already")
        results[stage.name] = result
    return results


def _messages(caught):
    return sorted(
        {str(w.message) for w in caught if not issubclass(w.category, DeprecationWarning)}
    )


def _read(path, digest):
    """Return the result of a stage, or None if there is none with this digest."""
    try:
        arrays, beside = {}, path.with_suffix(".npz")
        if beside.exists():
            with beside.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = dict(stored)
        content = json.loads(
            path.read_text(encoding="utf-8"), object_hook=lambda item: _restore(item, arrays)
        )
        return content["result"] | content["about"] if content["digest"] == digest else None
    except UNREADABLE:
        return None


def _write(path, digest, result, about):
    """Write the result of a stage; the JSON file, which makes it count, comes last."""
    arrays = {}

    def encode(value):
        if isinstance(value, pd.DataFrame):
            return {"frame": {name: _column(value[name]) for name in value}}
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray) or value.dtype == object:
            raise TypeError(f"a stage cannot keep a {type(value).__name__}.")
        key = f"{digest}_{len(arrays)}"  # arrays of another run have other names
        arrays[key] = value
        return {"array": key}

    content = {"version": VERSION, "digest": digest, "about": about, "result": result}
    text = json.dumps(content, indent=1, default=encode)
    if arrays:
        with atomic_write(path.with_suffix(".npz")) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)
    with atomic_write(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def _column(series):
    values = series.to_numpy()
    return values.astype(str) if values.dtype == object else values  # without pickle


def _restore(item, arrays):
    if item.keys() == {"array"}:
        return arrays[item["array"]]
    return pd.DataFrame(item["frame"]) if item.keys() == {"frame"} else item


def _why_again(path):
    """Say so if the stored result is one of another version."""
    try:
        version = json.loads(path.read_text(encoding="utf-8")).get("version", "an older version")
    except UNREADABLE:
        return ""
    return "" if version == VERSION else f" (again: the stored result is of {version})"
