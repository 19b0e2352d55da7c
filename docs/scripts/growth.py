"""How cost grows with labels and pool: the table and the figure of docs/performance.rst.

    python docs/scripts/growth.py

Latent vectors are synthetic (32 wide); every figure is in processor seconds of one process. Takes
about ten minutes.
"""

import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skcfgp import ActiveLearner, GaussianProcessRegressor
from skcfgp.kernels import Laplacian
from skcfgp.query import max_std, plan

N_LABELS = (500, 1000, 2000, 4000, 8000)
N_POOL = (1_000, 10_000, 100_000, 1_000_000)
KERNEL = Laplacian(0.4281, 2.3997)
RNG = np.random.default_rng(0)


def latent(n):
    X = np.abs(RNG.normal(size=(n, 32)))
    return X, np.sin(X[:, :8]).sum(axis=1)


def seconds(function, repeat=1):
    start = time.process_time()
    for _ in range(repeat):
        function()
    return (time.process_time() - start) / repeat


def by_labels(n):
    X, y = latent(n + 3010)
    fixed = GaussianProcessRegressor(KERNEL, optimizer=None).fit(X[:n], y[:n])
    learner = ActiveLearner(fixed, max_std)
    learner.X_training, learner.y_training = X[:n], y[:n]
    pool = X[n : n + 2000]
    learner.query(pool)
    rows = iter(range(n + 2000, n + 2010))

    def teach_and_query():
        row = next(rows)
        learner.teach(X[[row]], y[[row]])
        learner.query(pool)

    return {
        "fit, with hyper-parameters": seconds(
            lambda: GaussianProcessRegressor(Laplacian()).fit(X[:n], y[:n])
        ),
        "fit, hyper-parameters fixed": seconds(
            lambda: GaussianProcessRegressor(KERNEL, optimizer=None).fit(X[:n], y[:n])
        ),
        "mean and std of 1,000": seconds(lambda: fixed.predict(X[-1000:], return_std=True)),
        "teach one, query a pool of 2,000": seconds(teach_and_query, repeat=10),
    }


def by_pool(n):
    X, y = latent(1000)
    gp = GaussianProcessRegressor(KERNEL, optimizer=None).fit(X, y)
    pool = latent(n)[0]
    costs = {
        "mean and std": seconds(lambda: gp.predict(pool, return_std=True)),
        "plan of 50": seconds(lambda: plan(gp, pool, 50)),
    }
    if n <= 10_000:
        costs["plan of the whole pool"] = seconds(lambda: plan(gp, pool, n))
    return costs


def main():
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for ax, sizes, measure, label in (
        (axes[0], N_LABELS, by_labels, "labels"),
        (axes[1], N_POOL, by_pool, "pool (1,000 labels)"),
    ):
        rows = [measure(n) for n in sizes]
        for name in rows[0]:
            known = [(n, row[name]) for n, row in zip(sizes, rows, strict=True) if name in row]
            n, cost = np.array(known).T
            # the exponent between the two largest sizes, where the leading term rules
            exponent = np.log(cost[-1] / cost[-2]) / np.log(n[-1] / n[-2])
            ax.loglog(n, cost, "o-", label=f"{name} ($n^{{{exponent:.1f}}}$)")
            values = "  ".join(f"{c:9.3g}" for c in cost)
            print(f"{name:36}{values}   exponent {exponent:.2f}", flush=True)
        ax.set(xlabel=label, ylabel="processor seconds")
        ax.legend(fontsize=8)
    figure.savefig(Path(__file__).parents[1] / "images" / "growth.png", dpi=130)


if __name__ == "__main__":
    main()
