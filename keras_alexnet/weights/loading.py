"""Weights of other frameworks and of Keras files into a network.

Frameworks differ in the order of a kernel's axes, in the order in which maps are flattened before the first fully
connected layer, and in the order of the colors. Here is what puts them into Keras's, with all of a file checked before
any of it is used.
"""

import hashlib
import itertools
import math
import os
import pathlib

import keras
import numpy as np

from keras_alexnet.models.layers import LocalResponseNormalization, SpatialResponseNormalization
from keras_alexnet.weights import formats

# The publishers' own files of ImageNet weights: address, and how the SHA-256 digest begins.
PUBLISHED = {
    "one_weird_trick": ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "7be5be79"),
    "caffe": (
        "https://huggingface.co/onnxmodelzoo/legacy_models/resolve/main/validated/vision/classification/alexnet/model/"
        "bvlcalexnet-12.onnx",
        "6b0da9510f27f234ee96a85dc3809dd210150fdefad87f6850f9788513216945",
    ),
}


def load(model, path, replace_head=False):
    """Fill a network with the weights of a file.

    A network without its top takes the convolutions and leaves the rest of the file out.

    Args:
        model: A network as `build` makes it.
        path: A file that `formats.read` knows.
        replace_head: Whether the last layer keeps its random weights where the file's has another number of classes.

    Returns:
        A line of text for each layer: where its weights came from and what was permuted.

    Raises:
        ValueError: If an array is missing, left over, of another shape or not finite, if the file's network does
            something else between the convolutions, or if the file cannot be read. The network is then unchanged.
        OSError: If the file cannot be opened.
    """
    file = formats.read(path)
    _check_steps(model, file, path)
    learned = [layer for layer in model.layers if layer.weights]
    _check_names(learned, file, path)
    new_head = []
    if replace_head and _is_head_of_others(learned[-1], file):
        new_head = [_line_of_new_head(learned.pop(), file)]
    values = [_values(layer, model, file, path) for layer in learned]
    for layer, arrays in zip(learned, values, strict=True):
        layer.set_weights(arrays)
    return [_line(layer, model, file) for layer in learned] + new_head


def fetch(architecture):
    """The publisher's ImageNet weights for a network, fetched on first use.

    Args:
        architecture: A name in `PUBLISHED`.

    Returns:
        Path of the file.

    Raises:
        ValueError: If nobody published weights of this network, they cannot be fetched, or the file is another.
    """
    if architecture not in PUBLISHED:
        raise ValueError(
            f"ImageNet weights are published of {' and '.join(PUBLISHED)} alone: take one of these, weights=None, or "
            f"the path of a file. Received: weights='imagenet', architecture={architecture!r}"
        )
    address, digest = PUBLISHED[architecture]
    name = address.rpartition("/")[2]
    try:
        path = pathlib.Path(keras.utils.get_file(name, address, cache_dir=_cache().parent, cache_subdir=_cache().name))
    except Exception as error:  # what get_file raises where there is no network
        raise ValueError(
            f"{address} could not be fetched: bring the file by hand to {_cache() / name}. Received: {error}"
        ) from error
    with path.open("rb") as file:
        received = hashlib.file_digest(file, "sha256").hexdigest()
    if not received.startswith(digest):
        raise ValueError(f"Expected a file whose SHA-256 begins with {digest}: delete {path}. Received: {received}")
    return path


def _cache():
    """Where Keras keeps the weights it fetches."""
    return pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def _check_steps(model, file, path):
    """Networks with arrays of the same shapes may differ in between, as Caffe's two do: refuse the wrong one."""
    if file.steps is None:
        return
    for place, (own, other) in enumerate(itertools.zip_longest(_steps(model), file.steps), 1):
        if own != other:
            raise ValueError(
                f"Expected the network that was built, {model.name}: step {place} of it is {own or 'none'}. Is the "
                f"file of another architecture? Received: {path} with {other or 'none'} there"
            )


