"""Settings of Sphinx. Nothing is fetched while the pages are built."""

import os
import re
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["OMP_NUM_THREADS"] = "1"  # figures that do not depend on the machine, and no idle waits


from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import skcfgp

project = "skcfgp"
author = "The skcfgp developers"
copyright = author
version = release = skcfgp.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "scripts", "examples", "sg_execution_times.rst"]
source_suffix = {".rst": "restructuredtext"}
templates_path = ["_templates"]
default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the template of a class lists them

bibtex_bibfiles = ["references.bib"]

warnings.filterwarnings("error")  # as in the tests
for module in ("pymatgen", "spglib", "tensorflow", "tf_keras", "keras", "google", "h5py", "ase"):
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=f"{module}.*")

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "reference_url": {"skcfgp": None},
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skcfgp",),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib|.*Display",
    "show_memory": False,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skcfgp {version}"
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
}
html_static_path = ["_static"]
html_css_files = ["skcfgp.css"]
html_math_renderer = "mathml"  # browsers show it without a script from elsewhere
html_show_sourcelink = False
html_copy_source = False


def skip_what_is_not_ours(app, what, name, obj, skip, options):
    """Leave out what scikit-learn and NamedTuple add to a class."""
    added_by_sklearn = re.fullmatch(r"set_\w+_request", name)
    added_by_tuple = (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")
    return True if added_by_sklearn or added_by_tuple else None


def write_mathml(translator, node):
    """Write a formula as MathML."""
    is_block = isinstance(node, nodes.math_block)
    translator.body.append(tex2mathml(node.astext(), as_block=is_block))
    raise nodes.SkipNode


def setup(app):
    app.connect("autodoc-skip-member", skip_what_is_not_ours)
    app.add_html_math_renderer("mathml", (write_mathml, None), (write_mathml, None))
