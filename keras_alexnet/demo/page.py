"""The Gradio page: its layout and its event handlers. `explorer` computes what it shows."""

from __future__ import annotations

import concurrent.futures
import logging
import os
import pathlib
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn.datasets
import tensorflow as tf
from PIL import Image

from keras_alexnet.data import decoding, rewriting
from keras_alexnet.demo import examples, markup
from keras_alexnet.demo.explorer import BAR_CLASSES, Explorer
from keras_alexnet.evaluation import predict

if TYPE_CHECKING:  # an extra, and it takes seconds
    import gradio

SCENE = 512  # height and width in pixels of the picture that crops are cut out of by hand
LARGEST_FILE = "200mb"
SMALLEST_CROP = 20  # percent of the square
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

NOTES = {
    "Ten crops": "The network sees a square crop. As in the paper (section 4.1), the answer above is the mean over ten "
    "of them: four corners, the center, and the mirror images of these. A network that was trained without mirror "
    "images gets only five.",
    "Where it looks": "Grad-CAM of the last convolution for the three most probable classes of the answer: the parts "
    "of the central crop that speak for the class are light.",
    "First layer": "The kernels of conv1 and, in the same order, their answers to the central crop: light is "
    "positive, dark is negative, mid-gray is zero.",
    "Strongest maps": "For the central crop, the maps of each convolution with the largest mean after the ReLU.",
    "Neighbors": "The training pictures whose last hidden layer is nearest to that of this picture (section 6.1). A "
    "cross marks another class than the answer.",
    "Switched off": "The same network with a part switched off, on the central crop. It was not trained without the "
    "part: this shows how the whole network uses it.",
}


# How each part is made, in the order of `NOTES`, from a network, a resized picture, and what `Explorer.inside` and
# `Explorer.answer` returned.
PARTS = (
    lambda each, picture, inside, answer: markup.part(each.crops(picture)),
    lambda each, picture, inside, answer: markup.part(each.class_maps(picture, answer)),
    lambda each, picture, inside, answer: markup.part(each.kernels()) + markup.part(each.responses(inside)),
    lambda each, picture, inside, answer: markup.part(each.strongest_maps(inside)),
    lambda each, picture, inside, answer: markup.part(each.neighbors(picture, inside, answer)),
    lambda each, picture, inside, answer: markup.switched_off(each.without_parts(picture)),
)


def check_address(host: str, port: int) -> None:
    """Check that the page can be served at an address.

    Raises:
        ValueError: If the port is in use, or the host is not one of this machine's.
    """
    if not 0 < port < 1 << 16:
        raise ValueError(f"Expected a port from 1 to 65535. Received: {port}")
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise ValueError(
            f"Expected a free port of this machine: give another with --port or --host. Received: {host}:{port}, "
            f"{error.strerror or error}"
        ) from error


def load(source: str | pathlib.Path | np.ndarray, explorers: Sequence[Explorer]) -> dict[str, Any]:
    """Return what the page keeps of a picture while it is shown.

    Args:
        source: Path of a picture file, or a picture as uint8 `(height, width, 3)`.
        explorers: The networks.

    Returns:
        `scene`, uint8 `(512, 512, 3)`; and `resized`, the picture as each network's evaluation resizes it, by size.

    Raises:
        ValueError: If the file is not a picture that can be read.
    """
    picture = tf.constant(source) if isinstance(source, np.ndarray) else predict.read_picture(source)
    resized = {each.resize_size: each.resize(picture) for each in explorers}
    return {"scene": decoding.load_resized(picture, SCENE).numpy(), "resized": resized}


def on_white(drawing: np.ndarray) -> np.ndarray:
    """Return a drawing with alpha, uint8 `(height, width, 4)`, on white paper, `(height, width, 3)`."""
    return np.asarray(rewriting.upright(Image.fromarray(drawing)))


def write_examples(folder: pathlib.Path) -> list[str]:
    """Write the example pictures into a folder: four drawn flowers and the two photographs of scikit-learn."""
    pictures = examples.drawn()
    photographs = sklearn.datasets.load_sample_images()
    names = [pathlib.Path(name).stem for name in photographs.filenames]
    pictures |= dict(zip(names, photographs.images, strict=True))
    files = []
    for name, pixels in pictures.items():
        files.append(str(folder / f"{name}.png"))
        Image.fromarray(pixels).save(files[-1])
    return files


