import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import DummySpecies, Lattice, Structure
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skcfgp import CompositionFeaturizer, MEGNetFeaturizer
from skcfgp.features.composition import GROUPS
from skcfgp.structures import Crystal, InvalidStructureError, InvalidStructureWarning
from skcfgp.structures.elements import PROPERTIES, atomic_masses, element_properties

ALL = CompositionFeaturizer(GROUPS)


def features_by_name(structure, featurizer=ALL):
    featurizer = clone(featurizer).fit([structure])
    row = featurizer.transform([structure])[0]
    return dict(zip(featurizer.get_feature_names_out(), row, strict=True))


@st.composite
def random_crystals(draw):
    """One to six atoms of random elements in a random cell, far enough apart."""
    numbers = draw(st.lists(st.integers(1, 94), min_size=1, max_size=6))
    lengths = draw(st.tuples(*[st.floats(3.0, 9.0)] * 3))
    angles = draw(st.tuples(*[st.floats(70.0, 110.0)] * 3))
    sites = [[i / len(numbers), 0.1 * i, 0.0] for i in range(len(numbers))]
    lattice = Lattice.from_parameters(2 * len(numbers) + lengths[0], *lengths[1:], *angles)
    return Crystal(lattice.matrix, sites, numbers)


def test_rock_salt(salt):
    found = features_by_name(salt)
    fractions = {name: x for name, x in found.items() if name.startswith("fraction_") and x}
    assert fractions == {"fraction_Na": 0.5, "fraction_Cl": 0.5}
    sodium, chlorine = 0.93, 3.16
    assert found["mean_electronegativity_pauling"] == pytest.approx((sodium + chlorine) / 2)
    assert found["deviation_electronegativity_pauling"] == pytest.approx((chlorine - sodium) / 2)
    assert found["minimum_electronegativity_pauling"] == sodium
    assert found["maximum_electronegativity_pauling"] == chlorine
    assert found["volume_per_atom_angstrom3"] == pytest.approx(5.69**3 / 8)
    assert found["density_g_cm3"] == pytest.approx(salt.density)
    assert found["n_sites"] == 8


def test_density_is_that_of_pymatgen(crystals):
    density = CompositionFeaturizer("cell").fit_transform(crystals[0])[:, 1]
    np.testing.assert_allclose(density, [s.density for s in crystals[0]], rtol=1e-6)


def test_masses_are_those_of_the_elements():
    masses = atomic_masses()
    assert masses[[0, 5, 91]] == pytest.approx([1.008, 12.011, 238.029], abs=1e-3)
    assert not masses.flags.writeable


def test_agrees_with_one_crystal_and_one_site_at_a_time(crystals):
    """The plain way: a loop over sites, a list of values for each property."""
    table = element_properties()
    found = ALL.fit_transform(crystals[0])
    for row, structure in zip(found, crystals[0], strict=True):
        values = np.array([table[site.specie.Z - 1] for site in structure])
        mean = np.mean(values, axis=0)
        fractions = [
            sum(z == site.specie.Z for site in structure) / len(structure) for z in range(1, 95)
        ]
        expected = [
            *fractions,
            *mean,
            *np.mean(np.abs(values - mean), axis=0),
            *np.min(values, axis=0),
            *np.max(values, axis=0),
            structure.volume / len(structure),
            structure.density,
            len(structure),
        ]
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-9)


@given(crystal=random_crystals(), data=st.data())
def test_invariances(crystal, data):
    """Order of the sites, their places, other crystals beside it and a supercell change nothing."""
    names = ALL.fit([]).get_feature_names_out()
    expected = ALL.transform([crystal])[0]
    order = data.draw(st.permutations(range(len(crystal))))
    shuffled = Crystal(
        crystal.lattice,
        crystal.frac_coords[order] + data.draw(st.floats(-2, 2)),
        crystal.atomic_numbers[order],
    )
    other = Crystal(4 * np.eye(3), [[0, 0, 0]], [data.draw(st.integers(1, 94))])
    doubled = crystal.to_structure() * data.draw(st.tuples(*[st.integers(1, 2)] * 3))
    found = ALL.transform([other, shuffled, crystal.to_structure(), doubled])
    for row in found[1:3]:
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-9)
    intensive = names != "n_sites"
    np.testing.assert_allclose(found[3, intensive], expected[intensive], rtol=1e-9, atol=1e-9)
    assert found[3, ~intensive] == len(doubled)


@given(crystal=random_crystals())
def test_statistics_are_in_order(crystal):
    found = features_by_name(crystal)
    for name in PROPERTIES:
        mean, deviation, low, high = (
            found[f"{group}_{name}"] for group in ("mean", "deviation", "minimum", "maximum")
        )
        slack = 1e-9 * (1 + abs(mean))
        assert low - slack <= mean <= high + slack
        assert -slack <= deviation <= (high - low) / 2 + slack
    assert sum(x for name, x in found.items() if name.startswith("fraction_")) == pytest.approx(1)


def test_groups_are_blocks_of_columns(crystals):
    X = crystals[0][:8]
    blocks = {group: CompositionFeaturizer(group).fit(X) for group in GROUPS}
    for groups in (["size", "fractions"], GROUPS):
        together = CompositionFeaturizer(groups).fit(X)
        np.testing.assert_array_equal(
            together.transform(X), np.hstack([blocks[group].transform(X) for group in groups])
        )
        names = together.get_feature_names_out()
        assert names.tolist() == [n for g in groups for n in blocks[g].get_feature_names_out()]
        assert len(set(names)) == len(names) == together.transform(X).shape[1]


