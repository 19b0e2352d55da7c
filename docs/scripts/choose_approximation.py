"""Which approximation for many labels? See docs/gaussian_process.rst for what came out.

Run in the root of the checkout, with ``pip install gpboost gpytorch``:

    python docs/scripts/choose_approximation.py

Formation energies of the pool part, on the 32 numbers of `formation_energy_1800`, which has not
seen them: 1,000 to fit, the other 427 to compare. The test part is not touched. The kernel is the
Laplacian with noise, by maximum likelihood in each library. One thread.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from sklearn.gaussian_process.kernels import WhiteKernel

from skcfgp import GaussianProcessRegressor, MEGNetFeaturizer
from skcfgp.calibration import coverage, negative_log_likelihood
from skcfgp.datasets import load_formation_energy
from skcfgp.kernels import Laplacian

warnings.simplefilter("ignore")


def exact(X, y, T):
    kernel = Laplacian() + WhiteKernel(1e-2)
    return GaussianProcessRegressor(kernel).fit(X, y).predict(T, return_std=True)


def of_gpboost(**options):
    def predict(X, y, T):
        import gpboost

        model = gpboost.GPModel(
            gp_coords=X,
            cov_function="matern",
            cov_fct_shape=0.5,
            likelihood="gaussian",
            seed=1,
            num_parallel_threads=1,
            **options,
        )
        model.fit(y=y, params={"trace": False})
        found = model.predict(gp_coords_pred=T, predict_var=True, predict_response=True)
        return found["mu"], np.sqrt(found["var"])

    return predict


def of_gpytorch(n_points, n_steps=150):
    def predict(X, y, T):
        import gpytorch
        import torch

        class Inducing(gpytorch.models.ExactGP):
            def __init__(self):
                super().__init__(X, y, likelihood)
                self.mean_module = gpytorch.means.ZeroMean()
                kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=0.5))
                kernel.base_kernel.lengthscale, kernel.outputscale = 20.0, 2.0
                self.covar_module = gpytorch.kernels.InducingPointKernel(
                    kernel, inducing_points=X[:n_points].clone(), likelihood=likelihood
                )

            def forward(self, X):
                mean, covariance = self.mean_module(X), self.covar_module(X)
                return gpytorch.distributions.MultivariateNormal(mean, covariance)

        torch.manual_seed(0)
        torch.set_num_threads(1)
        X, y, T = map(torch.as_tensor, (X, y, T))
        likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
        model = Inducing().double()
        likelihood.noise = 0.05
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
        for _ in range(n_steps):
            optimizer.zero_grad()
            (-objective(model(X), y)).backward()
            optimizer.step()
        model.eval(), likelihood.eval()
        with torch.no_grad():
            found = likelihood(model(T))
        return found.mean.numpy(), np.sqrt(found.variance.numpy())

    return predict


CANDIDATES = {
    "exact": exact,
    "GPBoost, Vecchia, 20 neighbours": of_gpboost(gp_approx="vecchia", num_neighbors=20),
    "GPBoost, Vecchia, 20 neighbours and 200 inducing points": of_gpboost(
        gp_approx="full_scale_vecchia", num_neighbors=20, num_ind_points=200
    ),
    "GPBoost, FITC, 200": of_gpboost(gp_approx="fitc", num_ind_points=200),
    "GPBoost, FITC, 500": of_gpboost(gp_approx="fitc", num_ind_points=500),
    "GPyTorch, inducing points, 200": of_gpytorch(200),
    "GPyTorch, inducing points, 500": of_gpytorch(500),
}


def vectors():
    """Latent vectors and energies; in another process, since TensorFlow and torch clash."""
    data = load_formation_energy(split="pool", structures="arrays")
    featurizer = MEGNetFeaturizer("formation_energy_1800", verbose=0).fit(data.structures[:1])
    return featurizer.transform(data.structures).astype(float), data.target


def main():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        X, y = executor.submit(vectors).result()
    order = np.random.default_rng(0).permutation(len(y))
    fit, compare = order[:1000], order[1000:]
    center, scale = y[fit].mean(), y[fit].std()
    for name, predict in CANDIDATES.items():
        start = time.process_time()
        mean, std = predict(X[fit], (y[fit] - center) / scale, X[compare])
        seconds = time.process_time() - start
        mean, std, truth = center + scale * mean, scale * std, y[compare]
        print(
            f"{name}: MAE {np.abs(truth - mean).mean():.4f} eV/atom, "
            f"NLL {negative_log_likelihood(truth, mean, std):.3f}, within 2 sigma "
            f"{coverage(truth, mean, std, 2.0):.3f}; {seconds:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
