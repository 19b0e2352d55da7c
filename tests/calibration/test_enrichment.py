from math import comb

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.stats import fisher_exact

from skcfgp.calibration.enrichment import error_enrichment

METALS = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Ag")
ANIONS = ("F", "Cl", "Br", "O", "S")


FCC = [[0, 3, 3], [3, 0, 3], [3, 3, 0]]
CELLS = {"Fm-3m": (FCC, 0.5), "F-43m": (FCC, 0.25), "Pm-3m": (np.eye(3) * 4, 0.5)}


def _salt(cation, anion, group="Fm-3m"):
    lattice, position = CELLS[group]
    return Structure(Lattice(lattice), [cation, anion], [[0, 0, 0], [position] * 3])


@pytest.fixture(scope="module")
def salts():
    """200 rock salts, twenty of each metal and forty of each anion."""
    kinds = [_salt(metal, anion) for metal in METALS for anion in ANIONS]
    return [salt for salt in kinds for _ in range(4)]


def _row(table, group):
    (row,) = table[table.group == group].to_dict("records")
    return row


def _by_hand(n_samples, n_bad, n, k):
    """Probability of k or more bad ones among n, by counting."""
    ways = sum(comb(n_bad, i) * comb(n_samples - n_bad, n - i) for i in range(k, n + 1))
    return ways / comb(n_samples, n)


def test_closed_form(salts):
    bad = np.zeros(200)
    bad[:7] = 1  # 7 of 20 with lithium: 4 LiF and 3 LiCl
    bad[50:60] = 1
    table = error_enrichment(
        salts, np.zeros(200), bad, threshold=0.5, by=("element", "pair"), min_count=1
    )
    assert table.attrs == {"n_samples": 200, "n_bad": 17, "threshold": 0.5, "n_untested": 0}
    assert len(table) == 15 + 50
    lithium = _row(table, "Li")
    assert (lithium["kind"], lithium["n"], lithium["n_bad"]) == ("element", 20, 7)
    assert lithium["expected"] == pytest.approx(20 * 17 / 200)
    assert lithium["enrichment"] == pytest.approx(7 / 1.7)
    assert lithium["mean_absolute_error"] == pytest.approx(7 / 20)
    for row in table.to_dict("records"):
        n, k = row["n"], row["n_bad"]
        assert row["p_value"] == pytest.approx(_by_hand(200, 17, n, k))
        counts = [[k, n - k], [17 - k, 200 - 17 - n + k]]
        assert row["p_value"] == pytest.approx(fisher_exact(counts, alternative="greater").pvalue)
    pair = _row(table, "F-Li")
    assert (pair["kind"], pair["n"], pair["n_bad"]) == ("pair", 4, 4)


def test_q_values_are_benjamini_and_hochberg(salts):
    error = np.random.default_rng(0).normal(size=200)
    p, q = (
        error_enrichment(salts, np.zeros(200), error, by=("element", "pair"))[
            ["p_value", "q_value"]
        ]
        .to_numpy()
        .T
    )
    m = len(p)
    np.testing.assert_allclose(
        q, [min(1, min(p[j] * m / (j + 1) for j in range(i, m))) for i in range(m)]
    )
    assert (np.diff(p) >= 0).all()


def test_a_planted_element_is_found(salts):
    rng = np.random.default_rng(1)
    error = rng.normal(scale=0.1, size=200)
    planted = np.array(["K" in salt.symbol_set for salt in salts])
    error[planted] += 0.4 * rng.choice([-1, 1], size=20)
    table = error_enrichment(salts, np.zeros(200), error)
    assert table.group[0] == "K"
    assert table.q_value[0] < 1e-6
    assert set(table.group[table.q_value < 0.05]) == {"K"}


