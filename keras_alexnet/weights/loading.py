"""Load weights of other frameworks and of Keras files into a network.

Frameworks differ in the axis order of kernels, in the order in which maps are flattened before the first fully
connected layer, and in the color order. This module converts all of them to Keras's order, and checks the whole file
before it changes the network.
"""

import itertools
import math
import os
import pathlib

import keras
import numpy as np

from keras_alexnet.arguments import check_path, check_type
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.layers import PaperDropout
from keras_alexnet.models.normalization import LocalResponseNormalization, SpatialResponseNormalization
from keras_alexnet.models.summary import sketch
from keras_alexnet.runs import Run
from keras_alexnet.weights import formats
from keras_alexnet.weights.conventions import WeightFile, input_scales, step

NEW = ": new"  # in the line of layers that keep their random weights


def load(model: keras.Model, path: str | os.PathLike, head: str = "kept") -> list[str]:
    """Load the weights of a file into a network.

    A network without its top loads only the convolutions. If a file has no fully connected layers, those of the network
    do not change.

    Args:
        model: A network from `build`.
        path: A file that `formats.read` can read, or a run folder, whose best network is used.
        head: What to do with the last layer: "kept", load it; "new", keep its random weights; or "auto", keep them if
            the file has another number of classes.

    Returns:
        A line of text for each layer: the array of its kernel and how it was converted.

    Raises:
        TypeError: If `model` is no Keras model, or `path` is no path.
        ValueError: If an array is missing, unexpected, not finite, or has another shape, if the file's network has
            other steps between the convolutions, or if the file cannot be read. The network is then unchanged.
        OSError: If the file cannot be opened.
    """
    check_type("model", model, keras.Model, "a keras.Model, such as keras_alexnet.build()")
    path = network_file(path)
    file = formats.read(path)
    learned, values, new = _match(model, file, path, head)
    for layer, arrays in zip(learned, values, strict=True):
        layer.set_weights(arrays)
    lines = [_line(layer, model, file) for layer in learned] + ([_line_of_new_head(new, file)] if new else [])
    others = ", ".join(layer.name for layer in _layers(model, file)[1])
    return [*lines, f"{others}{NEW}; the file has convolutions only"] if others else lines


def check(model: keras.Model, path: str | os.PathLike, head: str = "kept") -> None:
    """Check that `load` can load a file into a network, without changing it.

    Args:
        model: A network from `build` or `sketch`.
        path: As for `load`.
        head: As for `load`.

    Raises:
        ValueError: As `load` does.
        OSError: If the file cannot be opened.
    """
    path = network_file(path)
    _match(model, formats.read(path), path, head)


def has_convolutions_of(model: keras.Model, file: WeightFile) -> bool:
    """Return whether a file has the convolutions of a network, and the same steps between them.

    Args:
        model: A network without its top.
        file: The contents of the file.
    """
    try:
        _check_steps(model, file, "the file")
        _check_names([layer for layer in model.layers if layer.weights], file, "the file")
    except ValueError:
        return False
    kernels = ((file.convention.names(layer.name)[0], layer) for layer in model.layers if layer.weights)
    return all(file.arrays[name].shape == _shape(layer, file.convention) for name, layer in kernels)


def network_file(path: str | os.PathLike) -> pathlib.Path:
    """Return the file of the network if the path is a run folder, else the path.

    Raises:
        TypeError: If it is no path.
        ValueError: If the path is a folder without a run, or the run has no network yet.
    """
    check_path("path", path)
    path = pathlib.Path(path)
    return Run.open(path).find_best() if path.is_dir() else path


