"""Switch off a part of a trained network: its response normalization, or one of its towers (paper sections 3.2, 3.3).

The networks that these functions return share the weights of the whole one. They were not trained to do without the
part, so their answers show how the whole network uses it, and not how well a network without it would do.
"""

import keras
import numpy as np
from keras import ops

from keras_alexnet.models.normalization import LocalResponseNormalization, SpatialResponseNormalization

NORMALIZATION = (LocalResponseNormalization, SpatialResponseNormalization)


def without_normalization(model: keras.Model) -> keras.Model:
    """Return a network without its response normalization: the layers after it read unnormalized activations.

    Raises:
        ValueError: If the network has none.

    Source: section 3.3.
    """
    if not any(isinstance(layer, NORMALIZATION) for layer in model.layers):
        raise ValueError(f"Expected a network with response normalization. Received: {model.name}, which has none")

    def call(layer, inputs, *args, **kwargs):
        return inputs if isinstance(layer, NORMALIZATION) else layer(inputs, *args, **kwargs)

    return _with_the_same_layers(model, call)


def towers(model: keras.Model) -> int:
    """Return the number of towers: the groups of the convolutions, or 1 if every convolution sees all maps.

    Example:
        >>> from keras_alexnet import build
        >>> towers(build("paper", include_top=False)), towers(build("one_weird_trick", include_top=False))
        (2, 1)
    """
    return max(getattr(layer, "groups", 1) for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


def without_tower(model: keras.Model, tower: int) -> keras.Model:
    """Return a network in which every kernel and every hidden unit of a tower gives zero.

    Tower t has the t-th equal part of the kernels of each convolution and of the units of each hidden layer, as one GPU
    of the paper has. The last layer, which both feed, stays whole.

    Args:
        model: The network.
        tower: Number of the tower, from 0.

    Raises:
        ValueError: If there is no such tower, or only one.

    Source: section 3.2.
    """
    count, last = towers(model), model.layers[-1]
    if count < 2 or not 0 <= tower < count:
        raise ValueError(f"Expected a tower of several, numbered from 0. Received: tower {tower} of {count}")

    def call(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        if layer is last or not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            return outputs
        channel = np.arange(outputs.shape[-1])
        others = channel * count // len(channel) != tower  # (channels,)
        return outputs * ops.convert_to_tensor(others, outputs.dtype)

    return _with_the_same_layers(model, call)


def _with_the_same_layers(model, call):
    """Connect the layers of a network once more, each by `call(layer, inputs)`."""
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