class Page:
    """The page for some networks: its parts, and the functions that fill them.

    Args:
        explorers: The networks, which stand side by side.
        example_files: Paths of example pictures.
    """

    def __init__(self, explorers: Sequence[Explorer], example_files: Sequence[str] = ()):
        self.explorers = tuple(explorers)
        self._drawing = threading.Lock()  # matplotlib's font cache is not made for several threads
        self.blocks = self._build(list(example_files))

    # Event handlers

    def answer_file(self, upload: dict | None) -> list[Any]:
        """Return the message, the picture and each network's answer for an uploaded file."""
        if upload is None:
            return self._nothing("")
        name = upload.get("orig_name") or "the picture"
        try:
            picture = load(upload["path"] or "", self.explorers)
        except (ValueError, OSError) as error:
            return self._nothing(str(error).replace(pathlib.Path(upload["path"] or "").name or name, name))
        return self._answers(picture)

    def answer_drawing(self, drawing: dict | None) -> list[Any]:
        """Return the same for a drawing."""
        pixels = None if drawing is None else drawing["composite"]
        if pixels is None or not pixels[..., -1].any():
            return self._nothing("Draw something first.")
        note = markup.note("This is the answer for the drawing.")  # since the tab Picture may show another picture
        return self._answers(load(on_white(pixels), self.explorers), note)

    def _nothing(self, text):
        return [markup.message(text), None, *[None] * len(self.explorers)]

    def _answers(self, picture, note=""):
        answers = {each: each.answer(picture["resized"][each.resize_size]) for each in self.explorers}
        shown = picture | {"answers": [*answers.values()]}
        return [note, shown, *(each.best(answer) for each, answer in answers.items())]

    def answer_crop(self, picture: dict | None, size: float, left: float, top: float) -> list[Any]:
        """Return the crop and the answer of each network to it; sliders are in percent."""
        if picture is None:
            return ["", None] * len(self.explorers)
        shown = []
        for each in self.explorers:
            crop = each.cut(picture["scene"], size / 100, left / 100, top / 100)
            (probabilities,) = each.probabilities(crop[None])
            shown += [markup.picture(crop, f"The crop that {each.name} sees", 262), each.best(probabilities)]
        return shown

    def details(self, picture: dict | None) -> Iterator[list[Any]]:
        """Fill the parts of the page below the answer one after another: those of `NOTES`, for each of the networks."""
        import gradio as gr

        parts = [(part, each) for part in PARTS for each in self.explorers]
        yield [""] * len(parts)  # those of the picture before
        if picture is None:
            return
        inside, answers = {}, dict(zip(self.explorers, picture["answers"], strict=True))
        for n, (part, each) in enumerate(parts):
            shown = [gr.skip()] * len(parts)
            resized = picture["resized"][each.resize_size]
            with self._drawing:
                if each not in inside:
                    inside[each] = each.inside(resized)
                shown[n] = part(each, resized, inside[each], answers[each])
            yield shown

    # Layout

    def _build(self, example_files):
        import gradio as gr

        options = {"api_visibility": "private"}
        with gr.Blocks(title="keras_alexnet", analytics_enabled=False) as blocks:
            gr.Markdown(
                "# What does AlexNet see?\nChoose or draw a picture. It stays on the machine that runs this page."
            )
            picture = gr.State()
            with gr.Row():
                with gr.Column():
                    with gr.Tab("Picture"):
                        upload = self._upload(example_files)
                    with gr.Tab("Drawing") as drawing:
                        pad = self._pad()
                        ask = gr.Button("Classify the drawing", variant="primary")
                with gr.Column():
                    message = gr.HTML()
                    answers = [self._label(each) for each in self.explorers]
            details = self._tabs()
            sliders, crops = self._crop_tab(picture)
            drawing.select(None, js=TAKE_BRUSH)
            outcome = [message, picture, *answers]
            given = upload.change(self.answer_file, upload, outcome, preprocess=False, **options)
            drawn = ask.click(self.answer_drawing, pad, outcome, **options)
            for event in (given, drawn):
                event.then(self.answer_crop, [picture, *sliders], crops, **options)
                event.then(self.details, picture, details, **options)
        return blocks

    def _upload(self, example_files):
        import gradio as gr

        upload = gr.Image(
            label="Picture",
            type="filepath",
            image_mode=None,
            sources=["upload", "webcam", "clipboard"],
            height=320,
            buttons=[],
            alt_text="The chosen picture",
        )
        if example_files:
            gr.Examples(example_files, upload, label="Examples", cache_examples=False)
        return upload

    def _pad(self):
        import gradio as gr

        return gr.ImageEditor(
            label="Drawing",
            type="numpy",
            sources=(),
            transforms=(),
            layers=False,
            brush=gr.Brush(default_size=12, colors=[*COLORS]),
            canvas_size=(320, 320),
            fixed_canvas=True,
            buttons=[],
        )

    def _label(self, each):
        import gradio as gr

        return gr.Label(label=each.name, num_top_classes=BAR_CLASSES, min_width=260)

    def _tabs(self):
        import gradio as gr

        details = []
        with gr.Tabs(overflow_behavior="wrap"):
            for title, note in NOTES.items():
                with gr.Tab(title, render_children=True):
                    gr.HTML(markup.note(note))
                    details += self._columns()
        return details

    def _columns(self):
        import gradio as gr

        parts = []
        with gr.Row():
            for each in self.explorers:
                with gr.Column(min_width=300):
                    if len(self.explorers) > 1:
                        gr.Markdown(f"**{each.name}**")
                    parts.append(gr.HTML())
        return parts

    def _crop_tab(self, picture):
        import gradio as gr

        whole = self.explorers[0]
        share = round(100 * whole.crop_size / whole.resize_size)
        crops = []
        gr.Markdown("## Move the crop")
        with gr.Row():
            sliders = [
                self._slider("Size, %", SMALLEST_CROP, share),
                self._slider("Left to right, %", 0, 50),
                self._slider("Top to bottom, %", 0, 50),
            ]
        with gr.Row():
            for each in self.explorers:
                with gr.Column(min_width=300), gr.Row():
                    with gr.Column(min_width=262, scale=0):
                        crops.append(gr.HTML())
                    with gr.Column(min_width=262):
                        crops.append(self._label(each))
        for slider in sliders:
            slider.change(  # unlike `input`, also when it is reset
                self.answer_crop,
                [picture, *sliders],
                crops,
                show_progress="hidden",
                trigger_mode="always_last",
                api_visibility="private",
            )
        return sliders, crops

    def _slider(self, label, least, value):
        import gradio as gr

        slider = gr.Slider(least, 100, value, step=1, label=label)
        # A number that is being typed into its field may be too small, or missing. Gradio's own check ends in an error.
        slider.preprocess = lambda typed: value if typed is None else min(max(typed, least), 100)
        return slider


