"""The forward pass of a saved network in NumPy.

It does not import Keras, which takes longer than classifying one picture.

`NumpyNetwork` follows the layers of a `.keras` file from the image to the classes. The functions below it compute one
layer each, in the order of the paper's sections 3.1 to 3.5. Maps are `(batch, height, width, channels)`.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Layer(NamedTuple):
    """One layer of a saved network.

    Attributes:
        name: Its name.
        kind: The name of its class.
        settings: Its configuration.
        inputs: The names of the layers whose outputs it takes; none for the image.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    inputs: tuple[str, ...]


class NumpyNetwork:
    """A saved network that computes in NumPy, in float32.

    It has the attributes of a `keras.Model` that a classifier needs.

    Args:
        config: The `config.json` of a `.keras` file.
        read_arrays: Returns kernels and biases by name, such as `conv1/kernel`. It is called before the first image.

    Raises:
        ValueError: If the network has a layer or a setting that is not implemented here. `build` makes none, except for
            nonlinearities other than ReLU, tanh, sigmoid and softmax.

    Attributes:
        name: Name of the network.
        layers: Its layers, each after its inputs.
        input_shape: Shape of its input, such as `(None, 227, 227, 3)`.
        output_shape: Shape of its output, such as `(None, 1000)`.

    Example:
        >>> import json
        >>> from keras_alexnet.models.summary import sketch
        >>> network = NumpyNetwork(json.loads(sketch("figure_1").to_json()), read_arrays=dict)
        >>> [layer.kind for layer in network.layers][:4]
        ['InputLayer', 'Conv2D', 'MaxPooling2D', 'ReLU']
    """

    def __init__(self, config: Mapping[str, Any], read_arrays: Callable[[], Mapping[str, np.ndarray]]):
        if config["class_name"] != "Functional":
            raise ValueError(f"Expected a functional network. Received: {config['class_name']}")
        self.name = config["config"]["name"]
        self.layers = [_layer(described) for described in config["config"]["layers"]]
        self._read_arrays = read_arrays
        first, last = self.layers[0], self.layers[-1]
        if [layer.kind for layer in self.layers].count("InputLayer") != 1 or last.kind != "Dense":
            raise ValueError(f"Expected one input, and a dense layer at the end. Received: {first.name}, {last.name}")
        if config["config"]["output_layers"] not in ([last.name, 0, 0], [[last.name, 0, 0]]):
            raise ValueError(
                f"Expected the last layer as the only output. Received: {config['config']['output_layers']}"
            )
        self.input_shape = tuple(first.settings["batch_shape"])
        self.output_shape = (None, last.settings["units"])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes, `(batch, classes)`.

        Args:
            images: Float32 `(batch, height, width, 3)`, already preprocessed.

        Raises:
            ValueError: If the arrays do not fit the layers.
        """
        arrays, outputs = self._arrays, {}
        for layer in self.layers:
            inputs = [outputs[name] for name in layer.inputs] or [images]
            names = {kind: f"{layer.name}/{kind}" for kind in ("kernel", "bias")}
            weights = {kind: arrays[name] for kind, name in names.items() if name in arrays}
            outputs[layer.name] = _LAYERS[layer.kind](layer.settings, *inputs, **weights)
        classes = outputs[layer.name]  # (batch, classes)
        if classes.shape[1:] != self.output_shape[1:]:
            raise ValueError(f"Expected {self.output_shape[1]} classes. Received: arrays for {classes.shape[1]}")
        return softmax(classes) if layer.settings["activation"] == "linear" else classes

    @functools.cached_property
    def _arrays(self):
        return self._read_arrays()


# The description of a layer

# Settings that a layer may have in Keras, with the only value that is implemented here.
_ONLY = {
    "data_format": "channels_last",
    "dilation_rate": [1, 1],
    "max_value": None,
    "negative_slope": 0,
    "threshold": 0,
    "lora_rank": None,
    "quantization_config": None,
}
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")  # weights are float32 in all of them


def _layer(described):
    """Check and shorten the description of a layer in `config.json`."""
    name, kind, settings = described["name"], described["class_name"], described["config"]
    nodes = described["inbound_nodes"]
    dtype = settings.get("dtype", "float32")
    dtype = dtype if isinstance(dtype, str) else dtype["config"]["name"]
    wrong = {key: settings[key] for key, value in _ONLY.items() if settings.get(key, value) != value}
    if not _is_own(described):
        raise ValueError(f"Expected layers of Keras or of this library. Received: {described['registered_name']}")
    if kind not in _LAYERS or settings.get("activation", "linear") not in _ACTIVATIONS or wrong:
        raise ValueError(f"Expected layers that NumPy code exists for. Received: {kind}, {wrong}")
    options = [option for node in nodes for option in node["kwargs"].values() if option]  # such as `training=True`
    expected_calls = 0 if kind == "InputLayer" else 1
    if dtype not in PRECISIONS or len(nodes) != expected_calls or options:
        raise ValueError(f"Expected a layer in {' or '.join(PRECISIONS)}, used once. Received: {name} in {dtype}")
    tensors = [tensor for node in nodes for argument in node["args"] for tensor in _listed(argument)]
    return Layer(name, kind, settings, tuple(tensor["config"]["keras_history"][0] for tensor in tensors))


def _is_own(described):
    """Return whether a layer is one of Keras or of this library, and not another one of the same name."""
    registered = described.get("registered_name")
    return registered in (None, described["class_name"]) or registered.startswith("keras_alexnet>")


def _listed(argument):
    return argument if isinstance(argument, list) else [argument]


# Activations (3.1)


def softmax(x: np.ndarray) -> np.ndarray:
    """Turn logits `(batch, classes)` into probabilities.

    Example:
        >>> softmax(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
    """
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": softmax,
}


def _activate(config, x):
    return _ACTIVATIONS[config["activation"]](x)


# Convolution (3.2, 3.5): a matrix product of the pixels under each window and the kernels


def _convolve(config, x, kernel, bias=0):
    x = _pad_same(x, config["padding"], config["kernel_size"], config["strides"])
    groups = zip(np.split(x, config["groups"], -1), np.split(kernel, config["groups"], -1), strict=True)
    maps = [_windows_times_kernel(part, own, config["strides"]) for part, own in groups]
    return _activate(config, np.concatenate(maps, -1) + bias)  # (batch, new height, new width, filters)


def _windows_times_kernel(x, kernel, strides):
    windows = sliding_window_view(x, kernel.shape[:2], (1, 2))[:, :: strides[0], :: strides[1]]
    # (batch, new height, new width, channels, rows, columns) and (rows, columns, channels, filters)
    return np.tensordot(windows, kernel, ((4, 5, 3), (0, 1, 2)))


def _convolve_locally(config, x, kernel, bias):
    size, (height, width, _, filters) = config["kernel_size"], kernel.shape
    x = _pad_same(x, "same", (size, size), (1, 1))
    windows = sliding_window_view(x, (size, size), (1, 2))  # (batch, height, width, channels, rows, columns)
    windows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(len(x), height, width, -1)
    return np.einsum("bhwi,hwif->bhwf", windows, kernel, optimize=True) + bias.reshape(height, width, filters)


def _pad_same(x, padding, window, strides, value=0.0):
    """Pad the maps as TensorFlow does for "same", so that there is a window for every `strides` pixels."""
    if padding == "valid":
        return x
    margins = [(0, 0)] * 4
    for axis in (1, 2):
        size, width, step = x.shape[axis], window[axis - 1], strides[axis - 1]
        missing = max(0, (math.ceil(size / step) - 1) * step + width - size)
        margins[axis] = (missing // 2, missing - missing // 2)
    return np.pad(x, margins, constant_values=value)


def _zero_padding(config, x):
    return np.pad(x, [(0, 0), *config["padding"], (0, 0)])


# Response normalization (3.3)


def _normalize_over_channels(config, x):
    parts = [_sum_along(part * part, -1, np.ones(config["window"])) for part in np.split(x, config["groups"], -1)]
    return x * _power(config["k"] + config["alpha"] * np.concatenate(parts, -1), -config["beta"])


def _normalize_within_maps(config, x):
    ones = np.ones(config["window"])
    return x * _power(config["k"] + config["alpha"] * _sum_along(_sum_along(x * x, 1, ones), 2, ones), -config["beta"])


def _power(d, exponent):
    """Return a power. For the paper's 0.75, two square roots take a fraction of the time."""
    if exponent != -0.75:
        return d**exponent
    root = np.sqrt(d)
    return 1 / (root * np.sqrt(root))


def _sum_along(x, axis, weights):
    """Return the weighted sums over a centered window along one axis, with zeros beyond the ends."""
    x = np.moveaxis(x, axis, 0)
    margin, size = len(weights) // 2, len(x)
    sums = np.zeros_like(x)
    for n, weight in enumerate(weights, -margin):
        if abs(n) < size:  # otherwise no element has a neighbor at this distance
            sums[max(0, -n) : size - max(0, n)] += np.float32(weight) * x[max(0, n) : size - max(0, -n)]
    return np.moveaxis(sums, 0, axis)


def _blur_and_subsample(config, x):
    gaussian = np.exp(-((np.arange(config["window"]) - config["window"] // 2) ** 2) / (2 * config["std"] ** 2))
    for axis in (1, 2):
        x = _sum_along(x, axis, gaussian / gaussian.sum())
        size, step = x.shape[axis], config["step"]
        x = np.take(x, np.arange((size - step * ((size - 1) // step)) // 2, size, step), axis)
    return x


# Pooling (3.4): the same pixel of all windows is one array, and these arrays are compared or added


def _pool_maximum(config, x):
    x = _pad_same(x, config["padding"], config["pool_size"], config["strides"], -np.inf)
    return functools.reduce(np.maximum, _pixels_of_windows(x, config["pool_size"], config["strides"]))


def _pool_average(config, x):
    def total(maps):
        maps = _pad_same(maps, config["padding"], config["pool_size"], config["strides"])
        return sum(_pixels_of_windows(maps, config["pool_size"], config["strides"]))

    return total(x) / total(np.ones_like(x[:1, ..., :1]))  # zeros beyond the edge do not count


def _pixels_of_windows(x, window, strides) -> Iterator[np.ndarray]:
    height, width = ((x.shape[axis + 1] - window[axis]) // strides[axis] * strides[axis] + 1 for axis in (0, 1))
    for top in range(window[0]):
        for left in range(window[1]):
            yield x[:, top : top + height : strides[0], left : left + width : strides[1]]


def _pool_to_size(config, x):
    for axis, count in enumerate(config["output_size"], 1):
        size = x.shape[axis]
        ends = [(n * size // count, -(-(n + 1) * size // count)) for n in range(count)]
        x = np.stack([x.take(range(*each), axis).mean(axis) for each in ends], axis)
    return x


# The fully connected layers (3.5), and the layers between them


def _flatten(config, x):
    parts = np.split(x, config.get("groups", 1), -1)
    return np.concatenate([part.reshape(len(x), -1) for part in parts], -1)  # (batch, height * width * channels)


def _connect(config, x, kernel, bias=0):
    groups = config.get("groups", 1)
    parts = zip(np.split(x, groups, -1), np.split(kernel, groups, -1), strict=True)
    return _activate(config, np.concatenate([part @ own for part, own in parts], -1) + bias)  # (batch, units)


def _rescale(config, x):
    return x * np.float32(config["scale"]) + np.float32(config["offset"])


_LAYERS: dict[str, Callable[..., np.ndarray]] = {
    "InputLayer": lambda config, x: x,
    "Rescaling": _rescale,
    "ZeroPadding2D": _zero_padding,
    "Conv2D": _convolve,
    "GroupedConv2D": _convolve,
    "LocallyConnected2D": _convolve_locally,
    "GaussianSubsampling": _blur_and_subsample,
    "Add": lambda config, x, y: x + y,
    "ReLU": lambda config, x: np.maximum(x, 0),
    "Activation": _activate,
    "LocalResponseNormalization": _normalize_over_channels,
    "SpatialResponseNormalization": _normalize_within_maps,
    "MaxPooling2D": _pool_maximum,
    "AveragePooling2D": _pool_average,
    "AdaptiveAveragePooling2D": _pool_to_size,
    "Flatten": _flatten,
    "GroupedFlatten": _flatten,
    "Dropout": lambda config, x: x,
    "PaperDropout": lambda config, x: x * np.float32(1 - config["rate"]),
    "Dense": _connect,
    "GroupedDense": _connect,
}
