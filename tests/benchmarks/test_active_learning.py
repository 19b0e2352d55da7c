"""The active-learning loop at the paper's size: 1,800 labels, a pool of 7,195, a test set of 1,460.

The latent vectors are synthetic, of the shape of the real ones (32 wide, clustered), since the
bundled data set is smaller.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from modAL.models import ActiveLearner as ModALActiveLearner
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR

from skcfgp import GaussianProcessRegressor, simulate
from skcfgp.kernels import Laplacian
from skcfgp.query import max_std, plan

N_TRAIN, N_POOL, N_TEST, N_CYCLES = 1800, 7195, 1460, 6000
KERNEL = Laplacian(0.4281, 2.3997)


def latent(n, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.gamma(2.0, 0.4, size=(200, 32))
    X = np.abs(centres[rng.integers(200, size=n)] + 0.15 * rng.normal(size=(n, 32)))
    return X, np.sin(X[:, :8]).sum(axis=1)


@pytest.fixture(scope="module")
def setting():
    X, y = latent(N_TRAIN + N_POOL + N_TEST)
    rows = np.split(np.arange(len(X)), [N_TRAIN, N_TRAIN + N_POOL])
    return X, y, rows


def test_plan_of_the_whole_pool(setting, benchmark):
    X, y, (train, pool, _) = setting
    gp = GaussianProcessRegressor(KERNEL, optimizer=None).fit(X[train], y[train])
    indices, _ = benchmark.pedantic(lambda: plan(gp, X[pool], N_POOL), rounds=1)
    assert len(set(indices.tolist())) == N_POOL
    assert benchmark.stats["max"] < 20  # seconds, two cores


def test_simulation_against_stock(setting, benchmark):
    """6,000 cycles with both errors after each, against stock modAL and scikit-learn.

    A stock cycle is timed at four numbers of labels; its cost, cubic in that number, is fitted and
    summed over the 6,000 cycles, which would take hours.
    """
    X, y, (train, pool, test) = setting
    gp = GaussianProcessRegressor(KERNEL, optimizer=None)
    sets = {"initial": train, "pool": pool, "test": test}
    start = time.process_time()
    table = benchmark.pedantic(lambda: simulate(gp, X, y, n_cycles=N_CYCLES, **sets), rounds=1)
    ours = time.process_time() - start
    assert benchmark.stats["max"] < 60  # seconds, two cores
    order = np.concatenate([train, [i for chosen in table.indices for i in chosen]])

    def stock_cycle(n):
        left = np.setdiff1d(pool, order[:n])
        learner = ModALActiveLearner(
            SklearnGPR(KERNEL, optimizer=None), max_std, X[order[: n - 1]], y[order[: n - 1]]
        )
        start = time.process_time()
        learner.teach(X[order[n - 1 : n]], y[order[n - 1 : n]])
        index, _ = learner.query(X[left])
        learner.predict(X[left]), learner.predict(X[test])
        seconds = time.process_time() - start
        assert left[index[0]] == order[n]  # the same choice
        return seconds

    sizes = np.array([1801, 3200, 5000, 7000])
    cost = np.polynomial.Polynomial.fit(sizes, [stock_cycle(n) for n in sizes], 3)
    stock = cost(np.arange(N_TRAIN + 1, N_TRAIN + N_CYCLES + 1)).sum()
    benchmark.extra_info |= {"ours_cpu_s": round(ours, 1), "stock_cpu_s": round(float(stock))}
    benchmark.extra_info["ratio"] = round(float(stock / ours))
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    assert stock / ours > 500


def test_memory_of_the_simulation(benchmark):
    """Peak memory of the whole process, in which nothing else runs."""

    def run():
        code = "from test_active_learning import main; main()"
        command = [sys.executable, "-W", "ignore", "-c", code]
        folder = Path(__file__).parent
        return subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True)

    output = benchmark.pedantic(run, rounds=1).stdout
    peak = int(output.split("VmHWM:")[1].split()[0]) / 1e6
    benchmark.extra_info["peak_gb"] = round(peak, 2)
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    assert peak < 1.5  # GB


def main():
    X, y = latent(N_TRAIN + N_POOL + N_TEST)
    train, pool, test = np.split(np.arange(len(X)), [N_TRAIN, N_TRAIN + N_POOL])
    gp = GaussianProcessRegressor(KERNEL, optimizer=None)
    simulate(gp, X, y, initial=train, pool=pool, test=test, n_cycles=N_CYCLES)
    print(Path("/proc/self/status").read_text())


def test_hundred_from_a_hundred_thousand(benchmark):
    X, y = latent(N_TRAIN + 100_000, seed=1)
    gp = GaussianProcessRegressor(KERNEL, optimizer=None).fit(X[:N_TRAIN], y[:N_TRAIN])
    indices, std = benchmark.pedantic(lambda: plan(gp, X[N_TRAIN:], 100), rounds=1)
    assert len(set(indices.tolist())) == 100
    assert (np.diff(std) <= 1e-9).all()
    start = time.process_time()
    gp.predict(X[N_TRAIN:], return_std=True)
    benchmark.extra_info["one_pass_cpu_s"] = round(time.process_time() - start, 1)
    print(f"\n{benchmark.name}: {benchmark.extra_info} {benchmark.stats['max']:.1f} s")
