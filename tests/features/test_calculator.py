import pickle
from functools import partial

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.eos import EquationOfState
from ase.units import GPa
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcfgp.features import CalculatorFeaturizer
from skcfgp.features.store import memory
from skcfgp.structures import InvalidStructureError, InvalidStructureWarning

METALS = [bulk(name) for name in ("Cu", "Ag", "Al", "Ni")]


class Parabola(Calculator):
    """An energy that is a parabola in the volume per atom: everything about it is known."""

    implemented_properties = ("energy",)

    def __init__(self, minimum=12.0, curvature=0.05, energy=-3.0):
        super().__init__()
        self.of_atom = minimum, curvature, energy
        self.n_calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        minimum, curvature, energy = self.of_atom
        self.n_calls += 1
        v = atoms.get_volume() / len(atoms)
        self.results["energy"] = len(atoms) * (energy + curvature * (v - minimum) ** 2 / 2)


class Counting:
    """A factory that counts the energies of its calculators, in this process."""

    n_calls = 0

    def __call__(self):
        return Counted()


class Counted(Parabola):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        Counting.n_calls += 1


@pytest.fixture(autouse=True)
def nothing_is_stored():
    memory.clear()


@pytest.mark.parametrize("strains", [(-0.04, 0.0, 0.04), (-0.1, -0.05, 0.02, 0.03), (0.1, 0.2, 0)])
def test_a_parabola_is_found_exactly(strains):
    """At the volume V, B = V d2E/dV2, whatever the strains."""
    crystals = [bulk("Cu", a=a) for a in (3.5, 3.61, 3.8)]
    featurizer = CalculatorFeaturizer(Parabola, strains=strains)
    energy, modulus, volume = featurizer.fit_transform(crystals).T
    given = np.array([atoms.get_volume() for atoms in crystals])
    np.testing.assert_allclose(energy, -3.0 + 0.025 * (given - 12.0) ** 2, rtol=1e-6)
    np.testing.assert_allclose(modulus, given * 0.05 / GPa, rtol=1e-5)
    np.testing.assert_allclose(volume, 12.0, rtol=1e-5)


@pytest.mark.parametrize("make", [EMT, partial(LennardJones, sigma=2.3, rc=7.0)])
def test_the_energy_is_that_of_ase(make):
    expected = []
    for atoms in METALS:
        atoms = atoms.copy() * (1, 2, 1)
        atoms.calc = make()
        expected.append(atoms.get_potential_energy() / len(atoms))
    found = CalculatorFeaturizer(make, "energy_per_atom").fit_transform(METALS)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)  # supercells have it too


def test_copper_has_the_modulus_of_ases_equation_of_state():
    atoms = bulk("Cu")
    strained = []
    for strain in np.linspace(-0.05, 0.05, 9):
        other = atoms.copy()
        other.set_cell(atoms.cell * (1 + strain) ** (1 / 3), scale_atoms=True)
        other.calc = EMT()
        strained.append((other.get_volume(), other.get_potential_energy()))
    volume, _, modulus = EquationOfState(*np.transpose(strained), eos="birchmurnaghan").fit()
    relaxed = bulk("Cu", a=(4 * volume) ** (1 / 3))
    row = CalculatorFeaturizer(EMT, strains=(-0.01, 0, 0.01)).fit_transform([relaxed])[0]
    assert row[1] == pytest.approx(modulus / GPa, rel=0.02)
    assert row[2] == pytest.approx(volume, rel=1e-3)


def test_lennard_jones_is_a_lattice_sum():
    """The sum over the neighbours of one atom, and its exact derivatives by the volume."""
    sigma, epsilon, rc, a = 2.3, 0.4, 6.1, 3.6
    grid = np.array(np.meshgrid(*[np.arange(-6, 7)] * 3)).reshape(3, -1).T
    r = np.linalg.norm(grid @ np.array(bulk("Cu", a=a).cell), axis=1)
    r = r[(r > 0) & (r < rc)]
    attraction, repulsion = ((sigma / r) ** p for p in (6, 12))
    shift = 4 * epsilon * ((sigma / rc) ** 12 - (sigma / rc) ** 6)
    energy = 0.5 * np.sum(4 * epsilon * (repulsion - attraction) - shift)
    # (sigma / r)^p goes with V^(-p / 3), so V^2 d2/dV2 gives p / 3 (p / 3 + 1)
    second = 0.5 * np.sum(4 * epsilon * (4 * 5 * repulsion - 2 * 3 * attraction))
    make = partial(LennardJones, sigma=sigma, epsilon=epsilon, rc=rc)
    row = CalculatorFeaturizer(make, strains=(-1e-2, 0, 1e-2)).fit_transform([bulk("Cu", a=a)])[0]
    assert row[0] == pytest.approx(energy, rel=1e-5)
    assert row[1] == pytest.approx(second / (a**3 / 4) / GPa, rel=1e-2)


def test_no_parabola_is_computed_for_the_energy_alone():
    Counting.n_calls = 0
    CalculatorFeaturizer(Counting(), "energy_per_atom").fit_transform(METALS)
    assert Counting.n_calls == len(METALS)


