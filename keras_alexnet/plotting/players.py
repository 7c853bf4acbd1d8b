"""Animations as HTML with a button and a slider, for notebooks and web pages."""

import base64
import hashlib
from collections.abc import Callable
from html import escape
from io import BytesIO

from matplotlib.figure import Figure
from PIL import Image

DPI = 120  # of the frames; shown at 80, so that they are sharp
COLORS = 16  # ours: enough for grayscale drawings
PAUSE = 700  # milliseconds between two frames

# Without its script, as on GitHub, the page shows the first frame. JupyterLab leaves keys to an element
# with `data-lm-suppress-shortcuts`; otherwise the arrow keys, which move the slider, select another cell.
PAGE = """<div class="player" data-player="{name}" style="max-width: {width}px">
<img src="{first}" alt="{words}" style="width: 100%; background: white">
<div style="display: flex; gap: 0.6em; align-items: center">
<button type="button" data-lm-suppress-shortcuts>play</button>
<input type="range" data-lm-suppress-shortcuts min="0" max="{last}" value="0" aria-label="{words}"
style="flex: 1; min-width: 0">
<output>1 of {count}</output>
</div>
<script type="application/json">{frames}</script>
<script>
for (const player of document.querySelectorAll('[data-player="{name}"]')) {{
  const [picture, button, slider, place] = ["img", "button", "input", "output"].map(tag => player.querySelector(tag));
  const frames = JSON.parse(player.querySelector("script").textContent);
  const show = () => {{
    picture.src = frames[slider.value];
    place.textContent = `${{+slider.value + 1}} of {count}`;
  }};
  let timer = 0;
  const stop = () => {{ clearInterval(timer); timer = 0; button.textContent = "play"; }};
  const step = () => {{ slider.value < {last} ? slider.value++ : stop(); show(); }};
  slider.oninput = () => {{ stop(); show(); }};
  button.onclick = () => {{
    if (timer) return stop();
    if (+slider.value === {last}) slider.value = 0;
    show();
    button.textContent = "stop";
    timer = setInterval(step, {pause});
  }};
}}
</script>
</div>"""


class Player:
    """Frames to play, or to step through with a slider.

    A notebook displays its HTML, which loads nothing from the internet. The same frames give the same HTML.

    Args:
        draw: Returns the figure of a frame, from 0 to `count - 1`.
        count: The number of frames.
        description: The alternative text.
        colors: The number of colors of a frame, up to 256; drawings in gray need few.

    Example:
        >>> def draw(n):
        ...     figure = Figure(figsize=(2, 1))
        ...     figure.text(0.5, 0.5, n)
        ...     return figure
        >>> Player(draw, 3, "The numbers 0 to 2")
        Player: The numbers 0 to 2
    """

    def __init__(self, draw: Callable[[int], Figure], count: int, description: str, colors: int = COLORS):
        self.description, self.count = description, count
        figures = [draw(n) for n in range(count)]
        self.width = round(80 * figures[0].get_figwidth())
        self.frames = [_picture(figure, colors) for figure in figures]

    def __repr__(self) -> str:
        return f"Player: {self.description}"

    def _repr_html_(self) -> str:
        frames = ", ".join(f'"{frame}"' for frame in self.frames)
        return PAGE.format(
            name=hashlib.sha256(frames.encode()).hexdigest()[:12],
            first=self.frames[0],
            words=escape(self.description),
            frames=f"[{frames}]",
            count=self.count,
            last=self.count - 1,
            width=self.width,
            pause=PAUSE,
        )


def _picture(figure: Figure, colors: int) -> str:
    """Return a figure as a data URL of a lossless image with few colors."""
    drawn, packed = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(colors).convert("RGB").save(packed, "WEBP", lossless=True, method=6)
    return f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode()}"
