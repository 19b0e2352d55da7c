"""Settings of Sphinx. Nothing is fetched while the pages are built."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import skcfgp

project = "skcfgp"
author = "The skcfgp developers"
copyright = author
version = release = skcfgp.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build", "scripts"]
templates_path = ["_templates"]
default_role = "py:obj"
add_module_names = False

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the template of a class lists them

html_theme = "pydata_sphinx_theme"
html_title = f"skcfgp {version}"
html_sidebars = {"index": [], "quickstart": [], "files": [], "limits": []}
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
html_copy_source = False


def skip_what_is_not_ours(app, what, name, obj, skip, options):
    """Leave out what scikit-learn and NamedTuple add to a class."""
    added_by_sklearn = re.fullmatch(r"set_\w+_request", name)
    added_by_tuple = (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")
    return True if added_by_sklearn or added_by_tuple else None


def setup(app):
    app.connect("autodoc-skip-member", skip_what_is_not_ours)
