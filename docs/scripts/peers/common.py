"""Reading the splits and measuring predictions; needs numpy, scipy and pymatgen, old ones too."""

import csv
import json
from pathlib import Path

import numpy as np
from pymatgen.core import Structure
from scipy.integrate import trapezoid
from scipy.stats import norm

__all__ = ["read", "record", "tasks"]


def read(path):
    """Return crystals, labels and training rows by seed."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    crystals = [Structure.from_dict(crystal) for crystal in content["structures"]]
    return crystals, np.array(content["y"]), content["train"]


def tasks(folder, names, seeds):
    """Yield name, seed, crystals, labels, training rows and test rows."""
    for name in names:
        crystals, y, train = read(Path(folder) / f"{name}.json")
        for seed in seeds:
            rows = np.array(train[str(seed)])
            yield name, seed, crystals, y, rows, np.setdiff1d(np.arange(len(y)), rows)


def record(path, model, name, seed, y, mean, std=None):
    """Append MAE and, with a standard deviation, NLL, coverage and the miscalibration area."""
    error = np.abs(mean - y)
    row = {"model": model, "property": name, "seed": seed, "mae": error.mean(), "nll": ""}
    row.update(within_2sigma="", area="")
    if std is not None:
        levels = np.linspace(0, 1, 101)
        inside = 2 * norm.cdf(error / std) - 1  # the smallest interval that holds the label
        found = np.array([(inside <= level).mean() for level in levels])
        row["nll"] = -norm.logpdf(y, mean, std).mean()
        row["within_2sigma"] = (error <= 2 * std).mean()
        row["area"] = trapezoid(np.abs(found - levels), levels)
    path = Path(path)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)
