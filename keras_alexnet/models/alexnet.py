"""AlexNet as a functional Keras model (paper section 3.5).

`build` follows an `Architecture` from the input to the classifier. The functions below it are in this order: the
arguments, a convolution, the steps after it, the fully connected layers, the weights.
"""

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import keras
from keras import initializers, layers

from keras_alexnet.arguments import is_integer, lookup, positive_integer
from keras_alexnet.models import architectures
from keras_alexnet.models.architectures import Architecture
from keras_alexnet.models.initializers import INITIAL_WEIGHTS, Gaussian, Start, Uniform
from keras_alexnet.models.layers import (
    AdaptiveAveragePooling2D,
    GaussianSubsampling,
    GroupedConv2D,
    GroupedDense,
    GroupedFlatten,
    LocallyConnected2D,
    PaperDropout,
)
from keras_alexnet.models.normalization import LocalResponseNormalization, SpatialResponseNormalization
from keras_alexnet.models.pixels import watch_first_fit

_GLOBAL_POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


def build(
    architecture: str | Architecture = "paper",
    include_top: bool = True,
    weights: str | os.PathLike | None = None,
    input_tensor: keras.KerasTensor | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    pooling: str | None = None,
    classes: int | None = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
    initial_weights: str | Mapping[str, Start] | None = None,
    include_preprocessing: bool = False,
) -> keras.Model:
    """Build AlexNet: a plain functional `keras.Model`, ready to train.

    Arguments, defaults and checks are those of `keras.applications`, after the name of the architecture, except that
    `weights` is None by default.

    Input: float `(batch, height, width, 3)`, RGB, as returned by `preprocess_input`: pixel values 0 to 255 minus the
    mean in most architectures. With `include_preprocessing`, pixel values 0 to 255.
    Output: float32 `(batch, classes)`, probabilities unless `classifier_activation` is None.

    Args:
        architecture: A name in `ARCHITECTURES`, or your own `Architecture`.
        include_top: Whether to include the fully connected layers.
        weights: None for random weights, "imagenet" for the published weights of this network, if any, or another name
            in `weights.names.NAMES`, "drawn" for convolutions pretrained on drawn pictures (ours; in the package), or
            the path of a run folder or of a file written by Keras or another framework. If the file has another number
            of classes, the last layer starts with random weights, and a line is printed.
        input_tensor: A Keras tensor to use as the input.
        input_shape: `(height, width, channels)`, of at least the architecture's `smallest_size`, which is 67 pixels for
            most. The default is its `size`, usually 227, or any size without the top, unless the architecture has local
            convolutions. The text's 224 gives the same maps as 227: zeros are added at the bottom and on the right, as
            in the authors' code.
        pooling: Without the top: None for the last maps, "avg" or "max" for one vector per image.
        classes: Number of classes; ignored without the top.
        classifier_activation: Activation of the last layer; None for logits.
        name: The model's name; the default is "alexnet_" plus the architecture's name.
        initial_weights: Distributions of the random weights: a name in `INITIAL_WEIGHTS`, or a mapping from layer names
            to `Start`; the default is the architecture's own. "text" is the paper's 0.01 in all layers, with which
            learning starts late or never.
        include_preprocessing: Whether the network applies `preprocess_input` itself, in a layer named "preprocessing".
            The weights are the same with and without it.

    Returns:
        A `keras.Model` with the layers `conv1 norm1 pool1 ... fc6 drop6 fc7 drop7 fc8`.

    Raises:
        ValueError: If an argument is unknown, the input is too small, or the weights are for another network.

    Example:
        >>> build("figure_1", classes=10).output_shape
        (None, 10)
        >>> build(include_top=False, pooling="avg").output_shape
        (None, 256)
        >>> build("caffe", include_top=False, include_preprocessing=True).layers[1].name
        'preprocessing'

    Source: section 3.5 and figure 2.
    """
    net = architectures.get(architecture)
    _check(net, weights, pooling, include_top, classes, classifier_activation)
    start = _start(net.initial_weights if initial_weights is None else initial_weights)

    # Shapes in the comments are those of the paper's network.
    image = _image(net, include_top, weights, input_tensor, input_shape)  # (batch, 227, 227, 3)
    x = pixels = _preprocessed(image, net) if include_preprocessing else image
    for n, row in net.convolutions.items():
        layer = f"{'local' if row.is_local else 'conv'}{n}"
        x = _convolution(x, row, net.conv_rounding, layer, start, pixels)  # (batch, 55, 55, 96) after conv1
        for step in row.then:
            x = _step(x, step, net, n)  # (batch, 6, 6, 256) after pool5
    if include_top:
        x = _flattened(x, net)  # (batch, 9216)
        first = n + 1
        for n, units in enumerate(net.hidden, first):
            x = _hidden(x, units, net, n, start)  # (batch, 4096)
        # Always in float32: a softmax in half precision makes the loss inaccurate.
        last = f"fc{first + len(net.hidden)}"
        x = _dense(x, int(classes), classifier_activation, last, start, dtype="float32")  # (batch, classes)
    elif pooling is not None:
        x = _GLOBAL_POOLING[pooling](name=f"{pooling}_pool")(x)  # (batch, 256)

    inputs = image if input_tensor is None else keras.utils.get_source_inputs(input_tensor)
    model = keras.Model(inputs, x, name=name or f"alexnet_{net.name}")
    if weights is not None:
        _load(model, weights, net)
    if include_preprocessing or (net.std == (1, 1, 1) and any(net.mean)):
        watch_first_fit(model, include_preprocessing)
    return model


