"""Layers that are missing, slow or incomplete in Keras (paper sections 3.3, 3.5 and 4.2).

Response normalization divides each activation by the energy of its neighbors: `LocalResponseNormalization` over
neighboring channels, as in the paper, and `SpatialResponseNormalization` over neighboring positions of one map, as in
the authors' code. `GroupedConv2D` is the convolution of the two towers, fast on every device; `GroupedFlatten` and
`GroupedDense` keep the towers separate after it. `PaperDropout` halves at test time.
"""

import dataclasses
import functools
import numbers
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_alexnet.models.fusion import compile_elementwise, fusion_enabled

register = keras.saving.register_keras_serializable(package="keras_alexnet")


# The sum over a window of neighbors, over channels and within maps


_BLOCK = 8  # channels; ours: faster than 16 and 32 in TensorFlow and LiteRT on a processor with AVX2


@dataclasses.dataclass(frozen=True)
class _OverChannels:
    """`offset` plus `weight` times the sum over the neighboring channels, within each group of channels."""

    window: int
    groups: int

    def __call__(self, x, weight, offset=0.0):
        *places, channels = ops.shape(x)
        if not fusion_enabled():  # one product instead of one pass over memory per channel of the window
            return self._sum_by_blocks(x, weight, offset) if self._has_blocks(x) else self._product(x, weight) + offset
        grouped = ops.reshape(x, (*places, self.groups, channels // self.groups))  # (..., groups, channels / groups)
        sums = ops.reshape(_sum_along(grouped, len(grouped.shape) - 1, self.window), (*places, channels))
        return offset + weight * sums

    def _product(self, x, weight):
        return ops.matmul(x, ops.convert_to_tensor(weight * band(x.shape[-1], self.window, self.groups), x.dtype))

    def _has_blocks(self, x):
        """Return whether `_sum_by_blocks` is possible, and faster than a product with the whole band matrix."""
        is_maps = len(x.shape) == 4 and None not in x.shape[1:] and keras.backend.backend() == "tensorflow"
        return is_maps and x.shape[-1] // self.groups % _BLOCK == 0 and self.window // 2 <= _BLOCK

    def _sum_by_blocks(self, x, weight, offset):
        """Multiply each block of channels and its two neighbors by their part of the band matrix.

        This is a convolution along the blocks, which pads each group with zeros. It needs 24 multiplications per
        channel, and the product with the whole matrix as many as there are channels.
        """
        _, height, width, channels = x.shape
        blocks = ops.reshape(x, (-1, height * width * self.groups, channels // self.groups // _BLOCK, _BLOCK))
        kernel = weight * band(3 * _BLOCK, self.window)[:, _BLOCK : 2 * _BLOCK].reshape(1, 3, _BLOCK, _BLOCK)
        sums = ops.conv(blocks, ops.convert_to_tensor(kernel, x.dtype), 1, "same", data_format="channels_last")
        # a vector, which TensorFlow adds within the convolution
        return ops.reshape(sums + ops.convert_to_tensor([offset] * _BLOCK, x.dtype), (-1, height, width, channels))


@dataclasses.dataclass(frozen=True)
class _WithinMaps:
    """`offset` plus `weight` times the sum over the neighboring positions of the same map."""

    window: int

    def __call__(self, x, weight, offset=0.0):
        if not fusion_enabled():  # one pooling instead of two passes over memory per position of the window
            margin = [self.window // 2] * 2
            padded = ops.pad(x, [[0, 0], margin, margin, [0, 0]])
            mean = ops.average_pool(padded, self.window, 1, "valid", data_format="channels_last")
            return offset + (weight * self.window**2) * mean
        return offset + weight * _sum_along(_sum_along(x, 1, self.window), 2, self.window)


def band(channels: int, window: int, groups: int = 1) -> np.ndarray:
    """Return the band matrix whose product with the channels sums the neighbors of each channel.

    Returns:
        Booleans, `(channels, channels)`.

    Example:
        >>> (1 * band(4, 3, groups=2)).tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    channel = np.arange(channels)
    group = channel // (channels // groups)
    return (abs(channel[:, None] - channel) <= window // 2) & (group[:, None] == group)


def _sum_along(x, axis, window):
    """Sum over a centered window along one axis, with zero padding, by adding shifted copies."""
    length = ops.shape(x)[axis]
    margins = [[window // 2] * 2 if dimension == axis else [0, 0] for dimension in range(len(x.shape))]
    padded = ops.pad(x, margins)
    before = (slice(None),) * axis
    return sum(padded[(*before, slice(shift, shift + length))] for shift in range(window))


# The normalization and its gradient, for either sum


@functools.cache
def _normalization(window_sum, k, alpha, beta):
    """Return the functions `y = x / d ** beta`, where `d = window_sum(x ** 2, alpha, k)`, and its gradient.

    The gradient is explicit. Automatic differentiation would keep every intermediate array for the backward pass; this
    keeps only `x` and recomputes the rest. A centered window sum with zero padding is its own adjoint, so the gradient
    needs one more sum of the same kind.

    Layers with the same constants share the two functions and their compiled code, since compiling takes longer than
    running a small network.
    """

    def normalize(inputs):
        x = ops.cast(inputs, _precision(inputs))
        d = window_sum(x * x, alpha, k)
        return ops.cast(x * _power(d, beta), inputs.dtype)

    def gradient(inputs, upstream):
        x, dy = (ops.cast(tensor, _precision(inputs)) for tensor in (inputs, upstream))
        d = window_sum(x * x, alpha, k)
        p = _power(d, beta)
        dx = dy * p - x * window_sum(dy * x * p / d, 2 * alpha * beta)
        return ops.cast(dx, inputs.dtype)

    return normalize, gradient


def _precision(tensor):
    """Return at least float32: squares of float16 overflow above 255, and bfloat16 has three digits."""
    return "float64" if keras.backend.standardize_dtype(tensor.dtype) == "float64" else "float32"


def _power(d, beta):
    """Return `d ** -beta`. The paper's 0.75 uses two square roots, several times faster than a general power."""
    if beta == 0.75:
        root = ops.rsqrt(d)
        return root * ops.sqrt(root)
    return ops.power(d, -beta)


# The layers


class _ResponseNormalization(keras.layers.Layer):
    """Base class of both normalizations."""

    def __init__(self, window_sum: Callable, k: float, alpha: float, beta: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.window = window_sum.window
        self.k = _real("k", k)
        self.alpha = _real("alpha", alpha)
        self.beta = _real("beta", beta)
        normalize, gradient = _normalization(window_sum, self.k, self.alpha, self.beta)
        self._forward = compile_elementwise(normalize, shared=True)
        self._backward = compile_elementwise(gradient, shared=True)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        inputs = inputs if keras.backend.is_float_dtype(inputs.dtype) else ops.cast(inputs, self.compute_dtype)

        @ops.custom_gradient
        def normalized(x):
            def gradient(*arguments, upstream=None):  # Keras's backends pass it in two ways
                return self._backward(x, arguments[0] if upstream is None else upstream)

            return self._forward(x), gradient

        return normalized(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "window": self.window, "k": self.k, "alpha": self.alpha, "beta": self.beta}


def _window(value, name="window"):
    if not _is_integer(value) or value < 1 or value % 2 == 0:
        raise ValueError(
            f"`{name}` must be an odd integer, such as 5, so that it has a center. Received: {name}={value!r}"
        )
    return int(value)


def _real(name, value):
    """Return a constant as a float: any real number, but not an array."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise ValueError(f"`{name}` must be a number. Received: {name}={value!r}")
    return float(value)


def _groups(value):
    if not _is_integer(value) or value < 1:
        raise ValueError(f"`groups` must be an integer of at least 1. Received: groups={value!r}")
    return int(value)


def _check_division(width, groups, what="channels"):
    if width is None:
        raise ValueError(f"The number of {what} must be known. Received: an input with {what}=None")
    if width % groups:
        raise ValueError(
            f"`groups` must divide the {what} into groups of equal width. Received: {width} {what}, groups={groups}"
        )


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)  # also NumPy integers


@register
class LocalResponseNormalization(_ResponseNormalization):
    r"""Normalize each activation by the energy of the neighboring channels at the same position.

    $$b^i = \frac{a^i}{\left(k + \alpha \sum_{j=\max(0,\,i-n/2)}^{\min(N-1,\,i+n/2)} (a^j)^2\right)^\beta}$$

    `alpha` multiplies the sum itself, as in the paper's formula and in `tf.nn.lrn`. PyTorch, Caffe and ONNX divide it
    by the window: their `alpha=5e-4` with a window of 5 is `alpha=1e-4` here.

    The gradient is defined for reverse mode, which `fit` uses. Forward mode (`jax.jvp`) and the transformations of
    `torch.func`, such as `torch.func.grad`, do not work.

    Input and output: float tensor of any rank with channels last, for example `(batch, height, width, channels)`.

    Args:
        window: Number of channels in the sum, `n` in the paper; odd.
        k: Number added to the sum.
        alpha: Weight of each square in the sum.
        beta: Exponent.
        groups: Number of groups of channels. Windows do not cross groups. 1 in the paper's text, 2 in the authors'
            code, where each GPU normalized its own channels.

    Raises:
        ValueError: If `window` is even, `groups` does not divide the channels, or a constant is not a number.

    Example:
        >>> import numpy as np
        >>> layer = LocalResponseNormalization(window=3, k=1.0, alpha=1.0, beta=1.0)
        >>> y = layer(np.array([[1.0, 2.0, 3.0]], "float32"))
        >>> [round(float(value), 4) for value in np.array(y)[0]]  # 1/(1+1+4), 2/(1+1+4+9), 3/(1+4+9)
        [0.1667, 0.1333, 0.2143]

    Source: section 3.3; the authors' `layers-145.cfg` for `groups`.
    """

    def __init__(
        self,
        window: int = 5,
        k: float = 2.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        groups: int = 1,
        **kwargs: Any,
    ):
        self.groups = _groups(groups)
        super().__init__(_OverChannels(_window(window), self.groups), k, alpha, beta, **kwargs)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        _check_division(inputs.shape[-1], self.groups)
        return super().call(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        _check_division(input_shape[-1], self.groups)
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups}


def is_over_all_channels(layer: keras.layers.Layer) -> bool:
    """Return whether a layer normalizes over all channels, for which export formats have an operator."""
    return isinstance(layer, LocalResponseNormalization) and layer.groups == 1


@register
class SpatialResponseNormalization(_ResponseNormalization):
    r"""Normalize each activation by the energy of its neighbors in the same map.

    $$b_{x,y} = \frac{a_{x,y}}{\left(k + \alpha \sum_{|u-x|,\,|v-y| \le n/2} a_{u,v}^2\right)^\beta}$$

    The authors' code has it after the second normalization over channels; the paper does not mention it.

    Input and output: float tensor `(batch, height, width, channels)`.

    Args:
        window: Height and width of the window in the sum; odd.
        k: Number added to the sum.
        alpha: Weight of each square in the sum; the authors' 1e-3 divided by the 25 positions.
        beta: Exponent.

    Raises:
        ValueError: If `window` is even, a constant is not a number, or the input is not of rank 4.

    Source: the authors' `layers-145.cfg`.
    """

    def __init__(self, window: int = 5, k: float = 1.0, alpha: float = 4e-5, beta: float = 0.75, **kwargs: Any):
        super().__init__(_WithinMaps(_window(window)), k, alpha, beta, **kwargs)
        self.input_spec = keras.InputSpec(ndim=4)


@register
class GroupedConv2D(keras.layers.Conv2D):
    """Convolve each of `groups` groups of channels separately, as `keras.layers.Conv2D` does.

    Arguments, weights and results are the same. On the CPU, Keras computes a grouped convolution with XLA, which is ten
    times slower than the separate convolutions of this layer. On other devices both are equally fast.

    Input: `(batch, height, width, channels)`. Output: `(batch, new_height, new_width, filters)`.

    Raises:
        ValueError: If `groups` does not divide the channels or `filters`.

    Example:
        >>> layer = GroupedConv2D(256, 5, padding="same", groups=2)
        >>> layer.build((None, 27, 27, 96))
        >>> tuple(layer.kernel.shape)
        (5, 5, 48, 256)

    Source: section 3.5, where the kernels of conv2, conv4 and conv5 see only the maps on their own GPU.
    """

    def convolution_op(self, inputs: keras.KerasTensor, kernel: keras.KerasTensor) -> keras.KerasTensor:
        if inputs.shape[0] == 0:  # TensorFlow with oneDNN returns the shape of the inputs
            return ops.zeros(self.compute_output_shape(inputs.shape), inputs.dtype)
        convolve = super().convolution_op
        if self.groups == 1 or self.data_format == "channels_first":  # on the CPU, TensorFlow supports it only in XLA
            return convolve(inputs, kernel)
        parts = ops.split(inputs, self.groups, -1)  # each (batch, height, width, channels / groups)
        kernels = ops.split(kernel, self.groups, -1)  # each (height, width, channels / groups, filters / groups)
        return ops.concatenate([convolve(part, own) for part, own in zip(parts, kernels, strict=True)], -1)


@register
class LocallyConnected2D(keras.layers.Layer):
    """Convolve maps with other kernels and biases at every position, with a stride of 1 and zeros around the maps.

    Keras 2 had such a layer. The weights are `kernel`, `(height, width, kernel_size * kernel_size * channels, filters)`
    with the window's pixels in the order of rows, columns and channels, and `bias`, `(height * width * filters,)`.

    Input: `(batch, height, width, channels)` of known size. Output: `(batch, height, width, filters)`.

    Args:
        filters: Number of kernels at each position.
        kernel_size: Height and width of a kernel; odd.
        kernel_initializer: Distribution of the kernels, as for `keras.layers.Conv2D`.
        bias_initializer: Distribution of the biases.
        **kwargs: Other arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If `filters` is not a positive integer, `kernel_size` is even, or the size of the maps is unknown.

    Example:
        >>> layer = LocallyConnected2D(32, 3)
        >>> layer.build((None, 6, 6, 64))
        >>> tuple(layer.kernel.shape)
        (6, 6, 576, 32)

    Source: the authors' `layers-conv-local-13pct.cfg`, the four-layer network for CIFAR-10 of section 3.3.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not _is_integer(filters) or filters < 1:
            raise ValueError(f"`filters` must be an integer of at least 1. Received: filters={filters!r}")
        self.filters, self.kernel_size = int(filters), _window(kernel_size, "kernel_size")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.input_spec = keras.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, height, width, channels = input_shape
        if None in (height, width, channels):
            raise ValueError(f"The size of the maps must be known. Received: input_shape={input_shape}")
        inputs = self.kernel_size**2 * channels
        shape = (height, width, inputs, self.filters)
        self.kernel = self.add_weight(shape=shape, initializer=self.kernel_initializer, name="kernel")
        # one axis, as the biases of other layers have, by which optimizers tell biases from kernels
        shape = (height * width * self.filters,)
        self.bias = self.add_weight(shape=shape, initializer=self.bias_initializer, name="bias")
        self.input_spec = keras.InputSpec(ndim=4, axes={1: height, 2: width, 3: channels})

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        height, width = self.kernel.shape[:2]
        margin = [self.kernel_size // 2] * 2
        padded = ops.pad(inputs, [[0, 0], margin, margin, [0, 0]])
        shifts = [(row, column) for row in range(self.kernel_size) for column in range(self.kernel_size)]
        parts = [padded[:, row : row + height, column : column + width] for row, column in shifts]
        windows = ops.concatenate(parts, -1)  # (batch, height, width, kernel_size * kernel_size * channels)
        maps = ops.einsum("bhwi,hwif->bhwf", windows, ops.convert_to_tensor(self.kernel))
        return ops.add(maps, ops.reshape(self.bias, (height, width, self.filters)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


@register
class GroupedFlatten(keras.layers.Flatten):
    """Flatten maps one group of channels after another, each position by position.

    Input: `(batch, height, width, channels)`. Output: `(batch, height * width * channels)`.

    Args:
        groups: Number of groups of channels.

    Raises:
        ValueError: If `groups` does not divide the channels.

    Example:
        >>> import numpy as np
        >>> maps = np.arange(8).reshape(1, 2, 1, 4)  # channels 0 to 3 at two positions
        >>> np.array(GroupedFlatten(2)(maps))[0].tolist()
        [0, 1, 4, 5, 2, 3, 6, 7]

    Source: the authors' `layers-150.cfg`, where the towers stay separate after the convolutions.
    """

    def __init__(self, groups: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups = _groups(groups)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        _check_division(inputs.shape[-1], self.groups)
        flatten = super().call
        return ops.concatenate([flatten(part) for part in ops.split(inputs, self.groups, -1)], -1)

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups}


@register
class GroupedDense(keras.layers.Dense):
    """Connect each of `groups` groups of inputs to its own group of units, as in two towers.

    The arguments are those of `keras.layers.Dense`, with `groups` as in `GroupedConv2D`.

    Input: `(batch, inputs)`. Output: `(batch, units)`.

    Args:
        units: Number of units, over all groups.
        groups: Number of groups.
        **kwargs: Other arguments of `keras.layers.Dense`.

    Raises:
        ValueError: If `groups` does not divide the inputs or `units`.

    Example:
        >>> layer = GroupedDense(10, groups=2)
        >>> layer.build((None, 256))
        >>> tuple(layer.kernel.shape)
        (128, 10)

    Source: the authors' `layers-150.cfg`, where the fully connected layers of a tower see only their own tower.
    """

    def __init__(self, units: int, groups: int = 1, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.groups = _groups(groups)
        _check_division(units, self.groups, "units")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        *batch, inputs = input_shape
        _check_division(inputs, self.groups, "inputs")
        super().build((*batch, inputs // self.groups))
        self.input_spec = keras.InputSpec(min_ndim=2, axes={-1: inputs})

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        parts = ops.split(inputs, self.groups, -1)  # each (batch, inputs / groups)
        # each (inputs / groups, units / groups)
        kernels = ops.split(ops.convert_to_tensor(self.kernel), self.groups, -1)
        x = ops.concatenate([ops.matmul(part, own) for part, own in zip(parts, kernels, strict=True)], -1)
        x = x if self.bias is None else ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups}


@register
class GaussianSubsampling(keras.layers.Layer):
    """Blur maps with a Gaussian and subsample the result.

    Borders are padded with zeros. The sampled pixels are centered: with 224 pixels and `step=4`, from 2 to 222.

    Input: `(batch, height, width, channels)`. Output: `(batch, height / step, width / step, channels)`, rounded up.

    Args:
        window: Height and width of the Gaussian; odd.
        std: Its standard deviation in pixels.
        step: Distance between the sampled pixels.

    Raises:
        ValueError: If `window` is even, `std` is not a number, or `step` is not an integer of at least 1.

    Example:
        >>> GaussianSubsampling(9, std=4.0, step=4)(keras.Input((224, 224, 3))).shape
        (None, 56, 56, 3)

    Source: the authors' `layers-141.cfg`, where conv2 also sees such a copy of the image.
    """

    def __init__(self, window: int = 9, std: float = 4.0, step: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        if not _is_integer(step) or step < 1:
            raise ValueError(f"`step` must be an integer of at least 1. Received: step={step!r}")
        self.window, self.std, self.step = _window(window), _real("std", std), int(step)
        self.input_spec = keras.InputSpec(ndim=4)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        x = inputs if keras.backend.is_float_dtype(inputs.dtype) else ops.cast(inputs, self.compute_dtype)
        bell = np.exp(-((np.arange(self.window) - self.window // 2) ** 2) / (2 * self.std**2))
        kernel = np.outer(bell, bell) / bell.sum() ** 2
        kernel = np.repeat(kernel[..., None, None], x.shape[-1], axis=2)  # (window, window, channels, 1)
        x = ops.depthwise_conv(x, ops.convert_to_tensor(kernel, x.dtype), padding="same", data_format="channels_last")
        top, left = (self._first(ops.shape(x)[axis]) for axis in (1, 2))
        return x[:, top :: self.step, left :: self.step]

    def _first(self, size):
        return (size - self.step * ((size - 1) // self.step)) // 2

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sides, channels = input_shape
        return (batch, *(None if side is None else -(-side // self.step) for side in sides), channels)

    def get_config(self) -> dict:
        return {**super().get_config(), "window": self.window, "std": self.std, "step": self.step}


@register
class PaperDropout(keras.layers.Dropout):
    """Drop units in training and scale all of them down at test time, as the paper does.

    `keras.layers.Dropout` scales the kept units up in training instead. With the same weights both have the same
    outputs up to that scale, but their gradients differ, and so does training. At a rate of 0.5, training is the same
    if the kernel after `keras.layers.Dropout` starts at half the standard deviation and has a quarter of the learning
    rate and four times the weight decay.

    With the same seed, both drop the same units.

    Input and output: float tensor of any shape.

    Example:
        >>> import numpy as np
        >>> layer = PaperDropout(0.5)
        >>> np.array(layer(np.ones((1, 3), "float32"), training=False)).tolist()
        [[0.5, 0.5, 0.5]]
        >>> sorted({float(value) for value in np.array(layer(np.ones((1, 99), "float32"), training=True))[0]})
        [0.0, 1.0]

    Source: section 4.2: "At test time, we use all the neurons but multiply their outputs by 0.5".
    """

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        # in training, Keras divides by the same factor
        return super().call(inputs * (1 - self.rate), training=training)


@register
class AdaptiveAveragePooling2D(keras.layers.AdaptiveAveragePooling2D):
    """Average maps to a given size like `keras.layers.AdaptiveAveragePooling2D`, even if they are one pixel wide.

    On TensorFlow, Keras's layer cannot trace such maps, because it always prepares a window of two pixels.

    Input: `(batch, height, width, channels)`. Output: `(batch, *output_size, channels)`.

    Example:
        >>> AdaptiveAveragePooling2D(6)(keras.Input((1, 3, 256))).shape
        (None, 6, 6, 256)

    Source: torchvision's AlexNet, which averages its last maps to 6 x 6.
    """

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        first = 1 if self.data_format == "channels_last" else 2
        for axis, size in enumerate(self.output_size, first):
            if inputs.shape[axis] == 1:
                inputs = ops.repeat(inputs, size, axis)
        return super().call(inputs)