def test_default_is_the_same_for_a_supercell(salt):
    default = CompositionFeaturizer().fit([salt])
    np.testing.assert_allclose(*default.transform([salt, salt * (2, 1, 1)]), rtol=1e-9)


def test_conventions(crystals):
    """scikit-learn has one check for a transformer of objects; the others' ideas by hand."""
    with pytest.warns(SkipTestWarning, match="requires input"):
        results = check_estimator(CompositionFeaturizer(), on_skip=None)
    assert {result["status"] for result in results} == {"passed"}
    transformer = CompositionFeaturizer("cell")
    params = transformer.get_params()
    features = transformer.transform(crystals[0])  # there is nothing to learn
    assert transformer.get_feature_names_out()[1] == "density_g_cm3"
    state = dict(vars(transformer))
    assert transformer.fit(crystals[0], crystals[1]) is transformer
    assert vars(transformer) == state
    assert transformer.get_params() == params
    assert features.dtype == np.float64
    restored = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(restored.transform(crystals[0]), features)
    assert repr(transformer) == "CompositionFeaturizer(groups='cell')"


def test_pandas_output_keeps_the_index(crystals):
    series = pd.Series(list(crystals[0][:3]), index=["mp-a", "mp-b", "mp-c"])
    transformer = CompositionFeaturizer().set_output(transform="pandas")
    # scikit-learn 1.6 forgets the index of a Series
    recent = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9)
    for X in [series.to_frame(), *[series] * recent]:
        frame = transformer.fit_transform(X)
        assert frame.index.tolist() == series.index.tolist()
        assert frame.columns.tolist() == transformer.get_feature_names_out().tolist()
    assert frame.columns[[0, -1]].tolist() == ["mean_electronegativity_pauling", "density_g_cm3"]


def test_failed_rows_are_nan_and_listed(salt):
    disordered = Structure(salt.lattice, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    heavy = Structure(salt.lattice, ["Am", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    doubled = Structure(salt.lattice, ["Na", "Cl"], [[0, 0, 0], [0, 0, 0.01]])
    flat = Structure([[3, 0, 0], [0, 3, 0], [3, 3, 0]], ["Na"], [[0, 0, 0]])
    dummy = Structure(salt.lattice, [DummySpecies("X")], [[0, 0, 0]])
    X = pd.Series([salt, disordered, heavy, doubled, flat, dummy, "no.cif", salt])
    X.index = [f"id-{i}" for i in range(8)]
    transformer = CompositionFeaturizer(on_error="nan").fit(X)
    with pytest.warns(InvalidStructureWarning, match="6 crystals cannot be used"):
        features = transformer.transform(X)
    assert np.isnan(features).all(axis=1).nonzero()[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert np.isfinite(features[[0, 7]]).all()
    with pytest.raises(InvalidStructureError) as error:
        CompositionFeaturizer().transform(X)
    assert [(f.index, f.id) for f in error.value.failures] == [(i, f"id-{i}") for i in range(1, 7)]
    reasons = ["disordered", "Am; .* ends at Pu", "doubled site", "no volume", "not an element", ""]
    for i, reason in enumerate(reasons, start=1):
        with pytest.raises(InvalidStructureError, match=f"'id-{i}': .*{reason}"):
            CompositionFeaturizer().transform(X[[f"id-{i}"]])
    assert transformer.transform([]).shape == (0, features.shape[1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"groups": "ratios"}, "groups must be of .*'ratios'"),
        ({"groups": []}, "groups must name at least one"),
        ({"groups": ["cell", "cell"]}, "groups .* each once"),
        ({"on_error": "drop"}, "on_error"),
    ],
)
def test_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        CompositionFeaturizer(**params).fit([])


def test_grid_search_and_column_transformer(formation_energy):
    """On 200 training crystals the trees do better than half the spread of the labels."""
    X, y = formation_energy.structures[:200], formation_energy.target[:200]
    frame = pd.DataFrame({"crystal": X, "pressure": np.linspace(0, 1, 200)})
    columns = ColumnTransformer(
        [
            ("composition", CompositionFeaturizer(), "crystal"),
            ("rest", StandardScaler(), ["pressure"]),
        ]
    )
    model = make_pipeline(columns, ExtraTreesRegressor(30, random_state=0))
    grid = {"columntransformer__composition__groups": ["size", ("mean", "cell")]}
    search = GridSearchCV(model, grid, cv=3, scoring="neg_mean_absolute_error").fit(frame, y)
    assert -search.best_score_ < 0.5 * np.std(y)
    assert search.best_params_ == {next(iter(grid)): ("mean", "cell")}


@pytest.mark.network
def test_beside_a_network(crystals):
    X = crystals[0]
    megnet, composition = MEGNetFeaturizer("formation_energy_1800"), CompositionFeaturizer()
    union = FeatureUnion([("megnet", megnet), ("composition", composition)]).fit(X)
    expected = [clone(part).fit_transform(X) for part in (megnet, composition)]
    np.testing.assert_allclose(union.transform(X), np.hstack(expected), rtol=1e-6)
    assert len(union.get_feature_names_out()) == union.transform(X).shape[1]
