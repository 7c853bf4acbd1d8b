"""ONNX networks: Caffe's AlexNet from the model zoo, and torchvision's from `torch.onnx.export`."""

import pathlib

from keras_alexnet.weights.conventions import EXTERNAL, Convention, WeightFile, steps_before_dense
from keras_alexnet.weights.pytorch import TORCHVISION, by_torchvision_names

CAFFE2 = Convention("{}_w_0", "{}_b_0", channels_first=True, bgr=True)  # Caffe2 wrote the files of the model zoo
_KINDS = {"Conv": "conv", "Relu": "relu", "MaxPool": "pool", "LRN": "norm", "Gemm": "dense"}


def read_onnx(path: pathlib.Path) -> WeightFile:
    """Read the arrays and the layers of an ONNX network.

    Raises:
        ValueError: If an array is in a file other than `NAME.onnx.data` next to `NAME.onnx`, where PyTorch writes them.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    for array in graph.initializer:
        if array.data_location == onnx.TensorProto.EXTERNAL:
            _load_external(onnx, array, path.with_name(f"{path.name}.data"))
    arrays = ((each.name, onnx.numpy_helper.to_array(each)) for each in graph.initializer)
    floats = {name: array for name, array in arrays if array.dtype.kind == "f"}  # other arrays are shapes
    steps = steps_before_dense([(_KINDS.get(node.op_type), _constants(onnx, node)) for node in graph.node])
    named = by_torchvision_names(floats)
    if TORCHVISION.names("conv1")[0] in named:
        return WeightFile(named, TORCHVISION, steps)
    return WeightFile(floats, CAFFE2, steps)


def _load_external(onnx, array, beside):
    """Load the data of an array from another file. No other file may be read, and links are not followed."""
    if beside.is_symlink() or {entry.key: entry.value for entry in array.external_data}.get("location") != beside.name:
        raise ValueError(f"{EXTERNAL} than {beside.name}: write it with torch.onnx.export(..., external_data=False)")
    onnx.external_data_helper.load_external_data_for_tensor(array, str(beside.parent))


def _constants(onnx, node):
    """Return window, k, alpha and beta of an LRN, with ONNX's defaults, window and stride of a pooling, else None."""
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type == "MaxPool":
        return given["kernel_shape"][0], given.get("strides", [1])[0]
    if node.op_type != "LRN":
        return None
    window, alpha = given["size"], given.get("alpha", 1e-4)  # ONNX divides alpha by the window
    return window, given.get("bias", 1.0), alpha / window, given.get("beta", 0.75)
