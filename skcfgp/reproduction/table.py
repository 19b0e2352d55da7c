"""The claims of the paper, as data: what each says, how it is measured, and when it holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from .hyperparameters import ADAM_STEPS, FEATURES, OBJECTIVES
from .learning import METRICS, PROPERTIES
from .records import Seeds
from .settings import PAPER
from .trials import RECIPES

__all__ = ["CLAIMS", "Claim", "all_below", "effect", "make_table", "within_factor"]

YES, PARTLY, NO, NONE = "yes", "partly", "no", "-"
GAUSSIAN = 0.9545
RATIO = PAPER["amplitude"] ** 2 / PAPER["length_scale"]
PROTOCOLS = dict(zip(METRICS, ("remaining pool", "test set"), strict=True))
ONE, OTHER = ("paper",), ("recommended",)


@dataclass(frozen=True)
class Claim:
    """A line of the table; ``measure(run, recipe)`` is None where it does not apply."""

    text: str
    paper: str
    ours: str
    measure: Callable
    criterion: str = ""
    judge: Callable | None = None
    recipes: tuple = RECIPES
    row: str = ""


def make_table(run, claims=None):
    """Fill the claims from a run and judge them; one that does not apply has no line."""
    table = []
    for claim in CLAIMS if claims is None else claims:
        line = {"row": claim.row, "claim": claim.text.format(**run.facts), "paper": claim.paper}
        for recipe in RECIPES:
            found = claim.measure(run, recipe) if recipe in claim.recipes else None
            ours = claim.ours.format(**run.facts | found) if found else ""
            line[f"ours, {recipe} pipeline"] = ours
            line[f"held, {recipe} pipeline"] = claim.judge(found) if found and claim.judge else NONE
        if any(line[f"ours, {recipe} pipeline"] for recipe in RECIPES):
            table.append(line | {"criterion": claim.criterion})
    return table


def effect(values, paper=0.0, least=0.0):
    """Judge gains, one a seed: all above `least` and the mean half of the paper's, or the mean."""
    gains = np.array([0.0 if value is None else value for value in values])
    if (gains > least).all() and gains.mean() >= paper / 2:
        return YES
    return PARTLY if gains.mean() > least else NO


def all_below(values, limits):
    """Judge whether each value is below its limit: "yes", "partly" if so in the mean, or "no"."""
    values, limits = np.atleast_1d(values), np.atleast_1d(limits)
    if (values < limits).all():
        return YES
    return PARTLY if values.mean() < limits.mean() else NO


def within_factor(values, target, factor=2.0):
    """Judge whether each value is within a factor of the target: "yes", "partly" if some, "no"."""
    return _all_or_some(np.abs(np.log(np.array(values) / target)) <= np.log(factor))


def _all_or_some(held):
    return YES if np.all(held) else PARTLY if np.any(held) else NO


def _near_paper(found):
    names = ("amplitude", "length_scale")
    return YES if all(within_factor(found[n], PAPER[n]) == YES for n in names) else NO


def _near_or_ratio(found):
    near = _near_paper(found)
    return PARTLY if near == NO and within_factor(found["ratio"], RATIO) == YES else near


def _covers_gaussian(found):
    low, high = (np.array(found[f"coverage_2sigma_{end}"]) for end in ("low", "high"))
    return _all_or_some((low <= GAUSSIAN) & (high >= GAUSSIAN))


def _in_table(table, own=None, **where):
    """Measure the records of a table with these values, and the pipeline in the column `own`."""
    return lambda run, recipe: run.found(table, **where, **({own: recipe} if own else {}))


def _change(table, metric, case, new, old, **where):
    """Measure one case beside another, ``old``, seed by seed; new None is the pipeline."""

    def measure(run, recipe):
        found, before = (run.found(table, **{case: c or recipe}, **where) for c in (new, old))
        lower = Seeds(1 - a / b for a, b in zip(found[metric], before[metric], strict=True))
        return found | {"old": before, "lower": lower, "percent": Seeds(100 * v for v in lower)}

    return measure