def test_nothing_is_found_where_nothing_is(salts):
    rng = np.random.default_rng(2)
    found = [
        (
            error_enrichment(salts, np.zeros(200), rng.normal(size=200), by="element").q_value
            < 0.05
        ).any()
        for _ in range(40)
    ]
    assert sum(found) <= 6  # at most 5% of 40, so 2: P(more than 6) is 0.003


def test_order_of_rows_and_sign_of_errors_do_not_matter(salts):
    rng = np.random.default_rng(3)
    y_pred = np.round(rng.normal(size=200), 1)  # with ties
    by = ("element", "pair")
    table = error_enrichment(salts, np.zeros(200), y_pred, by=by)
    order = rng.permutation(200)
    shuffled = error_enrichment([salts[i] for i in order], np.zeros(200), -y_pred[order], by=by)
    columns = ["kind", "group", "n", "n_bad"]
    assert table[columns].equals(shuffled[columns])
    assert table.attrs == shuffled.attrs
    np.testing.assert_allclose(table.mean_absolute_error, shuffled.mean_absolute_error)


def test_standard_deviation_makes_the_large_error_a_known_one(salts):
    error = np.where(["K" in salt.symbol_set for salt in salts], 1.0, 0.1)
    error[:20] = 0.5  # lithium
    honest = np.where(error == 1.0, 1.0, 0.1)
    absolute = error_enrichment(salts, error, np.zeros(200), by="element")
    assert absolute.group[0] == "K"
    standardized = error_enrichment(salts, error, np.zeros(200), honest, by="element")
    assert standardized.group[0] == "Li"
    assert standardized.mean_squared_z[0] == pytest.approx(25)
    assert standardized.attrs["threshold"] == pytest.approx(5)
    twice = error_enrichment(salts, error, np.zeros(200), honest, by="element", threshold=2)
    assert twice.n_bad[0] == 20
    assert "mean_squared_z" not in absolute


def test_prototypes():
    groups = ["Fm-3m"] * 10 + ["Pm-3m"] * 10 + ["F-43m"] * 10
    crystals = [_salt("Cs", "Cl", group) for group in groups]
    error = [0.0] * 10 + [1.0] * 10 + [0.0] * 10
    table = error_enrichment(crystals, np.zeros(30), error, by="prototype", worst=1 / 3)
    assert set(table.group) == {"AB Fm-3m", "AB Pm-3m", "AB F-43m"}
    assert table.group[0] == "AB Pm-3m"
    assert table.p_value[0] == pytest.approx(1 / comb(30, 10))


def test_small_groups_are_counted_not_tested(salts):
    error = np.arange(200.0)
    table = error_enrichment(salts, np.zeros(200), error, by=("element", "pair"), min_count=5)
    assert set(table.kind) == {"element"}
    assert table.attrs["n_untested"] == 50
    assert table.attrs["n_bad"] == 20
    empty = error_enrichment(salts, np.zeros(200), error, by="pair", min_count=201)
    assert len(empty) == 0
    assert list(empty.columns) == list(table.columns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_true": np.zeros(199)}, r"must have the same length, got \[199, 200\]"),
        (
            {"y_true": np.zeros(199), "y_pred": np.zeros(199)},
            "200 crystals need as many predictions, got 199",
        ),
        ({"y_pred": np.full(200, np.inf)}, "y_pred must be finite, got inf in row 0"),
        ({"y_std": np.zeros(200)}, "y_std must be positive"),
        ({"by": "spacegroup"}, "by must be one or several of"),
        ({"by": ()}, "by must be one or several of"),
        ({"worst": 10}, "worst must be a fraction"),
        ({"threshold": 1e9}, "0 of 200 crystals are bad"),
        ({"threshold": -1.0}, "200 of 200 crystals are bad"),
        ({"min_count": 0}, "min_count must be"),
    ],
)
def test_bad_input(salts, change, message):
    good = {"y_true": np.zeros(200), "y_pred": np.arange(200.0), "by": "element"}
    with pytest.raises(ValueError, match=message):
        error_enrichment(salts, **good | change)
