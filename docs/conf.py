"""How the documentation site is built: `make docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import hmr_edu  # noqa: E402 - found on the path above

project = "hmr_edu"
author = "the hmr_edu authors"
copyright = "2026, the hmr_edu authors"
version = release = hmr_edu.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    # Our own, in docs/_ext.
    "lesson_pages",
    "lesson_links",
    "paper_map",
    "module_pages",
    "docstrings",
    "citations",
    "rooms",
    "loss_terms",
    "experiment_tables",
    "speed_tables",
    "wrong_answers",
    "offline_mathjax",
    "plotly_figures",
    "explorer_films",
]
exclude_patterns = ["_build"]

# Pages are Markdown; formulas between dollars; headings can be linked to.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Lessons are shown as they were committed, never run.
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # would be loaded from the network
nb_code_prompt_show = "Show a solution"
nb_code_prompt_hide = "Hide the solution"

# API pages come from the docstrings; signatures as they are written in the source.
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
default_role = "code_or_link"  # what single backticks mean in docstrings
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"

# One bibliography, in sections.
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "house"
bibtex_reference_style = "author_year"
bibtex_cite_id = "{key}-{bibliography_count}"

html_theme = "sphinx_book_theme"
html_title = "hmr_edu"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
# A lesson list is empty until there are lessons.
suppress_warnings = ["toc.empty_glob", "myst.header"]