def _worst(run, recipe):
    worst, families = (run.select(table, recipe=recipe)[:4] for table in ("worst", "families"))
    families = [f"{row['group']} ({row['n_bad']} of {row['n']})" for row in families]
    names = ", ".join(row["formula"] for row in worst)
    return {"names": names, "families": ", ".join(families) or "no family stands out"}


SCORES = "MAE {main[mae]:.4f}, MSE {main[mse]:.4f}, R2 {main[r2]:.3f}"
FROZEN, AGAIN = (SCORES.replace("main[", f"main[{name}][") for name in ("frozen", "again"))
QUALITY = "test MAE {main[mae]:.4f}, 2-sigma coverage {main[coverage_2sigma]:.3f}"
AL = "a = {main[amplitude]:.3g}, l = {main[length_scale]:.3g}"
PAPER_AL = f"a = {PAPER['amplitude']}, l = {PAPER['length_scale']}"
CALIBRATION = _in_table("calibration", "recipe")


def _latent(kind, text):
    return Claim(
        text, "shown as a map", f"{{{kind}:.3f}} {{unit}}; shuffled {{shuffled.mean:.3f}}",
        _in_table("latent", "recipe"), "MAE at most half of that in a shuffled map, every seed",
        lambda found: all_below(found[kind], np.array(found["shuffled"]) / 2),
    )  # fmt: skip


def _laplacian(objective, by, features):
    return Claim(
        f"Hyper-parameters from 1.0 and 1.0: {features} features, {by} likelihood",
        f"{PAPER_AL}, a^2 / l = {RATIO:.4f}",
        f"{AL}, a^2 / l = {{ratio:.3g}}; {QUALITY}, NLL {{main[nll]:.2f}}",
        _in_table("hyperparameters", features=features, objective=objective),
        "a and l within a factor of 2, every seed; partly: only a^2 / l", _near_or_ratio, ONE,
    )  # fmt: skip


def _adam(steps):
    return Claim(
        f"Adam from 1.0 and 1.0, {steps:,} steps, raw features, marginal likelihood", PAPER_AL,
        f"{AL}; {{main[nats_below]:.3g}} nats below the best; {QUALITY}",
        _in_table("ends", optimizer="Adam", steps=steps, start=[1.0, 1.0]),
        "a and l within a factor of 2", _near_paper, ONE,
    )  # fmt: skip


def _sensitive(name, optimizer, steps=None):
    def measure(run, recipe):
        ends = run.select("ends", optimizer=optimizer, steps=steps)
        names = ("length_scale", "nats_below", "mae")
        low, high = ({n: f(end[n] for end in ends) for n in names} for f in (min, max))
        return {"low": low, "high": high}

    return Claim(
        f"Sensitive to the initial values: {name} from 9 starts, raw features", "said in words",
        "l from {low[length_scale]:.3g} to {high[length_scale]:.3g}; {low[nats_below]:.2g} to "
        "{high[nats_below]:.2g} nats below the best; test MAE {low[mae]:.4f} to {high[mae]:.4f}",
        measure, "the lengths at the ends differ by more than a factor of 2",
        lambda found: all_below(2 * found["low"]["length_scale"], found["high"]["length_scale"]),
        ONE,
    )  # fmt: skip


def _active(metric, protocol, lower="", labels="", factor=""):
    measure = _in_table("active", "recipe", metric=metric, share="paper")
    return (
        Claim(f"max-std below random on the {protocol}, after {{n_share:,}} of {{n_pool:,}}", lower,
              "{percent:.1f}%; {active.mean:.4f} against {random.mean:.4f} {unit}", measure,
              "lower in every seed, by at least 21.5% in the mean; partly: lower in the mean",
              lambda found: effect(found["lower"], PAPER["lower"])),
        Claim(f"Labels for the error of {{n_share:,}} random ones on the {protocol}", labels,
              "{n_parity:.0f} labels; acceleration {acceleration:.2f}", measure,
              "acceleration above 1 in every seed, at least 1.515 in the mean; partly: above 1 in "
              "the mean", lambda found: effect(found["faster"], 1.03)),
        Claim(f"Enhancement factor, MAE_random / MAE_max-std, {protocol}", factor, "{factor:.2f}",
              measure),
    )  # fmt: skip


