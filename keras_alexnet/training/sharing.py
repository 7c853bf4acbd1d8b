"""What each device holds, computes and sends when several train one AlexNet, by arithmetic (paper section 3.2).

Three schemes to share the work:

- "towers", the paper's: each device has a part of the kernels of every layer and sees the whole batch. Activations and
  their gradients are exchanged, where a layer reads all towers. With more than two devices there are more towers, and
  so more groups, which is another function of fewer weights.
- "data_parallel": each device has the whole network and sees a part of the batch. The gradients of all weights are
  exchanged.
- "one_weird_trick" (Krizhevsky 2014): the convolutions are data parallel, and each device has a part of the fully
  connected layers, for the whole batch.

Collective operations are counted as rings do them: of N devices, each sends and receives (N - 1) / N of the numbers to
gather them, and twice that to sum them for all.
"""

import dataclasses
import math
from collections.abc import Callable

import keras
from keras import layers

from keras_alexnet.arguments import lookup
from keras_alexnet.models import architectures
from keras_alexnet.models.architectures import Architecture
from keras_alexnet.models.normalization import LocalResponseNormalization
from keras_alexnet.models.summary import layer_costs, sketch, training_flops
from keras_alexnet.training import one_weird_trick

BYTES_PER_FLOAT = 4


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Numbers that a device exchanges with others in one step.

    Attributes:
        layer: The layer that reads them, or whose weights the gradients belong to.
        phase: "forward", "backward" or "weights".
        sent: Bytes that the device sends.
        received: Bytes that it receives.
    """

    layer: str
    phase: str
    sent: float
    received: float


@dataclasses.dataclass(frozen=True)
class Share:
    """What one of several devices has to do in a step. Where they differ, it is the first, which has the classifier.

    Attributes:
        pictures: Pictures that its convolutions see.
        parameters: Weights and biases that it holds; each has a velocity and a gradient beside it.
        activations: Outputs of layers that it holds until the backward pass, over all pictures.
        operations: Floating-point operations of its convolutions and matrix products, forward and backward.
        exchanges: What it exchanges with the other devices.
    """

    pictures: float
    parameters: float
    activations: float
    operations: float
    exchanges: tuple[Exchange, ...]

    @property
    def sent(self) -> float:
        """Bytes that it sends in a step."""
        return sum(exchange.sent for exchange in self.exchanges)

    @property
    def received(self) -> float:
        """Bytes that it receives in a step."""
        return sum(exchange.received for exchange in self.exchanges)

    def held(self) -> float:
        """Return the bytes of its weights, velocities, gradients of weights, and activations."""
        return BYTES_PER_FLOAT * (3 * self.parameters + self.activations)

    def seconds(self, flops_per_second: float, bytes_per_second: float) -> float:
        """Return how long a step takes if nothing is sent while the device computes: an upper bound.

        Args:
            flops_per_second: Floating-point operations that the device does in a second.
            bytes_per_second: Bytes that it sends in a second, while it receives as many.
        """
        return self.operations / flops_per_second + max(self.sent, self.received) / bytes_per_second


def share(
    scheme: str, architecture: str | Architecture = "paper", devices: int = 2, batch: int = 128, classes: int = 1000
) -> Share:
    """Return what a device holds, computes and sends in a training step.

    Args:
        scheme: "towers", "data_parallel" or "one_weird_trick".
        architecture: A name in `ARCHITECTURES`, or an `Architecture` of your own.
        devices: Number of devices.
        batch: Pictures of a step, over all devices together.
        classes: Number of classes.

    Raises:
        ValueError: If the scheme or the architecture is unknown, or the layers or the batch do not divide among the
            devices.

    Example:
        >>> share("towers", "source").received < share("data_parallel", "source").received / 8
        True

    Source: section 3.2; Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
    """
    net = architectures.get(architecture)
    divide = lookup(SCHEMES, scheme, "scheme to share a network")
    if scheme != "towers" and batch % devices:
        raise ValueError(f"The batch must be divisible by the number of devices, {devices}. Received: {batch}")
    if scheme == "one_weird_trick":
        one_weird_trick.check(net, devices)
    return divide(net, devices, batch, classes)


@dataclasses.dataclass(frozen=True)
class Crossing:
    """Numbers that one tower sends to another, for one picture.

    Attributes:
        layer: The layer that reads them.
        phase: "forward", or "backward" for their gradients.
        sender: The tower that sends, from 0.
        receiver: The tower that receives.
        numbers: How many there are.
    """

    layer: str
    phase: str
    sender: int
    receiver: int
    numbers: int


def crossings(network: keras.Model, towers: int = 2) -> list[Crossing]:
    """Return what crosses between towers, which have a device each.

    A layer without groups needs the parts of its input that are on other devices. Their gradients take the way back. A
    normalization without groups needs the nearest channels of its neighbors.

    Args:
        network: A network of `keras_alexnet.build` with its classifier, or a sketch of one.
        towers: Number of towers.

    Example:
        >>> found = crossings(sketch("source"))
        >>> [(each.layer, each.numbers) for each in found if each.phase == "forward" and each.receiver == 0]
        [('conv3', 21632), ('fc6', 4608), ('fc7', 2048), ('fc8', 2048)]
    """
    found, first = [], True
    for layer in network.layers:
        is_weighted = isinstance(layer, (layers.Conv2D, layers.Dense))
        if not first and getattr(layer, "groups", 1) == 1:
            is_last = layer is network.layers[-1]
            if is_weighted and not layer.name.endswith("_low"):  # which reads the image
                part = math.prod(layer.input.shape[1:]) // towers
                readers = range(1 if is_last else towers)
                pairs = [(sender, reader) for reader in readers for sender in range(towers) if sender != reader]
            elif isinstance(layer, LocalResponseNormalization):
                part = layer.window // 2 * math.prod(layer.input.shape[1:-1])
                pairs = [(tower, tower + step) for tower in range(towers) for step in (-1, 1)]
                pairs = [pair for pair in pairs if 0 <= pair[1] < towers]
            else:
                pairs = []
            for sender, receiver in pairs:
                found.append(Crossing(layer.name, "forward", sender, receiver, part))
                found.append(Crossing(layer.name, "backward", receiver, sender, part))
        first = first and not is_weighted
    return found


def _towers(net, devices, batch, classes):
    rows = {n: dataclasses.replace(row, groups=_more(row.groups, devices)) for n, row in net.convolutions.items()}
    groups = _more(net.norm_groups, devices), _more(net.hidden_groups, devices)
    net = dataclasses.replace(net, convolutions=rows, norm_groups=groups[0], hidden_groups=groups[1])
    network = sketch(net, classes=classes)
    costs = layer_costs(network)
    last, flops = _last(costs), training_flops(costs)
    sent, received = {}, {}
    for crossing in crossings(network, devices):
        for tower, bytes_of in ((crossing.sender, sent), (crossing.receiver, received)):
            if tower == 0:
                key = crossing.layer, crossing.phase
                bytes_of[key] = bytes_of.get(key, 0) + BYTES_PER_FLOAT * batch * crossing.numbers
    return Share(
        pictures=batch,
        parameters=sum(cost.parameters for cost in costs if cost is not last) / devices + last.parameters,
        activations=batch * sum(math.prod(cost.shape) / (1 if cost in (costs[0], last) else devices) for cost in costs),
        operations=batch * sum(flops[cost.name] / (1 if cost is last else devices) for cost in costs),
        exchanges=tuple(
            Exchange(*key, sent.get(key, 0), received.get(key, 0)) for key in dict.fromkeys(sent | received)
        ),
    )


def _more(groups, towers):
    """Return the groups of a layer when there are more towers than the paper's two."""
    return groups if groups == 1 else groups * towers // 2


