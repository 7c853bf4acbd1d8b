"""The layers that Keras lacks: response normalization and a grouped convolution that is fast on every device.

Local response normalization (paper section 3.3) divides each activity by its neighbourhood's energy. Both forms of it
are here: over neighbouring channels (the paper's) and over neighbouring places of one map (the authors' second one).
"""

import dataclasses
import functools

import keras
import numpy as np
from keras import ops

from keras_alexnet.models.fusion import fused, fuses

register = keras.saving.register_keras_serializable(package="keras_alexnet")


@dataclasses.dataclass(frozen=True)
class _OverChannels:
    """`weight` times the sum over the neighbouring channels, each of `groups` columns by itself."""

    window: int
    groups: int

    def __call__(self, x, weight):
        *places, channels = ops.shape(x)
        if not fuses():  # one product with a matrix, and not as many passes over memory as the window is wide
            return ops.matmul(x, ops.convert_to_tensor(weight * band(int(channels), self.window, self.groups), x.dtype))
        columns = ops.reshape(x, (*places, self.groups, channels // self.groups))
        return weight * ops.reshape(_sum_along(columns, len(columns.shape) - 1, self.window), (*places, channels))


@dataclasses.dataclass(frozen=True)
class _WithinMaps:
    """`weight` times the sum over the neighbouring places of the same map."""

    window: int

    def __call__(self, x, weight):
        return weight * _sum_along(_sum_along(x, 1, self.window), 2, self.window)


def band(channels, window, groups=1):
    """The matrix whose product with the channels sums each one's neighbours: ones along the diagonal.

    Returns:
        Array `(channels, channels)` of booleans.

    Example:
        >>> (1 * band(4, 3, groups=2)).tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    place = np.arange(channels)
    column = place // (channels // groups)
    return (abs(place[:, None] - place) <= window // 2) & (column[:, None] == column)


def _sum_along(x, axis, window):
    """Sum over a centred window along one axis, zeros beyond the ends: as many shifted copies, added."""
    length = ops.shape(x)[axis]
    margins = [[window // 2] * 2 if dimension == axis else [0, 0] for dimension in range(len(x.shape))]
    padded = ops.pad(x, margins)
    before = (slice(None),) * axis
    return sum(padded[(*before, slice(shift, shift + length))] for shift in range(window))


@functools.cache
def _normalization(window_sum, k, alpha, beta):
    """`y = x / d ** beta` with `d = k + window_sum(x ** 2, alpha)`, and the gradient of it.

    The gradient is written out. Automatic differentiation would keep every intermediate array for the backward pass;
    this keeps `x` alone and computes the rest again. A window sum is its own adjoint, being centred and padded with
    zeros, so the gradient needs one more sum of the same kind.

    Layers with the same constants get the same two functions, and share what is compiled for them: compiling takes
    longer than to run a small network.
    """

    def normalize(inputs):
        x = ops.cast(inputs, _precision(inputs))
        d = k + window_sum(x * x, alpha)
        return ops.cast(x * _power(d, beta), inputs.dtype)

    def gradient(inputs, upstream):
        x, dy = (ops.cast(tensor, _precision(inputs)) for tensor in (inputs, upstream))
        d = k + window_sum(x * x, alpha)
        p = _power(d, beta)
        dx = dy * p - x * window_sum(dy * x * p / d, 2 * alpha * beta)
        return ops.cast(dx, inputs.dtype)

    return normalize, gradient


def _precision(tensor):
    """Squares of float16 overflow above 255, and bfloat16 keeps three digits: compute in float32 at least."""
    return "float64" if keras.backend.standardize_dtype(tensor.dtype) == "float64" else "float32"


def _power(d, beta):
    """`d ** -beta`; the paper's beta of 0.75 by two square roots, several times faster than a general power."""
    if beta == 0.75:
        root = ops.rsqrt(d)
        return root * ops.sqrt(root)
    return ops.power(d, -beta)


class _ResponseNormalization(keras.layers.Layer):
    """What both normalizations share."""

    def __init__(self, window_sum, k, alpha, beta, **kwargs):
        super().__init__(**kwargs)
        window = window_sum.window
        if not isinstance(window, int) or window < 1 or window % 2 == 0:
            raise ValueError(
                f"`window` must be an odd number, such as 5, so that it has a centre. Received: window={window!r}"
            )
        self.window = window
        self.k = k
        self.alpha = alpha
        self.beta = beta
        normalize, gradient = _normalization(window_sum, k, alpha, beta)
        self._forward, self._backward = fused(normalize, shared=True), fused(gradient, shared=True)

    def call(self, inputs):
        inputs = inputs if keras.backend.is_float_dtype(inputs.dtype) else ops.cast(inputs, self.compute_dtype)

        @ops.custom_gradient
        def normalized(x):
            def gradient(*arguments, upstream=None):  # Keras's backends hand it over in two ways
                return self._backward(x, arguments[0] if upstream is None else upstream)

            return self._forward(x), gradient

        return normalized(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "window": self.window, "k": self.k, "alpha": self.alpha, "beta": self.beta}


@register
class LocalResponseNormalization(_ResponseNormalization):
    r"""Normalize each activity by the energy of the neighbouring channels at the same place.

    $$b^i = \frac{a^i}{\left(k + \alpha \sum_{j=\max(0,\,i-n/2)}^{\min(N-1,\,i+n/2)} (a^j)^2\right)^\beta}$$

    `alpha` weighs the plain sum, as in the paper's formula and in `tf.nn.lrn`. PyTorch, Caffe and ONNX divide theirs by
    the window: their `alpha=5e-4` with a window of 5 is `alpha=1e-4` here.

    Input and output: float tensor of any rank with channels last, for example `(batch, height, width, channels)`.

    Args:
        window: Number of channels in the sum, `n` in the paper; odd.
        k: Number added to the sum.
        alpha: Weight of each square in the sum.
        beta: Exponent.
        groups: Into how many columns of channels the input falls; a window does not reach into another column. 1 is the
            paper's text, 2 the authors' code (each GPU normalized its own channels).

    Its gradient goes backwards, as `fit` asks for it; there is none for `jax.jvp` or `torch.func`, which go forwards.

    Raises:
        ValueError: If `window` is even, or the channels do not divide by `groups`.

    Example:
        >>> import numpy as np
        >>> layer = LocalResponseNormalization(window=3, k=1.0, alpha=1.0, beta=1.0)
        >>> y = layer(np.array([[1.0, 2.0, 3.0]], "float32"))
        >>> [round(float(value), 4) for value in np.array(y)[0]]  # 1/(1+1+4), 2/(1+1+4+9), 3/(1+4+9)
        [0.1667, 0.1333, 0.2143]

    Source: section 3.3; the authors' `layers-145.cfg` for `groups`.
    """

    def __init__(self, window=5, k=2.0, alpha=1e-4, beta=0.75, groups=1, **kwargs):
        if not isinstance(groups, int) or groups < 1:
            raise ValueError(f"`groups` must be a whole number of at least 1. Received: groups={groups!r}")
        super().__init__(_OverChannels(window, groups), k, alpha, beta, **kwargs)
        self.groups = groups

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(
                f"The channels must divide by `groups` into columns of equal width. "
                f"Received: {channels} channels, groups={self.groups}"
            )
        self.built = True

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}


@register
class SpatialResponseNormalization(_ResponseNormalization):
    r"""Normalize each activity by the energy of its neighbours in the same map.

    $$b_{x,y} = \frac{a_{x,y}}{\left(k + \alpha \sum_{|u-x|,\,|v-y| \le n/2} a_{u,v}^2\right)^\beta}$$

    The authors' code has it after the second normalization over channels; the paper does not mention it.

    Input and output: float tensor `(batch, height, width, channels)`.

    Args:
        window: Side of the square of places in the sum; odd.
        k: Number added to the sum.
        alpha: Weight of each square in the sum; the source's 1e-3 is divided by the 25 places.
        beta: Exponent.

    Raises:
        ValueError: If `window` is even.

    Source: the authors' `layers-145.cfg`.
    """

    def __init__(self, window=5, k=1.0, alpha=4e-5, beta=0.75, **kwargs):
        super().__init__(_WithinMaps(window), k, alpha, beta, **kwargs)


@register
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` that convolves each of its `groups` by itself.

    Same arguments, weights and results. Keras hands a grouped convolution on the CPU to XLA, which is ten times slower
    than the plain convolutions that this layer splits it into; other devices are as fast either way.

    Input: `(batch, height, width, channels)`. Output: `(batch, new_height, new_width, filters)`.

    Raises:
        ValueError: If the channels or `filters` do not divide by `groups`.

    Example:
        >>> layer = GroupedConv2D(256, 5, padding="same", groups=2)
        >>> layer.build((None, 27, 27, 96))
        >>> tuple(layer.kernel.shape)
        (5, 5, 48, 256)

    Source: section 3.5, where the kernels of conv2, conv4 and conv5 see only the maps on their own GPU.
    """

    def convolution_op(self, inputs, kernel):
        if self.groups == 1:
            return super().convolution_op(inputs, kernel)
        axis = -1 if self.data_format == "channels_last" else 1
        convolve = super().convolution_op
        columns = zip(ops.split(inputs, self.groups, axis), ops.split(kernel, self.groups, -1), strict=True)
        return ops.concatenate([convolve(part, filters) for part, filters in columns], axis)
