"""Are the predictive distributions right at every level? A Student-t beside a Gaussian.

    python docs/scripts/compare_distributions.py [--seeds 0 1 2 3 4] [--jobs 1]

The recommended pipeline, `make_cfgp(calibrated=True)`, on every bundled property with 100, 300 and
all labels, and the same with ``method="std_scaling"``, with and without the errors of the
neighbours; measured on crystals that nothing has seen. Formation energies take the bundled network
and labels of the pool, which that network has not seen; "demo" is the split of ``skcfgp demo``,
1,800 labels of which the network has not seen 180. The other properties take the published network,
and a fifth of the crystals as a test set. Writes a row for each fit to
``distribution_comparison.csv`` and prints means over the seeds. Features are computed once and kept
in the cache; ten minutes of one core.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skcfgp import CalibratedRegressor, CompositionFeaturizer, MEGNetFeaturizer, make_cfgp
from skcfgp.calibration import (
    coverage_by_level,
    crps,
    miscalibration_area,
    negative_log_likelihood,
)
from skcfgp.datasets import load_dielectric, load_elastic, load_formation_energy
from skcfgp.models import unseen_mask
from skcfgp.network import use_one_thread

OUT = Path(__file__).parents[1] / "data"
SIZES = (100, 300, None)
FORMATION, DEMO = "formation energy", "formation energy, demo"
#: Property: loader, its target, whether its logarithm is learnt.
PROPERTIES = {
    FORMATION: (load_formation_energy, None, False),
    DEMO: (load_formation_energy, None, False),
    "log10 K": (load_elastic, "K_VRH", True),
    "log10 G": (load_elastic, "G_VRH", True),
    "n": (load_dielectric, "refractive_index", False),
    "log10 n": (load_dielectric, "refractive_index", True),
    "log10 eps": (load_dielectric, "poly_total", True),
    "band gap": (load_dielectric, "band_gap", False),
}


def load(name):
    """Return the crystals and targets of a property as a Bunch; ``target`` is what is learnt."""
    loader, target, logarithm = PROPERTIES[name]
    options = {"split": "paper"} if target is None else {"target": target}
    data = loader(structures="arrays", **options)
    data["learnt"] = np.log10(data.target) if logarithm else data.target
    return data


def features(name, cache):
    """Compute the features of the recommended pipeline, not standardised, or read them."""
    loader, target, _ = PROPERTIES[name]
    file = Path(cache) / f"{loader.__name__}.npy"
    if not file.is_file():
        use_one_thread()
        file.parent.mkdir(parents=True, exist_ok=True)
        crystals = load(name).structures
        weights = "formation_energy_1800" if target is None else "Eform_MP_2019"
        megnet = MEGNetFeaturizer(weights, "set2set", verbose=0).fit(crystals)
        blocks = CompositionFeaturizer().fit_transform(crystals), megnet.transform(crystals)
        np.save(file, np.hstack(blocks))
    return np.load(file)


def rows_of_split(name, size, seed):
    """Return training rows, test rows, and which of the former the network has not seen."""
    data = load(name)
    random = np.random.default_rng(seed)
    if name == DEMO:
        train, test = (np.flatnonzero(data.split == part) for part in ("train", "test"))
        return train, test, unseen_mask("formation_energy_1800", data.material_id[train])
    if name == FORMATION:
        train, test = (np.flatnonzero(data.split == part) for part in ("pool", "test"))
        train = random.permutation(train)
    else:
        train, test = np.split(
            random.permutation(len(data.target)), [round(0.8 * len(data.target))]
        )
    train = train[:size]
    return train, test, np.ones(len(train), dtype=bool)


def models_of_task(name, size, seed, cache):
    """Yield the name, the neighbours and the fitted model of each variant, and the test set."""
    y, X = load(name).learnt, features(name, cache)
    train, test, unseen = rows_of_split(name, size, seed)
    X = StandardScaler().fit(X[train]).transform(X)
    recommended = make_cfgp(None, calibrated=True)["gp"].fit(X[train], y[train], unseen=unseen)
    gp = recommended.estimator_
    fixed = clone(gp).set_params(kernel=gp.kernel_, optimizer=None)
    for method in ("student_t", "std_scaling"):
        for n_neighbors in (20, None):
            options = {"method": method, "n_neighbors": n_neighbors, "cv": "leave_one_out"}
            model = CalibratedRegressor(fixed, **options).fit(X[train], y[train], unseen=unseen)
            yield method, n_neighbors or 0, model, X[test], y[test]


def measure(y, distribution):
    """Return error, proper scores, area and coverage of a distribution."""
    levels = coverage_by_level(y, distribution)
    row = {
        "MAE": np.abs(distribution.median() - y).mean(),
        "NLL": negative_log_likelihood(y, distribution),
        "CRPS": crps(y, distribution),
        "area": miscalibration_area(y, distribution),
        "width of 95%": levels.mean_width[0.95],
    }
    return row | {f"in {level:.0%}": inside for level, inside in levels.coverage.items()}


def measure_task(name, size, seed, cache):
    """Return the rows of the table of one property, number of labels and seed."""
    rows = []
    for method, n_neighbors, model, X, y in models_of_task(name, size, seed, cache):
        nu = model.score_distribution_.args[0] if method == "student_t" else np.inf
        rows.append(
            {
                "property": name,
                "labels": len(model.estimator_.X_train_),
                "seed": seed,
                "method": method,
                "neighbours": n_neighbors,
                "nu": nu,
                **measure(y, model.predict_distribution(X)),
            }
        )
    return rows


def tasks(seeds):
    """List property, number of labels and seed of each fit."""
    several = [(name, n, s) for name in PROPERTIES for n in SIZES for s in seeds]
    return [task for task in several if task[0] != DEMO or task[1:] == (None, seeds[0])]


def main():
    """Write the rows, print means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("distributions"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    for name in PROPERTIES:
        features(name, arguments.cache)
    jobs = [delayed(measure_task)(*task, arguments.cache) for task in tasks(arguments.seeds)]
    found = Parallel(n_jobs=arguments.jobs, verbose=5)(jobs)
    table = pd.DataFrame([row for rows in found for row in rows])
    file = arguments.out / "distribution_comparison.csv"
    table.to_csv(file, index=False, float_format="%.4f")
    keys = ["property", "labels", "method", "neighbours"]
    means = table.drop(columns="seed").groupby(keys, sort=False).mean()
    print(means.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
