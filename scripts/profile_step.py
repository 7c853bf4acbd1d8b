"""Show where the time of a training step goes: a table, and a picture with --out.

  python scripts/profile_step.py --batch-size 64 --out step.png

Operations run one after another here, each on all cores, so that their times add up to the step. Convolutions and
matrix products are compared with the time that the same arithmetic takes at the speed of one large matrix product.

Do not run other programs at the same time.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import argparse
import collections
import dataclasses
import re
import statistics
import typing
from collections.abc import Callable, Iterator, Mapping

from benchmarks import baselines, measuring, network_speed, tracing
from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.files import check_new
from keras_alexnet.reporting.tables import markdown

if typing.TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

STEPS = 5
FORWARD, MAPS, WEIGHTS = "forward", "gradient of the inputs", "gradient of the weights"
PASSES = (FORWARD, MAPS, WEIGHTS)
NORMS, POOLS, UPDATE, OTHERS = "normalization", "pooling", "update of the weights", "others"
PRODUCT = r"convolution|MatMul|Fused"  # in the name or the kind of an operation
COLORS = dict(zip((*PASSES, ""), ("#4477aa", "#ee7733", "#ccbb44", "#999999"), strict=True))


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="profile_step.py", description=__doc__)
    parser.add_argument("--batch-size", type=int, default=64, help="batch size (default: 64)")
    parser.add_argument("--size", type=int, default=227, help="crop size in pixels (default: 227)")
    parser.add_argument(
        "--precision", choices=network_speed.POLICIES, default="float32", help="precision (default: float32)"
    )
    parser.add_argument("--out", metavar="FILE", help="write the picture to this PNG file")
    return parser


def part_of(name: str, kind: str) -> tuple[str, str]:
    """Return the layer or group of layers that an operation belongs to, and its pass.

    Args:
        name: Name of the operation in TensorFlow's graph.
        kind: Its kind.

    Example:
        >>> part_of("gradient_tape/alexnet_paper/conv3/convolution/Conv2DBackpropInput", "Conv2DBackpropInput")
        ('conv3', 'gradient of the inputs')
        >>> part_of("alexnet_paper/relu1/Relu", "_FusedConv2D")
        ('conv1', 'forward')
        >>> part_of("paper_sgd/StatefulPartitionedCall_14", "StatefulPartitionedCall")
        ('update of the weights', '')
    """
    if name.startswith("paper_sgd"):
        return UPDATE, ""
    if "/norm" in name or re.fullmatch(r"PartitionedCall(_\d+)?", name):  # the second: compiled gradients
        return NORMS, FORWARD if "/norm" in name else MAPS
    backward = name.startswith("gradient_tape/")
    if "/pool" in name:
        return POOLS, MAPS if backward else FORWARD
    layer = re.search(r"/(conv|fc|relu)(\d)(_\d+)?/", name)
    if not layer or not re.search(PRODUCT, f"{name} {kind}"):
        return OTHERS, ""
    layer = f"{'fc' if layer[1] == 'fc' or int(layer[2]) > 5 else 'conv'}{layer[2]}"
    if not backward:
        return layer, FORWARD
    # The gradients of a dense layer are two matrix products, first that of the inputs.
    return layer, WEIGHTS if re.search(r"BackpropFilter|MatMul_1$", name) else MAPS


def traced(step: Callable[[], None]) -> Iterator[tuple[str, str, float]]:
    """Trace a few steps and yield the name, kind and milliseconds per step of each operation."""

    def steps():
        for _ in range(STEPS):
            step()

    for plane, _, event in tracing.trace(steps):
        title = plane.event_metadata[event.metadata_id].name
        if "ProcessAsync::Start" in title:  # compiled by XLA
            texts = {
                plane.stat_metadata[stat.metadata_id].name: plane.stat_metadata[stat.ref_value].name
                for stat in event.stats
            }
            name, kind = texts.get("name", ""), texts.get("kernel_type", "")
        elif re.fullmatch(r"[^: ]+:[^: ]+", title):
            name, _, kind = title.partition(":")
        else:
            continue
        yield name, kind, event.duration_ps / 1e9 / STEPS


@dataclasses.dataclass(frozen=True)
class Profile:
    """The times of a training step.

    Attributes:
        parts: Milliseconds by layer and pass.
        step: Milliseconds of a step without tracing.
        speed: Speed of one large matrix product, in billions of multiply-adds per second.
        ideal: Milliseconds that all passes of a layer would take at this speed.
    """

    parts: Mapping[tuple[str, str], float]
    step: float
    speed: float
    ideal: Mapping[str, float]

    @property
    def layers(self) -> list[str]:
        """The layers and groups of layers, in the order of the network."""
        names, groups = {layer for layer, _ in self.parts}, (NORMS, POOLS, UPDATE, OTHERS)
        return [*sorted(names - {*groups}), *(group for group in groups if group in names)]

    def table(self) -> str:
        """Return a Markdown table."""
        return markdown(self._row(layer) for layer in self.layers)

    def _row(self, layer):
        total = sum(taken for (name, _), taken in self.parts.items() if name == layer)
        return (
            {"": layer}
            | {each: _whole(self.parts.get((layer, each), 0)) for each in PASSES}
            | {"all, ms": _whole(total), "share of the step": f"{total / self.step:.1%}"}
            | {"at the speed of one product, ms": _whole(self.ideal.get(layer, 0))}
        )

    def draw(self, subtitle: str) -> "Figure":
        """Draw the times as bars, with a mark for each layer at the speed of one large matrix product."""
        from keras_alexnet.plotting import figures

        figure = figures.sheet(8, 4.6, "Where the time of a training step goes: milliseconds by layer and pass")
        axes = figure.subplots()
        for place, layer in enumerate(self.layers):
            start = 0.0
            for each, color in COLORS.items():
                taken = self.parts.get((layer, each), 0)
                axes.barh(place, taken, left=start, color=color)
                start += taken
            if layer in self.ideal:
                axes.plot([self.ideal[layer]] * 2, [place - 0.45, place + 0.45], color="black", lw=2)
        axes.set_yticks(range(len(self.layers)), self.layers)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(f"milliseconds ({subtitle})")
        bars = [axes.barh(0, 0, color=COLORS[each], label=each) for each in PASSES]
        marks = axes.plot([], [], color="black", lw=2, label="at the speed of one large matrix product")
        axes.legend(handles=[*bars, *marks], frameon=False, loc="lower right")
        return figure


def _whole(milliseconds):
    return f"{milliseconds:.0f}" if milliseconds >= 0.5 else ""


def measure(batch_size: int, size: int, precision: str) -> Profile:
    """Measure a training step on random pictures."""
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    with network_speed.precision(precision):
        network = network_speed.ours(argparse.Namespace(size=size))
    step = network_speed.training_step(network, *network_speed.random_batch(network, batch_size, size))
    side = network_speed.PRODUCT_SIDE
    matrix = tf.cast(tf.random.normal((side, side)), network.compute_dtype)
    contenders = {"step": (step, 1), "product": (lambda: tf.matmul(matrix, matrix).numpy(), side**3 / 1e9)}
    rates = measuring.take_turns(contenders, repeats=5, seconds=1.0)
    parts = collections.Counter()
    for name, kind, taken in traced(step):
        parts[part_of(name, kind)] += taken
    speed = max(rates["product"])
    return Profile(parts, 1000 / statistics.median(rates["step"]), speed, ideal(network, batch_size, speed))


def ideal(network: "keras.Model", batch_size: int, speed: float) -> dict[str, float]:
    """Return the milliseconds of all passes of each layer at a speed in billions of multiply-adds per second."""
    from keras_alexnet.models.summary import layer_costs, training_flops  # imports Keras

    flops = training_flops(layer_costs(network))
    return {name: batch_size * number / 2 / speed / 1e6 for name, number in flops.items() if number}


def main(argv: list[str] | None = None) -> None:
    """Measure a step, print the table and write the picture. The exit status is 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        if arguments.batch_size < 1:
            raise ValueError(f"`--batch-size` must be at least 1. Received: {arguments.batch_size}")
        baselines.final_side(arguments.size)
        if arguments.out:
            from keras_alexnet.plotting import figures

            figures.check_path(arguments.out)
            check_new(arguments.out, "--out")
        profile = measure(arguments.batch_size, arguments.size, arguments.precision)
        say(profile.table())
        say(f"A step takes {profile.step:.0f} ms; the operations above take {sum(profile.parts.values()):.0f} ms.")
        say(f"One large matrix product does {profile.speed:.0f} billion multiply-adds per second.")
        if arguments.out:
            subtitle = f"batch {arguments.batch_size}, {arguments.size} pixels, {arguments.precision}"
            figures.save(profile.draw(subtitle), arguments.out)


if __name__ == "__main__":
    run(main)
