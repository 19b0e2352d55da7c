"""Compare `VecchiaGaussianProcessRegressor` with the exact process; see docs/gaussian_process.rst.

Run in the root of the checkout, with ``pip install 'skcfgp[vecchia]'``:

    python docs/scripts/compare_vecchia.py accuracy
    python docs/scripts/compare_vecchia.py cost exact 20000
    python docs/scripts/compare_vecchia.py cost vecchia 100000

`accuracy`: formation energies, the 32 numbers of `formation_energy_1800`, which saw neither the
pool part, on which the processes are fitted, nor the test part, on which they are compared. `cost`:
made data, 32 columns of rank 8 plus noise; hyper-parameters fixed, 1,000 rows predicted, and for
`vecchia` the search on 5,000 rows too. Times are of the processor, with one thread.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import sys
import time
import warnings

import numpy as np
from sklearn.gaussian_process.kernels import WhiteKernel

from skcfgp import GaussianProcessRegressor, MEGNetFeaturizer
from skcfgp.calibration import coverage, negative_log_likelihood
from skcfgp.datasets import load_formation_energy
from skcfgp.gaussian_process.vecchia import VecchiaGaussianProcessRegressor
from skcfgp.kernels import Laplacian

warnings.simplefilter("ignore")


def accuracy():
    parts = []
    for split in ("pool", "test"):
        data = load_formation_energy(split=split, structures="arrays")
        featurizer = MEGNetFeaturizer("formation_energy_1800", verbose=0)
        featurizer.fit(data.structures[:1])
        parts.append((featurizer.transform(data.structures).astype(float), data.target))
    (X, y), (T, truth) = parts
    exact = GaussianProcessRegressor(Laplacian() + WhiteKernel(1e-2), normalize_y=True)
    models = {"exact": exact}
    for k in (10, 20, 40):
        models[f"Vecchia, {k}"] = VecchiaGaussianProcessRegressor(n_neighbors=k, random_state=0)
    for name, model in models.items():
        start = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - start
        mean, std = model.predict(T, return_std=True)
        nll = negative_log_likelihood(truth, mean, std)
        if name == "exact":
            of_exact = mean, std
        print(
            f"{name}: MAE {np.abs(truth - mean).mean():.4f} eV/atom, NLL {nll:.3f}, within 2 sigma "
            f"{coverage(truth, mean, std, 2.0):.3f}, mean std {std.mean():.3f}; from exact: mean "
            f"{np.abs(mean - of_exact[0]).mean():.4f}, std {np.abs(std - of_exact[1]).mean():.4f}; "
            f"fit {seconds:.1f} s",
            flush=True,
        )


def made(n, rng):
    hidden = rng.normal(size=(n, 8))
    X = hidden @ np.random.default_rng(1).normal(size=(8, 32)) / np.sqrt(8)
    y = np.sin(1.5 * hidden[:, 0]) + 0.5 * np.cos(hidden[:, 1] + hidden[:, 2])
    return X + 0.05 * rng.normal(size=X.shape), y + 0.1 * rng.normal(size=n)


def cost(kind, n):
    rng = np.random.default_rng(0)
    (X, y), (T, truth) = made(n, rng), made(1000, rng)
    if kind == "exact":
        kernel = Laplacian(2.0, 20.0) + WhiteKernel(0.01)
        model = GaussianProcessRegressor(kernel, optimizer=None)
    else:
        start = time.process_time()
        found = VecchiaGaussianProcessRegressor(random_state=0).fit(X, y)
        print(f"search on {min(n, 5000)} rows: {time.process_time() - start:.1f} s", flush=True)
        model = VecchiaGaussianProcessRegressor(2.0, 20.0, 0.01)
    before, start = memory(), time.process_time()
    model.fit(X, y)
    seconds, start = time.process_time() - start, time.process_time()
    mean, std = model.predict(T, return_std=True)
    print(
        f"{kind}, {n} labels: fit {seconds:.1f} s, predict 1000 {time.process_time() - start:.1f} "
        f"s; RMSE {np.sqrt(np.mean((mean - truth) ** 2)):.3f}, within 2 sigma "
        f"{coverage(truth, mean, std, 2.0):.3f}; peak memory {memory() / 1024:.2f} GiB, "
        f"{before / 1024:.2f} before",
        flush=True,
    )
    if kind == "vecchia":
        mean, std = found.predict(T, return_std=True)
        print(f"with what was found: RMSE {np.sqrt(np.mean((mean - truth) ** 2)):.3f}, within 2 "
              f"sigma {coverage(truth, mean, std, 2.0):.3f}")  # fmt: skip


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1] == "accuracy":
        accuracy()
    else:
        cost(sys.argv[2], int(sys.argv[3]))
