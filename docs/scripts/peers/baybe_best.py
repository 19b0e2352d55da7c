"""BayBE's default recommender on the recommended features, handed over as custom descriptors.

    pip install baybe
    python baybe_best.py --splits peers --out peers/best.csv

The candidates are one CustomDiscreteParameter, as its documentation has it for computed
descriptors: BayBE drops correlated columns and scales the rest. Its default recommender takes ten
labels at random, then one label at a time, with its process fitted again after every label.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from baybe import Campaign, Settings
from baybe.parameters import CustomDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.targets import NumericalTarget
from search import run


def order_of(X, y, seed, n_labels):
    """Return rows in the order in which they are labelled."""
    table = pd.DataFrame(X, index=[str(row) for row in range(len(X))])
    crystals = CustomDiscreteParameter("crystal", data=table.rename(columns=str))
    Settings(random_seed=seed).activate()
    campaign = Campaign(SearchSpace.from_product([crystals]), NumericalTarget("y").to_objective())
    known = []
    while len(known) < n_labels:
        answer = campaign.recommend(1 if known else 10)
        rows = answer["crystal"].astype(int).to_numpy()
        campaign.add_measurements(answer.assign(y=y[rows]))
        known += rows.tolist()
    return np.array(known)


def main():
    """Measure all properties and seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path, default=Path("peers/best.csv"))
    parser.add_argument("--names", nargs="+", default=["log10_K", "log10_G", "log10_n"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=80)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")

    def order(X, y, seed):
        return order_of(X, y, seed, chosen.labels)

    run(chosen.splits, chosen.out, "BayBE", chosen.names, range(chosen.seeds), order)


if __name__ == "__main__":
    main()
