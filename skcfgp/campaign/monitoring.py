"""How good the predictions were that stood before each label came, and when to stop.

Prequential: each label is compared with the prediction on record before the model learns it (Dawid,
J. R. Stat. Soc. A 147, 278 (1984), doi:10.2307/2981683), so no label is spent on a test set.
"""

import math
import re
from typing import NamedTuple

import numpy as np

__all__ = ["Rule", "StoppedError", "alarm", "compare", "measured_gain", "parse_rule", "rules_met"]

#: Number of labels with a prediction from which there can be an alarm.
ALARM_MIN = 20

N_RESAMPLES = 1000

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf)"
_PATTERNS = (
    r"(max-std|mean-std|expected-error)\s*<\s*" + _NUMBER,
    r"(labels|cost)\s*>=\s*" + _NUMBER,
    r"(no-gain)",
)


class StoppedError(RuntimeError):
    """A rule to stop is met, so that nothing was suggested."""


class Rule(NamedTuple):
    """A quantity and the limit at which to stop."""

    quantity: str
    limit: float | None

    def __str__(self):
        if self.limit is None:
            return self.quantity
        sign = "<" if self.quantity in ("max-std", "mean-std", "expected-error") else ">="
        return f"{self.quantity} {sign} {repr(self.limit).removesuffix('.0')}"  # every digit


def compare(ledger, new, failed, source=None):
    """Compare checked labels with the predictions on record; return the content of a `tell`."""
    state = ledger.state
    found = {id_: None if id_ in state.labels else _on_record(ledger, id_) for id_ in new}
    rows = [
        {"id": id_, "value": value, "was": state.labels.get(id_), "comparison": found[id_]}
        for id_, value in new.items()
    ]
    comparisons = state.comparisons | {id_: c for id_, c in found.items() if c is not None}
    comparisons = {id_: c for id_, c in comparisons.items() if id_ not in failed}
    return {
        "rows": rows,
        "failed": [{"id": id_, "reason": reason} for id_, reason in failed.items()],
        "source": source,
        # What told nothing new changes nothing.
        "estimates": estimate(comparisons, state.labels | new)
        if new or failed
        else state.estimates,
    }


def _on_record(ledger, id_):
    """Return the newest prediction that was recorded for a crystal, or None."""
    state = ledger.state
    record = state.records.get(id_)
    if state.predicted_at is not None and (record is None or state.predicted_at > record["event"]):
        found = ledger.connection.execute(
            "SELECT mean, std FROM predictions JOIN crystals USING (position) "
            "WHERE predictions.event = ? AND id = ?",
            [state.predicted_at, id_],
        ).fetchone()
        if found is not None:
            record = {"prediction": found[0], "std": found[1], "event": state.predicted_at}
    return None if record is None else {**record, "arm": state.arms.get(id_)}


def compared(comparisons, labels, arm="all"):
    """Return labels, predictions and standard deviations as an array; None if there are none."""
    rows = [
        (labels[id_], c["prediction"], c["std"])
        for id_, c in comparisons.items()
        if arm in ("all", c["arm"]) and c["std"] > 0
    ]
    return np.array(rows).T if rows else None


def estimate(comparisons, labels):
    """Summarise the predictions on record against the labels that came.

    The keys are ``"all"``, ``"strategy"`` (chosen crystals) and ``"random"`` (drawn at random: what
    holds for the whole pool), where there are any. The values have ``n``, ``mae`` (in the unit of
    the labels), ``coverage`` (of 2 standard deviations) and ``mean_squared_z``, the last two with
    95 % intervals.
    """
    from ..calibration import coverage, coverage_interval, mean_squared_z, mean_squared_z_interval

    result = {}
    for arm in ("all", "strategy", "random"):
        columns = compared(comparisons, labels, arm)
        if columns is None:
            continue
        result[arm] = {
            "n": len(columns[0]),
            "mae": float(np.abs(columns[0] - columns[1]).mean()),
            "coverage": coverage(*columns),
            "coverage_interval": list(coverage_interval(*columns)),
            "mean_squared_z": mean_squared_z(*columns),
            "mean_squared_z_interval": list(
                mean_squared_z_interval(*columns, n_resamples=N_RESAMPLES, random_state=0)
            ),
        }
    return result


def alarm(estimates):
    """Say whether the error bars have stopped being honest, and what to do; None if not."""
    if (enough := _enough(estimates)) is None:
        return None
    value, (low, high) = enough["mean_squared_z"], enough["mean_squared_z_interval"]
    if low <= 1 <= high:
        return None
    advice = "use"
    if low > 1:
        advice = (
            "look first at the worst labels in the report (a wrong unit, a calculation that did "
            "not converge), and label some crystals at random (--random-fraction); then use"
        )
    return (
        f"the error bars are too {'small' if low > 1 else 'large'}: mean squared z of "
        f"{enough['n']} labels is {value:.2f} (95 % interval {low:.2f} to {high:.2f}), and should "
        f"be 1. To correct them, {advice} 'predict --rescale', which multiplies the standard "
        f"deviations by {math.sqrt(value):.2f}."
    )


def rescaling(estimates):
    """Return what makes the mean squared z of the estimates 1; None with too few labels."""
    enough = _enough(estimates)
    return None if enough is None else math.sqrt(enough["mean_squared_z"])


def _enough(estimates):
    """Estimates of the random arm, which speaks for the pool, else of all; None with few labels."""
    arms = (estimates[arm] for arm in ("random", "all") if arm in estimates)
    return next((found for found in arms if found["n"] >= ALARM_MIN), None)


