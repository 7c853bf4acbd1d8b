"""Trained networks out: files that answer pictures with probabilities and need none of this library's code.

What goes in are RGB pictures as bytes, `(batch, size, size, 3)`. The mean is subtracted inside. A JSON file beside each
says the rest: how to cut the pictures, and the names of the classes.
"""

import dataclasses
import importlib.metadata
import itertools
import json
import os
import pathlib
import tempfile
import time

import keras
import numpy as np
import sklearn.datasets
from PIL import Image

from keras_alexnet.data.pipeline import mean_and_std
from keras_alexnet.evaluation.classifier import outputs_logits
from keras_alexnet.export import formats
from keras_alexnet.files import atomic_write

TOLERANCE = 1e-4  # of the largest probability
NOISE_IMAGES = 6  # ours: beside the two photographs that an export is checked on


@dataclasses.dataclass(frozen=True)
class Export:
    """A file that was written and checked.

    Attributes:
        path: Where it lies; a folder for a SavedModel.
        difference: Its largest difference from the Keras network, as a share of the largest probability.
        images_per_second: How fast it answers here, eight pictures at a time.
    """

    path: pathlib.Path
    difference: float
    images_per_second: float


def serving_model(classifier):
    """The network with all that belongs before and behind it, in float32.

    Args:
        classifier: A `classifiers.Classifier`.

    Returns:
        A `keras.Model` of "image", uint8 `(batch, size, size, 3)`, RGB, to `{"probabilities": (batch, classes)}`.
    """
    image = keras.Input(classifier.model.input_shape[1:], dtype="uint8", name="image")
    network, (mean, deviation) = _in_float32(classifier.model), mean_and_std(classifier.statistics, classifier.recipe)
    is_chain = _is_chain(network.layers)
    if is_chain and _absorbed(network, mean, deviation):
        mean, deviation = np.float32(0), np.float32(1)
    x = keras.layers.Rescaling(1 / deviation, -mean / deviation, name="preprocessing", dtype="float32")(image)
    for layer in network.layers[1:] if is_chain else [network]:
        x = layer(x)
    if outputs_logits(network):
        x = keras.layers.Softmax(name="softmax")(x)
    return keras.Model(image, {"probabilities": x}, name=classifier.model.name)


def _is_chain(layers):
    """Whether each layer reads the one before it alone, from the input on."""
    reads = (layer.input is before.output for before, layer in itertools.pairwise(layers))
    return isinstance(layers[0], keras.layers.InputLayer) and all(reads)


def _absorbed(network, mean, deviation):
    """Let the first convolution take over the preparation, a pass less over the pictures; whether it could.

    It cannot where zeros stand around the pictures, which are grey in the middle then, nor for a mean of its own for
    each pixel.
    """
    first = network.layers[1]
    if mean.ndim > 1 or not isinstance(first, keras.layers.Conv2D) or not first.use_bias or first.padding != "valid":
        return False
    kernel, bias = first.get_weights()
    kernel = kernel / deviation[:, None]
    first.set_weights([kernel, bias - (kernel * mean[:, None]).sum((0, 1, 2), dtype=float)])
    return True


def _in_float32(network):
    """A copy of a network; one trained in half precision gets the digits back that it computed without."""
    copy = keras.models.clone_model(
        network, clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"dtype": "float32"})
    )
    copy.set_weights(network.get_weights())
    return copy


def expected(classifier, images):
    """What the Keras network answers in float32, prepared without `serving_model`.

    Args:
        classifier: A `classifiers.Classifier`.
        images: uint8 `(batch, size, size, 3)`.

    Returns:
        Float32 `(batch, classes)`, probabilities.
    """
    network = _in_float32(classifier.model)
    mean, deviation = mean_and_std(classifier.statistics, classifier.recipe)
    views = (images.astype(np.float32) - mean) / deviation
    answers = network(views, training=False)
    return keras.ops.convert_to_numpy(keras.ops.softmax(answers) if outputs_logits(network) else answers)


def pictures(size):
    """Pictures that an export is checked on: the two photographs that come with scikit-learn, and noise.

    Example:
        >>> pictures(67).shape
        (8, 67, 67, 3)
    """
    photographs = sklearn.datasets.load_sample_images().images
    resized = [np.asarray(Image.fromarray(photograph).resize((size, size))) for photograph in photographs]
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, size, size, 3), np.uint8)
    return np.concatenate([resized, noise])


def export(classifier, path, kind):
    """Write a network as a file for servers, and check it on photographs and noise.

    Args:
        classifier: A `classifiers.Classifier`.
        path: Where to; nothing may be there yet.
        kind: "savedmodel", "onnx" or "tflite".

    Returns:
        An `Export`. Beside it lies a JSON file, with ".json" behind its name.

    Raises:
        ValueError: If something is there, the kind is unknown, a package or the TensorFlow backend is missing, or the
            file answers something else than the network; then nothing is left.
    """
    path = pathlib.Path(path)
    if path.exists():
        raise ValueError(f"Expected a new name for the file: give another with --out. Received: {path}, which exists")
    file = formats.find(kind)
    images = pictures(classifier.model.input_shape[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        temporary = pathlib.Path(folder) / f"alexnet.{kind}"
        file.write(serving_model(classifier), temporary)
        answers, wanted = file.load(temporary), expected(classifier, images)
        difference = max(_difference(answer(images), wanted) for answer in answers)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"Expected the answers of the Keras network to {TOLERANCE} of the largest. Received: {kind} with a "
                f"difference of {difference:.1e}; nothing was written"
            )
        result = Export(path, difference, max(_images_per_second(answer, images) for answer in answers))
        os.replace(temporary, path)
    with atomic_write(path.with_name(f"{path.name}.json")) as temporary:
        temporary.write_text(json.dumps(_description(classifier, result), indent=2) + "\n", encoding="utf-8")
    return result


def with_class_names(classifier, path):
    """A classifier with the names of a text file, one a line.

    Raises:
        ValueError: If there are more or fewer than classes.
        OSError: If the file cannot be read.
    """
    names = tuple(pathlib.Path(path).read_text(encoding="utf-8").splitlines())
    if len(names) != len(classifier.class_names):
        raise ValueError(f"Expected {len(classifier.class_names)} names, one a line. Received: {len(names)} in {path}")
    return dataclasses.replace(classifier, class_names=names)


def _difference(received, wanted):
    return float(np.abs(received - wanted).max() / wanted.max())


def _images_per_second(answer, images, seconds=0.5):
    """The first answers, which are slower, came before."""
    started, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        answer(images)
        count += len(images)
    return count / passed


def _description(classifier, result):
    size, side = classifier.model.input_shape[1], classifier.recipe.resize_size
    mean, deviation = mean_and_std(classifier.statistics, classifier.recipe)
    return {
        "network": classifier.model.name,
        "input": {"name": "image", "type": "uint8", "shape": [None, size, size, 3], "colors": "RGB"},
        "preparation": f"Resize the shorter side to {side} pixels, take the central {size} x {size}, as bytes",
        "mean": mean.reshape(-1, 3).mean(0, dtype=float).round(3).tolist(),
        "deviation": deviation.round(3).tolist(),
        "output": {"name": "probabilities", "type": "float32", "shape": [None, len(classifier.class_names)]},
        "classes": list(classifier.class_names),
        "largest_difference": result.difference,
        "versions": {name: importlib.metadata.version(name) for name in ("keras_alexnet", "keras")},
    }
