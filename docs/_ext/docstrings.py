"""Convert docstrings, in Google style with Markdown, for Sphinx, and render their formulas."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

RETURNS = re.compile(r"^(Returns|Yields):\n((?:[ \t]+.*(?:\n|$)|\n(?=[ \t]))+)", re.MULTILINE)


def as_restructured_text(text: str) -> str:
    r"""Convert the Markdown in a docstring, and escape text that Napoleon would misread.

    Napoleon takes the words before a colon in "Returns" for a type. Types are in our signatures, so there is none.

    Example:
        >>> as_restructured_text("Give `x`.\n\nReturns:\n    Two things: this and that.\n")
        'Give ``x``\\ .\n\n:returns: Two things: this and that.\n'
    """
    text = RETURNS.sub(_as_field, text)
    text = re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``\\ ", text)
    text = re.sub(r"\$\$(.+?)\$\$", lambda found: f"\n.. math:: {' '.join(found[1].split())}\n", text, flags=re.DOTALL)
    text = re.sub(r"(?<!\$)\$([^$\n]+)\$", r":math:`\1`\\ ", text)
    return re.sub(r'(\w)_"', r'\1\\_"', text)


def _as_field(found):
    lines = found[2].rstrip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    first, *rest = (line[indent:] for line in lines)
    name = "returns" if found[1] == "Returns" else "yields"
    ending = "\n" * (len(found[2]) - len(found[2].rstrip("\n")))
    return "\n".join([f":{name}: {first}", *(f"    {line}".rstrip() for line in rest)]) + ending


def _process(app, what, name, obj, options, lines):
    lines[:] = as_restructured_text("\n".join(lines)).split("\n")


def _inline_formula(translator, node):
    """Render formulas as MathML, which browsers support without scripts or downloads."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _formula(translator, node):
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register before Napoleon, which has the default priority of 500."""
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_formula, None))
    app.connect("autodoc-process-docstring", _process, priority=100)
