"""Weight files of other frameworks, and their outputs. Shares no code with the library.

Arrays are given by layer, `(kernel, bias)`, with kernels as (out, in, height, width) and (out, in).
"""

import struct

import numpy as np

SIDE, CLASSES, HIDDEN = 99, 10, (48, 40)  # 99 pixels leave 2 x 2 places, so that the order of flattening matters


def drawn(widths, inputs):
    """Random arrays of a network: (out, in) of its convolutions, and the numbers that reach fc6."""
    sides = {"conv1": 11, "conv2": 5}
    shapes = {f"conv{n}": (*pair, *[sides.get(f"conv{n}", 3)] * 2) for n, pair in enumerate(widths, 1)}
    shapes |= {"fc6": (HIDDEN[0], inputs), "fc7": HIDDEN[::-1], "fc8": (CLASSES, HIDDEN[1])}
    random, arrays = np.random.default_rng(2), {}
    for name, shape in shapes.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5 * (0.02 if name == "conv1" else 1)  # pixels are large, the rest is not
        arrays[name] = tuple(
            random.normal(0, std, size).astype("f4") for std, size in ((scale, shape), (0.1, shape[0]))
        )
    return arrays


def of_caffe():
    """Arrays of Caffe's two networks."""
    return drawn(((96, 3), (256, 48), (384, 256), (384, 192), (256, 192)), 256 * 2 * 2)


def of_torchvision():
    """Arrays of torchvision's network."""
    return drawn(((64, 3), (192, 64), (384, 192), (256, 384), (256, 256)), 256 * 6 * 6)


# PyTorch

PLACES = {f"conv{n}": f"features.{place}" for n, place in enumerate((0, 3, 6, 8, 10), 1)}
PLACES |= {f"fc{n}": f"classifier.{place}" for n, place in enumerate((1, 4, 6), 6)}


def state_dict(arrays):
    """Arrays by torchvision's names."""
    pairs = {name: zip(("weight", "bias"), pair, strict=True) for name, pair in arrays.items()}
    return {f"{PLACES[name]}.{kind}": array for name, pair in pairs.items() for kind, array in pair}


def torchvision_answers(arrays, images):
    """Logits of torchvision's network for RGB images, channels last."""
    import torch
    from torch.nn import functional

    arrays = {name: tuple(map(torch.tensor, pair)) for name, pair in arrays.items()}
    x = torch.tensor(images).permute(0, 3, 1, 2)
    for name, strides, padding in (("conv1", 4, 2), ("conv2", 1, 2), ("conv3", 1, 1), ("conv4", 1, 1), ("conv5", 1, 1)):
        x = functional.relu(functional.conv2d(x, *arrays[name], strides, padding))
        x = functional.max_pool2d(x, 3, 2) if name in ("conv1", "conv2", "conv5") else x
    x = functional.adaptive_avg_pool2d(x, (6, 6)).flatten(1)
    for name in ("fc6", "fc7", "fc8"):
        x = functional.linear(x, *arrays[name])
        x = functional.relu(x) if name != "fc8" else x
    return x.numpy()


def torchvision_module(arrays):
    """Torchvision's network as a module of PyTorch, layer by layer as in torchvision/models/alexnet.py."""
    import torch
    from torch import nn

    class AlexNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
                *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
                *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True)),
                *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True)),
                *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
            )
            self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
            self.classifier = nn.Sequential(
                *(nn.Dropout(), nn.Linear(256 * 6 * 6, HIDDEN[0]), nn.ReLU(inplace=True)),
                *(nn.Dropout(), nn.Linear(*HIDDEN), nn.ReLU(inplace=True)),
                nn.Linear(HIDDEN[1], CLASSES),
            )

        def forward(self, x):
            return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

    module = AlexNet().eval()
    module.load_state_dict({name: torch.tensor(array) for name, array in state_dict(arrays).items()})
    return module


