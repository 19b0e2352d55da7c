"""The table: rows 5 and 6, what labels are worth."""

from itertools import count

import numpy as np

from .active import cycles_of_paper, gains
from .claims import NO, PARTLY, YES, Claim, effect, spread
from .hyperparameters import OBJECTIVES
from .scarce import PROPERTIES
from .settings import PAPER
from .trials import RECIPES

__all__ = ["active_claims", "end_of_advantage", "extension_claims"]

#: Crystals that must be left for an error on the remaining pool to mean something.
LEAST_LEFT = 50
ADVANTAGE = 0.01
LEAST_GAIN = 0.001
PROTOCOLS = (("mae_pool", "remaining pool"), ("mae_test", "test set"))
GAIN = "a gain above 0.1% in every seed; partly: in the mean"


def active_claims(data, runs):
    """Make the lines of row 5.

    Parameters
    ----------
    data : Data
    runs : list of dict
        Results of `active_learning`, one a seed.

    Yields
    ------
    Claim
    """
    n = cycles_of_paper(len(data.pool))
    at = f"after {n:,} of {len(data.pool):,}"
    protocols = (("mae_pool", "remaining pool"), ("mae_test", "fixed test set"))
    found = {
        (recipe, metric): [_gains(run, recipe, metric, n) for run in runs]
        for recipe in RECIPES
        for metric, _ in protocols
    }
    for k, (metric, protocol) in enumerate(protocols):
        lower = Claim(
            f"5.{1 + 3 * k}",
            f"max-std below random on the {protocol}, {at}",
            "43% lower after 1,500 of 7,195" if not k else "",
            "lower in every seed, by at least 21.5% in the mean; partly: lower in the mean",
        )
        parity = Claim(
            f"5.{2 + 3 * k}",
            f"Labels for the error of {n:,} random ones on the {protocol}",
            "740 for 1,500: acceleration 2.03" if not k else "",
            "acceleration above 1 in every seed, at least 1.515 in the mean; partly: above 1 in "
            "the mean",
        )
        enhancement = Claim(
            f"5.{3 + 3 * k}",
            f"Enhancement factor, MAE_random / MAE_max-std, {protocol}",
            "1.75" if not k else "",
            "",
        )
        for recipe in RECIPES:
            seeds = found[recipe, metric]
            part = [seed["lower"] for seed in seeds]
            active, random = (np.mean([s[key] for s in seeds]) for key in ("active", "random"))
            lower.ours[recipe] = (
                f"{spread([100 * p for p in part], '{:.1f}')}%; "
                f"{active:.4f} against {random:.4f} {data.unit}"
            )
            lower.held[recipe] = effect(part, PAPER["lower"])
            speed = [seed["acceleration"] for seed in seeds]
            labels = spread([seed["n_parity"] for seed in seeds], "{:.0f}")
            parity.ours[recipe] = f"{labels} labels; acceleration {spread(speed, '{:.2f}')}"
            parity.held[recipe] = effect([None if s is None else s - 1 for s in speed], 1.03)
            enhancement.ours[recipe] = spread([seed["factor"] for seed in seeds], "{:.2f}")
        yield from (lower, parity, enhancement)
    yield from _long_run(data, runs)


def _gains(run, recipe, metric, n):
    return gains(run[f"max_std_{recipe}_{metric}"], run[f"random_{recipe}_{metric}"], n)


def _long_run(data, runs):
    n_pool = len(data.pool)
    n = cycles_of_paper(n_pool, PAPER["n_cycles_long"])
    claim = Claim(
        "5.7",
        f"The long run: max-std below random on the remaining pool, after {n:,} of {n_pool:,}",
        "6,000 of 7,195 cycles run",
        "lower in every seed",
    )
    end = Claim(
        "5.8",
        f"Where the advantage ends: last share of the pool with an error lower by {ADVANTAGE:.0%}",
        "",
        "",
    )
    for recipe in RECIPES:
        part = [_gains(run, recipe, "mae_pool", n)["lower"] for run in runs]
        claim.ours[recipe] = f"{spread([100 * p for p in part], '{:.0f}')}%"
        claim.held[recipe] = YES if min(part) > 0 else PARTLY if np.mean(part) > 0 else NO
        texts = []
        for metric, protocol in PROTOCOLS:
            last = end_of_advantage(runs, recipe, metric)
            texts.append(f"{protocol}: {'never' if last is None else f'{last / n_pool:.0%}'}")
        end.ours[recipe] = "; ".join(texts)
    yield claim
    yield end


