"""Names and layouts of weights in other frameworks, and the contents of a weight file. Each format has its own
module."""

import dataclasses
from collections.abc import Iterable

import numpy as np

EXTERNAL = "its data are in another file"


@dataclasses.dataclass(frozen=True)
class Convention:
    """Names and layout of the weights of a layer in a framework.

    Attributes:
        kernel: Name of a layer's kernel, with {} for the name of the layer.
        bias: Name of its bias.
        channels_first: Whether kernels are (out, in, height, width) and (out, in), and maps are flattened channel by
            channel. Otherwise kernels are (height, width, in, out) and (in, out), and maps are flattened position by
            position.
        bgr: Whether the input is BGR.
        layers: The framework's layer names if they are not `conv1` or `fc6`.
        top: Prefix of the names of the fully connected layers.
    """

    kernel: str
    bias: str
    channels_first: bool = False
    bgr: bool = False
    layers: dict[str, str] = dataclasses.field(default_factory=dict)
    top: str = "fc"

    def names(self, layer: str) -> tuple[str, str]:
        """Return the names of the kernel and the bias of a layer.

        Example:
            >>> Convention("{}_w_0", "{}_b_0").names("conv1")
            ('conv1_w_0', 'conv1_b_0')
        """
        name = self.layers.get(layer, layer)
        return self.kernel.format(name), self.bias.format(name)


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """The contents of a weight file.

    Attributes:
        arrays: Arrays by name.
        convention: The `Convention` of their names and axes.
        steps: The steps of the file's network before its first fully connected layer, each in the format of `step`.
            None if the file does not describe the network.
        network: Name of the file's network, None if it has none.
        size: Height of its input in pixels, None if unknown.
        input_scales: Factors of the inputs of layers at test time, by layer, where they are not 1, see
            `models.layers.PaperDropout`. None if unknown; they are then assumed to match the network.
        activation: Keras's name of the activation of its first fully connected layer, None if unknown.
    """

    arrays: dict[str, np.ndarray]
    convention: Convention
    steps: tuple[str, ...] | None = None
    network: str | None = None
    size: int | None = None
    input_scales: dict[str, float] | None = dataclasses.field(default_factory=dict)
    activation: str | None = None


CONSTANTS = {"norm": ("window", "k", "alpha", "beta"), "pool": ("window", "stride")}  # of the steps that have any


def step(kind: str, *constants: float) -> str:
    """Return a step of a network as text, for comparisons and messages.

    Args:
        kind: "conv", "relu", "pool", "norm" or "spatial norm".
        *constants: Those of `CONSTANTS`; none if they are unknown. The alpha of a "norm" is the factor of the sum of
            squares, not divided by the window.

    Example:
        >>> step("norm", 5, 1, 2e-5, 0.75), step("pool", 3, 2)
        ('norm(window=5, k=1, alpha=2e-05, beta=0.75)', 'pool(window=3, stride=2)')
    """
    named = ", ".join(f"{name}={value:.4g}" for name, value in zip(CONSTANTS.get(kind, ()), constants, strict=False))
    return f"{kind}({named})" if named else kind


def steps_before_dense(layers: list[tuple[str | None, tuple[float, ...] | None]]) -> tuple[str, ...]:
    """Return the steps of a network before its first fully connected layer.

    Args:
        layers: Kind of each layer, as for `step`, or "dense", or None for a layer that is not compared; and its
            constants, None if it has none or they are unknown.

    Example:
        >>> steps_before_dense([("conv", None), (None, None), ("relu", None), ("dense", None), ("relu", None)])
        ('conv', 'relu')
    """
    steps = []
    for kind, constants in layers:
        if kind == "dense":
            break
        if kind:
            steps.append(step(kind, *(constants or ())))
    return tuple(steps)


def input_scales(layers: Iterable[tuple[str, float | None, bool]]) -> dict[str, float]:
    """Return the factors of the inputs of fully connected layers at test time, where they are not 1.

    Args:
        layers: For each layer, its name, its rate if it is a `PaperDropout`, and whether it is fully connected.

    Example:
        >>> input_scales([("fc6", None, True), ("drop6", 0.5, False), ("fc7", None, True), ("fc8", None, True)])
        {'fc7': 0.5}
    """
    scales, scale = {}, 1.0
    for name, rate, is_dense in layers:
        if rate is not None:
            scale *= 1 - rate
        elif is_dense:
            scales[name], scale = scale, 1.0
    return {name: scale for name, scale in scales.items() if scale != 1}


def widened(array: np.ndarray, dtype: str | None) -> np.ndarray:
    """Convert a bfloat16 array, which NumPy does not support, to float32. Return any other array unchanged.

    Args:
        array: Any array. A bfloat16 array has the upper halves of float32 numbers.
        dtype: Name of the type in the file, if any.

    Example:
        >>> widened(np.array([0x3F80, 0xC000], np.uint16), "bfloat16").tolist()
        [1.0, -2.0]
    """
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else array
