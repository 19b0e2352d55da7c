"""The claims of the paper, as data: what each says, how it is measured, and when it holds."""

from collections.abc import Callable
from dataclasses import dataclass
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
LEAST_GAIN = 0.001
RATIO = PAPER["amplitude"] ** 2 / PAPER["length_scale"]
PROTOCOLS = dict(zip(METRICS, ("remaining pool", "test set"), strict=True))


@dataclass(frozen=True)
class Claim:
    """A line of the table.

    `text` is filled with the facts of the run; `ours` also with the dict that
    ``measure(run, recipe)`` returns, or None if the claim does not apply. ``judge`` turns that dict
    into a verdict, by the `criterion`.
    """

    row: str
    text: str
    paper: str
    ours: str
    measure: Callable
    criterion: str = ""
    judge: Callable | None = None
    recipes: tuple = RECIPES


def make_table(run, claims=None):
    """Fill the claims from a run and judge them; one that does not apply has no line."""
    table = []
    for claim in CLAIMS if claims is None else claims:
        line = {"row": claim.row, "claim": claim.text.format(**run.facts), "paper": claim.paper}
        applies = False
        for recipe in RECIPES:
            found = claim.measure(run, recipe) if recipe in claim.recipes else None
            applies |= found is not None
            ours = "" if found is None else claim.ours.format(**(run.facts | found))
            judged = found is not None and claim.judge is not None
            line[f"ours, {recipe} pipeline"] = ours
            line[f"held, {recipe} pipeline"] = claim.judge(found) if judged else NONE
        if applies:
            table.append(line | {"criterion": claim.criterion})
    return table


def effect(values, paper, least=0.0):
    """Judge gains, one a seed, None being no gain.

    "yes" if all are above `least` and the mean is at least half of the paper's; "partly" if the
    mean is above `least`.
    """
    gains = np.array([0.0 if value is None else value for value in values])
    if (gains > least).all() and gains.mean() >= paper / 2:
        return YES
    return PARTLY if gains.mean() > least else NO


def all_below(values, limits):
    """Judge whether each value is below its limit: "yes", "partly" if so in the mean, or "no"."""
    values, limits = np.array(values), np.broadcast_to(limits, np.shape(values))
    if (values < limits).all():
        return YES
    return PARTLY if values.mean() < limits.mean() else NO


def within_factor(values, target, factor=2.0):
    """Judge whether each value is within a factor of the target: "yes", "partly" if some, "no"."""
    near = np.abs(np.log(np.array(values) / target)) <= np.log(factor)
    return YES if near.all() else PARTLY if near.any() else NO


def _verdict(held, partly=False):
    return YES if held else PARTLY if partly else NO


def _near_paper(points):
    names = ("amplitude", "length_scale")
    return all(within_factor([p[name] for p in points], PAPER[name]) == YES for name in names)


def _near_or_ratio(found):
    partly = within_factor(found["ratios"], RATIO) == YES
    return _verdict(_near_paper(found["points"]), partly)


def _covers_gaussian(found):
    inside = [
        s["coverage_2sigma_low"] <= GAUSSIAN <= s["coverage_2sigma_high"] for s in found["all"]
    ]
    return _verdict(all(inside), any(inside))


def _accelerates(found):
    return effect([None if s is None else s - 1 for s in found["acceleration"]], 1.03)


def _test_error(run, recipe):
    seeds = {f"{name}s": run.seeds("accuracy", name, model=recipe) for name in ("mae", "r2")}
    return run.main("accuracy", model=recipe) | seeds


def _against_readout(run, recipe):
    new, old = (run.main("accuracy", model=model)["mae"] for model in (recipe, "readout"))
    news, olds = (run.seeds("accuracy", "mae", model=model) for model in (recipe, "readout"))
    found = {"mae": new, "readout": old, "gain": old - new, "news": news, "olds": olds}
    return found | run.first("better", recipe=recipe)


def _enlarged(run, recipe):
    """Scores with the network frozen, ``f``, and optimised again, ``a``."""
    f, a, readout = (
        run.first("enlarged", network=network, model=model)
        for network, model in (("frozen", recipe), ("again", recipe), ("again", "readout"))
    )
    more = f"; readout {readout['mae']:.4f}" if recipe == "paper" else ""
    return {"f": f, "a": a, "more": more, "before": run.main("accuracy", model=recipe)["mae"]}


def _laplacian(features, objective):
    def measure(run, recipe):
        where = {"features": features, "objective": objective}
        points = run.spread("hyperparameters", **where)
        ratios = Seeds(point["ratio"] for point in points)
        main = run.main("hyperparameters", **where)
        return main and main | {"points": points, "ratios": ratios}

    return measure


