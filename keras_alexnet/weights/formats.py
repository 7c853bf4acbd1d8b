"""What a file of weights holds: arrays by the names that they have there. No code of a file is ever run."""

import dataclasses
import pathlib
import pickle  # for the name of its error alone
import warnings

import numpy as np

from keras_alexnet.weights import caffemodel, keras_file


@dataclasses.dataclass(frozen=True)
class Convention:
    """How a framework names and lays out what a layer learns.

    Attributes:
        kernel: Name of a layer's kernel, with {} where the layer's own name is.
        bias: Name of its bias.
        channels_first: Whether kernels are (out, in, height, width) and (out, in), and maps are flattened channel by
            channel; else they are (height, width, in, out) and (in, out), and maps are flattened place by place.
        blue_first: Whether the input's channels are blue, green, red.
        layers: What a layer is called that is not called `conv1` or `fc6`.
        top: How the names of the fully connected layers begin.
    """

    kernel: str = "{}/kernel"
    bias: str = "{}/bias"
    channels_first: bool = False
    blue_first: bool = False
    layers: dict = dataclasses.field(default_factory=dict)
    top: str = "fc"

    def names(self, layer):
        """Names of the kernel and the bias of a layer.

        Example:
            >>> CAFFE2.names("conv1")
            ('conv1_w_0', 'conv1_b_0')
        """
        own = self.layers.get(layer, layer)
        return self.kernel.format(own), self.bias.format(own)


KERAS = Convention()
CAFFE = Convention("{} blob 0", "{} blob 1", channels_first=True, blue_first=True)
CAFFE2 = Convention("{}_w_0", "{}_b_0", channels_first=True, blue_first=True)  # the ONNX zoo's files were made by it
TORCHVISION = Convention(
    "{}.weight",
    "{}.bias",
    channels_first=True,
    layers={f"conv{n}": f"features.{place}" for n, place in enumerate((0, 3, 6, 8, 10), 1)}
    | {f"fc{n}": f"classifier.{place}" for n, place in enumerate((1, 4, 6), 6)},
    top="classifier",
)


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """What a file holds.

    Attributes:
        arrays: NumPy arrays by name.
        convention: The `Convention` of their names and axes.
        steps: What the file's network does before its fully connected layers, in order, as `step` writes it; None if
            the file does not say.
    """

    arrays: dict
    convention: Convention
    steps: tuple[str, ...] | None = None


def step(kind, window=None, k=None, alpha=None, beta=None):
    """A step of a network as a word: "conv", "relu", "pool" or "norm", and the constants of a normalization.

    Example:
        >>> step("norm", 5, 1, 2e-5, 0.75)
        'norm(window=5, k=1, alpha=2e-05, beta=0.75)'
    """
    constants = f"(window={window}, k={k:.4g}, alpha={alpha:.4g}, beta={beta:.4g})"
    return kind + constants if kind == "norm" else kind


def read(path):
    """Read a file of weights.

    Args:
        path: A torchvision state dict (`.pth`, `.pt`, `.safetensors`), an ONNX network with the model zoo's names
            (`.onnx`), a Caffe network (`.caffemodel`), arrays in Keras's layout by the names `conv1/kernel`,
            `conv1/bias` and so on (`.npz`), or a Keras file (`.keras`, `.weights.h5`).

    Returns:
        A `WeightFile`.

    Raises:
        ValueError: If the file is of another kind, damaged, holds more than arrays, or needs a package that is missing.
        OSError: If it cannot be opened.
    """
    path = pathlib.Path(path)
    if path.suffix not in _READERS:
        raise ValueError(f"Expected a file of weights: {' '.join(_READERS)}. {_hint(path)}Received: {path}")
    kind, extra, reader = _READERS[path.suffix]
    path.open("rb").close()  # a file that is not there is said so alike for all kinds
    try:
        return reader(path)
    except ImportError as error:
        raise ValueError(
            f"Expected the package {error.name} to read {path.suffix}: pip install 'keras-alexnet[{extra}]'. "
            f"Received: {path}"
        ) from error
    except Exception as error:  # a stranger's file fails in any way, and every package has errors of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ValueError(f"Expected {kind}, whole and without code. Received: {path}: {reason}") from error


def _hint(path):
    if path.suffix != ".npy":
        return ""
    return (
        "An .npy file with the arrays of several layers, such as bvlc_alexnet.npy, is a pickle and may run code: take "
        "bvlcalexnet-12.onnx or bvlc_alexnet.caffemodel, which hold the same weights. "
    )


def _torch(path):
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # of pickles by other hands
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # PyTorch's own words advise to load it with its code
        raise ValueError("it is damaged, or holds more than tensors, which may be code") from None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise ValueError("not a state dict, as torch.save(model.state_dict(), file) writes it")
    return WeightFile({name: tensor.float().numpy() for name, tensor in tensors.items()}, TORCHVISION)


def _safetensors(path):
    import safetensors.numpy

    arrays = safetensors.numpy.load_file(path).items()
    return WeightFile({name: keras_file.widened(array, array.dtype.name) for name, array in arrays}, TORCHVISION)


def _onnx(path):
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    if any(array.data_location == onnx.TensorProto.EXTERNAL for array in graph.initializer):
        raise ValueError(keras_file.ELSEWHERE)
    arrays = ((each.name, onnx.numpy_helper.to_array(each)) for each in graph.initializer)
    floats = {name: array for name, array in arrays if array.dtype.kind == "f"}  # the rest are shapes
    kinds = {"Conv": "conv", "Relu": "relu", "MaxPool": "pool", "LRN": "norm", "Gemm": "dense"}
    nodes = [(kinds.get(node.op_type), _onnx_constants(onnx, node)) for node in graph.node]
    return WeightFile(floats, CAFFE2, _steps(nodes))


def _onnx_constants(onnx, node):
    """Of an LRN: its window, k, alpha and beta, each with ONNX's default where the file has none."""
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return given.get("size"), given.get("bias", 1.0), given.get("alpha", 1e-4), given.get("beta", 0.75)


def _caffemodel(path):
    layers = caffemodel.read(path)
    kinds = {"Convolution": "conv", "ReLU": "relu", "Pooling": "pool", "LRN": "norm", "InnerProduct": "dense"}
    arrays = {f"{layer.name} blob {n}": blob for layer in layers for n, blob in enumerate(layer.blobs)}
    return WeightFile(arrays, CAFFE, _steps([(kinds.get(layer.kind), layer.constants) for layer in layers]))


def _steps(nodes):
    """The steps before the first fully connected layer, of (kind, constants) where Caffe and ONNX divide alpha."""
    steps = []
    for kind, constants in nodes:
        if kind == "dense":
            break
        if kind == "norm":
            window, k, alpha, beta = constants
            steps.append(step(kind, window, k, alpha / window, beta))
        elif kind:
            steps.append(kind)
    return tuple(steps)


def _npz(path):
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return WeightFile(dict(arrays), KERAS)


def _keras(path):
    arrays, nodes = keras_file.read(path)
    return WeightFile(arrays, KERAS, _steps(nodes) or None)


_READERS = {  # kind of file, extra that brings the package, function
    ".pth": ("a PyTorch state dict", "torch", _torch),
    ".pt": ("a PyTorch state dict", "torch", _torch),
    ".safetensors": ("a safetensors file", "weights", _safetensors),
    ".onnx": ("an ONNX network", "weights", _onnx),
    ".caffemodel": ("a Caffe network", "", _caffemodel),
    ".npz": ("a NumPy archive of arrays", "", _npz),
    ".keras": ("a Keras file", "", _keras),
    ".h5": ("a Keras file of weights", "", _keras),
}
