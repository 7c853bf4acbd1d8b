"""What a network has learned: first kernels, descriptors, neighbours, and where a class is seen (paper section 6.1)."""

import keras
import numpy as np
from scipy import stats
from sklearn.neighbors import NearestNeighbors


def activations(model, layer):
    """The part of a network from the image to the output of one of its layers.

    Args:
        model: A `keras.Model`.
        layer: Name of a layer: "conv1", "pool5", "fc7".

    Returns:
        A `keras.Model` that shares the weights.

    Raises:
        ValueError: If there is no such layer.
    """
    return keras.Model(model.input, model.get_layer(layer).output, name=f"{model.name}_to_{layer}")


def descriptors(classifier, squares, layer=None):
    """What the last hidden layer says of each picture.

    Args:
        classifier: A `classifiers.Classifier`.
        squares: `tf.data.Dataset` of `(uint8 (resize_size, resize_size, 3), label)`, from
            `pipeline.resize_pictures`.
        layer: Name of a layer whose output is one vector a picture; by default the one that the classifier sees, fc7.

    Returns:
        Float32 `(pictures, 4096)`, of the central view.

    Source: section 6.1, "the feature activations induced by an image at the last, 4096-dimensional hidden layer".
    """
    model = activations(classifier.model, layer or classifier.model.layers[-2].name)
    found = [model.predict_on_batch(np.asarray(view)) for view, _ in classifier.batches(squares)]
    return np.concatenate(found).astype(np.float32)  # of bfloat16, which scikit-learn does not know


def nearest(queries, descriptors, count=6):
    """Which pictures' descriptors lie nearest, by Euclidean distance.

    Args:
        queries: Shape `(queries, features)`.
        descriptors: Shape `(pictures, features)`.
        count: Neighbours of each query.

    Returns:
        Integers `(queries, count)`: places among `descriptors`, nearest first.

    Example:
        >>> nearest(np.array([[0.0, 1.0]]), np.array([[5.0, 1.0], [0.0, 0.0], [0.0, 3.0]]), count=2)
        array([[1, 2]])

    Source: section 6.1, figure 4.
    """
    return NearestNeighbors(n_neighbors=count).fit(descriptors).kneighbors(queries, return_distance=False)


# Kernels


def first_kernels(model):
    """The weights of the first convolution, float32 `(height, width, 3, kernels)`.

    Source: section 6.1, figure 3.
    """
    return np.asarray(keras.ops.convert_to_numpy(model.get_layer("conv1").kernel), np.float32)


def colorfulness(kernels):
    """How far each kernel looks at color rather than at lightness.

    A kernel's weights at one pixel are a vector in RGB. Its part along grey answers to lightness, and what is left to
    color: the result is the share of the squared weights that is left. Random weights have 2/3.

    Args:
        kernels: Shape `(height, width, 3, kernels)`.

    Returns:
        Shares from 0 (grey alone) to 1 (color alone), `(kernels,)`.

    Example:
        >>> grey, red_against_green = np.ones((1, 1, 3, 1)), np.array([1.0, -1.0, 0.0]).reshape(1, 1, 3, 1)
        >>> colorfulness(np.concatenate([grey, red_against_green], axis=-1)).tolist()
        [0.0, 1.0]
    """
    color = kernels - kernels.mean(axis=2, keepdims=True)
    return (color**2).sum(axis=(0, 1, 2)) / np.maximum((kernels**2).sum(axis=(0, 1, 2)), np.finfo(np.float32).tiny)


def specialization(kernels):
    """How the work is shared between the two columns: the paper saw one learn grey kernels and the other colored ones.

    Args:
        kernels: Shape `(height, width, 3, kernels)`; the first half of the kernels is the first column.

    Returns:
        How often a kernel of the second column is more colorful than one of the first, over all pairs: 1/2 where the
        columns are alike, 0 or 1 where one has all the color.

    Source: section 6.1, "the kernels on GPU 1 are largely color-agnostic, while the kernels on GPU 2 are largely
    color-specific".
    """
    first, second = np.split(colorfulness(kernels), 2)
    return float(stats.mannwhitneyu(second, first).statistic / (len(first) * len(second)))


# Activity


def sparsity(model, views):
    """The share of zeros that the ReLUs of each layer give.

    Args:
        model: A `keras.Model`.
        views: What the network sees, float32 `(batch, size, size, 3)`.

    Returns:
        A mapping from names of layers, first to last, to shares from 0 to 1.

    Source: section 3.1.
    """
    rectified = [layer for layer in model.layers if _is_relu(layer)]
    outputs = keras.Model(model.input, [layer.output for layer in rectified]).predict_on_batch(views)
    return {
        layer.name: float((np.asarray(output) == 0).mean()) for layer, output in zip(rectified, outputs, strict=True)
    }


def _is_relu(layer):
    return isinstance(layer, keras.layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu


def class_map(model, view, label, layer="relu5"):
    """Where in a picture a class is seen: Grad-CAM, on the TensorFlow backend.

    The maps of a convolutional layer are summed, each with the mean of the gradient of the class's logit over it as its
    weight, and what speaks against the class is cut off.

    Args:
        model: A `keras.Model` that ends in a `Dense` layer.
        view: What the network sees, float32 `(size, size, 3)`.
        label: Integer, the class asked about.
        layer: Name of the layer whose maps are summed.

    Returns:
        Float32 `(height, width)` of the layer, from 0 to 1 at the place that speaks most for the class.

    Raises:
        ValueError: On another backend.

    Source: Selvaraju and others, "Grad-CAM: Visual explanations from deep networks via gradient-based localization",
    2017, equations 1 and 2.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"Maps of classes need the tensorflow backend. Received: {keras.backend.backend()}")
    import tensorflow as tf  # loaded already: it is the backend

    last = model.layers[-1]
    both = keras.Model(model.input, [model.get_layer(layer).output, last.input])
    with tf.GradientTape() as tape:
        maps, hidden = both(view[None], training=False)
        logit = tf.tensordot(tf.cast(hidden[0], last.kernel.dtype), last.kernel[:, label], axes=1)
    weights = tf.reduce_mean(tape.gradient(logit, maps), axis=(1, 2), keepdims=True)
    evidence = np.maximum(tf.reduce_sum(weights * maps, axis=-1)[0], 0).astype(np.float32)
    return evidence / max(evidence.max(), np.finfo(np.float32).tiny)
