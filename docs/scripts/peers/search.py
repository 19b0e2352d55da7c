"""Looking for the best crystal in a table of descriptors; needs only numpy."""

import csv
from pathlib import Path

import numpy as np

__all__ = ["run"]

SIZES = (20, 40, 80)
N_TOP = 10


def run(folder, out, loop, names, seeds, order_of):
    """Write how many of the ten largest labels a loop found, and when the largest, to a table.

    `order_of` takes standardised features and labels of the candidates and a seed, and returns
    rows in the order in which it labels them. What is in the table is not computed again.
    """
    out, done = Path(out), set()
    if out.exists():
        with out.open() as file:
            done = {(row["loop"], row["property"], row["seed"]) for row in csv.DictReader(file)}
    for seed in seeds:
        for name in names:
            if (loop, name, str(seed)) not in done:
                with np.load(Path(folder) / f"{name}_features.npz") as arrays:
                    rows = arrays["train"][seed]
                    X, y = arrays["X"][rows], arrays["y"][rows]
                order = np.array(order_of((X - X.mean(axis=0)) / X.std(axis=0), y, seed))
                row = {"loop": loop, "property": name, "seed": seed, "labels": len(order)}
                write(out, row | count(order, y))


def count(order, y):
    """Count the ten largest among the first labels, and find the place of the largest."""
    top = np.argsort(-y, kind="stable")[:N_TOP]
    found = {f"top_{n}": int(np.isin(order[:n], top).sum()) for n in SIZES if n <= len(order)}
    place = np.flatnonzero(order == top[0]).tolist()
    found["best"] = place[0] + 1 if place else ""
    return dict.fromkeys([f"top_{n}" for n in SIZES], "") | found


def write(path, row):
    """Append a row."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)
