"""The table: verdicts, values over seeds, and claims that are judged by records."""

import json

import pytest

from skcfgp.reproduction.judging import Claim, all_below, effect, within_factor
from skcfgp.reproduction.records import Run, Seeds
from skcfgp.reproduction.table import claims_of, make_table


def test_criteria():
    assert effect([0.3, 0.2], 0.43) == "yes"
    assert effect([0.1, 0.2], 0.43) == "partly"  # less than half of it
    assert effect([0.6, -0.01], 0.43) == "partly"
    assert effect([0.1, None], 0.0) == "partly"
    assert effect([-0.1, 0.05], 0.43) == "no"
    assert effect([1e-6, 1e-6], 0.0, 1e-3) == "no"
    assert all_below([1, 2], [3, 3]) == "yes"
    assert all_below([1, 4], [3, 3]) == "partly"
    assert all_below([4, 4], 3) == "no"
    assert within_factor([1.0, 2.0], 1.5) == "yes"
    assert within_factor([1.0, 9.0], 1.5) == "partly"


def test_values_over_seeds_as_text():
    assert f"{Seeds([1.0, None, 2.0]):.1f}" == "1.5 (1.0 to 2.0); not reached in 1 of 3 seeds"
    assert f"{Seeds([None, None]):.1f}" == "not reached in any of 2 seeds"
    assert f"{Seeds([0.25]):.2f}" == "0.25"
    assert f"{Seeds([None, 3.0]):.0f}" == "3; not reached in 1 of 2 seeds"
    assert Seeds([1.0, None, 2.0]).mean == 1.5


@pytest.fixture
def run():
    records = [
        {"trial": trial, "recipe": recipe, "error": error}
        for trial, recipe, error in (
            ("main", "paper", 9.0),
            ("fit_0", "paper", 1.0),
            ("fit_1", "paper", 3.0),
            ("fit_0", "recommended", 1.0),
            ("fit_1", "recommended", 1.5),
        )
    ]
    return Run({"trials": ["fit_0", "fit_1"], "unit": "eV"}, {"errors": records})


def test_a_run_selects_records(run):
    found = run.found("errors", recipe="paper")
    assert found["main"]["error"] == 9.0
    assert found["error"] == [1.0, 3.0]  # not the whole set
    assert run.found("errors", recipe="recommended")["main"] is None
    assert run.found("errors", recipe="neither") is None
    assert len(run.select("errors", recipe="paper")) == 3
    kept = Run(**json.loads(json.dumps(vars(run))))  # as it is kept beside the report
    assert kept.found("errors", recipe="paper") == found
    run.records["ends"] = [{"steps": 1}, {"steps": 2}]  # of no trial: of the whole run
    assert run.found("ends") == {"steps": [1, 2], "main": {"steps": 1}}


def test_a_claim_is_filled_and_judged_by_the_records(run):
    def measure(run, recipe):
        return run.found("errors", recipe=recipe)

    claims = [
        Claim("Small in {unit}", "0", "{error:.1f} {unit}", measure, "below 2", low, row="1.1"),
        Claim("Said once", "", "{error:.1f}", measure, recipes=("paper",), row="1.2"),
        Claim("Of something else", "", "{error:.1f}", lambda run, recipe: None, row="1.3"),
    ]
    first, second = make_table(run, claims)  # what does not apply has no line
    assert first == {
        "row": "1.1",
        "claim": "Small in eV",
        "paper": "0",
        "ours, paper pipeline": "2.0 (1.0 to 3.0) eV",
        "held, paper pipeline": "no",
        "ours, recommended pipeline": "1.2 (1.0 to 1.5) eV",
        "held, recommended pipeline": "yes",
        "criterion": "below 2",
    }
    assert second["held, paper pipeline"] == second["held, recommended pipeline"] == "-"
    assert (second["row"], second["ours, recommended pipeline"]) == ("1.2", "")


def low(found):
    return all_below(found["error"], 2)


def test_each_claim_has_its_own_number_and_a_criterion_if_it_is_judged():
    facts = {"properties": {"modulus": " GPa"}, "other_properties": {"band gap": " eV"}}
    changed = [{"variation": "the weather"}, {"variation": "the cat"}]
    claims = claims_of(Run(facts, {"variations": changed}))
    rows = [claim.row for claim in claims]
    assert len(set(rows)) == len(rows)
    assert rows == sorted(rows, key=lambda row: [int(number) for number in row.split(".")])
    assert all(bool(claim.criterion) == (claim.judge is not None) for claim in claims)
    text = " ".join(claim.text for claim in claims)
    assert all(name in text for name in ("modulus", "band gap", "the weather", "the cat"))


@pytest.mark.parametrize(("lower", "verdict"), [(0.5, "yes"), (0.3, "partly"), (0.1, "no")])
def test_a_variation_is_judged_by_the_error_on_the_remaining_pool(lower, verdict):
    found = {"lower": lower, "percent": 100 * lower, "percent_low": 1.0, "percent_high": 2.0}
    found |= {"n_parity": 7, "n_as_paper": None}
    row = {"variation": "the weather", "before": {"mae": 0.1, "coverage_2sigma": 0.9}}
    row |= {"mae_pool": found, "mae_test": found | {"n_parity": None}}
    run = Run({"trials": ["main"], "unit": "eV"}, {"variations": [row]})
    (line,) = make_table(run, [c for c in claims_of(run) if "the weather" in c.text])
    assert line["held, paper pipeline"] == verdict
    assert "43% at not reached in any of 1 seeds labels" in line["ours, paper pipeline"]