# The arguments


def _check(net, weights, pooling, include_top, classes, classifier_activation):
    """Check the arguments before anything is built."""
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "The network needs channels last: call keras.config.set_image_data_format('channels_last'). "
            f"Received: image_data_format={keras.config.image_data_format()!r}"
        )
    if pooling not in (None, *_GLOBAL_POOLING):
        raise ValueError(f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}")
    if include_top:
        positive_integer(classes, "classes")
    if weights is None:
        return
    from keras_alexnet.weights import names  # only when needed: most networks start with random weights

    is_path = isinstance(weights, (str, os.PathLike)) and os.path.exists(weights)
    if not _are_named(weights) and not is_path:
        raise ValueError(
            "The `weights` argument should be either `None` (random initialization), 'imagenet' (pre-training on "
            "ImageNet), 'drawn' (pre-training on drawn pictures), or the path to the weights file to be loaded. "
            f"Received: weights={weights!r}"
        )
    if weights == names.DRAWN:
        names.locate(weights, net.name)
    elif names.is_name(weights):
        names.choose(weights, net.name)
    if include_top and classifier_activation not in (None, "softmax", keras.activations.softmax):
        raise ValueError(
            "Only `None` and 'softmax' activations are allowed for the `classifier_activation` argument when using "
            f"pretrained weights. Received: classifier_activation={classifier_activation!r}"
        )


def _image(net, include_top, weights, input_tensor, shape):
    """Return the network's input."""
    if input_tensor is None:
        if shape is None:
            shape = (net.size, net.size, 3) if include_top or _needs_size(net) else (None, None, 3)
        _check_shape(shape, net, include_top, weights)
        return layers.Input(shape, name="image")
    if not keras.utils.is_keras_tensor(input_tensor):
        raise ValueError(f"`input_tensor` must be a Keras tensor. Received: {type(input_tensor).__name__}")
    if shape is not None and tuple(shape) != input_tensor.shape[1:]:
        raise ValueError(
            "`input_shape` must be that of `input_tensor`, or left out. "
            f"Received: input_shape={shape}, input_tensor of shape {input_tensor.shape}"
        )
    _check_shape(input_tensor.shape[1:], net, include_top, weights)
    return input_tensor


def _needs_size(net):
    """Return whether a layer below the top has kernels for every position."""
    return any(row.is_local for row in net.convolutions.values())