def _match(model, file, path, head):
    """Return the layers that get their weights from the file, these weights, and the last layer if it is to be new."""
    if head not in ("kept", "new", "auto"):
        raise ValueError(f"`head` must be 'kept', 'new' or 'auto'. Received: head={head!r}")
    _check_steps(model, file, path)
    learned, _ = _layers(model, file)
    _check_names(learned, file, path)
    last = learned[-1]
    is_dense = isinstance(last, keras.layers.Dense)
    new = learned.pop() if is_dense and (head == "new" or last.units != _classes(last, file)) else None
    values = [_values(layer, model, file, path) for layer in learned]
    if new and head == "kept":
        raise ValueError(
            f'{new.name} expects {new.units} classes: use a new last layer (fit.py --head new, `head="new"` in '
            "Python), or build the network for the classes of the file (import_weights.py --classes). "
            f"Received: {_classes(new, file)} classes in {path}"
        )
    return learned, values, new


def _layers(model, file):
    """Return the layers that a file has weights for, and the others, if it has convolutions only."""
    learned = [layer for layer in model.layers if layer.weights]
    if any(name.startswith(file.convention.top) for name in file.arrays):
        return learned, []
    convolutions = [layer for layer in learned if not isinstance(layer, keras.layers.Dense)]
    return convolutions, [layer for layer in learned if layer not in convolutions]


def _check_steps(model, file, path):
    """Check that the network has the steps of the file. Other steps may have arrays of the same shapes."""
    own, last = _first_dense(model), model.layers[-1]
    activation = keras.activations.serialize(own.activation) if own and own is not last else None
    if file.activation and activation and activation != file.activation:
        raise ValueError(
            f"The file is not for {model.name}, which has {activation} in {own.name}. "
            f"{_OTHER_NETWORK} Received: {path} with {file.activation}"
        )
    if file.steps is None:
        return
    for place, (own, other) in enumerate(itertools.zip_longest(_steps(model), file.steps), 1):
        if own != other and not (other and (own or "").startswith(f"{other}(")):  # whose constants may be unknown
            raise ValueError(
                f"The file is not for {model.name}, whose step {place} is {own or 'none'}. "
                f"{_OTHER_NETWORK} Received: {path} with {other or 'none'} there"
            )


def check_size(architecture: str, crop_size: int | None) -> None:
    """Check that published weights fit an input size, without their file.

    Args:
        architecture: The network of the weights.
        crop_size: Height and width of the input in pixels; None for that of the weights.

    Raises:
        ValueError: If the layer fc6 has other weights at this size.
    """
    usual = ARCHITECTURES[architecture].size
    sides = (usual, crop_size or usual)
    before, now = (sketch(architecture, input_shape=(side, side, 3)).get_layer("fc6").kernel.shape for side in sides)
    if before != now:
        raise ValueError(
            f"The published weights of {architecture} are for an input of {usual} pixels: leave out --crop-size and "
            f"--recipe. Received: a crop size of {crop_size}"
        )


_OTHER_SIZE = (
    "It depends on the input size: use the input size of the file's network (--crop-size of fit.py, --size of "
    "import_weights.py, `input_shape=` in Python)."
)
_OTHER_NETWORK = (
    "If the file is for another network, name it with --architecture or leave the flag out (`architecture=` in Python)."
)


