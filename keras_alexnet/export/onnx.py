"""A Keras network of this library as an ONNX graph.

Each layer becomes the operator of its name, grouped convolutions included, with its weights under the names they have
in Keras: `conv1/kernel`. A general converter takes a minute for it and leaves a hundred nodes.
"""

import functools

import keras
import numpy as np

from keras_alexnet.models.layers import LocalResponseNormalization, SpatialResponseNormalization, band

OPSET = 17  # ONNX 1.12 of 2022: old enough for the runtimes in use


class _Graph:
    """Nodes and arrays, in the order in which they are added."""

    def __init__(self):
        self.nodes = []
        self.arrays = []

    def add(self, operator, *inputs, name, **attributes):
        """Add a node; gives the name of its output, which is its own."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def array(self, name, values):
        """Add an array; gives its name."""
        from onnx import numpy_helper

        self.arrays.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def convert(model):
    """Translate a network into ONNX.

    Args:
        model: A functional `keras.Model`, a chain of layers from uint8 images `(batch, height, width, 3)` named "image"
            to `(batch, classes)`.

    Returns:
        An `onnx.ModelProto` with the input "image" and the output "probabilities".

    Raises:
        ValueError: If a layer has no translation.
    """
    import onnx
    from onnx import helper

    graph = _Graph()
    x = "image"
    for layer in model.layers:
        x = _translate(layer, graph, x)
    x = graph.add("Identity", x, name="probabilities")
    body = helper.make_graph(
        graph.nodes,
        model.name,
        [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ("batch", *model.input_shape[1:]))],
        [helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, ("batch", *model.layers[-1].output.shape[1:]))],
        graph.arrays,
    )
    result = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(result)
    return result


@functools.singledispatch
def _translate(layer, graph, x):
    """Add what a layer does to `x`; gives the name of the result. Maps have their channels first in ONNX."""
    raise ValueError(f"Expected layers of this library's networks. Received: {layer.name}, a {type(layer).__name__}")


@_translate.register(keras.layers.InputLayer)
@_translate.register(keras.layers.Dropout)
def _nothing(layer, graph, x):
    return x


@_translate.register(keras.layers.Rescaling)
def _preprocessing(layer, graph, x):
    x = graph.add("Transpose", x, name=f"{layer.name}/channels_first", perm=(0, 3, 1, 2))
    x = graph.add("Cast", x, name=f"{layer.name}/float", to=1)
    scale, offset = (np.array(array, "f4", ndmin=3).transpose(2, 0, 1) for array in (layer.scale, layer.offset))
    if (scale != 1).any():
        x = graph.add("Mul", x, graph.array("scale", scale), name=f"{layer.name}/scaled")
    if offset.any():
        x = graph.add("Add", x, graph.array("offset", offset), name=layer.name)
    return x


@_translate.register(keras.layers.ZeroPadding2D)
def _zeros(layer, graph, x):
    (top, bottom), (left, right) = layer.padding
    margins = graph.array(f"{layer.name}/margins", np.array([0, 0, top, left, 0, 0, bottom, right]))
    return graph.add("Pad", x, margins, name=layer.name)


@_translate.register(keras.layers.Conv2D)
def _convolution(layer, graph, x):
    kernel, bias = layer.get_weights()
    kernel, bias = (
        graph.array(f"{layer.name}/kernel", kernel.transpose(3, 2, 0, 1)),
        graph.array(f"{layer.name}/bias", bias),
    )
    x = graph.add(
        "Conv", x, kernel, bias, name=layer.name, strides=layer.strides, group=layer.groups, **_padding(layer)
    )
    return _activation(layer.activation, graph, x)


def _padding(layer):
    return {"auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}[layer.padding]}


@_translate.register(keras.layers.MaxPooling2D)
@_translate.register(keras.layers.AveragePooling2D)
def _pooling(layer, graph, x):
    operator = "MaxPool" if isinstance(layer, keras.layers.MaxPooling2D) else "AveragePool"
    return graph.add(
        operator, x, name=layer.name, kernel_shape=layer.pool_size, strides=layer.strides, **_padding(layer)
    )


@_translate.register(keras.layers.AdaptiveAveragePooling2D)
def _averaged(layer, graph, x):
    """One product with a matrix for each side: ONNX has no operator of this kind."""
    height, width = (
        _averages(size, places) for size, places in zip(layer.input.shape[1:3], layer.output_size, strict=True)
    )
    x = graph.add("MatMul", x, graph.array(f"{layer.name}/width", width.T), name=f"{layer.name}/narrowed")
    return graph.add("MatMul", graph.array(f"{layer.name}/height", height), x, name=layer.name)


def _averages(size, places):
    """The matrix `(places, size)` that averages a side to so many places: each over all that it touches.

    Example:
        >>> _averages(3, 2).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    place, old = np.arange(places)[:, None], np.arange(size)
    touched = (old >= place * size // places) & (old * places < (place + 1) * size)
    return (touched / touched.sum(1, keepdims=True)).astype(np.float32)


@_translate.register(LocalResponseNormalization)
def _over_channels(layer, graph, x):
    """The window's sum as a convolution by a band matrix: onnxruntime's own LRN takes four times as long."""
    return _normalized(layer, graph, x, band(layer.input.shape[-1], layer.window, layer.groups)[..., None, None], 1)


@_translate.register(SpatialResponseNormalization)
def _within_maps(layer, graph, x):
    channels = layer.input.shape[-1]
    return _normalized(layer, graph, x, np.ones((channels, 1, layer.window, layer.window)), channels)


def _normalized(layer, graph, x, window, groups):
    """`x / d ** beta` with `d = k + alpha * window_sum(x ** 2)`; `d ** 0.75` by square roots, which is faster."""
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


@_translate.register(keras.layers.Flatten)
def _flattened(layer, graph, x):
    x = graph.add("Transpose", x, name=f"{layer.name}/channels_last", perm=(0, 2, 3, 1))  # as fc6 expects them
    return graph.add("Flatten", x, name=layer.name)


@_translate.register(keras.layers.Dense)
def _fully_connected(layer, graph, x):
    kernel, bias = (
        graph.array(f"{layer.name}/{kind}", a) for kind, a in zip(("kernel", "bias"), layer.get_weights(), strict=True)
    )
    return _activation(layer.activation, graph, graph.add("Gemm", x, kernel, bias, name=layer.name))


@_translate.register(keras.layers.ReLU)
def _rectified(layer, graph, x):
    return graph.add("Relu", x, name=layer.name)


@_translate.register(keras.layers.Activation)
@_translate.register(keras.layers.Softmax)
def _other_nonlinearity(layer, graph, x):
    return _activation(getattr(layer, "activation", keras.activations.softmax), graph, x)


_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softmax": "Softmax"}


def _activation(function, graph, x):
    name = keras.activations.serialize(function)
    if name not in (*_OPERATORS, "linear"):
        raise ValueError(f"Expected nonlinearities of {', '.join(_OPERATORS)}. Received: {name}")
    return x if name == "linear" else graph.add(_OPERATORS[name], x, name=f"{x}/{name}")
