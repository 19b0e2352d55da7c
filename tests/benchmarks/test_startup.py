"""From the shell to the first number: processor seconds of a whole process, Python included."""

import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skcfgp.campaign import Campaign
from skcfgp.datasets import load_formation_energy
from skcfgp.network import load_network

NAME = "formation_energy_1800"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cif")
    for number, structure in enumerate(load_formation_energy(split="test").structures[:10]):
        structure.to(filename=str(folder / f"{number}.cif"))
    return folder


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """10,000 crystals, the bundled ones in up to three sizes, 300 of them labelled."""
    folder = tmp_path_factory.mktemp("campaign")
    data, network = load_formation_energy(structures="arrays"), load_network(NAME)
    pool = {}
    for size in (1.0, 1.01, 1.02):
        for id_, crystal in zip(data.material_id, data.structures, strict=True):
            crystal = replace(crystal, lattice=np.asarray(crystal.lattice) * size)
            try:
                network.graph(crystal)
            except ValueError:  # no two atoms are near each other
                continue
            pool[f"{id_}-{size}"] = crystal
    energies = dict(zip(data.material_id, data.target, strict=True))
    labels = {id_: energies[id_.rsplit("-", 1)[0]] for id_ in [*pool][:300]}
    crystals = pd.Series(pool, dtype=object)[:10_000]
    Campaign.init(folder, crystals, target="E", unit="eV/atom", labelled=labels, weights=NAME)
    return folder


def cpu_seconds(*arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(getattr(after, f"ru_{k}time") - getattr(before, f"ru_{k}time") for k in ("u", "s"))


@pytest.mark.parametrize(
    ("arguments", "bound"),
    [
        (["-c", "import skcfgp"], 0.3),
        (["-m", "skcfgp.cli", "--help"], 0.3),
        (["-m", "skcfgp.cli", "campaign", "status", "CAMPAIGN"], 0.3),
        (["-m", "skcfgp.cli", "campaign", "suggest", "CAMPAIGN"], 4.0),
        (["-m", "skcfgp.cli", "predict", "FILES"], 4.0),
    ],
    ids=["import", "help", "status", "suggest", "predict"],
)
def test_shell(arguments, bound, files, campaign, benchmark, record):
    places = {"CAMPAIGN": campaign, "FILES": files}
    arguments = [places.get(argument, argument) for argument in arguments]
    ours = min(cpu_seconds(*arguments) for _ in range(3))
    theirs = min(cpu_seconds("-c", "import tensorflow") for _ in range(3))
    benchmark.pedantic(cpu_seconds, arguments, rounds=1)
    record(ours, theirs, "python -c 'import tensorflow'")
    assert ours < bound
