"""Compare the recommended pipeline with and without a cheap estimate of the target.

    python docs/scripts/compare_estimates.py [--splits 20] [--labels 30 60 120 300 all]
        [--chgnet] [--crystals 600]

The estimates are in the bundled data: the PBE band gap for the refractive index, the bulk modulus
for the shear modulus. With ``--chgnet``, which needs CHGNet (``pip install '.[chgnet]'``), both
moduli are learnt instead with its bulk modulus as the estimate, from three energies, a third of a
second for a crystal; crystals for which it has none are left out. ``--crystals`` takes the first
ones of the data alone. All numbers are learnt as their logarithms. Each split sets a random
fifth of the crystals aside to test, and learns the first labels of the others. The column enters by
a term linear in it (``estimates``), as one more factor of the kernel (``columns``), or both.
Prints, as a mean over the splits: mean absolute error; negative log likelihood, in nats; the
fraction within intervals of 95 %; and how many times more labels the pipeline without the estimate
needs for the same error, by interpolation in the logarithms. Writes all of it to a CSV with
``--out``. The distributions are those of ``calibrated=True``. Six minutes of one core.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from skcfgp import make_cfgp
from skcfgp.calibration import negative_log_likelihood, predict_distribution
from skcfgp.datasets import load_dielectric, load_elastic
from skcfgp.features import CalculatorFeaturizer
from skcfgp.network import use_one_thread
from skcfgp.structures import InvalidStructureWarning

#: Target and estimate, and those of ``--chgnet``.
TASKS = [("refractive_index", "band_gap"), ("G_VRH", "K_VRH")]
CHGNET = [("K_VRH", "CHGNet"), ("G_VRH", "CHGNet")]

#: Variant of the model: columns that are estimates, columns of a factor of the kernel.
VARIANTS = {
    "crystals alone": ((), ()),
    "estimate, linear": (("estimate",), ()),
    "estimate, factor": ((), ("estimate",)),
    "estimate, both": (("estimate",), ("estimate",)),
}


def load(target, estimate, n_crystals=None):
    """Table of crystals with the estimate, and the labels; both as log10."""
    loader = load_dielectric if target == "refractive_index" else load_elastic
    frame = loader(as_frame=True, structures="arrays").frame[:n_crystals]
    if estimate == "CHGNet":
        frame = frame.assign(CHGNet=chgnet_moduli(frame["structure"])).dropna(subset="CHGNet")
    table = pd.DataFrame({"structure": frame["structure"]})
    table["estimate"] = np.log10(frame[estimate])
    return table, np.log10(frame[target].to_numpy())


def chgnet_moduli(crystals):
    """Bulk moduli in GPa, kept in a folder; NaN where the energies have no minimum."""
    from chgnet.model import CHGNetCalculator

    featurizer = CalculatorFeaturizer(
        CHGNetCalculator, "bulk_modulus", on_error="nan", cache_dir="comparison"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvalidStructureWarning)
        return featurizer.fit_transform(crystals)[:, 0]


def measure(target, estimate, split, labels, n_crystals=None):
    """Errors of all variants with all numbers of labels, on one split."""
    use_one_thread()
    table, y = load(target, estimate, n_crystals)
    order = np.random.default_rng(split).permutation(len(y))
    train, test = np.split(order, [round(0.8 * len(y))])
    rows = []
    for n in labels:
        known = train[: n or None]
        for variant, (estimates, columns) in VARIANTS.items():
            model = make_cfgp(estimates=estimates, columns=columns, calibrated=True)
            X = table if estimates or columns else table["structure"]
            with warnings.catch_warnings():  # a length at its bound is no news for 30 labels
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X.iloc[known], y[known])
            found = predict_distribution(model, X.iloc[test])
            low, high = found.interval(0.95)
            rows.append(
                {
                    "target": f"log10 {target} with {estimate}",
                    "variant": variant,
                    "labels": len(known),
                    "split": split,
                    "mae": np.abs(found.mean() - y[test]).mean(),
                    "nll": negative_log_likelihood(y[test], found),
                    "coverage": np.mean((low <= y[test]) & (y[test] <= high)),
                }
            )
    return rows


def labels_to_match(errors, n, error):
    """Number of labels at which a learning curve has an error; NaN beyond its ends."""
    falling = np.minimum.accumulate(errors)[::-1]  # np.interp needs them to rise
    log_n = np.interp(np.log(error), np.log(falling), np.log(n)[::-1], np.nan, np.nan)
    return np.exp(log_n)


def summarise(rows):
    """Mean over the splits, and the labels saved."""
    table = pd.DataFrame(rows).drop(columns="split")
    table = table.groupby(["target", "variant", "labels"], sort=False).mean().reset_index()
    table["times"] = np.nan
    for _, part in table.groupby("target"):
        alone = part[part["variant"] == "crystals alone"]
        needed = labels_to_match(alone["mae"].to_numpy(), alone["labels"].to_numpy(), part["mae"])
        table.loc[part.index, "times"] = needed / part["labels"]
    return table


def main():
    """Print one table a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--labels", nargs="+", default=["30", "60", "120", "300", "all"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--chgnet", action="store_true")
    parser.add_argument("--crystals", type=int, help="number of crystals to use, by default all")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    labels = [0 if n == "all" else int(n) for n in arguments.labels]
    pairs = CHGNET if arguments.chgnet else TASKS
    n_crystals = arguments.crystals
    tasks = [(*pair, k, labels, n_crystals) for pair in pairs for k in range(arguments.splits)]
    measured = Parallel(n_jobs=arguments.jobs)(delayed(measure)(*task) for task in tasks)
    table = summarise([row for rows in measured for row in rows])
    for target, part in table.groupby("target", sort=False):
        print(f"\n{target}, {arguments.splits} splits")
        for measure_, digits in (("mae", 4), ("nll", 2), ("coverage", 3), ("times", 1)):
            wide = part.pivot(index="variant", columns="labels", values=measure_)
            print(f"\n{measure_}\n{wide.loc[list(VARIANTS)].round(digits).to_string()}")
    if arguments.out is not None:
        table.round(5).to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
