"""Is the likelihood of the recommended pipeline higher than that of any baseline?

    python docs/scripts/compare_baselines.py [--cache distributions] [--seeds 0 1 2 3 4]

The baselines of ``compare_models.py`` that need no training of a network, on the splits of
``compare_distributions.py``. Appends a row for each fit to ``baseline_comparison.csv``, fits
nothing that is there, and prints the median NLL over the seeds beside that of the Student-t in
``distribution_comparison.csv``: trees that agree by chance make the mean of few labels huge. What
``model_comparison.csv`` has, with all labels, is not in the table that comes with the package. Ten
minutes of one core.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from compare_distributions import DEMO, OUT, PROPERTIES, load, rows_of_split, tasks
from compare_models import composition, dummy, measure, paper, trees
from comparison import Task

from skcfgp import CompositionFeaturizer, MEGNetFeaturizer
from skcfgp.network import use_one_thread

BASELINES = {
    "paper's recipe": paper,
    "Gaussian process on composition": composition,
    "extremely randomised trees on composition": trees,
    "dummy": dummy,
}


def features(name, cache):
    """Compute the features of the baselines, or read them."""
    loader, target, _ = PROPERTIES[name]
    file = Path(cache) / f"{loader.__name__}_baselines.npz"
    if not file.is_file():
        use_one_thread()
        file.parent.mkdir(parents=True, exist_ok=True)
        crystals = load(name).structures
        blocks = ("mean", "deviation", "minimum", "maximum", "cell")
        blocks = (*blocks, "fractions") if target is None else blocks
        weights = "formation_energy_1800" if target is None else "Eform_MP_2019"
        network = MEGNetFeaturizer(weights, "readout_0", verbose=0).fit(crystals)
        arrays = {
            "composition": CompositionFeaturizer().fit_transform(crystals),
            "composition for trees": CompositionFeaturizer(blocks).fit_transform(crystals),
            "readout_0": network.transform(crystals),
        }
        np.savez(file, **arrays)
    with np.load(file) as arrays:
        return dict(arrays)


def task_of(name, size, seed, cache):
    """Return the split as a task of ``comparison.py``."""
    train, test, unseen = rows_of_split(name, size, seed)
    return Task(name, seed, load(name).learnt, train, test, features(name, cache), unseen)


def main():
    """Append the rows that are missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("distributions"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    arguments = parser.parse_args()
    file, key = arguments.out / "baseline_comparison.csv", ["property", "labels", "seed", "model"]
    done = set(pd.read_csv(file)[key].itertuples(index=False)) if file.is_file() else set()
    done = {tuple(row) for row in done}
    for name, size, seed in tasks(arguments.seeds):
        if name == DEMO:  # in comparison.rst
            continue
        task = task_of(name, size, seed, arguments.cache)
        for model, predict in BASELINES.items():
            row = dict(zip(key, (name, len(task.train), seed, model), strict=True))
            if tuple(row.values()) in done:
                continue
            row |= measure(task.y[task.test], predict(task))
            new = pd.DataFrame([row])
            new.to_csv(file, mode="a", header=not file.is_file(), index=False, float_format="%.4f")
    keys = ["property", "labels"]
    nll = pd.read_csv(file).pivot_table("NLL", keys, "model", "median", sort=False)
    ours = pd.read_csv(OUT / "distribution_comparison.csv")
    ours = ours.query("method == 'student_t' and neighbours == 20").groupby(keys).NLL.median()
    nll.insert(0, "recommended", ours)
    print(nll.to_string(float_format="%.2f"))


if __name__ == "__main__":
    main()
