"""Convert docstrings, in Google style with Markdown, and signatures for Sphinx, and render formulas."""

import inspect
import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.inspect import stringify_signature

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


def signature_of(kind: str, thing: object, found: str | None) -> str | None:
    """Return the signature to show.

    For Keras's classes, which have a `__new__` of any arguments, it is that of `__init__`. A default such as
    `<factory>`, which Sphinx cannot parse, becomes "...".

    Args:
        kind: The kind of thing, such as "class".
        thing: The documented class or function.
        found: The signature that Sphinx found.

    Example:
        >>> signature_of("function", len, "(rows: dict[str, int]=<factory>)")
        '(rows: dict[str, int]=...)'
    """
    if kind == "class" and found == "(*args, **kwargs)":
        own = inspect.signature(thing.__init__)
        _, *parameters = own.parameters.values()
        found = stringify_signature(own.replace(parameters=parameters), unqualified_typehints=True)
    return found and re.sub(r"<(?:factory|function [\w.<>]+(?: at 0x\w+)?)>", "...", found)


def _process_signature(app, what, name, obj, options, signature, return_annotation):
    return signature_of(what, obj, signature), return_annotation


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
    app.connect("autodoc-process-signature", _process_signature)
