"""How good the predictions were that stood before each label came.

Prequential: every label is first an exam question and then a lesson (Dawid, J. R. Stat. Soc. A 147,
278 (1984), doi:10.2307/2981683). No label is spent on a test set.
"""

import math

import numpy as np

__all__ = ["ALARM_MIN", "alarm", "estimates", "measured_gain"]

#: Labels with a prediction before there is an alarm.
ALARM_MIN = 20

N_RESAMPLES = 1000


def compared(comparisons, labels, arm="all"):
    """Return labels, predictions and standard deviations as an array; None if there are none."""
    rows = [
        (labels[id_], c["prediction"], c["std"])
        for id_, c in comparisons.items()
        if arm in ("all", c["arm"]) and c["std"] > 0
    ]
    return np.array(rows).T if rows else None


def estimates(comparisons, labels):
    """Sum up the predictions on record against the labels that came.

    Parameters
    ----------
    comparisons : dict of str to dict
        ``prediction``, ``std`` and ``arm``, see `State`.
    labels : dict of str to float

    Returns
    -------
    dict
        For ``"all"``, ``"strategy"`` (chosen crystals) and ``"random"`` (drawn at random: what
        holds for the whole pool), where there are any: ``n``, ``mae`` (unit of the labels),
        ``coverage`` (of 2 standard deviations) and ``mean_squared_z``, the last two with 95 %
        intervals.
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


def alarm(of):
    """Tell whether the error bars have stopped being honest, and what to do.

    Parameters
    ----------
    of : dict
        What `estimates` returns.

    Returns
    -------
    str or None
    """
    if (enough := _enough(of)) is None:
        return None
    value, (low, high) = enough["mean_squared_z"], enough["mean_squared_z_interval"]
    if low <= 1 <= high:
        return None
    factor = math.sqrt(value)
    found = (
        f"mean squared z of {enough['n']} labels is {value:.2f} (95 % interval {low:.2f} to "
        f"{high:.2f}), and should be 1"
    )
    if low > 1:
        return (
            f"the error bars are too small: {found}. Look first at the worst labels in the report "
            "(a wrong unit, a calculation that did not converge); then use 'predict --rescale', "
            f"which multiplies the standard deviations by {factor:.2f}, and label some crystals at "
            "random (--random-fraction)."
        )
    return (
        f"the error bars are too large: {found}. 'predict --rescale' multiplies the standard "
        f"deviations by {factor:.2f}."
    )


def rescaling(of):
    """Return what makes the mean squared z of `estimates` 1; None with too few labels."""
    enough = _enough(of)
    return None if enough is None else math.sqrt(enough["mean_squared_z"])


def _enough(of):
    """Estimates of the random arm, which speaks for the pool, else of all; None with few labels."""
    arms = (of[arm] for arm in ("random", "all") if arm in of)
    return next((found for found in arms if found["n"] >= ALARM_MIN), None)


def measured_gain(gp, X, y, start, strategy, random, *, n_folds=5, seed=0):
    """Measure what the strategy gained over random choice, with equally many labels of each.

    One process learns the labels at the start and those drawn at random, but for a part of them;
    another one the labels at the start and equally many that the strategy chose. Both predict the
    part that was left out. Part by part, every label that was drawn at random is predicted by both.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted; its hyper-parameters are used for both.
    X : ndarray of shape (n_crystals, n_features)
    y : ndarray of shape (n_crystals,)
        NaN where there is no label.
    start, strategy, random : list of int
        Labelled crystals by where they came from, each in the order of arrival.
    n_folds : int, default=5
    seed : int, default=0

    Returns
    -------
    dict or None
        ``gain``: mean of the absolute errors with random labels minus that with chosen ones, in the
        unit of y, positive where the strategy is better; ``interval``: 95 %, by bootstrap over the
        crystals; ``n`` of these; ``n_taught``; ``mae_random``, ``mae_strategy``. None with fewer
        than 10 labels of either kind.

    Notes
    -----
    The crystals drawn at random come from what the strategy had left in the pool, so the exam holds
    few of the crystals that the strategy would choose.
    """
    from sklearn import clone

    if min(len(random), len(strategy)) < 2 * n_folds:
        return None
    rng = np.random.default_rng(seed)
    fixed = clone(gp).set_params(kernel=gp.kernel_, optimizer=None)
    order = rng.permutation(len(random))
    difference, both = [], []
    n_taught = 0
    for fold in range(n_folds):
        exam = [random[i] for i in order[fold::n_folds]]
        lessons = [row for row in random if row not in set(exam)]
        n_taught = min(len(lessons), len(strategy))
        errors = []
        for rows in (lessons[:n_taught], strategy[:n_taught]):
            taught = [*start, *rows]
            errors.append(np.abs(clone(fixed).fit(X[taught], y[taught]).predict(X[exam]) - y[exam]))
        both += list(zip(*errors, strict=True))
        difference += list(errors[0] - errors[1])
    means = np.mean(rng.choice(difference, (N_RESAMPLES, len(difference))), axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    mae_random, mae_strategy = np.mean(both, axis=0)
    return {
        "gain": float(np.mean(difference)),
        "interval": [float(low), float(high)],
        "n": len(difference),
        "n_taught": n_taught,
        "mae_random": float(mae_random),
        "mae_strategy": float(mae_strategy),
    }
