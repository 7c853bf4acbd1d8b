"""Describe networks: shapes, costs and differences (paper sections 3.5 and 5)."""

import concurrent.futures
import dataclasses
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_alexnet.models import architectures
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES, Architecture
from keras_alexnet.models.initializers import INITIAL_WEIGHTS, Gaussian, Start, in_words
from keras_alexnet.models.layers import LocallyConnected2D


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """The cost of one layer of a network for one image.

    Attributes:
        name: Name of the layer.
        kind: Name of its class.
        shape: Shape of its output, without the batch.
        parameters: Number of its parameters.
        multiply_adds: Number of multiply-adds in its convolution or matrix product. Elementwise operations are not
            counted.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def layer_costs(model: keras.Model) -> list[LayerCost]:
    """Return the cost of each layer of a network, from first to last.

    Args:
        model: A network with an input of known size.

    Example:
        >>> [layer.parameters for layer in layer_costs(sketch("paper")) if layer.name.startswith("fc")]
        [37752832, 16781312, 4097000]
    """
    return [
        LayerCost(
            layer.name,
            type(layer).__name__,
            tuple(layer.output.shape[1:]),
            layer.count_params(),
            _multiply_adds(layer),
        )
        for layer in model.layers
    ]


def _multiply_adds(layer):
    """Each weight of a convolution is used once per position, any other weight once."""
    if isinstance(layer, layers.Conv2D):
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
    return math.prod(layer.kernel.shape) if isinstance(layer, (layers.Dense, LocallyConnected2D)) else 0


def training_flops(costs: Sequence[LayerCost]) -> dict[str, int]:
    """Return the floating-point operations that training on one image takes in each layer, by name.

    A multiply-add is two operations. The gradients of the weights and of the input take as many as the forward pass.
    Layers that read the image need no gradient of their input: the first one, and that of a low-resolution copy.

    Args:
        costs: The result of `layer_costs`.

    Example:
        >>> sum(training_flops(layer_costs(sketch("paper"))).values())
        4135610496
    """
    first = next((cost for cost in costs if cost.multiply_adds), None)
    reads_image = {cost.name for cost in costs if cost is first or cost.name.endswith("_low")}
    return {cost.name: 2 * cost.multiply_adds * (2 if cost.name in reads_image else 3) for cost in costs}


def sketch(architecture: str | Architecture = "paper", **arguments: Any) -> keras.Model:
    """Build a network without allocating its weights, which is fast and needs little memory.

    Args:
        architecture: As for `build`.
        **arguments: As for `build`.

    Returns:
        A network that can be inspected, but not run.
    """

    def build_without_weights():
        with keras.StatelessScope(initialize_variables=False):
            return build(architecture, **arguments)

    # Keras keeps a list of such variables per thread, and allocates all of them later, for example in a Lambda layer:
    # 0.24 GB per network. In a separate thread, the list ends with the thread.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(build_without_weights).result()


def describe(architecture: str | Architecture = "paper", classes: int = 1000) -> str:
    """Describe a network: its published errors, its layers and their costs, and its differences from the paper.

    Args:
        architecture: A name in `ARCHITECTURES`, or your own `Architecture`.
        classes: Number of classes.

    Returns:
        Text to print, at most 80 characters wide. Values of `paper` are in parentheses.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> print(describe("single_tower").splitlines()[-1])
          conv5 groups: 1 (paper: 2)

    Source: section 3.5, and section 7 on the small share of parameters in a convolution.
    """
    net = architectures.get(architecture)
    costs = layer_costs(sketch(net, classes=classes, initial_weights=_AnyWeights()))
    published = _wrapped(f"published: {net.published}") if net.published else []
    lines = [*_wrapped(f"{net.name}: {net.summary}"), *published, "", *_table(costs), "", _shares(costs)]
    changes = differences(net, ARCHITECTURES["paper"])
    if changes:
        lines += ["", "Differences from paper:"]
    for what, own, other in changes:
        text = _weights_text if what == "initial weights" else setting_words
        lines += _wrapped(f"{_LABELS.get(what, what)}: {text(own)} (paper: {text(other)})", "  ")
    return "\n".join(lines)


class _AnyWeights(dict):
    """The same initial weights for every layer: `describe` does not depend on them."""

    def __contains__(self, layer):
        return True

    def __missing__(self, layer):
        return Start(Gaussian(0.01), 0.0)


def _wrapped(text, margin=""):
    return textwrap.wrap(text, 80, initial_indent=margin, subsequent_indent=margin + "  ")


def _table(costs):
    head = ("layer", "kind", "output", "parameters", "mult-adds")
    rows = [
        (cost.name, cost.kind, "x".join(map(str, cost.shape)), _count(cost.parameters), _count(cost.multiply_adds))
        for cost in costs
    ]
    total = ("total", "", "", *map(_count, _sums(costs)))
    widths = [max(map(len, column)) for column in zip(head, *rows, total, strict=True)]
    form = "  ".join(f"{{:{'<' if n < 3 else '>'}{width}}}" for n, width in enumerate(widths))
    return [form.format(*row).rstrip() for row in (head, *rows, total)]


def _count(number):
    return f"{number:,}" if number else ""


def _sums(costs):
    return sum(cost.parameters for cost in costs), sum(cost.multiply_adds for cost in costs)


def _shares(costs):
    parameters, work = _sums(costs)
    of_convolutions, by_convolutions = _sums([cost for cost in costs if cost.name.startswith("conv")])
    return (
        f"The convolutions have {of_convolutions / parameters:.1%} of the parameters "
        f"and do {by_convolutions / work:.1%} of the work."
    )


def differences(net: Architecture, other: Architecture) -> list[tuple[str, Any, Any]]:
    """Return the settings in which two networks differ.

    Returns:
        A list of `(setting, value in net, value in other)`.

    Example:
        >>> differences(ARCHITECTURES["caffe"], ARCHITECTURES["paper"])[:2]
        [('norm k', 1.0, 2.0), ('norm alpha', 2e-05, 0.0001)]
    """
    rows = (dataclasses.asdict(row) for row in (net, other))
    return [found for found in _compared(*rows) if found[0] not in ("name", "summary", "published")]


def _compared(own, other, path=""):
    """Yield the entries in which two nested dictionaries differ. A part that one of them lacks is one entry."""
    if not (isinstance(own, dict) and isinstance(other, dict)):
        if own != other:
            yield path, own, other
        return
    for key in {**other, **own}:
        step = f"conv{key}" if isinstance(key, int) else f"{path} {key}".replace("_", " ").strip()
        yield from _compared(own.get(key), other.get(key), step)


_LABELS = {  # of settings with short names
    "dropout before": "dropout before the layer, not after it",
    "hidden groups": "groups of the hidden layers",
    "pool": "pool size and stride",
    "top size": "size that the last maps are averaged to",
    "size": "input size",
    "smallest size": "smallest input size",
    "mean": "mean to subtract",
    "std": "std to divide by",
}


def setting_words(value: Any) -> str:
    """Format the value of a setting for reading.

    Example:
        >>> setting_words(("relu", "norm", "pool")), setting_words({"window": 5, "k": 1.0}), setting_words(None)
        ('relu, norm, pool', 'window 5, k 1.0', 'none')
    """
    if isinstance(value, dict):
        return ", ".join(f"{key} {setting_words(part)}" for key, part in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return {"None": "none", "True": "yes", "False": "no"}.get(str(value), str(value))


def _weights_text(name):
    return f"{name}, {in_words(INITIAL_WEIGHTS[name])}"
