"""The claims of the paper, as data: what each says, how it is measured, and when it holds."""

from dataclasses import replace
from itertools import product

import numpy as np

from .hyperparameters import ADAM_STEPS, FEATURES, OBJECTIVES
from .judging import (
    NO,
    NONE,
    PARTLY,
    RATIO,
    YES,
    Claim,
    all_below,
    change,
    covers_gaussian,
    effect,
    in_table,
    near_or_ratio,
    near_paper,
    worst_crystals,
)
from .learning import METRICS
from .records import Seeds
from .settings import PAPER
from .trials import RECIPES

PROTOCOLS = dict(zip(METRICS, ("remaining pool", "test set"), strict=True))
ONE, OTHER = ("paper",), ("recommended",)


def make_table(run, claims=None):
    """Fill the claims from a run and judge them; one that does not apply has no line."""
    table = []
    for claim in claims_of(run) if claims is None else claims:
        line = {"row": claim.row, "claim": claim.text.format(**run.facts), "paper": claim.paper}
        for recipe in RECIPES:
            found = claim.measure(run, recipe) if recipe in claim.recipes else None
            ours = claim.ours.format(**run.facts | found) if found else ""
            line[f"ours, {recipe} pipeline"] = ours
            line[f"held, {recipe} pipeline"] = claim.judge(found) if found and claim.judge else NONE
        if any(line[f"ours, {recipe} pipeline"] for recipe in RECIPES):
            table.append(line | {"criterion": claim.criterion})
    return table


SCORES = "MAE {main[mae]:.4f}, MSE {main[mse]:.4f}, R2 {main[r2]:.3f}"
FROZEN, AGAIN = (SCORES.replace("main[", f"main[{name}][") for name in ("frozen", "again"))
QUALITY = "test MAE {main[mae]:.4f}, 2-sigma coverage {main[coverage_2sigma]:.3f}"
AL = "a = {main[amplitude]:.3g}, l = {main[length_scale]:.3g}"
PAPER_AL = f"a = {PAPER['amplitude']}, l = {PAPER['length_scale']}"
CALIBRATION, DISTRIBUTION = (in_table(t, "recipe") for t in ("calibration", "distributions"))


def _latent(kind, text):
    return Claim(
        text, "shown as a map", f"{{{kind}:.3f}} {{unit}}; shuffled {{shuffled.mean:.3f}}",
        in_table("latent", "recipe"), "MAE at most half of that in a shuffled map, every seed",
        lambda found: all_below(found[kind], np.array(found["shuffled"]) / 2),
    )  # fmt: skip


def _laplacian(objective, by, features):
    return Claim(
        f"Hyper-parameters from 1.0 and 1.0: {features} features, {by} likelihood",
        f"{PAPER_AL}, a^2 / l = {RATIO:.4f}",
        f"{AL}, a^2 / l = {{ratio:.3g}}; {QUALITY}, NLL {{main[nll]:.2f}}",
        in_table("hyperparameters", features=features, objective=objective),
        "a and l within a factor of 2, every seed; partly: only a^2 / l", near_or_ratio, ONE,
    )  # fmt: skip


