"""Finding hyper-parameters, against scikit-learn with the same kernel, on 1,800 latent vectors."""

import pytest
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR
from sklearn.gaussian_process.kernels import WhiteKernel
from threadpoolctl import threadpool_limits

from skcfgp import GaussianProcessRegressor, MEGNetFeaturizer, make_cfgp
from skcfgp.datasets import load_formation_energy
from skcfgp.kernels import Laplacian


@pytest.fixture(scope="module")
def labelled():
    data = load_formation_energy(split="train")
    featurizer = MEGNetFeaturizer("formation_energy_1800", verbose=0)
    Z = featurizer.fit_transform(data.structures)
    assert Z.shape == (1800, 32)
    return Z, data.target


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("kernel", "least"),
    [(Laplacian(), 8), (Laplacian() + WhiteKernel(), 8)],
    ids=["plain", "noise"],
)
def test_fit_against_scikit_learn(labelled, kernel, least, cpu_ratio):
    ours, theirs = GaussianProcessRegressor(kernel), SklearnGPR(kernel)
    with threadpool_limits(1):  # several threads that wait for each other count as work
        ratio = cpu_ratio(
            lambda: ours.fit(*labelled),
            lambda: theirs.fit(*labelled),
            rounds=2,
            baseline_name="scikit-learn, same kernel",
        )
    found, expected = ours.log_marginal_likelihood_value_, theirs.log_marginal_likelihood_value_
    assert found >= expected - 0.1
    assert ratio > least


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_recommended_fit_against_scikit_learn(cpu_ratio):
    """Two Laplacians and noise, by leave-one-out; the baseline by marginal likelihood."""
    data = load_formation_energy(split="train")
    model = make_cfgp("formation_energy_1800")
    Z, gp = model[:-1].fit_transform(data.structures), model[-1]
    theirs = SklearnGPR(gp.kernel, alpha=gp.alpha, normalize_y=gp.normalize_y)
    with threadpool_limits(1):
        ratio = cpu_ratio(
            lambda: gp.fit(Z, data.target),
            lambda: theirs.fit(Z, data.target),
            rounds=1,
            baseline_name="scikit-learn, same kernel, by marginal likelihood",
        )
    assert ratio > 10
