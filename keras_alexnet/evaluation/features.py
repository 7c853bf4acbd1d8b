"""Inspect a network: first kernels, features, nearest neighbors and class maps (paper section 6.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from keras_alexnet.evaluation.classifier import Classifier, check_classifier
from keras_alexnet.models.layers import LocallyConnected2D

if TYPE_CHECKING:  # these functions do not need it
    import tensorflow as tf


def activations(model: keras.Model, layer: str) -> keras.Model:
    """Return the part of a network up to the output of one layer, with shared weights.

    Args:
        model: The network.
        layer: Name of the layer: "conv1", "pool5", "fc7".

    Raises:
        ValueError: If there is no such layer.
    """
    return keras.Model(model.input, model.get_layer(layer).output, name=f"{model.name}_to_{layer}")


def descriptors(classifier: Classifier, pictures: tf.data.Dataset) -> np.ndarray:
    """Return the input of the last layer, in most networks the activations of fc7, for the central crop of each one.

    Args:
        classifier: The network.
        pictures: A data set of `(uint8 (resize_size, resize_size, 3), label)`, from `pipeline.resize_pictures`.

    Returns:
        Float32 `(pictures, features)`, with 4096 features in the paper's network.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If there are no pictures.

    Source: section 6.1, "the feature activations induced by an image at the last, 4096-dimensional hidden layer".
    """
    check_classifier(classifier)
    model = activations(classifier.model, classifier.model.layers[-2].name)
    vectors = [model.predict_on_batch(np.asarray(crops)) for crops, _ in classifier.batches(pictures)]
    if not vectors:
        raise ValueError("`pictures` must have at least one picture. Received: none")
    return np.concatenate(vectors).astype(np.float32)  # scikit-learn does not know bfloat16


def nearest(queries: np.ndarray, descriptors: np.ndarray, count: int = 6) -> np.ndarray:
    """Find the nearest descriptors of each query by Euclidean distance.

    Args:
        queries: Shape `(queries, features)`.
        descriptors: Shape `(pictures, features)`.
        count: Neighbors of each query.

    Returns:
        Integers `(queries, count)`: rows of `descriptors`, nearest first.

    Example:
        >>> nearest(np.array([[0.0, 1.0]]), np.array([[5.0, 1.0], [0.0, 0.0], [0.0, 3.0]]), count=2)
        array([[1, 2]])

    Source: section 6.1, figure 4.
    """
    return NearestNeighbors(n_neighbors=count).fit(descriptors).kneighbors(queries, return_distance=False)


# Kernels


def first_kernels(model: keras.Model) -> np.ndarray:
    """Return the weights of the first convolution, float32 `(height, width, channels, kernels)`.

    Raises:
        ValueError: If the network has no convolution.

    Source: section 6.1, figure 3.
    """
    convolutions = list(activity_layers(model))
    if not convolutions:
        raise ValueError(f"`model` must have a convolution. Received: {model.name}, which has none")
    first = model.get_layer(convolutions[0])
    return np.asarray(keras.ops.convert_to_numpy(first.kernel), np.float32)


def colorfulness(kernels: np.ndarray) -> np.ndarray:
    """Return how much each kernel responds to color rather than to lightness.

    A kernel's weights at one pixel are a vector in RGB. Its component along the gray axis responds to lightness, the
    rest to color. The result is the fraction of the squared weights that responds to color; random weights have 2/3.

    Args:
        kernels: Shape `(height, width, 3, kernels)`.

    Returns:
        Fractions `(kernels,)` from 0 (only lightness) to 1 (only color).

    Raises:
        ValueError: If the shape is another.

    Example:
        >>> gray, red_against_green = np.ones((1, 1, 3, 1)), np.array([1.0, -1.0, 0.0]).reshape(1, 1, 3, 1)
        >>> colorfulness(np.concatenate([gray, red_against_green], axis=-1)).tolist()
        [0.0, 1.0]
    """
    if kernels.ndim != 4 or kernels.shape[2] != 3:
        raise ValueError(f"`kernels` must have shape (height, width, 3, kernels). Received: shape={kernels.shape}")
    color = kernels - kernels.mean(axis=2, keepdims=True)
    return (color**2).sum(axis=(0, 1, 2)) / np.maximum((kernels**2).sum(axis=(0, 1, 2)), np.finfo(np.float32).tiny)


def specialization(kernels: np.ndarray) -> float:
    """Return how often a kernel of the second tower is more colorful than one of the first, over all pairs.

    In the paper, one tower learned gray kernels and the other colored ones. The result is 1/2 if the towers are alike,
    and 0 or 1 if one of them has all the color.

    Args:
        kernels: Shape `(height, width, 3, kernels)`; the first half of the kernels is the first tower.

    Source: section 6.1, "the kernels on GPU 1 are largely color-agnostic, while the kernels on GPU 2 are largely
    color-specific".
    """
    first, second = np.split(colorfulness(kernels), 2)
    return float(stats.mannwhitneyu(second, first).statistic / (len(first) * len(second)))


# Activity


def sparsity(model: keras.Model, images: np.ndarray) -> dict[str, float]:
    """Return the fraction of zeros in the output of each ReLU, by layer name, first to last.

    Args:
        model: The network.
        images: The network's input, float32 `(batch, size, size, 3)`.

    Raises:
        ValueError: If the network has no ReLU.

    Source: section 3.1.
    """
    rectified = [layer for layer in model.layers if _is_relu(layer)]
    if not rectified:
        raise ValueError(f"`model` must have a ReLU. Received: {model.name}, which has none")
    outputs = keras.Model(model.input, [layer.output for layer in rectified]).predict_on_batch(images)
    return {
        layer.name: float((np.asarray(output) == 0).mean()) for layer, output in zip(rectified, outputs, strict=True)
    }


def _is_relu(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu


# Maps


def activity_layers(model: keras.Model) -> dict[str, str]:
    """Return the layer that holds the activity of each convolution: its nonlinearity, or itself where it has none.

    Args:
        model: The network.

    Returns:
        Names of layers by the name of the convolution, in the order of the network.

    Example:
        >>> from keras_alexnet import build
        >>> activity_layers(build(include_top=False))["conv5"]
        'relu5'
    """
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | LocallyConnected2D) and not layer.name.endswith("_low"):
            found[layer.name] = layer.name
        elif found and isinstance(layer, keras.layers.ReLU | keras.layers.Activation) and len(layer.output.shape) == 4:
            found[next(reversed(found))] = layer.name
    return found


def strongest(maps: np.ndarray, count: int) -> np.ndarray:
    """Return the channels with the largest mean activity, strongest first.

    Args:
        maps: The maps of one layer for one image, `(height, width, channels)`.
        count: How many to return; all channels if there are fewer.

    Returns:
        Integers `(count,)`.

    Example:
        >>> strongest(np.array([[[0.0, 3.0, 1.0]]]), count=2)
        array([1, 2])
    """
    return np.argsort(-maps.mean(axis=(0, 1)), kind="stable")[:count]


def class_mapper(model: keras.Model, layer: str = "relu5") -> Callable[[np.ndarray, int], np.ndarray]:
    """Return a function for maps of the image regions that support a class: Grad-CAM, on the TensorFlow backend.

    The maps of a convolutional layer are summed. The weight of a map is the mean gradient of the class's logit with
    respect to it. Negative sums are set to zero.

    Args:
        model: A network that ends in a `Dense` layer.
        layer: Name of the layer whose maps are summed.

    Returns:
        A function, compiled for many calls, of the network's input for one image, float32 `(size, size, 3)`, and a
        class. It returns float32 `(height, width)` of the layer, scaled to a maximum of 1.

    Raises:
        ValueError: On another backend, or if the network ends in another layer. The function raises it for a class
            that the network does not have.

    Source: Selvaraju and others, "Grad-CAM: Visual explanations from deep networks via gradient-based localization",
    2017, equations 1 and 2.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"Class maps need the tensorflow backend. Received: {keras.backend.backend()}")
    import tensorflow as tf  # already loaded, as the backend

    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense):
        raise ValueError(f"`model` must end in a Dense layer. Received: {model.name}, which ends in {last.name}")
    both = keras.Model(model.input, [model.get_layer(layer).output, last.input])

    @tf.function(autograph=False)
    def evidence(images, label):
        with tf.GradientTape() as tape:
            maps, hidden = both(images, training=False)  # (1, height, width, channels), (1, features)
            kernel = tf.convert_to_tensor(last.kernel)[:, label]  # (features,)
            logit = tf.tensordot(tf.cast(hidden[0], kernel.dtype), kernel, axes=1)
        weights = tf.reduce_mean(tape.gradient(logit, maps), axis=(1, 2), keepdims=True)
        return tf.reduce_sum(weights * maps, axis=-1)[0]  # (height, width)

    def class_map(image, label):
        if not 0 <= label < last.units:
            raise ValueError(f"The class must be from 0 to {last.units - 1}. Received: {label}")
        positive = np.maximum(evidence(tf.constant(image[None]), tf.constant(label)), 0).astype(np.float32)
        return positive / max(positive.max(), np.finfo(np.float32).tiny)

    return class_map
