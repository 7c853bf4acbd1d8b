"""Preprocess pixels for a network, and decode its outputs to class names (paper section 2)."""

import os
import pathlib
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_alexnet.arguments import positive_integer
from keras_alexnet.models import architectures
from keras_alexnet.models.architectures import Architecture
from keras_alexnet.models.pixels import seem_divided


def preprocess_input(images: Any, architecture: str | Architecture = "paper", data_format: str | None = None) -> Any:
    """Preprocess images for a network: subtract the mean and divide by the scale of its authors.

    A network built with `include_preprocessing=True` does this itself.

    Every network here takes RGB, even Caffe's, whose files are converted when they are read.

    Args:
        images: `(height, width, 3)` or a batch of them, RGB, pixel values 0 to 255. An array, a tensor, or a Keras
            tensor in a functional model.
        architecture: A name in `ARCHITECTURES`, or your own `Architecture`.
        data_format: "channels_last", or "channels_first" for images of shape `(3, height, width)`; the default is
            `keras.config.image_data_format()`.

    Returns:
        A float32 array for an array, otherwise a tensor. `images` is not changed.

    Raises:
        ValueError: If the architecture or the data format is unknown, or the images are not RGB or not real numbers.

    Example:
        >>> preprocess_input(np.full((1, 1, 3), 255, "uint8"), "caffe").round().tolist()
        [[[132.0, 138.0, 151.0]]]

    Source: section 2; for other networks, their authors' files.
    """
    net = architectures.get(architecture)
    data_format = data_format or keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"`data_format` must be 'channels_last' or 'channels_first'. Received: data_format={data_format!r}"
        )
    given, images = images, _float32(images)
    last = data_format == "channels_last"
    if len(images.shape) not in (3, 4) or images.shape[-1 if last else -3] != 3:
        expected = "(height, width, 3)" if last else "(3, height, width)"
        raise ValueError(f"`images` must have shape {expected}, or be a batch. Received: shape={tuple(images.shape)}")
    if isinstance(given, np.ndarray) and seem_divided(given.reshape(-1, *given.shape[-3:])[:1]):
        warnings.warn(
            "`images` seem to have been divided by 255: pass pixel values 0 to 255. "
            f"Received: values from {images.min():.3g} to {images.max():.3g}",
            stacklevel=2,
        )
    per_channel = (3,) if last else (3, 1, 1)
    mean, std = (_like(images, np.reshape(values, per_channel)) for values in (net.mean, net.std))
    return (images - mean) / std


def _float32(images):
    if _is_of_backend(images):
        return ops.cast(images, "float32")
    if "tensorflow" in sys.modules and sys.modules["tensorflow"].is_tensor(images):  # in tf.data, with another backend
        return sys.modules["tensorflow"].cast(images, "float32")
    return _real_numbers(images, "images").astype("float32", copy=False)


def _real_numbers(values, name):
    """Return an array, after checking that it is of real numbers."""
    array = ops.convert_to_numpy(values) if _is_of_backend(values) else np.asarray(values)
    if array.dtype.kind not in "biufV":  # V is bfloat16
        raise ValueError(
            f"`{name}` must be an array or a tensor of real numbers. Received: {type(values).__name__} of {array.dtype}"
        )
    return array


def _is_of_backend(images):
    return keras.utils.is_keras_tensor(images) or ops.is_tensor(images)


def _like(images, values):
    """Return values of the same type as the images, since PyTorch tensors do not subtract arrays."""
    return ops.convert_to_tensor(values, "float32") if _is_of_backend(images) else np.float32(values)


def decode_predictions(
    probabilities: Any, top: int = 5, class_names: Sequence[str] | str | os.PathLike | None = None
) -> list[list[tuple[str, str, float]]]:
    """Return the most probable classes with their names.

    Args:
        probabilities: `(batch, classes)`.
        top: Number of classes to return.
        class_names: Class names, or the path of a text file with one per line, such as a run's `classes.txt`. The
            default is those of ImageNet, which Keras downloads on first use.

    Returns:
        For each image, a list of `(identifier, name, probability)`, most probable first. The identifier is ImageNet's
        (`n02124075`), or the number of the class if `class_names` is given.

    Raises:
        ValueError: If the probabilities have another shape or are not real numbers, the numbers of names and classes
            differ, `top` is less than 1, the names are no list, or ImageNet's names cannot be downloaded.
        OSError: If the file of class names cannot be read.

    Example:
        >>> decode_predictions(np.array([[0.2, 0.8]]), top=1, class_names=["daisy", "tulip"])
        [[('1', 'tulip', 0.8)]]
    """
    positive_integer(top, "top")
    probabilities = _real_numbers(probabilities, "probabilities").astype(float)  # unsigned integers have no negatives
    if class_names is None and probabilities.shape[1:] != (1000,):  # before ImageNet's names are downloaded
        raise ValueError(
            "`probabilities` must have shape (batch, 1000). Pass `class_names` for classes other than ImageNet's. "
            f"Received: {probabilities.shape}"
        )
    classes = _classes(class_names)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(classes):
        raise ValueError(
            f"`probabilities` must have shape (batch, {len(classes)}), one column per name. "
            f"Received: {probabilities.shape}"
        )
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]  # (batch, top)
    return [[(*classes[n], float(row[n])) for n in order] for row, order in zip(probabilities, best, strict=True)]


def _classes(class_names):
    """Return pairs of identifier and name."""
    if class_names is None:
        from keras_alexnet.weights.imagenet_classes import imagenet_classes

        return imagenet_classes()
    return [(str(n), name) for n, name in enumerate(_names(class_names))]


def _names(class_names):
    if isinstance(class_names, (str, os.PathLike)):
        lines = pathlib.Path(class_names).read_text(encoding="utf-8-sig").splitlines()  # -sig: Notepad adds a BOM
        return [line for line in lines if line.strip()]
    if isinstance(class_names, (Mapping, Set)) or not isinstance(class_names, Iterable):
        raise ValueError(f"`class_names` must be a list in the order of the classes. Received: {class_names}")
    return list(map(str, class_names))
