"""Row 4: whether the error bars are right, and which crystals are worst."""

import numpy as np

from ..calibration import uncertainty_report
from ..calibration.enrichment import error_enrichment
from .trials import MAIN, RECIPES, load_trial, trial_names

__all__ = ["calibration"]

N_WORST = 10


def calibration(settings, data, results):
    """Stage: all metrics of the error bars on the test set, the worst crystals and their families.

    Returns
    -------
    dict
        By recipe: ``main_<recipe>`` and ``seeds_<recipe>`` (reports as dicts), ``worst_<recipe>``
        (largest errors beyond 2 sigma), ``families_<recipe>`` (rows of `error_enrichment`, by
        absolute error, with q below 0.05).
    """
    out = {}
    y = data.y[data.test]
    for recipe in RECIPES:
        reports = {}
        for name in dict.fromkeys([MAIN, *trial_names(settings)]):
            trial = load_trial(data, results, name)
            mean, std = trial.mean[recipe][data.test], trial.std[recipe][data.test]
            report = uncertainty_report(
                y, mean, std, n_bins=min(10, len(y)), unit=data.unit, random_state=0
            )
            reports[name] = report.to_dict()
        out[f"main_{recipe}"] = reports[MAIN]
        out[f"seeds_{recipe}"] = [reports[name] for name in trial_names(settings)]
        trial = load_trial(data, results, MAIN)
        mean, std = trial.mean[recipe][data.test], trial.std[recipe][data.test]
        out[f"worst_{recipe}"] = _worst(data, mean, std)
        out[f"families_{recipe}"] = _families(data, mean)
    return out


def _worst(data, mean, std):
    y = data.y[data.test]
    excess = np.abs(mean - y) - 2 * std
    rows = np.argsort(-excess, kind="stable")[:N_WORST]
    return [
        {
            "id": str(data.ids[data.test[row]]),
            "formula": str(data.formulas[data.test[row]]),
            "true": float(y[row]),
            "predicted": float(mean[row]),
            "std": float(std[row]),
        }
        for row in rows
    ]


def _families(data, mean):
    table = error_enrichment(data.structures[data.test], data.y[data.test], mean)
    table = table[table.q_value < 0.05]
    columns = ["kind", "group", "n", "n_bad", "expected", "q_value", "mean_absolute_error"]
    return [
        {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
        for row in table[columns].head(12).to_dict("records")
    ]
