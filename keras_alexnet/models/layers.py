"""Layers that are missing, slow or incomplete in Keras (paper sections 3.2, 3.5 and 4.2).

`GroupedConv2D` is the convolution of the two towers, fast on every device; `GroupedFlatten` and `GroupedDense` keep the
towers separate after it. `PaperDropout` halves at test time. Response normalization is in `models.normalization`.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_alexnet.arguments import check_division, odd_window, positive_integer, real_number

register = keras.saving.register_keras_serializable(package="keras_alexnet")


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
        self.filters, self.kernel_size = positive_integer(filters, "filters"), odd_window(kernel_size, "kernel_size")
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
        self.groups = positive_integer(groups, "groups")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        check_division(inputs.shape[-1], self.groups)
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
        self.groups = positive_integer(groups, "groups")
        check_division(units, self.groups, "units")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        *batch, inputs = input_shape
        check_division(inputs, self.groups, "inputs")
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
        ValueError: If `window` is even, `std` is not a finite number, or `step` is not an integer of at least 1.

    Example:
        >>> GaussianSubsampling(9, std=4.0, step=4)(keras.Input((224, 224, 3))).shape
        (None, 56, 56, 3)

    Source: the authors' `layers-141.cfg`, where conv2 also sees such a copy of the image.
    """

    def __init__(self, window: int = 9, std: float = 4.0, step: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.window, self.std, self.step = odd_window(window), real_number(std, "std"), positive_integer(step, "step")
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
