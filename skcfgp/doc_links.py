"""`DocLinkMixin`: the HTML representation of an estimator links to its page."""

import os

import skcfgp

__all__ = ["DocLinkMixin"]


class DocLinkMixin:
    """Link to the page of the class, as scikit-learn's developer guide describes it.

    The pages are where the environment variable ``SKCFGP_DOCS`` says: the folder or address of a
    build of the docs. Without it there is no link, since the pages are not hosted yet.
    """

    _doc_link_module = "skcfgp"

    @property
    def _doc_link_template(self):
        root = os.environ.get("SKCFGP_DOCS", "").rstrip("/")
        return f"{root}/generated/{{page}}.html" if root else ""

    def _doc_link_url_param_generator(self):
        name, module = type(self).__name__, type(self).__module__
        public = "skcfgp" if name in skcfgp.__all__ else ".".join(module.split(".")[:2])
        return {"page": f"{public}.{name}"}
