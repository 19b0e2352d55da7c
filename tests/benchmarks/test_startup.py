"""From the shell to the first number: processor seconds of a whole process, Python included."""

import resource
import subprocess
import sys
import time
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


def measured(*arguments):
    """Processor and wall seconds of one run of Python."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    subprocess.run(command, capture_output=True, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(getattr(after, f"ru_{k}time") - getattr(before, f"ru_{k}time") for k in ("u", "s"))
    return cpu, wall


@pytest.fixture(scope="module")
def tensorflow():
    """Processor seconds of the import that NumPy's forward pass saves."""
    return min(measured("-c", "import tensorflow") for _ in range(2))[0]


@pytest.mark.parametrize(
    ("arguments", "bound"),
    [
        (["-c", "import skcfgp"], 0.3),
        (["-m", "skcfgp.cli", "--help"], 0.3),
        (["-m", "skcfgp.cli", "campaign", "status", "CAMPAIGN"], 0.3),
        (["-m", "skcfgp.cli", "campaign", "tell", "CAMPAIGN", "LABELS", "--replace"], 1.5),
        (["-m", "skcfgp.cli", "campaign", "suggest", "CAMPAIGN"], 4.0),
        (["-m", "skcfgp.cli", "predict", "ONE"], 4.0),
        (["-m", "skcfgp.cli", "predict", "FILES"], 4.0),
    ],
    ids=["import", "help", "status", "tell", "suggest", "predict_one", "predict_ten"],
)
def test_shell(arguments, bound, files, campaign, tensorflow, benchmark, record, tmp_path):
    """`tell` has ten labels of suggested crystals, each time with other values."""
    places = {"CAMPAIGN": campaign, "FILES": files, "ONE": files / "0.cif"}
    arguments = [places.get(argument, argument) for argument in arguments]
    found = []
    for value in range(3):
        if "LABELS" in arguments:
            opened = Campaign(campaign)
            if not (ids := list(opened.state().comparisons)):
                ids = [pick["id"] for pick in opened.suggest(10)]
            labels = pd.DataFrame({"id": ids, "value": float(value)})
            labels.to_csv(tmp_path / "labels.csv", index=False)
        here = [tmp_path / "labels.csv" if a == "LABELS" else a for a in arguments]
        found.append(benchmark.pedantic(measured, here, rounds=1) if not value else measured(*here))
    cpu, wall = np.min(found, axis=0)
    record(cpu, tensorflow, "python -c 'import tensorflow'", wall_s=round(float(wall), 2))
    assert cpu < bound
