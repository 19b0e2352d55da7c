"""The report on the installation, on whole and on really broken ones."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from skcfgp import MEGNetFeaturizer, __version__
from skcfgp.cli import main
from skcfgp.cli.doctor import Finding, examine, write_report
from skcfgp.network import load_network

ROOT = Path(__file__).parents[2]


def wrong_in(findings):
    return {finding.name: finding for finding in findings if finding.advice}


def doctor_without(packages, tmp_path):
    """Run the command where some packages are not: beside links to all the others."""
    site = tmp_path / "site"
    site.mkdir()
    for folder in sys.path:
        if not folder.endswith("-packages"):
            continue
        for entry in Path(folder).iterdir():
            if not entry.name.startswith((*packages, "__pycache__")):
                (site / entry.name).symlink_to(entry)
    path = os.pathsep.join([str(site), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("SKCFGP_CACHE", None)
    command = [sys.executable, "-S", "-W", "ignore", "-m", "skcfgp.cli", "doctor"]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )


@pytest.mark.network
def test_a_whole_installation(tmp_path, monkeypatch):
    monkeypatch.setenv("SKCFGP_CACHE", str(tmp_path / "none" / "yet"))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith(f"skcfgp {__version__}, Python {sys.version.split()[0]}")
    assert lines[-1] == "Nothing is wrong."
    for name in ("scikit-learn", "tensorflow", "tf-keras", "megnet", "modAL-python", "ase"):
        assert any(line.split()[:1] == [name] for line in lines), name
    assert "gives its reference vector" in result.output
    assert not (tmp_path / "none").exists()  # looking leaves nothing behind


@pytest.mark.network
def test_missing_packages_are_named_with_the_commands_that_get_them(tmp_path):
    """And the rest is still reported."""
    result = doctor_without(["modAL_python", "tf_keras"], tmp_path)  # metadata, and all of it
    assert result.returncode == 1, result.stderr[-2000:]
    assert not result.stderr  # what TensorFlow prints is in the report
    report, wrong = result.stdout.split(" wrong:\n")
    assert "! modAL-python: pip install 'modAL-python>=" in wrong
    assert "! tf-keras: pip install 'tf-keras>=" in wrong
    assert "pip install 'tf_keras~=" in report
    assert "gives its reference vector" in report  # computing needs no Keras
    assert "Traceback" not in result.stdout


@pytest.mark.network
def test_a_cache_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SKCFGP_CACHE", str(tmp_path / "file" / "cache"))
    (wrong,) = wrong_in(examine()).values()
    assert wrong.name == "cache folder"
    assert "cannot be written to: Not a directory" in wrong.found
    assert "SKCFGP_CACHE" in wrong.advice
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 1


@pytest.mark.network
def test_reference_vector_is_that_of_rock_salt(salt):
    featurizer = MEGNetFeaturizer("formation_energy_1800", layer="readout_0", verbose=0)
    network = load_network("formation_energy_1800")
    salt.scale_lattice(network.card["reference"]["a"] ** 3)
    (vector,) = featurizer.fit_transform([salt])
    np.testing.assert_allclose(vector, network.card["reference"]["readout_0"], atol=1e-5)


@pytest.mark.network
def test_a_network_with_other_numbers_is_found(monkeypatch):
    damaged = load_network("formation_energy_1800")
    damaged.weights["readout_0/bias"] = damaged.weights["readout_0/bias"] + 0.01
    monkeypatch.setattr("skcfgp.network.load_network", lambda name: damaged)
    found = wrong_in(examine())["formation_energy_1800"].found
    assert found.startswith("does not give its reference vector")


def test_the_report_counts_what_is_wrong():
    text = write_report([Finding("A", "one", "1.0"), Finding("B", "two", "missing", "get it.")])
    report, advice = text.split("\n\n1 wrong:\n")
    assert report.splitlines()[1:] == ["", "A", "  one  1.0", "", "B", "! two  missing"]
    assert advice == "! two: get it."
