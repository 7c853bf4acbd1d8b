"""The site: guides, built chapters, and the API reference from the docstrings. Nothing is executed."""

import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from keras_alexnet.command_line import quiet_terminal  # noqa: E402  found by the line above

quiet_terminal()  # autodoc imports TensorFlow

project = "keras_alexnet"
author = "The keras_alexnet authors"
project_copyright = author

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "browser",  # these four are in _ext
    "chapters",
    "docstrings",
    "reference",
]
exclude_patterns = ["_ext", "_static"]

nb_execution_mode = "off"  # scripts/build_tutorials.py has run the chapters
nb_render_markdown_format = "myst"  # renders tables
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
napoleon_use_ivar = True  # avoids duplicate descriptions of dataclass attributes

html_theme = "sphinx_book_theme"
html_title = "keras_alexnet"
html_theme_options = {
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the sidebar has a search box
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["wide.js"]
html_context = {"default_mode": "auto"}  # without it, the theme reports an invalid mode on every page
html_math_renderer = "mathml"
html_sourcelink_suffix = ""
html_domain_indices = False  # the pages of the reference list the modules
