"""Active learning that also retrains the network: what do the schedules gain on the test set?

    python docs/scripts/compare_retraining.py [--out docs/data] [--seeds 3]

Formation energies: a network and a kernel trained on 400 crystals drawn from the training part and
the pool, 400 labels more chosen by integrated variance, the fixed test set of 700. The whole
recommended pipeline is made anew after every 400, 200 or 100 labels, or never; a network is
trained for 60 epochs from scratch. Writes ``retraining.csv``. A quarter of an hour of one core for
each seed.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from skcfgp import make_cfgp, simulate
from skcfgp.datasets import load_formation_energy
from skcfgp.network import use_one_thread
from skcfgp.query import integrated_variance

N_INITIAL, N_LABELS = 400, 400
SCHEDULES = (None, 400, 200, 100)

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data")
parser.add_argument("--seeds", type=int, default=3)
arguments = parser.parse_args()
use_one_thread()
warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound

data = load_formation_energy(split="paper", structures="arrays")
test = np.flatnonzero(data.split == "test")
rows = []
for seed in range(arguments.seeds):
    known = np.random.default_rng(seed).permutation(np.flatnonzero(data.split != "test"))
    for schedule in SCHEDULES:
        cfgp = make_cfgp(None, random_state=seed)
        cfgp.set_params(
            features__megnet__megnetfeaturizer__epochs=60,
            features__megnet__megnetfeaturizer__distance_noise=0.05,
            features__megnet__megnetfeaturizer__verbose=0,
        )
        start = time.process_time()
        run = simulate(
            cfgp,
            data.structures,
            data.target,
            initial=known[:N_INITIAL],
            pool=known[N_INITIAL:],
            test=test,
            n_cycles=N_LABELS,
            query_strategy=integrated_variance,
            retrain_every=schedule,
            random_state=seed,
        )
        minutes = (time.process_time() - start) / 60
        name = "never" if schedule is None else f"every {schedule}"
        print(f"seed {seed}, {name}: {run.mae_test.iloc[-1]:.4f}, {minutes:.1f} min", flush=True)
        run = run.drop(columns="indices").assign(seed=seed, schedule=name, minutes=minutes)
        rows.append(run.reset_index())
        pd.concat(rows).to_csv(arguments.out / "retraining.csv", index=False, float_format="%.4f")