def end_of_advantage(runs, recipe, metric):
    """Find the last number of labels with which the mean over seeds is lower than at random.

    Parameters
    ----------
    runs : list of dict
    recipe : str
    metric : {"mae_pool", "mae_test"}

    Returns
    -------
    int or None
        Lower by at least `ADVANTAGE`; None if it never is. At least `LEAST_LEFT` crystals are left
        in the pool.
    """
    active = np.mean([run[f"max_std_{recipe}_{metric}"] for run in runs], axis=0)
    random = np.mean([run[f"random_{recipe}_{metric}"].mean(axis=0) for run in runs], axis=0)
    lower = 1 - active[1:-LEAST_LEFT] / random[1:-LEAST_LEFT]
    better = np.flatnonzero(lower >= ADVANTAGE)
    return int(better[-1]) + 1 if len(better) else None


def _gain(new, old):
    """Return by which part an error is lower, a value a seed."""
    return [1 - a / b for a, b in zip(new, old, strict=True)]


def _percent(values):
    return f"{spread([100 * value for value in values], '{:.1f}')}%"


def _judged(number, text, found):
    """Make a line of row 6; `found` has the gains, a value a seed, and our text by recipe."""
    claim = Claim(f"6.{next(number)}", text, "future work", GAIN)
    for recipe, (gain, ours) in found.items():
        claim.ours[recipe], claim.held[recipe] = ours, effect(gain, 0.0, LEAST_GAIN)
    return claim


def extension_claims(data, results):
    """Make the lines of row 6.

    Parameters
    ----------
    data : Data
    results : dict

    Yields
    ------
    Claim
    """
    found = results["batches"]
    size, n_batches = found["size"], found["n_batches"]
    number = count(1)
    for name in found:
        if not name.startswith(("spaced", "conditioned")):
            continue
        for metric, protocol in PROTOCOLS:
            new, old = ([seed[metric] for seed in found[key]] for key in (name, "largest"))
            text = f"{n_batches} batches of {size}, {name}, against the largest sigmas: {protocol}"
            mean = f"; {np.mean(new):.4f} against {np.mean(old):.4f} {data.unit}"
            gain = _gain(new, old)
            yield _judged(number, text, {"paper": (gain, f"gain {_percent(gain)}{mean}")})
    for group, base, title in (
        ("kernels", "Laplacian", "kernel"),
        ("layers", "readout_0", "layer"),
    ):
        old = [seed["mae"] for seed in results[group][base]]
        for name in (key for key in results[group] if key not in (base, "seconds", "warnings")):
            seeds = results[group][name]
            new = [seed["mae"] for seed in seeds]
            nll, before = (
                np.mean([seed["nll"] for seed in results[group][key]]) for key in (name, base)
            )
            gain = _gain(new, old)
            ours = (
                f"gain {_percent(gain)}; MAE {np.mean(new):.4f} against {np.mean(old):.4f} "
                f"{data.unit}, NLL {nll:.2f} against {before:.2f}"
            )
            text = f"Other {title}: {name} against {base}, test set"
            yield _judged(number, text, {"paper": (gain, ours)})
    query = results["calibrated_query"]
    for metric, protocol in PROTOCOLS:
        new, old = ([seed[metric] for seed in query[objective]] for objective in OBJECTIVES[::-1])
        text = f"Query by sigma of predictive instead of marginal likelihood: {protocol}"
        gain, same = _gain(new, old), spread([100 * part for part in query["same"]], "{:.0f}")
        ours = f"gain {_percent(gain)}; {same}% of the choices the same"
        yield _judged(number, text, {"paper": (gain, ours)})
    for name, unit in PROPERTIES.items():
        seeds = results["scarce"][name]
        text = f"Scarce property, {name}: transferred vectors against trees on composition"
        yield _judged(number, text, {r: _scarce_accuracy(seeds, r, unit) for r in RECIPES})
        for metric, protocol in PROTOCOLS:
            text = f"Scarce property, {name}: max-std below random on the {protocol}"
            yield _judged(number, text, {r: _scarce_learning(seeds, r, metric) for r in RECIPES})


def _scarce_accuracy(seeds, recipe, unit):
    new, trees = ([s["mae"][model] for s in seeds] for model in (recipe, "trees on composition"))
    gain, shown = _gain(new, trees), "" if unit == "1" else f" {unit}"
    return gain, (
        f"gain {_percent(gain)}; MAE {np.mean(new):.4f} against {np.mean(trees):.4f}{shown}"
    )


def _scarce_learning(seeds, recipe, metric):
    part, speed = (
        [seed[recipe][metric][key] for seed in seeds] for key in ("lower", "acceleration")
    )
    return part, f"{_percent(part)} lower; acceleration {spread(speed, '{:.2f}')}"
