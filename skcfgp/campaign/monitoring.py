"""What the strategy gained over random choice, and when to stop."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from .prequential import rescaling

N_RESAMPLES = 1000

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf)"
_PATTERNS = (
    r"(max-std|mean-std|expected-error|expected-gain)\s*<\s*" + _NUMBER,
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
        sign = ">=" if self.quantity in ("labels", "cost") else "<"
        return f"{self.quantity} {sign} {repr(self.limit).removesuffix('.0')}"  # every digit


def measured_gain(gp, X, y, start, strategy, random, *, y_std=None, n_folds=5, random_state=0):
    """Measure what the strategy gained over random choice, with equally many labels of each.

    One process learns the labels at the start and those drawn at random, except for a fold of them;
    another one learns the labels at the start and equally many that the strategy chose. Both
    predict the fold, so that fold by fold every label drawn at random is predicted by both. The
    hyper-parameters are those of `gp`. `start`, `strategy` and `random` are rows of `X`, `y` and
    the standard errors `y_std`, in the order of arrival.

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
    y_std = np.zeros(len(y)) if y_std is None else y_std
    fixed = clone(gp).set_params(kernel=gp.kernel_, optimizer=None)
    order = rng.permutation(len(random))
    errors = []
    for fold in range(n_folds):
        held_out = [random[i] for i in order[fold::n_folds]]
        taught = [row for row in random if row not in set(held_out)]
        n_taught = min(len(taught), len(strategy))
        predictions = [
            clone(fixed).fit(X[rows], y[rows], y_std=y_std[rows]).predict(X[held_out])
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


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Parameters
    ----------
    text : str
        ``"max-std < 0.05"``, ``"mean-std < 0.02"``, ``"expected-error < 0.03"`` or, with a goal,
        ``"expected-gain < 0.01"``, in the unit of the labels; ``"labels >= 500"``;
        ``"cost >= 1e6"``; ``"no-gain"``.

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
            "a rule is one of 'max-std < X', 'mean-std < X', 'expected-error < X', 'expected-gain "
            f"< X', 'labels >= N', 'cost >= C' and 'no-gain', got {text!r}."
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


def rules_met(ledger, curve=None, gain=None, outlook=None):
    """List the rules to stop that are met; those about the others only if these are given.

    The standard deviations in `curve` follow from which crystals are labelled, not from the values.
    """
    state = ledger.state
    if not state.settings["until"]:
        return []
    values = {"labels": len(state.labels), "cost": spent(ledger), "no-gain": gain}
    if outlook:
        values["expected-gain"] = outlook["expected_gain"]
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
