"""The HTML representation of an estimator links to a page that the docs have."""

import pytest
from sklearn.base import clone
from sklearn.utils import estimator_html_repr
from test_docs import names_on_page

from skcfgp import (
    CalibratedRegressor,
    CompositionFeaturizer,
    GaussianProcessRegressor,
    MEGNetFeaturizer,
)
from skcfgp.baselines import DummyRegressor, ExtraTreesRegressor, MEGNetEnsemble, MEGNetRegressor
from skcfgp.vecchia import VecchiaGaussianProcessRegressor

ESTIMATORS = (
    CalibratedRegressor,
    CompositionFeaturizer,
    DummyRegressor,
    ExtraTreesRegressor,
    GaussianProcessRegressor,
    MEGNetEnsemble,
    MEGNetFeaturizer,
    MEGNetRegressor,
    VecchiaGaussianProcessRegressor,
)


@pytest.mark.parametrize("estimator", [cls() for cls in ESTIMATORS])
def test_link_is_to_a_page_of_the_docs(estimator, monkeypatch):
    monkeypatch.setenv("SKCFGP_DOCS", "https://docs.local/")
    page = estimator._get_doc_link().removeprefix("https://docs.local/generated/")
    assert page.removesuffix(".html") in names_on_page()
    assert page in estimator_html_repr(clone(estimator))


def test_no_link_where_there_are_no_pages(monkeypatch):
    monkeypatch.delenv("SKCFGP_DOCS", raising=False)
    assert "generated/" not in estimator_html_repr(MEGNetFeaturizer())


def test_no_link_for_a_class_that_is_not_ours(monkeypatch):
    monkeypatch.setenv("SKCFGP_DOCS", "docs")
    mine = type("Mine", (GaussianProcessRegressor,), {"__module__": "mine"})
    assert mine()._get_doc_link() == ""