def _ends(optimizer, steps=None):
    def measure(run, recipe):
        ends = run.select("ends", features="raw", optimizer=optimizer, steps=steps)
        columns = {"l": "length_scale", "below": "nats_below", "mae": "mae"}
        values = {name: [end[column] for end in ends] for name, column in columns.items()}
        return {name: {"low": min(v), "high": max(v)} for name, v in values.items()}

    return measure


def _error_bars(run, recipe):
    found = run.spread("calibration", recipe=recipe)
    columns = ("coverage_2sigma", "spearman", "mean_squared_z", "miscalibration_area_interval")
    seeds = {name: Seeds(row[name] for row in found) for name in columns}
    return seeds | {"main": run.main("calibration", recipe=recipe), "all": found}


def _worst(run, recipe):
    worst, families = (run.select(table, recipe=recipe)[:4] for table in ("worst", "families"))
    families = [f"{row['group']} ({row['n_bad']} of {row['n']})" for row in families]
    names = ", ".join(row["formula"] for row in worst)
    return {"names": names, "families": ", ".join(families) or "no family stands out"}


def _gains(table, metric, **where):
    """Gains of max-std over random choice, seed by seed."""

    def measure(run, recipe):
        rows = run.spread(table, metric=metric, recipe=recipe, **where)
        columns = ("active", "random", "lower", "factor", "n_parity", "acceleration")
        found = {name: Seeds(row[name] for row in rows) for name in columns}
        return found | {"percent": found["lower"].times(100), "gain": found["lower"]}

    return measure


def _last_shares(run, recipe):
    shares = []
    for metric, protocol in PROTOCOLS.items():
        last = run.first("advantage", recipe=recipe, metric=metric)["last"]
        share = "never" if last is None else f"{last / run.facts['n_pool']:.0%}"
        shares.append(f"{protocol}: {share}")
    return {"shares": "; ".join(shares)}


def _change(table, metric, case, new, old, *shown, **where):
    """Gain of one case over another, seed by seed; new None is the recipe."""

    def measure(run, recipe):
        after, before = (run.spread(table, **{case: c or recipe}, **where) for c in (new, old))
        gain = Seeds(1 - a[metric] / b[metric] for a, b in zip(after, before, strict=True))
        found = {"gain": gain, "percent": gain.times(100)}
        for name in (metric, *shown):
            found[name] = Seeds(row[name] for row in after)
            found[f"old_{name}"] = Seeds(row[name] for row in before)
        return found

    return measure


def _seconds(step):
    def measure(run, recipe):
        seconds, processor = (
            run.first("cost", step=step)[name] for name in ("seconds", "processor_seconds")
        )
        time = f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
        more = "" if processor is None else f" ({processor:.1f} s of processor time)"
        return {"seconds": seconds, "time": time + more}

    return measure


# fmt: off
ONE, OTHER = ("paper",), ("recommended",)
SCORES = "MAE {mae:.4f}, MSE {mse:.4f}, R2 {r2:.3f}"
F, A = (SCORES.replace("{", f"{{{name}[").replace(":", "]:") for name in "fa")
QUALITY = "test MAE {mae:.4f}, 2-sigma coverage {coverage_2sigma:.3f}"
AL = "a = {amplitude:.3g}, l = {length_scale:.3g}"
PAPER_AL = f"a = {PAPER['amplitude']}, l = {PAPER['length_scale']}"

