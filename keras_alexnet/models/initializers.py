"""Distributions of the random weights, as data (paper section 5).

Here the text and the authors' code differ, and the choice decides whether the network learns at all.
"""

import dataclasses
import itertools
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """A Gaussian with mean zero.

    Attributes:
        std: Standard deviation.
        truncated: Whether numbers beyond two standard deviations are redrawn.
    """

    std: float
    truncated: bool = False


@dataclasses.dataclass(frozen=True)
class Uniform:
    """A uniform distribution within `factor / sqrt(n)` of zero, where n is the number of inputs of one unit.

    Attributes:
        factor: Its half-width, times `sqrt(n)`.
    """

    factor: float = 1.0


@dataclasses.dataclass(frozen=True)
class Start:
    """The initial weights of one layer.

    Attributes:
        kernel: Distribution of the kernel.
        bias: Distribution of the biases, or one number for all of them.
    """

    kernel: Gaussian | Uniform
    bias: float | Uniform


_CONVOLUTIONAL = ("conv1", "conv2", "conv3", "conv4", "conv5")
_FULLY_CONNECTED = ("fc6", "fc7", "fc8")
_LAYERS = _CONVOLUTIONAL + _FULLY_CONNECTED


def _gaussians(layers, stds, biases):
    return {layer: Start(Gaussian(std), bias) for layer, std, bias in zip(layers, stds, biases, strict=True)}


_BIASES = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)  # section 5
_SOURCE_STDS = (0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01)
_CAFFE_STDS = (0.01,) * 5 + (0.005, 0.005, 0.01)

_SOURCE_CONV6 = _gaussians(  # layers-146-2009.cfg
    (*_CONVOLUTIONAL, "conv6", "fc7", "fc8", "fc9"),
    (0.01, 0.01, 0.03, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01),
    (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
)

# By name, then by layer
INITIAL_WEIGHTS = {
    "text": _gaussians(_LAYERS, (0.01,) * 8, _BIASES),  # section 5: the signal fades; learning starts late or never
    "source": _gaussians(_LAYERS, _SOURCE_STDS, _BIASES),  # layers-145.cfg
    "source_conv6": _SOURCE_CONV6,
    "source_low_resolution": _SOURCE_CONV6 | {"conv2_low": Start(Gaussian(0.01), 0.0)},  # layers-141.cfg
    "caffe": _gaussians(_LAYERS, _CAFFE_STDS, (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)),
    "caffenet": _gaussians(_LAYERS, _CAFFE_STDS, _BIASES),
    "torch": dict.fromkeys(_LAYERS, Start(Uniform(), Uniform())),
    "tflearn": dict.fromkeys(_CONVOLUTIONAL, Start(Uniform(3**0.5), 0.0))
    | dict.fromkeys(_FULLY_CONNECTED, Start(Gaussian(0.02, truncated=True), 0.0)),
    # Ours, for any data: with biases of 1 the last layer sees 4096 inputs near 1, and with few classes its loss is too
    # steep for a momentum of 0.9.
    "zero_biases": _gaussians(_LAYERS, _SOURCE_STDS, (0.0,) * 8),
    "conv_local": _gaussians(  # layers-conv-local-13pct.cfg
        ("conv1", "conv2", "local3", "local4", "fc5"), (1e-4, 0.01, 0.04, 0.04, 0.01), (0.0,) * 5
    ),
    "figure_1": _gaussians(("conv1", "conv2", "conv3", "fc4"), (1e-4, 0.01, 0.01, 0.01), (0.0,) * 4),
}


def in_words(start: Mapping[str, Start]) -> str:
    """Describe a set of initial weights in one line, from the first layer to the last.

    Args:
        start: `Start` by layer, such as a value of `INITIAL_WEIGHTS`.

    Returns:
        The standard deviations or bounds of the kernels, where n is the number of inputs of one unit, and the biases.

    Example:
        >>> in_words(INITIAL_WEIGHTS["caffe"])
        'kernels 5 of 0.01, 2 of 0.005, 0.01, biases 0, 0.1, 0, 4 of 0.1, 0'
        >>> in_words(INITIAL_WEIGHTS["torch"])
        'kernels 8 of +-1/sqrt(n), biases 8 of +-1/sqrt(n)'
    """
    kernels = _runs(row.kernel for row in start.values())
    return f"kernels {kernels}, biases {_runs(row.bias for row in start.values())}"


def _runs(distributions):
    counted = ((word, len(list(run))) for word, run in itertools.groupby(map(_word, distributions)))
    return ", ".join(f"{count} of {word}" if count > 1 else word for word, count in counted)


def _word(distribution):
    match distribution:
        case Gaussian(std=std, truncated=truncated):
            return f"{std:g}{' truncated' if truncated else ''}"
        case Uniform(factor=factor):
            return f"+-{factor:.3g}/sqrt(n)"
        case constant:
            return f"{constant:g}"
