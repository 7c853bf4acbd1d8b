"""AlexNet as a functional Keras model (paper section 3.5): its blocks, then `build`, which puts them together."""

import dataclasses
import math
import numbers
import os

import keras
from keras import initializers, layers

from keras_alexnet.models.architectures import ARCHITECTURES, Architecture, lookup
from keras_alexnet.models.initializers import INITIAL_WEIGHTS, Gaussian, Uniform
from keras_alexnet.models.layers import (
    AdaptiveAveragePooling2D,
    GroupedConv2D,
    LocalResponseNormalization,
    SpatialResponseNormalization,
)

# Layers that learn


def convolve(x, row, rounding, name, start):
    """One convolution with its zeros; Keras's own padding where that means the same."""
    padding = "same" if row.strides == 1 and row.padding == (row.kernel - 1) / 2 else row.padding
    if padding != "same":
        x = _pad(x, row.kernel, row.strides, rounding, name, padding)
        padding = "valid"
    kind, grouped = (GroupedConv2D, {"groups": row.groups}) if row.groups > 1 else (layers.Conv2D, {})
    initial = _initial(start, name, inputs=row.kernel**2 * x.shape[-1] // row.groups)
    return kind(row.filters, row.kernel, row.strides, padding, name=name, **grouped, **initial)(x)


def hidden(x, units, net, n, start):
    """One hidden layer with its dropout."""
    drop = layers.Dropout(net.dropout, name=f"drop{n}")
    if net.dropout_before:
        return dense(drop(x), units, net.hidden_activation, f"fc{n}", start)
    return drop(dense(x, units, net.hidden_activation, f"fc{n}", start))


def dense(x, units, activation, name, start, dtype=None):
    """One fully connected layer."""
    return layers.Dense(units, activation, name=name, dtype=dtype, **_initial(start, name, inputs=x.shape[-1]))(x)


def _initial(start, name, inputs):
    """How a layer starts, each of whose units has so many inputs."""
    if name not in start:
        raise ValueError(
            "`initial_weights` must have each layer of the network: name another set, or give a mapping of your own. "
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


# Steps behind a convolution: the maps, the step's name, the architecture, the convolution's number


def _norm(x, step, net, n):
    if net.norm is None:
        return x
    constants = dataclasses.asdict(net.norm)
    return LocalResponseNormalization(**constants, groups=net.norm_groups, name=f"norm{n}")(x)


def _spatial_norm(x, step, net, n):
    if net.spatial_norm is None:
        return x
    return SpatialResponseNormalization(**dataclasses.asdict(net.spatial_norm), name=f"spatial_norm{n}")(x)


def _nonlinearity(x, step, net, n):
    return layers.ReLU(name=f"relu{n}")(x) if step == "relu" else layers.Activation(step, name=f"{step}{n}")(x)


def _pool(x, step, net, n):
    kind = layers.MaxPooling2D if step == "pool" else layers.AveragePooling2D
    size, strides = net.pool
    if net.pool_rounding == "same":
        return kind(size, strides, "same", name=f"pool{n}")(x)
    # Zeros do not change a maximum here: where they join, an `Architecture` has a ReLU before the pooling or behind it.
    return kind(size, strides, name=f"pool{n}")(_pad(x, size, strides, net.pool_rounding, f"pool{n}"))


def _pad(x, window, strides, rounding, name, margin=0):
    """Zeros on every side, and at bottom and right what makes the last window whole where sizes are rounded up.

    Where a size is not known, one less than the stride is always enough, and too many are never seen by a window.
    """
    up = rounding == "ceil"
    sizes = (strides - 1 if size is None else (window - size - 2 * margin) % strides for size in x.shape[1:3])
    rest = [up * missing for missing in sizes]
    if not margin and not any(rest):
        return x
    return layers.ZeroPadding2D([(margin, margin + missing) for missing in rest], name=f"{name}_zeros")(x)


_STEPS = {"norm": _norm, "spatial_norm": _spatial_norm, "pool": _pool, "average_pool": _pool}


def follow(x, step, net, n):
    """One of the steps behind convolution `n`, as `Convolution.then` names it."""
    return _STEPS.get(step, _nonlinearity)(x, step, net, n)


def flatten(x, net):
    """Maps to one vector an image, place by place."""
    if net.top_size and x.shape[1:3] != (net.top_size, net.top_size):
        x = AdaptiveAveragePooling2D(net.top_size, name="average_pool")(x)
    return layers.Flatten(name="flatten")(x)


def build(
    architecture="paper",
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
    initial_weights=None,
):
    """Build AlexNet: a plain functional `keras.Model`, ready to train.

    Arguments, defaults and checks are those of `keras.applications`, with the network's name in front.

    Input: float `(batch, height, width, 3)`, RGB as `preprocess_input` gives it: 0 to 255 less the mean in most rows.
    Output: float32 `(batch, classes)`, probabilities unless `classifier_activation` is None.

    Args:
        architecture: A name in `ARCHITECTURES`, or an `Architecture` of your own.
        include_top: Whether the fully connected layers follow the convolutions.
        weights: None for random ones, "imagenet" for the publisher's own where there are any, or the path of a file:
            Keras's, or another framework's. Where it has another number of classes, the last layer starts anew, and a
            printed line says so.
        input_tensor: A Keras tensor to use as the input.
        input_shape: `(height, width, channels)`, sides of at least 67; by default the architecture's own 227 or 224,
            and without the top any size. The text's 224 gives the same maps as 227: zeros join at bottom and right,
            as in the authors' code.
        pooling: Without the top: None for the last maps, "avg" or "max" for one vector an image.
        classes: Number of classes.
        classifier_activation: Activation of the last layer; None gives logits.
        name: The model's name; by default "alexnet_" and the architecture's.
        initial_weights: Where random weights start, a name in `INITIAL_WEIGHTS`, or an `initial_weights.Start` for each
            layer by its name; by default the architecture's own. "text" is the paper's 0.01 everywhere, which does not
            train.

    Returns:
        A `keras.Model`. Its layers are named as in the paper's figure: `conv1 norm1 pool1 ... fc6 drop6 fc7 drop7 fc8`.

    Raises:
        ValueError: If an argument is unknown, the input too small, or the file of another network, as far as it tells.

    Example:
        >>> build("paper", classes=102, input_shape=(67, 67, 3)).output_shape
        (None, 102)
        >>> build(include_top=False, pooling="avg").output_shape
        (None, 256)

    Source: section 3.5 and figure 2.
    """
    net = lookup(ARCHITECTURES, architecture, "architecture") if isinstance(architecture, str) else architecture
    _check(net, weights, pooling, classes, include_top and classifier_activation)
    start = initial_weights or net.initial_weights
    start = lookup(INITIAL_WEIGHTS, start, "set of initial weights") if isinstance(start, str) else start
    image = _image(net, include_top, input_tensor, input_shape)

    x = image
    for n, row in net.convolutions.items():
        x = convolve(x, row, net.conv_rounding, f"conv{n}", start)
        for step in row.then:
            x = follow(x, step, net, n)

    if include_top:
        x = flatten(x, net)
        first = n + 1
        for n, units in enumerate(net.hidden, first):
            x = hidden(x, units, net, n, start)
        # In float32 under every precision policy: a softmax in half precision loses the loss's digits.
        x = dense(x, int(classes), classifier_activation, f"fc{first + len(net.hidden)}", start, dtype="float32")
    elif pooling is not None:
        x = _GLOBAL_POOLING[pooling](name=f"{pooling}_pool")(x)

    inputs = image if input_tensor is None else keras.utils.get_source_inputs(input_tensor)
    model = keras.Model(inputs, x, name=name or f"alexnet_{net.name}")
    if weights is not None:
        _fill(model, weights, net)
    return model


# What is asked for


def _check(net, weights, pooling, classes, classifier_activation):
    """The arguments that can be wrong before anything is built."""
    if not isinstance(net, Architecture):
        raise ValueError(f"`architecture` must be a name or an `Architecture`. Received: architecture={net!r}")
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "The network needs channels last: call keras.config.set_image_data_format('channels_last'). "
            f"Received: image_data_format={keras.config.image_data_format()!r}"
        )
    if pooling is not None and pooling not in _GLOBAL_POOLING:
        raise ValueError(f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}")
    if not isinstance(classes, numbers.Integral) or classes < 1:
        raise ValueError(f"`classes` must be a whole number of at least 1. Received: classes={classes!r}")
    if weights is None:
        return
    if weights != "imagenet" and not (isinstance(weights, (str, os.PathLike)) and os.path.isfile(weights)):
        raise ValueError(
            "The `weights` argument should be either `None` (random initialization), 'imagenet' (pre-training on "
            f"ImageNet), or the path to the weights file to be loaded. Received: weights={weights!r}"
        )
    if classifier_activation not in (None, False, "softmax", keras.activations.softmax):
        raise ValueError(
            "Only `None` and 'softmax' activations are allowed for the `classifier_activation` argument when using "
            f"pretrained weights. Received: classifier_activation={classifier_activation!r}"
        )


def _image(net, include_top, input_tensor, shape):
    """The network's input."""
    if input_tensor is None:
        shape = shape or ((net.size, net.size, 3) if include_top else (None, None, 3))
        return layers.Input(_checked(shape, net, include_top), name="image")
    if not keras.utils.is_keras_tensor(input_tensor):
        raise ValueError(f"`input_tensor` must be a Keras tensor. Received: {type(input_tensor).__name__}")
    _checked(input_tensor.shape[1:], net, include_top)
    return input_tensor


def _checked(shape, net, include_top):
    """A shape that the network can take."""
    least, received = net.smallest_size, f"Received: input_shape={shape}"
    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or not shape[-1]:
        raise ValueError(f"`input_shape` must be a tuple of three integers. {received}")
    if include_top and None in shape:
        raise ValueError(f"If `include_top` is True, you should specify a static `input_shape`. {received}")
    if any(side is not None and side < least for side in shape[:2]):
        raise ValueError(f"Input size must be at least {least}x{least}. {received}")
    return shape


_GLOBAL_POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


def _fill(model, weights, net):
    """Weights of a file, or of the publisher, into the network."""
    from keras_alexnet.weights import loading as files  # on use: most networks start at random

    path = files.fetch(net.name) if weights == "imagenet" else weights
    for line in files.load(model, path, replace_head=True):
        if ": new" in line:
            print(line)