def _adam(steps):
    return Claim(
        f"Adam from 1.0 and 1.0, {steps:,} steps, raw features, marginal likelihood", PAPER_AL,
        f"{AL}; {{main[nats_below]:.3g}} nats below the best; {QUALITY}",
        in_table("ends", optimizer="Adam", steps=steps, start=[1.0, 1.0]),
        "a and l within a factor of 2", near_paper, ONE,
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
    def measure(run, recipe):
        found, by_order = run.found("active", recipe=recipe, metric=metric, share="paper"), ""
        if len(found["lower"]) == 1:
            (low,), (high,) = found["percent_low"], found["percent_high"]
            by_order = f" ({low:.1f} to {high:.1f} over the random orders)"
        return found | {"by_order": by_order}

    return (
        Claim(f"max-std below random on the {protocol}, after {{n_share:,}} of {{n_pool:,}}", lower,
              "{percent:.1f}%{by_order}; {active.mean:.4f} against {random.mean:.4f} {unit}",
              measure,
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
    measure = change("batches", metric, "strategy", name, "largest")
    return _future(text + PROTOCOLS[metric], "gain {percent:.1f}%; " + ours, measure)


def _other(case, name, base):
    ours = "gain {percent:.1f}%; MAE {mae.mean:.4f} against {old[mae].mean:.4f} {unit}, NLL "
    return _future(f"Other {case}: {name} against {base}, test set",
                   ours + "{nll.mean:.2f} against {old[nll].mean:.2f}",
                   change(f"{case}s", "mae", case, name, base))  # fmt: skip


def _scarce(name, unit):
    ours = f"gain {{percent:.1f}}%; MAE {{mae.mean:.4f}} against {{old[mae].mean:.4f}}{unit}"
    trees, head = "trees on composition", f"Scarce property, {name}:"
    measure = change("scarce", "mae", "model", None, trees, property=name)
    yield _future(f"{head} transferred vectors against {trees}", ours, measure, RECIPES)
    for metric, protocol in PROTOCOLS.items():
        measure = in_table("scarce_learning", "recipe", metric=metric, property=name)
        ours = "{percent:.1f}% lower; acceleration {acceleration:.2f}"
        yield _future(f"{head} max-std below random on the {protocol}", ours, measure, RECIPES)


def _cost(step, text):
    hours = PAPER[f"{step}_hours"]
    return Claim(text, f"{hours} h (Quadro P5000)", "{main[time]}", in_table("cost", step=step),
                 "less time than the paper's",
                 lambda found: all_below(found["main"]["seconds"], 3600 * hours), ONE)  # fmt: skip


def _enriched(found):
    found = found["main"]
    return YES if found["n_bad"] > found["expected"] and found["q_value"] < 0.05 else NO


# fmt: off
#: The claims of rows 1, 2, ... of the table; those of a row are numbered as they come.
GROUPS = (
    (_latent("layer", "The layer is structured by the target (nearest neighbour's label)"),
     _latent("map", "Its t-SNE map is structured by the target (Fig. 2)")),
    (Claim("Error on the fixed test set, initial {n_train:,} labels",
           "MAE 0.0277, MSE 0.0015 (printed as 0.002), R2 0.994 (7,800 oxides)",
           SCORES + "; MAE of seeds {mae:.3f}", in_table("accuracy", "model"),
           "R2 at least 0.985, every seed",
           lambda found: all_below(-np.array(found["r2"]), -0.985 + 1e-12)),
     Claim("The process is more accurate than the network's own readout",
           "0.0277 against 0.0417 of a MEGNet on other crystals",
           "{main[mae]:.4f} against {main[readout]:.4f} {unit}; gain {main[gain]:.4f} (95% over "
           "test crystals: {main[low]:.4f} to {main[high]:.4f})", in_table("better", "recipe"),
           "lower MAE in every seed", lambda found: all_below(found["mae"], found["readout"])),
     Claim("The published {published}, which {seen} these crystals", "",
           SCORES + "; no prediction of unseen crystals", in_table("accuracy", model="published"),
           recipes=ONE),
     Claim("With {n_enlarged:,} labels (pool's picks added), network frozen", "",
           FROZEN, in_table("enlarged", "recipe"), "MAE lower than with the initial set",
           lambda found: all_below(found["main"]["frozen"]["mae"], found["before"])),
     Claim("The same, network re-optimised on the enlarged set (Section III)", "MAE 0.0277",
           AGAIN + "{main[note]}", in_table("enlarged", "recipe"),
           "MAE lower than with the network frozen",
           lambda found: all_below(*(found["main"][n]["mae"] for n in ("again", "frozen"))))),
    (*(_laplacian(objective, by, features) for (objective, by), features in product(
        zip(OBJECTIVES, ("marginal", "predictive"), strict=True), FEATURES)),
     Claim("Hyper-parameters of the recommended pipeline", "",
           f"{{main[kernel]}}; {QUALITY}, NLL {{main[nll]:.2f}}", in_table("pipelines", "recipe"),
           recipes=OTHER),
     *map(_adam, ADAM_STEPS),
     _sensitive("L-BFGS", "L-BFGS"),
     *(_sensitive(f"Adam, {steps:,} steps", "Adam", steps) for steps in ADAM_STEPS)),
    (Claim("95% of the crystals are within 2 sigma", "95%",
           "{main[coverage_2sigma]:.3f} [{main[coverage_2sigma_low]:.3f}, "
           "{main[coverage_2sigma_high]:.3f}]; seeds {coverage_2sigma:.3f}", CALIBRATION,
           "the 95% interval (Wilson) of the coverage holds 95.45%, every seed", covers_gaussian),
     Claim("Large errors come with large sigma (Fig. 4)", "shown as a figure",
           "{spearman:.2f}", CALIBRATION,
           "Spearman's correlation of sigma and absolute error above 0.2, every seed",
           lambda found: all_below(-np.array(found["spearman"]), -0.2)),
     Claim("Mean squared z, 1 for correct error bars", "", "{mean_squared_z:.2f}", CALIBRATION),
     Claim("Miscalibration area, interval form, 0 if perfect", "",
           "{miscalibration_area_interval:.3f}", CALIBRATION),
     Claim("Worst crystals, and families among the worst tenth (q < 0.05)", "",
           "{names}; {families}", worst_crystals),
     Claim("Phosphates (with O and P) among the worst tenth of the test set",
           "phosphates among the worst, in words",
           "{main[n_bad]} of {main[n]}, {main[expected]:.1f} expected (q = {main[q_value]:.2g})",
           in_table("phosphates", "recipe"), "more than expected, with q below 0.05",
           _enriched),
     Claim("Predictive distribution: within the central 95.45%, where the recommended pipeline has "
           "the Student-t of calibrated=True", "",
           "{main[in 0.9545]:.3f} [{main[coverage_2sigma_low]:.3f}, "
           "{main[coverage_2sigma_high]:.3f}]", DISTRIBUTION,
           "the 95% interval (Wilson) of the coverage holds 95.45%, every seed",
           covers_gaussian),
     Claim("The same within the central 50, 68, 90 and 99%", "",
           "{main[in 0.5]:.3f}, {main[in 0.68]:.3f}, {main[in 0.9]:.3f}, {main[in 0.99]:.3f}",
           DISTRIBUTION),
     Claim("The same, miscalibration area by the probability integral transform", "",
           "{area:.3f}", DISTRIBUTION),
     Claim("The same, negative log likelihood in nats, CRPS and MAE of the median", "",
           "{nll:.2f}, {crps:.4f}, {mae:.4f} {unit}", DISTRIBUTION)),
    (*_active("mae_pool", "remaining pool", "43% lower after 1,500 of 7,195",
              "740 for 1,500: acceleration 2.03", "1.75"),
     *_active("mae_test", "fixed test set"),
     Claim("The long run: max-std below random on the remaining pool, after {n_long:,} of "
           "{n_pool:,}", "6,000 of 7,195 cycles run", "{percent:.0f}%",
           in_table("active", "recipe", metric="mae_pool", share="long run"),
           "lower in every seed", lambda found: effect(found["lower"])),
     Claim("Where the advantage ends: last share of the pool with an error lower by 1%", "",
           "remaining pool: {main[mae_pool]}; test set: {main[mae_test]}",
           in_table("advantage", "recipe"))),
    (*(_batches(name, metric) for name in ("conditioned", "spaced 1 l", "spaced 0.01 l")
       for metric in METRICS),
     _other("kernel", "Matern 3/2", "Laplacian"), _other("kernel", "RBF", "Laplacian"),
     *(_other("layer", name, "readout_0") for name in ("set2set", "readout_1", "all three")),
     *(_future(f"Query by sigma {text} instead of that of marginal likelihood: {protocol}",
               "gain {percent:.1f}%; {same_percent:.0f}% of the choices the same",
               change("calibrated_query", metric, "sigma", sigma, OBJECTIVES[0]))
       for sigma, text in ((OBJECTIVES[1], "of predictive likelihood"),
                           ("local", "times the z-scores of the nearest labels"))
       for metric, protocol in PROTOCOLS.items())),
    (_cost("training", "Training, {n_train:,} crystals: {epochs} times the fastest epoch"),
     _cost("hyperparameter", "Hyper-parameters ({cost_sizes})"),
     _cost("loop", "{cost_cycles:,} cycles with errors on pool and test set ({cost_sizes})")),
)
# fmt: on


def _integrated(metric, protocol):
    measure = in_table("integrated", metric=metric)
    return (
        Claim(f"Integrated variance below random on the {protocol}, after {{n_share:,}} labels", "",
              "{percent:.1f}%; {active.mean:.4f} against {random.mean:.4f} {unit}", measure,
              "lower", lambda found: effect(found["lower"]), OTHER),
        Claim(f"Error won against following the paper, after {{n_share:,}} labels, {protocol}", "",
              "{won.mean:.4f} {unit}; {active.mean:.4f} against {followed.mean:.4f}", measure,
              "lower error", lambda found: effect(found["won"]), OTHER),
        Claim(f"Labels for the error that following the paper has after {{n_share:,}}, {protocol}",
              "", "{integrated:.0f} by integrated variance, {chance:.0f} at random", measure,
              recipes=OTHER),
    )  # fmt: skip


def _from_nothing(moment):
    return Claim(
        "Without a label and a network at first: initial design and integrated variance on "
        f"composition against random, test set, {moment}", "",
        "after {main[labels]:,} labels {percent:.1f}% lower, {active.mean:.4f} against "
        "{random.mean:.4f} {unit}; {n_parity:.0f} labels for the error of as many random ones",
        in_table("from_nothing", moment=moment),
        "lower", lambda found: effect(found["lower"]), OTHER,
    )  # fmt: skip


def _varied(name):
    def measure(run, recipe):
        (row,) = run.select("variations", variation=name)
        found = {"before": row["before"]}
        for metric in METRICS:
            found[metric] = {key: Seeds([value]) for key, value in row[metric].items()}
        return found

    parts = (
        f"{protocol}: {{{metric}[percent]:.1f}}% ({{{metric}[percent_low]:.1f}} to "
        f"{{{metric}[percent_high]:.1f}}), parity {{{metric}[n_parity]:.0f}}"
        for metric, protocol in PROTOCOLS.items()
    )
    return Claim(
        f"Changed: {name}", "43%, parity 740",
        "; ".join(parts) + "; 43% at {mae_pool[n_as_paper]:.0f} labels; before: MAE "
        "{before[mae]:.4f}, 2-sigma coverage {before[coverage_2sigma]:.3f}", measure,
        "at least 43% lower on the remaining pool; partly: half of that",
        lambda found: _as_paper(found["mae_pool"]["lower"].mean), ONE,
    )  # fmt: skip


def _as_paper(lower):
    return YES if lower >= PAPER["lower"] else PARTLY if lower >= PAPER["lower"] / 2 else NO


#: What other choices than the paper's gain.
BETTER = (
    *(claim for metric, protocol in PROTOCOLS.items() for claim in _integrated(metric, protocol)),
    _from_nothing("few labels"),
    _from_nothing("as many as the initial set"),
)


def claims_of(run):
    """List the claims that apply to a run, in the order and with the numbers of their rows."""
    *groups, cost = GROUPS
    properties = run.facts.get("properties", {}) | run.facts.get("other_properties", {})
    groups[5] += tuple(c for name, unit in properties.items() for c in _scarce(name, unit))
    groups += [cost, BETTER, tuple(_varied(row["variation"]) for row in run.select("variations"))]
    return [
        replace(claim, row=f"{group}.{number}")
        for group, claims in enumerate(groups, start=1)
        for number, claim in enumerate(claims, start=1)
    ]
