"""What a user gets: the wheel, the example of the README, the version, the types."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import skcfgp

ROOT = Path(__file__).parents[1]
BUNDLED = [
    f"skcfgp/datasets/data/{name}.{suffix}"
    for name in ("formation_energy", "dielectric", "elastic")
    for suffix in ("npz", "md")
]
BUNDLED += [
    f"skcfgp/network/weights/{name}{suffix}"
    for name in ("formation_energy_1800", "Eform_MP_2019")
    for suffix in (".md", "/network.json", "/weights.npz")
]
BUNDLED += ["skcfgp/network/weights/LICENSE-megnet.md", "skcfgp/py.typed"]
BUNDLED += [
    f"skcfgp/models/fitted/formation_energy/{name}"
    for name in ("README.md", "arrays.npz", "model.json")
]
BUNDLED += [f"skcfgp/campaign/page/report.{suffix}" for suffix in ("css", "html", "js")]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return folder


def test_wheel_and_sdist_hold_data_and_network(distributions):
    (wheel,) = distributions.glob("*.whl")
    (sdist,) = distributions.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in BUNDLED:
            assert archive.read(name) == (ROOT / name).read_bytes()
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "skcfgp").rglob("*.py")}
    assert modules <= names
    assert not [name for name in names if name.startswith(("tests", "docs"))]
    with tarfile.open(sdist) as archive:
        packed = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {*BUNDLED, *modules, "LICENSE", "README.md", "pyproject.toml"} <= packed


def test_the_wheel_works_without_the_checkout(distributions, tmp_path):
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import skcfgp, sys; assert skcfgp.__file__.startswith(sys.argv[1]), skcfgp.__file__; "
        "from skcfgp.datasets import load_formation_energy, load_dielectric, load_elastic; "
        "assert len(load_formation_energy().target) == 3938; load_dielectric(); load_elastic(); "
        "from skcfgp.network import BUNDLED, load_network; "
        "assert {load_network(n).card['unit'] for n in BUNDLED} == {'eV/atom'}"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    environment = {"PYTHONPATH": str(tmp_path / "site"), "PATH": ""}
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.network
def test_the_example_of_the_readme_runs(capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["energy"]) == len(names["std"]) == 700
    assert "eV/atom" in capsys.readouterr().out


def test_one_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {skcfgp.__version__}\n" in text
    recipe = (ROOT / ".github" / "packaging" / "recipe.yaml").read_text(encoding="utf-8")
    assert f'version: "{skcfgp.__version__}"' in recipe


def test_the_recipe_of_conda_has_the_dependencies_of_the_wheel(distributions):
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(name).decode().splitlines()
    found = [Requirement(line.split(": ", 1)[1]) for line in lines if "Requires-Dist: " in line]
    ours = {r.name.lower(): str(r.specifier) for r in found if r.marker is None}
    ours["matplotlib-base"] = ours.pop("matplotlib")  # without the widgets
    recipe = (ROOT / ".github" / "packaging" / "recipe.yaml").read_text(encoding="utf-8")
    run = recipe.split("  run:\n")[1].split("\n\n")[0]
    theirs = dict(line.strip("- ").split(" ", 1) for line in run.splitlines())
    del theirs["python"]
    assert theirs == ours


@pytest.mark.parametrize("option", [["--oldest"], ["--without", "tensorflow", "megnet"]])
def test_requirements_of_a_leg(option):
    script = ROOT / ".github" / "requirements.py"
    done = subprocess.run([sys.executable, script, *option], capture_output=True, text=True)
    found = {requirement.name: requirement for requirement in map(Requirement, done.stdout.split())}
    assert {"numpy", "scikit-learn"} <= set(found)
    if option == ["--oldest"]:
        assert all(str(one.specifier).startswith("==") for one in found.values())
    else:
        assert "pytest" in found
        assert not {"tensorflow", "megnet", "skcfgp"} & set(found)


def test_public_names_exist_and_have_docstrings():
    modules = [module.name for module in pkgutil.walk_packages(skcfgp.__path__, "skcfgp.")]
    assert {"skcfgp.query", "skcfgp.network.graphs"} <= set(modules)
    for name in ["skcfgp", *modules]:
        module = importlib.import_module(name)
        assert module.__doc__, name
        for public in getattr(module, "__all__", []):
            value = getattr(module, public)
            if inspect.isclass(value) or inspect.isroutine(value):  # no alias of a type
                assert value.__doc__, f"{name}.{public}"
    with pytest.raises(AttributeError, match="no attribute 'Featuriser'"):
        _ = skcfgp.Featuriser
    assert {"MEGNetFeaturizer", "GaussianProcessRegressor", "ActiveLearner"} <= set(dir(skcfgp))


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import skcfgp, skcfgp.cli", {"numpy", "pandas", "sklearn", "pymatgen"}),
        (
            "import skcfgp.query, skcfgp.models, skcfgp.network, skcfgp.displays, "
            "skcfgp.calibration.scorers, skcfgp.calibration.enrichment",
            {"tensorflow", "matplotlib", "megnet", "h5py", "uncertainty_toolbox"}
            | {"sklearn.manifold"},
        ),
        (
            "from pymatgen.core import Lattice, Structure; from skcfgp import MEGNetFeaturizer; "
            "salt = Structure(Lattice.cubic(4.1), ['Cs', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]]); "
            "assert MEGNetFeaturizer().fit_transform([salt]).shape == (1, 32)",
            {"tensorflow", "tf_keras", "megnet", "h5py", "matplotlib.pyplot"},
        ),
    ],
)
def test_import_is_light(code, heavy):
    code += f"; import sys; loaded = {heavy} & set(sys.modules); assert not loaded, loaded"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False)
    assert result.returncode == 0
