"""Response normalization, which divides each activation by the energy of its neighbors (paper section 3.3).

`LocalResponseNormalization` is over neighboring channels, as in the paper, and `SpatialResponseNormalization` over
neighboring positions of one map, as in the authors' code.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_alexnet.arguments import check_division, odd_window, positive_integer, real_number
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
        matrix = ops.convert_to_tensor(weight * band(x.shape[-1], self.window, self.groups), x.dtype)
        # On PyTorch, Keras casts products of float64 to float32.
        return x @ matrix if keras.backend.backend() == "torch" else ops.matmul(x, matrix)

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
    return ops.power(d, ops.convert_to_tensor(-beta, d.dtype))  # PyTorch would round it to float32


# The layers


class _ResponseNormalization(keras.layers.Layer):
    """Base class of both normalizations."""

    def __init__(self, window_sum: Callable, k: float, alpha: float, beta: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.window = window_sum.window
        self.k = real_number(k, "k")
        self.alpha = real_number(alpha, "alpha")
        self.beta = real_number(beta, "beta")
        normalize, gradient = _normalization(window_sum, self.k, self.alpha, self.beta)
        self._forward = compile_elementwise(normalize, shared=True)
        self._backward = compile_elementwise(gradient, shared=True)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if dtype.startswith(("complex", "string")):  # a cast would drop the imaginary part
            raise ValueError(f"The input must be real numbers. Received: dtype={dtype}")
        inputs = inputs if keras.backend.is_float_dtype(dtype) else ops.cast(inputs, self.compute_dtype)

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
        ValueError: If `window` is even, `groups` does not divide the channels, a constant is not a finite number, or
            the input is not of real numbers.

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
        self.groups = positive_integer(groups, "groups")
        super().__init__(_OverChannels(odd_window(window), self.groups), k, alpha, beta, **kwargs)
        self.input_spec = keras.InputSpec(min_ndim=1)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        check_division(inputs.shape[-1], self.groups)
        return super().call(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        check_division(input_shape[-1], self.groups)
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
        ValueError: If `window` is even, a constant is not a finite number, or the input is not of rank 4 or not of real
            numbers.

    Source: the authors' `layers-145.cfg`.
    """

    def __init__(self, window: int = 5, k: float = 1.0, alpha: float = 4e-5, beta: float = 0.75, **kwargs: Any):
        super().__init__(_WithinMaps(odd_window(window)), k, alpha, beta, **kwargs)
        self.input_spec = keras.InputSpec(ndim=4)
