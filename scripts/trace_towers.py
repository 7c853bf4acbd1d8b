"""Train the paper's two towers on two halves of the CPU, and plot when each tower worked.

  python scripts/trace_towers.py --out towers.png                      crops of 131 pixels, batches of 16
  python scripts/trace_towers.py --out towers.png --size 227 --batch 64

The figure shows one step, from a trace of TensorFlow's profiler. The script prints the fraction of the time in which
both towers work at once, and the steps per second of one device and of the two towers.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import argparse
import dataclasses
import functools
import re
import statistics
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks import measuring, tracing
from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.files import check_new
from keras_alexnet.plotting import figures
from keras_alexnet.text import percent

ROUNDS, ROUND_SECONDS = 5, 5.0


@dataclasses.dataclass(frozen=True)
class Span:
    """When an operation of a tower ran.

    Attributes:
        tower: Number of the tower, from 1.
        name: Name of the operation.
        start: Seconds since the first.
        stop: The same.
    """

    tower: int
    name: str
    start: float
    stop: float

    @property
    def is_backward(self) -> bool:
        """Whether it belongs to the backward pass."""
        return "gradients/" in self.name


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="trace_towers.py", description=__doc__)
    parser.add_argument("--out", metavar="FILE", required=True, help="the figure, .png")
    parser.add_argument("--architecture", default="source", help="a network with towers (default: source)")
    parser.add_argument("--size", type=int, default=131, help="height and width of the input (default: 131)")
    parser.add_argument("--batch", type=int, default=16, help="pictures per step (default: 16)")
    return parser


def steps(arguments: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """Return a function for each way to train, which takes one step."""
    import tensorflow as tf

    from keras_alexnet import PaperSGD, build
    from keras_alexnet.training import towers

    def compiled():
        shape = (arguments.size, arguments.size, 3)
        model = build(arguments.architecture, input_shape=shape)
        model.compile(PaperSGD(1e-5), "sparse_categorical_crossentropy", jit_compile=False)
        return model

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    devices, random = ("CPU:0", "CPU:1"), np.random.default_rng(0)
    images = random.normal(0, 60, (arguments.batch, arguments.size, arguments.size, 3)).astype("float32")
    data = tf.data.Dataset.from_tensors((images, random.integers(1000, size=arguments.batch))).repeat()
    models = {"one device": compiled(), "two towers": towers.split(compiled(), devices)}
    for model in models.values():
        model.make_train_function()
    return {name: functools.partial(model.train_function, iter(data)) for name, model in models.items()}


def trace(step: Callable[[], None]) -> list[Span]:
    """Return when the operations of each tower ran in a step."""
    spans = []
    for plane, line, event in tracing.trace(step):
        name = plane.event_metadata[event.metadata_id].name
        tower = re.search(r"/tower(\d)", name)
        if tower:
            start = line.timestamp_ns * 1e-9 + event.offset_ps * 1e-12
            spans.append(Span(int(tower[1]), name, start, start + event.duration_ps * 1e-12))
    first = min(span.start for span in spans)
    return [dataclasses.replace(span, start=span.start - first, stop=span.stop - first) for span in spans]


def busy(spans: Sequence[Span], moments: np.ndarray) -> np.ndarray:
    """Return at which moments one of the operations runs."""
    found = np.zeros(len(moments), bool)
    for span in spans:
        found |= (moments >= span.start) & (moments < span.stop)
    return found


def overlap(spans: Sequence[Span]) -> float:
    """Return the share of the time in which both towers work, of that in which the less busy one does."""
    moments = np.linspace(0, max(span.stop for span in spans), 20_000)
    first, second = (busy([span for span in spans if span.tower == tower], moments) for tower in (1, 2))
    return float((first & second).sum() / min(first.sum(), second.sum()))


def timeline(spans: Sequence[Span], share: float) -> Figure:
    """Draw when each tower worked."""
    words = "Two bars over time, when each tower worked in one step: both at once for "
    words += f"{percent(share, 0)} of the time in which the less busy one works"
    figure = figures.sheet(8, 2.2, words)
    axes = figure.subplots()
    for is_backward, color in ((False, figures.BLUE), (True, figures.ORANGE)):
        for tower in (1, 2):
            chosen = [span for span in spans if span.tower == tower and span.is_backward == is_backward]
            bars = [(1e3 * span.start, 1e3 * (span.stop - span.start)) for span in chosen]
            label = ("backward" if is_backward else "forward") if tower == 1 else None
            axes.broken_barh(bars, (2 - tower + 0.1, 0.8), color=color, label=label)
    axes.set(xlabel="milliseconds", yticks=(0.5, 1.5), yticklabels=("tower 2", "tower 1"))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.3), ncols=2, frameon=False)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Measure, and draw the figure."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        figures.check_path(arguments.out)
        check_new(arguments.out, "--out")
        ways = steps(arguments)
        rates = measuring.take_turns({name: (step, 1) for name, step in ways.items()}, ROUNDS, ROUND_SECONDS)
        spans = trace(ways["two towers"])
        figures.save(timeline(spans, overlap(spans)), arguments.out)
        about = measuring.machine()
        say(f"{about['processor']}, {about['cores']} cores, load {about['load']}, {about['date']}")
        for name, found in rates.items():
            say(f"{name}: {statistics.median(found):.2f} steps/s, {min(found):.2f} to {max(found):.2f}")
        say(f"both towers at once: {percent(overlap(spans), 0)} of the time in which the less busy one works")
    return 0


if __name__ == "__main__":
    run(main)