def serve(explorers: Sequence[Explorer], host: str, port: int, folder: pathlib.Path) -> str:
    """Serve the page in the background until the process ends, and return its address.

    Nothing leaves this machine: there are no analytics, no downloaded fonts and no public link.

    Args:
        explorers: The networks.
        host: The address to listen at; "127.0.0.1" for this machine alone.
        port: The port.
        folder: Folder for the example pictures and for the uploaded ones.

    Raises:
        ValueError: If the address is not free.
    """
    check_address(host, port)
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    import gradio as gr  # after these, which it reads when it is imported

    logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
    pool = concurrent.futures.ThreadPoolExecutor(1)
    for each in explorers:
        each.read_training_pictures(pool)
    page = Page(explorers, write_examples(folder))
    _, address, _ = page.blocks.launch(
        server_name=host,
        server_port=port,
        share=False,
        inbrowser=False,
        prevent_thread_lock=True,
        quiet=True,
        footer_links=[],
        max_file_size=LARGEST_FILE,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        theme=_theme(gr),
        css=STYLE,
        js=SCRIPT,
    )
    return address


def address_for_others(host: str, port: int) -> str | None:
    """Return the address by which other machines may reach the page; None if only this machine can."""
    return f"http://{socket.gethostname()}:{port}/" if host in ("0.0.0.0", "::") else None


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Return False for a visitor who leaves during an upload, which the server logs as an error."""
    return not record.exc_info or type(record.exc_info[1]).__name__ != "ClientDisconnect"


def _theme(gr: gradio) -> gradio.themes.Base:
    """Use system fonts, so that none are downloaded or shipped."""
    fonts = ("system-ui", "sans-serif")
    return gr.themes.Default(font=fonts, font_mono=("ui-monospace", "monospace"))
