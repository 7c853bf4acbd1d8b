"""Export trained networks to files that run without this library.

The input is a batch of uint8 RGB pictures, `(batch, size, size, 3)`; the network subtracts the mean itself. A JSON file
next to each export has the class names and says how to resize and crop pictures.
"""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import time

import keras
import numpy as np
import sklearn.datasets
from PIL import Image

from keras_alexnet.arguments import check_path, check_type
from keras_alexnet.data.statistics import mean_and_std
from keras_alexnet.evaluation.classifier import Classifier, check_classifier, outputs_logits, preprocessing_layer
from keras_alexnet.export import formats, serving
from keras_alexnet.export.accuracy import Accuracy, Batches, Function, measure
from keras_alexnet.files import check_new, temporary_folder
from keras_alexnet.models.normalization import is_over_all_channels

TOLERANCE = 3e-5  # ours: float32 has 1e-6 to 7e-6, the largest for logits in the hundreds on LiteRT
LEAST_PROBABILITY = 1e-30  # ours: runtimes round smaller ones to zero
MEASURED_SECONDS = 0.5  # ours: of predictions, for the speed
NOISE_IMAGES = 6  # ours: in addition to two photographs, to check an export


@dataclasses.dataclass(frozen=True)
class Export:
    """An exported and checked file.

    Attributes:
        path: The file, or the folder of a SavedModel.
        difference: The largest difference of a probability from that of the Keras network.
        images_per_second: Its speed on this machine with batches of eight pictures.
        accuracy: Its top-1 error beside that of the network, if it was measured.
    """

    path: pathlib.Path
    difference: float
    images_per_second: float
    accuracy: Accuracy | None = None


def reference(classifier: Classifier) -> Function:
    """Return the Keras network in float32 as a function, without `serving.serving_model`.

    Args:
        classifier: The network.

    Returns:
        A function from uint8 `(batch, size, size, 3)` to probabilities, float32 `(batch, classes)`.
    """
    network = serving.in_float32(classifier.model)
    mean, std = mean_and_std(classifier.statistics, classifier.recipe)

    def answer(images):
        answers = network((images.astype(np.float32) - mean) / std, training=False)
        return keras.ops.convert_to_numpy(keras.ops.softmax(answers) if outputs_logits(network) else answers)

    return answer


def pictures(size: int) -> np.ndarray:
    """Return the pictures for checking an export: two photographs from scikit-learn, and noise.

    Example:
        >>> pictures(67).shape
        (8, 67, 67, 3)
    """
    photographs = sklearn.datasets.load_sample_images().images
    resized = [np.asarray(Image.fromarray(photograph).resize((size, size))) for photograph in photographs]
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, size, size, 3), np.uint8)
    return np.concatenate([resized, noise])


def export(
    classifier: Classifier,
    path: str | os.PathLike,
    format: str,
    settings: formats.Settings = formats.DEFAULTS,
    batches: Batches | None = None,
) -> Export:
    """Export a network to a file, and check the file.

    In float32, its probabilities must be those of the network, for photographs and noise. With other precisions, its
    top-1 error must not be much higher than that of the network.

    Args:
        classifier: The network.
        path: The file to write. A JSON file with the same name plus ".json" is also written. Neither may exist.
        format: A name in `formats.FORMATS`: "savedmodel", "onnx" or "tflite".
        settings: How to write the file.
        batches: Crops and labels from `accuracy.labeled_crops`, to compare the top-1 errors; None only in float32.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If one of the files exists, its name is that of another format, the format or the network has no
            such settings, a package or the TensorFlow backend is missing, or the outputs of the file differ from those
            of the network. Nothing is written then.
    """
    module, existing = _check_arguments(classifier, path, format, settings, batches)
    path, is_whole = pathlib.Path(path), settings.precision == "float32"
    images, network = pictures(classifier.model.input_shape[1]), reference(classifier)
    with temporary_folder(existing) as folder:
        temporary = folder / f"alexnet.{format}"
        module.write(serving.serving_model(classifier), temporary, settings)
        answers = module.load(temporary)
        received, wanted = [answer(images) for answer in answers], network(images)
        _check(received, wanted, format, TOLERANCE if is_whole else np.inf)  # in any precision, not NaN
        measured = None
        if batches is not None:
            measured = measure(network, answers[0], batches)
            measured.check(settings.precision)
        speed = max(_images_per_second(answer, images) for answer in answers)
        result = Export(path, _difference(received, wanted), speed, measured)
        text = json.dumps(_description(classifier, result, settings), indent=2)
        (folder / "description").write_text(text + "\n", encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, path)
        os.replace(folder / "description", _description_of(path))
    return result


