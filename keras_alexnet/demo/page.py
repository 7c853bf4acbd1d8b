"""The Gradio page: its layout and its event handlers. `explorer` computes what it shows."""

import pathlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from keras_alexnet.demo import markup, pictures, style
from keras_alexnet.demo.explorer import BAR_CLASSES, Explorer
from keras_alexnet.demo.parts import PARTS

SMALLEST_CROP = 20  # percent of the shorter side


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
            picture = pictures.load(upload["path"] or "", self.explorers)
        except (ValueError, OSError) as error:
            return self._nothing(str(error).replace(pathlib.Path(upload["path"] or "").name or name, name))
        return self._answers(picture)

    def answer_drawing(self, drawing: dict | None) -> list[Any]:
        """Return the same for a drawing."""
        pixels = None if drawing is None else drawing["composite"]
        if pixels is None or not pixels[..., -1].any():
            return self._nothing("Draw something first.")
        note = markup.note("This is the answer for the drawing.")  # since the tab Picture may show another picture
        return self._answers(pictures.load(pictures.on_white(pixels), self.explorers), note)

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
        """Fill the parts of the page below the answer one after another: those of `PARTS`, for each of the networks."""
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
                shown[n] = part.make(each, resized, inside[each], answers[each])
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
            drawing.select(None, js=style.TAKE_BRUSH)
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
            brush=gr.Brush(default_size=12, colors=[*style.COLORS]),
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
            for part in PARTS:
                with gr.Tab(part.title, render_children=True):
                    gr.HTML(markup.note(part.note))
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
