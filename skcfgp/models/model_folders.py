"""The folder of a saved model: which files it has, and whether they are whole and ours."""

import hashlib
import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import __version__
from ..structures.bounds import read_bounded
from ..structures.io import check_writable

#: The version of the format that is written; lower ones are read.
FORMAT = 1

DESCRIPTION, ARRAYS, CARD = "model.json", "arrays.npz", "README.md"


#: Kinds of values in ``model.json``, and in what it says about the model.
CONTENT: dict[str, Any] = {
    "about": dict,
    "versions": dict,
    "files": dict,
    "networks": list,
    "saved": str,
}
CONTENT |= {"skcfgp": str, "evaluation": dict | None}
ABOUT: dict[str, Any] = {
    "target": str,
    "unit": str,
    "log": bool,
    "formulas": bool,
    "estimates": list,
    "columns": list,
}
ABOUT |= dict.fromkeys(("recipe", "calibration"), str | None)


def write_description(content, folder):
    """Write ``model.json`` beside the other files, with the checksums of all."""
    content = {"format": f"skcfgp-model-{FORMAT}", "skcfgp": __version__} | content
    content["files"] = {name: _sha256(folder / name) for name in _files(folder)}
    content["sha256"] = _checksum(content)
    text = json.dumps(content, indent=1, allow_nan=False)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def check_model_folder(folder):
    """Refuse a folder in which `save_model` would replace what it did not write."""
    folder = Path(folder).expanduser()
    if not folder.exists():
        check_writable(folder)
    elif not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder.")
    elif found := sorted(_files(folder)):
        try:
            content, _ = read_files(folder)
            known = {DESCRIPTION: None} | content["files"]
        except (ValueError, OSError):
            known = {}
        others = [name for name in found if name not in known]
        if not others and CARD in found and known[CARD] != _sha256(folder / CARD):
            others = [f"{CARD}, which was edited"]
        if others:
            raise FileExistsError(
                f"{folder} is not replaced: it holds {others[0]}. Choose a new folder."
            )


def read_files(folder):
    """Return what ``model.json`` holds, and the bytes of the arrays; the card may be edited."""
    path = folder / DESCRIPTION
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}.")
    if not path.is_file():
        network = " It is a network: name it with --weights." * (folder / "network.json").is_file()
        raise ValueError(f"{folder} is no model: it has no {DESCRIPTION}.{network}")
    with one_line(folder):
        content = json.loads(read_bounded(path))
        kind = re.fullmatch(r"skcfgp-model-(\d{1,9})", str(content["format"]))
        if kind is None:
            raise ValueError(f"the format of its {DESCRIPTION} is {content['format']!r}.")
    if int(kind[1]) > FORMAT:
        raise ValueError(
            f"{folder} was written by a newer version, skcfgp {content.get('skcfgp')}: its format "
            f"is {kind[1]}, and this version, {__version__}, reads up to {FORMAT}. Update skcfgp."
        )
    with one_line(folder):
        if content.pop("sha256", None) != _checksum(content):
            raise ValueError(f"{DESCRIPTION} was changed or cut: its SHA-256 does not match.")
        _check_kinds(content, CONTENT)
        _check_kinds(content["about"], ABOUT)
        sums = {name: sum for name, sum in content["files"].items() if name != CARD}
        for name, sum in sums.items():
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ValueError(f"{name} is no file of the folder.")
            if not (folder / name).is_file():
                raise ValueError(f"{name} is missing.")
            if _sha256(folder / name) != sum:
                raise ValueError(f"{name} was changed or cut: its SHA-256 does not match.")
        arrays = read_bounded(folder / ARRAYS)
    return content, arrays


def _check_kinds(values, kinds):
    for name, kind in kinds.items():
        if not isinstance(values[name], kind):
            raise ValueError(f"{DESCRIPTION} has {str(values[name])[:60]!r} as {name!r}.")


@contextmanager
def one_line(folder):
    """Let whatever is wrong with the content of a folder be one ValueError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # json, zipfile, numpy and estimators raise anything
        problem = " ".join(str(error).split())
        if isinstance(error, KeyError):
            problem = f"{problem[:100]} is missing."
        elif not isinstance(error, ValueError):
            problem = f"{type(error).__name__}: {problem[:200]}"
        raise ValueError(f"{folder} is no model, or damaged: {problem}") from error


def _files(folder):
    """List the files below a folder, with slashes."""
    return [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if not p.is_dir()]


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checksum(content):
    """Hash a description by its values, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
