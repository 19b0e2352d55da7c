"""How good the predictions were that stood before each label came.

Prequential: each label is compared with the prediction on record before the model learns it (Dawid,
J. R. Stat. Soc. A 147, 278 (1984), doi:10.2307/2981683), so no label is spent on a test set. If the
predictive distributions are right, the probabilities that they gave to values below the label (the
PIT values) are uniform between 0 and 1.
"""

import math

import numpy as np

from .scale import learnt, learnt_std

#: Number of labels with a prediction from which there can be an alarm.
ALARM_MIN = 20

#: Two components of Neyman's test exceed this, a quantile of chi-squared, once in twenty.
CRITICAL = 5.991

#: Central intervals whose coverage is counted.
LEVELS = (0.5, 0.8, 0.95)


def std_of(id_, label_std):
    """Return the field of an event that has the standard error of a label, where there is one."""
    return {"label_std": label_std[id_]} if label_std.get(id_) else {}


def compare(ledger, checked, source=None):
    """Compare checked labels with the predictions on record; return the content of a `tell`."""
    state, new, failed, label_std = ledger.state, checked.labels, checked.failed, checked.label_std
    found = {}
    for id_ in new:  # a label that replaces another one may have another standard error
        known = state.comparisons.get(id_) if id_ in state.labels else _on_record(ledger, id_)
        if known is not None:
            known = {key: value for key, value in known.items() if key != "label_std"}
            if std := label_std.get(id_):
                known["label_std"] = float(learnt_std(new[id_], std, state.settings))
        found[id_] = known
    rows = [
        {"id": id_, "value": value, "was": state.labels.get(id_), "comparison": found[id_]}
        | std_of(id_, label_std)
        for id_, value in new.items()
    ]
    comparisons = state.comparisons | {id_: c for id_, c in found.items() if c is not None}
    comparisons = {id_: c for id_, c in comparisons.items() if id_ not in failed}
    return {
        "rows": rows,
        "failed": [{"id": id_, "reason": reason} for id_, reason in failed.items()],
        "source": source,
        # What told nothing new changes nothing.
        "estimates": estimate(comparisons, learnt_labels(state.labels | new, state.settings))
        if new or failed
        else state.estimates,
    }


def learnt_labels(labels, settings):
    """Return what is learnt of labels, by id."""
    return dict(zip(labels, learnt([*labels.values()], settings).tolist(), strict=True))


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
            record = {"prediction": found[0], "std": found[1], "df": state.predicted_df}
            record["event"] = state.predicted_at
    return None if record is None else {**record, "arm": state.arms.get(id_)}


def compared(comparisons, labels, arm="all"):
    """Return labels, predictions, standard deviations and degrees of freedom as an array.

    The standard deviations are those of a label: with its own standard error, where there is one.
    Infinite degrees of freedom are those of a Gaussian. None if there are no such labels.
    """
    rows = [
        (
            labels[id_],
            c["prediction"],
            math.hypot(c["std"], c.get("label_std", 0.0)),
            c.get("df") or math.inf,
        )
        for id_, c in comparisons.items()
        if arm in ("all", c["arm"]) and c["std"] > 0
    ]
    return np.array(rows).T if rows else None


def pit_values(y, mean, std, df):
    """Return the probability that each prediction gave to values below the label."""
    from scipy.stats import t

    return t.cdf(_scores(y, mean, std, df), df)


def _scores(y, mean, std, df):
    """Errors in units of the scale of their distribution; two std hold 95.45 % of it."""
    from scipy.stats import norm, t

    return (y - mean) / std * t.ppf(norm.cdf(2), df) / 2


