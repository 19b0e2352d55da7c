"""What a bug report should say: what is installed, whether it works here, and what to do if not."""

import importlib
import platform
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
from packaging.requirements import Requirement

from .. import __version__
from ..network import _keras
from ..query import _modal

__all__ = ["Finding", "examine", "write_report"]

#: Largest difference between two ways to add up the same network in single precision.
TOLERANCE = 1e-4


class Finding(NamedTuple):
    """One thing that was looked at.

    Parameters
    ----------
    topic : str
        Heading under which it is reported.
    name : str
        What was looked at.
    found : str
        What was found.
    advice : str, default=""
        What to do about it; empty if nothing is wrong.
    """

    topic: str
    name: str
    found: str
    advice: str = ""


def examine():
    """Look at the installation, from the packages to the numbers of the bundled network.

    Nothing is downloaded, and no file is left behind.

    Returns
    -------
    list of Finding
        Those that have an ``advice`` are wrong.
    """
    findings = [*_packages()]
    for topic, name, look in (
        ("TensorFlow", "devices", _devices),
        ("Fixes of dependencies", "pymatgen, Keras for megnet", _fixes_of_megnet),
        ("Fixes of dependencies", "modAL", _fixes_of_modal),
        ("Networks", "formation_energy_1800", _bundled_network),
        ("Networks", "Eform_MP_2019", _published_network),
        ("Caches", "downloaded networks", _network_cache),
    ):
        try:
            found, advice = look()
        except Exception as error:  # whatever is broken is what the report is for
            found = f"fails: {type(error).__name__}: {' '.join(str(error).split())}"
            advice = (
                "mend the packages above first, if any is wrong; else reinstall skcfgp in a new "
                "virtual environment, and report it if that does not help."
            )
        findings.append(Finding(topic, name, found, advice))
    vectors = "in memory; on disk only in the cache_dir that MEGNetFeaturizer is given"
    return [*findings, Finding("Caches", "latent vectors", vectors)]


def write_report(findings):
    """Write findings as plain text.

    Parameters
    ----------
    findings : list of Finding

    Returns
    -------
    str
        The findings by topic, then one line of advice for each that is wrong.
    """
    lines = [f"skcfgp {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    width = max(len(finding.name) for finding in findings)
    for topic in dict.fromkeys(finding.topic for finding in findings):
        lines += ["", topic]
        for finding in findings:
            if finding.topic == topic:
                mark = "!" if finding.advice else " "
                lines.append(f"{mark} {finding.name:{width}}  {finding.found}")
    wrong = [finding for finding in findings if finding.advice]
    lines += ["", f"{len(wrong)} wrong:" if wrong else "Nothing is wrong."]
    return "\n".join(lines + [f"! {finding.name}: {finding.advice}" for finding in wrong])


def _packages():
    """Compare what is installed with what this package asks for."""
    try:
        requirements = [Requirement(line) for line in metadata.requires("skcfgp") or ()]
    except metadata.PackageNotFoundError:
        advice = "install it: pip install . in its folder; its dependencies cannot be checked."
        yield Finding("Packages", "skcfgp", "not installed", advice)
        return
    installed = metadata.version("skcfgp")
    advice = "" if installed == __version__ else "another copy is imported; install this one again."
    yield Finding("Packages", "skcfgp", f"{installed}, from {Path(__file__).parent}", advice)
    for requirement in requirements:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        command = f"pip install '{requirement}'"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding("Packages", requirement.name, "missing", command)
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        found = version if fits else f"{version}, needed {requirement.specifier}"
        yield Finding("Packages", requirement.name, found, "" if fits else command)


def _devices():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return f"{len(gpus)} GPU", ""
    if shutil.which("nvidia-smi"):
        advice = "pip install 'tensorflow[and-cuda]', or ignore it: a CPU will do."
        return "no GPU, though this machine has the NVIDIA driver", advice
    return "no GPU, runs on the CPU", ""


def _fixes_of_megnet():
    _keras.import_megnet()
    local_env = importlib.import_module("pymatgen.analysis.local_env")
    renamed = [
        old
        for old, new in _keras.RENAMED_IN_PYMATGEN.items()
        if getattr(local_env, old).__name__ == new
    ]
    keras = importlib.import_module("tf_keras").__version__
    names = f"{len(renamed)} names given back to pymatgen" if renamed else "pymatgen needs none"
    return f"{names}; megnet runs on tf_keras {keras}", ""


def _fixes_of_modal():
    _modal.patch_modal()
    learners = importlib.import_module("modAL.models.learners")
    base = importlib.import_module("modAL.models.base")
    fixed = {
        "check_X_y": learners.check_X_y is _modal._check_X_y,
        "data_vstack": learners.data_vstack is _modal.stack_rows,
        "query": base.BaseLearner.query is _modal._query_once,
    }
    names = ", ".join(name for name, applies in fixed.items() if applies)
    return f"replaced: {names or 'nothing'}", ""


def _bundled_network():
    """Compute the vector of the crystal whose vector the card of the network holds."""
    from pymatgen.core import Lattice, Structure

    from ..network import load_network

    network = load_network("formation_energy_1800")
    reference = network.card["reference"]
    crystal = Structure.from_spacegroup(
        reference["space_group"],
        Lattice.cubic(reference["a"]),
        reference["species"],
        reference["coords"],
    )
    (vector,) = network.compute([network.graph(crystal)], ["readout_0"])[0]
    difference = float(np.abs(vector - reference["readout_0"]).max())
    if difference <= TOLERANCE:
        return f"gives its reference vector (largest difference {difference:.0e})", ""
    return (
        f"does not give its reference vector: differs by up to {difference:.2g}",
        "set CUDA_VISIBLE_DEVICES= and try again: if it goes away, it is the GPU's arithmetic; "
        "else report it.",
    )


def _published_network():
    from ..network import load_network
    from ..network.files import is_available_offline

    if not is_available_offline("Eform_MP_2019"):
        return "not here; it would be downloaded", "pip install maml, which holds it."
    load_network("Eform_MP_2019")
    return "here, and its checksum is right", ""


def _network_cache():
    from ..network.files import cache_folder

    folder = cache_folder()
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return f"{folder} ({'there' if existing == folder else 'not yet made'})", ""
    except OSError as error:
        return (
            f"{folder} cannot be written to: {error.strerror}",
            "set SKCFGP_CACHE to a folder that can be written to.",
        )
