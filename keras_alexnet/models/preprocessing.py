"""What stands before and behind a network: pictures made ready for it, and the names of the classes it answers with."""

import pathlib
import sys

import keras
import numpy as np
from keras import ops
from keras.applications import imagenet_utils

from keras_alexnet.models.architectures import ARCHITECTURES, lookup


def preprocess_input(images, architecture="paper"):
    """Make pictures ready for a network: what its authors subtracted and divided by.

    Every network here takes red, green, blue in this order, Caffe's too: what is read from its files is turned round.

    Args:
        images: `(height, width, 3)` or a batch of them, RGB, grey levels 0 to 255: an array, or a tensor, a Keras
            tensor in a functional model too.
        architecture: A name in `ARCHITECTURES`, or an `Architecture` of your own.

    Returns:
        A float32 array for an array, or else a tensor. `images` stay as they are.

    Raises:
        ValueError: If the architecture is unknown, or the images are not RGB.

    Example:
        >>> preprocess_input(np.full((1, 1, 3), 255, "uint8"), "caffe").round().tolist()
        [[[132.0, 138.0, 151.0]]]

    Source: section 2; for other networks, the files of their authors.
    """
    net = lookup(ARCHITECTURES, architecture, "architecture") if isinstance(architecture, str) else architecture
    images = _float32(images)
    if len(images.shape) not in (3, 4) or images.shape[-1] != 3:
        raise ValueError(f"Expected `images` of shape (height, width, 3), or a batch. Received: {tuple(images.shape)}")
    mean, std = (_beside(images, values) for values in (net.mean, net.std))
    return (images - mean) / std


def _float32(images):
    if _is_of_backend(images):
        return ops.cast(images, "float32")
    if type(images).__module__.startswith("tensorflow"):  # in tf.data, beside another backend
        return sys.modules["tensorflow"].cast(images, "float32")
    return np.asarray(images, "float32")


def _is_of_backend(images):
    return keras.utils.is_keras_tensor(images) or ops.is_tensor(images)


def _beside(images, values):
    """Numbers in what the images are in; PyTorch's tensors do not subtract arrays."""
    return ops.convert_to_tensor(values, "float32") if _is_of_backend(images) else np.float32(values)


def decode_predictions(probabilities, top=5, class_names=None):
    """Name the most probable classes.

    Args:
        probabilities: `(batch, classes)`.
        top: How many classes to name.
        class_names: Names by class, or the path of a text file with one a line, such as a run's `classes.txt`. By
            default those of ImageNet, which Keras fetches on first use.

    Returns:
        A list for each image, of `(identifier, name, probability)`, most probable first. The identifier is ImageNet's
        (`n02124075`), or else the number of the class.

    Raises:
        ValueError: If there are not as many names as classes, or ImageNet's are not there and cannot be fetched.

    Example:
        >>> decode_predictions(np.array([[0.2, 0.8]]), top=1, class_names=["daisy", "tulip"])
        [[('1', 'tulip', 0.8)]]
    """
    probabilities = ops.convert_to_numpy(probabilities)
    if class_names is None:
        return _imagenet_classes(probabilities, top)
    names = _names(class_names)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(names):
        raise ValueError(
            f"Expected `probabilities` of shape (batch, {len(names)}), as there are names. "
            f"Received: {probabilities.shape}"
        )
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [[(str(n), names[n], float(row[n])) for n in order] for row, order in zip(probabilities, best, strict=True)]


def _names(class_names):
    if isinstance(class_names, (str, pathlib.Path)):
        return pathlib.Path(class_names).read_text(encoding="utf-8").splitlines()
    return list(class_names)


def _imagenet_classes(probabilities, top):
    try:
        return imagenet_utils.decode_predictions(probabilities, top)
    except ValueError as error:  # the number of classes
        raise ValueError(f"{error}. Give `class_names` for other classes than ImageNet's") from error
    except Exception as error:  # what Keras raises where there is no network
        raise ValueError(
            "Expected ImageNet's class names: bring imagenet_class_index.json to ~/.keras/models by hand, or give "
            f"`class_names`. Received: {error}"
        ) from error