def estimate(comparisons, labels):
    """Summarise the predictions on record against the labels that came.

    The keys are ``"all"``, ``"strategy"`` (chosen crystals) and ``"random"`` (drawn at random: what
    holds for the whole pool), where there are any. The values have ``n``, ``mae`` (in the unit of
    the labels), ``coverage`` (of 2 standard deviations) and ``mean_squared_z``, these two with 95 %
    intervals, ``levels`` (share of the labels in the central intervals of 50, 80 and 95 %), ``pit``
    (components of Neyman's test that the PIT values are uniform: ``location`` and ``spread``, each
    standard normal then) and ``factor`` (on the width of the distributions, of the greatest
    likelihood).
    """
    from ..calibration import coverage, coverage_interval, mean_squared_z, mean_squared_z_interval

    result = {}
    for arm in ("all", "strategy", "random"):
        columns = compared(comparisons, labels, arm)
        if columns is None:
            continue
        *gaussian, df = columns
        u = pit_values(*columns)
        location = math.sqrt(3) * (2 * u - 1)
        spread = math.sqrt(5) * (6 * u**2 - 6 * u + 1)
        result[arm] = {
            "n": len(u),
            "mae": float(np.abs(columns[0] - columns[1]).mean()),
            "coverage": coverage(*gaussian),
            "coverage_interval": list(coverage_interval(*gaussian)),
            "mean_squared_z": mean_squared_z(*gaussian),
            "mean_squared_z_interval": list(mean_squared_z_interval(*gaussian)),
            "levels": [float(np.mean(np.abs(2 * u - 1) <= level)) for level in LEVELS],
            "pit": {
                "location": float(location.sum() / math.sqrt(len(u))),
                "spread": float(spread.sum() / math.sqrt(len(u))),
            },
            "factor": _factor(_scores(*columns), df),
        }
    return result


def _factor(scores, df):
    """Return the factor on the scale of Student-t distributions that makes scores most likely."""
    square = np.mean(scores**2)
    for _ in range(200 if square > 0 else 0):  # expectation-maximisation
        finite = np.where(np.isfinite(df), df, 1.0)
        weight = np.where(np.isfinite(df), (finite + 1) / (finite + scores**2 / square), 1.0)
        square = np.mean(weight * scores**2)
    return float(np.sqrt(square))


def alarm(estimates):
    """Say what is wrong with the error bars, and what to do; None if they are right."""
    if (enough := _enough(estimates)) is None:
        return None
    low, high = enough["mean_squared_z_interval"]
    if "pit" in enough:
        location, spread = enough["pit"]["location"], enough["pit"]["spread"]
        wrong = location**2 + spread**2 > CRITICAL
    else:  # of an older version
        location, spread = 0.0, low - 1 if low > 1 else high - 1
        wrong = not low <= 1 <= high
    if not wrong:
        return None
    look = (
        "look first at the worst labels in the report (a wrong unit, a calculation that did not "
        "converge), and label some crystals at random (--random-fraction)"
    )
    if abs(location) > abs(spread):
        side = "low" if location > 0 else "high"
        return (
            f"the predictions are too {side}: {enough['n']} labels do not lie evenly in their "
            f"predictive distributions (z = {location:.1f} of Neyman's test). To find out why, "
            f"{look}; '--rescale' does not help against it."
        )
    if (factor := rescaling(estimates)) is None:
        return f"all {enough['n']} labels equal their predictions: are they measured or computed?"
    inside = "".join(
        f"{share:.0%} of {enough['n']} labels are in their intervals of {level:.0%}, "
        for level, share in zip(LEVELS, enough.get("levels", ()), strict=False)
    )
    return (
        f"the error bars are too {'small' if spread > 0 else 'large'}: {inside}mean squared z is "
        f"{enough['mean_squared_z']:.2f}. To correct them, {f'{look}; then ' * (spread > 0)}use "
        "'predict --rescale', which multiplies the standard deviations by "
        f"{factor:.2f}."
    )


def rescaling(estimates):
    """Return what makes the labels most likely, times the standard deviations; None with few."""
    if (enough := _enough(estimates)) is None:
        return None
    return enough.get("factor", math.sqrt(enough["mean_squared_z"])) or None


def _enough(estimates):
    """Estimates of the random arm, which speaks for the pool, else of all; None with few labels."""
    arms = (estimates[arm] for arm in ("random", "all") if arm in estimates)
    return next((found for found in arms if found["n"] >= ALARM_MIN), None)