def _future(text, ours, measure, recipes=ONE):
    return Claim(text, "future work", ours, measure,
                 "a gain above 0.1% in every seed; partly: in the mean",
                 lambda found: effect(found["lower"], least=0.001), recipes)  # fmt: skip


def _batches(name, metric):
    text = f"{{n_batches}} batches of {{batch_size}}, {name}, against the largest sigmas: "
    ours = f"{{{metric}.mean:.4f}} against {{old[{metric}].mean:.4f}} {{unit}}"
    measure = _change("batches", metric, "strategy", name, "largest")
    return _future(text + PROTOCOLS[metric], "gain {percent:.1f}%; " + ours, measure)


def _other(case, name, base):
    ours = "gain {percent:.1f}%; MAE {mae.mean:.4f} against {old[mae].mean:.4f} {unit}, NLL "
    return _future(f"Other {case}: {name} against {base}, test set",
                   ours + "{nll.mean:.2f} against {old[nll].mean:.2f}",
                   _change(f"{case}s", "mae", case, name, base))  # fmt: skip


def _scarce(name, unit):
    ours = f"gain {{percent:.1f}}%; MAE {{mae.mean:.4f}} against {{old[mae].mean:.4f}}{unit}"
    trees, head = "trees on composition", f"Scarce property, {name}:"
    measure = _change("scarce", "mae", "model", None, trees, property=name)
    yield _future(f"{head} transferred vectors against {trees}", ours, measure, RECIPES)
    for metric, protocol in PROTOCOLS.items():
        measure = _in_table("scarce_learning", "recipe", metric=metric, property=name)
        ours = "{percent:.1f}% lower; acceleration {acceleration:.2f}"
        yield _future(f"{head} max-std below random on the {protocol}", ours, measure, RECIPES)


def _cost(step, text):
    hours = PAPER[f"{step}_hours"]
    return Claim(text, f"{hours} h (Quadro P5000)", "{main[time]}", _in_table("cost", step=step),
                 "less time than the paper's",
                 lambda found: all_below(found["main"]["seconds"], 3600 * hours), ONE)  # fmt: skip


