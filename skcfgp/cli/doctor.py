"""The report of ``skcfgp doctor``: what is installed, whether it works, and what to do if not."""

import platform
import shutil
import tempfile
from importlib import metadata
from typing import NamedTuple

import numpy as np
from packaging.requirements import Requirement

from .. import __version__

#: Largest rounding difference of the same network in single precision.
TOLERANCE = 1e-4


class Finding(NamedTuple):
    """One result, with advice if something is wrong."""

    topic: str
    name: str
    found: str
    advice: str = ""


def examine():
    """List all findings; download nothing and leave no file behind."""
    findings = [*_packages()]
    for topic, name, look in (
        ("TensorFlow", "devices", _devices),
        ("TensorFlow", "Keras 2 for megnet", _megnet),
        ("Networks", "formation_energy_1800", _bundled_network),
        ("Networks", "Eform_MP_2019", _published_network),
        ("Networks", "cache folder", _cache_folder),
    ):
        try:
            found, advice = look()
        except Exception as error:  # anything may be broken, and is reported
            found = f"fails: {type(error).__name__}: {' '.join(str(error).split())}"
            advice = "fix the packages above first; if none is wrong, please report it."
        findings.append(Finding(topic, name, found, advice))
    return findings


def write_report(findings):
    """Write the findings by topic, then one line of advice for each that is wrong."""
    lines = [f"skcfgp {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    width = max(len(finding.name) for finding in findings)
    for topic in dict.fromkeys(finding.topic for finding in findings):
        lines += ["", topic]
        for _, name, found, advice in (f for f in findings if f.topic == topic):
            lines.append(f"{'!' if advice else ' '} {name:{width}}  {found}")
    wrong = [finding for finding in findings if finding.advice]
    lines += ["", f"{len(wrong)} wrong:" if wrong else "Nothing is wrong."]
    return "\n".join(lines + [f"! {finding.name}: {finding.advice}" for finding in wrong])


def _packages():
    try:
        requirements = [Requirement(line) for line in metadata.requires("skcfgp") or ()]
    except metadata.PackageNotFoundError:
        yield Finding("Packages", "skcfgp", "not installed", "run pip install . in its folder.")
        return
    for requirement in (Requirement(f"skcfgp=={__version__}"), *requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(requirement.name)
            fits = requirement.specifier.contains(found, prereleases=True)
        except metadata.PackageNotFoundError:
            found, fits = "missing", False
        advice = "" if fits else f"pip install '{requirement}'"
        yield Finding("Packages", requirement.name, found, advice)


def _devices():
    from ..network.startup import printed_at_start

    gpus, printed = printed_at_start()
    printed = "".join(f"\n    {line}" for line in printed.splitlines())
    if gpus or not shutil.which("nvidia-smi"):
        return (f"{len(gpus)} GPU" if gpus else "no GPU, trains on the CPU") + printed, ""
    advice = "pip install 'tensorflow[and-cuda]', or ignore it: a CPU is enough."
    return f"no GPU, though this machine has the NVIDIA driver{printed}", advice


def _megnet():
    from ..network.keras import import_megnet

    import_megnet()
    return "megnet can be imported", ""


def _bundled_network():
    from pymatgen.core import Lattice, Structure

    from ..network import load_network

    network = load_network("formation_energy_1800")
    reference = network.card["reference"]
    space_group, species, coords = (reference[k] for k in ("space_group", "species", "coords"))
    cell = Lattice.cubic(reference["a"])
    crystal = Structure.from_spacegroup(space_group, cell, species, coords)
    (vector,) = network.compute([network.graph(crystal)], ["readout_0"])[0]
    difference = float(np.abs(vector - reference["readout_0"]).max())
    if difference <= TOLERANCE:
        return f"gives its reference vector (largest difference {difference:.0e})", ""
    return (
        f"does not give its reference vector: differs by up to {difference:.2g}",
        "set CUDA_VISIBLE_DEVICES= and try again: if that helps, the GPU's arithmetic differs; "
        "otherwise please report it.",
    )


def _published_network():
    from ..network import load_network

    load_network("Eform_MP_2019")
    return "available, with the right checksum", ""


def _cache_folder():
    from ..network.files import cache_folder

    folder = cache_folder()
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return f"{folder} ({'exists' if existing == folder else 'not created yet'})", ""
    except OSError as error:
        found = f"{folder} cannot be written to: {error.strerror}"
        return found, "set SKCFGP_CACHE to a writable folder."
