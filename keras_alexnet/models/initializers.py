"""How networks start, as data: the distributions that their first weights are drawn from (paper section 5).

The text and the authors' code agree on the network and differ here, and it decides whether the network learns at all.
"""

import dataclasses
import itertools


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Numbers drawn from a Gaussian around zero; `truncated` ones are drawn again beyond two deviations."""

    std: float
    truncated: bool = False


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Numbers drawn evenly from within `factor / sqrt(n)` of zero, where n is how many inputs one unit has."""

    factor: float = 1.0


@dataclasses.dataclass(frozen=True)
class Start:
    """How one layer starts: the kernel's distribution, and the bias's or one number for all biases."""

    kernel: Gaussian | Uniform
    bias: float | Uniform


_CONVOLUTIONAL = ("conv1", "conv2", "conv3", "conv4", "conv5")
_FULLY_CONNECTED = ("fc6", "fc7", "fc8")
_LAYERS = _CONVOLUTIONAL + _FULLY_CONNECTED


def _gaussians(layers, stds, biases):
    return {layer: Start(Gaussian(std), bias) for layer, std, bias in zip(layers, stds, biases, strict=True)}


_BIASES = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)  # section 5
_CAFFE_STDS = (0.01,) * 5 + (0.005, 0.005, 0.01)

# By name, then by layer.
INITIAL_WEIGHTS = {
    "text": _gaussians(_LAYERS, (0.01,) * 8, _BIASES),  # section 5: the signal fades, and learning begins late or never
    "source": _gaussians(_LAYERS, (0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01), _BIASES),  # layers-145.cfg
    "caffe": _gaussians(_LAYERS, _CAFFE_STDS, (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)),
    "caffenet": _gaussians(_LAYERS, _CAFFE_STDS, _BIASES),
    "torch": dict.fromkeys(_LAYERS, Start(Uniform(), Uniform())),
    "tflearn": dict.fromkeys(_CONVOLUTIONAL, Start(Uniform(3**0.5), 0.0))
    | dict.fromkeys(_FULLY_CONNECTED, Start(Gaussian(0.02, truncated=True), 0.0)),
    "figure_1": _gaussians(("conv1", "conv2", "conv3", "fc4"), (1e-4, 0.01, 0.01, 0.01), (0.0,) * 4),
}


def in_words(start):
    """A set of initial weights in one line, layer by layer from first to last; n is how many inputs one unit has.

    Args:
        start: `Start` by layer, such as a value of `INITIAL_WEIGHTS`.

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