# fmt: off
#: The claims of rows 1, 2, ... of the table; those of a row are numbered as they come.
GROUPS = (
    (_latent("layer", "The layer is structured by the target (nearest neighbour's label)"),
     _latent("map", "Its t-SNE map is structured by the target (Fig. 2)")),
    (Claim("Error on the fixed test set, initial {n_train:,} labels",
           "MAE 0.0277, MSE 0.0015 (printed as 0.002), R2 0.994 (7,800 oxides)",
           SCORES + "; MAE of seeds {mae:.3f}", _in_table("accuracy", "model"),
           "R2 at least 0.985, every seed",
           lambda found: all_below(-np.array(found["r2"]), -0.985 + 1e-12)),
     Claim("The process is more accurate than the network's own readout",
           "0.0277 against 0.0417 of a MEGNet on other crystals",
           "{main[mae]:.4f} against {main[readout]:.4f} {unit}; gain {main[gain]:.4f} (95% over "
           "test crystals: {main[low]:.4f} to {main[high]:.4f})", _in_table("better", "recipe"),
           "lower MAE in every seed", lambda found: all_below(found["mae"], found["readout"])),
     Claim("The published {published}, which {seen} these crystals", "",
           SCORES + "; no prediction of unseen crystals", _in_table("accuracy", model="published"),
           recipes=ONE),
     Claim("With {n_enlarged:,} labels (pool's picks added), network frozen", "",
           FROZEN, _in_table("enlarged", "recipe"), "MAE lower than with the initial set",
           lambda found: all_below(found["main"]["frozen"]["mae"], found["before"])),
     Claim("The same, network re-optimised on the enlarged set (Section III)", "MAE 0.0277",
           AGAIN + "{main[note]}", _in_table("enlarged", "recipe"),
           "MAE lower than with the network frozen",
           lambda found: all_below(*(found["main"][n]["mae"] for n in ("again", "frozen"))))),
    (*(_laplacian(objective, by, features) for (objective, by), features in product(
        zip(OBJECTIVES, ("marginal", "predictive"), strict=True), FEATURES)),
     Claim("Hyper-parameters of the recommended pipeline", "",
           f"{{main[kernel]}}; {QUALITY}, NLL {{main[nll]:.2f}}", _in_table("pipelines", "recipe"),
           recipes=OTHER),
     *map(_adam, ADAM_STEPS),
     _sensitive("L-BFGS", "L-BFGS"),
     *(_sensitive(f"Adam, {steps:,} steps", "Adam", steps) for steps in ADAM_STEPS)),
    (Claim("95% of the crystals are within 2 sigma", "95%",
           "{main[coverage_2sigma]:.3f} [{main[coverage_2sigma_low]:.3f}, "
           "{main[coverage_2sigma_high]:.3f}]; seeds {coverage_2sigma:.3f}", CALIBRATION,
           "the 95% interval (Wilson) of the coverage holds 95.45%, every seed", _covers_gaussian),
     Claim("Large errors come with large sigma (Fig. 4)", "shown as a figure",
           "{spearman:.2f}", CALIBRATION,
           "Spearman's correlation of sigma and absolute error above 0.2, every seed",
           lambda found: all_below(-np.array(found["spearman"]), -0.2)),
     Claim("Mean squared z, 1 for correct error bars", "", "{mean_squared_z:.2f}", CALIBRATION),
     Claim("Miscalibration area, interval form, 0 if perfect", "",
           "{miscalibration_area_interval:.3f}", CALIBRATION),
     Claim("Worst crystals, and families among the worst tenth (q < 0.05)", "",
           "{names}; {families}", _worst)),
    (*_active("mae_pool", "remaining pool", "43% lower after 1,500 of 7,195",
              "740 for 1,500: acceleration 2.03", "1.75"),
     *_active("mae_test", "fixed test set"),
     Claim("The long run: max-std below random on the remaining pool, after {n_long:,} of "
           "{n_pool:,}", "6,000 of 7,195 cycles run", "{percent:.0f}%",
           _in_table("active", "recipe", metric="mae_pool", share="long run"),
           "lower in every seed", lambda found: effect(found["lower"])),
     Claim("Where the advantage ends: last share of the pool with an error lower by 1%", "",
           "remaining pool: {main[mae_pool]}; test set: {main[mae_test]}",
           _in_table("advantage", "recipe"))),
    (*(_batches(name, metric) for name in ("conditioned", "spaced 1 l", "spaced 0.01 l")
       for metric in METRICS),
     _other("kernel", "Matern 3/2", "Laplacian"), _other("kernel", "RBF", "Laplacian"),
     *(_other("layer", name, "readout_0") for name in ("set2set", "readout_1", "all three")),
     *(_future(f"Query by sigma of predictive instead of marginal likelihood: {protocol}",
               "gain {percent:.1f}%; {same_percent:.0f}% of the choices the same",
               _change("calibrated_query", metric, "objective", *OBJECTIVES[::-1]))
       for metric, protocol in PROTOCOLS.items()),
     *(claim for name, (_, unit, _) in PROPERTIES.items() for claim in _scarce(name, unit))),
    (_cost("training", "Training, {n_train:,} crystals, {epochs} epochs ({training_how})"),
     _cost("hyperparameter", "Hyper-parameters ({cost_sizes})"),
     _cost("loop", "{cost_cycles:,} cycles with errors on pool and test set ({cost_sizes})")),
)
# fmt: on

CLAIMS = [
    replace(claim, row=f"{group}.{number}")
    for group, claims in enumerate(GROUPS, start=1)
    for number, claim in enumerate(claims, start=1)
]