def _check_shape(shape, net, include_top, weights):
    least, received = net.smallest_size, f"Received: input_shape={shape}"
    is_shape = isinstance(shape, (tuple, list)) and len(shape) == 3 and shape[-1] is not None
    if not is_shape or not all(size is None or (is_integer(size) and size > 0) for size in shape):
        raise ValueError(f"`input_shape` must be a tuple of three integers. {received}")
    if include_top and None in shape:
        raise ValueError(f"If `include_top` is True, you should specify a static `input_shape`. {received}")
    if _needs_size(net) and None in shape:
        raise ValueError(f"{net.name} has local convolutions, which need a static `input_shape`. {received}")
    if any(size is not None and size < least for size in shape[:2]):
        raise ValueError(f"Input size must be at least {least}x{least}. {received}")
    if shape[-1] != 3 and _are_named(weights):
        raise ValueError(f"The weights {weights!r} need an input of three channels. {received}")


def _are_named(weights):
    if weights is None:
        return False
    from keras_alexnet.weights import names

    return weights == names.DRAWN or names.is_name(weights)


def _preprocessed(image, net):
    """Apply `preprocess_input` as a layer, always in float32: half precision has only three digits."""
    if image.shape[-1] != 3:
        raise ValueError(
            "`include_preprocessing` needs an input of three channels, because the mean is RGB. "
            f"Received: input_shape={tuple(image.shape[1:])}"
        )
    scale = [1 / std for std in net.std]
    offset = [-mean / std for mean, std in zip(net.mean, net.std, strict=True)]
    return layers.Rescaling(scale, offset, dtype="float32", name="preprocessing")(image)


# A convolution


