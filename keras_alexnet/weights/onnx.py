"""ONNX networks: Caffe's AlexNet from the model zoo, and torchvision's as `torch.onnx.export` writes it."""

import pathlib

from keras_alexnet.weights.conventions import EXTERNAL, Convention, WeightFile, steps_before_dense
from keras_alexnet.weights.pytorch import TORCHVISION, by_torchvision_names

CAFFE2 = Convention("{}_w_0", "{}_b_0", channels_first=True, bgr=True)  # Caffe2 wrote the files of the model zoo
_KINDS = {"Conv": "conv", "Relu": "relu", "MaxPool": "pool", "LRN": "norm", "Gemm": "dense"}


def read_onnx(path: pathlib.Path) -> WeightFile:
    """Read the arrays and the layers of an ONNX network.

    Raises:
        ValueError: If an array is in another file.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    if any(array.data_location == onnx.TensorProto.EXTERNAL for array in graph.initializer):
        raise ValueError(EXTERNAL)
    arrays = ((each.name, onnx.numpy_helper.to_array(each)) for each in graph.initializer)
    floats = {name: array for name, array in arrays if array.dtype.kind == "f"}  # the others are shapes
    steps = steps_before_dense([(_KINDS.get(node.op_type), _constants(onnx, node)) for node in graph.node])
    named = by_torchvision_names(floats)
    if TORCHVISION.names("conv1")[0] in named:
        return WeightFile(named, TORCHVISION, steps)
    return WeightFile(floats, CAFFE2, steps)


def _constants(onnx, node):
    """Return window, k, alpha and beta of an LRN, each with ONNX's default if the node does not have it."""
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return given.get("size"), given.get("bias", 1.0), given.get("alpha", 1e-4), given.get("beta", 0.75)