def torchvision_onnx(arrays, prefix=""):
    """Torchvision's network as `torch.onnx.export` writes it: the names of the state dict, pads of four numbers."""
    import onnx
    from onnx import helper

    nodes, x = [], "input"

    def add(operator, *inputs, **attributes):
        nonlocal x
        nodes.append(helper.make_node(operator, [x, *inputs], [f"/{len(nodes)}/{operator}_output"], **attributes))
        x = nodes[-1].output[0]

    for name, strides, padding in (("conv1", 4, 2), ("conv2", 1, 2), ("conv3", 1, 1), ("conv4", 1, 1), ("conv5", 1, 1)):
        sizes = {"kernel_shape": arrays[name][0].shape[2:], "strides": (strides,) * 2, "pads": (padding,) * 4}
        add("Conv", f"{prefix}{PLACES[name]}.weight", f"{prefix}{PLACES[name]}.bias", group=1, **sizes)
        add("Relu")
        if name in ("conv1", "conv2", "conv5"):
            add("MaxPool", kernel_shape=(3, 3), strides=(2, 2), pads=(0, 0, 0, 0), ceil_mode=0)
    add("AveragePool", kernel_shape=(1, 1), strides=(1, 1))  # adaptive, of 6 x 6 to 6 x 6
    add("Flatten", axis=1)
    for name in ("fc6", "fc7", "fc8"):
        add("Gemm", f"{prefix}{PLACES[name]}.weight", f"{prefix}{PLACES[name]}.bias", alpha=1.0, beta=1.0, transB=1)
        if name != "fc8":
            add("Relu")
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ("batch", 3, 224, 224))],
        [helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, ("batch", CLASSES))],
        [onnx.numpy_helper.from_array(array, f"{prefix}{name}") for name, array in state_dict(arrays).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


# ONNX

CAFFE_STEPS = (  # of bvlc_alexnet; in bvlc_reference_caffenet "pool" and "norm" change places
    *("conv1", "relu", "norm", "pool"),
    *("conv2", "relu", "norm", "pool"),
    *("conv3", "relu", "conv4", "relu", "conv5", "relu", "pool"),
    *("fc6", "relu", "fc7", "relu", "fc8"),
)
CAFFENET_STEPS = tuple({2: "pool", 3: "norm", 6: "pool", 7: "norm"}.get(n, step) for n, step in enumerate(CAFFE_STEPS))
STRIDES, MARGINS, GROUPS = {"conv1": 4}, {"conv1": 0, "conv2": 2}, {"conv2": 2, "conv4": 2, "conv5": 2}


def onnx_network(arrays, steps=CAFFE_STEPS):
    """A network as the ONNX model zoo has it: with Caffe2's names, without softmax, and a shape among the arrays."""
    import onnx
    from onnx import helper

    attributes = {
        "norm": {"op_type": "LRN", "size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0},
        "pool": {"op_type": "MaxPool", "kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1},
        "relu": {"op_type": "Relu"},
    }
    for name in (step for step in steps if step not in attributes):
        strides, margin, groups = STRIDES.get(name, 1), MARGINS.get(name, 1), GROUPS.get(name, 1)
        convolution = {"op_type": "Conv", "strides": (strides,) * 2, "pads": (margin,) * 4, "group": groups}
        attributes[name] = {"op_type": "Gemm", "transB": 1} if name.startswith("fc") else convolution
    nodes, x = [], "data_0"
    for n, step in enumerate(steps):
        if step == "fc6":
            nodes.append(helper.make_node("Reshape", [x, "OC2_DUMMY_1"], ["OC2_DUMMY_0"]))
            x = "OC2_DUMMY_0"
        own = [] if step in ("relu", "norm", "pool") else [f"{step}_w_0", f"{step}_b_0"]
        nodes.append(helper.make_node(inputs=[x, *own], outputs=[f"x{n}"], **attributes[step]))
        x = f"x{n}"
    tensors = {
        f"{name}_{kind}_0": array for name, pair in arrays.items() for kind, array in zip("wb", pair, strict=True)
    }
    tensors["OC2_DUMMY_1"] = np.array([-1, arrays["fc6"][0].shape[1] if "fc6" in arrays else 1])
    graph = helper.make_graph(
        nodes,
        "AlexNet",
        [helper.make_tensor_value_info("data_0", onnx.TensorProto.FLOAT, (None, 3, SIDE, SIDE))],
        [helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def onnx_answers(network, images, bgr=True):
    """Logits for RGB images, channels last; the model zoo's network takes BGR."""
    import onnxruntime

    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    images = images[..., ::-1] if bgr else images
    return session.run(None, {network.graph.input[0].name: images.transpose(0, 3, 1, 2)})[0]


# Caffe


def caffemodel(arrays, steps=CAFFENET_STEPS, old=False, is_within_channels=False):
    """The bytes of a `.caffemodel`, in the form of today or in the one of the model zoo."""
    types = {"relu": ("ReLU", 18), "norm": ("LRN", 15), "pool": ("Pooling", 17), "conv": ("Convolution", 4)}
    types["fc"] = ("InnerProduct", 14)
    net = _field(1, b"AlexNet") + _layer(("data", ("Data", 5)), (), old)
    for step in steps:
        kind = types[step.rstrip("12345678")]
        region = _field(4, 1) if is_within_channels else b""
        net += _layer((step, kind), arrays.get(step, ()), old, region if step == "norm" else None)
    return net


def _layer(name_and_type, blobs, old, region=None):
    name, (word, number) = name_and_type
    message = _field(4 if old else 1, name.encode()) + (_field(5, number) if old else _field(2, word.encode()))
    message += b"".join(_field(6 if old else 7, _blob(blob, old)) for blob in blobs)
    if region is not None:  # window 5, alpha 1e-4 over the window, beta 0.75; k is 1 by default
        constants = (
            _field(1, 5) + _field(2, struct.pack("<f", 1e-4), 5) + _field(3, struct.pack("<f", 0.75), 5) + region
        )
        message += _field(18 if old else 118, constants)
    return _field(2 if old else 100, message)


def _blob(array, old):
    if old:
        shape = b"".join(_field(n, size) for n, size in enumerate((1,) * (4 - array.ndim) + array.shape, 1))
    else:
        shape = _field(7, _field(1, b"".join(map(_varint, array.shape))))
    return shape + _field(5, array.tobytes())


def _field(number, value, wire_type=2):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    size = _varint(len(value)) if wire_type == 2 else b""
    return _varint(number << 3 | wire_type) + size + value


def _varint(value):
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def caffe_answers(arrays, images, steps=CAFFENET_STEPS):
    """Logits for RGB images, channels last, in NumPy; the network takes blue first."""
    x = images[..., ::-1].transpose(0, 3, 1, 2).astype(np.float64)
    for step in steps:
        if step.startswith("conv"):
            x = _convolved(x, *arrays[step], STRIDES.get(step, 1), MARGINS.get(step, 1), GROUPS.get(step, 1))
        elif step.startswith("fc"):
            kernel, bias = arrays[step]
            x = x.reshape(len(x), -1) @ kernel.T + bias
        else:
            x = {"relu": lambda x: np.maximum(x, 0), "norm": _normalized, "pool": _pooled}[step](x)
    return x


def _convolved(x, kernel, bias, strides, margin, groups):
    x = np.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (2, 3))[:, :, ::strides, ::strides]
    columns = zip(np.split(windows, groups, 1), np.split(kernel, groups), strict=True)
    maps = [np.tensordot(part, filters, ((1, 4, 5), (1, 2, 3))) for part, filters in columns]
    return (np.concatenate(maps, -1) + bias).transpose(0, 3, 1, 2)


def _normalized(x):
    squares = np.pad(x * x, ((0, 0), (2, 2), (0, 0), (0, 0)))
    energy = sum(squares[:, n : n + x.shape[1]] for n in range(5))
    return x / (1 + 1e-4 / 5 * energy) ** 0.75


def _pooled(x):
    rest = [-(side - 3) % 2 for side in x.shape[2:]]  # sizes are rounded up
    x = np.pad(x, ((0, 0), (0, 0), (0, rest[0]), (0, rest[1])), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))