def _convolution(x, row, rounding, name, start, image):
    """Add one convolution with its padding, as Keras's "same" if that is equivalent."""
    if row.is_local:
        initial = _initial(start, name, inputs=row.kernel**2 * x.shape[-1])
        return LocallyConnected2D(row.filters, row.kernel, name=name, **initial)(x)
    padding = "same" if row.strides == 1 and row.padding == (row.kernel - 1) / 2 else row.padding
    if padding != "same":
        x = _pad(x, row.kernel, row.strides, rounding, name, padding)
        padding = "valid"
    kind, grouped = (GroupedConv2D, {"groups": row.groups}) if row.groups > 1 else (layers.Conv2D, {})
    initial = _initial(start, name, inputs=row.kernel**2 * x.shape[-1] // row.groups)
    x = kind(row.filters, row.kernel, row.strides, padding, name=name, **grouped, **initial)(x)
    return x if row.low_resolution is None else _with_low_resolution(x, row, rounding, name, start, image)


def _with_low_resolution(x, row, rounding, name, start, image):
    """Add the convolution of a low-resolution copy of the image to the maps."""
    small, n, name = row.low_resolution, name.removeprefix("conv"), f"{name}_low"
    y = GaussianSubsampling(small.window, small.std, small.step, name=f"image{n}")(image)  # (batch, 56, 56, 3)
    y = _pad(y, small.kernel, small.strides, rounding, f"image{n}")
    initial = _initial(start, name, inputs=small.kernel**2 * y.shape[-1])
    y = layers.Conv2D(row.filters, small.kernel, small.strides, use_bias=False, name=name, **initial)(y)
    if x.shape != y.shape:
        raise ValueError(
            "The two inputs of a convolution must give maps of the same size: use a height and width that are "
            f"multiples of 8, or not multiples of 4. Received: {image.shape[1]}x{image.shape[2]}"
        )
    return layers.Add(name=f"sum{n}")([x, y])


def _pad(x, window, strides, rounding, name, margin=0):
    """Pad with zeros on every side, and for "ceil" at the bottom and on the right to complete the last window.

    If a size is unknown, one less than the stride is always enough, and no window reaches the excess zeros.
    """
    sizes = (strides - 1 if size is None else (window - size - 2 * margin) % strides for size in x.shape[1:3])
    rest = [missing if rounding == "ceil" else 0 for missing in sizes]
    if not margin and not any(rest):
        return x
    return layers.ZeroPadding2D([(margin, margin + missing) for missing in rest], name=f"{name}_zeros")(x)


# The steps after a convolution, for the maps of convolution n


def _step(x, step, net, n):
    match step:
        case "norm":
            return _norm(x, net, n)
        case "spatial_norm":
            return _spatial_norm(x, net, n)
        case "pool":
            return _pool(x, layers.MaxPooling2D, net, n)
        case "average_pool":
            return _pool(x, layers.AveragePooling2D, net, n)
        case "relu":
            return layers.ReLU(name=f"relu{n}")(x)
        case _:
            return layers.Activation(step, name=f"{step}{n}")(x)


def _norm(x, net, n):
    if net.norm is None:
        return x
    constants = dataclasses.asdict(net.norm)
    return LocalResponseNormalization(**constants, groups=net.norm_groups, name=f"norm{n}")(x)


def _spatial_norm(x, net, n):
    if net.spatial_norm is None:
        return x
    return SpatialResponseNormalization(**dataclasses.asdict(net.spatial_norm), name=f"spatial_norm{n}")(x)


def _pool(x, kind, net, n):
    size, strides = net.pool
    if net.pool_rounding == "same":
        return kind(size, strides, "same", name=f"pool{n}")(x)
    # Zeros do not change a maximum here: if any are added, the `Architecture` has a ReLU before or after the pooling.
    return kind(size, strides, name=f"pool{n}")(_pad(x, size, strides, net.pool_rounding, f"pool{n}"))


# The fully connected layers


def _flattened(x, net):
    """Flatten the maps to one vector per image, position by position."""
    if net.top_size and x.shape[1:3] != (net.top_size, net.top_size):
        x = AdaptiveAveragePooling2D(net.top_size, name="average_pool")(x)
    if net.hidden_groups > 1:
        return GroupedFlatten(net.hidden_groups, name="flatten")(x)
    return layers.Flatten(name="flatten")(x)


def _hidden(x, units, net, n, start):
    """Add one hidden layer with its dropout."""
    dropout = PaperDropout if net.dropout_form == "paper" else layers.Dropout
    drop = dropout(net.dropout, name=f"drop{n}")
    arguments = (units, net.hidden_activation, f"fc{n}", start, net.hidden_groups)
    return _dense(drop(x), *arguments) if net.dropout_before else drop(_dense(x, *arguments))


def _dense(x, units, activation, name, start, groups=1, dtype=None):
    initial = _initial(start, name, inputs=x.shape[-1] // groups)
    kind, grouped = (GroupedDense, {"groups": groups}) if groups > 1 else (layers.Dense, {})
    return kind(units, activation=activation, name=name, dtype=dtype, **grouped, **initial)(x)


# The weights


def _start(given):
    """Return the distributions of all layers, by layer."""
    if isinstance(given, str):
        return lookup(INITIAL_WEIGHTS, given, "set of initial weights")
    if not isinstance(given, Mapping) or not all(isinstance(each, Start) for each in given.values()):
        raise ValueError(
            "`initial_weights` must be a name in `INITIAL_WEIGHTS`, or a mapping from layer names to `Start`. "
            f"Received: initial_weights={given!r}"
        )
    return given


def _initial(start, name, inputs):
    """Return the initializers of a layer with this number of inputs per unit."""
    if name not in start:
        raise ValueError(
            "`initial_weights` must include every layer of the network: use another set, or pass your own mapping. "
            f"Received: one without {name}"
        )
    return {
        "kernel_initializer": _initializer(start[name].kernel, inputs),
        "bias_initializer": _initializer(start[name].bias, inputs),
    }


def _initializer(distribution, inputs):
    match distribution:
        case Gaussian(std=std, truncated=True):
            return initializers.TruncatedNormal(stddev=std)
        case Gaussian(std=std):
            return initializers.RandomNormal(stddev=std)
        case Uniform(factor=factor):
            return initializers.RandomUniform(-factor / math.sqrt(inputs), factor / math.sqrt(inputs))
        case constant:
            return initializers.Constant(constant)


def _load(model, weights, net):
    """Load weights by name or from a file."""
    from keras_alexnet.weights import loading, names

    for line in loading.load(model, names.locate(weights, net.name), head="auto"):
        if loading.NEW in line and weights != names.DRAWN:  # its dense layers are always new
            print(line)