def _data_parallel(net, devices, batch, classes):
    costs = layer_costs(sketch(net, classes=classes))
    return Share(
        pictures=batch / devices,
        parameters=sum(cost.parameters for cost in costs),
        activations=batch / devices * sum(math.prod(cost.shape) for cost in costs),
        operations=batch / devices * sum(training_flops(costs).values()),
        exchanges=tuple(_summed(cost.name, "weights", cost.parameters, devices) for cost in costs if cost.parameters),
    )


def _one_weird_trick(net, devices, batch, classes):
    """Return the share of a device with `training.one_weird_trick`.

    The last layer is divided by its inputs, and its outputs are summed.

    Each device computes the loss of its own pictures, so the gradients of these outputs are gathered.
    """
    costs = layer_costs(sketch(net, classes=classes))
    last = _last(costs)
    dense = [cost for cost in costs if cost.name.startswith("fc")]
    flat = next(cost for cost in costs if cost.name == "flatten")
    convolutions = [cost for cost in costs if cost.parameters and cost not in dense]
    inputs = [flat, *dense]  # of each fully connected layer
    exchanges = []
    for source, reader in zip(inputs, dense, strict=False):
        if reader is not last:
            numbers = batch * math.prod(source.shape)
            exchanges.append(_gathered(reader.name, "forward", numbers, devices))
            exchanges.append(_summed(reader.name, "backward", numbers, devices))
    scores = batch * math.prod(last.shape)
    exchanges += [_summed(last.name, "forward", scores, devices), _gathered(last.name, "backward", scores, devices)]
    exchanges += [_summed(cost.name, "weights", cost.parameters, devices) for cost in convolutions]
    behind = costs[costs.index(flat) :]
    return Share(
        pictures=batch / devices,
        parameters=sum(cost.parameters for cost in convolutions) + sum(cost.parameters for cost in dense) / devices,
        activations=batch
        * (
            sum(math.prod(cost.shape) for cost in costs if cost not in behind) / devices
            + math.prod(flat.shape)
            + sum(math.prod(cost.shape) for cost in behind[1:]) / devices
        ),
        operations=batch / devices * sum(training_flops(costs).values()),
        exchanges=tuple(exchanges),
    )


SCHEMES: dict[str, Callable[..., Share]] = {
    "towers": _towers,
    "data_parallel": _data_parallel,
    "one_weird_trick": _one_weird_trick,
}


def _last(costs):
    """Return the last layer with weights."""
    return [cost for cost in costs if cost.parameters][-1]


def _gathered(layer, phase, numbers, devices):
    volume = BYTES_PER_FLOAT * numbers * (devices - 1) / devices
    return Exchange(layer, phase, volume, volume)


def _summed(layer, phase, numbers, devices):
    volume = 2 * BYTES_PER_FLOAT * numbers * (devices - 1) / devices
    return Exchange(layer, phase, volume, volume)
