"""Independent reference implementations, which share no code with the library."""

import itertools

import numpy as np

# Loops over every number: slow, and hard to get wrong


def normalized_over_channels(x, window, k, alpha, beta, groups=1):
    """Local response normalization, channels last, within each group of channels."""
    y = np.empty_like(x)
    width = x.shape[-1] // groups
    for i in range(x.shape[-1]):
        first = i // width * width
        low, high = max(first, i - window // 2), min(first + width - 1, i + window // 2)
        energy = sum(x[..., j] ** 2 for j in range(low, high + 1))
        y[..., i] = x[..., i] / (k + alpha * energy) ** beta
    return y


def normalized_within_maps(x, window, k, alpha, beta):
    """The same over a square window of each map."""
    y = np.empty_like(x)
    reach = window // 2
    for row, column in np.ndindex(x.shape[1:3]):
        square = x[:, max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
        energy = (square**2).sum((1, 2))
        y[:, row, column] = x[:, row, column] / (k + alpha * energy) ** beta
    return y


def convolved(x, kernel, bias, strides=1, margin=0, groups=1):
    """Convolution, channels last; sizes are rounded up, with zeros beyond every edge."""
    x = np.pad(x, ((0, 0), (margin, margin + strides), (margin, margin + strides), (0, 0)))
    side, _, seen, filters = kernel.shape
    rows, columns = (-(-(size - strides - side) // strides) + 1 for size in x.shape[1:3])
    y = np.empty((len(x), rows, columns, filters), x.dtype)
    for row, column, f in itertools.product(range(rows), range(columns), range(filters)):
        first = f // (filters // groups) * seen
        top, left = row * strides, column * strides
        patch = x[:, top : top + side, left : left + side, first : first + seen]
        y[:, row, column, f] = (patch * kernel[..., f]).sum((1, 2, 3)) + bias[f]
    return y


def max_pooled(x, size=3, strides=2):
    """Max pooling, channels last; sizes are rounded up, and windows end with the map."""
    rows, columns = (-(-(side - size) // strides) + 1 for side in x.shape[1:3])
    y = np.empty((len(x), rows, columns, x.shape[-1]), x.dtype)
    for row, column in np.ndindex(rows, columns):
        top, left = row * strides, column * strides
        y[:, row, column] = x[:, top : top + size, left : left + size].max((1, 2))
    return y


def same_margins(size, window, strides):
    """Zeros before and after one side that TensorFlow's "same" padding means."""
    missing = max((-(-size // strides) - 1) * strides + window - size, 0)
    return missing // 2, missing - missing // 2


# Networks as lists of steps, run by other frameworks. A step is a name and its constants; weights are found by layer
# name, as (height, width, in, out) kernels and biases. Images are channels last, `alpha` weighs the plain sum.


def run_with_torch(steps, weights, images):
    """Outputs of the network for a batch of images, by `torch.nn.functional`."""
    import torch
    import torch.nn.functional as F

    weights = {name: [torch.tensor(array) for array in arrays] for name, arrays in weights.items()}
    x = torch.tensor(images).permute(0, 3, 1, 2)
    for kind, *constants in steps:
        if kind == "conv":
            name, strides, (before, after), groups = constants
            kernel, bias = weights[name]
            padded = F.pad(x, (before, after, before, after))
            x = F.conv2d(padded, kernel.permute(3, 2, 0, 1), bias, stride=strides, groups=groups)
        elif kind == "norm":
            window, k, alpha, beta = constants
            x = F.local_response_norm(x, window, alpha * window, beta, k)
        elif kind == "pool" and constants[0] == "same":
            before, after = same_margins(x.shape[-1], 3, 2)
            x = F.max_pool2d(F.pad(x, (before, after, before, after), value=-np.inf), 3, 2)
        elif kind == "pool":
            x = F.max_pool2d(x, 3, 2, ceil_mode=constants[0] == "ceil")
        elif kind == "average pool":
            x = F.avg_pool2d(x, 3, 2, ceil_mode=True, count_include_pad=False)
        elif kind == "adaptive":
            x = F.adaptive_avg_pool2d(x, constants[0])
        elif kind == "flatten":
            x = x.permute(0, 2, 3, 1).flatten(1)
        elif kind == "dense":
            kernel, bias = weights[constants[0]]
            x = x @ kernel + bias
        else:
            x = {"relu": torch.relu, "tanh": torch.tanh}[kind](x)
    return x.numpy()


def run_with_onnxruntime(steps, weights, images):
    """Outputs of the network for a batch of images, by an ONNX graph that is made here."""
    import onnx
    import onnxruntime
    from onnx import helper

    nodes, tensors = [helper.make_node("Transpose", ["images"], ["x0"], perm=(0, 3, 1, 2))], {}
    for n, (kind, *constants) in enumerate(steps):
        source = f"x{n}"
        if kind == "flatten":  # place by place, channels last
            nodes.append(helper.make_node("Transpose", [source], [f"t{n}"], perm=(0, 2, 3, 1)))
            source = f"t{n}"
        operator, arrays, attributes = _onnx_operator(kind, constants, weights)
        tensors |= arrays
        nodes.append(helper.make_node(operator, [source, *arrays], [f"x{n + 1}"], **attributes))
    number = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "reference",
        [helper.make_tensor_value_info("images", number, images.shape)],
        [helper.make_tensor_value_info(f"x{len(steps)}", number, None)],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images})[0]


def _onnx_operator(kind, constants, weights):
    """Operator, arrays by name and attributes of one step."""
    if kind == "conv":
        name, strides, (before, after), groups = constants
        kernel, bias = weights[name]
        arrays = {f"{name}_kernel": kernel.transpose(3, 2, 0, 1), f"{name}_bias": bias}
        return "Conv", arrays, {"strides": (strides,) * 2, "pads": (before, before, after, after), "group": groups}
    if kind == "norm":
        window, k, alpha, beta = constants
        return "LRN", {}, {"size": window, "alpha": alpha * window, "beta": beta, "bias": k}
    windows = {"kernel_shape": (3, 3), "strides": (2, 2)}
    if kind == "pool":
        same = {"auto_pad": "SAME_UPPER"} if constants[0] == "same" else {}
        return "MaxPool", {}, windows | same | {"ceil_mode": int(constants[0] == "ceil")}
    if kind == "average pool":
        return "AveragePool", {}, windows | {"ceil_mode": 1, "count_include_pad": 0}
    if kind == "adaptive":  # of one place, which is repeated, or of as many as are wanted
        return "Expand", {"adaptive_shape": np.array([1, 1, constants[0], constants[0]])}, {}
    if kind == "dense":
        (name,) = constants
        return "Gemm", dict(zip((f"{name}_kernel", f"{name}_bias"), weights[name], strict=True)), {}
    return {"relu": "Relu", "tanh": "Tanh", "flatten": "Flatten"}[kind], {}, {}
