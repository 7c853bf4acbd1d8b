"""The site: the chapters as they were built, and the reference from the docstrings. Nothing is run or downloaded."""

import os
import pathlib
import re
import shutil

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# Sphinx finds pages under its own folder alone, and a link to the chapters' folder would lead their links astray.
HERE = pathlib.Path(__file__).resolve().parent
shutil.rmtree(HERE / "tutorials", ignore_errors=True)
(HERE / "tutorials").mkdir()
for chapter in (HERE.parent / "tutorials").glob("*.ipynb"):
    shutil.copy(chapter, HERE / "tutorials")

project = "keras_alexnet"
author = "The keras_alexnet authors"
project_copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

nb_execution_mode = "off"  # scripts/build_tutorials.py has run them
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types and shapes
napoleon_use_ivar = True  # attributes of dataclasses are not described twice

html_theme = "sphinx_book_theme"
html_title = "keras_alexnet"
html_theme_options = {"show_toc_level": 2, "home_page_in_toc": True}
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_math_renderer = "mathml"
html_sourcelink_suffix = ""


def _as_restructured_text(app, what, name, obj, options, lines):
    """The docstrings are Markdown in three things: formulas, inline formulas and code."""
    text = re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``\\ ", "\n".join(lines))
    text = re.sub(r"\$\$(.+?)\$\$", lambda found: f"\n.. math:: {' '.join(found[1].split())}\n", text, flags=re.DOTALL)
    text = re.sub(r"(?<!\$)\$([^$\n]+)\$", r":math:`\1`\\ ", text)
    text = re.sub(r'(\w)_"', r'\1\\_"', text)
    lines[:] = text.split("\n")


def _inline_formula(translator, node):
    """MathML, which browsers set by themselves: no script and nothing to fetch."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _formula(translator, node):
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app):
    """Hooks into autodoc before napoleon does, and sets the formulas."""
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_formula, None))
    app.connect("autodoc-process-docstring", _as_restructured_text, priority=100)
