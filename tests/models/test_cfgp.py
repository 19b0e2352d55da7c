import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn import config_context
from sklearn.base import clone
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.model_selection import GridSearchCV

from skcfgp import ActiveLearner, make_cfgp
from skcfgp.calibration import predict_distribution
from skcfgp.calibration.score_distributions import fit_scores
from skcfgp.calibration.scorers import neg_crps_scorer, neg_nll_scorer
from skcfgp.kernels import Laplacian
from skcfgp.models.cfgp import PAPER_KERNEL
from skcfgp.query import greedy_max_std, integrated_variance, max_std, recommended

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
NAME = "formation_energy_1800"


@pytest.mark.parametrize("groups", [None, "fractions", ("size", "cell")])
@pytest.mark.parametrize("layer", ["set2set", "readout_0"])
def test_each_block_sees_its_own_features(crystals, groups, layer):
    X, _ = crystals
    cfgp = make_cfgp(NAME) if groups is None else make_cfgp(NAME, groups=groups)
    cfgp.set_params(features__megnet__megnetfeaturizer__layer=layer)
    names = cfgp["features"].fit(X[:5]).get_feature_names_out()
    product = cfgp["gp"].kernel.k1
    composition, latent = (names[k.columns] for k in (product.k1, product.k2))
    assert len(composition) + len(latent) == len(names)
    assert all(name.startswith("composition__") for name in composition)
    assert all(name.startswith(f"megnet__{layer}_") for name in latent)


def test_groups_that_the_kernel_does_not_know_are_refused(crystals):
    X, y = crystals
    cfgp = make_cfgp(NAME, calibrated=True)
    cfgp.set_params(features__composition__compositionfeaturizer__groups=("mean", "cell"))
    with pytest.raises(ValueError, match=r"has 18 columns.* first 34 .*make_cfgp\(groups="):
        cfgp.fit(X[:40], y[:40])
    with pytest.raises(ValueError, match="groups must be of"):
        make_cfgp(NAME, groups="means")


def test_recommended(crystals):
    X, y = crystals
    cfgp = make_cfgp(NAME).fit(X[:40], y[:40])
    mean, std = cfgp.predict(X[40:], return_std=True)
    assert np.abs(mean - y[40:]).mean() < 0.5 * np.abs(y[40:] - y[:40].mean()).mean()
    assert (std > 0).all()
    unseen = np.arange(40) % 2 == 0
    told = clone(cfgp).fit(X[:40], y[:40], gp__unseen=unseen)
    assert told["gp"].kernel_ != cfgp["gp"].kernel_


def test_calibrated(crystals):
    X, y = crystals
    model = make_cfgp(NAME, calibrated=True)
    unseen = np.arange(40) % 2 == 0
    mean, std = model.fit(X[:40], y[:40], gp__unseen=unseen).predict(X[40:], return_std=True)
    assert model["gp"].n_calibration_ == 20
    plain = make_cfgp(NAME).fit(X[:40], y[:40])
    np.testing.assert_allclose(mean, plain.predict(X[40:]))
    ratio = std / plain.predict(X[40:], return_std=True)[1]
    # docs/recalibration.rst, from the leave-one-out scores
    Z, Z_new = plain[:-1].transform(X[:40]), plain[:-1].transform(X[40:])
    loo_mean, loo_std = plain["gp"].predict_leave_one_out()
    z = (y[:40] - loo_mean) / loo_std
    own, new = cdist(Z, Z) + np.diag(np.full(40, np.inf)), cdist(Z_new, Z)
    sizes, weights = np.abs(z) / np.mean(np.abs(z)), 2 - (2 * np.arange(20) + 1) / 20
    own, new = (
        (6 + sizes[near] @ weights) / 26
        for near in (np.argsort(distance, axis=1)[:, :20] for distance in (own, new))
    )
    scores = fit_scores("student_t", (z / own)[unseen])
    scale = np.ptp(scores.interval(norm.cdf(2) - norm.cdf(-2))) / 4
    np.testing.assert_allclose(ratio, scale * new, rtol=1e-5)
    bounds = model["gp"].predict_interval(Z_new, 0.8)
    np.testing.assert_allclose(predict_distribution(model, X[40:]).interval(0.8), bounds)


@pytest.mark.parametrize("strategy", [recommended, max_std, greedy_max_std, integrated_variance])
def test_queries_see_the_calibrated_pipeline_as_the_plain_one(crystals, strategy):
    X, y = crystals
    options = {"query_strategy": strategy, "X_training": X[:30], "y_training": y[:30]}
    plain, calibrated = (
        ActiveLearner(make_cfgp(NAME, calibrated=flag), **options) for flag in (False, True)
    )
    n = 1 if strategy is max_std else 3
    picks = calibrated.query(X[30:], n_instances=n)[0]
    if strategy is not max_std:  # which compares the calibrated standard deviations
        np.testing.assert_array_equal(picks, plain.query(X[30:], n_instances=n)[0])
    calibrated.teach(X[30:][picks], y[30:][picks])
    model = calibrated.estimator["gp"]
    assert model.n_calibration_ == 30
    assert len(model.estimator_.X_train_) == 30 + n