def measured_gain(gp, X, y, start, strategy, random, *, n_folds=5, random_state=0):
    """Measure what the strategy gained over random choice, with equally many labels of each.

    One process learns the labels at the start and those drawn at random, except for a fold of them;
    another one learns the labels at the start and equally many that the strategy chose. Both
    predict the fold, so that fold by fold every label drawn at random is predicted by both. The
    hyper-parameters are those of `gp`. `start`, `strategy` and `random` are rows of `X` and `y`, in
    the order of arrival.

    The result has ``gain`` (mean of the absolute errors with random labels minus that with chosen
    ones, in the unit of y, positive where the strategy is better), ``interval`` (95 %, by bootstrap
    over the crystals), ``n`` of these, ``n_taught``, ``mae_random`` and ``mae_strategy``. It is
    None with fewer than 10 labels of either kind. The crystals drawn at random come from what the
    strategy had left in the pool, so the folds hold few crystals that the strategy would choose.
    """
    from sklearn import clone
    from sklearn.utils import check_random_state

    if min(len(random), len(strategy)) < 2 * n_folds:
        return None
    rng = check_random_state(random_state)
    fixed = clone(gp).set_params(kernel=gp.kernel_, optimizer=None)
    order = rng.permutation(len(random))
    errors = []
    for fold in range(n_folds):
        held_out = [random[i] for i in order[fold::n_folds]]
        taught = [row for row in random if row not in set(held_out)]
        n_taught = min(len(taught), len(strategy))
        predictions = [
            clone(fixed).fit(X[rows], y[rows]).predict(X[held_out])
            for rows in ([*start, *taught[:n_taught]], [*start, *strategy[:n_taught]])
        ]
        errors.append(np.abs(predictions - y[held_out]))
    errors = np.hstack(errors)
    difference = errors[0] - errors[1]
    means = rng.choice(difference, (N_RESAMPLES, len(difference))).mean(axis=1)
    mae_random, mae_strategy = errors.mean(axis=1).tolist()
    return {
        "gain": float(difference.mean()),
        "interval": np.quantile(means, [0.025, 0.975]).tolist(),
        "n": len(difference),
        "n_taught": n_taught,
        "mae_random": mae_random,
        "mae_strategy": mae_strategy,
    }


def parse_rule(text):
    """Read a rule.

    Parameters
    ----------
    text : str
        ``"max-std < 0.05"``, ``"mean-std < 0.02"`` or ``"expected-error < 0.03"``, in the unit of
        the labels; ``"labels >= 500"``; ``"cost >= 1e6"``; ``"no-gain"``.

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        If it is not one of these, or its limit is not a positive finite number.

    Examples
    --------
    >>> from skcfgp.campaign import parse_rule
    >>> print(parse_rule("max-std<0.05"))
    max-std < 0.05
    """
    rule = stored_rule(text)
    if rule is None:
        raise ValueError(
            f"a rule is one of 'max-std < X', 'mean-std < X', 'expected-error < X', "
            f"'labels >= N', 'cost >= C' and 'no-gain', got {text!r}."
        )
    if rule.limit is not None and not 0 < rule.limit < math.inf:
        raise ValueError(f"the limit of a rule must be a positive finite number, got {text!r}.")
    return rule


def stored_rule(text):
    """Read a rule, also one with a limit that older versions took into a campaign; None if none."""
    for pattern in _PATTERNS:
        if match := re.fullmatch(pattern, re.sub(r"(?<=[a-z])[ _](?=[a-z])", "-", text.strip())):
            return Rule(match[1], float(match[2]) if match.re.groups > 1 else None)
    return None


def expected_error(mean_std, estimates):
    """Mean absolute error to expect from a mean standard deviation, in the same unit.

    That is sqrt(2 / pi) times the standard deviation for a Gaussian, corrected where the error bars
    were found to be too small or too large.
    """
    return math.sqrt(2 / math.pi) * mean_std * (rescaling(estimates) or 1.0)


def rules_met(ledger, curve=None, gain=None):
    """List the rules to stop that are met; those about `curve` and `gain` only if these are given.

    The standard deviations in `curve` follow from which crystals are labelled, not from the values.
    """
    state = ledger.state
    if not state.settings["until"]:
        return []
    values = {"labels": len(state.labels), "cost": spent(ledger), "no-gain": gain}
    if curve:
        values |= {"max-std": curve["max_std"], "mean-std": curve["mean_std"]}
        values["expected-error"] = expected_error(curve["mean_std"], state.estimates)
    met = []
    for rule in map(stored_rule, state.settings["until"]):
        if (value := values.get(rule.quantity)) is None:
            continue
        if rule.quantity == "no-gain":
            low, high = value["interval"]
            if value["n"] >= 30 and low <= 0:
                met.append(
                    f"no-gain: over {value['n']} crystals the strategy gained {value['gain']:.3g} "
                    f"on random choice (95 % interval {low:.3g} to {high:.3g})"
                )
        elif rule.quantity in ("labels", "cost"):
            if value >= rule.limit:
                met.append(f"{rule}: there are {value:g}")
        elif value < rule.limit:
            met.append(f"{rule}: it is {value:.4g}")
    return met


def spent(ledger):
    """Add up the costs of the crystals that were suggested and not put back into the pool.

    Pending ones count, so that a budget is not overdrawn by what runs.
    """
    state = ledger.state
    return sum(
        cost
        for id_, cost in ledger.connection.execute("SELECT id, cost FROM crystals")
        if id_ in state.arms and state.status_of(id_) != "pool"
    )