def _check_arguments(classifier, path, format, settings, batches):
    """Check the arguments of `export`. Return the module of the format, and the nearest folder that exists."""
    check_classifier(classifier)
    check_path("path", path)
    check_type("settings", settings, formats.Settings, 'a Settings, such as formats.Settings(precision="int8")')
    path = pathlib.Path(path)
    for file in (path, _description_of(path)):
        check_new(file, "`path`")
    module = formats.find(format, settings)
    if path.suffix.lower() in {f".{name}" for name in formats.FORMATS} - {f".{format}"}:
        raise ValueError(f"Expected a file name that ends in .{format}. Received: {path}")
    if settings.precision != "float32" and batches is None:
        raise ValueError(f"{settings.precision} weights need pictures to measure the top-1 error. Received: none")
    if settings.native_normalization and not any(map(is_over_all_channels, classifier.model.layers)):
        raise ValueError(
            "Native normalization needs a network that normalizes over all channels. Received: "
            f"{classifier.model.name}, which does not"
        )
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    if not existing.is_dir():
        raise ValueError(f"`path` must be in a folder. Received: {path}, and {existing} is a file")
    return module, existing


def _description_of(path):
    return path.with_name(f"{path.name}.json")


def _check(received, wanted, format, tolerance):
    """Check the probabilities of each function of a file.

    Raises:
        ValueError: If a difference is too large.
    """
    error = np.max([log_error(each, wanted) for each in received])  # NaN if one of them is
    if np.isnan(error):
        raise ValueError(f"The export must return numbers. Received: {format} with NaN; nothing was written")
    if error > tolerance:
        raise ValueError(
            f"The export differs from the Keras network by more than {tolerance:g} of the largest log probability. "
            f"Received: {format} with a difference of {error:.1e}; nothing was written"
        )


def _difference(received, wanted):
    """Return the largest difference of a probability."""
    return max(float(np.abs(each - wanted).max()) for each in received)


def log_error(received: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference of log probabilities, relative to the largest log probability.

    Log probabilities are logits minus a constant, and the rounding errors of float32 grow with the logits. A relative
    tolerance therefore fits networks with small logits and with logits in the hundreds, whose probabilities differ
    more. Small probabilities count as much as large ones.

    Args:
        received: Probabilities `(batch, classes)`.
        wanted: Probabilities `(batch, classes)`.

    Example:
        >>> round(log_error(np.array([[0.5, 0.5]]), np.array([[0.5 + 1e-5, 0.5 - 1e-5]])), 7)
        2e-05
    """
    received, wanted = (np.log(np.maximum(each, LEAST_PROBABILITY, dtype=float)) for each in (received, wanted))
    return float(np.abs(received - wanted).max() / max(1, np.abs(wanted).max()))


def _images_per_second(answer, images):
    """Return the speed of a function. It must have been called before, since the first call is slower."""
    started, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < MEASURED_SECONDS:
        answer(images)
        count += len(images)
    return count / passed


def _description(classifier, result, settings):
    size, resize_size = classifier.model.input_shape[1], classifier.recipe.resize_size
    mean, std = mean_and_std(classifier.statistics, classifier.recipe)
    if inside := preprocessing_layer(classifier.model):
        std = np.broadcast_to(1 / np.float32(inside.scale), 3)
        mean = -np.float32(inside.offset) * std
    return {
        "network": classifier.model.name,
        "input": {"name": "image", "type": "uint8", "shape": [None, size, size, 3], "colors": "RGB"},
        "preparation": "Turn the picture as its EXIF orientation says, and put white behind transparent parts. Resize "
        f"the shorter side to {resize_size} pixels (bilinear, with antialiasing when the size is reduced by two or "
        f"more), crop the central {size} x {size}, and pass pixel values 0 to 255",
        "preprocessing_in_network": {
            "note": "The network does this itself. Do not subtract the mean or divide the input",
            "mean": mean.reshape(-1, 3).mean(0, dtype=float).round(3).tolist(),
            "std": std.round(3).tolist(),
        },
        "output": {"name": "probabilities", "type": "float32", "shape": [None, len(classifier.class_names)]},
        "classes": list(classifier.class_names),
        "weights": settings.precision,
        "largest_difference": result.difference,
        **({"top1_error": dataclasses.asdict(result.accuracy)} if result.accuracy else {}),
        "versions": {name: importlib.metadata.version(name) for name in ("keras_alexnet", "keras")},
    }