def test_an_estimate_is_computed_once(tmp_path):
    """Whatever order the sites have, and in the next process from the folder."""
    Counting.n_calls = 0
    featurizer = CalculatorFeaturizer(Counting(), cache_dir=tmp_path)
    first = featurizer.fit_transform([*METALS, METALS[0]])
    assert Counting.n_calls == 3 * len(METALS)
    np.testing.assert_array_equal(first[-1], first[0])
    memory.clear()  # as in a new process
    np.testing.assert_array_equal(clone(featurizer).fit_transform(METALS), first[:-1])
    assert Counting.n_calls == 3 * len(METALS)
    featurizer.set_params(strains=(-0.1, 0.0, 0.1)).fit_transform(METALS)
    assert Counting.n_calls == 6 * len(METALS)


def test_other_settings_of_a_calculator_are_not_taken_for_the_same():
    narrow, wide = (
        CalculatorFeaturizer(partial(Parabola, curvature=k), "bulk_modulus").fit_transform(METALS)
        for k in (0.05, 0.1)
    )
    np.testing.assert_allclose(wide, 2 * narrow, rtol=1e-5)


CURVATURE = 0.05


def make_parabola():
    return Parabola(curvature=CURVATURE)


class Workshop:
    def __init__(self, curvature):
        self.curvature = curvature

    def make(self):
        return Parabola(curvature=self.curvature)


def test_nor_what_a_function_or_an_object_reads(monkeypatch):
    featurizer = CalculatorFeaturizer(make_parabola, "bulk_modulus")
    narrow = featurizer.fit_transform(METALS)
    monkeypatch.setitem(globals(), "CURVATURE", 0.1)
    np.testing.assert_allclose(featurizer.fit_transform(METALS), 2 * narrow, rtol=1e-5)
    for curvature in (0.05, 0.1):
        made = CalculatorFeaturizer(Workshop(curvature).make, "bulk_modulus").fit_transform(METALS)
        np.testing.assert_allclose(made, curvature / 0.05 * narrow, rtol=1e-5)


def test_processes_give_the_same_rows():
    crystals = [bulk("Cu", a=a) for a in np.linspace(3.4, 3.8, 45)]
    alone = CalculatorFeaturizer(EMT).fit_transform(crystals)
    memory.clear()
    several = CalculatorFeaturizer(EMT, n_jobs=2, verbose=0).fit_transform(crystals)
    np.testing.assert_allclose(several, alone, rtol=1e-6)


def test_crystals_that_the_calculator_does_not_take_are_named(salt):
    X = [METALS[0], salt, METALS[1]]
    with pytest.raises(InvalidStructureError, match=r"NotImplementedError.*EMT") as caught:
        CalculatorFeaturizer(EMT).fit_transform(X)
    assert [failure.index for failure in caught.value.failures] == [1]
    with pytest.warns(InvalidStructureWarning, match="the calculator failed"):
        rows = CalculatorFeaturizer(EMT, on_error="nan").fit_transform(X)
    assert np.isnan(rows[1]).all()
    assert np.isfinite(rows[[0, 2]]).all()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"curvature": 0.0}, "no minimum as a function of the volume"),
        ({"curvature": -0.1}, "no minimum as a function of the volume"),
        ({"minimum": -60.0}, "no minimum as a function of the volume"),
        ({"energy": np.nan}, "an energy of nan"),
    ],
)
def test_numbers_without_a_meaning_are_refused(options, reason):
    featurizer = CalculatorFeaturizer(partial(Parabola, **options))
    with pytest.raises(InvalidStructureError, match=reason):
        featurizer.fit_transform(METALS[:1])


def test_it_behaves_like_a_transformer():
    featurizer = CalculatorFeaturizer(EMT, ["volume_per_atom", "energy_per_atom"])
    scaled = make_pipeline(featurizer, StandardScaler()).set_output(transform="pandas")
    frame = scaled.fit_transform(METALS)
    assert list(frame.columns) == ["volume_per_atom", "energy_per_atom"]
    again = pickle.loads(pickle.dumps(clone(scaled))).fit_transform(METALS)
    np.testing.assert_array_equal(again, frame)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"calculator": EMT()}, "must be a factory"),
        ({"calculator": lambda: EMT()}, "must be picklable"),
        ({"properties": "hardness"}, "properties must be of"),
        ({"properties": ()}, "name at least one"),
        ({"strains": (-0.1, 0.1)}, "at least three different"),
        ({"strains": (-1.0, 0.0, 0.1)}, "each above -1"),
        ({"on_error": "drop"}, "on_error must be"),
    ],
)
def test_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        CalculatorFeaturizer(**{"calculator": EMT} | params).fit(METALS)


@pytest.mark.filterwarnings("ignore")  # of PyTorch
def test_chgnet_knows_copper():
    model = pytest.importorskip("chgnet.model")
    row = CalculatorFeaturizer(model.CHGNetCalculator).fit_transform([bulk("Cu")])[0]
    # PBE with the Materials Project's scheme; experiment; experiment
    np.testing.assert_allclose(row, [-4.1, 140.0, 11.8], rtol=0.25)