def test_the_papers(crystals):
    X, y = crystals
    cfgp = make_cfgp(NAME, recipe="paper").fit(X, y)
    assert cfgp["gp"].n_features_in_ == 32
    fixed = make_cfgp(NAME, recipe="paper values").fit(X, y)
    assert fixed["gp"].kernel_ == PAPER_KERNEL
    assert PAPER_KERNEL.n_dims == 0
    likelihood = fixed["gp"].log_marginal_likelihood_value_
    assert cfgp["gp"].log_marginal_likelihood_value_ > likelihood


def test_a_mask_reaches_both_steps_by_routing(crystals):
    """The network leaves the unseen rows out of its training, and the process chooses by them."""
    X, y = crystals
    unseen = np.arange(len(y)) % 3 == 0
    with config_context(enable_metadata_routing=True):
        cfgp = make_cfgp(NAME, random_state=0)
        featurizer = cfgp["features"].transformer_list[1][1][0]
        featurizer.set_params(epochs=1, verbose=0).set_fit_request(unseen=True)
        cfgp["gp"].set_fit_request(unseen=True)
        cfgp.fit(X, y, unseen=unseen)
    trained = cfgp["features"].transformer_list[1][1][0]
    np.testing.assert_array_equal(trained.validation_indices_, np.flatnonzero(unseen))
    features = cfgp[:-1].transform(X)
    alone = clone(cfgp["gp"]).fit(features, y, unseen=unseen)
    np.testing.assert_allclose(cfgp["gp"].kernel_.theta, alone.kernel_.theta)


def test_the_calibrated_pipeline_with_routing_on_is_that_with_routing_off(crystals):
    X, y = crystals
    unseen = np.arange(len(y)) % 3 == 0
    expected = make_cfgp(NAME, calibrated=True).fit(X, y, gp__unseen=unseen)
    with config_context(enable_metadata_routing=True):
        cfgp = make_cfgp(NAME, calibrated=True)
        cfgp["features"].transformer_list[1][1][0].set_fit_request(unseen=False)
        cfgp["gp"].set_fit_request(unseen=True)
        found = cfgp.fit(X, y, unseen=unseen).predict(X, return_std=True)
    np.testing.assert_allclose(found, expected.predict(X, return_std=True))
    assert cfgp["gp"].n_calibration_ == unseen.sum()


def test_search_over_kernels_and_layers(crystals):
    X, y = crystals
    grid = {
        "features__layer": ["readout_0", ["set2set", "readout_1"]],
        "gp__kernel": [Laplacian(), Laplacian() + WhiteKernel(0.1)],
    }
    scoring = {"nll": neg_nll_scorer, "crps": neg_crps_scorer}
    cfgp = make_cfgp(NAME, recipe="paper")
    search = GridSearchCV(cfgp, grid, scoring=scoring, refit="nll", cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_nll"]).all()
    assert search.best_score_ == search.cv_results_["mean_test_nll"].max()


def test_unknown_recipe():
    with pytest.raises(ValueError, match="recipe must be one of"):
        make_cfgp(recipe="Paper")


def test_a_logarithm_is_learnt_and_the_unit_is_answered(crystals):
    X, y = crystals
    y, unseen = np.exp(y), np.arange(40) % 2 == 0
    options = {"calibrated": True, "log_target": True}
    model = make_cfgp(NAME, **options).fit(X[:40], y[:40], gp__unseen=unseen)
    plain = make_cfgp(NAME, calibrated=True).fit(X[:40], np.log10(y[:40]), gp__unseen=unseen)
    np.testing.assert_allclose(model.predict(X[40:]), 10 ** plain.predict(X[40:]))
    found, known = (predict_distribution(m, X[40:]) for m in (model, plain))
    np.testing.assert_allclose(found.interval(0.9), 10.0 ** np.array(known.interval(0.9)))
    learner, other = (
        ActiveLearner(m, X_training=X[:30], y_training=labels)
        for m, labels in ((model, y[:30]), (plain, np.log10(y[:30])))
    )
    index, rows = learner.query(X[30:])
    assert index == other.query(X[30:])[0]
    learner.teach(rows, y[30:][index])
    assert len(learner.estimator["gp"].regressor_.estimator_.X_train_) == 31
    with pytest.raises(ValueError, match=r"log10 of the label .* row 3, -1.*positive"):
        model.fit(X[:40], np.where(np.arange(40) == 3, -1.0, y[:40]))


def test_a_known_error_of_the_labels_reaches_the_process(crystals):
    X, y = crystals
    y_std = np.where(np.arange(40) % 2 == 0, 0.5, 0.0)
    model = make_cfgp(NAME, calibrated=True).fit(X[:40], y[:40], gp__y_std=y_std)
    np.testing.assert_array_equal(model["gp"].estimator_.label_std_, y_std)
    with config_context(enable_metadata_routing=True):
        cfgp = make_cfgp(NAME, calibrated=True)
        cfgp["features"].transformer_list[1][1][0].set_fit_request(unseen=False)
        routed = cfgp.fit(X[:40], y[:40], y_std=y_std)
    np.testing.assert_allclose(routed.predict(X), model.predict(X))
