"""The network that exports contain: with its preprocessing and softmax, in float32."""

import itertools

import keras
import numpy as np

from keras_alexnet.data.statistics import mean_and_std
from keras_alexnet.evaluation.classifier import Classifier, is_rescaling, outputs_logits


def serving_model(classifier: Classifier) -> keras.Model:
    """Return a network in float32 with its preprocessing and softmax.

    Args:
        classifier: The network.

    Returns:
        A `keras.Model` from "image", uint8 `(batch, size, size, 3)`, RGB, to `{"probabilities": (batch, classes)}`.
    """
    image = keras.Input(classifier.model.input_shape[1:], dtype="uint8", name="image")
    network, (mean, std) = in_float32(classifier.model), mean_and_std(classifier.statistics, classifier.recipe)
    is_chain = _is_chain(network)
    inside = is_chain and is_rescaling(network.layers[1])  # of `build(include_preprocessing=True)`
    if is_chain and not inside and _absorb(network, mean, std):
        mean, std = np.float32(0), np.float32(1)
    x = image
    if not inside:
        name = _free_name("standardization", network)
        x = keras.layers.Rescaling(1 / std, -mean / std, name=name, dtype="float32")(image)
    for layer in network.layers[1:] if is_chain else [network]:
        x = layer(x)
    if outputs_logits(network):
        x = keras.layers.Softmax(name=_free_name("softmax", network))(x)
    return keras.Model(image, {"probabilities": x}, name=classifier.model.name)


def _free_name(name, network):
    """Return a name that no layer of the network has."""
    taken = {layer.name for layer in network.layers}
    return next(each for each in itertools.accumulate(itertools.repeat("_"), initial=name) if each not in taken)


def _is_chain(network):
    """Return whether the layers are a chain: each one's only input is the previous one, and the last is the output."""
    layers = network.layers
    reads = (layer.input is before.output for before, layer in itertools.pairwise(layers))
    return isinstance(layers[0], keras.layers.InputLayer) and all(reads) and layers[-1].output is network.outputs[0]


def _absorb(network, mean, std):
    """Move the preprocessing into the first convolution if possible, which saves a pass over the pictures.

    It is not possible if the convolution pads with zeros, which represent the mean, or for a mean image. Return whether
    it was.
    """
    first = network.layers[1]
    if mean.ndim > 1 or not isinstance(first, keras.layers.Conv2D) or not first.use_bias or first.padding != "valid":
        return False
    kernel, bias = first.get_weights()
    kernel = kernel / std[:, None]  # (height, width, 3, filters)
    first.set_weights([kernel, bias - (kernel * mean[:, None]).sum((0, 1, 2), dtype=float)])
    return True


def in_float32(network: keras.Model) -> keras.Model:
    """Return a copy of a network in float32, regardless of its training precision."""

    def convert(layer):
        if not isinstance(layer, keras.layers.Layer):  # an operation, such as that of `keras.ops.softmax`
            return layer
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    copy = keras.models.clone_model(network, clone_function=convert, recursive=True)
    copy.set_weights(network.get_weights())
    return copy