CLAIMS = [
    *(Claim(row, text, "shown as a map", f"{{{kind}:.3f}} {{unit}}; shuffled {{shuffled.mean:.3f}}",
            lambda run, recipe: {name: run.seeds("latent", name, recipe=recipe)
                                 for name in ("layer", "map", "shuffled")},
            "MAE at most half of that in a shuffled map, every seed",
            lambda found, kind=kind: all_below(found[kind], found["shuffled"].times(0.5)))
      for row, kind, text in (
          ("1.1", "layer", "The layer is structured by the target (nearest neighbour's label)"),
          ("1.2", "map", "Its t-SNE map is structured by the target (Fig. 2)"))),
    Claim("2.1", "Error on the fixed test set, initial {n_train:,} labels",
          "MAE 0.0277, MSE 0.0015 (printed as 0.002), R2 0.994 (7,800 oxides)",
          SCORES + "; MAE of seeds {maes:.3f}", _test_error,
          "R2 at least 0.985, every seed",
          lambda found: all_below(found["r2s"].times(-1), -0.985 + 1e-12)),
    Claim("2.2", "The process is more accurate than the network's own readout",
          "0.0277 against 0.0417 of a MEGNet on other crystals",
          "{mae:.4f} against {readout:.4f} {unit}; gain {gain:.4f} (95% over test crystals: "
          "{low:.4f} to {high:.4f})", _against_readout,
          "lower MAE in every seed", lambda found: all_below(found["news"], found["olds"])),
    Claim("2.3", "The published {published}, which {seen} these crystals", "",
          SCORES + "; no prediction of unseen crystals",
          lambda run, recipe: run.main("accuracy", model="published"), recipes=ONE),
    Claim("2.4", "With {n_enlarged:,} labels (pool's picks added), network frozen", "",
          F, _enlarged, "MAE lower than with the initial set",
          lambda found: _verdict(found["f"]["mae"] < found["before"])),
    Claim("2.5", "The same, network re-optimised on the enlarged set (Section III)", "MAE 0.0277",
          A + "{more}", _enlarged, "MAE lower than with the network frozen",
          lambda found: _verdict(found["a"]["mae"] < found["f"]["mae"])),
    *(Claim(f"3.{number}",
            f"Hyper-parameters from 1.0 and 1.0: {features} features, {by} likelihood",
            f"{PAPER_AL}, a^2 / l = {RATIO:.4f}",
            f"{AL}, a^2 / l = {{ratios:.3g}}; {QUALITY}, NLL {{nll:.2f}}",
            _laplacian(features, objective),
            "a and l within a factor of 2, every seed; partly: only a^2 / l", _near_or_ratio, ONE)
      for number, ((objective, by), features) in enumerate(
          product(zip(OBJECTIVES, ("marginal", "predictive"), strict=True), FEATURES), start=1)),
    Claim("3.5", "Hyper-parameters of the recommended pipeline", "",
          f"{{kernel}}; {QUALITY}, NLL {{nll:.2f}}",
          lambda run, recipe: run.main("pipelines", recipe=recipe), recipes=OTHER),
    *(Claim(f"3.{number}",
            f"Adam from 1.0 and 1.0, {steps:,} steps, raw features, marginal likelihood", PAPER_AL,
            f"{AL}; {{nats_below:.3g}} nats below the best; {QUALITY}",
            lambda run, recipe, steps=steps: run.first(
                "ends", features="raw", optimizer="Adam", steps=steps, start=[1.0, 1.0]),
            "a and l within a factor of 2", lambda found: _verdict(_near_paper([found])), ONE)
      for number, steps in enumerate(ADAM_STEPS, start=6)),
    *(Claim(f"3.{number}",
            f"Sensitive to the initial values: {name} from 9 starts, raw features",
            "said in words",
            "l from {l[low]:.3g} to {l[high]:.3g}; {below[low]:.2g} to {below[high]:.2g} nats "
            "below the best; test MAE {mae[low]:.4f} to {mae[high]:.4f}", measure,
            "the lengths at the ends differ by more than a factor of 2",
            lambda found: _verdict(found["l"]["high"] > 2 * found["l"]["low"]), ONE)
      for number, name, measure in (
          (8, "L-BFGS", _ends("L-BFGS")),
          (9, "Adam, 100 steps", _ends("Adam", 100)),
          (10, "Adam, 10,000 steps", _ends("Adam", 10_000)))),
    Claim("4.1", "95% of the crystals are within 2 sigma", "95%",
          "{main[coverage_2sigma]:.3f} [{main[coverage_2sigma_low]:.3f}, "
          "{main[coverage_2sigma_high]:.3f}]; seeds {coverage_2sigma:.3f}", _error_bars,
          "the 95% interval (Wilson) of the coverage holds 95.45%, every seed", _covers_gaussian),
    Claim("4.2", "Large errors come with large sigma (Fig. 4)", "shown as a figure",
          "{spearman:.2f}", _error_bars,
          "Spearman's correlation of sigma and absolute error above 0.2, every seed",
          lambda found: all_below(found["spearman"].times(-1), -0.2)),
    Claim("4.3", "Mean squared z, 1 for honest error bars", "", "{mean_squared_z:.2f}",
          _error_bars),
    Claim("4.4", "Miscalibration area, interval form, 0 if perfect", "",
          "{miscalibration_area_interval:.3f}", _error_bars),
    Claim("4.5", "Worst crystals, and families among the worst tenth (q < 0.05)", "",
          "{names}; {families}", _worst),
    *(claim for first, metric, protocol, paper in (
        (1, "mae_pool", "remaining pool", (
            "43% lower after 1,500 of 7,195", "740 for 1,500: acceleration 2.03", "1.75")),
        (4, "mae_test", "fixed test set", ("", "", "")))
      for claim in (
          Claim(f"5.{first}",
                f"max-std below random on the {protocol}, after {{n_share:,}} of {{n_pool:,}}",
                paper[0], "{percent:.1f}%; {active.mean:.4f} against {random.mean:.4f} {unit}",
                _gains("active", metric, share="paper"),
                "lower in every seed, by at least 21.5% in the mean; partly: lower in the mean",
                lambda found: effect(found["lower"], PAPER["lower"])),
          Claim(f"5.{first + 1}",
                f"Labels for the error of {{n_share:,}} random ones on the {protocol}",
                paper[1], "{n_parity:.0f} labels; acceleration {acceleration:.2f}",
                _gains("active", metric, share="paper"),
                "acceleration above 1 in every seed, at least 1.515 in the mean; partly: above 1 "
                "in the mean", _accelerates),
          Claim(f"5.{first + 2}", f"Enhancement factor, MAE_random / MAE_max-std, {protocol}",
                paper[2], "{factor:.2f}", _gains("active", metric, share="paper")))),
    Claim("5.7",
          "The long run: max-std below random on the remaining pool, after {n_long:,} of "
          "{n_pool:,}", "6,000 of 7,195 cycles run", "{percent:.0f}%",
          _gains("active", "mae_pool", share="long run"), "lower in every seed",
          lambda found: effect(found["lower"], 0.0)),
    Claim("5.8", "Where the advantage ends: last share of the pool with an error lower by 1%", "",
          "{shares}", _last_shares),
    *(Claim(f"6.{number}", text, "future work", ours, measure,
            "a gain above 0.1% in every seed; partly: in the mean",
            lambda found: effect(found["gain"], 0.0, LEAST_GAIN), recipes)
      for number, (text, ours, measure, recipes) in enumerate((
          *((f"{{n_batches}} batches of {{batch_size}}, {name}, against the largest sigmas: "
             f"{protocol}",
             f"gain {{percent:.1f}}%; {{{metric}.mean:.4f}} against {{old_{metric}.mean:.4f}} "
             "{unit}", _change("batches", metric, "strategy", name, "largest"), ONE)
            for name in ("conditioned", "spaced 1 l", "spaced 0.01 l")
            for metric, protocol in PROTOCOLS.items()),
          *((f"Other {case}: {name} against {base}, test set",
             "gain {percent:.1f}%; MAE {mae.mean:.4f} against {old_mae.mean:.4f} {unit}, NLL "
             "{nll.mean:.2f} against {old_nll.mean:.2f}",
             _change(f"{case}s", "mae", case, name, base, "nll"), ONE)
            for case, name, base in (
                ("kernel", "Matern 3/2", "Laplacian"), ("kernel", "RBF", "Laplacian"),
                ("layer", "set2set", "readout_0"), ("layer", "readout_1", "readout_0"),
                ("layer", "all three", "readout_0"))),
          *((f"Query by sigma of predictive instead of marginal likelihood: {protocol}",
             "gain {percent:.1f}%; {same_percent:.0f}% of the choices the same",
             _change("calibrated_query", metric, "objective", *OBJECTIVES[::-1], "same_percent"),
             ONE) for metric, protocol in PROTOCOLS.items()),
          *(row for name, unit in PROPERTIES.items() for row in (
              (f"Scarce property, {name}: transferred vectors against trees on composition",
               f"gain {{percent:.1f}}%; MAE {{mae.mean:.4f}} against {{old_mae.mean:.4f}}{unit}",
               _change("scarce", "mae", "model", None, "trees on composition", property=name),
               RECIPES),
              *((f"Scarce property, {name}: max-std below random on the {protocol}",
                 "{percent:.1f}% lower; acceleration {acceleration:.2f}",
                 _gains("scarce_learning", metric, property=name), RECIPES)
                for metric, protocol in PROTOCOLS.items())))), start=1)),
    *(Claim(f"7.{number}", text, f"{PAPER[hours]} h (Quadro P5000)", "{time}",
            _seconds(step), "less time than the paper's",
            lambda found, hours=hours: _verdict(found["seconds"] < 3600 * PAPER[hours]), ONE)
      for number, (step, hours, text) in enumerate((
          ("training", "training_hours",
           "Training, {n_train:,} crystals, {epochs} epochs ({training_how})"),
          ("hyperparameters", "hyperparameter_hours", "Hyper-parameters ({cost_sizes})"),
          ("loop", "loop_hours",
           "{cost_cycles:,} cycles with errors on pool and test set ({cost_sizes})")), start=1)),
]
# fmt: on