def _steps(model):
    """What a network does before its fully connected layers, as `formats.step` writes it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            return
        if isinstance(layer, LocalResponseNormalization):
            yield formats.step("norm", layer.window, layer.k, layer.alpha, layer.beta)
        else:
            yield from (kind for kind, layers in _KINDS.items() if isinstance(layer, layers))


_KINDS = {
    "conv": keras.layers.Conv2D,
    "relu": keras.layers.ReLU,
    "pool": keras.layers.MaxPooling2D,
    "spatial norm": SpatialResponseNormalization,
}


def _check_names(layers, file, path):
    wanted = {name for layer in layers for name in file.convention.names(layer.name)}
    without_top = not any(isinstance(layer, keras.layers.Dense) for layer in layers)
    ignored = {name for name in file.arrays if without_top and name.startswith(file.convention.top)}
    missing, extra = wanted - file.arrays.keys(), file.arrays.keys() - wanted - ignored
    if missing or extra:
        raise ValueError(
            f"Expected each array of the network once and no other. Received: {path}, where {_listed(missing)} is "
            f"missing and {_listed(extra)} is left over"
        )


def _listed(names):
    shown = ", ".join(sorted(names)[:6]) or "nothing"
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown


def _values(layer, model, file, path):
    """Kernel and bias of a layer as Keras has them."""
    names = file.convention.names(layer.name)
    shapes = _shape(layer, file.convention), tuple(layer.bias.shape)
    for name, shape in zip(names, shapes, strict=True):
        array = file.arrays[name]
        if array.shape != shape:
            resized = layer is _first_dense(model) and array.size != math.prod(shape)
            expected = f"shape {shape}{', which follows from the size of the input' if resized else ''}"
            raise ValueError(f"{layer.name} expects {expected}. Received: {name} with {array.shape}, in {path}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"{layer.name} expects finite numbers. Received: {name} with others, in {path}")
    kernel, bias = (file.arrays[name] for name in names)
    return [_permuted(kernel, layer, model, file.convention), bias]


def _shape(layer, convention):
    """The shape that a layer's kernel has in a file."""
    *window, width, filters = layer.kernel.shape
    return (filters, width, *window) if convention.channels_first else (*window, width, filters)


def _first_dense(model):
    return next((layer for layer in model.layers if isinstance(layer, keras.layers.Dense)), None)


def _permuted(kernel, layer, model, convention):
    if _is_unflattened(layer, model, convention):
        height, width, channels = model.get_layer("flatten").input.shape[1:]
        kernel = kernel.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(kernel), -1)
    if convention.channels_first:
        kernel = np.moveaxis(kernel, (1, 0), (-2, -1))
    return kernel[:, :, ::-1] if _is_turned(layer, convention) else kernel


def _is_head_of_others(layer, file):
    """Whether a network's last layer classifies, into another number of classes than the file's."""
    return (
        isinstance(layer, keras.layers.Dense) and layer.units != file.arrays[file.convention.names(layer.name)[1]].size
    )


def _line_of_new_head(layer, file):
    size = file.arrays[file.convention.names(layer.name)[1]].size
    return f"{layer.name}: new, for {layer.units} classes; the file has {size}"


def _line(layer, model, file):
    name, _ = file.convention.names(layer.name)
    before, after = file.arrays[name].shape, tuple(layer.kernel.shape)
    moved = f" to {after}" if file.convention.channels_first else ""
    unflattened = (
        ", inputs from channel by channel to place by place" if _is_unflattened(layer, model, file.convention) else ""
    )
    turned = ", blue, green, red to red, green, blue" if _is_turned(layer, file.convention) else ""
    return f"{layer.name}: {name}, {before}{moved}{unflattened}{turned}"


def _is_unflattened(layer, model, convention):
    """Whether the kernel's inputs are maps that the file flattens the other way."""
    return convention.channels_first and layer is _first_dense(model)


def _is_turned(layer, convention):
    """Whether the kernel's input channels are the colors, the other way round."""
    return convention.blue_first and layer.name == "conv1"
