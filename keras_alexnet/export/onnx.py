"""ONNX export without a general converter.

Each layer, including a grouped convolution, becomes one operator with its name, and its weights keep their Keras names,
such as `conv1/kernel`. A general converter takes a minute and writes a hundred nodes.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_alexnet.export.formats import DEFAULTS, PRECISIONS, Settings
from keras_alexnet.models.layers import GroupedDense, GroupedFlatten, PaperDropout
from keras_alexnet.models.normalization import (
    LocalResponseNormalization,
    SpatialResponseNormalization,
    band,
    is_over_all_channels,
)

if TYPE_CHECKING:
    import onnx

OPSET = 17  # ONNX 1.12 of 2022, supported by the runtimes in use
INPUT, OUTPUT = "image", "probabilities"  # names in the file


def write(server: keras.Model, path: pathlib.Path, settings: Settings = DEFAULTS) -> None:
    """Write a network as an `.onnx` file."""
    model = convert(server, settings.native_normalization)
    if settings.precision != "float32":
        model = with_small_weights(model, settings.precision)
    path.write_bytes(model.SerializeToString())


def load(path: pathlib.Path) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Return the function of an `.onnx` file from pictures to probabilities, using ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [lambda images: session.run([OUTPUT], {INPUT: images})[0]]


class _Graph:
    """Nodes and arrays, in the order of insertion."""

    def __init__(self, native_normalization):
        self.native_normalization = native_normalization
        self.nodes = []
        self.arrays = []

    def add(self, operator, *inputs, name, **attributes):
        """Add a node and return the name of its output, which is the name of the node."""
        from onnx import helper

        name = f"{name}_" if name in (INPUT, OUTPUT) else name  # as a layer may be called
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def array(self, name, values):
        """Add an array and return its name."""
        from onnx import numpy_helper

        self.arrays.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def convert(model: keras.Model, native_normalization: bool = False) -> "onnx.ModelProto":
    """Convert a network to ONNX.

    Args:
        model: A functional `keras.Model`, a chain of layers from uint8 images `(batch, height, width, 3)` named "image"
            to `(batch, classes)`.
        native_normalization: Whether local response normalization over all channels becomes ONNX's operator `LRN`.

    Returns:
        A network with the input "image" and the output "probabilities".

    Raises:
        ValueError: If a layer cannot be converted.
    """
    import onnx
    from onnx import helper

    graph = _Graph(native_normalization)
    x = graph.add("Transpose", INPUT, name="image/channels_first", perm=(0, 3, 1, 2))  # (batch, 3, height, width)
    x = graph.add("Cast", x, name="image/float", to=onnx.TensorProto.FLOAT)
    for layer in model.layers:
        x = _convert(layer, graph, x)
    graph.nodes.append(helper.make_node("Identity", [x], [OUTPUT], name=OUTPUT))
    body = helper.make_graph(
        graph.nodes,
        model.name,
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, ("batch", *model.input_shape[1:]))],
        [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ("batch", *model.layers[-1].output.shape[1:]))],
        graph.arrays,
    )
    result = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(result)
    return result


SMALL_PRECISIONS = PRECISIONS[1:]
FEW_NUMBERS = 1024  # ours: smaller arrays, such as biases, stay in float32


def with_small_weights(model: "onnx.ModelProto", kind: str) -> "onnx.ModelProto":
    """Return a network whose kernels are stored in fewer bytes. It still computes in float32.

    Runtimes turn the kernels back into float32 when they load the file, so that it is small to send and no slower.

    Args:
        model: A network that `convert` returned.
        kind: "float16" halves the file. "int8" divides it by four: each output channel has a scale of its own, and the
            largest weight of the channel is 127.

    Raises:
        ValueError: If `kind` is neither, or a weight is too large for float16.
    """
    from onnx import numpy_helper

    if kind not in SMALL_PRECISIONS:
        raise ValueError(f"`kind` must be {' or '.join(SMALL_PRECISIONS)}. Received: {kind!r}")
    small = type(model)()
    small.CopyFrom(model)
    graph, nodes, arrays = small.graph, [], []
    output_axes = {name: int(node.op_type == "Gemm") for node in graph.node for name in node.input}
    for tensor in graph.initializer:
        values, name = numpy_helper.to_array(tensor), tensor.name
        if values.dtype != np.float32 or values.size < FEW_NUMBERS or values.ndim < 2:
            arrays.append(tensor)
            continue
        stored, casts = _as_float16(values, name) if kind == "float16" else _as_int8(values, name, output_axes[name])
        arrays += stored
        nodes += casts
    del graph.initializer[:]
    graph.initializer.extend(arrays)
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    return small


def _as_float16(values, name):
    """Return the array that stores a kernel in float16, and the node that turns it back into float32."""
    from onnx import TensorProto, helper, numpy_helper

    if np.abs(values).max() > np.finfo(np.float16).max:
        raise ValueError(f"Expected weights that fit into float16. Received: {name}")
    stored = f"{name}/float16"
    arrays = [numpy_helper.from_array(values.astype(np.float16), stored)]
    return arrays, [helper.make_node("Cast", [stored], [name], name=f"{name}/cast", to=TensorProto.FLOAT)]


def _as_int8(values, name, axis):
    """Return the arrays that store a kernel in int8, with a scale for each channel, and the nodes that multiply them.

    The nodes do not include `DequantizeLinear`, which ONNX Runtime computes again for each batch.
    """
    from onnx import TensorProto, helper, numpy_helper

    multiples, scales = _rounded(values, axis)
    stored, scale, whole = f"{name}/int8", f"{name}/scale", f"{name}/whole"
    arrays = [numpy_helper.from_array(multiples, stored), numpy_helper.from_array(scales, scale)]
    return arrays, [
        helper.make_node("Cast", [stored], [whole], name=f"{name}/cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", [whole, scale], [name], name=f"{name}/scaled"),
    ]


def _rounded(values, axis):
    """Return the nearest multiples of a scale, from -127 to 127, and the scales to broadcast, one for each channel."""
    others = tuple(each for each in range(values.ndim) if each != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest, 1).astype(np.float32) / 127
    return np.rint(values / scales).astype(np.int8), scales


@functools.singledispatch
def _convert(layer, graph, x):
    """Add the operators of a layer and return the name of the result. ONNX maps are channels first."""
    raise ValueError(
        "ONNX export does not support this layer: export the network as a SavedModel or for LiteRT. "
        f"Received: {layer.name}, a {type(layer).__name__}"
    )


@_convert.register(keras.layers.InputLayer)
@_convert.register(keras.layers.Dropout)
def _nothing(layer, graph, x):
    return x


@_convert.register(PaperDropout)
def _scaled_down(layer, graph, x):
    return graph.add("Mul", x, graph.array(f"{layer.name}/kept", np.float32(1 - layer.rate)), name=layer.name)


@_convert.register(keras.layers.Rescaling)
def _rescaling(layer, graph, x):
    scale, offset = (_channels_first(array, layer.input.ndim) for array in (layer.scale, layer.offset))
    if (scale != 1).any():
        x = graph.add("Mul", x, graph.array(f"{layer.name}/scale", scale), name=f"{layer.name}/scaled")
    if offset.any():
        x = graph.add("Add", x, graph.array(f"{layer.name}/offset", offset), name=layer.name)
    return x


def _channels_first(constant, rank):
    """Return a constant for broadcasting over arrays of this rank, channels first."""
    constant = np.asarray(constant, np.float32)
    if rank < 4 or constant.ndim == 0:
        return constant
    return np.moveaxis(constant.reshape((1,) * (3 - constant.ndim) + constant.shape), -1, -3)


@_convert.register(keras.layers.ZeroPadding2D)
def _zeros(layer, graph, x):
    (top, bottom), (left, right) = layer.padding
    margins = graph.array(f"{layer.name}/margins", np.array([0, 0, top, left, 0, 0, bottom, right]))
    return graph.add("Pad", x, margins, name=layer.name)


@_convert.register(keras.layers.Conv2D)
def _convolution(layer, graph, x):
    kernel, *bias = layer.get_weights()  # no bias if the layer has none
    arrays = [
        graph.array(f"{layer.name}/kernel", kernel.transpose(3, 2, 0, 1)),
        *(graph.array(f"{layer.name}/bias", each) for each in bias),
    ]
    x = graph.add("Conv", x, *arrays, name=layer.name, strides=layer.strides, group=layer.groups, **_padding(layer))
    return _activation(layer.activation, graph, x)


def _padding(layer):
    return {"auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}[layer.padding]}


@_convert.register(keras.layers.MaxPooling2D)
@_convert.register(keras.layers.AveragePooling2D)
def _pooling(layer, graph, x):
    operator = "MaxPool" if isinstance(layer, keras.layers.MaxPooling2D) else "AveragePool"
    return graph.add(
        operator, x, name=layer.name, kernel_shape=layer.pool_size, strides=layer.strides, **_padding(layer)
    )


@_convert.register(keras.layers.AdaptiveAveragePooling2D)
def _averaged(layer, graph, x):
    """Multiply by a matrix for each axis, since ONNX has no operator for adaptive pooling."""
    height, width = (
        _averages(size, places) for size, places in zip(layer.input.shape[1:3], layer.output_size, strict=True)
    )
    x = graph.add("MatMul", x, graph.array(f"{layer.name}/width", width.T), name=f"{layer.name}/narrowed")
    return graph.add("MatMul", graph.array(f"{layer.name}/height", height), x, name=layer.name)


def _averages(size, places):
    """Return the matrix `(places, size)` that averages `size` numbers to `places` overlapping windows.

    Example:
        >>> _averages(3, 2).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    place, old = np.arange(places)[:, None], np.arange(size)
    touched = (old >= place * size // places) & (old * places < (place + 1) * size)
    return (touched / touched.sum(1, keepdims=True)).astype(np.float32)


@_convert.register(LocalResponseNormalization)
def _over_channels(layer, graph, x):
    """Sum over the window with a convolution by a band matrix: ONNX Runtime's LRN takes two to three times as long."""
    # The operator of ONNX multiplies the mean of the squares, not their sum.
    if graph.native_normalization and is_over_all_channels(layer):
        constants = {"alpha": layer.alpha * layer.window, "beta": layer.beta, "bias": layer.k, "size": layer.window}
        return graph.add("LRN", x, name=layer.name, **constants)
    return _normalized(layer, graph, x, band(layer.input.shape[-1], layer.window, layer.groups)[..., None, None], 1)


@_convert.register(SpatialResponseNormalization)
def _within_maps(layer, graph, x):
    channels = layer.input.shape[-1]
    return _normalized(layer, graph, x, np.ones((channels, 1, layer.window, layer.window)), channels)


def _normalized(layer, graph, x, window, groups):
    """Add `x / d ** beta` with `d = k + alpha * window_sum(x ** 2)`. `d ** 0.75` uses square roots, which is faster."""
    name = layer.name
    kernel = graph.array(f"{name}/window", (layer.alpha * window).astype(np.float32))
    bias = graph.array(f"{name}/k", np.full(len(window), layer.k, np.float32))
    squares = graph.add("Mul", x, x, name=f"{name}/squares")
    d = graph.add("Conv", squares, kernel, bias, name=f"{name}/d", group=groups, auto_pad="SAME_UPPER")
    if layer.beta == 0.75:
        root = graph.add("Sqrt", d, name=f"{name}/root")
        power = graph.add("Mul", root, graph.add("Sqrt", root, name=f"{name}/fourth_root"), name=f"{name}/power")
    else:
        power = graph.add("Pow", d, graph.array(f"{name}/beta", np.float32(layer.beta)), name=f"{name}/power")
    return graph.add("Div", x, power, name=name)


@_convert.register(keras.layers.Flatten)
def _flattened(layer, graph, x):
    if layer.input.ndim == 4:  # in the order of the next layer's kernel
        x = graph.add("Transpose", x, name=f"{layer.name}/channels_last", perm=(0, 2, 3, 1))
    return graph.add("Flatten", x, name=layer.name)


@_convert.register(GroupedFlatten)
def _flattened_by_groups(layer, graph, x):
    height, width, channels = layer.input.shape[1:]
    shape = graph.array(f"{layer.name}/shape", np.array([0, layer.groups, channels // layer.groups, height, width]))
    x = graph.add("Reshape", x, shape, name=f"{layer.name}/groups")
    x = graph.add("Transpose", x, name=f"{layer.name}/channels_last", perm=(0, 1, 3, 4, 2))
    return graph.add("Flatten", x, name=layer.name)


@_convert.register(GroupedDense)
def _connected_by_groups(layer, graph, x):
    """Use a grouped convolution of 1 x 1 maps: ONNX has no grouped matrix product."""
    kernel, *bias = layer.get_weights()  # no bias if the layer has none
    arrays = [
        graph.array(f"{layer.name}/kernel", kernel.T[..., None, None]),
        *(graph.array(f"{layer.name}/bias", each) for each in bias),
    ]
    x = graph.add("Unsqueeze", x, graph.array(f"{layer.name}/axes", np.array([2, 3])), name=f"{layer.name}/maps")
    x = graph.add("Conv", x, *arrays, name=f"{layer.name}/products", group=layer.groups)
    return _activation(layer.activation, graph, graph.add("Flatten", x, name=layer.name))


@_convert.register(keras.layers.Dense)
def _fully_connected(layer, graph, x):
    pairs = zip(("kernel", "bias"), layer.get_weights(), strict=False)  # no bias if the layer has none
    arrays = [graph.array(f"{layer.name}/{kind}", array) for kind, array in pairs]
    return _activation(layer.activation, graph, graph.add("Gemm", x, *arrays, name=layer.name))


@_convert.register(keras.layers.ReLU)
def _rectified(layer, graph, x):
    return graph.add("Relu", x, name=layer.name)


@_convert.register(keras.layers.Activation)
@_convert.register(keras.layers.Softmax)
def _other_nonlinearity(layer, graph, x):
    return _activation(getattr(layer, "activation", keras.activations.softmax), graph, x)


_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softmax": "Softmax"}


def _activation(function, graph, x):
    name = keras.activations.serialize(function)
    if name not in (*_OPERATORS, "linear"):
        raise ValueError(f"ONNX export supports the activations {', '.join(_OPERATORS)}. Received: {name}")
    return x if name == "linear" else graph.add(_OPERATORS[name], x, name=f"{x}/{name}")
