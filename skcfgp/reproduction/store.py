"""`Store`: results of finished stages on disk, so that a run goes on where it was interrupted."""

import hashlib
import json
import os
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import __version__

__all__ = ["Stage", "Store", "run_stages"]

#: What reading a file raises that is not there, or not whole.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Stage:
    """One step of the run.

    Attributes
    ----------
    name : str
        Of its files.
    work : callable
        ``work(settings, data, results)``, with `Settings`, `Data` and the results of earlier stages
        by name, returns a dict of plain values and ndarrays.
    settings : sequence of str, default=()
        The settings that it depends on.
    needs : sequence of str, default=()
        The stages that it depends on.
    title : str, default=""
        For the progress line; none means the name.
    """

    name: str
    work: Callable
    settings: Sequence = ()
    needs: Sequence = ()
    title: str = ""

    def digest(self, settings, data_digest, digests):
        """Name what the result depends on: settings, data, version, and the stages before.

        Parameters
        ----------
        settings : Settings
        data_digest : str
        digests : dict of str to str
            Of the stages before.

        Returns
        -------
        str
        """
        content = {
            "stage": self.name,
            "version": __version__,
            "data": data_digest,
            "settings": {name: getattr(settings, name) for name in sorted(self.settings)},
            "needs": {name: digests[name] for name in sorted(self.needs)},
        }
        text = json.dumps(content, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Store:
    """A folder with a JSON file a stage, and an NPZ file beside it if it has arrays.

    Parameters
    ----------
    folder : Path
        It exists.
    """

    def __init__(self, folder):
        self.folder = folder

    def read(self, name, digest):
        """Return the result of a stage, or None if there is none with this digest.

        Parameters
        ----------
        name, digest : str

        Returns
        -------
        dict or None
        """
        path = self.folder / f"{name}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["digest"] != digest:
                return None
            result = content["result"]
            if content["arrays"]:
                with (
                    path.with_suffix(".npz").open("rb") as file,
                    np.load(file, allow_pickle=False) as arrays,
                ):
                    if str(arrays["digest"]) != digest:
                        return None
                    result |= {key: arrays[key] for key in arrays.files if key != "digest"}
        except UNREADABLE:  # it is made again
            return None
        return result | {"seconds": content["seconds"], "warnings": content["warnings"]}

    def write(self, name, digest, result, seconds, messages):
        """Write the result of a stage; the JSON file, which makes it count, comes last.

        Parameters
        ----------
        name, digest : str
        result : dict
        seconds : float
        messages : list of str
            Warnings.
        """
        arrays = {key: value for key, value in result.items() if isinstance(value, np.ndarray)}
        plain = {key: value for key, value in result.items() if key not in arrays}
        path = self.folder / f"{name}.json"
        if arrays:
            part = self.folder / f"{name}.part.npz"
            np.savez_compressed(part, digest=np.array(digest), **arrays)
            os.replace(part, path.with_suffix(".npz"))
        content = {
            "digest": digest,
            "seconds": seconds,
            "warnings": messages,
            "arrays": bool(arrays),
            "result": plain,
        }
        part = path.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(part, path)


def run_stages(stages, settings, data, folder, progress):
    """Run the stages in order; those whose result is there are read.

    Parameters
    ----------
    stages : list of Stage
    settings : Settings
    data : Data
    folder : Path
        Of the results; made if needed.
    progress : callable
        Called with a line of text.

    Returns
    -------
    dict of str to dict
        Results by stage, each with ``seconds`` and ``warnings``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store, data_digest = Store(folder), data.digest()
    results, digests = {}, {}
    for number, stage in enumerate(stages, start=1):
        digests[stage.name] = digest = stage.digest(settings, data_digest, digests)
        head = f"[{number}/{len(stages)}] {stage.title or stage.name}"
        result = store.read(stage.name, digest)
        if result is None:
            progress(f"{head} ...")
            start = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("default")
                result = stage.work(settings, data, results)
            messages = sorted(
                {str(w.message) for w in caught if not issubclass(w.category, DeprecationWarning)}
            )
            seconds = time.perf_counter() - start
            store.write(stage.name, digest, result, seconds, messages)
            # What was written is what is used, as in a run that is resumed.
            result = store.read(stage.name, digest)
            progress(f"{head}: {seconds:.1f} s")
        else:
            progress(f"{head}: there already")
        results[stage.name] = result
    return results