def _steps(model):
    """Yield the steps of a network before its fully connected layers, in the format of `step`."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            return
        if isinstance(layer, LocalResponseNormalization):
            yield step("norm", layer.window, layer.k, layer.alpha, layer.beta)
        elif isinstance(layer, keras.layers.MaxPooling2D):
            yield step("pool", layer.pool_size[0], layer.strides[0])
        else:
            yield from (kind for kind, layers in _KINDS.items() if isinstance(layer, layers))


_KINDS = {
    "conv": keras.layers.Conv2D,
    "relu": keras.layers.ReLU,
    "spatial norm": SpatialResponseNormalization,
}


def _check_names(layers, file, path):
    wanted = {name for layer in layers for name in _names(layer, file)}
    without_top = not any(isinstance(layer, keras.layers.Dense) for layer in layers)
    ignored = {name for name in file.arrays if without_top and name.startswith(file.convention.top)}
    missing, extra = wanted - file.arrays.keys(), file.arrays.keys() - wanted - ignored
    if missing or extra:
        raise ValueError(
            f"The arrays of the file do not match the network. {_OTHER_NETWORK} Received: {path}, where "
            f"{_listed(missing)} is missing and {_listed(extra)} is unexpected"
        )


def _listed(names):
    shown = ", ".join(sorted(names)[:6]) or "nothing"
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown


def _values(layer, model, file, path):
    """Return the kernel and the bias of a layer in Keras's order."""
    names = _names(layer, file)
    shapes = _shape(layer, file.convention), layer.bias is not None and tuple(layer.bias.shape)
    for name, shape in zip(names, shapes, strict=False):
        array = file.arrays[name]
        if array.shape != shape:
            resized = layer is _first_dense(model) and array.size != math.prod(shape)
            hint = f". {_OTHER_SIZE if resized else _OTHER_NETWORK}"
            raise ValueError(f"{layer.name} expects shape {shape}{hint} Received: {name} with {array.shape}, in {path}")
        if array.dtype.kind != "f":
            raise ValueError(
                f"{layer.name} expects floating-point numbers. Received: {name} of {array.dtype}, in {path}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{layer.name} expects finite numbers. Received: {name} with NaN or infinity, in {path}")
    kernel, *bias = (file.arrays[name] for name in names)
    scale = _scale(layer, model, file)
    return [_converted(kernel if scale == 1 else kernel * scale, layer, model, file.convention), *bias]


def _names(layer, file):
    """Return the names of a layer's kernel and, if it has one, its bias."""
    return file.convention.names(layer.name)[: 1 if layer.bias is None else 2]


def _scale(layer, model, file):
    """Return the factor for a kernel from a network with another form of dropout before it."""
    if file.input_scales is None:
        return 1.0
    rows = (
        (each.name, each.rate if isinstance(each, PaperDropout) else None, isinstance(each, keras.layers.Dense))
        for each in model.layers
    )
    return file.input_scales.get(layer.name, 1.0) / input_scales(rows).get(layer.name, 1.0)


def _shape(layer, convention):
    """Return the shape that a layer's kernel has in a file."""
    *window, width, filters = layer.kernel.shape
    return (filters, width, *window) if convention.channels_first else (*window, width, filters)


def _first_dense(model):
    return next((layer for layer in model.layers if isinstance(layer, keras.layers.Dense)), None)


def _converted(kernel, layer, model, convention):
    if _is_flattened_by_channels(layer, model, convention):
        height, width, channels = model.get_layer("flatten").input.shape[1:]
        kernel = kernel.reshape(-1, channels, height, width)  # (out, channels, height, width)
        kernel = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)  # (out, height * width * channels)
    if convention.channels_first:
        kernel = np.moveaxis(kernel, (1, 0), (-2, -1))  # (..., in, out)
    return kernel[:, :, ::-1] if _is_bgr(layer, convention) else kernel


def _classes(layer, file):
    return file.arrays[file.convention.names(layer.name)[1]].size


def _line_of_new_head(layer, file):
    return f"{layer.name}{NEW}, for {layer.units} classes; the file has {_classes(layer, file)}"


def _line(layer, model, file):
    name, _ = file.convention.names(layer.name)
    before, after = file.arrays[name].shape, tuple(layer.kernel.shape)
    axes = f" to {after}" if file.convention.channels_first else ""
    by_channels = _is_flattened_by_channels(layer, model, file.convention)
    flattened = ", inputs from channel by channel to position by position" if by_channels else ""
    colors = ", BGR to RGB" if _is_bgr(layer, file.convention) else ""
    scale = _scale(layer, model, file)
    scaled = f", times {scale:g} for another form of dropout" if scale != 1 else ""
    return f"{layer.name}: {name}, {before}{axes}{flattened}{colors}{scaled}"


def _is_flattened_by_channels(layer, model, convention):
    """Return whether the file flattens the input maps of a kernel channel by channel."""
    return convention.channels_first and layer is _first_dense(model)


def _is_bgr(layer, convention):
    """Return whether the input channels of a kernel are blue, green, red."""
    return convention.bgr and layer.name == "conv1"
