"""The looks of the Gradio page: styles, scripts, fonts and colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # an extra, and it takes seconds
    import gradio

COLORS = ("#d02060", "#e8b020", "#7030a0", "#2060c0", "#308030", "#000000")  # of the brush: petals, leaves, outlines

STYLE = """
.note { max-width: 45em; margin: 0 0 0.6em; }
p[role=alert] { color: #b91c1c; font-weight: 600; margin: 0; }
.dark p[role=alert] { color: #fca5a5; }
table.answers :is(th, td) { text-align: left; padding: 0.3em 0.6em !important; font-weight: normal; }
.figure { overflow-x: auto; scrollbar-width: thin; }
input[type=range]:focus-visible { outline: 2px solid var(--color-accent) !important; outline-offset: 4px; }
.figure img { background: white; }
.confidence-set, .confidence-set * { font-family: var(--font) !important; }
"""
# Gradio's thumbnails of examples have no words. Their files are named after what they show.
SCRIPT = """() => {
  const silent = 'img:not([alt]), img[alt=""]';
  const describe = () => document.querySelectorAll(silent).forEach((image) => {
    image.alt = decodeURIComponent(image.src).split("/").pop().split(".")[0] || "picture";
  });
  new MutationObserver(describe).observe(document.body, { childList: true, subtree: true });
  describe();
}"""

# A drawing begins with the brush in hand. The canvas is made only when its tab is opened.
TAKE_BRUSH = """() => {
  const take = () => {
    const brush = document.querySelector("button[aria-label=Brush]");
    brush ? brush.click() : setTimeout(take, 200);
  };
  setTimeout(take, 200);
}"""


def theme() -> gradio.themes.Base:
    """Use system fonts, so that none are downloaded or shipped."""
    import gradio as gr

    fonts = ("system-ui", "sans-serif")
    return gr.themes.Default(font=fonts, font_mono=("ui-monospace", "monospace"))
