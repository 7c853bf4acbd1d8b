"""Pieces of HTML that the page shows: pictures with words for those who cannot see them, tables and messages."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from keras_alexnet.text import percent

DPI = 110  # of figures: sharp enough on a phone, and small
READABLE = 560  # pixels: a figure that is wider than a phone scrolls sideways, so that its words can be read


def part(content: Figure | str) -> str:
    """Return a part of the page: a figure, or a sentence that says why there is none."""
    if isinstance(content, str):
        return f"<p>{escape(content)}</p>"
    file = io.BytesIO()
    content.savefig(file, format="png", dpi=DPI)
    width = round(content.get_figwidth() * DPI)
    image = _image(file.getvalue(), content.get_label(), width, min(width, READABLE))
    return f'<div class="figure" tabindex="0" role="group" aria-label="figure, may scroll sideways">{image}</div>'


def picture(pixels: np.ndarray, words: str, width: int) -> str:
    """Return a picture, uint8 `(height, width, 3)`, that is shown so many pixels wide."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return _image(file.getvalue(), words, width)


def _image(png, words, width, least=0):
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    style = f"width: {width}px; max-width: max(100%, {least}px); height: auto"
    return f'<img src="{source}" alt="{escape(words)}" style="{style}">'


def message(text: str) -> str:
    """Return a line about wrong input, which screen readers read at once; an empty text removes it.

    Example:
        >>> message("Expected a picture. Received: <b>.txt")
        '<p role="alert">Expected a picture. Received: &lt;b&gt;.txt</p>'
    """
    return f'<p role="alert">{escape(text)}</p>' if text else ""


def note(text: str) -> str:
    """Return a remark."""
    return f'<p class="note">{escape(text)}</p>'


def switched_off(rows: Sequence[tuple[str, str, float, float]]) -> str:
    """Return the answers of `Explorer.without_parts` as a table."""
    if len(rows) == 1:
        return part("This network has neither response normalization nor a second tower to switch off.")
    answer = escape(rows[0][1])
    body = "".join(
        f'<tr><th scope="row">{escape(words)}</th><td>{escape(name)}, {_percent(probability)}</td>'
        f"<td>{_percent(of_answer)}</td></tr>"
        for words, name, probability, of_answer in rows
    )
    head = f'<th scope="col">network</th><th scope="col">its answer</th><th scope="col">probability of {answer}</th>'
    return f'<table class="answers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _percent(share: float) -> str:
    return percent(share, 0).replace(" ", "&nbsp;")
